"""`copytrade status`: how a run stands, running or stopped, from what it has written, without touching it.

No lock is taken, nothing is written and nobody is asked: the last line of the journal and the state file say it all,
however many days there are. So it may be run as often as one likes, beside a run that trades.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade.app.cli._settings import DEFAULT_CONFIG, Places, places_of
from copytrade.app.cli.render import show
from copytrade.errors import BadInput, Fault

if TYPE_CHECKING:
    from copytrade.app.status import Status

ALL = 10_000  # lines, for somebody who can scroll
NOTHING_SHOWN = "there is nothing to show"


def status(
    config: Annotated[
        str | None, typer.Option(help=f"The configuration file ({DEFAULT_CONFIG} where there is one).")
    ] = None,
    state: Annotated[str | None, typer.Option(help="The state file, where it is not the configuration's.")] = None,
    journal_dir: Annotated[str | None, typer.Option(help="The journal, where it is not the configuration's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; its form is in docs/status.md.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks of --watch.")] = 2.0,
    everything: Annotated[bool, typer.Option("--all", help="Show every token, not only as many as fit.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours (NO_COLOR=1 does the same).")] = False,
) -> None:
    """Say how a run stands, running or stopped; it is not touched, and nobody is asked.

    Positions against want, gaps and for how long they are open, orders, fills and fees of the day, profit beside the
    leader's, what waits to be redeemed, who is on hold and why, the last trouble. Exit codes: 0 shown, 2 wrong usage,
    or no run has left anything there.
    """
    places = places_of(config, state, journal_dir, consequence=NOTHING_SHOWN)
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(places, every, as_json=as_json, everything=everything, no_color=no_color)
        return
    _print(_look(places), as_json=as_json, everything=everything, no_color=no_color)


def _look(places: Places) -> Status:
    """Raises BadInput where nothing was found."""
    from copytrade.app.status import status_of
    from copytrade.wiring import looking

    try:
        found = looking.found_at(places.state_path, places.journal_dir)
    except OSError as error:
        fault = Fault(
            path=str(error.filename or places.state_path), got=error.strerror or "nothing", wants="to be read"
        )
        raise BadInput("the state or the journal", [fault], NOTHING_SHOWN) from None
    if found.line is None and found.state is None and not found.running:
        faults = [
            Fault(path="the state", got=f"none at {places.state_path}", wants="what a live run has kept"),
            Fault(path="the journal", got=f"none in {places.journal_dir}", wants="the same (a dry run writes nothing)"),
        ]
        raise BadInput("the command line", faults, f"{NOTHING_SHOWN}; name them with --config, or --state")
    return status_of(found, _now())


def _now() -> Decimal:
    return Decimal(time.time_ns() // 1_000_000) / 1000


def _print(found: Status, *, as_json: bool, everything: bool, no_color: bool) -> None:
    if as_json:
        from copytrade.app.status import status_object
        from copytrade.app.writing import to_json

        show(to_json(status_object(found)).decode() + "\n")
        return
    from copytrade.app.cli._standing import status_lines
    from copytrade.app.cli._table import text_of

    size = shutil.get_terminal_size((80, 24))
    terminal = sys.stdout is not None and sys.stdout.isatty()
    lines = status_lines(found, size.columns, ALL if everything or not terminal else max(size.lines - 1, 24))
    if not terminal or no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        show(text_of(lines))
        return
    from rich.console import Console

    from copytrade.app.cli._live import THEME, rich_text

    Console(theme=THEME, highlight=False).print(rich_text(lines))


def _watch(places: Places, every: float, *, as_json: bool, everything: bool, no_color: bool) -> None:
    found = _look(places)  # what is wrong with the command is said before the screen is taken
    if as_json or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        while not _reader_has_left():
            _print(found, as_json=as_json, everything=everything, no_color=no_color)
            time.sleep(every)
            found = _look(places)
        return
    from rich.console import Console
    from rich.live import Live

    from copytrade.app.cli._live import THEME, rich_text
    from copytrade.app.cli._standing import status_lines

    console = Console(theme=THEME, highlight=False, no_color=True if no_color else None)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            lines = status_lines(found, console.width, console.height)
            live.update(rich_text(lines[: console.height]), refresh=True)
            time.sleep(every)
            with contextlib.suppress(BadInput):  # it may be there again in a moment
                found = _look(places)


def _reader_has_left() -> bool:
    return sys.stdout is None or sys.stdout.closed
