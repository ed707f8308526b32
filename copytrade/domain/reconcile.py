"""Turn the facts of one token into cancels, at most one new order, and a reason.

Rule 1: whatever may cancel or place is decided here; the executor only obeys.
Rule 2: cancels come before deadband, caps, cash and book, so that none of these can keep a stale order alive.
Rule 3: at most one order of ours on a token. While one rests, or may rest, no other is placed; a requote is sized as
        if the order that it replaces had filled, since a cancel can lose the race with a fill.
Rule 4: every token gets the first reason that applies, in the order of `Reason`.

Not here: the price (quote.py), what we may hold (exposure.py), what may be spent (risk.py, limits.py).
Read next: plan.py
"""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter

from copytrade.domain.amounts import CENT, clamped, floored
from copytrade.domain.limits import day_stops, market_stops, none_set, price_allowed
from copytrade.domain.model import (
    BUY,
    SELL,
    ZERO,
    Action,
    Cancel,
    CancelReason,
    Order,
    Place,
    Reason,
    Snapshot,
)
from copytrade.domain.policy import Policy
from copytrade.domain.quote import Quote, minimum_size, off_market, quote
from copytrade.domain.records import maker
from copytrade.domain.risk import NOTHING_SPENT, Budget, counted_price, current_price, delta, new_budget, risk_check
from copytrade.domain.tokens import Token, locked, rests

# The answer for one token: actions, the reason, and what it takes of the budget that all tokens share.
Answer = tuple[tuple[Action, ...], Reason, Budget]

new_cancel = maker(Cancel)
new_place = maker(Place)


def expired(order: Order, now: Decimal, policy: Policy) -> bool:
    """Older than the ttl. The one reason to cancel that needs no other fact, so it holds in safe mode too."""
    return now - order.ts > policy.order_ttl_sec


def cancel_expired(token: Token, now: Decimal, policy: Policy) -> tuple[Cancel, ...]:
    """The cancels of a cycle on incomplete facts, or on a token that nothing else knows."""
    return tuple(_cancel(token, order, CancelReason.EXPIRED) for order in token.live if expired(order, now, policy))


def cancel_all(token: Token) -> tuple[Cancel, ...]:
    """The cancels of a cycle that was told to stop everything."""
    return tuple(_cancel(token, order, CancelReason.STOPPED) for order in token.live)


def reconcile_one(token: Token, budget: Budget, snapshot: Snapshot, *, total: Decimal = ZERO) -> Answer:
    """Decide one token. `budget` is left for all tokens together, which count `total` pUSD under the total cap."""
    now, policy = snapshot.now, snapshot.policy
    if token.token_key is None:
        return cancel_expired(token, now, policy), Reason.UNRESOLVED, NOTHING_SPENT

    # Step 1: cancels. Below here no stale order is in hand.
    cancels: tuple[Cancel, ...] = ()
    cancelled: tuple[Order, ...] = ()
    if token.live and (cancels := _stale(token, budget, snapshot)):
        dead = {cancel.order_id for cancel in cancels}
        cancelled = tuple([order for order in token.live if order.order_id in dead])
    if token.left_alone is not None:
        return cancels, token.left_alone, NOTHING_SPENT

    # Step 2: the band.
    if abs(token.delta) <= policy.deadband_shares:
        return cancels, reason_in_band(token, policy), NOTHING_SPENT

    # Step 3: one active order. Whatever may still fill is in the way, or is counted as filled.
    if token.may_rest:
        return cancels, Reason.IN_DOUBT, NOTHING_SPENT
    if len(cancelled) < len(token.live):
        return cancels, Reason.RESTING, NOTHING_SPENT
    if now < snapshot.holds.get(token.token_key, now):
        return cancels, Reason.ON_HOLD, NOTHING_SPENT
    if token.not_ours(policy):
        return cancels, Reason.NOT_OURS, NOTHING_SPENT
    if token.delta > 0 and (stopped := _growth_stops(token, budget, snapshot)) is not None:
        return cancels, stopped, NOTHING_SPENT
    lo, hi, gap = token.lo, token.hi, token.delta
    if cancelled:
        lo, hi = max(lo - rests(cancelled, SELL), ZERO), hi + rests(cancelled, BUY)
        gap = delta(token.want_lo, token.want_hi, lo, hi)
        if abs(gap) <= policy.deadband_shares or (gap > 0) is not (token.delta > 0):
            return cancels, Reason.SETTLING, NOTHING_SPENT
        if gap < 0 and token.want_hi == 0:
            # The rest of a sale to nothing must be big enough to be sold: wait until we know what is left. (DESIGN 5)
            return cancels, Reason.SETTLING, NOTHING_SPENT

    # Steps 4 and 5: how much, at which price.
    side = BUY if gap > 0 else SELL
    if side is BUY and token.ref_price is None:
        # Nobody knows what a share is worth, so no cap can be kept.
        return cancels, Reason.NO_BOOK, NOTHING_SPENT
    quoted = quote(side, token.book, policy)
    price = quoted.price if isinstance(quoted, Quote) else token.ref_price
    least = minimum_size(token.book, quoted if isinstance(quoted, Quote) else None)
    freed = locked(cancelled) if cancelled else ZERO  # cash that this plan's cancels set free, for this token only
    share = counted_price(token.cap_price)
    if side is BUY:
        sized = _bought(token, gap, hi, budget.plus_cash(freed), price, least, policy)
    else:
        sized = _sold(token, gap, lo, least, snapshot)
    if not isinstance(sized, Decimal) and sized is not Reason.DUST:
        return cancels, sized, NOTHING_SPENT
    if not isinstance(quoted, Quote):
        return cancels, quoted, NOTHING_SPENT
    if side is BUY and not price_allowed(quoted.price, policy):
        return cancels, Reason.PRICE_RANGE, NOTHING_SPENT
    if off_market(side, quoted.price, current_price(token.book, token.mine, token.target), policy):
        return cancels, Reason.PRICE_GUARD, NOTHING_SPENT
    if not isinstance(sized, Decimal):
        return cancels, sized, NOTHING_SPENT

    spent = NOTHING_SPENT
    if side is BUY:
        allowed, veto = risk_check(
            token.token_key,
            hi + sized,
            hi,
            share,
            total_notional=total,
            policy=policy,
        )
        if not allowed:
            assert veto is not None
            return cancels, veto, NOTHING_SPENT
        cost = sized * quoted.price
        spent = new_budget(
            notional=sized * max(share, quoted.price), cash=max(cost - freed, ZERO) if cancelled else cost, day=cost
        )
    assert token.token_id is not None, "a token without an id was left alone above"
    place = new_place(
        token_key=token.token_key,
        token_id=token.token_id,
        side=side,
        price=quoted.price,
        size=sized,
        tick_size=quoted.tick_size,
        post_only=quoted.post_only,
    )
    return (*cancels, place), Reason.REQUOTED if cancelled else Reason.QUOTED, spent


def _cancel(token: Token, order: Order, reason: CancelReason) -> Cancel:
    assert token.token_id is not None, "an order of ours always has its token id"
    return new_cancel(token_key=token.token_key, token_id=token.token_id, order_id=order.order_id, reason=reason)


def _growth_stops(token: Token, budget: Budget, snapshot: Snapshot) -> Reason | None:
    """Why a limit lets nothing be bought of the token, whatever the gap and the price."""
    if none_set(snapshot.policy):
        return None
    market = market_stops((token.mine, token.target), snapshot.now, snapshot.policy)
    return market or day_stops(snapshot.policy, snapshot.today, budget.day)


def _stale(token: Token, budget: Budget, snapshot: Snapshot) -> tuple[Cancel, ...]:
    """Every live order that must go, with the first reason for it."""
    orders, newest = token.live, token.live[0]
    if len(orders) > 1:
        orders, newest = tuple(sorted(orders, key=_id)), max(orders, key=_age)
    cancels = []
    for order in orders:
        reason = _why_stale(order, order is newest, token, budget, snapshot)
        if reason is not None:
            cancels.append(_cancel(token, order, reason))
    return tuple(cancels)


_age, _id = attrgetter("ts", "order_id"), attrgetter("order_id")


def _why_stale(order: Order, newest: bool, token: Token, budget: Budget, snapshot: Snapshot) -> CancelReason | None:
    policy, gap = snapshot.policy, token.delta
    if expired(order, snapshot.now, policy):
        return CancelReason.EXPIRED
    if (gap < ZERO) if order.side is BUY else (gap > ZERO):
        return CancelReason.WRONG_SIDE
    if not newest:
        return CancelReason.SECOND_ORDER
    if token.left_alone is not None:
        return CancelReason.BLACKLISTED if token.left_alone is Reason.BLACKLISTED else CancelReason.LEFT_ALONE
    if token.not_ours(policy):
        return CancelReason.LEFT_ALONE
    if order.side is BUY and (_growth_stops(token, budget, snapshot) or not price_allowed(order.price, policy)):
        return CancelReason.LIMIT
    if abs(gap) <= policy.deadband_shares or order.rest > abs(gap) + policy.deadband_shares:
        return CancelReason.OVERSHOOT
    return None


def reason_in_band(token: Token, policy: Policy) -> Reason:
    """Why nothing is to be done although, by one of the numbers, something might seem to be."""
    band, reported = policy.deadband_shares, token.reported
    if token.latest is token.want_hi and token.lo is reported and token.hi is reported:
        return Reason.IN_BAND  # nothing is capped, unconfirmed or unsure: each gap below is the one that is in the band
    gap_to_reported = token.want_lo - reported > band or reported - token.want_hi > band
    if gap_to_reported and token.may_rest:
        return Reason.IN_DOUBT
    if token.uncapped_lo - token.hi > band:
        return Reason.TOKEN_CAP
    if gap_to_reported:
        return Reason.SETTLING
    if token.lo - token.latest > band:
        return Reason.UNCONFIRMED
    return Reason.IN_BAND


def _sliced(gap: Decimal, policy: Policy) -> Decimal:
    return floored(clamped(abs(gap), policy.slice_min, policy.slice_max))


def _bought(
    token: Token,
    gap: Decimal,
    hi: Decimal,
    budget: Budget,
    price: Decimal | None,
    least: Decimal,
    policy: Policy,
) -> Decimal | Reason:
    """The size of a BUY: a slice of the gap, cut to what caps and cash leave, raised to the exchange's minimum."""
    sized = _sliced(gap, policy)
    if sized < least:
        sized = least
        if sized > gap + policy.deadband_shares:
            return Reason.DUST
    # The limits, in the order of their reasons. What is there counts at the cap price, the new order at its own where
    # that is more: one that takes pays more than the middle of the book.
    share = counted_price(token.cap_price)
    new = share if price is None or price <= share else price
    sized = _affordable(sized, new, policy.max_notional_per_token - hi * share)
    if sized < least:
        return Reason.TOKEN_CAP
    sized = _affordable(sized, new, budget.notional)
    if sized < least:
        return Reason.TOTAL_CAP
    if budget.day is not None and price is not None:
        sized = _affordable(sized, price, budget.day)
        if sized < least:
            return Reason.DAILY_SPEND
    if budget.cash is not None and price is not None:
        sized = _affordable(sized, price, budget.cash)
        if sized < least:
            return Reason.NO_CASH
    return sized


def _affordable(sized: Decimal, price: Decimal, left: Decimal) -> Decimal:
    """`sized`, or as many shares as `left` pUSD are enough for."""
    return sized if sized * price <= left else floored(left / price)


def _sold(token: Token, gap: Decimal, lo: Decimal, least: Decimal, snapshot: Snapshot) -> Decimal | Reason:
    """The size of a SELL: a slice of the gap, at most what is surely there, never leaving a rest that can't be sold."""
    policy = snapshot.policy
    foreign = rests(snapshot.foreign_orders.get(token.token_id or "", ()), SELL)
    available = max(lo - token.unsure - foreign, ZERO)
    sized = min(_sliced(gap, policy), floored(available))
    if sized < least:
        sized = least
        if sized > min(-gap + policy.deadband_shares, available):
            return Reason.DUST
    if token.want_hi == 0 and CENT <= available - sized < least:
        shortened = floored(available - least)
        sized = shortened if shortened >= least else floored(available)
    return sized
