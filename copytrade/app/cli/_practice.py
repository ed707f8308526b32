"""`copytrade demo --serve`: an exchange to practise on, kept running while other commands use it."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from copytrade.app.cli.render import WIDTH

LOOK_SEC = 0.5  # between two looks at what the leader has done


async def serve(port: int) -> None:
    """Serve it until a signal comes, and tell what the leader does. Raises BadInput where the ports are taken."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="copytrade-practice-") as folder:
        await _serve(Path(folder), port, stop)
    print("stopped")


async def _serve(folder: Path, port: int, stop: asyncio.Event) -> None:
    from copytrade.wiring import practice

    async with practice.practice(folder, port=port) as running:
        print("An exchange of our own: a leader who trades, and a wallet with 400 pUSD of play")
        print("money. Nothing leaves this machine. It runs until you press Ctrl-C here.\n")
        print("In another terminal, in an empty folder:\n")
        for line in command_lines("copytrade init", running.flags):
            print(line)
        print("\nThe key file holds a throwaway key, which signs for nothing else.")
        print("What to do next is said there.\n")
        told = 0
        while not stop.is_set():
            for words in running.told()[told:]:
                print(f"*** {words}")
                told += 1
            print(end="", flush=True)
            try:
                async with asyncio.timeout(LOOK_SEC):
                    await stop.wait()
            except TimeoutError:
                pass


def command_lines(command: str, flags: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A command that can be pasted into a shell, as few lines of 80 columns as hold it.

    >>> list(command_lines("copytrade init", [("--target", "0x" + "1" * 40), ("--ratio", "0.1"), ("--poll", "5")]))
    ['  copytrade init --target 0x1111111111111111111111111111111111111111 \\\\', '    --ratio 0.1 --poll 5']
    """
    line = f"  {command}"
    for flag in flags:
        more = " ".join(flag)
        if len(line) + len(more) + 3 > WIDTH or (len(line) > WIDTH // 2 and len(more) > WIDTH // 4):
            yield line + " \\"
            line = f"    {more}"
        else:
            line += f" {more}"
    yield line
