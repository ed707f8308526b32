"""At which price an order rests: join the best of our own side, on the market's tick, never at or through the other.

Rule 1: a price comes from the book without our own orders, else we would outbid ourselves.
Rule 2: a crossed, locked or empty book is not believed.
Rule 3: rounding goes away from the other side; a quote that cannot rest inside [tick, 1 - tick] is not made.
Rule 4: a price too far from the current one is not sent: an empty side, or a spoofed one, must not set our price.

Not here: how much (reconcile.py).   Read next: reconcile.py
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import frozen

from copytrade.domain.amounts import CENT, ceiled, clamped, floored
from copytrade.domain.model import BUY, ONE, Book, Order, Reason, Side
from copytrade.domain.policy import Policy
from copytrade.domain.records import maker

DEFAULT_MIN_ORDER_SIZE = Decimal(5)  # shares, where the book does not say (API.md, Orders)
MIN_MARKETABLE_NOTIONAL = Decimal(1)  # pUSD (API.md, Orders)


@frozen(kw_only=True, weakref_slot=False)
class Quote:
    """A price that an order can be sent at, and whether it may only rest."""

    price: Decimal
    tick_size: Decimal
    post_only: bool


new_quote = maker(Quote)


def top_without(levels: Iterable[tuple[Decimal, Decimal]], own: Iterable[Order], side: Side) -> Decimal | None:
    """The best price of one side of a full book once our own orders are taken out; None = nobody else is there.

    `levels` are (price, shares) in any order, `own` our live orders on the token, `side` BUY for bids, SELL for asks.

    >>> ours = [Order(order_id="0xaa", side=Side.BUY, price=Decimal("0.61"), size=Decimal(10))]
    >>> top_without([(Decimal("0.60"), Decimal(50)), (Decimal("0.61"), Decimal(10))], ours, Side.BUY)
    Decimal('0.60')
    """
    shares: dict[Decimal, Decimal] = {}
    for price, size in levels:
        shares[price] = shares.get(price, Decimal(0)) + size
    for order in own:
        if order.side is side and order.price in shares:
            shares[order.price] -= order.rest
    prices = [price for price, size in shares.items() if size > 0]
    if not prices:
        return None
    return max(prices) if side is BUY else min(prices)


def quote(side: Side, book: Book | None, policy: Policy) -> Quote | Reason:
    """The price for an order on `side`, or why there is none (NO_BOOK, CROSSED_BOOK, NO_ROOM).

    >>> book = Book(best_bid=Decimal("0.61"), best_ask=Decimal("0.63"), tick_size=Decimal("0.01"))
    >>> quote(Side.BUY, book, Policy()).price, quote(Side.SELL, book, Policy()).price
    (Decimal('0.61'), Decimal('0.63'))
    """
    if book is None or (book.best_bid is None and book.best_ask is None):
        return Reason.NO_BOOK
    bid, ask = book.best_bid, book.best_ask
    if bid is not None and ask is not None and bid >= ask:
        return Reason.CROSSED_BOOK
    tick = book.tick_size or policy.tick_size
    opposite = ask if side is BUY else bid
    if not policy.maker_only and opposite is not None:
        wish, post_only = opposite, False
    else:
        wish, post_only = _joined(side, bid, ask, tick), True
    rounded = floored(wish, tick) if side is BUY else ceiled(wish, tick)
    price = clamped(rounded, tick, ONE - tick)
    if _through(side, price, opposite, touching=post_only):
        return Reason.NO_ROOM
    return new_quote(price=price, tick_size=tick, post_only=post_only)


def _joined(side: Side, bid: Decimal | None, ask: Decimal | None, tick: Decimal) -> Decimal:
    """Join our own side of the book; where it is empty, stay a tick away from the other."""
    if side is BUY:
        return bid if bid is not None else _there(ask) - tick
    return ask if ask is not None else _there(bid) + tick


def _there(price: Decimal | None) -> Decimal:
    assert price is not None, "a book with two empty sides was refused above"
    return price


def _through(side: Side, price: Decimal, opposite: Decimal | None, *, touching: bool) -> bool:
    """Would an order at `price` trade through `opposite` (or only touch it, where that is too much already)?"""
    if opposite is None:
        return False
    if price == opposite:
        return touching
    return price > opposite if side is BUY else price < opposite


def off_market(side: Side, price: Decimal, current: Decimal | None, policy: Policy) -> bool:
    """True when a BUY is too far above, or a SELL too far below, the current price (PRICE_GUARD)."""
    if current is None:
        return False
    excess = price - current if side is BUY else current - price
    return excess > policy.max_price_deviation


def minimum_size(book: Book | None, quoted: Quote | None) -> Decimal:
    """The least size in shares that the exchange takes there; a marketable order must be worth 1 pUSD as well."""
    least = DEFAULT_MIN_ORDER_SIZE if book is None or book.min_order_size is None else ceiled(book.min_order_size)
    if quoted is not None and not quoted.post_only:
        least = max(least, ceiled(MIN_MARKETABLE_NOTIONAL / quoted.price))
    return least if least > CENT else CENT
