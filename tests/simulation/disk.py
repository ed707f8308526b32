"""A disk in memory that forgets what was not synced, under the real state file adapter.

`DiskStateFile` runs on it unchanged: `mounted` puts a `Disk` in the place of the `os` that the adapter calls, and a
`Name` is what it takes for a path. A kill loses nothing that was written. A power cut keeps a prefix of the renames,
links and removals since the folder was last synced, and of unsynced data any prefix of the bytes.

Not here: the adapter's own steps on a real file system (tests/adapters/test_state_file.py).
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

from copytrade.adapters import files, state_file
from copytrade.adapters.state_file import DiskStateFile

FOLDER = "folder"
Names = dict[str, "File"]


class File:
    """Bytes, and which of them would survive a power cut."""

    def __init__(self) -> None:
        self.data = b""
        self.synced = b""


class Disk:
    """One folder. `before` is called ahead of every step with its name: it may raise whatever a disk or a death may."""

    def __init__(self, before: Callable[[str], None]) -> None:
        self.names: Names = {}
        self.durable: Names = {}  # the folder as it was last synced
        self.saved = 0  # syncs of the folder
        self._before = before
        self._since: list[Callable[[Names], None]] = []  # what was done to the folder since
        self._open: dict[int, File | None] = {}  # None: the folder itself
        self._next = 100

    # -- what happens to it -------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """The process is gone, and its descriptors."""
        self._open.clear()

    def cut_power(self, dice: Random) -> None:
        """What was not synced is lost, or a part of it is."""
        self.kill()
        names = dict(self.durable)
        for change in self._since[: dice.randint(0, len(self._since))]:
            change(names)
        for file in names.values():
            if file.data != file.synced:
                file.data = dice.choice((file.synced, file.data[: dice.randint(0, len(file.data))]))
                file.synced = file.data
        self.names, self.durable, self._since = names, dict(names), []

    def certain(self, name: str) -> bytes:
        """What every power cut would leave under this name."""
        file = self.durable.get(name)
        return b"" if file is None else file.synced

    def put(self, name: str, data: bytes | None) -> None:
        """Somebody else writes, or removes, a file: durably."""
        for names in (self.names, self.durable):
            names.pop(name, None)
        if data is not None:
            file = File()
            file.data = file.synced = data
            self.names[name] = self.durable[name] = file

    def change(self, step: str, change: Callable[[Names], None]) -> None:
        self._before(step)
        change(self.names)
        self._since.append(change)

    # -- the calls of os ----------------------------------------------------------------------------------------------

    def open(self, path: Name, flags: int, _mode: int = 0o600) -> int:
        self._before(f"open {path.name}")
        self._next += 1
        if path.name == FOLDER:
            self._open[self._next] = None
        elif flags & os.O_CREAT:
            if path.name in self.names:
                raise FileExistsError(errno.EEXIST, "exists", str(path))
            file = File()
            self._open[self._next] = file
            self.change(f"create {path.name}", lambda names: names.update({path.name: file}))
        elif path.name in self.names:
            self._open[self._next] = self.names[path.name]
        else:
            raise FileNotFoundError(errno.ENOENT, "not there", str(path))
        return self._next

    def write(self, fd: int, data: memoryview) -> int:
        file = self._open[fd]
        assert file is not None
        self._before("write")
        file.data += bytes(data)
        return len(data)

    def fsync(self, fd: int) -> None:
        self._before("sync")
        file = self._open[fd]
        if file is None:
            self.durable, self._since = dict(self.names), []
            self.saved += 1
        else:
            file.synced = file.data

    def close(self, fd: int) -> None:
        self._open.pop(fd, None)

    def fstat(self, _fd: int) -> SimpleNamespace:
        return SimpleNamespace(st_mode=stat.S_IFREG | 0o600)

    def fdopen(self, fd: int, _mode: str) -> io.BytesIO:
        file = self._open.pop(fd)
        assert file is not None
        return io.BytesIO(file.data)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)  # flags


class Name:
    """What the adapter takes for a path: a name in the one folder of a `Disk`."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk = disk
        self.name = name

    def __str__(self) -> str:
        return self.name

    @property
    def parent(self) -> Name:
        return Name(self.disk, FOLDER)

    def with_name(self, name: str) -> Name:
        return Name(self.disk, name)

    def exists(self) -> bool:
        return self.name == FOLDER or self.name in self.disk.names

    def unlink(self, missing_ok: bool = False) -> None:
        assert missing_ok
        if self.name in self.disk.names:
            self.disk.change(f"remove {self.name}", lambda names: (names.pop(self.name, None), None)[1])

    def hardlink_to(self, target: Name) -> None:
        if target.name not in self.disk.names:
            raise FileNotFoundError(errno.ENOENT, "not there", target.name)
        self.disk.change(f"link {self.name}", lambda names: names.update({self.name: names[target.name]}))

    def replace(self, target: Name) -> None:
        def rename(names: Names) -> None:
            if names.get(target.name) is not names[self.name]:  # two names of one file: nothing happens (rename(2))
                names[target.name] = names.pop(self.name)

        self.disk.change(f"rename {self.name} to {target.name}", rename)


@contextmanager
def mounted(disk: Disk) -> Iterator[DiskStateFile]:
    """The real adapter, on this disk."""
    adapter = DiskStateFile.__new__(DiskStateFile)
    vars(adapter).update(path=Name(disk, "state.json"), backup_path=Name(disk, "state.json.bak"))
    modules: tuple[Any, ...] = (files, state_file)
    before = [module.os for module in modules]
    for module in modules:
        module.os = disk
    try:
        yield adapter
    finally:
        for module, real in zip(modules, before, strict=True):
            module.os = real
