"""What a start needs of this machine: folders that can be written, room on the disk, a state that nobody else uses.

Rule 1: nothing stays behind. A folder is tried with a small file of a name of its own, which is removed again; one that
        is missing is not made, but the nearest one above it is tried, where it would be made.
Rule 2: the lock is only looked at. Where nobody has ever locked, no lock file comes to be.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from copytrade.adapters.files import FILE_MODE, real_path
from copytrade.adapters.lock_holder import holder_of
from copytrade.app.checks import Folder

_TRIED_BYTES = 4096  # a full disk takes an empty file all the same


def folder_facts(folder: Path) -> Folder:
    """Can files be written there, or where it would be made, and how much room is there?"""
    there = real_path(folder)
    try:
        while not there.exists() and there != there.parent:
            there = there.parent
        if not there.is_dir():
            return Folder(path=str(folder), trouble=f"{there} is not a folder")
        free = shutil.disk_usage(there).free
        with tempfile.NamedTemporaryFile(dir=there, prefix=".copytrade-") as tried:
            tried.write(b"\0" * _TRIED_BYTES)
            tried.flush()
            os.fsync(tried.fileno())
    except OSError as error:
        return Folder(path=str(folder), trouble=error.strerror or type(error).__name__)
    return Folder(path=str(folder), free_bytes=free)


def in_use(state_path: Path) -> str | None:
    """Who uses this state, in words; "" where nobody does, None where the lock may not be looked at (its folder's check
    says why). It is held for no longer than the look takes."""
    path = real_path(state_path)
    lock_path = path.with_name(path.name + ".lock")
    try:
        if not lock_path.exists():
            return ""
    except OSError:
        return None
    holder = holder_of(state_path)
    if holder.held:
        who = "another copytrade" if holder.pid is None else f"another copytrade (process {holder.pid})"
        return f"{who} holds {lock_path.name}"
    # Not everybody is listed there, a process in another container least of all.
    lock = FileLock(lock_path, timeout=0, mode=FILE_MODE, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return f"another copytrade holds {lock_path.name}"
    except OSError:
        return None
    lock.release()
    return ""
