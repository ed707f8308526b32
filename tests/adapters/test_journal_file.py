"""DESIGN 6: journal/YYYY-MM-DD.jsonl, one line a cycle; old days are gzipped."""

import gzip
import io
import itertools
import json
import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from copytrade.adapters.journal_file import JournalFolder, read_lines
from copytrade.app.ports import Journal
from copytrade.errors import BadInput
from tests.adapters.failing_disk import Died, FailingDisk

DAY = 86_400
MIDNIGHT = Decimal(int(datetime(2025, 12, 18, tzinfo=UTC).timestamp()))  # 18 December begins


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"n": number, "pad": "x" * size}).encode()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(path: Path) -> tuple[list[bytes], list[str]]:
    said: list[str] = []
    return list(read_lines(path, report=said.append)), said


def numbers(folder: Path) -> list[int]:
    """The numbers of every whole line in the folder, in order."""
    return [json.loads(each)["n"] for name in names(folder) for each in read(folder / name)[0]]


class TestOneLineACycle:
    def test_lines_go_to_the_file_of_their_utc_day(self, tmp_path):
        journal: Journal = JournalFolder(tmp_path / "journal")
        assert not journal.exists()
        journal.append(MIDNIGHT, line(1))
        journal.append(MIDNIGHT + DAY - Decimal("0.001"), line(2))
        assert names(tmp_path / "journal") == ["2025-12-18.jsonl"]
        assert (tmp_path / "journal" / "2025-12-18.jsonl").read_bytes() == line(1) + b"\n" + line(2) + b"\n"
        assert journal.exists()

    def test_one_append_is_one_write_that_only_appends(self, tmp_path, monkeypatch):
        journal = JournalFolder(tmp_path)
        journal.append(MIDNIGHT, line(1))
        with monkeypatch.context() as patched:
            disk = FailingDisk(patched)
            journal.append(MIDNIGHT, line(2, size=100_000))
        assert disk.calls == ["open", "write", "close"]

    def test_everything_is_ours_alone_whatever_the_umask(self, tmp_path):
        before = os.umask(0)
        try:
            journal = JournalFolder(tmp_path / "journal")
            journal.append(MIDNIGHT - 1, line(1))
            journal.append(MIDNIGHT, line(2))
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "journal").iterdir()} == {0o600}

    def test_a_file_that_was_moved_away_does_not_swallow_the_rest_of_the_day(self, tmp_path):
        journal = JournalFolder(tmp_path)
        journal.append(MIDNIGHT, line(1))
        (tmp_path / "2025-12-18.jsonl").rename(tmp_path / "kept")
        journal.append(MIDNIGHT, line(2))
        assert (tmp_path / "2025-12-18.jsonl").read_bytes() == line(2) + b"\n"

    def test_a_line_with_a_line_end_inside_is_our_own_mistake(self, tmp_path):
        with pytest.raises(AssertionError):
            JournalFolder(tmp_path).append(MIDNIGHT, b"{\n}")

    def test_a_folder_of_other_things_is_no_journal_and_is_left_alone(self, tmp_path):
        (tmp_path / "notes.txt").write_text("mine")
        (tmp_path / "2025-12-01.jsonl").touch()  # a crash before its first line
        journal = JournalFolder(tmp_path)
        assert not journal.exists()
        journal.append(MIDNIGHT, line(1))
        assert (tmp_path / "notes.txt").read_text() == "mine"

    def test_what_cannot_be_written_raises(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="file"):
            JournalFolder(tmp_path / "file").append(MIDNIGHT, line(1))


class TestATornLine:
    """A crash costs the line that it cut, never the next one."""

    def test_cut_at_every_byte_the_others_are_read_and_it_is_said_which_is_not(self, tmp_path):
        whole = line(1) + b"\n" + line(2) + b"\n"
        for length in range(len(whole)):
            folder = tmp_path / str(length)
            folder.mkdir()
            path = folder / "2025-12-18.jsonl"
            path.write_bytes(whole[:length])
            JournalFolder(folder).append(MIDNIGHT, line(3))
            lines, said = read(path)
            expected = [each for each in (line(1), line(2)) if each in whole[:length]]
            assert lines == [*expected, line(3)]
            torn = whole[:length] not in {b"", line(1), line(1) + b"\n", line(1) + b"\n" + line(2)}
            assert said == ([f"{path}: line {len(expected) + 1} is cut short or damaged, and left out"] if torn else [])

    def test_a_torn_last_line_is_left_out_plain_and_gzipped(self, tmp_path):
        torn = line(1) + b"\n" + line(2)[:-3]
        (tmp_path / "plain.jsonl").write_bytes(torn)
        (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(torn))
        for path in (tmp_path / "plain.jsonl", tmp_path / "packed.jsonl.gz"):
            assert read(path) == ([line(1)], [f"{path}: line 2 is cut short or damaged, and left out"])

    def test_a_damaged_gzip_file_is_bad_input_after_what_could_be_read(self, tmp_path):
        path = tmp_path / "2025-12-17.jsonl.gz"
        whole = gzip.compress(b"".join(line(number, size=50) + b"\n" for number in range(2_000)))
        for damaged in (whole[: len(whole) // 2], whole[:-4] + b"\0\0\0\0"):
            path.write_bytes(damaged)
            with pytest.raises(BadInput, match=r"2025-12-17\.jsonl\.gz.*\n.*gzip"):
                read(path)

    def test_a_pipe_can_be_read(self, tmp_path):
        reading, writing = os.pipe()
        os.write(writing, line(1) + b"\n")
        os.close(writing)
        assert read(Path(f"/dev/fd/{reading}")) == ([line(1)], [])
        os.close(reading)


class TestOldDaysAreGzipped:
    def test_when_the_day_changes(self, tmp_path):
        journal = JournalFolder(tmp_path)
        journal.append(MIDNIGHT - 2, line(1))
        journal.append(MIDNIGHT - 1, line(2))
        assert names(tmp_path) == ["2025-12-17.jsonl"]
        journal.append(MIDNIGHT, line(3))
        assert names(tmp_path) == ["2025-12-17.jsonl.gz", "2025-12-18.jsonl"]
        assert gzip.decompress((tmp_path / "2025-12-17.jsonl.gz").read_bytes()) == line(1) + b"\n" + line(2) + b"\n"
        assert journal.exists()
        (tmp_path / "2025-12-18.jsonl").unlink()
        assert journal.exists()

    def test_and_by_the_first_line_of_a_run(self, tmp_path):
        JournalFolder(tmp_path).append(MIDNIGHT - 1, line(1))
        JournalFolder(tmp_path).append(MIDNIGHT + 5 * DAY, line(2))
        assert names(tmp_path) == ["2025-12-17.jsonl.gz", "2025-12-23.jsonl"]

    def test_a_clock_set_back_over_midnight_loses_nothing(self, tmp_path):
        journal = JournalFolder(tmp_path)
        for number, now in enumerate((MIDNIGHT - 1, MIDNIGHT, MIDNIGHT - 1, MIDNIGHT + 1)):
            journal.append(now, line(number))
        assert names(tmp_path) == ["2025-12-17.jsonl.gz", "2025-12-18.jsonl"]
        assert numbers(tmp_path) == [0, 2, 1, 3]

    def test_a_torn_last_line_does_not_spoil_the_lines_packed_behind_it(self, tmp_path):
        (tmp_path / "2025-12-17.jsonl").write_bytes(line(1) + b"\n" + line(2)[:-1])
        journal = JournalFolder(tmp_path)
        journal.append(MIDNIGHT, line(3))
        journal.append(MIDNIGHT - 1, line(4))
        journal.append(MIDNIGHT, line(5))
        assert numbers(tmp_path) == [1, 4, 3, 5]

    def test_a_day_that_cannot_be_packed_stays_plain_and_the_line_is_written(self, tmp_path):
        (tmp_path / "2025-12-17.jsonl").write_bytes(line(1) + b"\n")
        (tmp_path / "2025-12-17.jsonl.gz").write_bytes(b"not gzip at all")
        with structlog.testing.capture_logs() as logged:
            JournalFolder(tmp_path).append(MIDNIGHT, line(2))
        assert [each["event"] for each in logged] == ["journal_day_not_packed"]
        assert names(tmp_path) == ["2025-12-17.jsonl", "2025-12-17.jsonl.gz", "2025-12-18.jsonl"]
        assert (tmp_path / "2025-12-18.jsonl").read_bytes() == line(2) + b"\n"

    def test_data_are_synced_before_the_plain_file_goes(self, tmp_path, monkeypatch):
        journal = JournalFolder(tmp_path)
        journal.append(MIDNIGHT - 1, line(1))
        with monkeypatch.context() as patched:
            disk = FailingDisk(patched)
            journal.append(MIDNIGHT, line(2))
        last = [call for call in disk.calls if call != "close"][-6:]
        assert last == ["open", "fsync", "replace", "open", "fsync", "unlink"]

    @pytest.mark.parametrize("late", [False, True], ids=["before the call", "after the call"])
    @pytest.mark.parametrize("dies", [False, True], ids=["an error", "a dead process"])
    @pytest.mark.parametrize("set_back", [False, True], ids=["a new day", "a day packed before"])
    def test_a_crash_at_any_step_loses_no_earlier_line_and_doubles_none(
        self, tmp_path, monkeypatch, dies, late, set_back
    ):
        for at in itertools.count():
            folder = tmp_path / str(at)
            journal = JournalFolder(folder)
            journal.append(MIDNIGHT - 1, line(0))
            earlier = [0]
            if set_back:
                journal.append(MIDNIGHT, line(10))
                journal.append(MIDNIGHT - 1, line(1))
                earlier = [0, 1, 10]
            with monkeypatch.context() as patched, structlog.testing.capture_logs():
                disk = FailingDisk(patched, at=at, dies=dies, late=late)
                with suppress(OSError, Died):
                    journal.append(MIDNIGHT, line(11))
            JournalFolder(folder).append(MIDNIGHT + DAY, line(20))  # the next run
            found = numbers(folder)
            assert found in ([*earlier, 11, 20], [*earlier, 20])
            assert names(folder) == ["2025-12-17.jsonl.gz", "2025-12-18.jsonl.gz", "2025-12-19.jsonl"] or (
                found == [0, 20] and names(folder) == ["2025-12-17.jsonl.gz", "2025-12-19.jsonl"]
            )
            if not disk.reached:
                assert at > 8
                break


class _Counted:
    """A stream that writes down how much is asked of it."""

    def __init__(self, stream: io.FileIO, asked: list[int]) -> None:
        self._stream, self._asked = stream, asked
        self.seek = stream.seek

    def __enter__(self) -> "_Counted":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        self._asked.append(size)
        return self._stream.read(size)


class TestNewestFirst:
    """What `status` and `explain` read: the last lines, without touching a journal that another process writes."""

    def backwards(self, folder: Path, most: int = 100) -> list[int]:
        return [json.loads(each)["n"] for each in JournalFolder(folder).newest_first(most)]

    def fill(self, folder: Path, *, days: int, a_day: int, size: int = 0) -> int:
        journal = JournalFolder(folder)
        for number in range(days * a_day):
            journal.append(MIDNIGHT + DAY * (number // a_day), line(number, size))
        return days * a_day

    @pytest.mark.parametrize("size", [0, 40_000, 65_536 - 20, 200_000])
    def test_lines_of_any_length_come_whole_and_in_order(self, tmp_path, size):
        count = self.fill(tmp_path, days=1, a_day=5, size=size)
        assert self.backwards(tmp_path) == list(reversed(range(count)))

    def test_it_goes_back_over_days_that_are_packed(self, tmp_path):
        count = self.fill(tmp_path, days=3, a_day=4)
        assert names(tmp_path) == ["2025-12-18.jsonl.gz", "2025-12-19.jsonl.gz", "2025-12-20.jsonl"]
        assert self.backwards(tmp_path) == list(reversed(range(count)))
        assert self.backwards(tmp_path, 6) == [11, 10, 9, 8, 7, 6]

    def test_it_reads_no_more_of_a_plain_day_than_it_needs(self, tmp_path, monkeypatch):
        self.fill(tmp_path, days=1, a_day=200, size=10_000)
        with monkeypatch.context() as patched:
            asked: list[int] = []
            patched.setattr(Path, "open", lambda path, mode: _Counted(io.FileIO(path, mode), asked))
            assert json.loads(next(JournalFolder(tmp_path).newest_first(1)))["n"] == 199
        assert 0 < sum(asked) <= 2 * 65_536

    def test_a_torn_last_line_is_left_out_and_stays(self, tmp_path):
        self.fill(tmp_path, days=1, a_day=3)
        path = tmp_path / "2025-12-18.jsonl"
        path.write_bytes(path.read_bytes() + b'{"n": 3, "pa')
        before = path.read_bytes()
        assert self.backwards(tmp_path) == [2, 1, 0]
        assert path.read_bytes() == before

    def test_a_torn_line_in_the_middle_costs_itself_only(self, tmp_path):
        path = tmp_path / "2025-12-18.jsonl"
        path.write_bytes(line(0) + b"\n" + line(1)[:7] + b"\n\n" + line(2) + b"\n")
        assert self.backwards(tmp_path) == [2, 0]

    def test_of_a_damaged_packed_day_what_stands_before_is_told(self, tmp_path):
        path = tmp_path / "2025-12-18.jsonl.gz"
        path.write_bytes(
            gzip.compress(b"".join(line(n) + b"\n" for n in range(3))) + gzip.compress(line(3) + b"\n")[:9]
        )
        assert self.backwards(tmp_path) == [2, 1, 0]

    def test_a_day_in_both_forms_is_told_once(self, tmp_path):
        self.fill(tmp_path, days=1, a_day=3)
        plain = tmp_path / "2025-12-18.jsonl"
        (tmp_path / "2025-12-18.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
        assert self.backwards(tmp_path) == [2, 1, 0]

    def test_a_day_that_is_packed_while_we_look_is_found_where_it_is_now(self, tmp_path):
        self.fill(tmp_path, days=2, a_day=2)
        lines = JournalFolder(tmp_path).newest_first(100)
        first = json.loads(next(lines))["n"]
        JournalFolder(tmp_path).append(MIDNIGHT + 2 * DAY, line(9))  # packs the day that is being read
        assert [first, *(json.loads(each)["n"] for each in lines)] == [3, 2, 1, 0]

    def test_nothing_there_is_no_lines(self, tmp_path):
        assert self.backwards(tmp_path / "nowhere") == []
        (tmp_path / "notes.txt").write_text("not ours")
        assert self.backwards(tmp_path) == []
