"""The state file: one small document that survives a crash at any step.

The promise: at every instant there is a whole old or a whole new document under the file's name, and a whole document
under the backup's name (once there was anything to back up). When `save` returns, the new one survives a power cut.

    state.json         the document
    state.json.bak     the one before it: another name of the same file until the rename, hence never half written
    state.json.lock    who holds it may write (StateLock)
    state.json.stop    everything is stopped (stop_file.py)
    state.json.tmp, state.json.bak.tmp     spare names; what a crash leaves there the next save cleans
    state.json.broken-N                    what did not parse, kept for people; never overwritten, never deleted

Whether a document is good is not decided here: bytes in, bytes out. A symlink is followed once, when the object is
made, so that the file it leads to is replaced, not the link, and two names of one file share one lock.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from copytrade.adapters.files import (
    FILE_MODE,
    NO_HARD_LINK,
    make_folder,
    read_file,
    real_path,
    remove_quietly,
    sync_folder,
    write_spare,
)
from copytrade.errors import RefusedToStart


class DiskStateFile:
    """The `StateFile` port on a local disk. Hold the `StateLock` of the same path while saving."""

    def __init__(self, path: Path) -> None:
        self.path = real_path(path)
        self.backup_path = self.path.with_name(self.path.name + ".bak")

    def load(self) -> bytes | None:
        """The document, or None where there is none. Raises OSError."""
        return read_file(self.path)

    def load_backup(self) -> bytes | None:
        """The document before it, or None where there is none. Raises OSError."""
        return read_file(self.backup_path)

    def save(self, document: bytes) -> None:
        """Replace the document durably and keep the previous one as the backup.

        Raises OSError naming the file: then the old document is still whole, and so is the backup; only a failure of
        the very last step (the sync of the folder) leaves the new document in place, not known to be durable.
        """
        spare = self.path.with_name(self.path.name + ".tmp")
        try:
            make_folder(self.path.parent)
            write_spare(spare, document)
            self._back_up()
            spare.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            remove_quietly(spare)  # on a full disk its space is wanted
            raise _named(error, "the state could not be saved", self.path) from error

    def keep_broken(self) -> str:
        """Move the document aside under a name that nothing has yet; return that name. Raises OSError."""
        return _move_aside(self.path)

    def keep_broken_backup(self) -> str:
        """The same for the backup: a later save would replace it, and nothing is ever deleted."""
        return _move_aside(self.backup_path)

    def _back_up(self) -> None:
        """Give the present document its second name, in place of the backup before it.

        before                          => after
        state.json = B, .bak = A        => state.json = B, .bak = B
        no state.json, .bak = A         => as before: A is the last good one
        """
        spare = self.backup_path.with_name(self.backup_path.name + ".tmp")
        spare.unlink(missing_ok=True)
        try:
            spare.hardlink_to(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in NO_HARD_LINK:
                raise
            present = read_file(self.path)
            assert present is not None, "it was there a moment ago, and we hold the lock"
            write_spare(spare, present)
        spare.replace(self.backup_path)
        # A crash after this rename leaves both names on one file. The next save then renames one name of a file to
        # another name of the same file, which does nothing (rename(2)), and the spare name has to go by hand.
        spare.unlink(missing_ok=True)


class StateLock:
    """The exclusive right to a state file, for as long as the `with` block runs.

    It is the kernel's lock, so a process that dies in any way frees it; the file `state.json.lock` itself stays, and
    must, since a second one under the same name would lock nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = real_path(path)
        self.lock_path = self.path.with_name(self.path.name + ".lock")
        self._lock = FileLock(self.lock_path, timeout=0, mode=FILE_MODE, thread_local=False)

    def __enter__(self) -> StateLock:
        """Raises RefusedToStart where another process holds it, or where nothing can be written there."""
        try:
            make_folder(self.path.parent)
            self._lock.acquire()
        except Timeout:  # an OSError too, so it stands first
            raise RefusedToStart(
                f"{self.path} is in use: another copytrade holds {self.lock_path.name}, and two at once would buy"
                " everything twice.\nStop the other one first, or give this run its own file with --state if it uses"
                " another wallet."
            ) from None
        except OSError as error:
            raise RefusedToStart(
                f"{self.path}: the state cannot be kept there ({error.strerror or type(error).__name__}).\n"
                "Make its folder writable for this user, or name another file with --state."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()


def was_used(path: Path) -> bool:
    """Has a run ever kept a state under this name? Where nobody can tell (its folder may not be read), it may have."""
    state = real_path(path)
    try:
        if state.exists() and not state.is_file():  # a folder, a device: a run refuses to start on it
            return False
        return any(state.with_name(state.name + end).is_file() for end in ("", ".bak", ".lock"))
    except OSError:
        return True


def _move_aside(path: Path) -> str:
    """Rename `path` to the first free `path.broken-N`.

    The free name is taken by making an empty file of that name, which fails where one is; the rename then replaces
    only that. It works without hard links; a crash in between leaves an empty file and loses nothing.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "there is no file to keep", str(path))
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.broken-{number}")
        try:
            os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
            break
        except FileExistsError:
            number += 1
        except OSError as error:
            raise _named(error, "the broken file could not be kept", path) from error
    try:
        path.replace(aside)
        sync_folder(path.parent)
    except OSError as error:
        # A rename may fail and have happened (NFS). Only where the file still has its name, our empty one stands aside.
        if path.exists():
            remove_quietly(aside)
        raise _named(error, "the broken file could not be kept", path) from error
    return aside.name


def _named(error: OSError, what: str, path: Path) -> OSError:
    """The same error (the same number, hence the same class) that says what failed, and on which file."""
    return OSError(error.errno, f"{what}: {error.strerror or error}", str(path))
