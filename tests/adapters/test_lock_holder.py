"""Who holds a state's lock is found out without trying it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copytrade.adapters.lock_holder import LOCKS, Holder, holder_of
from copytrade.adapters.state_file import StateLock

pytestmark = pytest.mark.skipif(not LOCKS.exists(), reason="NO LIST OF LOCKS: only Linux has one")


def test_no_lock_file_is_no_run(tmp_path):
    assert holder_of(tmp_path / "state.json") == Holder(held=False)


def test_held_by_us_and_given_back(tmp_path):
    path = tmp_path / "state.json"
    with StateLock(path):
        assert holder_of(path) == Holder(held=True, pid=os.getpid())
    assert holder_of(path) == Holder(held=False)


def test_held_by_another_process_and_by_one_that_died(tmp_path):
    code = "import sys, pathlib; from copytrade.adapters.state_file import StateLock\n"
    code += "with StateLock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / "state.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert holder_of(tmp_path / "state.json") == Holder(held=True, pid=process.pid)
        process.kill()
    assert holder_of(tmp_path / "state.json") == Holder(held=False)


def test_looking_keeps_nobody_from_starting(tmp_path):
    path = tmp_path / "state.json"
    with StateLock(path):
        pass
    for _ in range(3):
        holder_of(path)
        with StateLock(path):
            pass


@pytest.mark.parametrize(
    ("listed", "held"),
    [
        ("1: FLOCK  ADVISORY  WRITE 7 fe:00:{inode} 0 EOF", Holder(held=True, pid=7)),
        ("1: FLOCK  ADVISORY  WRITE 0 00:2f:{inode} 0 EOF", Holder(held=True)),  # in another container
        ("1: -> FLOCK  ADVISORY  WRITE 7 fe:00:{inode} 0 EOF", Holder(held=False)),  # waits for it
        ("1: POSIX  ADVISORY  WRITE 7 fe:00:{inode} 0 EOF", Holder(held=False)),
        ("1: FLOCK  ADVISORY  WRITE 7 fe:00:1{inode} 0 EOF", Holder(held=False)),
        ("", Holder(held=False)),
    ],
)
def test_the_kernel_s_list(tmp_path, listed, held):
    (tmp_path / "state.json.lock").touch()
    inode = (tmp_path / "state.json.lock").stat().st_ino
    locks = tmp_path / "locks"
    locks.write_text(f"{listed.format(inode=inode)}\n")
    assert holder_of(tmp_path / "state.json", locks=locks) == held


def test_where_there_is_no_such_list_nobody_knows(tmp_path):
    (tmp_path / "state.json.lock").touch()
    assert holder_of(tmp_path / "state.json", locks=Path("/nowhere")) == Holder(held=None)
