"""A result says how much of its time the tape tells of: where it is silent, nobody knows what happened."""

from __future__ import annotations

from decimal import Decimal

import pytest

from copytrade.app.backtest.assumptions import Assumptions
from copytrade.app.backtest.engine import backtest
from copytrade.app.backtest.render import summary_lines
from copytrade.app.backtest.tape import Beat, BookSeen, Event, LeaderHeld, Tape, TokenListed

D = Decimal
KEY = "0xc1:0"
NOON = 1_766_000_000 // 86400 * 86400 + 43200


def looked_at(*seconds: int, beats: tuple[int, ...] = ()) -> Tape:
    """A book at each of these seconds after noon, and a beat at each of those."""
    first: list[Event] = [
        TokenListed(at=D(NOON), token_key=KEY, token_id="111", tick_size=D("0.01")),
        LeaderHeld(at=D(NOON), token_key=KEY, size=D(100)),
    ]
    level = D("0.50"), D(50)
    books = [
        BookSeen(at=D(NOON + after), token_key=KEY, bids=(level,), asks=((D("0.60"), D(50)),)) for after in seconds
    ]
    heard = [Beat(at=D(NOON + after)) for after in beats]
    events: list[Event] = [*first, *books, *heard]
    return Tape.of(sorted(events, key=lambda event: event.at))


TABLE = [
    # books at these seconds, longest silence, covered
    ((0, 100, 200, 300), 100, "1"),
    ((0, 300, 600), 300, "1"),  # five minutes are none yet
    ((0, 301), 301, "0"),
    ((0, 100, 500, 1000), 500, "0.1"),
    ((0, 900, 1000), 900, "0.1"),
    ((0,), 0, "1"),
]


@pytest.mark.parametrize(("seconds", "longest", "covered"), TABLE)
def test_the_longest_silence_and_the_time_covered(seconds, longest, covered):
    found = backtest(looked_at(*seconds)).summary
    assert (found.longest_silence_sec, found.covered) == (longest, D(covered))


def test_who_looked_and_saw_nothing_was_not_silent():
    found = backtest(looked_at(0, 1000, beats=tuple(range(0, 1000, 100)))).summary
    assert (found.longest_silence_sec, found.covered) == (D(100), D(1))


def test_five_polls_are_no_silence_however_long_a_poll_is():
    hourly = Assumptions(poll_interval_sec=D(3600))
    assert backtest(looked_at(0, 18_000, 36_000), assumptions=hourly).summary.covered == 1
    assert backtest(looked_at(0, 21_600, 36_000), assumptions=hourly).summary.covered == D("0.4")


def test_the_assumptions_tell_of_it():
    notes = backtest(looked_at(0, 100, 54_160, 54_200, 55_000)).notes
    assert [note for note in notes if "silent" in note] == [
        "the tape is silent 2 times, the longest for 15 h 1 min from 2025-12-17 12:01 UTC, and tells of 0.3 % of its "
        "time; in a silence no price moves and nothing fills"
    ]


def test_a_tape_that_is_never_silent_assumes_nothing_of_the_kind():
    assert not any("silent" in note for note in backtest(looked_at(0, 100, 200)).notes)


def test_the_table_tells_of_it():
    found = backtest(looked_at(0, 100, 54_160))
    lines = [line.split("  ") for line in summary_lines(found, found)]
    told = {line[1].strip(): [part.strip() for part in line[2:] if part] for line in lines if len(line) > 2}
    assert told["covered by the tape"] == ["0.2 %", "0.2 %"]
    assert told["longest silence"] == ["15 h 1 min", "15 h 1 min"]
