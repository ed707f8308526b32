"""Durable files: the few steps that the state and the journal share.

A file that must never be seen half written is made under a spare name, written, synced, and only then renamed to its
own name; the folder is synced last, which makes the rename itself durable. Everything is ours alone (folders 0700,
files 0600) from the moment it exists.

Every step goes through `os` or `pathlib`, never through a buffer that fails later, so that an error is raised by the
step that failed and names the file.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700

# What a file system answers that has no hard links (or a kernel that does not let us link a stranger's file).
NO_HARD_LINK = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV})


def real_path(path: Path) -> Path:
    """`path` with its symlinks followed, so that a rename replaces the file and not a link to it.

    A loop of links is left as it is: whoever opens it gets the OSError.
    """
    return Path(os.path.realpath(path))


def make_folder(folder: Path) -> None:
    """Make `folder` and the folders above it where they are missing, durably, for us alone. Raises OSError."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(FOLDER_MODE, exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed, made or removed in `folder` durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network and FUSE file systems cannot sync a folder and say so with EINVAL; there is nothing more to do.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(fd)


def create(path: Path) -> int:
    """A descriptor of a new, empty file, ours alone from birth; what a crash left under that name goes first."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)


def write_all(fd: int, content: bytes) -> None:
    """One write, as a rule. A disk that fills up takes a part first and raises on the rest."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def write_spare(path: Path, content: bytes) -> None:
    """Write a whole synced file under a spare name, to be renamed by the caller. Raises OSError."""
    fd = create(path)
    try:
        write_all(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)


def read_file(path: Path) -> bytes | None:
    """The whole file, or None where there is none. Raises OSError, and does not hang on what is not a file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe without a writer would block
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with os.fdopen(fd, "rb") as file:
        return file.read()


def remove_quietly(path: Path) -> None:
    """Clean up after a failure that is about to be reported: what cannot be removed now is removed next time."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def write_new(path: Path, content: bytes) -> None:
    """Make a whole, durable file of ours under a name that nothing has yet. Raises FileExistsError, OSError."""
    spare = _whole_spare(path, content)
    try:
        path.hardlink_to(spare)  # a second name for a whole file; unlike a rename it replaces nothing
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_HARD_LINK:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))  # ours, or it fails
        spare.replace(path)
    finally:
        remove_quietly(spare)
    sync_folder(path.parent)


def write_over(path: Path, content: bytes) -> None:
    """The same, in place of whatever file has that name. Raises OSError, and then that file is as it was."""
    path = real_path(path)
    spare = _whole_spare(path, content)
    try:
        spare.replace(path)
    finally:
        remove_quietly(spare)
    sync_folder(path.parent)


def _whole_spare(path: Path, content: bytes) -> Path:
    spare = path.with_name(path.name + ".tmp")
    make_folder(path.parent)
    try:
        write_spare(spare, content)
    except OSError:
        remove_quietly(spare)  # on a full disk its space is wanted
        raise
    return spare
