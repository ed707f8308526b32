"""What services answer, turned into the facts of a snapshot: pure, one small function for each kind of answer.

Not here: who is asked, and when (observing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from attrs import evolve

from copytrade.app.ports import Fill, FullBook, Level, LookUp, OpenOrder, OrderFate, TradeStatus
from copytrade.domain.memory import Memory, Sighting, Traded
from copytrade.domain.model import ZERO, Book, Order, OrderId, Positions, Side, Snapshot, TokenId, TokenKey
from copytrade.domain.quote import top_without


def listed_sizes(listing: Collection[OpenOrder] | None) -> dict[OrderId, Decimal]:
    """The matched shares of every order that is listed."""
    return {order.order_id: order.matched for order in listing or ()}


def sighting(answer: LookUp) -> Sighting:
    """What a look-up that knows its order says of it."""
    return Sighting(resting=answer.fate is OrderFate.LIVE, matched=answer.matched)


def summed(fills: Iterable[Fill]) -> dict[OrderId, Traded]:
    """The trades of each order, each trade once."""
    sums: dict[OrderId, Traded] = {}
    for fill in {(fill.trade_id, fill.order_id): fill for fill in fills}.values():
        before = sums.get(fill.order_id, Traded())
        failed = fill.status is TradeStatus.FAILED
        sums[fill.order_id] = Traded(
            traded=before.traded + (ZERO if failed else fill.size),
            failed=before.failed + (fill.size if failed else ZERO),
            confirmed=before.confirmed + (fill.size if fill.status is TradeStatus.CONFIRMED else ZERO),
        )
    return sums


def bought(fills: Iterable[Fill], since: Decimal) -> Decimal:
    """The pUSD that these BUYs have cost since then, each trade once; those that failed have cost nothing."""
    once = {(fill.trade_id, fill.order_id): fill for fill in fills if fill.side is Side.BUY and fill.ts >= since}
    return sum((fill.size * fill.price for fill in once.values() if fill.status is not TradeStatus.FAILED), ZERO)


def locked_by(orders: Iterable[OpenOrder]) -> Decimal:
    """The pUSD that the BUYs among these may still cost."""
    return sum((max(one.size - one.matched, ZERO) * one.price for one in orders if one.side is Side.BUY), ZERO)


def tops(books: Mapping[TokenId, FullBook], live: Mapping[TokenId, tuple[Order, ...]]) -> dict[TokenId, Book]:
    """The best prices of each book once our own orders are taken out of it."""
    return {
        token_id: Book(
            best_bid=_top(book.bids, live.get(token_id, ()), Side.BUY),
            best_ask=_top(book.asks, live.get(token_id, ()), Side.SELL),
            tick_size=book.tick_size,
            min_order_size=book.min_order_size,
            last_trade_price=book.last_trade_price,
        )
        for token_id, book in books.items()
    }


def _top(levels: Collection[Level], own: Collection[Order], side: Side) -> Decimal | None:
    if own:
        return top_without(((level.price, level.size) for level in levels), own, side)
    # Most books have no order of ours in them, and then there is nothing to take out: a fifth of the time.
    prices = [level.price for level in levels if level.size]
    return (max(prices) if side is Side.BUY else min(prices)) if prices else None


def with_ids(positions: Positions, ids: Mapping[TokenKey, TokenId]) -> Positions:
    """The positions with these ids and no others: what a row itself claims is not signed for."""
    asked = ((row, ids.get(row.token_key)) for row in positions.positions)
    # Nearly every row has its id already, and a new record costs 20 times as much as the look.
    rows = tuple(row if row.token_id == token_id else evolve(row, token_id=token_id) for row, token_id in asked)
    return evolve(positions, positions=rows)


def strangers(listing: Iterable[OpenOrder], memory: Memory) -> list[OpenOrder]:
    """The listed orders that we do not know: the user's own, or ours from before a state was lost."""
    return [order for order in listing if order.order_id not in memory.orders]


def foreign_orders(listing: Iterable[OpenOrder], memory: Memory) -> dict[TokenId, tuple[Order, ...]]:
    """The listed orders that are not ours. They lock cash and shares, and are never touched."""
    foreign: dict[TokenId, list[Order]] = {}
    for order in strangers(listing, memory):
        foreign.setdefault(order.token_id, []).append(
            Order(
                order_id=order.order_id,
                side=order.side,
                price=order.price,
                size=order.size,
                matched=min(order.matched, order.size),
                ts=max(order.ts, ZERO),
            )
        )
    return {token_id: tuple(orders) for token_id, orders in foreign.items()}


def keys_of(snapshot: Snapshot) -> set[TokenKey]:
    """Every token that a position, a remembered poll or a ledger knows."""
    rows = (*snapshot.target.positions, *snapshot.mine.positions)
    polled = {key for poll in snapshot.target_history for key in poll}
    return {row.token_key for row in rows} | polled | snapshot.ledgers.keys()
