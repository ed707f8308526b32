"""Who holds the lock of a state, found out without touching it: by what the kernel lists.

Trying the lock would tell as well, and would turn away a run that starts in that very moment.
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from copytrade.adapters.files import real_path

LOCKS = Path("/proc/locks")


@frozen(kw_only=True)
class Holder:
    """Is the lock held? None: it can't be told. `pid` is who holds it, where the kernel says so."""

    held: bool | None
    pid: int | None = None


def holder_of(state_path: Path, *, locks: Path = LOCKS) -> Holder:
    """Who holds the lock beside this state file now. `locks` is the kernel's list (proc(5)); Linux alone has it.

    It lists no process of another container, so there a lock that is held elsewhere looks free.
    """
    path = real_path(state_path)
    try:
        inode = str(path.with_name(path.name + ".lock").stat().st_ino)
    except FileNotFoundError:
        return Holder(held=False)
    except OSError:
        return Holder(held=None)
    try:
        lines = locks.read_text().splitlines()
    except OSError:
        return Holder(held=None)
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 11477 fe:00:2351123 0 EOF"; one that waits for it has an arrow behind the number.
        # The device is not compared: on layered file systems (containers) the kernel lists another than stat tells.
        words = line.split()
        if words[1:4] == ["FLOCK", "ADVISORY", "WRITE"] and words[5].rpartition(":")[2] == inode:
            return Holder(held=True, pid=int(words[4]) if int(words[4]) > 0 else None)
    return Holder(held=False)
