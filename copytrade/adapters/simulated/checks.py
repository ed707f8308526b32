"""Why an order is refused, in the exchange's own words, and what an accepted one would take.

The checks stand in the exchange's order: duplicate, market, price, size, expiration, kind, crossing, worth, balance.
The first that fails is the answer. The words are those of API.md (Orders) and of the vendor's page on error codes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from copytrade.adapters.simulated.records import Mode, NewOrder, OrderType, SimOrder
from copytrade.domain.model import CENT_SHARE, ONE, ZERO, Side

if TYPE_CHECKING:
    from copytrade.adapters.simulated.rules import Exchange

MIN_EXPIRATION_SEC = 180  # a GTD order must expire at least this far ahead
MARKETABLE_MIN = ONE  # pUSD

CROSSES = "invalid post-only order: order crosses book"
POST_ONLY_TYPE = "invalid post-only order: only GTC and GTD order types are allowed"
NO_BALANCE = "not enough balance / allowance"
NOT_READY = "the market is not yet ready to process new orders"
BAD_EXPIRATION = "invalid expiration"
EXPIRES_TOO_SOON = "expiration is less than 180 seconds in the future"
FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
POST_ONLY_MODE = "post-only mode: only post-only orders and cancels are allowed"

Taken = tuple[SimOrder | None, Decimal, Decimal]  # whose order (None: the outside world's), price, shares


def invalid(order_id: str, why: str) -> str:
    """The frame of most refusals."""
    return f"order {order_id} is invalid. {why}"


def other(side: Side) -> Side:
    """The side that a trade's other party is on."""
    return Side.SELL if side is Side.BUY else Side.BUY


def refusal(exchange: Exchange, new: NewOrder) -> str:
    """Why this order is refused; "" when it is not."""
    if exchange.mode is Mode.POST_ONLY and not new.post_only:
        return POST_ONLY_MODE
    if new.order_id in exchange.orders:
        return invalid(new.order_id, "Duplicated.")
    known = exchange.market_of(new.token_id)
    if known is None or new.token_id not in exchange.books:
        return f"the orderbook {new.token_id} does not exist"
    market, _ = known
    if not market.ready or not market.accepting_orders:
        return NOT_READY
    if not market.tick_size <= new.price <= ONE - market.tick_size or new.price % market.tick_size != 0:
        return invalid(new.order_id, f"Price ({new.price}) breaks minimum tick size rule: {market.tick_size}")
    if new.size % CENT_SHARE != 0 or new.size <= 0:
        return f"invalid amounts, the {new.side.value} size supports a max accuracy of 2 decimals"
    if new.size < market.min_order_size:
        return invalid(new.order_id, f"Size ({new.size}) lower than the minimum: {market.min_order_size}")
    return _kind(exchange, new) or _worth(exchange, new)


def crossing(exchange: Exchange, new: NewOrder) -> list[Taken]:
    """What this order would take, best price first, and at one price the oldest of our wallets' orders first."""
    there = other(new.side)
    buys = new.side is Side.BUY

    def crosses(price: Decimal) -> bool:
        return price <= new.price if buys else price >= new.price

    found: list[tuple[Decimal, int, Taken]] = [
        (order.price if buys else -order.price, 0, (order, order.price, order.rest))
        for order in exchange.resting(new.token_id)
        if order.side is there and crosses(order.price)
    ]
    for price, size in exchange.books[new.token_id].side(there).items():
        if crosses(price):
            found.append((price if buys else -price, 1, (None, price, size)))
    found.sort(key=lambda each: each[:2])  # stable, and resting orders come oldest first
    makers: list[Taken] = []
    rest = new.size
    for _, _, (order, price, size) in found:
        if rest <= 0:
            break
        makers.append((order, price, min(rest, size)))
        rest -= makers[-1][2]
    return makers


def _kind(exchange: Exchange, new: NewOrder) -> str:
    gtd = new.order_type is OrderType.GTD
    if gtd and new.expiration < exchange.now + MIN_EXPIRATION_SEC:
        return EXPIRES_TOO_SOON if new.expiration > exchange.now else BAD_EXPIRATION
    if not gtd and new.expiration:
        return BAD_EXPIRATION
    if new.post_only and new.order_type not in (OrderType.GTC, OrderType.GTD):
        return POST_ONLY_TYPE
    return ""


def _worth(exchange: Exchange, new: NewOrder) -> str:
    makers = crossing(exchange, new)
    if makers and new.post_only:
        return CROSSES
    if new.order_type is OrderType.FOK and sum((size for _, _, size in makers), ZERO) < new.size:
        return FOK_KILLED
    if new.order_type is OrderType.FAK and not makers:
        return FAK_KILLED
    notional = new.price * new.size
    if makers and notional < MARKETABLE_MIN:
        return f"invalid amount for a marketable {new.side.value} order (${notional}), min size: $1"
    wallet = exchange.wallets[new.wallet]
    # Both must cover it: what the exchange believes (its cache may be stale) and what is there.
    if new.side is Side.BUY:
        free = min(exchange.balance(new.wallet) - wallet.locked_cash, wallet.free_cash())
        return "" if notional <= free else NO_BALANCE
    locked = wallet.locked_shares.get(new.token_id, ZERO)
    free = min(exchange.balance(new.wallet, new.token_id) - locked, wallet.free_shares(new.token_id))
    return "" if new.size <= free else NO_BALANCE
