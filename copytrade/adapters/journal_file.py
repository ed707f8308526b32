"""The journal: one line for each cycle, in one file for each UTC day, old days gzipped.

    journal/2025-12-17.jsonl.gz     days that are over
    journal/2025-12-18.jsonl        today

A line is appended whole by one write to a descriptor that only appends. A crash may cut it short; the next append then
ends it first, so that one line is lost and not two, and the reader leaves it out and says so. A line is not synced: a
power cut may cost the last explanations, never money, since what money depends on is in the state file.

A day that is over is packed beside the plain file, synced, renamed, and only then is the plain file removed; at every
instant each line stands in at least one of the two, and what a crash leaves in both is not packed twice.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import re
import shutil
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO

import msgspec
import structlog

from copytrade.adapters.files import FILE_MODE, create, make_folder, real_path, remove_quietly, sync_folder, write_all
from copytrade.errors import BadInput, Fault

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl(\.gz)?")
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_BLOCK = 1 << 16

_log = structlog.get_logger(__name__)


class JournalFolder:
    """The `Journal` port: a folder of daily files."""

    def __init__(self, folder: Path) -> None:
        self.folder = real_path(folder)
        self._packed_for: date | None = None

    def append(self, now: Decimal, line: bytes) -> None:
        """Add one line (without its newline) to the file of the UTC day of `now` (seconds since the epoch).

        Raises OSError, and then the line is not there, or is cut short. The first append of a run and of a day also
        packs the days before it, which may take a second or two; a failure of that is logged, the next day tries again.
        """
        assert b"\n" not in line, "a journal line is one line"
        day = datetime.fromtimestamp(int(now), UTC).date()
        make_folder(self.folder)
        fd = os.open(
            self.folder / f"{day}.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE
        )  # opened anew each time: a file that was moved away in between must not swallow the lines of the day
        try:
            write_all(fd, (b"\n" if _is_torn(fd) else b"") + line + b"\n")
        finally:
            os.close(fd)
        if self._packed_for != day:
            self._packed_for = day
            self._pack_days_before(day)

    def exists(self) -> bool:
        """True when any line was ever written here. Raises OSError."""
        return any(path.stat().st_size > 0 for _, path in self._files())

    def newest_first(self, most: int) -> Iterator[bytes]:
        """The last `most` whole lines, the last first, without reading more of a plain file than is asked for.

        Nothing is written and nothing is locked, so another process may go on appending; a last line that is not whole
        yet, or was cut short by a crash, is left out. Raises OSError.
        """
        days = sorted({day for day, _ in self._files()}, reverse=True)
        lines = (line for day in days for line in self._day_backwards(day, most))
        return itertools.islice(lines, most)

    def _day_backwards(self, day: str, most: int) -> Iterator[bytes]:
        # While a day is being packed it has two files with the same lines, and one may vanish before it is opened.
        plain = self.folder / f"{day}.jsonl"
        try:
            yield from _backwards(plain)
        except FileNotFoundError:
            yield from _packed_backwards(plain.with_name(plain.name + ".gz"), most)

    def _files(self) -> list[tuple[str, Path]]:
        """The journal's own files, by day; whatever else lies in the folder is left alone."""
        if not self.folder.exists():
            return []
        found = ((_DAY.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted((match.group(1), path) for match, path in found if match)

    def _pack_days_before(self, today: date) -> None:
        for day, path in self._files():
            if path.suffix == ".gz" or day >= str(today):
                continue
            try:
                _pack(path)
            except (OSError, EOFError, zlib.error) as error:
                _log.warning("journal_day_not_packed", path=str(path), error=f"{type(error).__name__}: {error}")


def read_lines(path: Path, *, report: Callable[[str], None]) -> Iterator[bytes]:
    """The whole lines of one journal file, plain or gzipped, oldest first, without their newlines.

    A line that is no JSON document (cut short by a crash) is left out; `report` is told which, in words. Raises OSError
    where the file cannot be read, BadInput where a gzipped one is damaged.
    """
    with path.open("rb") as plain:
        packed = plain.peek(len(_GZIP_MAGIC))[: len(_GZIP_MAGIC)] == _GZIP_MAGIC
        lines: IO[bytes] = gzip.GzipFile(fileobj=plain, mode="rb") if packed else plain  # type: ignore[assignment]  # it reads lines, which is all we ask of it
        try:
            for number, raw in enumerate(lines, 1):
                line = raw.strip()
                if not line:
                    continue
                if _is_json(line):
                    yield line
                else:
                    report(f"{path}: line {number} is cut short or damaged, and left out")
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            fault = Fault(path="the gzip stream", got=str(error), wants="a whole gzip file")
            raise BadInput(str(path), [fault]) from error


def _backwards(path: Path) -> Iterator[bytes]:
    """The whole JSON lines of a plain file, the last first, read in blocks from its end."""
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        rest: list[bytes] = []  # pieces of the line whose beginning is not read yet, the last piece first
        while end > 0:
            start = max(end - _BLOCK, 0)
            stream.seek(start)
            first, *others = stream.read(end - start).split(b"\n")
            end = start
            for piece in reversed(others):
                if _is_json(line := b"".join([piece, *reversed(rest)])):
                    yield line
                rest = []
            rest.append(first)
        if _is_json(line := b"".join(reversed(rest))):
            yield line


def _packed_backwards(path: Path, most: int) -> Iterator[bytes]:
    """The last `most` lines of a packed file, the last first. It has no way back: it is read from its beginning."""
    kept: deque[bytes] = deque(maxlen=most)
    # Damaged somewhere: what stands before that is whole.
    with gzip.open(path, "rb") as lines, contextlib.suppress(gzip.BadGzipFile, EOFError, zlib.error):
        kept.extend(line for line in map(bytes.strip, lines) if _is_json(line))
    yield from reversed(kept)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_torn(fd: int) -> bool:
    """True when the file's last line has no end."""
    size = os.fstat(fd).st_size
    return size > 0 and os.pread(fd, 1, size - 1) != b"\n"


def _pack(plain: Path) -> None:
    """`X.jsonl` => `X.jsonl.gz`, in a way that a crash may interrupt anywhere.

    before                              => after
    X.jsonl                             => X.jsonl.gz
    X.jsonl, X.jsonl.gz with its lines  => X.jsonl.gz      (a crash came between the rename and the removal)
    X.jsonl, X.jsonl.gz without them    => X.jsonl.gz with both, in order      (the clock was set back over midnight)
    """
    packed = plain.with_name(plain.name + ".gz")
    _end_last_line(plain)
    if not (packed.exists() and _ends_with(packed, plain)):
        spare = packed.with_name(packed.name + ".tmp")
        try:
            with os.fdopen(create(spare), "wb") as out:
                if packed.exists():
                    with packed.open("rb") as before:
                        shutil.copyfileobj(before, out, _CHUNK)  # gzip members may follow one another
                with plain.open("rb") as lines, gzip.GzipFile("", "wb", fileobj=out, mtime=0) as member:
                    shutil.copyfileobj(lines, member, _CHUNK)
                out.flush()
                os.fsync(out.fileno())
            spare.replace(packed)
        except OSError:
            remove_quietly(spare)
            raise
        sync_folder(packed.parent)
    plain.unlink()


def _end_last_line(plain: Path) -> None:
    fd = os.open(plain, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        if _is_torn(fd):
            write_all(fd, b"\n")
    finally:
        os.close(fd)


def _ends_with(packed: Path, plain: Path) -> bool:
    """True when the packed lines end with the plain ones. Two passes, so that no day has to fit into memory."""
    with gzip.open(packed, "rb") as stream:
        total = sum(len(chunk) for chunk in iter(lambda: stream.read(_CHUNK), b""))
    start = total - plain.stat().st_size
    if start < 0:
        return False
    with gzip.open(packed, "rb") as stream, plain.open("rb") as lines:
        stream.seek(start)
        while chunk := lines.read(_CHUNK):
            if stream.read(len(chunk)) != chunk:
                return False
    return True
