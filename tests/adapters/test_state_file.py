"""DESIGN 6: written by temp file, fsync, rename, folder fsync; the previous good file is kept; mode 0600."""

import errno
import itertools
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.adapters.state_file import DiskStateFile, StateLock, was_used
from copytrade.app.ports import StateFile
from copytrade.errors import RefusedToStart
from tests.adapters.failing_disk import Died, FailingDisk

OLDEST = b'{"version": 1, "n": "oldest"}' * 7
OLD = b'{"version": 1, "n": "old"}' * 11
NEW = b'{"version": 1, "n": "new"}' * 13
NEWER = b'{"version": 1, "n": "newer"}'


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestWhatIsSavedIsLoaded:
    def test_nothing_saved_is_none_and_makes_nothing(self, tmp_path):
        state: StateFile = DiskStateFile(tmp_path / "deep" / "state.json")
        assert (state.load(), state.load_backup()) == (None, None)
        assert names(tmp_path) == []

    def test_the_previous_document_is_the_backup(self, tmp_path):
        state = DiskStateFile(tmp_path / "state.json")
        state.save(OLD)
        assert (state.load(), state.load_backup()) == (OLD, None)
        state.save(NEW)
        assert (state.load(), state.load_backup()) == (NEW, OLD)
        assert names(tmp_path) == ["state.json", "state.json.bak"]

    def test_an_empty_document_is_a_document(self, tmp_path):
        state = DiskStateFile(tmp_path / "state.json")
        state.save(b"")
        assert state.load() == b""

    def test_files_and_folders_are_ours_alone_whatever_the_umask(self, tmp_path):
        path = tmp_path / "made" / "too" / "state.json"
        before = os.umask(0)
        try:
            state = DiskStateFile(path)
            with StateLock(path):
                state.save(OLD)
                state.save(NEW)
        finally:
            os.umask(before)
        assert [mode(path.parent.parent), mode(path.parent)] == [0o700, 0o700]
        assert {name: mode(path.parent / name) for name in names(path.parent)} == {
            "state.json": 0o600,
            "state.json.bak": 0o600,
            "state.json.lock": 0o600,
        }

    def test_a_symlink_stays_and_the_file_that_it_leads_to_is_replaced(self, tmp_path):
        real = tmp_path / "disk" / "real.json"
        real.parent.mkdir()
        link = tmp_path / "state.json"
        link.symlink_to(real)
        state = DiskStateFile(link)
        state.save(OLD)
        state.save(NEW)
        assert link.is_symlink()
        assert (real.read_bytes(), state.load_backup()) == (NEW, OLD)
        assert names(real.parent) == ["real.json", "real.json.bak"]

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a pipe without a writer"])
    def test_what_is_no_file_is_an_error_and_not_a_wait(self, tmp_path, make):
        make(tmp_path / "state.json")
        with pytest.raises(OSError, match=r"state\.json"):
            DiskStateFile(tmp_path / "state.json").load()

    def test_a_loop_of_links_is_an_error_that_names_it(self, tmp_path):
        (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
        (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
        with pytest.raises(OSError, match=r"[ab]\.json"):
            DiskStateFile(tmp_path / "a.json").load()


def each_failing_call(
    folder: Path, patch: pytest.MonkeyPatch, *, dies: bool, late: bool, first: bool
) -> Iterator[Path]:
    """Save NEW over OLD (or over nothing) with a failure at the first call, then the second, … ; gives each folder."""
    for at in itertools.count():
        here = folder / str(at)
        state = DiskStateFile(here / "state.json")
        if not first:
            state.save(OLDEST)
            state.save(OLD)
        with patch.context() as patched:
            disk = FailingDisk(patched, at=at, dies=dies, late=late)
            try:
                state.save(NEW)
                raised = False
            except (OSError, Died):
                raised = True
        if not disk.reached:
            assert at > 8, "the failures must have hit every step, or this proves nothing"
            return
        # (A folder that is there is all that mkdir was asked for.)
        assert raised or (late and disk.calls[at] == "mkdir"), f"call {at} ({disk.calls[at]}) failed in silence"
        yield here


@pytest.mark.parametrize("late", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("dies", [False, True], ids=["an error", "a dead process"])
class TestACrashAtAnyStep:
    """At every instant there is a whole document under the name, and a whole one under the backup's."""

    def test_over_an_old_document(self, tmp_path, monkeypatch, dies, late):
        seen = set()
        for here in each_failing_call(tmp_path, monkeypatch, dies=dies, late=late, first=False):
            state = DiskStateFile(here / "state.json")
            loaded, backup = state.load(), state.load_backup()
            assert (loaded, backup) in {(OLD, OLDEST), (OLD, OLD), (NEW, OLD)}
            seen.add((loaded, backup))
            assert all(mode(here / name) == 0o600 for name in names(here))
            # What was left behind does not matter to the next one.
            state.save(NEWER)
            assert (state.load(), state.load_backup()) == (NEWER, loaded)
            assert names(here) == ["state.json", "state.json.bak"]
        assert seen == {(OLD, OLDEST), (OLD, OLD), (NEW, OLD)}

    def test_over_nothing(self, tmp_path, monkeypatch, dies, late):
        for here in each_failing_call(tmp_path, monkeypatch, dies=dies, late=late, first=True):
            state = DiskStateFile(here / "state.json")
            loaded = state.load()
            assert loaded in {None, NEW}
            assert state.load_backup() is None
            state.save(NEWER)
            assert (state.load(), state.load_backup()) == (NEWER, loaded)
            assert names(here) == sorted({"state.json", *(["state.json.bak"] if loaded else [])})


class TestAPowerCut:
    """What was not synced is gone after a power cut."""

    def test_data_are_synced_before_they_get_their_name_and_the_folder_last(self, tmp_path, monkeypatch):
        state = DiskStateFile(tmp_path / "state.json")
        state.save(OLD)
        with monkeypatch.context() as patched:
            disk = FailingDisk(patched)  # asserts the first half at each rename
            state.save(NEW)
        assert disk.unsynced_folders == set()
        assert disk.calls.count("replace") == 2

    def test_a_new_folder_is_made_durable_too(self, tmp_path, monkeypatch):
        with monkeypatch.context() as patched:
            disk = FailingDisk(patched)
            DiskStateFile(tmp_path / "a" / "b" / "state.json").save(NEW)
        assert disk.calls[: disk.calls.index("write")].count("fsync") == 2


class TestATroubledDisk:
    def test_a_full_disk_raises_naming_the_file_and_the_old_one_stays(self, tmp_path):
        state = DiskStateFile(tmp_path / "state.json")
        state.save(OLDEST)
        state.save(OLD)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, limits[1]))  # takes a part of the write, then refuses
        try:
            with pytest.raises(OSError, match=r"the state could not be saved: .*state\.json") as caught:
                state.save(NEW * 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert caught.value.errno == errno.EFBIG
        assert (state.load(), state.load_backup()) == (OLD, OLDEST)
        assert names(tmp_path) == ["state.json", "state.json.bak"], "a full disk wants its space back"

    def test_a_read_only_folder_raises_naming_the_file(self, read_only_folder):
        state = DiskStateFile(read_only_folder / "state.json")
        with pytest.raises(PermissionError, match=r"could not be saved.*state\.json"):
            state.save(NEW)
        with pytest.raises(RefusedToStart, match=r"state\.json: the state cannot be kept there \(Permission denied\)"):
            StateLock(state.path).__enter__()

    @pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
    def test_without_hard_links_the_backup_is_a_synced_copy(self, tmp_path, monkeypatch, code):
        def no_link(*_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        state = DiskStateFile(tmp_path / "state.json")
        state.save(OLD)
        with monkeypatch.context() as patched:
            FailingDisk(patched)
            patched.setattr(os, "link", no_link)
            state.save(NEW)
        assert (state.load(), state.load_backup()) == (NEW, OLD)
        assert names(tmp_path) == ["state.json", "state.json.bak"]
        assert mode(state.backup_path) == 0o600


class TestABrokenFileIsKept:
    """DESIGN 6: the broken one is kept beside it. Nothing is ever deleted."""

    def test_cut_at_every_byte_nothing_is_lost(self, tmp_path):
        """A torn document comes back as the bytes that it is: whoever parses it decides, and keeps it aside."""
        path = tmp_path / "state.json"
        state = DiskStateFile(path)
        state.save(OLDEST)
        state.save(OLD)
        kept = []
        for length in range(len(OLD)):
            path.write_bytes(OLD[:length])
            assert state.load() == OLD[:length]
            assert state.load_backup() == OLDEST
            kept.append(state.keep_broken())
            assert state.load() is None
        assert kept == [f"state.json.broken-{number}" for number in range(1, len(OLD) + 1)]
        assert [(tmp_path / name).read_bytes() for name in kept] == [OLD[:length] for length in range(len(OLD))]
        assert state.load_backup() == OLDEST

    def test_the_backup_outlives_the_save_after_a_broken_file(self, tmp_path):
        state = DiskStateFile(tmp_path / "state.json")
        state.save(OLDEST)
        state.save(OLD)
        (tmp_path / "state.json").write_bytes(b"{")
        state.keep_broken()
        state.save(NEW)
        assert (state.load(), state.load_backup()) == (NEW, OLDEST), "a broken file must not become the backup"

    def test_never_over_another_even_a_dangling_link(self, tmp_path):
        state = DiskStateFile(tmp_path / "state.json")
        (tmp_path / "state.json.broken-1").write_bytes(b"mine")
        (tmp_path / "state.json.broken-2").symlink_to(tmp_path / "nowhere")
        state.save(OLD)
        assert state.keep_broken() == "state.json.broken-3"
        assert (tmp_path / "state.json.broken-1").read_bytes() == b"mine"

    def test_a_broken_backup_is_kept_as_well(self, tmp_path):
        state = DiskStateFile(tmp_path / "state.json")
        state.backup_path.write_bytes(b"{")
        assert state.keep_broken_backup() == "state.json.bak.broken-1"
        assert (tmp_path / "state.json.bak.broken-1").read_bytes() == b"{"

    def test_nothing_to_keep_is_an_error_that_leaves_nothing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"state\.json"):
            DiskStateFile(tmp_path / "state.json").keep_broken()
        assert names(tmp_path) == []

    @pytest.mark.parametrize("late", [False, True], ids=["before the call", "after the call"])
    @pytest.mark.parametrize("dies", [False, True], ids=["an error", "a dead process"])
    @pytest.mark.parametrize("content", [b"", b"{broken"])
    def test_a_crash_at_any_step_loses_nothing(self, tmp_path, monkeypatch, dies, late, content):
        for at in itertools.count():
            here = tmp_path / str(at)
            here.mkdir()
            state = DiskStateFile(here / "state.json")
            state.path.write_bytes(content)
            (here / "state.json.broken-1").write_bytes(b"an earlier one")
            with monkeypatch.context() as patched:
                disk = FailingDisk(patched, at=at, dies=dies, late=late)
                try:
                    state.keep_broken()
                    raised = False
                except (OSError, Died):
                    raised = True
            assert (here / "state.json.broken-1").read_bytes() == b"an earlier one"
            others = [path for path in here.iterdir() if path.name != "state.json.broken-1"]
            assert content in [path.read_bytes() for path in others]
            if not disk.reached:
                assert at > 4
                break
            assert raised


HOLD = """
import sys
from pathlib import Path
from copytrade.adapters.state_file import StateLock
with StateLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> "subprocess.Popen[str]":
    """A second process that has the lock, until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


class TestOneProcessAtATime:
    """DESIGN 6: an exclusive lock makes a second process on the same state refuse to start."""

    def test_a_second_process_is_refused_with_what_to_do(self, tmp_path):
        path = tmp_path / "state.json"
        link = tmp_path / "link.json"
        path.touch()
        link.symlink_to(path)
        with hold(path) as other:
            for name in (path, link):  # two names of one file are one file
                with pytest.raises(RefusedToStart, match=r"state\.json is in use.*\n.*--state"):
                    StateLock(name).__enter__()
            with StateLock(tmp_path / "other.json"):
                pass
            other.communicate()
        with StateLock(path):
            pass

    def test_a_process_that_was_killed_holds_nothing(self, tmp_path):
        with hold(tmp_path / "state.json") as other:
            other.kill()
            other.wait()
            with StateLock(tmp_path / "state.json"):
                pass

    def test_the_same_process_is_refused_too_and_the_end_of_the_block_frees_it(self, tmp_path):
        with StateLock(tmp_path / "state.json"), pytest.raises(RefusedToStart):
            StateLock(tmp_path / "state.json").__enter__()
        with pytest.raises(ZeroDivisionError), StateLock(tmp_path / "state.json"):
            raise ZeroDivisionError
        with StateLock(tmp_path / "state.json"):
            pass

    def test_a_folder_that_cannot_be_made_is_refused_with_what_to_do(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(RefusedToStart, match=r"cannot be kept there .*\n.*--state"):
            StateLock(tmp_path / "file" / "state.json").__enter__()


@pytest.mark.parametrize(("there", "used"), [("", True), (".bak", True), (".lock", True), (".stop", False)])
def test_a_state_was_used_where_a_run_left_a_file_of_it(there, used, tmp_path):
    (tmp_path / f"state.json{there}").touch()
    assert was_used(tmp_path / "state.json") is used


def test_a_folder_was_never_used_though_a_start_that_was_refused_left_its_lock(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data.lock").touch()
    assert not was_used(tmp_path / "data")


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this user may read and not write; root, who may write anywhere, is someone else meanwhile."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)
