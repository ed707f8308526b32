"""`copytrade run` on a terminal of its own: a pseudo-terminal whose size, keys and end are the test's."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.driving import BOUND_SEC, KEY

# What is about the terminal that the tests run on, and not about this one; pytest-xdist sets a width, too.
_NOT_OF_IT = ("COPYTRADE_", "NO_COLOR", "COLUMNS", "LINES")
ENTER, LEAVE, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """What a person sees and does. `said` is everything that came, escapes and all."""

    def __init__(self, process: asyncio.subprocess.Process, fd: int) -> None:
        self.pid, self._process, self._fd = process.pid, process, fd
        self._came = b""

    @property
    def said(self) -> str:
        self._take()
        return self._came.decode(errors="replace")

    @property
    def last_frame(self) -> list[str]:
        """The lines of the last whole frame, without escapes."""
        frames = self.said.partition(LEAVE)[0].split("\x1b[H")
        text = frames[-2] if len(frames) > 2 else frames[-1]
        return [line.rstrip() for line in _ESCAPES.sub("", text).split("\r\n")]

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal, as a person closes the window."""
        self._take()
        self.close()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND_SEC):
            while not holds():
                self._take()
                await asyncio.sleep(0.02)

    async def ended(self) -> int:
        """The exit code."""
        await self.until(lambda: self._process.returncode is not None)
        self._take()
        return self._process.returncode or 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _take(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while self._fd >= 0 and select.select([self._fd], [], [], 0)[0] and (came := os.read(self._fd, 1 << 16)):
                self._came += came


@asynccontextmanager
async def on_terminal(
    folder: Path, *args: str, command: str = "run", hook: str = "", **env: str
) -> AsyncIterator[Terminal]:
    """`copytrade COMMAND ARGS` in `folder`, on 80 columns and 24 lines. Killed if the block ends before it does.

    `hook` is Python that runs in it first.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OF_IT)}
    kept |= {"PYTHONPATH": str(Path(__file__).parents[2]), "COPYTRADE_PRIVATE_KEY": KEY, "TERM": "xterm-256color"}
    ours, its = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _TAKE_TERMINAL.format(hook=hook), command, *args,
        cwd=folder, env=kept | env, stdin=its, stdout=its, stderr=its, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    terminal = Terminal(process, ours)
    terminal.resize(80, 24)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        terminal.close()


# The new session takes the terminal as its own, so that closing it hangs the session up, even where the tests run under
# nohup.
_TAKE_TERMINAL = (
    "import fcntl, signal, sys, termios\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "{hook}\n"
    "from copytrade.app.cli import main\n"
    "main(sys.argv[1:])\n"
)
