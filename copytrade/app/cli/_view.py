"""The live view as lines of a given width and height: what is followed, what it costs, each token, what has happened.

Pure: facts and a size in, lines out, none of them wider or more than asked for. A line is made of spans, and a style is
only a name ("good", "warn", …), so what can be read does not depend on colour. Tokens stand in the order of story.py;
those for which there is no room are counted by reason.

Not here: drawing it, and when (_live.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from attrs import frozen
from rich.cells import cell_len, set_cell_size

from copytrade.app.cli.render import clock_time
from copytrade.app.reading import printable
from copytrade.app.story import Row, Sums
from copytrade.app.writing import plain
from copytrade.domain.model import Order, Reason

Span = tuple[str, str]  # text, name of a style ("" = none)
Line = tuple[Span, ...]

LEAST_WIDTH = 64
WIDE = 112  # from here on an order and a reason have a column each
MOST_WARNINGS = 3
MOST_NEWS = 6

# What a reason is in a table: at most 20 letters. (The README has them in full, `copytrade explain` with numbers.)
SHORT: dict[Reason, str] = {
    Reason.STOPPED: "stopped",
    Reason.SAFE_MODE: "safe mode, waiting",
    Reason.BLACKLISTED: "blacklisted",
    Reason.COMBO: "a combo: no book",
    Reason.REDEEMABLE: "resolved",
    Reason.UNRESOLVED: "token id not known",
    Reason.IN_DOUBT: "an order in doubt",
    Reason.RESTING: "order rests",
    Reason.REQUOTED: "quoted anew",
    Reason.QUOTED: "order placed",
    Reason.ON_HOLD: "on hold",
    Reason.NOT_OURS: "not ours to sell",
    Reason.MARKET_DENIED: "market not allowed",
    Reason.ENDS_SOON: "ends too soon",
    Reason.DAILY_LOSS: "daily loss reached",
    Reason.TOKEN_CAP: "token cap reached",
    Reason.TOTAL_CAP: "total cap reached",
    Reason.DAILY_SPEND: "daily spend reached",
    Reason.NO_CASH: "no cash is free",
    Reason.NO_BOOK: "nobody quotes",
    Reason.CROSSED_BOOK: "the book is crossed",
    Reason.NO_ROOM: "no price would rest",
    Reason.PRICE_RANGE: "outside price range",
    Reason.PRICE_GUARD: "price is far off",
    Reason.DUST: "below the minimum",
    Reason.SETTLING: "feed is not settled",
    Reason.UNCONFIRMED: "decrease not sure",
    Reason.IN_BAND: "in the band",
}


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
    rows = view.rows if len(view.rows) <= room + 1 else view.rows[:room]
    lines = [*top, _table_head(width), *(_row(row, width, now) for row in rows)]
    if rest := view.rows[len(rows) :]:
        lines.append((("  " + _not_shown(rest), "dim"),))
    if news:
        lines += [(), *news]
    return [_cut(line, width) for line in lines[:height]]


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
    return [first, (*second, (running, "dim")), mode, _money(view), ((f" {view.today}", ""),) if view.today else ()]


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
    parts.append(f"{len(view.rows)} tokens" + ("" if view.unsafe else f", {view.gaps} gaps"))
    return ((" " + "   ".join(parts), style),)


def _warnings(view: View, width: int) -> list[Line]:
    shown = view.warnings[:MOST_WARNINGS]
    lines: list[Line] = []
    for words, cycles in shown:
        times = f" ({cycles} cycles)" if cycles > 1 else ""
        room = width - len(times) - 3
        text = printable(words)
        lines.append(((f" ! {_fit(text, room).rstrip()}{times}", "warn"),))
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


# -- the table --------------------------------------------------------------------------------------------------------


def _columns(width: int) -> tuple[int, int, int, int, int, int, int]:
    """Widths of name, target, want, hold, gap, order, reason; an order and a reason share one where it is narrow."""
    target, want, gap, order, reason = (8, 12, 8, 22, 20) if width >= WIDE else (6, 9, 6, 0, 21)
    used = 1 + target + want + want + gap + reason + 5 + (order + 1 if order else 0)
    return width - used, target, want, want, gap, order, reason


def _table_head(width: int) -> Line:
    name, target, want, hold, gap, order, reason = _columns(width)
    text = f" {'token':<{name}} {'target':>{target}} {'want':>{want}} {'hold':>{hold}} {'gap':>{gap}} "
    text += f"{'order':<{order}} {'why':<{reason}}" if order else f"{'order or why':<{reason}}"
    return ((text, "bold"),)


def _row(row: Row, width: int, now: Decimal) -> Line:
    name, target, want, hold, gap, order, reason = _columns(width)
    style = _style(row)
    words, orders = words_of(row, now), " ".join(order_text(one, now) for one in row.orders[:1])
    his = amount(row.target, target) if row.target_known else "?"
    wanted = span(row.want_lo, row.want_hi, want) if row.target_known else "?"
    held = span(row.lo, row.hi, hold) if row.hold_known else "?"
    missing = amount(row.gap, gap) if row.target_known and row.hold_known else "?"
    numbers = f" {_fit(_name(row), name)} {his:>{target}} {wanted:>{want}} {held:>{hold}} "
    open_gap = (f"{missing:>{gap}} ", "bold" if row.gap else "")
    if order:
        return (
            (numbers, "dim" if style == "dim" else ""),
            open_gap,
            (_fit(orders, order) + " ", _side_style(row)),
            (_fit(words, reason), style),
        )
    told_by_order = orders and row.reason in (Reason.QUOTED, Reason.REQUOTED, Reason.RESTING) and not row.trouble
    last = (orders, _side_style(row)) if told_by_order else (words, style)
    return ((numbers, "dim" if style == "dim" else ""), open_gap, (_fit(last[0], reason), last[1]))


def _style(row: Row) -> str:
    if row.trouble or row.reason in (Reason.IN_DOUBT, Reason.SAFE_MODE):
        return "bad"
    if row.redeemable or row.reason is Reason.ON_HOLD:
        return "warn"
    if row.reason in (Reason.QUOTED, Reason.REQUOTED, Reason.RESTING):
        return "good"
    return "dim" if row.reason in (Reason.IN_BAND, Reason.BLACKLISTED, Reason.COMBO, Reason.REDEEMABLE) else ""


def _side_style(row: Row) -> str:
    return "" if not row.orders else "good" if row.orders[0].side.value == "BUY" else "sell"


def _name(row: Row) -> str:
    if row.title and row.token_key:
        return (
            f"{printable(row.title)}" if row.token_key.endswith(":0") else f"[{_outcome(row)}] {printable(row.title)}"
        )
    return short_key(row.token_key) if row.token_key else f"token {row.token_id or ''}"


def _outcome(row: Row) -> str:
    return (row.token_key or "").rpartition(":")[2]


def words_of(row: Row, now: Decimal) -> str:
    """The reason in a few words."""
    if row.trouble and row.reason is not Reason.IN_DOUBT:
        return printable(row.trouble)
    if row.reason is Reason.ON_HOLD and row.hold_until is not None:
        return f"held {ago(row.hold_until - now)}"
    if row.reason is Reason.REDEEMABLE and row.redeemable:
        return "redeem it"
    return SHORT.get(row.reason, row.reason.value.lower().replace("_", " "))


def order_text(order: Order, now: Decimal) -> str:
    """One order: side, what is left of it, price, age."""
    return f"{order.side.value} {plain(order.rest)} @ {plain(order.price)} {ago(now - order.ts)}"


def _not_shown(rows: Sequence[Row]) -> str:
    counts = Counter(SHORT.get(row.reason, row.reason.value) for row in rows)
    parts = [f"{count} {words}" for words, count in counts.most_common()]
    return f"… {len(rows)} more: {', '.join(parts)}"


def _news(one: tuple[Decimal, str, str]) -> Line:
    at, style, words = one
    return ((f" {clock_time(at)} ", "dim"), (printable(words), style))


# -- small things -----------------------------------------------------------------------------------------------------


def _cut(line: Line, width: int) -> Line:
    """The line in at most `width` cells; the last span that still fits in part is cut."""
    spans: list[Span] = []
    left = width
    for text, style in line:
        size = cell_len(text)
        if size > left:
            spans.append((set_cell_size(text, max(left - 1, 0)).rstrip() + "…", style))
            break
        spans.append((text, style))
        left -= size
    return tuple(spans)


def _fit(text: str, width: int) -> str:
    """`text` in exactly `width` cells; what is cut ends with …, and wide letters count as two."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def amount(value: Decimal, width: int) -> str:
    """A number in at most `width` letters, with as many of two decimals as there is room for.

    >>> [amount(Decimal(text), 6) for text in ("0", "12.345", "1234.5", "123456.7", "-19.87", "12345678", "1E+15")]
    ['0', '12.34', '1234.5', '123457', '-19.87', '12346k', '1e+15']
    """
    for digits in ("0.01", "0.1", "1"):
        text = plain(_rounded(value, digits))
        if len(text) <= width:
            return text
    for scale, letter in ((1000, "k"), (10**6, "M"), (10**9, "G")):
        for digits in ("0.1", "1"):
            text = plain(_rounded(value / scale, digits)) + letter
            if len(text) <= width:
                return text
    return f"{value:.0e}"


def _rounded(value: Decimal, digits: str) -> Decimal:
    places = Decimal(digits)
    return value.quantize(places, rounding=ROUND_HALF_EVEN) if abs(value) < Decimal(10) ** 20 else value


def span(lo: Decimal, hi: Decimal, width: int) -> str:
    """An interval in at most `width` letters, or the one number that it is.

    >>> [span(Decimal("80.12"), Decimal(hi), 9) for hi in ("99", "99.5", "80.12")]
    ['80.12..99', '80..100', '80.12']
    """
    if amount(lo, width) == amount(hi, width):
        return amount(lo, width)
    for each in range(width, 2, -1):
        text = f"{amount(lo, each)}..{amount(hi, each)}"
        if len(text) <= width:
            return text
    return "…"


def money(value: Decimal) -> str:
    """pUSD with two decimals, or none where there are many before the point."""
    return f"{value:,.2f}" if abs(value) < 10_000 else f"{value:,.0f}"


def ago(seconds: Decimal) -> str:
    """A time span in words.

    >>> [ago(Decimal(number)) for number in (3, 89, 3700, 90000)]
    ['3 s', '1 min 29 s', '1 h 1 min', '1 d 1 h']
    """
    whole = max(int(seconds), 0)
    for name, size, less, of_less in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // of_less} {less}"
    return f"{whole} s"


def short_address(address: str) -> str:
    """`0x1234…abcd`."""
    return address if len(address) <= 12 else f"{address[:6]}…{address[-4:]}"


def short_key(token_key: str | None) -> str:
    """A token key that fits into a column."""
    if token_key is None:
        return "?"
    condition_id, _, outcome = token_key.rpartition(":")
    return printable(token_key) if len(condition_id) <= 14 else f"{printable(condition_id[:10])}…:{outcome}"


def text_of(lines: Iterable[Line]) -> str:
    """The lines without their styles."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)
