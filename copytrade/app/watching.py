"""Who is told what a run does while it does it: the screen, the log, notifications, metrics.

Rule 1: a watcher is told and never steers. It gets records that are settled, on the loop's own thread, between two
        cycles; whoever has something slow to do (a terminal, a network) hands it to a thread of his own.
Rule 2: what a watcher raises ends nothing. It is said once, and the run goes on; the others are told all the same.

Not here: what a screen looks like (cli/), when cycles run (loop.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Protocol

from attrs import frozen

from copytrade.app.config import Config
from copytrade.app.loop import Ending
from copytrade.app.outcomes import Cycle


@frozen(kw_only=True)
class Started:
    """A run that is about to go around: its settings, and what the state that it found is like (`notes`)."""

    at: Decimal
    config: Config
    dry: bool
    once: bool
    notes: tuple[str, ...] = ()


@frozen(kw_only=True)
class Seen:
    """One cycle, and how many requests left for it."""

    cycle: Cycle
    requests: int


@frozen(kw_only=True)
class Stopped:
    """How a run ended: stopped (or done, with `once`) with an `ending`, or by an error that is raised afterwards."""

    at: Decimal
    ending: Ending | None = None
    error: BaseException | None = None


class Watcher(Protocol):
    """Someone who is told. All three are quick and may raise what they like."""

    def on_start(self, started: Started) -> None:
        """Once, before the first cycle."""
        ...

    def on_cycle(self, seen: Seen) -> None:
        """After each cycle."""
        ...

    def on_stop(self, stopped: Stopped) -> None:
        """Once, after the last cycle and after our orders were taken down, however the run ended."""
        ...


class Watchers:
    """All watchers of a run as one; none of them can hurt the run or the others."""

    def __init__(self, watchers: Iterable[Watcher], complain: Callable[[str, Exception], None]) -> None:
        """`complain` is told the watcher's name and its first error."""
        self._watchers = tuple(watchers)
        self._complain = complain
        self._failed: set[int] = set()

    def on_start(self, started: Started) -> None:
        self._tell(lambda watcher: watcher.on_start(started))

    def on_cycle(self, seen: Seen) -> None:
        self._tell(lambda watcher: watcher.on_cycle(seen))

    def on_stop(self, stopped: Stopped) -> None:
        self._tell(lambda watcher: watcher.on_stop(stopped))

    def _tell(self, tell: Callable[[Watcher], None]) -> None:
        for index, watcher in enumerate(self._watchers):
            try:
                tell(watcher)
            except Exception as error:  # noqa: BLE001  # rule 2: nobody who only watches may end a run
                if index not in self._failed:
                    self._failed.add(index)
                    self._complain(type(watcher).__name__, error)
