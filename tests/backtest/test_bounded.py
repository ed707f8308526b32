"""A run without records takes no more memory for a longer tape."""

from __future__ import annotations

import gc
import tracemalloc
from decimal import Decimal

import pytest

from benchmarks.backtest_tape import market_tape
from copytrade.app.backtest import result
from copytrade.app.backtest.assumptions import Assumptions
from copytrade.app.backtest.engine import backtest


def most(polls: int, *, keep: bool = False) -> int:
    """The most bytes that a run on a streamed tape holds, looked at every 25 polls.

    Garbage is collected before each look, since that also empties CPython's lists of free tuples, which would count.
    """
    looks: list[int] = []
    interval = Assumptions().poll_interval_sec

    def look(now: Decimal) -> None:
        if now % (25 * interval) == 0:
            gc.collect()
            looks.append(tracemalloc.get_traced_memory()[0])

    tape = market_tape(tokens=5, polls=polls, in_memory=False)
    gc.collect()
    tracemalloc.start()
    try:
        rich = Assumptions(start_cash=Decimal(5000))
        found = backtest(tape, fills="optimistic", assumptions=rich, keep=keep, progress=look)
    finally:
        tracemalloc.stop()
    assert found.summary.fills > polls // 20, "something happens all the time"
    return max(looks)


@pytest.fixture
def short_curves(monkeypatch):
    """A curve is bounded too: full before the shorter tape ends."""
    monkeypatch.setattr(result, "POINTS", 50)


def test_memory_does_not_grow_with_the_tape(short_curves):
    most(50)  # whatever is made once is made now
    assert most(600) < 1.3 * most(150)


def test_records_that_are_kept_do_grow_so_the_measure_sees_it(short_curves):
    most(50)
    assert most(200, keep=True) > 1.5 * most(50, keep=True)
