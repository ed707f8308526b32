"""The table of tokens, as lines of a given width: numbers that fit their columns, a reason in a few words.

A line is made of spans, and a style is only a name ("good", "warn", …), so what can be read does not depend on colour.
The live view of a run and `copytrade status` share it. Not here: what stands above and below it (_view.py, status.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from rich.cells import cell_len, set_cell_size

from copytrade.app.reading import printable
from copytrade.app.story import Row
from copytrade.app.writing import plain
from copytrade.domain.model import Order, Reason

Span = tuple[str, str]  # text, name of a style ("" = none)
Line = tuple[Span, ...]

LEAST_WIDTH = 64
WIDE = 112  # from here on an order and a reason have a column each

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


def table(rows: Sequence[Row], width: int, room: int, now: Decimal, *, timed: bool = False) -> list[Line]:
    """The head, at most `room` rows, and a line that counts the others. `timed` tells how long each gap is open."""
    shown = rows if len(rows) <= room + 1 else rows[:room]
    lines = [_head(width, timed), *(_row(row, width, now, timed) for row in shown)]
    if rest := rows[len(shown) :]:
        lines.append((("  " + _not_shown(rest), "dim"),))
    return lines


# -- the table --------------------------------------------------------------------------------------------------------


def _columns(width: int, timed: bool) -> dict[str, int]:
    """Widths of the columns. Where it is narrow, an order and a reason share one, and a clock takes the target's."""
    wide = width >= WIDE
    columns = {"token": 0}
    if wide or not timed:
        columns["target"] = 8 if wide else 6
    columns |= {"want": 12 if wide else 9, "hold": 12 if wide else 9, "gap": 8 if wide else 6}
    if timed:
        columns["open"] = 4
    columns |= {"order": 22, "why": 20} if wide else {"order or why": 22}
    columns["token"] = width - 1 - sum(columns.values()) - (len(columns) - 1)
    return columns


def _head(width: int, timed: bool) -> Line:
    cells = (
        f"{name:{'<' if name in ('token', 'order', 'why', 'order or why') else '>'}{size}}"
        for name, size in _columns(width, timed).items()
    )
    return ((" " + " ".join(cells), "bold"),)


def _row(row: Row, width: int, now: Decimal, timed: bool) -> Line:
    style = _style(row)
    quiet = "dim" if style == "dim" else ""
    orders = " ".join(order_text(one, now) for one in row.orders[:1])
    words = words_of(row, now)
    known = row.target_known and row.hold_known
    told_by_order = orders and row.reason in (Reason.QUOTED, Reason.REQUOTED, Reason.RESTING) and not row.trouble
    spans: list[Span] = [(" ", "")]
    for name, size in _columns(width, timed).items():
        match name:
            case "token":
                text, of = fit(_name(row), size), quiet
            case "target":
                text, of = f"{amount(row.target, size) if row.target_known else '?':>{size}}", quiet
            case "want":
                text, of = f"{span(row.want_lo, row.want_hi, size) if row.target_known else '?':>{size}}", quiet
            case "hold":
                text, of = f"{span(row.lo, row.hi, size) if row.hold_known else '?':>{size}}", quiet
            case "gap":
                text, of = f"{amount(row.gap, size) if known else '?':>{size}}", quiet or ("bold" if row.gap else "")
            case "open":
                text, of = f"{'' if row.gap_since is None else brief(now - row.gap_since):>{size}}", quiet
            case "order":
                text, of = fit(orders, size), _side_style(row)
            case "why":
                text, of = fit(words, size), style
            case _:
                text, of = (fit(orders, size), _side_style(row)) if told_by_order else (fit(words, size), style)
        spans += [(text, of), (" ", "")]
    return tuple(spans[:-1])


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
    age = max(int(now - order.ts), 0)
    old = f"{age}s" if age < 600 else brief(Decimal(age))
    return f"{order.side.value} {plain(order.rest)} @ {plain(order.price)} {old}"


def _not_shown(rows: Sequence[Row]) -> str:
    counts = Counter(SHORT.get(row.reason, row.reason.value) for row in rows)
    parts = [f"{count} {words}" for words, count in counts.most_common()]
    return f"… {len(rows)} more: {', '.join(parts)}"


# -- small things -----------------------------------------------------------------------------------------------------


def cut(line: Line, width: int) -> Line:
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


def fit(text: str, width: int) -> str:
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


def brief(seconds: Decimal) -> str:
    """A time span in at most four letters.

    >>> [brief(Decimal(number)) for number in (3, 89, 3700, 900000)]
    ['3s', '1m', '1h', '10d']
    """
    whole = max(int(seconds), 0)
    for letter, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{letter}"
    return f"{whole}s"


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
