"""Tapes from Parquet files of order books (the extra `frames`), with a stand-in for the leader that they lack.

    books     market_id, ts (ms), side (UP | DOWN, YES | NO), bid_px, bid_sz, ask_px, ask_sz (lists, best first)
    markets   market_id, start_ts, end_ts (ms), payout_up, payout_down; slug, where there is one

Books of settled markets show how orders would have filled, and there is no wallet in them. So a stand-in leads: once a
minute, in each market that runs, it holds `STAND_IN_SHARES` of the outcome whose bid is above 0.55, and nothing of the
other; from a minute before the end on it changes nothing. It looks at the book of that moment only, buys at the ask
and sells at the bid, as a taker without fees. It is a way to exercise decisions on real books, no strategy.

The numbers in such files are floats; each is read as the shortest decimal that means it, which is what was written.
The rows are read sorted, a block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from copytrade.app.backtest.tape import (
    NOTHING_RUN,
    BookSeen,
    LeaderHeld,
    Levels,
    Placed,
    Resolved,
    Tape,
    TokenListed,
)
from copytrade.domain.model import ONE, ZERO, TokenKey
from copytrade.errors import BadInput, Fault

if TYPE_CHECKING:
    import polars as pl

BOOKS = ("market_id", "ts", "side", "bid_px", "bid_sz", "ask_px", "ask_sz")
MARKETS = ("market_id", "start_ts", "end_ts", "payout_up", "payout_down")
DEPTH = 10  # levels of each side that are looked at
STAND_IN_SHARES = Decimal(500)
_FAVOURED = Decimal("0.55")
_LOOKS_EVERY = Decimal(60)
_TICK = Decimal("0.01")
_SIDES = {"UP": 0, "YES": 0, "DOWN": 1, "NO": 1}
_BLOCK = 4096

NOTES = (
    f"the leader is a stand-in: each minute it holds {STAND_IN_SHARES} shares of the outcome that is bid above "
    f"{_FAVOURED}",
    "the tape has no trades: what leaves a level may be trades or cancels",
)


def polars() -> Any:
    """The library, or BadInput that says how to get it."""
    try:
        import polars as pl
    except ImportError:
        fault = Fault(path="polars", got="not installed", wants='the extra: pip install "copytrade[frames]"')
        raise BadInput("Parquet", [fault], NOTHING_RUN) from None
    return pl


def read_parquet(paths: Sequence[Path], *, name: str) -> Tape:
    """The tape in these files of books and markets. Raises BadInput and OSError."""
    pl = polars()
    books, markets = [], []
    for path in paths:
        try:
            columns = pl.scan_parquet(path).collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _bad(path, "the file", str(error).splitlines()[0], "a whole Parquet file") from None
        if set(BOOKS) <= set(columns):
            books.append(path)
        elif set(MARKETS) <= set(columns):
            markets.append(path)
        else:
            wants = f"the columns {', '.join(BOOKS)} or {', '.join(MARKETS)}"
            raise _bad(path, "columns", ", ".join(columns), wants)
    if not (books and markets):
        fault = Fault(path="the files", got=f"{len(books)} of books, {len(markets)} of markets", wants="both kinds")
        raise BadInput(name, [fault], NOTHING_RUN)
    return Tape(name=name, open_=partial(_records, books, markets), place="row", notes=NOTES)


def _bad(path: Path, where: str, got: str, wants: str) -> BadInput:
    return BadInput(str(path), [Fault(path=where, got=got, wants=wants)], NOTHING_RUN)


@define(kw_only=True)
class _Market:
    market_id: str
    start: Decimal
    end: Decimal
    payouts: tuple[Decimal, Decimal]
    keys: tuple[TokenKey, TokenKey]
    held: list[Decimal] = field(factory=lambda: [ZERO, ZERO])
    tops: list[tuple[Decimal | None, Decimal | None]] = field(factory=lambda: [(None, None), (None, None)])
    looked_at: Decimal = ZERO
    over: bool = False


def _records(books: Sequence[Path], markets: Sequence[Path]) -> Iterator[Placed]:
    pl = polars()
    rows = pl.concat([pl.scan_parquet(path) for path in books]).sort("ts", maintain_order=True).collect()
    found = {row["market_id"]: row for path in markets for row in pl.read_parquet(path).iter_rows(named=True)}
    known: dict[str, _Market] = {}
    first = rows["ts"][0] if len(rows) else 0
    numbers = {market_id: str(number) for number, market_id in enumerate(found, 1)}
    for market_id, row in found.items():
        market = _market(markets[0], market_id, row)
        known[market_id] = market
        for index, side in enumerate(("Up", "Down")):
            title = f"{row.get('slug') or market_id} {side}"
            yield (
                0,
                TokenListed(
                    at=_seconds(first),
                    token_key=market.keys[index],
                    token_id=f"{numbers[market_id]}0{index + 1}",  # the tape has no token ids: a number stands for one
                    title=title,
                    tick_size=_TICK,
                ),
            )
    ending = sorted(known.values(), key=lambda market: market.end)
    for number, row in enumerate(_blocks(rows), 1):
        at = _seconds(row["ts"])
        while ending and ending[0].end <= at:
            yield from _resolved(number, ending.pop(0))
        market_or_none = known.get(row["market_id"])
        index_or_none = _SIDES.get(str(row["side"]).upper())
        if market_or_none is None or index_or_none is None:
            got = f"{row['market_id']} {row['side']}"
            raise _bad(books[0], f"row {number}: market_id, side", got, "a market of the markets' file, UP or DOWN")
        market, index = market_or_none, index_or_none
        if market.over:
            continue
        bids = _levels(books[0], number, "bid", row)
        asks = _levels(books[0], number, "ask", row)
        yield number, BookSeen(at=at, token_key=market.keys[index], bids=bids, asks=asks)
        market.tops[index] = (bids[0][0] if bids else None, asks[0][0] if asks else None)
        if market.start <= at < market.end - _LOOKS_EVERY and at - market.looked_at >= _LOOKS_EVERY:
            market.looked_at = at
            yield from _led(number, at, market)
    for market in ending:
        yield from _resolved(number, market)


def _blocks(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for start in range(0, len(rows), _BLOCK):
        yield from rows.slice(start, _BLOCK).iter_rows(named=True)


def _led(number: int, at: Decimal, market: _Market) -> Iterator[Placed]:
    for index in (0, 1):
        bid, ask = market.tops[index]
        wanted = STAND_IN_SHARES if bid is not None and bid > _FAVOURED else ZERO
        price = ask if wanted > market.held[index] else bid
        if wanted == market.held[index] or price is None:
            continue  # it holds that already, or nobody takes the other side
        market.held[index] = wanted
        yield number, LeaderHeld(at=at, token_key=market.keys[index], size=wanted, avg_price=price, price=price)


def _resolved(number: int, market: _Market) -> Iterator[Placed]:
    market.over = True
    for key, payout, size in zip(market.keys, market.payouts, market.held, strict=True):
        yield number, Resolved(at=market.end, token_key=key, payout=payout)
        if size:
            yield number, LeaderHeld(at=market.end, token_key=key, size=ZERO, price=payout)


def _market(path: Path, market_id: str, row: dict[str, Any]) -> _Market:
    payouts = tuple(_decimal(row[name]) for name in ("payout_up", "payout_down"))
    if not all(ZERO <= payout <= ONE for payout in payouts):
        raise _bad(path, f"{market_id}: payouts", str(payouts), "numbers from 0 to 1")
    return _Market(
        market_id=market_id,
        start=_seconds(row["start_ts"]),
        end=_seconds(row["end_ts"]),
        payouts=(payouts[0], payouts[1]),
        keys=(f"{market_id.lower()}:0", f"{market_id.lower()}:1"),
    )


def _seconds(milliseconds: int) -> Decimal:
    return Decimal(milliseconds) / 1000


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _levels(path: Path, number: int, side: str, row: dict[str, Any]) -> Levels:
    prices, sizes = row[f"{side}_px"], row[f"{side}_sz"]
    if prices is None or sizes is None or len(prices) != len(sizes):
        raise _bad(path, f"row {number}: {side}_px, {side}_sz", "lists of two lengths", "a size for each price")
    return tuple((_decimal(price), _decimal(size)) for price, size in zip(prices[:DEPTH], sizes[:DEPTH], strict=True))
