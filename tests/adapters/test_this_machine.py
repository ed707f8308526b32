"""What a start needs of this machine, looked at without leaving anything behind."""

import os

import pytest

from copytrade.adapters.state_file import StateLock
from copytrade.adapters.this_machine import folder_facts, in_use


class TestFolders:
    def test_a_good_one_is_left_as_it_was(self, tmp_path):
        found = folder_facts(tmp_path)
        assert (found.trouble, found.free_bytes is not None and found.free_bytes > 0) == ("", True)
        assert list(tmp_path.iterdir()) == []

    def test_one_that_is_missing_is_tried_above_and_not_made(self, tmp_path):
        assert folder_facts(tmp_path / "a" / "b").trouble == ""
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_its_place_is_trouble(self, tmp_path):
        (tmp_path / "file").touch()
        assert "is not a folder" in folder_facts(tmp_path / "file").trouble
        assert "is not a folder" in folder_facts(tmp_path / "file" / "below").trouble

    def test_one_that_cannot_be_looked_at_is_trouble(self, tmp_path):
        assert folder_facts(tmp_path / ("no" * 150)).trouble == "File name too long"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_one_that_may_not_be_written_is_trouble(self, tmp_path):
        tmp_path.chmod(0o500)
        assert folder_facts(tmp_path).trouble == "Permission denied"

    def test_a_full_disk_is_trouble(self, tmp_path, monkeypatch):
        def full(fd: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        assert folder_facts(tmp_path).trouble == "No space left on device"
        assert list(tmp_path.iterdir()) == []


class TestTheLock:
    def test_is_free_and_makes_no_file_where_nobody_ever_locked(self, tmp_path):
        assert in_use(tmp_path / "state.json") == ""
        assert list(tmp_path.iterdir()) == []

    def test_one_that_cannot_be_looked_at_is_the_folders_trouble(self, tmp_path):
        assert in_use(tmp_path / ("no" * 150)) is None

    def test_is_held_while_it_is_held_and_can_be_taken_afterwards(self, tmp_path):
        path = tmp_path / "state.json"
        with StateLock(path):
            assert in_use(path) == f"another copytrade (process {os.getpid()}) holds state.json.lock"
        assert in_use(path) == ""
        with StateLock(path):
            pass
