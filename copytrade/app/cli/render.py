"""The screen of a plan: the answer first, then a line for each token with its reason, in 80 columns.

The same facts as the JSON, for people. Plain text: it reads the same in a terminal, in a pipe and in a bug report.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from copytrade.domain.model import Cancel, Decision, Place, Plan, Snapshot, TokenKey

WIDTH = 80


def plan_lines(snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    """The lines of a plan: a summary, then for each token its numbers, its reason, and its actions below."""
    cash = "" if snapshot.cash is None else f"   cash {shown(snapshot.cash)}"
    yield f"{plan.mode.value}   {_count(len(plan.decisions), 'token')}   {_count(len(plan.actions), 'action')}{cash}"
    titles = {row.token_key: row.title for row in (*snapshot.target.positions, *snapshot.mine.positions) if row.title}
    if plan.decisions:
        yield f"  {'token':<16} {'want':>15} {'hold':>15} {'gap':>10}  reason"
    for decision in plan.decisions:
        yield _row(decision)
        if title := titles.get(decision.token_key or ""):
            yield f"      {title[: WIDTH - 6]}"
        for action in plan.actions:
            if (action.token_key, action.token_id) == (decision.token_key, decision.token_id):
                yield f"      {action_text(action)}"
        if decision.warning:
            yield f"      warning: {decision.warning}"


def _row(decision: Decision) -> str:
    want = interval(decision.want_lo, decision.want_hi)
    hold = interval(decision.lo, decision.hi)
    gap = shown(decision.delta)
    return f"  {short(decision.token_key):<16} {want:>15} {hold:>15} {gap:>10}  {decision.reason.value}"


def action_text(action: Cancel | Place) -> str:
    """One action in words."""
    match action:
        case Cancel():
            return f"cancel {short_id(action.order_id)}  {action.reason.value}"
        case Place():
            return f"{action.side.value} {shown(action.size)} @ {action.price}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def interval(lo: Decimal, hi: Decimal) -> str:
    """An interval, or the one number that it is."""
    return shown(lo) if lo == hi else f"{shown(lo)}..{shown(hi)}"


def short(token_key: TokenKey | None) -> str:
    """A token key that fits on a line: a market is told by the first digits of its condition id."""
    if token_key is None:
        return "(unknown token)"
    condition_id, _, outcome = token_key.rpartition(":")
    return token_key if len(condition_id) <= 12 else f"{condition_id[:10]}…:{outcome}"


def short_id(order_id: str) -> str:
    """An order id that fits on a line."""
    return order_id if len(order_id) <= 12 else f"{order_id[:10]}…"


def shown(amount: Decimal) -> str:
    """An amount for people: exact, with two decimals at least.

    >>> shown(Decimal("20")), shown(Decimal("0.123456")), shown(Decimal("1E+3"))
    ('20.00', '0.123456', '1000.00')
    """
    whole, _, rest = format(amount.normalize(), "f").partition(".")
    return f"{whole}.{rest:0<2}"
