"""How much of a resting order fills, by what the market did: the one guess of a backtest, made in three ways.

What is on the tape happened without us. An order of ours that rests at a price fills by what went

    through our price   a trade beyond it, or a book whose other side has reached it: the queue at our price was used
                        up, whoever stood in it. Every model fills us, as far as the size goes.
    at our price        the queue decides. OPTIMISTIC: we are first. SHARE: by size, we and the others who show there.
                        PESSIMISTIC: last, behind everything that was there when we came; somebody ahead of us who
                        leaves lets us move up, since no more than the level shows can be ahead.
    only by the book    where a tape has no trades, shares that leave the best level may be trades or cancels.
                        OPTIMISTIC and SHARE take them for trades, PESSIMISTIC for cancels.
    only by prices      where it has neither, a price beyond ours fills all of the order (no size is known); a price
                        at ours does so for OPTIMISTIC alone.

Rule 1: what has filled us once does not fill us again: liquidity that stands across our price is used up by us.
Rule 2: fills are cut to 0.01 share. Nothing here looks at any later record.

Not here: fees (accounting.py), whether an order gets into the book at all (engine.py).
"""

from __future__ import annotations

from decimal import Decimal

from attrs import define

from copytrade.app.backtest.assumptions import FillModel
from copytrade.app.backtest.tape import Levels
from copytrade.domain.amounts import floored
from copytrade.domain.model import BUY, ZERO, OrderId, Side, TokenId, TokenKey


@define(kw_only=True, eq=False)
class Resting:
    """An order of ours at the exchange of the run, and its place in the queue."""

    order_id: OrderId
    token_key: TokenKey
    token_id: TokenId
    side: Side
    price: Decimal
    size: Decimal
    ts: Decimal
    expires: Decimal  # the exchange takes it down by then
    matched: Decimal = ZERO
    live: bool = True
    level: Decimal = ZERO  # shares of others that show at our price
    ahead: Decimal = ZERO  # of these, at most so many stand before us, if we came last
    was_best: bool = True  # nobody showed a better price on our side
    used: Decimal = ZERO  # of what stands across our price, so much filled us already

    @property
    def rest(self) -> Decimal:
        return self.size - self.matched


def beyond(side: Side, price: Decimal, ours: Decimal) -> bool:
    """Is `price` through ours: lower than our bid, or higher than our ask?"""
    return price < ours if side is BUY else price > ours


def size_at(levels: Levels, price: Decimal) -> Decimal:
    """The shares that show at exactly `price`."""
    for level, size in levels:
        if level == price:
            return size
    return ZERO


def crossing(side: Side, price: Decimal, opposite: Levels) -> Decimal:
    """The shares on the other side that an order at `price` meets."""
    total = ZERO
    for level, size in opposite:
        if level > price if side is BUY else level < price:
            break
        total += size
    return total


def joined(order: Resting, own: Levels) -> None:
    """The order enters its queue, behind what shows there now."""
    order.level = order.ahead = size_at(own, order.price)
    order.was_best = not own or not beyond(order.side, order.price, own[0][0])


def by_trade(model: FillModel, order: Resting, price: Decimal, size: Decimal, taker: Side | None) -> Decimal:
    """Shares of `order` that a trade of `size` at `price` fills."""
    if taker is order.side:  # it came to the other side of the book
        return ZERO
    if beyond(order.side, price, order.price):
        return _cut(order, size)
    if price != order.price:
        return ZERO
    if model is FillModel.OPTIMISTIC:
        return _cut(order, size)
    if model is FillModel.SHARE:
        return _cut(order, size * order.rest / (order.rest + order.level))
    behind = size - order.ahead
    order.ahead = max(-behind, ZERO)
    return _cut(order, behind) if behind > 0 else ZERO


def by_book(model: FillModel, order: Resting, own: Levels, opposite: Levels, *, has_trades: bool) -> Decimal:
    """Shares of `order` that a new book fills; the order's place in the queue moves with it."""
    level_before, was_best = order.level, order.was_best
    order.level = size_at(own, order.price)
    if order.ahead > order.level:
        order.ahead = order.level
    order.was_best = not own or not beyond(order.side, order.price, own[0][0])
    across = crossing(order.side, order.price, opposite)
    if across > ZERO:
        filled = _cut(order, max(across - order.used, ZERO))
        order.used += filled
        return filled
    order.used = ZERO
    left = level_before - order.level
    if has_trades or left <= ZERO or not was_best or model is FillModel.PESSIMISTIC:
        return ZERO
    return _cut(order, left if model is FillModel.OPTIMISTIC else left * order.rest / (order.rest + level_before))


def by_price(model: FillModel, order: Resting, price: Decimal) -> Decimal:
    """Shares of `order` that a price alone fills."""
    if beyond(order.side, price, order.price) or (price == order.price and model is FillModel.OPTIMISTIC):
        return order.rest
    return ZERO


def _cut(order: Resting, size: Decimal) -> Decimal:
    rest = order.size - order.matched
    return rest if size >= rest else floored(size)
