"""A sentence for each reason and each cancel reason, with the numbers of the rule that decided.

Pure: what was considered in, words out. The numbers are those of the domain's own functions, asked once more; nothing
is decided here. A reason that is added to the domain needs its sentence here (the tests say so).

Not here: what stands before the sentence, on want, hold and gap (explaining.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from copytrade.app.writing import plain
from copytrade.domain.limits import left_today, named, seconds_of
from copytrade.domain.model import (
    ZERO,
    Cancel,
    CancelReason,
    Order,
    Reason,
    Side,
    Snapshot,
)
from copytrade.domain.plan import Considered
from copytrade.domain.quote import Quote, minimum_size, quote
from copytrade.domain.risk import counted_price, current_price
from copytrade.domain.tokens import locked, rests

Sentence = Callable[[Considered, Snapshot], str]


def reason_sentence(one: Considered, snapshot: Snapshot) -> str:
    """Why the token got its actions, or none."""
    return REASONS[one.reason](one, snapshot)


def cancel_sentence(reason: CancelReason, order: Order, one: Considered, snapshot: Snapshot) -> str:
    """Why this order of ours is taken down."""
    return f"cancelled, {order_words(order)}: {CANCELS[reason](order, one, snapshot)}"


# -- small words ------------------------------------------------------------------------------------------------------


def number(value: Decimal) -> str:
    """A number for a sentence: four decimals at most.

    >>> number(Decimal("16.393442622950")), number(Decimal(500)), number(Decimal("0.61"))
    ('16.3934', '500', '0.61')
    """
    return plain(value if abs(value) >= 10**18 else value.quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN))


def order_words(order: Order) -> str:
    """`BUY 20 of 25 @ 0.61`."""
    part = number(order.rest) if order.rest == order.size else f"{number(order.rest)} of {number(order.size)}"
    return f"{order.side.value} {part} @ {plain(order.price)}"


def clock(seconds: Decimal) -> str:
    """A time in UTC, in full."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _side(one: Considered) -> Side:
    return Side.BUY if one.token.delta > 0 else Side.SELL


def _quoted(one: Considered, snapshot: Snapshot) -> Quote | None:
    found = quote(_side(one), one.token.book, snapshot.policy)
    return found if isinstance(found, Quote) else None


def _price(one: Considered, snapshot: Snapshot) -> Decimal | None:
    found = _quoted(one, snapshot)
    return found.price if found is not None else one.token.ref_price


def _least(one: Considered, snapshot: Snapshot) -> Decimal:
    return minimum_size(one.token.book, _quoted(one, snapshot))


def _too_little(left: Decimal, price: Decimal | None, one: Considered, snapshot: Snapshot) -> str:
    """What `left` pUSD are enough for."""
    left = max(left, ZERO)
    if not price:
        return f"{number(left)} pUSD are left"
    return (
        f"{number(left)} pUSD are left, which is {number(left / price)} shares at {number(price)}; the exchange's "
        f"minimum is {number(_least(one, snapshot))}"
    )


# -- reasons ----------------------------------------------------------------------------------------------------------


def _stopped(_: Considered, __: Snapshot) -> str:
    return (
        "somebody has stopped everything (copytrade stop): our orders are taken down, none is placed till it is lifted"
    )


def _safe_mode(_: Considered, snapshot: Snapshot) -> str:
    why = [
        f"{whose} positions {'may lack rows' if answer.ok else 'could not be read'}"
        for whose, answer in (("the target's", snapshot.target), ("my", snapshot.mine))
        if not answer.complete
    ]
    if not snapshot.orders_ok:
        why.append("my orders could not be read")
    ttl = number(snapshot.policy.order_ttl_sec)
    return f"{' and '.join(why)}: on incomplete facts only orders older than {ttl} s are taken down"


def _blacklisted(_: Considered, __: Snapshot) -> str:
    return "it stands in blacklist_token_keys: hands off"


def _combo(_: Considered, __: Snapshot) -> str:
    return "it is a combo, which has no order book"


def _redeemable(one: Considered, _: Snapshot) -> str:
    mine, his = one.token.mine, one.token.target
    if mine is None or not mine.redeemable or mine.size == 0:
        return f"its market has resolved, at {number(his.current_price)} a share" if his else "its market has resolved"
    worth = number(mine.size * mine.current_price)
    return (
        f"its market has resolved, at {number(mine.current_price)} a share: our {number(mine.size)} shares are worth "
        f"{worth} pUSD, to be redeemed by you"
    )


def _unresolved(one: Considered, _: Snapshot) -> str:
    if one.token.token_key is None:
        return "nothing but an order of ours knows this token: it is left to expire"
    return "its token id is not known yet, or could not be verified; it is asked for again in each cycle"


def _in_doubt(one: Considered, snapshot: Snapshot) -> str:
    orders = [order for order in one.token.doubts if not order.gone]
    words = ", ".join(f"{order_words(order)} ({number(snapshot.now - order.ts)} s old)" for order in orders)
    return f"the fate of {words} is not known yet: it may rest, so nothing is placed beside it"


def _resting(one: Considered, snapshot: Snapshot) -> str:
    dead = {action.order_id for action in one.actions if isinstance(action, Cancel)}
    order = next(order for order in one.token.live if order.order_id not in dead)
    return (
        f"{order_words(order)} rests there, {number(snapshot.now - order.ts)} s old; it is good until it is "
        f"{number(snapshot.policy.order_ttl_sec)} s old"
    )


def _quoted_now(one: Considered, snapshot: Snapshot) -> str:
    book, found = one.token.book, _quoted(one, snapshot)
    if book is None or found is None:  # a place always had both
        return "an order is placed"
    bid, ask = ("none" if price is None else number(price) for price in (book.best_bid, book.best_ask))
    manner = "joins its own side, post-only" if found.post_only else "takes the other side (maker_only is off)"
    ttl = number(snapshot.policy.order_ttl_sec)
    return f"the order {manner}: bid {bid}, ask {ask}, tick {number(found.tick_size)}; it is taken down after {ttl} s"


def _requoted(one: Considered, snapshot: Snapshot) -> str:
    return f"the old order goes and a new one comes; {_quoted_now(one, snapshot)}"


def _on_hold(one: Considered, snapshot: Snapshot) -> str:
    until = snapshot.holds[one.token.token_key or ""]
    return (
        f"on hold until {clock(until)}, {number(until - snapshot.now)} s more: a refusal that will repeat (60 s, "
        "doubling to 1 h), or a start on a lost state"
    )


def _not_ours(one: Considered, _: Snapshot) -> str:
    many = number(-one.token.delta)
    return (
        f'{many} shares are too many, but copytrade is not known to have traded them, and manage_holdings is "copied"'
    )


def _market_denied(one: Considered, snapshot: Snapshot) -> str:
    rows = [row for row in (one.token.mine, one.token.target) if row is not None]
    texts = [text.lower() for row in rows for text in (row.title, row.slug) if text]
    denied = next((words for words in snapshot.policy.deny_markets if named(words, texts)), None)
    if denied is not None:
        return f'deny_markets has "{denied}", which its title or slug matches: nothing is bought'
    allowed = ", ".join(f'"{words}"' for words in snapshot.policy.allow_markets)
    return f"neither its title nor its slug matches allow_markets ({allowed}): nothing is bought"


def _ends_soon(one: Considered, snapshot: Snapshot) -> str:
    hours = number(snapshot.policy.min_hours_to_end or ZERO)
    rows = [row for row in (one.token.mine, one.token.target) if row is not None]
    ends = [end for row in rows if (end := seconds_of(row.end_date)) is not None]
    if not ends:
        return f"nobody tells when it ends, and min_hours_to_end is {hours}: nothing is bought"
    left = number((min(ends) - snapshot.now) / 3600)
    return f"it ends at {clock(min(ends))}, in {left} h, and min_hours_to_end is {hours}: nothing is bought"


def _daily_loss(_: Considered, snapshot: Snapshot) -> str:
    lost = -snapshot.today.result if snapshot.today is not None else ZERO
    limit = number(snapshot.policy.max_daily_loss or ZERO)
    return f"the copied holdings have lost {number(lost)} pUSD today, and max_daily_loss is {limit}: nothing is bought"


def _share(one: Considered, snapshot: Snapshot) -> Decimal:
    """What one more share counts under the caps: as those that are there, or at its own price where that is more."""
    return max(counted_price(one.token.cap_price), _price(one, snapshot) or ZERO)


def _token_cap(one: Considered, snapshot: Snapshot) -> str:
    token, cap = one.token, snapshot.policy.max_notional_per_token
    gone = {action.order_id for action in one.actions if isinstance(action, Cancel)}
    may_hold = token.hi + rests(tuple(order for order in token.live if order.order_id in gone), Side.BUY)
    counts = may_hold * counted_price(token.cap_price)
    left = _too_little(cap - counts, _share(one, snapshot), one, snapshot)
    return (
        f"the {number(may_hold)} shares that we may hold count {number(counts)} of max_notional_per_token "
        f"{number(cap)}: {left}, and {number(token.uncapped_lo)} are wanted"
    )


def _total_cap(one: Considered, snapshot: Snapshot) -> str:
    return (
        f"all tokens count {number(one.total)} of max_notional_total {number(snapshot.policy.max_notional_total)}: "
        f"{_too_little(one.budget.notional, _share(one, snapshot), one, snapshot)}"
    )


def _daily_spend(one: Considered, snapshot: Snapshot) -> str:
    limit, today = snapshot.policy.max_daily_spend, snapshot.today
    assert limit is not None, "it is set, or this is not the reason"
    orders = (*snapshot.open_orders.values(), *snapshot.in_doubt.values())
    resting = sum((locked(each) for each in orders), ZERO)
    left = one.budget.day if one.budget.day is not None else left_today(snapshot.policy, today, resting)
    spent = number(ZERO if today is None else today.spent)
    return (
        f"{spent} pUSD are spent today and {number(resting)} may be by orders that rest; max_daily_spend is "
        f"{number(limit)}: {_too_little(left or ZERO, _price(one, snapshot), one, snapshot)}"
    )


def _no_cash(one: Considered, snapshot: Snapshot) -> str:
    cash, left = snapshot.cash or ZERO, one.budget.cash or ZERO
    return (
        f"of {number(cash)} pUSD {number(cash - left)} are spoken for, by orders and by larger gaps: "
        f"{_too_little(left, _price(one, snapshot), one, snapshot)}"
    )


def _no_book(one: Considered, _: Snapshot) -> str:
    if one.token.ref_price is None:
        return "there is no order book and no price is known: no cap could be kept"
    return f"nobody quotes it (the last known price is {number(one.token.ref_price)})"


def _crossed_book(one: Considered, _: Snapshot) -> str:
    book = one.token.book
    bid, ask = (None, None) if book is None else (book.best_bid, book.best_ask)
    return f"the bid {number(bid or ZERO)} is at or above the ask {number(ask or ZERO)}: such a book is not believed"


def _no_room(one: Considered, snapshot: Snapshot) -> str:
    book = one.token.book
    bid, ask = (None, None) if book is None else (book.best_bid, book.best_ask)
    tick = (book.tick_size if book is not None else None) or snapshot.policy.tick_size
    told = [f"{name} {number(price)}" for name, price in (("bid", bid), ("ask", ask)) if price is not None]
    return f"a {_side(one).value} has no price on the tick of {number(tick)} that would rest: {', '.join(told)}"


def _price_range(one: Considered, snapshot: Snapshot) -> str:
    low, high = snapshot.policy.min_open_price, snapshot.policy.max_open_price
    allowed = f"{'0' if low is None else number(low)} to {'1' if high is None else number(high)}"
    return f"we would buy at {number(_price(one, snapshot) or ZERO)}, and only prices from {allowed} are opened"


def _price_guard(one: Considered, snapshot: Snapshot) -> str:
    token, side = one.token, _side(one)
    price, now = _price(one, snapshot) or ZERO, current_price(token.book, token.mine, token.target) or ZERO
    verb, where = ("buy", "above") if side is Side.BUY else ("sell", "below")
    return (
        f"we would {verb} at {number(price)}, {number(abs(price - now))} {where} the current price {number(now)}: more "
        f"than max_price_deviation {number(snapshot.policy.max_price_deviation)}"
    )


def _dust(one: Considered, snapshot: Snapshot) -> str:
    token, band = one.token, number(snapshot.policy.deadband_shares)
    least = number(_least(one, snapshot))
    foreign = rests(snapshot.foreign_orders.get(token.token_id or "", ()), Side.SELL)
    if token.delta < 0 and token.lo - foreign < -token.delta:
        free = number(max(token.lo - foreign, ZERO))
        return f"{free} shares are free to be sold, less than the exchange's minimum of {least}"
    return (
        f"the gap of {number(abs(token.delta))} is smaller than the exchange's minimum of {least}, even with the "
        f"deadband of {band}"
    )


def _settling(one: Considered, snapshot: Snapshot) -> str:
    token = one.token
    if abs(token.delta) > snapshot.policy.deadband_shares:
        return "the order that is taken down may have filled before: what is left is decided when that is known"
    held = interval(token.lo, token.hi)
    return (
        f"the feed says {number(token.reported)}, but we may hold {held}: the gap may be closed already, so nothing is "
        "done until feed and fills agree"
    )


def _unconfirmed(one: Considered, snapshot: Snapshot) -> str:
    token, need = one.token, snapshot.policy.polls_to_shrink
    return (
        f"the leader's decrease (to a want of {number(token.latest)}) is sold once {need} polls agree; until then "
        f"up to {number(token.want_hi)} are wanted"
    )


def _in_band(one: Considered, snapshot: Snapshot) -> str:
    band = number(snapshot.policy.deadband_shares)
    return f"a gap of {number(abs(one.token.delta))} is inside the deadband of {band}: nothing is to be done"


def interval(lo: Decimal, hi: Decimal) -> str:
    """`60..80`, or the one number that it is."""
    return number(lo) if lo == hi else f"{number(lo)}..{number(hi)}"


REASONS: Mapping[Reason, Sentence] = {
    Reason.STOPPED: _stopped,
    Reason.SAFE_MODE: _safe_mode,
    Reason.BLACKLISTED: _blacklisted,
    Reason.COMBO: _combo,
    Reason.REDEEMABLE: _redeemable,
    Reason.UNRESOLVED: _unresolved,
    Reason.IN_DOUBT: _in_doubt,
    Reason.RESTING: _resting,
    Reason.REQUOTED: _requoted,
    Reason.QUOTED: _quoted_now,
    Reason.ON_HOLD: _on_hold,
    Reason.NOT_OURS: _not_ours,
    Reason.MARKET_DENIED: _market_denied,
    Reason.ENDS_SOON: _ends_soon,
    Reason.DAILY_LOSS: _daily_loss,
    Reason.TOKEN_CAP: _token_cap,
    Reason.TOTAL_CAP: _total_cap,
    Reason.DAILY_SPEND: _daily_spend,
    Reason.NO_CASH: _no_cash,
    Reason.NO_BOOK: _no_book,
    Reason.CROSSED_BOOK: _crossed_book,
    Reason.NO_ROOM: _no_room,
    Reason.PRICE_RANGE: _price_range,
    Reason.PRICE_GUARD: _price_guard,
    Reason.DUST: _dust,
    Reason.SETTLING: _settling,
    Reason.UNCONFIRMED: _unconfirmed,
    Reason.IN_BAND: _in_band,
}


# -- cancel reasons ---------------------------------------------------------------------------------------------------


def _expired(order: Order, _: Considered, snapshot: Snapshot) -> str:
    return f"{number(snapshot.now - order.ts)} s old, and order_ttl_sec is {number(snapshot.policy.order_ttl_sec)}"


def _wrong_side(_: Order, one: Considered, __: Snapshot) -> str:
    return f"it would widen the gap of {number(one.token.delta)}"


def _second_order(_: Order, one: Considered, __: Snapshot) -> str:
    return f"{len(one.token.live)} orders of ours rest there, and only the newest stays"


def _left_alone(_: Order, one: Considered, __: Snapshot) -> str:
    return f"the token is left alone ({one.reason.value})"


def _limit(order: Order, one: Considered, _: Snapshot) -> str:
    return f"a limit lets nothing be bought there now ({one.reason.value}), at {number(order.price)} or at all"


def _overshoot(order: Order, one: Considered, snapshot: Snapshot) -> str:
    gap, band = number(abs(one.token.delta)), number(snapshot.policy.deadband_shares)
    if abs(one.token.delta) <= snapshot.policy.deadband_shares:
        return f"the gap of {gap} is inside the deadband of {band}, so it would go past the want"
    return f"its rest of {number(order.rest)} is more than the gap of {gap} and the deadband of {band}"


CANCELS: Mapping[CancelReason, Callable[[Order, Considered, Snapshot], str]] = {
    CancelReason.STOPPED: lambda *_: "somebody has stopped everything (copytrade stop)",
    CancelReason.EXPIRED: _expired,
    CancelReason.WRONG_SIDE: _wrong_side,
    CancelReason.SECOND_ORDER: _second_order,
    CancelReason.BLACKLISTED: lambda *_: "it stands in blacklist_token_keys",
    CancelReason.LEFT_ALONE: _left_alone,
    CancelReason.LIMIT: _limit,
    CancelReason.OVERSHOOT: _overshoot,
}
