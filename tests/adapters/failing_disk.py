"""A disk that fails, or a process that dies, at the N-th call to the operating system.

`FailingDisk` stands between the adapters and the calls of `os` that they make (pathlib makes its own through `os` too).
With `dies`, the N-th call and every one after it raise `Died`, so that no clean-up can run: what is on the disk then is
what a killed process leaves. Without it, only the N-th call raises an OSError, and clean-up runs as it will in life.
`late` lets the N-th call happen first; a late write happens by half.

It also keeps what a power cut would ask for: data are synced before they get their name, and the folder after that.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

CALLS = ("open", "write", "fsync", "close", "link", "replace", "rename", "unlink", "mkdir")


class Died(BaseException):
    """The process is gone: nothing catches this, and nothing works any more."""


class FailingDisk:
    def __init__(self, patch: pytest.MonkeyPatch, *, at: int | None = None, dies: bool = False, late: bool = False):
        self.at = at
        self.dies = dies
        self.late = late
        self.count = 0
        self.dead = False
        self.calls: list[str] = []
        self._paths: dict[int, str] = {}
        self._unsynced: set[str] = set()  # paths with data that a power cut would take
        self.unsynced_folders: set[str] = set()  # folders with a rename that a power cut would take
        self._real = {name: getattr(os, name) for name in CALLS}
        for name in CALLS:
            patch.setattr(os, name, self._wrapped(name))

    @property
    def reached(self) -> bool:
        """True when there was an N-th call at all."""
        return self.at is not None and self.count > self.at

    def _wrapped(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.dead:
                if name == "close":  # the kernel closes a dead process's files
                    with suppress(OSError):
                        self._real["close"](*args)
                raise Died
            mine = self.count == self.at
            self.count += 1
            self.calls.append(name)
            if not mine:
                return self._do(name, *args, **kwargs)
            if self.late or name == "close":  # a close that fails has closed all the same
                with suppress(OSError):  # what would have failed anyhow fails as we say
                    self._happen(name, *args, **kwargs)
            if self.dies:
                self.dead = True
                raise Died
            raise OSError(errno.EIO, "the disk failed here")

        return call

    def _happen(self, name: str, *args: Any, **kwargs: Any) -> None:
        if name == "write":
            self._do(name, args[0], bytes(args[1])[: len(args[1]) // 2])
            return
        result = self._do(name, *args, **kwargs)
        if name == "open":  # nobody will ever know the descriptor
            self._real["close"](result)

    def _do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = self._real[name](*args, **kwargs)
        if name == "open":
            self._paths[result] = os.fspath(args[0])
        elif name == "write":
            self._unsynced.add(self._paths[args[0]])
        elif name == "fsync":
            self._unsynced.discard(self._paths[args[0]])
            self.unsynced_folders.discard(self._paths[args[0]])
        elif name in {"replace", "rename"}:
            assert os.fspath(args[0]) not in self._unsynced, f"{args[0]} got its name before its data were synced"
            self.unsynced_folders.add(str(Path(args[1]).parent))
        return result
