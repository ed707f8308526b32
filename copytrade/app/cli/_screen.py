"""What a person reads of a cycle: the answer first, then a line for each token, with its reason.

Facts for people, nothing here steers anything. Not here: the screen of `plan` (render.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from copytrade.app.cli.render import interval, short, short_id, shown
from copytrade.app.cycle import Cycle, OwnFill, Result
from copytrade.app.reading import printable
from copytrade.domain.model import Cancel, Decision, Place, Reason, Side, TokenKey


def cycle_lines(cycle: Cycle, *, requests: int, every_token: bool) -> Iterator[str]:
    """The lines of one cycle. Without `every_token`, tokens with nothing to say are only counted."""
    snapshot, plan = cycle.snapshot, cycle.plan
    cash = "" if snapshot.cash is None else f"   cash {shown(snapshot.cash)}"
    took = cycle.ended_at - cycle.started_at
    yield (
        f"{clock_time(snapshot.now)}  cycle {cycle.number}   {plan.mode.value}   {len(plan.decisions)} tokens   "
        f"{len(plan.cancels)} cancels   {len(plan.places)} orders{cash}   {requests} requests   {took:.2f} s"
    )
    for warning in cycle.warnings:
        yield f"  warning: {warning}"
    if not snapshot.target.complete or not snapshot.mine.complete:
        for name, positions in (("the target's", snapshot.target), ("my", snapshot.mine)):
            if not positions.complete:
                yield f"  safe mode: {name} positions are {'incomplete' if positions.ok else 'not to be had'}"
    for fill in cycle.fills:
        yield f"  {_fill(fill)}"
    results = {(result.action, result.order_id or result.token_id): result for result in cycle.results}
    quiet = 0
    for decision in plan.decisions:
        actions = list(_actions(decision, cycle, results))
        if not every_token and not actions and decision.reason in (Reason.IN_BAND, Reason.REDEEMABLE, Reason.COMBO):
            quiet += 1
            continue
        yield f"  {_decision(decision, cycle.titles.get(decision.token_key or ''))}"
        for action in actions:
            yield f"      {action}"
    if quiet:
        yield f"  … and {quiet} in the band or left alone"


def _decision(decision: Decision, title: str | None) -> str:
    want, hold = interval(decision.want_lo, decision.want_hi), interval(decision.lo, decision.hi)
    name = short(decision.token_key) if title is None else f"{short(decision.token_key)} {printable(title[:34])}"
    return f"{name:<52} want {want:>8}   hold {hold:>8}   {decision.reason.value}"


def _actions(decision: Decision, cycle: Cycle, results: dict[tuple[str, str], Result]) -> Iterator[str]:
    for action in cycle.plan.actions:
        if action.token_key != decision.token_key or action.token_id != decision.token_id:
            continue
        match action:
            case Cancel():
                result = results.get(("cancel", action.order_id))
                yield f"cancel {short_id(action.order_id)}  {action.reason.value}{_outcome(result)}"
            case Place():
                result = next(
                    (one for one in cycle.results if one.action == "place" and one.token_id == action.token_id), None
                )
                yield f"{action.side.value} {shown(action.size)} @ {action.price}{_outcome(result)}"


def _outcome(result: Result | None) -> str:
    if result is None or result.outcome == "dry":
        return "   (dry run: not sent)" if result is not None else ""
    return f"   {result.outcome}" + (f": {printable(result.words)}" if result.words else "")


def _fill(fill: OwnFill) -> str:
    verb = "bought" if fill.side is Side.BUY else "sold"
    taken_back = "   (a trade failed: taken back)" if fill.shares < 0 else ""
    return f"{verb} {shown(fill.shares)} @ {fill.price}   {short(fill.token_key)}{taken_back}"


def sale_lines(decisions: Iterable[Decision], titles: dict[TokenKey, str]) -> Iterator[str]:
    """What a live start would sell, a line each."""
    for one in decisions:
        title = printable(titles.get(one.token_key or "", ""))
        yield f"  {short(one.token_key)}  {title[:40]:<40}  hold {shown(one.lo)}  down to {shown(one.want_hi)}"


def clock_time(now: Decimal) -> str:
    """The time of day in UTC."""
    return datetime.fromtimestamp(int(now), UTC).strftime("%H:%M:%SZ")
