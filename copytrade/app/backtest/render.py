"""Results as texts: a table for people with both ends side by side, and JSON whose numbers are exact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from attrs import asdict, has

from copytrade.app.backtest.meter import duration
from copytrade.app.backtest.parity import Parity
from copytrade.app.backtest.result import Result, Summary
from copytrade.app.backtest.studies import Cell, Cost
from copytrade.app.writing import to_json

_MONEY = (
    ("profit", "pnl"),
    ("ideal follower's", "ideal_pnl"),
    ("naive taker's", "naive_pnl"),
    ("leader's own", "leader_pnl"),
    ("equity at the end", "equity"),
    ("deepest fall", "max_drawdown"),
    ("bought", "bought"),
    ("sold", "sold"),
    ("payouts", "payouts"),
    ("fees", "fees"),
    ("rebates", "rebates"),
)
_PARTS = (("of the ideal kept", "kept"), ("tracking error", "tracking_error"), ("time in gap", "time_in_gap"))
_COUNTS = (
    ("orders", "orders"),
    ("  refused", "refused"),
    ("cancels", "cancels"),
    ("fills", "fills"),
    ("tokens left", "unresolved"),
)


def money(value: Decimal) -> str:
    """pUSD to the cent.

    >>> money(Decimal("-1234.567"))
    '-1,234.57'
    """
    return f"{value:,.2f}"


def percent(value: Decimal | None) -> str:
    """A part of a whole; a dash where there is no whole."""
    return "-" if value is None else f"{value * 100:.1f} %"


def moment(at: Decimal) -> str:
    """A time for people, in UTC."""
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%d %H:%M:%S}"


def rows_of(summary: Summary) -> Iterator[tuple[str, str]]:
    """Every line of the summary table: what it is, and its value for people."""
    for label, name in _MONEY:
        yield label, money(getattr(summary, name))
    for label, name in _PARTS:
        yield label, percent(getattr(summary, name))
    for label, name in _COUNTS:
        yield label, f"{getattr(summary, name):,}"
    filled = summary.filled_shares / summary.ordered_shares if summary.ordered_shares else None
    yield "ordered shares filled", percent(filled)
    yield "covered by the tape", percent(summary.covered)
    yield "longest silence", duration(summary.longest_silence_sec)


def summary_lines(optimistic: Result, pessimistic: Result) -> Iterator[str]:
    """The table of one run, and what it assumes."""
    one = optimistic.summary
    yield (
        f"{optimistic.tape}   {moment(one.started_at)} to {moment(one.ended_at)} UTC   {one.polls:,} polls   "
        f"{one.decisions:,} decisions"
    )
    yield ""
    yield f"  {'pUSD':<24}{'optimistic':>14}{'pessimistic':>14}"
    for (label, left), (_, right) in zip(rows_of(one), rows_of(pessimistic.summary), strict=True):
        yield f"  {label:<24}{left:>14}{right:>14}"
    yield ""
    yield "  why (decisions)"
    for reason in dict.fromkeys([*one.reasons, *pessimistic.summary.reasons]):
        counts = (one.reasons.get(reason, 0), pessimistic.summary.reasons.get(reason, 0))
        yield f"  {reason:<24}{counts[0]:>14,}{counts[1]:>14,}"
    yield ""
    yield "assumed"
    yield f"  {assumed(optimistic)}"
    for note in dict.fromkeys([*optimistic.notes, *pessimistic.notes]):
        yield f"  {note}"


def assumed(result: Result) -> str:
    """The assumptions in one line."""
    return "   ".join(f"{name}={value}" for name, value in asdict(result.assumptions).items())


def costs_lines(optimistic: Sequence[Cost], pessimistic: Sequence[Cost]) -> Iterator[str]:
    """What each handicap cost, at both ends."""
    yield f"  {'what it cost, pUSD':<24}{'optimistic':>14}{'pessimistic':>14}   the same run with"
    for one, other in zip(optimistic, pessimistic, strict=True):
        yield f"  {one.name:<24}{money(one.cost):>14}{money(other.cost):>14}   {one.explained}"


def cell_lines(cells: Sequence[Cell]) -> Iterator[str]:
    """The table of a sweep, and the heat map of its profits where it has two axes."""
    names = list(cells[0].settings)
    widths = [max(len(name), *(len(cell.settings[name]) for cell in cells)) + 2 for name in names]
    head = "".join(f"{name:<{width}}" for name, width in zip(names, widths, strict=True))
    yield f"  {head}{'profit':>12}{'to':>12}{'deepest fall':>14}{'kept':>10}{'tracking':>10}{'orders':>9}{'fills':>8}"
    for cell in cells:
        low, high = cell.pessimistic, cell.optimistic
        at = "".join(f"{cell.settings[name]:<{width}}" for name, width in zip(names, widths, strict=True))
        yield (
            f"  {at}{money(low.pnl):>12}{money(high.pnl):>12}{money(low.max_drawdown):>14}{percent(low.kept):>10}"
            f"{percent(low.tracking_error):>10}{low.orders:>9,}{low.fills:>8,}"
        )
    yield ""
    yield "  profit is pessimistic to optimistic; the other columns are of the pessimistic end"
    if len(names) == 2:
        yield ""
        yield from heat_lines(cells)


_SHADES = " ░▒▓█"


def heat_lines(cells: Sequence[Cell]) -> Iterator[str]:
    """The mean of both ends' profits over two axes: the darker the better."""
    down, across = list(cells[0].settings)
    value = {
        (cell.settings[down], cell.settings[across]): (cell.optimistic.pnl + cell.pessimistic.pnl) / 2 for cell in cells
    }
    rows, columns = (list(dict.fromkeys(cell.settings[name] for cell in cells)) for name in (down, across))
    least, most = min(value.values()), max(value.values())
    width = max(len(down), *(len(row) for row in rows)) + 2
    yield f"  mean profit by {down} (down) and {across} (across)"
    yield "  " + " " * width + "".join(f"{column:>14}" for column in columns)
    for row in rows:
        shown = []
        for column in columns:
            pnl = value[row, column]
            shade = _SHADES[-1] if most == least else _SHADES[int((pnl - least) / (most - least) * (len(_SHADES) - 1))]
            shown.append(f"{money(pnl):>11} {shade * 2}")
        yield f"  {row:<{width}}" + "".join(shown)


def parity_lines(found: Parity) -> Iterator[str]:
    """Whether a journal was decided again as it was."""
    yield f"{found.cycles:,} cycles   {found.same:,} decided the same   {found.share * 100:.2f} %"
    for one in found.differences:
        yield f"  {one.where}"
        yield f"    recorded {one.recorded}"
        yield f"    decided  {one.decided}"


def json_of(value: object) -> str:
    """`value` as one line of JSON: records become objects."""
    return to_json(_plain(value)).decode() + "\n"


def _plain(value: object) -> object:
    if has(type(value)):
        return {name: _plain(item) for name, item in asdict(value, recurse=False).items()}  # type: ignore[arg-type]  # `has` says so
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
