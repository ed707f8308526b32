"""`copytrade` at a real terminal (a pty): what a person sees and types, prompt by prompt."""

import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[2]
BOUND_SEC = 60.0
_OWN_TERMINAL = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\nfrom copytrade.app.cli import main; main()"
)


@frozen(kw_only=True)
class Ended:
    """How it ended, and everything that stood on the screen."""

    code: int
    screen: str


def environment(**more: str) -> dict[str, str]:
    """Ours without any secret or setting of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COPYTRADE_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "80"} | more


def typed(
    folder: Path, args: Sequence[str], replies: Sequence[tuple[str, str]], *, controls: bool = False, **env: str
) -> Ended:
    """Run `copytrade ARGS` in `folder` at a terminal. Each reply is typed once its prompt stands there, in order.

    With `controls` it is the process's own terminal, so that control characters are signals.
    """
    ours, theirs = os.openpty()
    command = [sys.executable, *(["-c", _OWN_TERMINAL] if controls else ["-m", "copytrade"]), *args]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(**env), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    screen, seen = "", 0
    waiting = list(replies)
    deadline = time.monotonic() + BOUND_SEC
    try:
        while True:
            if waiting and waiting[0][0] in screen[seen:]:
                prompt, reply = waiting.pop(0)
                seen = screen.index(prompt, seen) + len(prompt)
                if "hown" in prompt or "assphrase" in prompt or "once more" in prompt:
                    _wait_until_hidden(ours, deadline)
                os.write(ours, (reply + "\n").encode())
            assert time.monotonic() < deadline, f"no end; waiting for {waiting[:1]} on this screen:\n{screen}"
            if not select.select([ours], [], [], 0.05)[0]:
                continue
            try:
                more = os.read(ours, 65536)
            except OSError:  # Linux: nobody holds the other end any more
                break
            if not more:
                break
            screen += more.decode(errors="replace")
    finally:
        if process.poll() is None and time.monotonic() >= deadline:
            process.kill()
        code = process.wait()
        os.close(ours)
    assert not waiting, f"never asked: {waiting}\n{screen}"
    return Ended(code=code, screen=screen.replace("\r\n", "\n"))


def _wait_until_hidden(fd: int, deadline: float) -> None:
    """A prompt is printed a moment before (or after) the echo is turned off; a person is not that fast."""
    while termios.tcgetattr(fd)[3] & termios.ECHO:
        assert time.monotonic() < deadline, "what is typed would be shown"
        time.sleep(0.005)


def piped(folder: Path, *args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run `copytrade ARGS` in `folder` without a terminal."""
    command = [sys.executable, "-m", "copytrade", *args]
    return subprocess.run(
        command, cwd=folder, env=environment(**env), input=stdin, capture_output=True, text=True, timeout=BOUND_SEC
    )
