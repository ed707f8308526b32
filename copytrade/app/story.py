"""One cycle as a person looks at it: a row for each token with its numbers, what matters first, and the sums.

Pure, and made of public facts: a snapshot, its plan and what came of it. So the live view of a run, and `copytrade
status` from a journal line, show the very same.

Not here: the words of a reason with its numbers (explaining.py), columns and colours (cli/).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from attrs import frozen

from copytrade.app.outcomes import Result
from copytrade.domain.desired import poll_of
from copytrade.domain.model import (
    LEFT_ALONE,
    ZERO,
    Decision,
    Order,
    OrderId,
    Place,
    Plan,
    Reason,
    Side,
    Snapshot,
    TokenId,
    TokenKey,
)
from copytrade.domain.policy import COPIED
from copytrade.domain.risk import cap_price, counted_price
from copytrade.domain.tokens import locked, rests

# What came of a place: then there is an order that rests, or may.
_MAY_REST = frozenset({"accepted", "unknown"})


@frozen(kw_only=True)
class Row:
    """One token. Sizes are shares, prices pUSD per share."""

    token_key: TokenKey | None
    token_id: TokenId | None
    title: str
    target: Decimal  # what he holds; 0 where he is not listed with it
    want_lo: Decimal
    want_hi: Decimal
    lo: Decimal
    hi: Decimal
    gap: Decimal
    reason: Reason
    price: Decimal | None
    orders: tuple[Order, ...] = ()  # ours that rest, or may, once the cycle is over
    hold_until: Decimal | None = None
    trouble: str = ""  # why an order was refused or is in doubt
    redeemable: bool = False  # resolved, and ours to redeem
    target_known: bool = True  # False: his positions could not be read, or may lack rows
    hold_known: bool = True
    gap_since: Decimal | None = None  # since when it is out of the band, where that was written down


@frozen(kw_only=True)
class Sums:
    """What all tokens together take of what there is, in pUSD."""

    cash: Decimal | None  # collateral; None = not known (a dry run)
    cash_free: Decimal | None  # less what resting BUYs lock
    counted: Decimal  # under max_notional_total
    cap: Decimal


def rows_of(
    snapshot: Snapshot,
    plan: Plan,
    results: Collection[Result] = (),
    gap_since: Mapping[TokenKey, Decimal] | None = None,
) -> tuple[Row, ...]:
    """A row for each decision, what matters first."""
    titles = {row.token_key: row.title for row in (*snapshot.target.positions, *snapshot.mine.positions) if row.title}
    target, mine = poll_of(snapshot.target), {row.token_key: row for row in snapshot.mine.positions}
    orders = _orders_after(snapshot, plan, results)
    troubles = {one.token_id: one.words or one.outcome for one in results if one.outcome in ("refused", "unknown")}
    rows = [
        Row(
            token_key=one.token_key,
            token_id=one.token_id,
            title=titles.get(one.token_key or "", ""),
            target=target.get(one.token_key or "", ZERO),
            want_lo=one.want_lo,
            want_hi=one.want_hi,
            lo=one.lo,
            hi=one.hi,
            gap=one.delta,
            reason=one.reason,
            price=one.ref_price,
            orders=orders.get(one.token_id or "", ()),
            hold_until=snapshot.holds.get(one.token_key or ""),
            trouble=troubles.get(one.token_id or "", ""),
            redeemable=(held := mine.get(one.token_key or "")) is not None and held.redeemable and held.size > 0,
            target_known=snapshot.target.complete,
            hold_known=snapshot.mine.complete,
            gap_since=(gap_since or {}).get(one.token_key or ""),
        )
        for one in plan.decisions
    ]
    return tuple(sorted(rows, key=_importance))


def sums_of(snapshot: Snapshot, plan: Plan) -> Sums:
    """What was taken before the plan's own orders."""
    mine = {row.token_key: row for row in snapshot.mine.positions}
    spoken_for = (snapshot.open_orders, snapshot.in_doubt, snapshot.foreign_orders)
    taken = sum((locked(orders) for kind in spoken_for for orders in kind.values()), ZERO)
    counted, copied = ZERO, snapshot.policy.manage_holdings == COPIED
    for one in plan.decisions:
        if one.reason in (Reason.COMBO, Reason.REDEEMABLE, Reason.NOT_OURS):
            continue
        key, live = one.token_key or "", snapshot.open_orders.get(one.token_id or "", ())
        ours = (*live, *snapshot.in_doubt.get(one.token_id or "", ()))
        ledger, held = snapshot.ledgers.get(key), one.hi + rests(live, Side.BUY)
        if copied and not ours and one.reason not in LEFT_ALONE and (ledger is None or not ledger.ours):
            held = min(held, one.want_hi + snapshot.policy.deadband_shares)  # as plan() has it
        counted += held * counted_price(cap_price(one.ref_price, mine.get(key), ledger, ours))
    return Sums(
        cash=snapshot.cash,
        cash_free=None if snapshot.cash is None else max(snapshot.cash - taken, ZERO),
        counted=counted,
        cap=snapshot.policy.max_notional_total,
    )


def day_limits(snapshot: Snapshot) -> str:
    """What is left of the limits of a day, in words; nothing where none is set."""
    policy, today = snapshot.policy, snapshot.today
    spent, result = (ZERO, ZERO) if today is None else (today.spent, today.result)
    words = []
    if policy.max_daily_spend is not None:
        words.append(f"{spent:,.2f} of {policy.max_daily_spend:,.2f} spent")
    if policy.max_daily_loss is not None:
        words.append(f"result {result:,.2f}, buying stops at -{policy.max_daily_loss:,.2f}")
    return f"limits of the day: {', '.join(words)}" if words else ""


def outside_band(decisions: Iterable[Decision], snapshot: Snapshot) -> int:
    """How many tokens that may be traded are outside the deadband."""
    band = snapshot.policy.deadband_shares
    return sum(1 for one in decisions if abs(one.delta) > band and one.reason not in LEFT_ALONE)


def _orders_after(snapshot: Snapshot, plan: Plan, results: Collection[Result]) -> Mapping[TokenId, tuple[Order, ...]]:
    """Our orders that rest or may rest when the cycle is over: the same as before, less the cancelled, and the new."""
    down = {one.order_id for one in results if one.action == "cancel" and one.outcome == "confirmed"}
    orders: dict[TokenId, dict[OrderId, Order]] = {}
    for kind in (snapshot.in_doubt, snapshot.open_orders):
        for token_id, of_it in kind.items():
            for order in of_it:
                if order.order_id not in down and not order.gone:
                    orders.setdefault(token_id, {})[order.order_id] = order
    ids = {one.token_id: one.order_id for one in results if one.action == "place" and one.outcome in _MAY_REST}
    for action in plan.actions:
        if isinstance(action, Place) and (order_id := ids.get(action.token_id)):
            placed = Order(
                order_id=order_id, side=action.side, price=action.price, size=action.size, ts=max(snapshot.now, ZERO)
            )
            orders.setdefault(action.token_id, {})[order_id] = placed
    return {token_id: tuple(of_it.values()) for token_id, of_it in orders.items()}


_QUIET = frozenset({Reason.IN_BAND, *LEFT_ALONE} - {Reason.UNRESOLVED})


def _importance(row: Row) -> tuple[int, Decimal, str]:
    """Trouble, then what is being traded, what should be and is not, what is to be redeemed, and the rest."""
    if row.trouble or row.reason is Reason.IN_DOUBT:
        group = 0
    elif row.orders:
        group = 1
    elif row.reason not in _QUIET:
        group = 2
    elif row.redeemable:
        group = 3
    elif row.reason is Reason.IN_BAND:
        group = 4
    else:
        group = 5
    worth = row.price if row.price is not None else Decimal(1)
    held = row.hi * worth if group > 2 else ZERO  # a gap matters before a holding
    return group, -(abs(row.gap) * worth + held), row.token_key or ""
