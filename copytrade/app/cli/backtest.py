"""`copytrade backtest`: what following would have made, on a recorded history, by the decisions that trade money.

Both ends of the fill models are run and stand side by side, since the truth lies between them. A sweep runs a grid of
settings; `--fills recorded` lives through our own journal again and says whether the same was decided.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from copytrade.app.backtest.assumptions import ASSUMED_OF, FillModel
from copytrade.app.backtest.render import cell_lines, costs_lines, json_of, parity_lines, summary_lines
from copytrade.app.backtest.settings import read_settings
from copytrade.app.backtest.studies import both_ends, costs, grid, sweep_here, sweep_on_dask
from copytrade.app.backtest.tape import NOTHING_RUN, Tape
from copytrade.app.cli.render import show
from copytrade.errors import BadInput, Fault

RECORDED = "recorded"


def backtest(
    tape: Annotated[list[Path], typer.Argument(help="A tape, a journal, CSV or Parquet files, or a folder of them.")],
    config: Annotated[Path | None, typer.Option(help="A configuration file; its keys that decide are used.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the configuration or of the assumptions.")
    ] = None,
    fills: Annotated[
        str | None, typer.Option(help="recorded: live through a journal again and compare every decision.")
    ] = None,
    sweep: Annotated[list[str] | None, typer.Option(help="KEY=A,B,…: run every combination of these.")] = None,
    dask: Annotated[str | None, typer.Option(help="Run the sweep on the Dask cluster at this address.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of a sweep; all cores if left out.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report to this HTML file, which needs no network.")
    ] = None,
    with_costs: Annotated[
        bool, typer.Option("--costs", help="Also say what lag, maker-only and caps each cost.")
    ] = False,
    max_gap: Annotated[float | None, typer.Option(help="Refuse a tape that is silent for more seconds.")] = None,
    seed: Annotated[int, typer.Option(help="Of the dice for refusals and lost answers.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run a history through the live decisions and say what it would have made, at both ends of the fill models.

    Exit codes: 0 done, 2 the tape or a setting is wrong; the place is named.
    """
    if fills not in (None, RECORDED):
        wants = f"{RECORDED}, or nothing: then {' and '.join(model.value for model in ASSUMED_OF)} say how orders fill"
        raise BadInput("--fills", [Fault(path="--fills", got=str(fills), wants=wants)], NOTHING_RUN)
    if fills == RECORDED:
        _compare(tape, as_json=as_json)
        return
    given = _pairs("--set", settings or ())
    raw = None if config is None else _text_of(config)
    history = _open(tape, max_gap)
    if sweep:
        axes = {name: values.split(",") for name, values in _pairs("--sweep", sweep).items()}
        jobs = grid(axes, given, config=raw, seed=seed)
        with _bar("sweep", len(jobs)) as step:
            if dask is not None:
                cells = sweep_on_dask(history, jobs, dask, done=step)
            else:
                cells = sweep_here(history, jobs, done=step, workers=workers)
        if report is not None:
            from copytrade.app.backtest.report import sweep_report

            _write(report, sweep_report(history, cells, command=_command()))
        show(json_of(cells) if as_json else "\n".join([*cell_lines(cells), ""]))
        return
    policy, assumptions = read_settings(given, config=raw, source="--set")
    with _bar("backtest", None) as step:
        optimistic, pessimistic = both_ends(
            history, policy, assumptions, seed=seed, progress=lambda model: _ticking(step, model)
        )
        priced = [costs(history, result) for result in (optimistic, pessimistic)] if with_costs or report else []
        if report is not None:
            from copytrade.app.backtest.report import report as reported

            page = reported(history, optimistic, pessimistic, costs=tuple(priced), command=_command(), seed=seed)
            _write(report, page)
    if as_json:
        show(json_of({"optimistic": optimistic, "pessimistic": pessimistic, "costs": priced}))
        return
    lines = [*summary_lines(optimistic, pessimistic)]
    if priced:
        lines += ["", *costs_lines(priced[0], priced[1])]
    if report is not None:
        lines += ["", f"report: {report}"]
    show("\n".join([*lines, ""]))


def _open(paths: Sequence[Path], max_gap: float | None) -> Tape:
    from attrs import evolve

    from copytrade.wiring import tapes

    tape = tapes.open_tape(*paths)
    return tape if max_gap is None else evolve(tape, max_gap_sec=Decimal(str(max_gap)))


def _compare(paths: Sequence[Path], *, as_json: bool) -> None:
    from copytrade.app.backtest.parity import parity
    from copytrade.wiring import tapes

    found = parity(tapes.open_journal(*paths))
    if as_json:
        show(json_of({"cycles": found.cycles, "same": found.same, "share": found.share, "differ": found.differences}))
    else:
        show("\n".join([*parity_lines(found), ""]))


def _pairs(flag: str, texts: Sequence[str]) -> Mapping[str, str]:
    faults, pairs = [], {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            faults.append(Fault(path=flag, got=text, wants="KEY=VALUE"))
        pairs[name.strip()] = value.strip()
    if faults:
        raise BadInput(flag, faults, NOTHING_RUN)
    return pairs


def _text_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fault = Fault(path="--config", got=error.strerror or str(error), wants="a file that can be read")
        raise BadInput(str(path), [fault], NOTHING_RUN) from None


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        fault = Fault(path="--report", got=error.strerror or str(error), wants="a file that can be written")
        raise BadInput(str(path), [fault], "the runs are done, the report is not written") from None


def _command() -> str:
    import shlex

    return shlex.join(["copytrade", *sys.argv[1:]])


Step = Callable[[int], None]


@contextlib.contextmanager
def _bar(title: str, total: int | None) -> Iterator[Any]:
    """A progress bar on standard error, where that is a terminal; gives what moves it. Total None: only a pulse."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total, said="")

        def step(done: int, said: str = "") -> None:
            progress.update(task, completed=done if total is not None else None, said=said or f"{done}/{total}")

        yield step


def _ticking(step: Any, model: FillModel) -> Callable[[Decimal], None]:
    """Tell the bar the tape's time now and then; a tape is a stream, so nobody knows how much is still to come."""
    from datetime import UTC, datetime

    count = 0

    def tick(now: Decimal) -> None:
        nonlocal count
        count += 1
        if count % 50 == 1:
            step(count, f"{model.value} {datetime.fromtimestamp(int(now), UTC):%Y-%m-%d %H:%M}")

    return tick
