"""The report of a run or a sweep: one HTML file with everything in it, which opens without network.

Needs the extra `report` (plotly, whose script is written into the file). The curves of single tokens are not kept by a
run, since a tape may be long and have many tokens: the run is made once more with somebody watching the few that
traded most.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from attrs import asdict, define, field

from copytrade.app.backtest.engine import Poll, backtest
from copytrade.app.backtest.render import money, percent, rows_of
from copytrade.app.backtest.result import Curve, Fill, Result
from copytrade.app.backtest.studies import Cell, Cost
from copytrade.app.backtest.tape import NOTHING_RUN, Tape
from copytrade.domain.model import ZERO, Place, Side
from copytrade.errors import BadInput, Fault

LARGEST = 6  # tokens whose position is drawn
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a2330; background: #fff; max-width: 1100px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: 0 } h2 { font-size: 1.15em; margin-top: 2.2em } .sub { color: #5b6675 }
table { border-collapse: collapse; margin: .6em 0 } td, th { padding: .2em .9em; text-align: right; border-bottom: 1px solid #e4e8ee }
td:first-child, th:first-child { text-align: left } code { background: #f2f4f7; padding: .15em .4em; border-radius: 4px; overflow-wrap: anywhere }
"""  # noqa: E501  # it is CSS
_OPTIMISTIC, _PESSIMISTIC, _IDEAL, _NAIVE = "#2a9d5c", "#d1495b", "#30638e", "#8d96a3"


@define(kw_only=True)
class _Token:
    """The curves of one token."""

    at: Curve[tuple[Decimal, Decimal, Decimal, Decimal | None]] = field(factory=Curve)  # time, held, want, price


def report(
    tape: Tape,
    optimistic: Result,
    pessimistic: Result,
    *,
    costs: Sequence[Sequence[Cost]] = (),
    command: str = "",
    seed: int = 0,
) -> str:
    """The page of one run, both ends. Reads the tape once more. Raises BadInput where plotly is not there."""
    plotly = _plotly()
    keys = [row.token_key for row in pessimistic.positions[:LARGEST]]
    titles = {row.token_key: row.title or row.token_key for row in pessimistic.positions}
    curves = {key: _Token() for key in keys}

    busiest = keys[:1]
    places: Curve[tuple[Decimal, Place]] = Curve()
    fills: Curve[Fill] = Curve()

    def look(poll: Poll) -> None:
        for place in poll.plan.places:
            if place.token_key in busiest and places.due():
                places.add((poll.snapshot.now, place))
        for fill in poll.fills:
            if fill.token_key in busiest and fills.due():
                fills.add(fill)
        prices = {one.token_key: one for one in poll.plan.decisions if one.token_key in curves}
        for key, curve in curves.items():
            if curve.at.due():
                one = prices.get(key)
                held = poll.account.shares.get(key, ZERO)
                want = one.want_lo if one else ZERO
                curve.at.add((poll.snapshot.now, held, want, one.ref_price if one else None))

    backtest(
        tape,
        pessimistic.policy,
        fills=pessimistic.fill_model,
        assumptions=pessimistic.assumptions,
        seed=seed,
        keep=False,
        watch=look,
    )
    parts = [
        _table(("pUSD", "optimistic", "pessimistic"), _summary_rows(optimistic, pessimistic)),
        "<h2>Equity</h2>",
        _figure(plotly, _equity(plotly, optimistic, pessimistic), "pUSD"),
        "<h2>Drawdown</h2>",
        _figure(plotly, _drawdowns(plotly, optimistic, pessimistic), "pUSD below the highest so far", height=260),
        "<h2>Distance from the leader</h2>",
        _figure(plotly, _gaps(plotly, optimistic, pessimistic), "pUSD held too much or too little", height=300),
    ]
    if curves:
        parts.append("<h2>Position against want, the most traded tokens (pessimistic)</h2>")
        parts += [_figure(plotly, _position(plotly, curves[key]), f"shares: {titles[key]}", height=230) for key in keys]
    for key in busiest:
        parts.append("<h2>Orders on price, the most traded token (pessimistic)</h2>")
        parts.append(
            _figure(
                plotly, _orders(plotly, curves[key], places.points, fills.points), f"price: {titles[key]}", height=420
            )
        )
    if costs:
        parts.append("<h2>What it cost</h2>")
        rows = [
            (one.name, money(one.cost), money(other.cost), f"the same run with {one.explained}")
            for one, other in zip(costs[0], costs[1], strict=True)
        ]
        parts.append(_table(("pUSD", "optimistic", "pessimistic", ""), rows))
    notes = list(dict.fromkeys([*optimistic.notes, *pessimistic.notes]))
    parts.append("<h2>Assumed</h2>")
    parts.append(_table(("setting", "value"), [(name, str(v)) for name, v in asdict(optimistic.assumptions).items()]))
    parts.append("<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes) + "</ul>")
    parts.append("<h2>Policy</h2>")
    policy = asdict(optimistic.policy)
    parts.append(_table(("setting", "value"), [(name, _said(value)) for name, value in policy.items()]))
    span = f"{_date(optimistic.summary.started_at)} to {_date(optimistic.summary.ended_at)} UTC"
    polls = f"{optimistic.summary.polls:,} polls, {optimistic.summary.decisions:,} decisions"
    return _page(f"Backtest: {tape.name}", f"{span} · {polls}", parts, command)


def sweep_report(tape: Tape, cells: Sequence[Cell], *, command: str = "") -> str:
    """The page of a sweep: every cell in a table, and a heat map where there are two axes."""
    plotly = _plotly()
    names = list(cells[0].settings)
    head = (*names, "profit, pessimistic", "profit, optimistic", "deepest fall", "kept", "tracking error", "orders")
    rows = [
        (
            *cell.settings.values(),
            money(cell.pessimistic.pnl),
            money(cell.optimistic.pnl),
            money(cell.pessimistic.max_drawdown),
            percent(cell.pessimistic.kept),
            percent(cell.pessimistic.tracking_error),
            f"{cell.pessimistic.orders:,}",
        )
        for cell in cells
    ]
    parts = [_table(head, rows)]
    if len(names) == 2:
        axes = [list(dict.fromkeys(cell.settings[name] for cell in cells)) for name in names]
        value = {
            tuple(cell.settings.values()): float((cell.pessimistic.pnl + cell.optimistic.pnl) / 2) for cell in cells
        }
        z = [[value[down, across] for across in axes[1]] for down in axes[0]]
        heat = plotly.Heatmap(
            z=z, x=axes[1], y=axes[0], colorscale="RdYlGn", texttemplate="%{z:.2f}", colorbar={"title": "pUSD"}
        )
        figure = plotly.Figure([heat])
        figure.update_xaxes(title=names[1], type="category")
        figure.update_yaxes(title=names[0], type="category")
        parts += ["<h2>Mean profit of both ends</h2>", _figure(plotly, figure, "", height=420)]
    return _page(f"Sweep: {tape.name}", f"{len(cells)} settings, both ends of the fill models", parts, command)


def _plotly() -> Any:
    try:
        import plotly.graph_objects as go
    except ImportError:
        fault = Fault(path="plotly", got="not installed", wants='the extra: pip install "copytrade[report]"')
        raise BadInput("--report", [fault], NOTHING_RUN) from None
    return go


def _page(title: str, sub: str, parts: Iterable[str], command: str) -> str:
    from plotly.offline import get_plotlyjs

    said = f"<p>Made by <code>{html.escape(command)}</code></p>" if command else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head><body><h1>{html.escape(title)}</h1>"
        f'<p class="sub">{html.escape(sub)}</p>{"".join(parts)}{said}</body></html>\n'
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return "<table><tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in head) + f"</tr>{lines}</table>"


def _summary_rows(optimistic: Result, pessimistic: Result) -> list[tuple[str, str, str]]:
    pairs = zip(rows_of(optimistic.summary), rows_of(pessimistic.summary), strict=True)
    return [(label.strip(), left, right) for (label, left), (_, right) in pairs]


def _figure(plotly: Any, drawn: Any, title: str, *, height: int = 380) -> str:
    figure = drawn if isinstance(drawn, plotly.Figure) else plotly.Figure(drawn)
    figure.update_layout(
        height=height,
        margin={"l": 60, "r": 20, "t": 36, "b": 40},
        title={"text": html.escape(title), "font": {"size": 13}},
        template="plotly_white",
        hovermode="x unified" if not isinstance(drawn, plotly.Figure) else "closest",
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right"},  # above what is drawn
    )
    text: str = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False})
    return text


def _when(times: Iterable[Decimal]) -> list[datetime]:
    return [datetime.fromtimestamp(float(at), UTC) for at in times]


def _line(
    plotly: Any, name: str, at: list[datetime], values: Iterable[Decimal | None], colour: str, **more: Any
) -> Any:
    numbers = [None if value is None else float(value) for value in values]
    return plotly.Scatter(x=at, y=numbers, name=name, mode="lines", line={"color": colour, "width": 1.5}, **more)


def _equity(plotly: Any, optimistic: Result, pessimistic: Result) -> list[Any]:
    at = _when(point.at for point in optimistic.equity)
    return [
        _line(plotly, "ideal follower", at, (point.ideal for point in optimistic.equity), _IDEAL),
        _line(plotly, "naive taker", at, (point.naive for point in optimistic.equity), _NAIVE),
        _line(plotly, "optimistic", at, (point.equity for point in optimistic.equity), _OPTIMISTIC),
        _line(
            plotly,
            "pessimistic",
            _when(point.at for point in pessimistic.equity),
            (point.equity for point in pessimistic.equity),
            _PESSIMISTIC,
        ),
    ]


def _drawdowns(plotly: Any, optimistic: Result, pessimistic: Result) -> list[Any]:
    drawn = []
    for result, colour in ((optimistic, _OPTIMISTIC), (pessimistic, _PESSIMISTIC)):
        highest, falls = ZERO, []
        for point in result.equity:
            highest = max(highest, point.equity)
            falls.append(point.equity - highest)
        at = _when(point.at for point in result.equity)
        drawn.append(_line(plotly, result.fill_model.value, at, falls, colour, fill="tozeroy"))
    return drawn


def _gaps(plotly: Any, optimistic: Result, pessimistic: Result) -> list[Any]:
    drawn = []
    for result, colour in ((optimistic, _OPTIMISTIC), (pessimistic, _PESSIMISTIC)):
        at = _when(point.at for point in result.equity)
        drawn.append(_line(plotly, result.fill_model.value, at, (point.gap for point in result.equity), colour))
    at = _when(point.at for point in pessimistic.equity)
    wanted = _line(plotly, "the ideal holds", at, (point.wanted for point in pessimistic.equity), _IDEAL)
    return [*drawn, wanted]


def _position(plotly: Any, curve: _Token) -> list[Any]:
    points = curve.at.points
    busy = [number for number, point in enumerate(points) if point[1] or point[2]]
    if busy:  # a market of fifteen minutes would be a stroke in the picture of a day
        points = points[max(busy[0] - 2, 0) : busy[-1] + 3]
    at = _when(point[0] for point in points)
    step = {"line_shape": "hv"}
    return [
        _line(plotly, "want", at, (point[2] for point in points), _IDEAL, **step),
        _line(plotly, "held", at, (point[1] for point in points), _PESSIMISTIC, **step),
    ]


def _orders(plotly: Any, curve: _Token, places: Sequence[tuple[Decimal, Place]], fills: Sequence[Fill]) -> list[Any]:
    points = [point for point in curve.at.points if point[3] is not None]
    drawn = [_line(plotly, "price", _when(point[0] for point in points), (point[3] for point in points), _NAIVE)]
    for side, colour in ((Side.BUY, _OPTIMISTIC), (Side.SELL, _PESSIMISTIC)):
        posted = [(at, place.price, place.size) for at, place in places if place.side is side]
        filled = [(fill.at, fill.price, fill.size) for fill in fills if fill.side is side]
        drawn.append(_marks(plotly, f"{side.value} orders", posted, colour, "line-ew-open", 9))
        drawn.append(_marks(plotly, f"{side.value} fills", filled, colour, "circle", 7))
    return drawn


def _marks(
    plotly: Any, name: str, rows: Sequence[tuple[Decimal, Decimal, Decimal]], colour: str, symbol: str, size: int
) -> Any:
    return plotly.Scatter(
        x=_when(at for at, _, _ in rows),
        y=[float(price) for _, price, _ in rows],
        text=[f"{shares} shares" for _, _, shares in rows],
        name=name,
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": size},
    )


def _date(at: Decimal) -> str:
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%d %H:%M}"


def _said(value: object) -> str:
    return ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)
