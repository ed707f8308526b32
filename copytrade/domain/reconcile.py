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

from attrs import frozen

from copytrade.domain.amounts import CENT, floored
from copytrade.domain.desired import Want
from copytrade.domain.exposure import new_exposure
from copytrade.domain.limits import day_stops, market_stops, price_allowed
from copytrade.domain.model import (
    BUY,
    SELL,
    ZERO,
    Action,
    Book,
    Cancel,
    CancelReason,
    Exposure,
    Order,
    Place,
    Position,
    Reason,
    Side,
    Snapshot,
    TokenId,
    TokenKey,
)
from copytrade.domain.policy import COPIED, Policy
from copytrade.domain.quote import Quote, minimum_size, off_market, quote
from copytrade.domain.records import trusted
from copytrade.domain.risk import NOTHING_SPENT, Budget, counted_price, current_price, delta, new_budget, risk_check


@frozen(kw_only=True, weakref_slot=False)
class Token:
    """What is known of one token when it is decided upon; what few tokens need is asked of the snapshot."""

    token_key: TokenKey | None  # None: nothing but a live order of ours knows the token
    token_id: TokenId | None
    left_alone: Reason | None = None  # BLACKLISTED, COMBO, REDEEMABLE or UNRESOLVED: whatever the numbers say
    mine: Position | None = None  # as the positions feed reports it
    target: Position | None = None
    book: Book | None = None
    live: tuple[Order, ...] = ()
    doubts: tuple[Order, ...] = ()
    want: Want  # before any cap
    want_lo: Decimal  # under the token's cap
    want_hi: Decimal
    held: Exposure
    delta: Decimal  # how far `held` is outside of want under the cap
    ref_price: Decimal | None = None
    cap_price: Decimal | None = None

    @property
    def reported(self) -> Decimal:
        """Our shares, by the positions feed."""
        return ZERO if self.mine is None else self.mine.size

    @property
    def desired(self) -> Decimal:
        """The end of want that is nearer to the reported size, `want_lo` on a tie."""
        if self.want_hi is self.want_lo:
            return self.want_lo
        to_lo, to_hi = abs(self.reported - self.want_lo), abs(self.reported - self.want_hi)
        return self.want_hi if to_hi < to_lo else self.want_lo

    @property
    def may_rest(self) -> bool:
        """True while an order in doubt may still be in the book."""
        return bool(self.doubts) and any(not order.gone for order in self.doubts)

    def not_ours(self, snapshot: Snapshot) -> bool:
        """True where a sale would be due of what we have never traded, and `manage_holdings` keeps us off that."""
        return (
            snapshot.policy.manage_holdings == COPIED
            and self.left_alone is None
            and self.token_key not in snapshot.ledgers
            and self.delta < -snapshot.policy.deadband_shares
        )


@frozen(kw_only=True, weakref_slot=False)
class Reconciled:
    """The answer for one token, and what it takes of the budget that all tokens share."""

    actions: tuple[Action, ...]
    reason: Reason
    spent: Budget = NOTHING_SPENT


new_token = trusted(Token)
answered = trusted(Reconciled)


def rests(orders: tuple[Order, ...], side: Side) -> Decimal:
    """The shares of these orders on `side` that are not matched yet."""
    return sum((order.rest for order in orders if order.side is side), ZERO) if orders else ZERO


def locked(orders: tuple[Order, ...]) -> Decimal:
    """The pUSD that these orders keep from being spent twice: rest x price of the BUYs."""
    return sum((order.rest * order.price for order in orders if order.side is BUY), ZERO)


def expired(order: Order, now: Decimal, policy: Policy) -> bool:
    """Older than the ttl. The one reason to cancel that needs no other fact, so it holds in safe mode too."""
    return now - order.ts > policy.order_ttl_sec


def cancel_expired(token: Token, now: Decimal, policy: Policy) -> tuple[Cancel, ...]:
    """The cancels of a cycle on incomplete facts, or on a token that nothing else knows."""
    return tuple(_cancel(token, order, CancelReason.EXPIRED) for order in token.live if expired(order, now, policy))


def cancel_all(token: Token) -> tuple[Cancel, ...]:
    """The cancels of a cycle that was told to stop everything."""
    return tuple(_cancel(token, order, CancelReason.STOPPED) for order in token.live)


def reconcile_one(token: Token, budget: Budget, snapshot: Snapshot, *, total: Decimal = ZERO) -> Reconciled:
    """Decide one token. `budget` is left for all tokens together, which count `total` pUSD under the total cap."""
    now, policy = snapshot.now, snapshot.policy
    if token.token_key is None:
        return answered(actions=cancel_expired(token, now, policy), reason=Reason.UNRESOLVED)

    # Step 1: cancels. Below here no stale order is in hand.
    cancels: tuple[Cancel, ...] = ()
    cancelled: tuple[Order, ...] = ()
    stopped = _growth_stops(token, budget, snapshot) if token.delta > 0 or token.live else None
    if token.live:
        cancels = _stale(token, snapshot, stopped)
        dead = {cancel.order_id for cancel in cancels}
        cancelled = tuple(order for order in token.live if order.order_id in dead)
    if token.left_alone is not None:
        return answered(actions=cancels, reason=token.left_alone)

    # Step 2: the band.
    if abs(token.delta) <= policy.deadband_shares:
        return answered(actions=cancels, reason=_reason_in_band(token, policy))

    # Step 3: one active order. Whatever may still fill is in the way, or is counted as filled.
    if token.may_rest:
        return answered(actions=cancels, reason=Reason.IN_DOUBT)
    if len(cancelled) < len(token.live):
        return answered(actions=cancels, reason=Reason.RESTING)
    if now < snapshot.holds.get(token.token_key, now):
        return answered(actions=cancels, reason=Reason.ON_HOLD)
    if token.not_ours(snapshot):
        return answered(actions=cancels, reason=Reason.NOT_OURS)
    if token.delta > 0 and stopped is not None:
        return answered(actions=cancels, reason=stopped)
    worst, gap = token.held, token.delta
    if cancelled:
        worst = new_exposure(
            lo=max(token.held.lo - rests(cancelled, SELL), ZERO), hi=token.held.hi + rests(cancelled, BUY)
        )
        gap = delta(token.want_lo, token.want_hi, worst)
        if abs(gap) <= policy.deadband_shares or (gap > 0) is not (token.delta > 0):
            return answered(actions=cancels, reason=Reason.SETTLING)
        if gap < 0 and token.want_hi == 0:
            # The rest of a sale to nothing must be big enough to be sold: wait until we know what is left. (DESIGN 5)
            return answered(actions=cancels, reason=Reason.SETTLING)

    # Steps 4 and 5: how much, at which price.
    side = BUY if gap > 0 else SELL
    if side is BUY and token.ref_price is None:
        # Nobody knows what a share is worth, so no cap can be kept.
        return answered(actions=cancels, reason=Reason.NO_BOOK)
    quoted = quote(side, token.book, policy)
    price = quoted.price if isinstance(quoted, Quote) else token.ref_price
    least = minimum_size(token.book, quoted if isinstance(quoted, Quote) else None)
    freed = _freed(token, cancelled) if cancelled else NOTHING_SPENT
    if side is BUY:
        sized = _bought(token, gap, budget, freed, price, least, policy)
    else:
        sized = _sold(token, gap, worst, least, snapshot)
    if isinstance(sized, Reason) and sized is not Reason.DUST:
        return answered(actions=cancels, reason=sized)
    if isinstance(quoted, Reason):
        return answered(actions=cancels, reason=quoted)
    if side is BUY and not price_allowed(quoted.price, policy):
        return answered(actions=cancels, reason=Reason.PRICE_RANGE)
    if off_market(side, quoted.price, current_price(token.book, token.mine, token.target), policy):
        return answered(actions=cancels, reason=Reason.PRICE_GUARD)
    if isinstance(sized, Reason):
        return answered(actions=cancels, reason=sized)

    spent = NOTHING_SPENT
    if side is BUY:
        share = counted_price(token.cap_price)
        allowed, veto = risk_check(
            token.token_key,
            token.held.hi + sized,
            token.held.hi,
            share,
            total_notional=total - freed.notional,
            policy=policy,
        )
        if not allowed:
            assert veto is not None
            return answered(actions=cancels, reason=veto)
        spent = new_budget(
            notional=max(sized * share - freed.notional, ZERO),
            cash=max(sized * quoted.price - (freed.cash or ZERO), ZERO),
            day=sized * quoted.price,
        )
    assert token.token_id is not None, "a token without an id was left alone above"
    place = Place(
        token_key=token.token_key,
        token_id=token.token_id,
        side=side,
        price=quoted.price,
        size=sized,
        tick_size=quoted.tick_size,
        post_only=quoted.post_only,
    )
    reason = Reason.REQUOTED if cancelled else Reason.QUOTED
    return answered(actions=(*cancels, place), reason=reason, spent=spent)


def _cancel(token: Token, order: Order, reason: CancelReason) -> Cancel:
    assert token.token_id is not None, "an order of ours always has its token id"
    return Cancel(token_key=token.token_key, token_id=token.token_id, order_id=order.order_id, reason=reason)


def _growth_stops(token: Token, budget: Budget, snapshot: Snapshot) -> Reason | None:
    """Why a limit lets nothing be bought of the token, whatever the gap and the price."""
    market = market_stops((token.mine, token.target), snapshot.now, snapshot.policy)
    return market or day_stops(snapshot.policy, snapshot.today, budget.day)


def _stale(token: Token, snapshot: Snapshot, stopped: Reason | None) -> tuple[Cancel, ...]:
    """Every live order that must go, with the first reason for it. `stopped` is why nothing may be bought."""
    now, policy = snapshot.now, snapshot.policy
    newest = max(token.live, key=lambda order: (order.ts, order.order_id))
    in_band = abs(token.delta) <= policy.deadband_shares
    if token.left_alone is Reason.BLACKLISTED:
        hands_off = CancelReason.BLACKLISTED
    elif token.left_alone is not None or token.not_ours(snapshot):
        hands_off = CancelReason.LEFT_ALONE
    else:
        hands_off = None

    def why(order: Order) -> CancelReason | None:
        if expired(order, now, policy):
            return CancelReason.EXPIRED
        if (token.delta < 0) if order.side is BUY else (token.delta > 0):
            return CancelReason.WRONG_SIDE
        if order is not newest:
            return CancelReason.SECOND_ORDER
        if hands_off is not None:
            return hands_off
        if order.side is BUY and (stopped is not None or not price_allowed(order.price, policy)):
            return CancelReason.LIMIT
        if in_band or order.rest > abs(token.delta) + policy.deadband_shares:
            return CancelReason.OVERSHOOT
        return None

    reasons = [(order, why(order)) for order in sorted(token.live, key=lambda order: order.order_id)]
    return tuple(_cancel(token, order, reason) for order, reason in reasons if reason is not None)


def _reason_in_band(token: Token, policy: Policy) -> Reason:
    """Why nothing is to be done although, by one of the numbers, something might seem to be."""
    band = policy.deadband_shares
    gap_to_reported = token.want_lo - token.reported > band or token.reported - token.want_hi > band
    if gap_to_reported and token.may_rest:
        return Reason.IN_DOUBT
    if token.want.lo - token.held.hi > band:
        return Reason.TOKEN_CAP
    if gap_to_reported:
        return Reason.SETTLING
    if token.held.lo - token.want.latest > band:
        return Reason.UNCONFIRMED
    return Reason.IN_BAND


def _freed(token: Token, cancelled: tuple[Order, ...]) -> Budget:
    """What the orders that are cancelled in this plan set free, for this token and no other."""
    return new_budget(
        notional=rests(cancelled, BUY) * counted_price(token.cap_price),
        cash=locked(cancelled),
    )


def _sliced(gap: Decimal, policy: Policy) -> Decimal:
    return floored(min(max(abs(gap), policy.slice_min), policy.slice_max))


def _bought(
    token: Token,
    gap: Decimal,
    budget: Budget,
    freed: Budget,
    price: Decimal | None,
    least: Decimal,
    policy: Policy,
) -> Decimal | Reason:
    """The size of a BUY: a slice of the gap, cut to what caps and cash leave, raised to the exchange's minimum."""
    sized = _sliced(gap, policy)
    raised = max(sized, least)
    if sized < least and raised > gap + policy.deadband_shares:
        return Reason.DUST
    limits = _limits(token, budget, freed, price, policy)
    for reason, limit in limits:
        if limit < least:
            return reason
    return min([raised if sized < least else sized, *(limit for _, limit in limits)])


def _limits(
    token: Token, budget: Budget, freed: Budget, price: Decimal | None, policy: Policy
) -> list[tuple[Reason, Decimal]]:
    """How many shares each limit leaves, in the order of their reasons. The caps keep the plain `hi` (DESIGN 5, 3)."""
    share = counted_price(token.cap_price)
    limits = [
        (Reason.TOKEN_CAP, floored(policy.max_notional_per_token / share - token.held.hi)),
        (Reason.TOTAL_CAP, floored((budget.notional + freed.notional) / share)),
    ]
    if budget.day is not None and price is not None:
        limits.append((Reason.DAILY_SPEND, floored(budget.day / price)))
    if budget.cash is not None and price is not None:
        limits.append((Reason.NO_CASH, floored((budget.cash + (freed.cash or ZERO)) / price)))
    return limits


def _sold(token: Token, gap: Decimal, worst: Exposure, least: Decimal, snapshot: Snapshot) -> Decimal | Reason:
    """The size of a SELL: a slice of the gap, at most what is surely there, never leaving a rest that can't be sold."""
    policy = snapshot.policy
    foreign = rests(snapshot.foreign_orders.get(token.token_id or "", ()), SELL)
    available = max(worst.lo - token.held.unsure - foreign, ZERO)
    sized = min(_sliced(gap, policy), floored(available))
    if sized < least:
        sized = least
        if sized > min(-gap + policy.deadband_shares, available):
            return Reason.DUST
    if token.want_hi == 0 and CENT <= available - sized < least:
        shortened = floored(available - least)
        sized = shortened if shortened >= least else floored(available)
    return sized
