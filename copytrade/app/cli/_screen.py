"""Which way a run speaks: the live view, plain lines, or a log.

    a terminal                                   the live view
    a terminal, --plain or TERM=dumb; --once     plain lines, for people
    no terminal, or --log-format                 the log: events, one a line, on standard output

Whatever it is, it is written by way of an `Outlet`, so that nobody's slow reading reaches the run.

Not here: what each of them says (_live.py, _lines.py, _log_lines.py).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO, cast

from attrs import frozen

from copytrade.app.cli._lines import Lines
from copytrade.app.cli._log_lines import LogLines
from copytrade.app.cli._outlet import Outlet
from copytrade.app.config import NOTHING_STARTED
from copytrade.errors import BadInput, Fault

if TYPE_CHECKING:
    from copytrade.app.cli._live import LiveView
    from copytrade.app.watching import Watcher

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")


@frozen(kw_only=True)
class Wanted:
    """What was asked for on the command line. Raises BadInput for words that mean nothing."""

    once: bool = False
    plain: bool = False
    no_color: bool = False
    log_format: str | None = None
    log_level: str | None = None

    def __attrs_post_init__(self) -> None:
        asked = (("--log-level", self.log_level, LOG_LEVELS), ("--log-format", self.log_format, LOG_FORMATS))
        faults = [
            Fault(path=flag, got=got, wants=f"{', '.join(words[:-1])} or {words[-1]}")
            for flag, got, words in asked
            if got is not None and got not in words
        ]
        if faults:
            raise BadInput("the command line", faults, NOTHING_STARTED)


@frozen(kw_only=True)
class Screen:
    """The way that was chosen. `say` is for what a person must read before anything else happens."""

    watcher: Watcher
    once: bool
    log_level: str
    log_form: str
    log_stream: TextIO
    aside: Callable[[], AbstractContextManager[None]]
    tell: Callable[[str], object]
    outlets: tuple[Outlet, ...]

    def say(self, line: str) -> None:
        """Say one line, and see that it is out."""
        self.tell(line)
        self.outlets[0].drain()

    def close(self) -> None:
        """Write what waits; afterwards nothing is said any more."""
        for outlet in self.outlets:
            outlet.close()


def screen_of(wanted: Wanted, out: TextIO | None = None, err: TextIO | None = None) -> Screen:
    """The screen of a run on these streams (standard output and standard error where they are left out)."""
    stderr = Outlet(err or sys.stderr or _nowhere())
    stdout = Outlet(out or sys.stdout or _nowhere(), failed=lambda error: stderr.write(_lost(error)))
    level, form = wanted.log_level, wanted.log_format or "text"
    if wanted.log_format is not None or not (stdout.isatty() or wanted.once):
        log = LogLines(cast(TextIO, stderr))
        return Screen(
            watcher=log,
            once=wanted.once,
            log_level=level or "info",
            log_form=form,
            log_stream=cast(TextIO, stdout),
            aside=contextlib.nullcontext,
            tell=log.at_start,
            outlets=(stdout, stderr),
        )
    lines = Lines(cast(TextIO, stdout), cast(TextIO, stderr))
    if wanted.once or wanted.plain or os.environ.get("TERM", "dumb") in ("dumb", ""):
        return Screen(
            watcher=lines,
            once=wanted.once,
            log_level=level or "warning",
            log_form=form,
            log_stream=cast(TextIO, stderr),
            aside=contextlib.nullcontext,
            tell=lines.say,
            outlets=(stdout, stderr),
        )
    from copytrade.app.cli._live import LiveView  # rich is for whoever sees it

    view = LiveView(stdout, lines, colour=not wanted.no_color)
    return Screen(
        watcher=view,
        once=False,
        log_level=level or "warning",
        log_form=form,
        log_stream=cast(TextIO, _BelowTheTable(view)),
        aside=view.aside,
        tell=lines.say,
        outlets=(stdout, stderr),
    )


def _lost(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return "nobody reads standard output any more: the run goes on, and so does its journal\n"
    return f"standard output cannot be written ({error.strerror}): the run goes on, and so does its journal\n"


class _BelowTheTable:
    """Takes log lines and shows them as news of the view."""

    def __init__(self, view: LiveView) -> None:
        self._view = view

    def write(self, text: str) -> int:
        import time

        for line in text.splitlines():
            words = line.partition("] ")[2] or line  # without its time and level: the view has its own
            self._view.log(Decimal(int(time.time())), "warn", " ".join(words.split()))
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return False


def _nowhere() -> TextIO:
    """For a process whose streams were closed by whoever started it."""
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  # open as long as the process
