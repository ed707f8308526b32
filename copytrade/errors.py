"""Every error that copytrade raises on purpose, named by what the caller can do next.

    CopytradeError
    ├── BadInput          the caller's input is wrong: mend it (exit code 2)
    ├── RefusedToStart    this run must not start, or not go on (exit code 3)
    └── VenueError        a service outside gave no usable answer
        ├── Refused       it says no, definitely: what was asked for did not happen
        ├── FateUnknown   it may or may not have happened: look it up
        ├── Unreachable   nothing was asked: no connection, or a read that failed for good
        └── BadAnswer     an answer came, and it is not what it ought to be

A decision that holds back is a `Reason`, never an exception. Our own mistakes are asserts.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen


@frozen(kw_only=True)
class Fault:
    """One thing that is wrong in an input: where it stands, what it is, what is wanted there."""

    path: str
    got: str
    wants: str

    def __str__(self) -> str:
        got = f"got {self.got}" if self.got else ""
        return f"{self.path}   {got}   wants {self.wants}" if got else f"{self.path}   {self.wants}"


class CopytradeError(Exception):
    """The root. Its text is written for the person at the terminal and holds no secret."""


class BadInput(CopytradeError):
    """An input is wrong: `faults` lists everything that is, all at once. Exit code 2."""

    def __init__(self, source: str, faults: Sequence[Fault], consequence: str = "") -> None:
        self.source = source
        self.faults = tuple(faults)
        count = f"{len(self.faults)} fault" + ("s" if len(self.faults) != 1 else "")
        head = f"{source}: {count}" + (f", {consequence}" if consequence else "")
        super().__init__("\n".join([head, *(f"  {fault}" for fault in self.faults)]))


class RefusedToStart(CopytradeError):
    """The run must not start or go on; the text says why and what to do. Exit code 3."""


class VenueError(CopytradeError):
    """A service outside gave no usable answer."""


class Refused(VenueError):
    """A definite no: what was asked for did not happen and will not."""


class FateUnknown(VenueError):
    """It may or may not have happened. Look it up; never just ask again."""


class Unreachable(VenueError):
    """A read failed for good: no connection, a time-out, or a refusal to answer, retries included."""


class BadAnswer(VenueError):
    """An answer came whose form is not the documented one."""
