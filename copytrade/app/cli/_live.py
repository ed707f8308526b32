"""The live view of a run on a terminal: drawn in place by a thread of its own, once a second and after each cycle.

Rule 1: the run only hands over a `View`. Whatever drawing takes, and whether the terminal takes it, the run does not
        wait: a terminal that is stopped (Ctrl-S) stops the thread and nothing else.
Rule 2: an error in drawing ends the view, not the run: plain lines follow. A terminal that is gone ends both, silently.
Rule 3: the terminal is given back as it was: at the end, for a question (`aside`), and before the process is stopped.

Not here: what the lines say (_view.py).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.theme import Theme

from copytrade.app.cli._lines import Lines, action_lines, fill_text
from copytrade.app.cli._outlet import Outlet
from copytrade.app.cli._table import Line, money
from copytrade.app.cli._view import View, frame
from copytrade.app.cli.render import why_safe
from copytrade.app.folding import Folded, News
from copytrade.app.outcomes import Cycle
from copytrade.app.story import day_limits, outside_band, rows_of, sums_of
from copytrade.app.tally import Counting, Tally
from copytrade.app.watching import Seen, Started, Stopped
from copytrade.app.writing import plain

EVERY_SEC = 1.0
CLOSING_SEC = 1.0  # a stopped terminal is waited for no longer
THEME = Theme(
    {
        "head": "bold reverse",
        "good": "green",
        "sell": "magenta",
        "warn": "yellow",
        "bad": "bold red",
    }
)


class LiveView:
    """The watcher that shows the view, on a terminal; plain lines before it, after it, and where it fails."""

    def __init__(self, out: Outlet, lines: Lines, *, colour: bool = True) -> None:
        self._lines = lines
        self._painter = Painter(out, colour=colour)
        self._started: Started | None = None
        self._counting: Counting | None = None
        self._warnings = Folded()
        self._news: deque[tuple[Decimal, str, str]] = deque(maxlen=20)

    def on_start(self, started: Started) -> None:
        self._started = started
        self._counting = Counting(Tally(since=started.at, run_started_at=started.at))
        self._lines.on_start(started)
        self._lines.say("the first cycle is on its way; Ctrl-C ends the run")

    def on_cycle(self, seen: Seen) -> None:
        assert self._started is not None, "on_start comes first"
        assert self._counting is not None, "on_start comes first"
        tally = self._counting.count(seen.cycle)
        for told in self._warnings.take(seen.cycle.warnings, seen.cycle.snapshot.now):
            if told.news is News.OVER:  # what holds stands above the table
                self.log(seen.cycle.snapshot.now, "dim", f"over: {told.words}")
        for style, words in _news_of(seen.cycle, dry=self._started.dry):
            self.log(seen.cycle.snapshot.now, style, words)
        if self._painter.failed:
            self._lines.on_cycle(seen)
        else:
            self._painter.show(self._view(seen, tally))

    def on_stop(self, stopped: Stopped) -> None:
        self._painter.close()
        self._lines.on_stop(stopped)

    def log(self, at: Decimal, style: str, words: str) -> None:
        """A line below the table."""
        self._news.append((at, style, words))

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """The terminal as it was, for a question or for a rest; the view comes back afterwards."""
        self._painter.pause()
        try:
            yield
        finally:
            self._painter.resume()

    def _view(self, seen: Seen, tally: Tally) -> View:
        assert self._started is not None
        cycle, config = seen.cycle, self._started.config
        snapshot, plan = cycle.snapshot, cycle.plan
        return View(
            title="DRY RUN" if self._started.dry else "LIVE",
            target=config.policy.target_address,
            me=config.policy.my_address,
            follow_ratio=config.policy.follow_ratio,
            started_at=self._started.at,
            poll_interval_sec=config.poll_interval_sec,
            unsafe=why_safe(snapshot),
            stopped=snapshot.stopped,
            limits=day_limits(snapshot),
            cycle=cycle.number,
            cycle_at=cycle.ended_at,
            seconds=cycle.ended_at - cycle.started_at,
            requests=seen.requests,
            sums=sums_of(snapshot, plan),
            gaps=outside_band(plan.decisions, snapshot),
            rows=rows_of(snapshot, plan, cycle.results),
            today=_today(tally, dry=self._started.dry, ratio=config.policy.follow_ratio),
            warnings=tuple(self._warnings.current.items()),
            news=tuple(self._news),
        )


class Painter:
    """The thread that draws. It exists from the first view to `close`."""

    def __init__(self, out: Outlet, *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._changed = threading.Condition()
        self._view: View | None = None
        self._wanted = self._closed = False
        self._idle = threading.Event()  # the terminal is as it was
        self._idle.set()
        self._thread: threading.Thread | None = None
        self.failed: Exception | None = None

    def show(self, view: View) -> None:
        """Draw this from now on."""
        with self._changed:
            self._view, self._wanted = view, True
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="live view", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def pause(self) -> None:
        """Give the terminal back."""
        with self._changed:
            self._wanted = False
            self._changed.notify_all()
        self._idle.wait(CLOSING_SEC)

    def resume(self) -> None:
        """Draw again, if anything was drawn before."""
        with self._changed:
            self._wanted = self._view is not None
            self._changed.notify_all()

    def close(self) -> None:
        """Give the terminal back for good."""
        self._closed = True
        self.pause()

    def _work(self) -> None:
        try:
            while not self._closed:
                with self._changed:
                    while not (self._wanted or self._closed):
                        self._changed.wait()
                if not self._closed:
                    self._draw()
        except Exception as error:  # noqa: BLE001  # rule 2: the run goes on with plain lines
            self.failed = error
        finally:
            self._idle.set()

    def _draw(self) -> None:
        """Draw until somebody wants the terminal back."""
        self._idle.clear()
        console = Console(
            file=cast("IO[str]", self._out),  # rich writes, flushes and asks whether it is a terminal
            theme=THEME,
            force_terminal=True,
            no_color=None if self._colour else True,
            highlight=False,
        )
        with Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as live:
            while True:
                with self._changed:
                    view, wanted = self._view, self._wanted and not self._closed
                if not wanted or view is None or self._out.broken:
                    break
                if not self._out.drain(EVERY_SEC):
                    continue  # the terminal takes nothing: what it missed by then is old
                size = console.size
                lines = frame(view, size.width, size.height, Decimal(time.time_ns()) / 10**9)
                live.update(rich_text(lines), refresh=True)
                with self._changed:
                    if self._view is view and self._wanted and not self._closed:
                        self._changed.wait(EVERY_SEC)
        self._idle.set()


def rich_text(lines: list[Line]) -> Text:
    """The lines as rich draws them."""
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for words, style in line:
            text.append(words, style or None)
    return text


def _today(tally: Tally, *, dry: bool, ratio: Decimal) -> str:
    if dry:
        return "dry run: nothing is sent, nothing is written"
    day = tally.today
    fills = f"{day.fills} fill{'' if day.fills == 1 else 's'}, bought {money(day.bought)}, sold {money(day.sold)}"
    return f"this run: {fills}, profit {money(tally.gain)} (his × {plain(ratio)}: {money(tally.leader_gain * ratio)})"


def _news_of(cycle: Cycle, *, dry: bool) -> Iterator[tuple[str, str]]:
    """Style and words of everything that has happened in a cycle."""
    for fill in cycle.fills:
        yield "bold" if fill.shares > 0 else "warn", fill_text(fill, cycle.titles)
    if not dry:
        for result, words in action_lines(cycle):
            bad = result is not None and result.outcome in ("refused", "unknown", "unconfirmed")
            yield "bad" if bad else "", words
