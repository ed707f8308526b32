"""The tape format on disk: JSON lines, gzipped where the name ends in .gz, one record a line, read as a stream.

    {"copytrade_tape": 1, "name": "0xa1…", "has_trades": false, "max_gap_sec": 120, "notes": ["…"]}
    {"type": "token", "at": 1766000000, "token_key": "0xc1:0", "token_id": "111", "tick_size": 0.01}
    {"type": "leader", "at": 1766000000, "token_key": "0xc1:0", "size": 500, "avg_price": 0.62}
    {"type": "book", "at": 1766000000, "token_key": "0xc1:0", "bids": [[0.61, 100]], "asks": [[0.63, 80.5]]}
    {"type": "price", "at": 1766000020, "token_key": "0xc1:0", "price": 0.62}
    {"type": "trade", "at": 1766000021, "token_key": "0xc1:0", "price": 0.61, "size": 12.5, "taker": "SELL"}
    {"type": "resolved", "at": 1766000900, "token_key": "0xc1:0", "payout": 1}
    {"type": "beat", "at": 1766000920}

The names are those of app/backtest/tape.py, where the meaning of each stands. The first line is the header; a version
that is not 1 is refused. Numbers are plain JSON numbers and exact. What is null may be left out.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import IO

import msgspec
from attrs import asdict

from copytrade.app.backtest.tape import (
    NOTHING_RUN,
    Beat,
    BookSeen,
    Event,
    LeaderHeld,
    Placed,
    PriceSeen,
    Resolved,
    Tape,
    TokenListed,
    Traded,
)
from copytrade.app.writing import to_json
from copytrade.domain.model import ZERO, Side
from copytrade.errors import BadInput, Fault

VERSION = 1
MARK = "copytrade_tape"  # the key that tells a tape's first line from everything else
_GZIP_MAGIC = b"\x1f\x8b"

_Pairs = tuple[tuple[Decimal, Decimal], ...]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    copytrade_tape: int
    name: str = ""
    has_trades: bool = False
    max_gap_sec: Decimal | None = None
    notes: tuple[str, ...] = ()


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    at: Decimal


class _Token(_Line, frozen=True, tag="token"):
    token_key: str
    token_id: str
    title: str = ""
    slug: str = ""
    end_date: str = ""
    tick_size: Decimal | None = None
    min_order_size: Decimal | None = None
    fee_rate: Decimal | None = None
    fee_exponent: Decimal | None = None


class _Leader(_Line, frozen=True, tag="leader"):
    token_key: str
    size: Decimal
    avg_price: Decimal = ZERO
    price: Decimal | None = None


class _Book(_Line, frozen=True, tag="book"):
    token_key: str
    bids: _Pairs
    asks: _Pairs


class _Price(_Line, frozen=True, tag="price"):
    token_key: str
    price: Decimal


class _Trade(_Line, frozen=True, tag="trade"):
    token_key: str
    price: Decimal
    size: Decimal
    taker: Side | None = None


class _Resolved(_Line, frozen=True, tag="resolved"):
    token_key: str
    payout: Decimal | None = None


class _Beat(_Line, frozen=True, tag="beat"):
    pass


_RECORDS: dict[type[msgspec.Struct], type] = {
    _Token: TokenListed,
    _Leader: LeaderHeld,
    _Book: BookSeen,
    _Price: PriceSeen,
    _Trade: Traded,
    _Resolved: Resolved,
    _Beat: Beat,
}
_TAGS: dict[type, str] = {record: str(line.__struct_config__.tag) for line, record in _RECORDS.items()}
_FIELDS = {line: line.__struct_fields__ for line in _RECORDS}
_decode_header = msgspec.json.Decoder(_Header).decode
_decode_line = msgspec.json.Decoder(_Token | _Leader | _Book | _Price | _Trade | _Resolved | _Beat).decode


# What msgspec raises for a text that is not what was wanted; the last is for one that is nested too deep.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_tape(path: Path) -> Tape:
    """The tape in this file. Only its header is read now. Raises BadInput, and OSError where it can't be read."""
    header = _header_of(path)
    return Tape(
        name=header.name or path.name,
        open_=partial(_records, path),
        place=f"{path}: line",
        has_trades=header.has_trades,
        max_gap_sec=header.max_gap_sec,
        notes=header.notes,
    )


def is_tape(first_line: bytes) -> bool:
    """Does a file that begins with this line hold a tape (of whatever version)?"""
    try:
        document = msgspec.json.decode(first_line)
    except NOT_JSON:
        return False
    return isinstance(document, dict) and MARK in document


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unzipped where it is gzipped, whatever it is called. Raises OSError."""
    with path.open("rb") as plain:
        packed = plain.peek(len(_GZIP_MAGIC))[: len(_GZIP_MAGIC)] == _GZIP_MAGIC
        if not packed:
            yield plain
            return
        with gzip.GzipFile(fileobj=plain, mode="rb") as unpacked:
            yield unpacked  # type: ignore[misc]  # it reads lines, which is all we ask of it


def first_line(path: Path) -> bytes:
    """The first line of a file, or as much of it as can be read. Raises OSError."""
    with opened(path) as lines:
        try:
            return lines.readline()
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return b""


def _header_of(path: Path) -> _Header:
    raw = first_line(path)
    try:
        header = _decode_header(raw)
    except NOT_JSON as error:
        raise _bad(path, 1, str(error), "a tape's header") from None
    if header.copytrade_tape != VERSION:
        raise _bad(path, 1, f"version {header.copytrade_tape}", f"version {VERSION}, the one that is known here")
    return header


def _records(path: Path) -> Iterator[Placed]:
    number = 0
    with opened(path) as lines:
        try:
            for number, raw in enumerate(lines, 1):
                if number == 1:
                    continue
                if not raw.endswith(b"\n"):
                    raise _bad(path, number, "a line without its end", "a whole line: the file was cut short")
                try:
                    line = _decode_line(raw)
                except NOT_JSON as error:
                    raise _bad(path, number, str(error), "a record of a tape") from None
                kind = type(line)
                yield number, _RECORDS[kind](**{name: getattr(line, name) for name in _FIELDS[kind]})
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _bad(path, number + 1, str(error), "a whole gzip file: it was cut short or damaged") from None


def _bad(path: Path, number: int, got: str, wants: str) -> BadInput:
    return BadInput(str(path), [Fault(path=f"line {number}", got=got, wants=wants)], NOTHING_RUN)


# -- written ----------------------------------------------------------------------------------------------------------


class TapeWriter:
    """Writes a tape line by line. Every line is on its way to the disk when `add` returns; `close` ends the file."""

    def __init__(
        self,
        path: Path,
        *,
        name: str = "",
        has_trades: bool = False,
        max_gap_sec: Decimal | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        """Begin a new file. Raises OSError, FileExistsError among them: a tape is never written over."""
        self._plain = path.open("xb")
        self._out: IO[bytes] = self._plain
        if path.suffix == ".gz":
            self._out = gzip.GzipFile("", "wb", fileobj=self._plain, mtime=0)  # type: ignore[assignment]  # it writes
        header: dict[str, object] = {MARK: VERSION, "name": name, "has_trades": has_trades}
        if max_gap_sec is not None:
            header["max_gap_sec"] = max_gap_sec
        self._out.write(to_json({**header, "notes": list(notes)}) + b"\n")

    def add(self, event: Event) -> None:
        """Write one record. Raises OSError."""
        members = {name: value for name, value in asdict(event, recurse=False).items() if value not in (None, "")}
        self._out.write(to_json({"type": _TAGS[type(event)], **members}) + b"\n")

    def flush(self) -> None:
        """Hand everything to the system, so that a crash loses nothing of it."""
        self._out.flush()
        self._plain.flush()

    def close(self) -> None:
        """End the file."""
        if self._out is not self._plain:
            self._out.close()
        self._plain.close()

    def __enter__(self) -> TapeWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_tape(tape: Tape, path: Path) -> int:
    """Write a whole tape to a new file; return how many records it has. Raises BadInput and OSError."""
    count = 0
    with TapeWriter(
        path, name=tape.name, has_trades=tape.has_trades, max_gap_sec=tape.max_gap_sec, notes=tape.notes
    ) as out:
        for event in tape.events():
            out.add(event)
            count += 1
    return count
