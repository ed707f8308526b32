"""The screen of `copytrade status`: how a run stands, in lines of a given width.

Pure. What a person has to do something about (trouble, positions to redeem, a run that stands still) stands above the
tokens. Not here: where it is found (status.py), the table (_table.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from rich.cells import cell_len

from copytrade.app.cli._table import LEAST_WIDTH, Line, ago, cut, money, short_address, short_key, table
from copytrade.app.cli.render import clock_time, why_safe
from copytrade.app.reading import printable
from copytrade.app.status import Last, Status
from copytrade.app.story import day_limits
from copytrade.app.tally import Said, Tally
from copytrade.app.writing import plain

STILL_SEC = Decimal(180)  # without a cycle: then a run that holds the lock hangs, or sleeps very long
MOST = 5  # warnings, holds


def status_lines(status: Status, width: int, height: int) -> list[Line]:
    """All that there is to say, in lines of at most `width` cells; tokens fill up to `height` lines in all."""
    width = max(width, LEAST_WIDTH)
    above = [line for line in [*_head(status, width), *_trouble(status)] if line]
    below = [line for line in [*_holds(status), *_last_words(status)] if line]
    if status.last is None:
        tokens: list[Line] = [((" no cycle has been written down yet", ""),)]
    else:
        room = max(height - len(above) - len(below) - 3, 1)
        tokens = table(status.last.rows, width, room, status.now, timed=True)
    return [cut(line, width) for line in [*above, *tokens, *below]]


def _head(status: Status, width: int) -> list[Line]:
    last, policy = status.last, status.policy
    word, style = _running(status)
    left: Line = ((" copytrade ", "head"), ("  ", ""), (word, style))
    if policy is not None:
        wallets = f"{short_address(policy.my_address)} follows {short_address(policy.target_address)}"
        left = (*left, (f"   {wallets} × {plain(policy.follow_ratio)}", ""))
    gap = width - sum(cell_len(text) for text, _ in left) - len(clock_time(status.now)) - 1
    lines: list[Line] = [(*left, (" " * max(gap, 1) + clock_time(status.now), ""))]
    if last is not None:
        lines += [_cycle(status, last), _money(last)]
    lines.append(((_today(status), ""),))
    if last is not None and (limits := day_limits(last.snapshot)):
        lines.append(((f" {limits}", ""),))
    if status.tally is not None:
        lines += _profit(status, status.tally)
    return lines


def _running(status: Status) -> tuple[str, str]:
    if status.running is None:
        return "running or not: can't be told", ""
    if not status.running:
        return "STOPPED", "bold"
    return "RUNNING", "good"


def _cycle(status: Status, last: Last) -> Line:
    late = status.now - last.at
    number = "" if last.number is None else f" {last.number}"
    took = "" if last.took_sec is None else f", took {last.took_sec:.2f} s"
    text = f" last cycle{number}: {ago(late)} ago{took}"
    spans = [(text, "bad" if status.running and late > STILL_SEC else "")]
    if status.running and late > STILL_SEC:
        spans.append((": nothing since, look at its log", "bad"))
    if status.running and status.tally is not None:
        pid = "" if status.pid is None else f" as process {status.pid}"
        spans.append((f"   running {ago(status.now - status.tally.run_started_at)}{pid}", "dim"))
    return tuple(spans)


def _money(last: Last) -> Line:
    sums, parts = last.sums, []
    if sums.cash is not None and sums.cash_free is not None:
        parts.append(f"cash {money(sums.cash)}, {money(sums.cash_free)} free")
    if not why_safe(last.snapshot):
        share = f" ({sums.counted / sums.cap:.0%})" if sums.cap else ""
        parts.append(f"caps {sums.counted:,.0f} of {sums.cap:,.0f}{share}")
        parts.append(f"{len(last.rows)} tokens, {last.gaps} gap{'' if last.gaps == 1 else 's'}")
    return ((" " + "   ".join(parts), ""),)


def _today(status: Status) -> str:
    day = status.today
    fills = f"{day.fills} fill{'' if day.fills == 1 else 's'}"
    fees = f"at most {money(day.fees_at_most)} (estimated)" if day.fees_at_most else "none (makers pay none)"
    return f" today: {fills}, bought {money(day.bought)}, sold {money(day.sold)}   fees {fees}"


def _profit(status: Status, tally: Tally) -> list[Line]:
    since = datetime.fromtimestamp(int(tally.since), UTC).strftime("%Y-%m-%d %H:%MZ")
    his = ""
    if status.policy is not None:
        ratio = status.policy.follow_ratio
        his = f", his × {plain(ratio)}: {money(tally.leader_gain * ratio)}"
    fees = f", fees of at most {money(tally.fees_at_most)} not taken off" if tally.fees_at_most else ""
    lines: list[Line] = [((f" profit since {since}: {money(tally.gain)}{his}{fees}", "bold"),)]
    mean, now = tally.tracking_error, None if status.last is None else status.last.tracking_now
    if mean is not None:
        text = f" tracking error: {mean:.1%} of what is wanted, on average"
        lines.append(((text + ("" if now is None else f"; {now:.1%} now"), ""),))
    return lines


def _trouble(status: Status) -> list[Line]:
    lines: list[Line] = [((f" ! {printable(words)}", "bad"),) for words in status.troubles]
    last = status.last
    if last is None:
        return lines
    if last.snapshot.stopped:
        lines.append(((" ! STOPPED by copytrade stop: nothing is placed until it is lifted", "bad"),))
    if why := why_safe(last.snapshot):
        lines.append(((" SAFE MODE", "bad"), (f": {', '.join(why)} (only expired orders are cancelled)", "")))
    if status.recovering:
        lines.append(((" ! the state was lost: tokens are on hold until the exchange's balance is known", "warn"),))
    redeem = [row for row in last.rows if row.redeemable]
    if redeem:
        worth = sum((row.lo * row.price for row in redeem if row.price is not None), Decimal(0))
        names = ", ".join(printable(row.title) or short_key(row.token_key) for row in redeem)
        many = f"{len(redeem)} resolved position{'' if len(redeem) == 1 else 's'}"
        lines.append(((f" $ {many} to redeem, worth {money(worth)}: {names}", "warn"),))
    warnings = last.notes.warnings
    lines += [((f" ! {printable(words)}", "warn"),) for words in warnings[:MOST]]
    if len(warnings) > MOST:
        lines.append(((f" ! … and {len(warnings) - MOST} more", "warn"),))
    return lines


def _holds(status: Status) -> list[Line]:
    lines: list[Line] = []
    for one in status.holds[:MOST]:
        name = printable(one.title) or short_key(one.token_key)
        why = printable(one.words) or ("no balance is known yet" if status.recovering else "refused before")
        lines.append(((f" on hold until {clock_time(one.until)}: {name}: {why}", "warn"),))
    if len(status.holds) > MOST:
        lines.append(((f" … and {len(status.holds) - MOST} more on hold", "warn"),))
    return lines


def _last_words(status: Status) -> list[Line]:
    tally, lines = status.tally, []
    if tally is not None:
        for name, said in (("fill", tally.last_fill), ("refusal", tally.last_refusal), ("warning", tally.last_warning)):
            if said is not None and not (status.last is not None and said.words in status.last.notes.warnings):
                lines.append(_said(status, name, said))
    if status.orders is not None:
        many = len(status.orders)
        lines.append(((f" {many} order{'' if many == 1 else 's'} of ours may rest, by the state", "dim"),))
    return lines


def _said(status: Status, name: str, said: Said) -> Line:
    token = printable(said.title) or (short_key(said.token_key) if said.token_key else "")
    of = f" of {token}" if token else ""
    return ((f" last {name} {ago(status.now - said.at)} ago{of}: {printable(said.words)}", "dim"),)
