"""Tapes from tables that somebody else recorded: a wallet's positions and trades as CSV.

    positions   recorded_at, asset_id, market, outcome, size, average_price
    trades      recorded_at, asset_id, market, outcome, side, size, price      (optional: they tell the prices)

Many files of a kind are one: their rows are joined, equal rows count once, and they are sorted by time. A position is
written when it changed; one that was closed simply stops. So a position lasts until its market is over: when the
market's name says so (btc-updown-15m-1766577600 begins then and lasts 15 minutes), else when nothing was written of it
for an hour, which is known only then.

Prices are those of the trades, else those that follow from the average prices. There are no books and no payouts:
the result says what stands in for them. The rows are sorted in memory, as they may come in any order.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from attrs import define, frozen

from copytrade.app.backtest.baselines import change_price
from copytrade.app.backtest.tape import (
    NOTHING_RUN,
    Event,
    LeaderHeld,
    PriceSeen,
    Resolved,
    Tape,
    TokenListed,
)
from copytrade.domain.model import ONE, ZERO, TokenKey
from copytrade.errors import BadInput, Fault

POSITIONS = ("recorded_at", "asset_id", "size", "average_price")
TRADES = ("recorded_at", "asset_id", "side", "size", "price")
GONE_AFTER_SEC = Decimal(3600)
_MOST_DIGITS, _MOST_DECIMALS = 15, 60  # of a number: with more of them it is no amount of anything
_LASTS = re.compile(r"-(\d+)m-(\d{10})$")
_INDEX = {"up": 0, "yes": 0, "down": 1, "no": 1}

NOTES = (
    "a position is held until its market is over: when its name says so, else an hour after the last that was written",
)


@frozen(kw_only=True)
class _Row:
    at: Decimal
    asset: str
    market: str
    outcome: str
    size: Decimal
    price: Decimal
    is_position: bool


def kind_of_header(names: Sequence[str]) -> str | None:
    """`positions`, `trades`, or None for a table of another kind."""
    if set(TRADES) <= set(names):
        return "trades"
    return "positions" if set(POSITIONS) <= set(names) else None


def header_of(path: Path) -> list[str]:
    """The column names of a CSV file. Raises OSError."""
    with path.open(newline="", encoding="utf-8", errors="replace") as lines:
        return next(csv.reader(lines), [])


def read_tables(paths: Iterable[Path], *, name: str) -> Tape:
    """The tape in these CSV files. Raises BadInput with file and line, and OSError."""
    paths = tuple(paths)
    found = {row for path in paths for row in _rows(path)}
    held = {row.asset for row in found if row.is_position}  # a trade of anything else tells us nothing
    rows = sorted((row for row in found if row.asset in held), key=lambda row: (row.at, row.is_position, row.asset))
    if not rows:
        raise BadInput(name, [Fault(path="the tables", got="no position", wants="at least one")], NOTHING_RUN)
    return Tape.of(_events(rows), name=name, notes=NOTES)


def _rows(path: Path) -> Iterator[_Row]:
    with path.open(newline="", encoding="utf-8", errors="replace") as lines:
        reader = csv.DictReader(lines)
        try:
            kind = kind_of_header(reader.fieldnames or ())
            if kind is None:
                wants = f"the columns {', '.join(POSITIONS)} or {', '.join(TRADES)}"
                raise BadInput(str(path), [Fault(path="line 1", got=str(reader.fieldnames), wants=wants)], NOTHING_RUN)
            for row in reader:
                if None in row or None in row.values():
                    raise _bad(path, reader.line_num, "columns", "fewer or more than in the header", "as many as there")
                yield _row(path, reader.line_num, row, is_position=kind == "positions")
        except csv.Error as error:
            raise _bad(path, reader.line_num + 1, "columns", str(error), "a line of a table") from None


def _row(path: Path, line: int, row: Mapping[str, str], *, is_position: bool) -> _Row:
    price_name = "average_price" if is_position else "price"
    asset = row["asset_id"].strip()
    if not asset:
        raise _bad(path, line, "asset_id", "nothing", "a token id")
    price = _number(path, line, price_name, row[price_name])
    if price > ONE:
        raise _bad(path, line, price_name, row[price_name], "a price from 0 to 1")
    return _Row(
        at=_time(path, line, row["recorded_at"]),
        asset=asset,
        market=(row.get("market") or "").strip(),
        outcome=(row.get("outcome") or "").strip(),
        size=_number(path, line, "size", row["size"]),
        price=price,
        is_position=is_position,
    )


def _number(path: Path, line: int, name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise _bad(path, line, name, repr(text), "a number") from None
    if not (value.is_finite() and value >= 0):
        raise _bad(path, line, name, text, "a number that is not negative")
    if value and not -_MOST_DECIMALS < value.adjusted() < _MOST_DIGITS:
        raise _bad(path, line, name, text, f"a number below 10^{_MOST_DIGITS}")
    return value


def _time(path: Path, line: int, text: str) -> Decimal:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _bad(path, line, "recorded_at", repr(text), "a time like 2025-12-24T12:23:56.578885+00:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Decimal(since.days * 86400 + since.seconds) + Decimal(since.microseconds) / 1_000_000


def _bad(path: Path, line: int, name: str, got: str, wants: str) -> BadInput:
    return BadInput(str(path), [Fault(path=f"line {line}: {name}", got=got, wants=wants)], NOTHING_RUN)


# -- rows to records --------------------------------------------------------------------------------------------------


@define
class _Life:
    """One token as it goes: how much is held, at which average, and until when at least."""

    key: TokenKey
    ends: Decimal | None  # when its market is over, by its name
    size: Decimal = ZERO
    avg: Decimal = ZERO
    written: Decimal = ZERO


def _events(rows: Sequence[_Row]) -> Iterator[Event]:
    start = rows[0].at
    names: dict[str, _Row] = {}
    for row in rows:
        if row.asset not in names or (row.market and not names[row.asset].market):
            names[row.asset] = row
    lives: dict[str, _Life] = {}
    for asset, row in names.items():
        index = _INDEX.get(row.outcome.lower())
        # The tables have no condition ids: the market's name stands for one.
        key = f"{row.market.lower()}:{index}" if row.market and index is not None else f"{asset}:0"
        lasts = _LASTS.search(row.market)
        ends = Decimal(int(lasts.group(2)) + 60 * int(lasts.group(1))) if lasts else None
        lives[asset] = _Life(key=key, ends=ends)
        yield TokenListed(at=start, token_key=key, token_id=asset, title=f"{row.market} {row.outcome}".strip())
    for row in rows:
        yield from _over(lives, row.at)
        life = lives[row.asset]
        if life.ends is not None and row.at >= life.ends:
            continue  # written after its market was over
        if not row.is_position:
            if ZERO < row.price < ONE:
                yield PriceSeen(at=row.at, token_key=life.key, price=row.price)
            continue
        event = LeaderHeld(at=row.at, token_key=life.key, size=row.size, avg_price=row.price)
        paid = change_price(event, life.size, life.avg, None) if row.size > life.size else None
        if paid is not None and ZERO < paid < ONE:
            yield PriceSeen(at=row.at, token_key=life.key, price=paid)
        yield event
        life.size, life.avg, life.written = row.size, row.price, row.at
    yield from _over(lives, rows[-1].at + GONE_AFTER_SEC, at_most=rows[-1].at)


def _over(lives: dict[str, _Life], now: Decimal, at_most: Decimal | None = None) -> Iterator[Event]:
    """What ended by `now`, in order of its end."""
    ended: list[tuple[Decimal, str]] = []
    for asset, life in lives.items():
        if life.size > 0:
            end = life.ends if life.ends is not None else life.written + GONE_AFTER_SEC
            if end <= now and (at_most is None or end <= at_most):
                ended.append((end, asset))
    for end, asset in sorted(ended):
        life = lives[asset]
        life.size, life.avg = ZERO, ZERO
        yield LeaderHeld(at=end, token_key=life.key, size=ZERO)
        yield Resolved(at=end, token_key=life.key)
