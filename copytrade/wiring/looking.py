"""A run seen from outside: what it has left, whether it is there, and the switch that stops it. Nothing is locked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from copytrade.adapters import state_file
from copytrade.adapters.journal_file import JournalFolder, read_lines
from copytrade.adapters.lock_holder import holder_of
from copytrade.adapters.state_file import DiskStateFile
from copytrade.adapters.stop_file import StopFile
from copytrade.adapters.system_clock import SystemClock
from copytrade.app.ports import Clock
from copytrade.app.status import Found


def found_at(state_path: Path, journal_dir: Path) -> Found:
    """What a run has left there, and whether one is there now; nothing is locked or written. Raises OSError."""
    holder = holder_of(state_path)
    return Found(
        line=next(JournalFolder(journal_dir).newest_first(1), None),
        state=DiskStateFile(state_path).load(),
        running=holder.held,
        pid=holder.pid,
    )


def last_lines(journal_dir: Path, most: int) -> list[bytes]:
    """The last lines of a journal, newest first, without touching it. Raises OSError."""
    return list(JournalFolder(journal_dir).newest_first(most))


def journal_lines(folder: Path) -> Iterator[bytes]:
    """Every line of a journal, oldest first."""
    for path in sorted(folder.iterdir()):
        yield from read_lines(path, report=lambda _: None)


# -- the switch that stops everything ---------------------------------------------------------------------------------


@frozen(kw_only=True)
class Stop:
    """The switch of one state, and what can be seen of the run that uses it."""

    switch: StopFile
    clock: Clock
    state: DiskStateFile
    was_used: bool  # a run has kept a state there, once
    in_use: bool  # a run holds it now


def stop_of(state_path: Path) -> Stop:
    """What `copytrade stop` asks and does."""
    from copytrade.adapters.this_machine import in_use

    return Stop(
        switch=StopFile(state_path),
        clock=SystemClock(),
        state=DiskStateFile(state_path),
        was_used=state_file.was_used(state_path),
        in_use=bool(in_use(state_path)),
    )
