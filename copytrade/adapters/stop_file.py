"""The switch that stops everything: a file beside the state, thrown while it is there.

    state.json.stop     `copytrade stop` makes it, `copytrade stop --lift` removes it; a person may do both by hand

What is in it is for people, an empty file is as good: one can be made on a full disk, too. It needs no running process,
survives every restart, and a run that is busy can't refuse it.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

from copytrade.adapters.files import FILE_MODE, real_path, sync_folder, write_all


class StopFile:
    """The `Switch` port on a local disk, for the runs on this state file."""

    def __init__(self, state_path: Path) -> None:
        state = real_path(state_path)
        self.path = state.with_name(f"{state.name}.stop")

    def thrown(self) -> bool:
        """True while the file is there, whatever it is; and where nobody can tell (the folder may not be read, a disk
        is gone): then it is safer to place nothing.
        """
        try:
            os.lstat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def thrown_at(self) -> Decimal | None:
        """When it was thrown, in seconds since the epoch; None where it is not, or where nobody can tell."""
        try:
            return Decimal(os.lstat(self.path).st_mtime_ns // 1_000_000) / 1000
        except OSError:
            return None

    def throw(self, words: str) -> bool:
        """Make the file; False where it was there already. Raises OSError: then nothing was stopped."""
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        except FileExistsError:
            return False
        try:  # it is thrown from here on; that it has words and survives a power cut is good to have
            write_all(fd, f"{words}\n".encode())
            os.fsync(fd)
            sync_folder(self.path.parent)
        except OSError:
            pass
        finally:
            os.close(fd)
        return True

    def lift(self) -> bool:
        """Remove the file, durably; False where there was none. Raises OSError: then everything is stopped still."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(self.path.parent)
        return True
