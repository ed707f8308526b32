"""What came of a plan, as records: results, fills, the whole cycle; and what ends a run.

Pure. Not here: who sends what, and when (executing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from attrs import field, frozen

from copytrade.app.ports import PostAnswer, Refusal, SignedOrder
from copytrade.domain.memory import Memory, OwnOrder
from copytrade.domain.model import (
    LEFT_ALONE,
    ZERO,
    Cancel,
    Decision,
    OrderId,
    Place,
    Plan,
    Side,
    Snapshot,
    TokenId,
    TokenKey,
)
from copytrade.domain.policy import COPIED
from copytrade.errors import RefusedToStart


class AccountRefused(RefusedToStart):
    """The exchange refuses this account or this client altogether: the run must not go on (exit code 3)."""


class NotApproved(RefusedToStart):
    """A live start would sell or reduce what the wallet holds, and nobody said yes."""


@frozen(kw_only=True)
class Result:
    """What became of one action: `outcome` is confirmed, unconfirmed, accepted, refused, unknown, dropped or dry."""

    action: str  # "cancel" or "place"
    token_key: TokenKey | None
    token_id: TokenId
    outcome: str
    order_id: OrderId | None = None
    words: str = ""


@frozen(kw_only=True)
class OwnFill:
    """A fill of ours that this cycle learned of; shares < 0 take back a trade that failed."""

    order_id: OrderId
    token_key: TokenKey
    side: Side
    price: Decimal
    shares: Decimal


@frozen(kw_only=True)
class Cycle:
    """Everything that happened in one cycle, for the journal and for people."""

    number: int
    snapshot: Snapshot
    plan: Plan
    results: tuple[Result, ...]
    fills: tuple[OwnFill, ...]
    warnings: tuple[str, ...]
    started_at: Decimal
    ended_at: Decimal
    titles: Mapping[TokenKey, str] = field(factory=dict)


def sales(plan_: Plan, snapshot: Snapshot) -> tuple[Decision, ...]:
    """The decisions that would sell or reduce what the wallet holds, now or in the cycles that follow."""
    policy, ledgers = snapshot.policy, snapshot.ledgers
    ours = {key for key, ledger in ledgers.items() if ledger.ours} if policy.manage_holdings == COPIED else None
    return tuple(
        one
        for one in plan_.decisions
        if one.delta < -policy.deadband_shares
        and one.reason not in LEFT_ALONE
        and (ours is None or one.token_key in ours)
    )


def largest_first(places: Iterable[Place], decisions: Iterable[Decision]) -> list[Place]:
    """The largest gaps in pUSD first: where the exchange's order limit makes us wait, they wait least."""
    gaps = {one.token_key: abs(one.delta) * (one.ref_price or ZERO) for one in decisions}
    return sorted(places, key=lambda place: (-gaps.get(place.token_key, ZERO), place.token_key))


def intent(place: Place, order: SignedOrder, now: Decimal) -> OwnOrder:
    """The order as it is remembered before it is posted."""
    return OwnOrder(
        order_id=order.order_id,
        token_key=place.token_key,
        token_id=place.token_id,
        side=place.side,
        price=place.price,
        size=place.size,
        ts=now,
        expiration=Decimal(order.expiration),
    )


def new_fills(before: Memory, after: Memory) -> Iterable[OwnFill]:
    """What one transition learned. An order that it dropped has no part in the sums any more: that was taken back."""
    for order_id, known in before.orders.items():
        order = after.orders.get(order_id)
        shares = -known.unfolded if order is None else order.filled - known.filled
        if shares != 0:
            yield OwnFill(
                order_id=order_id, token_key=known.token_key, side=known.side, price=known.price, shares=shares
            )


def result_of(place: Place, outcome: str, *, order_id: OrderId | None = None, words: str = "") -> Result:
    """What became of a place."""
    return Result(
        action="place",
        token_key=place.token_key,
        token_id=place.token_id,
        outcome=outcome,
        order_id=order_id,
        words=words,
    )


def result_of_cancel(cancel: Cancel, outcome: str, words: str = "") -> Result:
    """What became of a cancel."""
    return Result(
        action="cancel",
        token_key=cancel.token_key,
        token_id=cancel.token_id,
        outcome=outcome,
        order_id=cancel.order_id,
        words=words,
    )


def dry(action: Cancel | Place) -> Result:
    """What a dry run does with an action: nothing."""
    match action:
        case Cancel():
            return result_of_cancel(action, "dry")
        case Place():
            return result_of(action, "dry")


def fatal(answer: PostAnswer) -> AccountRefused:
    """What ends the run when the exchange takes none of our orders any more, and what to do about it."""
    if answer.refusal is Refusal.CLIENT:
        return AccountRefused(f"the exchange does not take this client's orders ({answer.words}): update copytrade")
    return AccountRefused(
        f"the exchange refuses this account ({answer.words}): nothing more is sent. Check at the exchange that it may "
        "trade from here, and that my_address and signature_type belong to the signing key"
    )
