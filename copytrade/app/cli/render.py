"""The screen of a plan: the answer first, then a line for each token with its reason, in 80 columns.

The same facts as the JSON, for people. Plain text: it reads the same in a terminal, in a pipe and in a bug report.
What came from outside (titles, ids) is shown without control characters, or a title could paint over the line above.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from textwrap import wrap

from copytrade.app.reading import printable
from copytrade.app.writing import plain
from copytrade.domain.amounts import CENT, EXACT
from copytrade.domain.model import Cancel, Decision, Mode, Place, Plan, Snapshot, TokenKey
from copytrade.errors import CopytradeError

WIDTH = 80


def plan_lines(snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    """The lines of a plan: a summary, then for each token its numbers, its reason, and its actions below."""
    cash = "" if snapshot.cash is None else f"   cash {shown(snapshot.cash)}"
    yield f"{plan.mode.value}   {_count(len(plan.decisions), 'token')}   {_count(len(plan.actions), 'action')}{cash}"
    if plan.mode is Mode.SAFE:
        yield from _indented(f"safe mode: {' and '.join(why_safe(snapshot))}; only expired orders are cancelled")
    titles = {row.token_key: row.title for row in (*snapshot.target.positions, *snapshot.mine.positions) if row.title}
    if plan.decisions:
        yield f"  {'token':<16} {'want':>15} {'hold':>15} {'gap':>10}  reason"
    for decision in plan.decisions:
        yield _row(decision)
        if title := titles.get(decision.token_key or ""):
            yield f"      {printable(title)[: WIDTH - 6]}"
        for action in plan.actions:
            if (action.token_key, action.token_id) == (decision.token_key, decision.token_id):
                yield f"      {action_text(action)}"
        if decision.warning:
            yield from _indented(f"warning: {printable(decision.warning)}")


def _indented(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="      ", subsequent_indent="      ")


def why_safe(snapshot: Snapshot) -> tuple[str, ...]:
    """What is incomplete, in words; nothing where all is whole."""
    why = [
        f"{name} positions {'may lack rows' if answer.ok else 'could not be read'}"
        for name, answer in (("the target's", snapshot.target), ("my", snapshot.mine))
        if not answer.complete
    ]
    if not snapshot.orders_ok:
        why.append("my orders could not be read")
    return tuple(why)


def _row(decision: Decision) -> str:
    want = interval(decision.want_lo, decision.want_hi)
    hold = interval(decision.lo, decision.hi)
    gap = _cut(decision.delta)
    name = short(decision.token_key) if decision.token_key else f"token {short_id(decision.token_id or '')}"
    return f"  {name:<16} {want:>15} {hold:>15} {gap:>10}  {decision.reason.value}"


def action_text(action: Cancel | Place) -> str:
    """One action in words."""
    match action:
        case Cancel():
            return f"cancel {short_id(action.order_id)}  {action.reason.value}"
        case Place():
            return f"{action.side.value} {shown(action.size)} @ {plain(action.price)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def interval(lo: Decimal, hi: Decimal) -> str:
    """An interval, or the one number that it is; cut to 0.01, so that a column holds it.

    >>> interval(Decimal("80.123456"), Decimal("99")), interval(Decimal(5), Decimal("5.009"))
    ('80.12..99.00', '5.00')
    """
    low, high = _cut(lo), _cut(hi)
    return low if low == high else f"{low}..{high}"


def _cut(amount: Decimal) -> str:
    return shown(amount.quantize(CENT, rounding=ROUND_DOWN, context=EXACT))


def short(token_key: TokenKey | None) -> str:
    """A token key that fits on a line: a market is told by the first digits of its condition id."""
    if token_key is None:
        return "(unknown token)"
    condition_id, _, outcome = token_key.rpartition(":")
    return printable(token_key) if len(condition_id) <= 12 else f"{printable(condition_id[:10])}…:{outcome}"


def short_id(order_id: str) -> str:
    """An order id that fits on a line."""
    return printable(order_id) if len(order_id) <= 12 else f"{printable(order_id[:10])}…"


def shown(amount: Decimal) -> str:
    """An amount for people: as it is, with two decimals at least.

    >>> shown(Decimal("20")), shown(Decimal("0.123456")), shown(Decimal("1E+3"))
    ('20.00', '0.123456', '1000.00')
    """
    whole, _, rest = plain(amount).partition(".")
    return f"{whole}.{rest:0<2}"


def clock_time(now: Decimal) -> str:
    """The time of day in UTC."""
    return datetime.fromtimestamp(int(now), UTC).strftime("%H:%M:%SZ")


def show(text: str) -> None:
    """Write to standard output. A reader who has seen enough (`| head`) is no error, and neither is an old encoding.

    Raises CopytradeError when the text cannot be written for another reason, such as a full disk.
    """
    if sys.stdout is None:  # closed by whoever started us
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_what_is_buffered()
    except OSError as error:
        _forget_what_is_buffered()
        raise CopytradeError(f"standard output cannot be written: {error.strerror}") from None


def _forget_what_is_buffered() -> None:
    """Python would try once more at exit, and complain: let it go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
