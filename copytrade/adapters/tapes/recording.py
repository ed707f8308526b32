"""Write tapes: watch a leader and the books of his tokens (nothing is traded), or fetch his past.

A recording says with every poll that somebody watched (`beat`), and its header says how long a silence may be: three
polls. So a recorder that was stopped for a while and a leader who did nothing can be told apart. Each poll is handed
to the system at once; what a crash leaves is a tape that ends early, gzipped ones without their end.

A positions answer that is not whole changes nothing; it is counted. A token whose id is not known yet is waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path

from attrs import define, field, frozen

from copytrade.adapters.http import Http
from copytrade.adapters.tapes.history import (
    Difference,
    differences,
    notes_of,
    read_activity,
    read_prices,
    replay,
)
from copytrade.adapters.tapes.lines import TapeWriter
from copytrade.app.backtest.tape import Beat, BookSeen, Event, LeaderHeld, Levels, Resolved, TokenListed
from copytrade.app.ports import Clock, FullBook, Level, MarketData, PositionsFeed, Resolver
from copytrade.domain.model import ONE, ZERO, Position, Positions, TokenId, TokenKey
from copytrade.errors import VenueError

GAPS_OF_POLLS = 3
DEPTH = 20  # levels of each side that are kept


@frozen(kw_only=True)
class Services:
    """Where to ask. wiring/tapes.py makes them."""

    data: Http
    feed: PositionsFeed
    market: MarketData
    resolver: Resolver
    clob: Http
    clock: Clock
    version: int  # of the Data-API


@frozen(kw_only=True)
class Seen:
    """One poll of a recording, for whoever watches it."""

    polls: int
    tokens: int
    records: int
    missed: int  # polls whose answer was not whole
    words: str = ""


# -- watching ---------------------------------------------------------------------------------------------------------


@define
class _Recording:
    ids: dict[TokenKey, TokenId] = field(factory=dict)
    terms: dict[TokenKey, TokenListed] = field(factory=dict)
    books: dict[TokenKey, tuple[Levels, Levels]] = field(factory=dict)
    held: dict[TokenKey, tuple[Decimal, Decimal]] = field(factory=dict)
    over: set[TokenKey] = field(factory=set)


async def record(
    asked: Services,
    wallet: str,
    path: Path,
    *,
    interval: Decimal,
    stopped: Callable[[], bool],
    watch: Callable[[Seen], None],
    wait: Callable[[Decimal], Awaitable[None]] | None = None,
) -> None:
    """Poll `wallet` every `interval` seconds into a new tape at `path`, until `stopped`. Raises OSError.

    `wait` sleeps so many seconds, where the clock's own sleep is not to be used.
    """
    kept = _Recording()
    polls = records = missed = 0
    with TapeWriter(path, name=wallet, max_gap_sec=interval * GAPS_OF_POLLS) as out:
        while not stopped():
            words = ""
            target = await asked.feed.positions(wallet)
            now = asked.clock.now()
            events: list[Event] = [Beat(at=now)]
            if target.complete:
                await _learn_ids(asked, kept, target)
                try:
                    books = await asked.market.books(sorted(kept.ids[key] for key in kept.ids if key not in kept.over))
                except VenueError as error:
                    books, words = {}, str(error)
                events += _news(kept, target, books, asked.clock.now())
            else:
                missed += 1
                words = "the positions were not whole"
            for event in events:
                out.add(event)
            out.flush()
            polls, records = polls + 1, records + len(events)
            watch(Seen(polls=polls, tokens=len(kept.held), records=records, missed=missed, words=words))
            if stopped():
                break
            now = asked.clock.now()
            seconds = interval - now % interval
            if wait is None:
                await asked.clock.sleep(seconds)
            else:
                await wait(seconds)


async def _learn_ids(asked: Services, kept: _Recording, target: Positions) -> None:
    rows = [row for row in target.positions if row.token_key not in kept.ids and row.size > 0 and not row.redeemable]
    if rows:
        found = await asked.resolver.resolve(rows)
        kept.ids.update(found.token_ids)


def _news(kept: _Recording, target: Positions, books: Mapping[TokenId, FullBook], now: Decimal) -> list[Event]:
    """What is new since the poll before, in an order in which it can be read: tokens, books, holdings, ends."""
    rows = {row.token_key: row for row in target.positions if row.token_key in kept.ids}
    events: list[Event] = []
    for key, token_id in kept.ids.items():
        book = books.get(token_id)
        listing = _listing(key, token_id, rows.get(key), book, kept.terms.get(key), now)
        if listing is not None:
            kept.terms[key] = listing
            events.append(listing)
    for key, token_id in kept.ids.items():
        book = books.get(token_id)
        if book is not None and key not in kept.over:
            levels = (_levels(book.bids, best_is_most=True), _levels(book.asks, best_is_most=False))
            if kept.books.get(key) != levels:
                kept.books[key] = levels
                events.append(BookSeen(at=now, token_key=key, bids=levels[0], asks=levels[1]))
    for key, row in rows.items():
        if kept.held.get(key, (ZERO, ZERO)) != (row.size, row.avg_price):
            kept.held[key] = (row.size, row.avg_price)
            events.append(LeaderHeld(at=now, token_key=key, size=row.size, avg_price=row.avg_price))
        if row.redeemable and key not in kept.over:
            kept.over.add(key)
            payout = row.current_price if row.current_price in (ZERO, ONE) else None
            events.append(Resolved(at=now, token_key=key, payout=payout))
    for key in [key for key in kept.held if key not in rows]:
        del kept.held[key]
        events.append(LeaderHeld(at=now, token_key=key, size=ZERO))
    return events


def _listing(
    key: TokenKey,
    token_id: TokenId,
    row: Position | None,
    book: FullBook | None,
    known: TokenListed | None,
    now: Decimal,
) -> TokenListed | None:
    """The token's record, where it is new or its terms have changed."""
    if known is not None:
        if book is None or (known.tick_size, known.min_order_size) == (book.tick_size, book.min_order_size):
            return None
        title, slug, end_date = known.title, known.slug, known.end_date
    else:
        title, slug, end_date = (row.title, row.slug, row.end_date) if row is not None else ("", "", "")
    return TokenListed(
        at=now,
        token_key=key,
        token_id=token_id,
        title=title,
        slug=slug,
        end_date=end_date,
        tick_size=book.tick_size if book else None,
        min_order_size=book.min_order_size if book else None,
    )


def _levels(levels: tuple[Level, ...], *, best_is_most: bool) -> Levels:
    shares: dict[Decimal, Decimal] = {}
    for level in levels:
        if level.size > 0:
            shares[level.price] = shares.get(level.price, ZERO) + level.size
    return tuple(sorted(shares.items(), reverse=best_is_most)[:DEPTH])


# -- the past ---------------------------------------------------------------------------------------------------------


async def record_history(
    asked: Services, wallet: str, path: Path, *, since: Decimal
) -> tuple[int, tuple[Difference, ...], list[str]]:
    """Fetch the past of `wallet` from `since` on into a new tape at `path`.

    Returns how many records it has, where its end and the positions of today differ, and the tape's notes. Raises
    Unreachable or BadAnswer where a service does not answer, OSError where the file can't be written.
    """
    deeds = await read_activity(asked.data, wallet, version=asked.version, since=since)
    today = await asked.feed.positions(wallet)
    ids = {
        f"{deed.condition_id}:{deed.outcome_index}": deed.token_id
        for deed in deeds
        if deed.outcome_index is not None and deed.token_id is not None
    }
    spans: dict[TokenKey, tuple[Decimal, Decimal]] = {}
    end = asked.clock.now()
    for deed in deeds:
        for key in [key for key in ids if key.startswith(f"{deed.condition_id}:")]:
            spans.setdefault(key, (deed.at, end))
            if deed.kind == "REDEEM":
                spans[key] = (spans[key][0], deed.at)
    prices = {}
    for key, (start, stop) in spans.items():
        prices[key] = await read_prices(asked.clob, ids[key], start, stop)
    found = replay(deeds, prices, today, ids)
    differing = differences(found.held, today) if today.complete else ()
    notes = notes_of(found, differing)
    if not today.complete:
        notes[-1] = "the wallet's positions today could not be read whole: the replay is not checked against them"
    with TapeWriter(path, name=wallet, notes=notes) as out:
        for event in found.events:
            out.add(event)
    return len(found.events), differing, notes
