"""The live view as lines of a given width and height: what is followed, what it costs, each token, what has happened.

Pure: facts and a size in, lines out, none of them wider or more than asked for. Tokens stand in the order of story.py;
those for which there is no room are counted by reason.

Not here: drawing it, and when (_live.py).
"""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen
from rich.cells import cell_len

from copytrade.app.cli._table import LEAST_WIDTH, Line, ago, cut, fit, money, short_address, short_key, table
from copytrade.app.cli.render import clock_time
from copytrade.app.reading import printable
from copytrade.app.story import Row, Sums
from copytrade.app.writing import plain

MOST_WARNINGS = 3
MOST_NEWS = 6


@frozen(kw_only=True)
class View:
    """Everything that the view shows, but the time."""

    title: str  # what runs: "live", "dry run", …
    target: str
    me: str
    follow_ratio: Decimal
    started_at: Decimal
    poll_interval_sec: Decimal
    unsafe: tuple[str, ...] = ()  # why it is in safe mode
    stopped: bool = False  # by copytrade stop
    limits: str = ""  # of the day, in words
    cycle: int
    cycle_at: Decimal
    seconds: Decimal
    requests: int
    sums: Sums
    gaps: int
    rows: tuple[Row, ...]
    today: str = ""  # fills and profit, in words
    warnings: tuple[tuple[str, int], ...] = ()  # with how many cycles have said so
    news: tuple[tuple[Decimal, str, str], ...] = ()  # time, style, words; the oldest first


def frame(view: View, width: int, height: int, now: Decimal) -> list[Line]:
    """The view in at most `height` lines of at most `width` cells each."""
    width = max(width, LEAST_WIDTH)
    head = [*_head(view, width, now), *_warnings(view, width), _redeemable(view)]
    top = [line for line in head if line]
    news = [_news(one) for one in view.news[-MOST_NEWS:]] if height >= 20 else []
    room = max(height - len(top) - (len(news) + 1 if news else 0) - 2, 1)  # the table's head, and what is not shown
    lines = [*top, *table(view.rows, width, room, now)]
    if news:
        lines += [(), *news]
    return [cut(line, width) for line in lines[:height]]


# -- above the table --------------------------------------------------------------------------------------------------


def _head(view: View, width: int, now: Decimal) -> list[Line]:
    clock = clock_time(now)
    follows = f"{short_address(view.me)} follows {short_address(view.target)} × {plain(view.follow_ratio)}"
    left: Line = ((" copytrade ", "head"), ("  ", ""), (view.title, "bold"), (f"   {follows}", ""))
    gap = width - sum(cell_len(text) for text, _ in left) - len(clock) - 1
    first = (*left, (" " * max(gap, 1) + clock, ""))
    if view.unsafe:
        why = ", ".join(view.unsafe)
        mode: Line = ((" SAFE MODE", "bad"), (f": {why} (only expired orders are cancelled)", ""))
    else:
        mode = ()
    late = now - view.cycle_at
    last = f" cycle {view.cycle}: {ago(late)} ago, {view.requests} requests in {view.seconds:.2f} s"
    if late > 3 * view.poll_interval_sec + 30:
        second: Line = ((last + ": nothing since", "bad"),)
    else:
        due = view.poll_interval_sec - now % view.poll_interval_sec
        second = ((last + f", next in {int(due)} s", ""),)
    running = f"   running {ago(now - view.started_at)}"
    stopped: Line = (
        ((" STOPPED by copytrade stop: nothing is placed until it is lifted", "bad"),) if view.stopped else ()
    )
    words: list[Line] = [((f" {text}", ""),) for text in (view.limits, view.today) if text]
    return [first, (*second, (running, "dim")), stopped, mode, _money(view), *words]


def _money(view: View) -> Line:
    sums = view.sums
    parts = []
    if sums.cash is not None and sums.cash_free is not None:
        parts.append(f"cash {money(sums.cash)}, {money(sums.cash_free)} free")
    style = ""
    if not view.unsafe:  # else nobody knows what we hold
        share = f" ({sums.counted / sums.cap:.0%})" if sums.cap else ""
        parts.append(f"caps {sums.counted:,.0f} of {sums.cap:,.0f}{share}")
        style = "warn" if sums.counted >= sums.cap else ""
    parts.append(
        f"{len(view.rows)} tokens" + ("" if view.unsafe else f", {view.gaps} gap{'' if view.gaps == 1 else 's'}")
    )
    return ((" " + "   ".join(parts), style),)


def _warnings(view: View, width: int) -> list[Line]:
    shown = view.warnings[:MOST_WARNINGS]
    lines: list[Line] = []
    for words, cycles in shown:
        times = f" ({cycles} cycles)" if cycles > 1 else ""
        room = width - len(times) - 3
        text = printable(words)
        lines.append(((f" ! {fit(text, room).rstrip()}{times}", "warn"),))
    if more := len(view.warnings) - len(shown):
        lines.append(((f" ! … and {more} more", "warn"),))
    return lines


def _redeemable(view: View) -> Line:
    rows = [row for row in view.rows if row.redeemable]
    if not rows:
        return ()
    one = len(rows) == 1
    names = ", ".join(printable(row.title) or short_key(row.token_key) for row in rows)
    return ((f" $ {len(rows)} resolved position{'' if one else 's'} to redeem: {names}", "warn"),)


def _news(one: tuple[Decimal, str, str]) -> Line:
    at, style, words = one
    return ((f" {clock_time(at)} ", "dim"), (printable(words), style))
