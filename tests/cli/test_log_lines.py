"""The log of a run: an event a line, in a form that is documented; what repeats is folded, what changed is told."""

import io
import json
import logging
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from attrs import evolve

from copytrade.adapters.logs import set_up_logging
from copytrade.app.cli._log_lines import LogLines
from copytrade.app.config import Config
from copytrade.app.loop import Ending
from copytrade.app.outcomes import Cycle
from copytrade.app.watching import Seen, Started, Stopped
from tests.cli.stories import NOW, cycle, facts, key

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def as_before():
    """Logging belongs to the whole process: leave it as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def logged(
    *cycles: Cycle, ending: Ending | None = None, error: Exception | None = None, dry: bool = False
) -> list[Any]:
    """What a run of these cycles writes, line by line."""
    stream, err = io.StringIO(), io.StringIO()
    set_up_logging(form="json", stream=stream)
    lines = LogLines(err)
    policy = (cycles[0] if cycles else cycle()).snapshot.policy
    config = SimpleNamespace(
        policy=policy, poll_interval_sec=Decimal(20), state_path=Path("state.json"), journal_dir=Path("journal"),
        on_stop="cancel",
    )  # fmt: skip
    lines.on_start(Started(at=Decimal(NOW), config=cast(Config, config), dry=dry, once=False, notes=("a note",)))
    for one in cycles:
        lines.on_cycle(Seen(cycle=one, requests=9))
    lines.on_stop(Stopped(at=Decimal(NOW), ending=ending or (None if error else Ending(cycles=3)), error=error))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def events(lines: list[Any]) -> list[str]:
    return [line["event"] for line in lines]


def of(lines: list[Any], event: str) -> list[Any]:
    return [line for line in lines if line["event"] == event]


class TestOneLineForEach:
    def test_a_cycle_with_all_that_happened_in_it(self):
        lines = logged(cycle(warnings=("careful",)))
        told = events(lines)
        assert told[:2] == ["run_started", "note"]
        assert told[-2:] == ["cycle", "run_stopped"]
        assert {name: told.count(name) for name in ("fill", "order", "refusal", "warning", "redeemable", "cycle")} == {
            "fill": 1, "order": 1, "refusal": 1, "warning": 1, "redeemable": 1, "cycle": 1
        }  # fmt: skip
        [summary] = of(lines, "cycle")
        del summary["timestamp"]
        assert summary == {
            "event": "cycle", "level": "info", "number": 132, "mode": "normal", "tokens": 10, "gaps": 6, "cancels": 0,
            "orders": 2, "fills": 1, "warnings": 1, "cash": 1234.5, "counted": 1421.97, "requests": 9, "seconds": 0.31,
        }  # fmt: skip
        [refusal] = of(lines, "refusal")
        assert (refusal["level"], refusal["side"], refusal["shares"], refusal["price"]) == ("warning", "SELL", 25, 0.63)
        assert refusal["words"] == "not enough balance / allowance"

    def test_times_are_utc(self):
        assert all(
            re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"]) for line in logged(cycle())
        )

    def test_a_fill_that_is_taken_back_is_a_warning(self):
        whole = cycle()
        lines = logged(evolve(whole, fills=(evolve(whole.fills[0], shares=Decimal(-5)),)))
        [back] = of(lines, "fill_taken_back")
        assert (back["level"], back["shares"]) == ("warning", 5)

    def test_what_nobody_knows_the_fate_of_is_a_warning(self):
        whole = cycle()
        results = tuple(evolve(one, outcome="unknown") if one.outcome == "accepted" else one for one in whole.results)
        [order] = of(logged(evolve(whole, results=results)), "order")
        assert (order["level"], order["outcome"]) == ("warning", "unknown")


class TestWhatRepeats:
    def test_a_warning_is_said_once_and_when_it_is_over(self):
        quiet = [evolve(cycle(), fills=(), warnings=()) for _ in range(4)]
        lines = logged(*[cycle(warnings=("careful",))] * 5, *quiet)
        assert len(of(lines, "warning")) == 1
        assert [(line["words"], line["cycles"]) for line in of(lines, "warning_over")] == [("careful", 5)]

    def test_safe_mode_is_told_as_it_begins_changes_and_ends(self):
        unsafe, worse = facts(mine={"ok": False}), facts(mine={"ok": False}, orders_ok=False)
        lines = logged(cycle(unsafe), cycle(unsafe), cycle(worse), cycle(), cycle())
        assert [line["words"] for line in of(lines, "safe_mode")] == [
            "my positions could not be read",
            "my positions could not be read and my orders could not be read",
        ]
        assert len(of(lines, "safe_mode_over")) == 1

    def test_a_position_to_redeem_is_told_once(self):
        [line] = of(logged(cycle(), cycle(), cycle()), "redeemable")
        assert (line["token_key"], line["worth"], line["level"]) == (key(3), 50, "warning")

    def test_a_reason_is_told_when_it_is_new(self):
        lines = of(logged(cycle(), cycle()), "reason")
        assert {line["reason"] for line in lines} == {"ON_HOLD", "IN_DOUBT", "TOKEN_CAP", "NO_BOOK", "UNRESOLVED"}
        assert len(lines) == 5


class TestTheEnd:
    def test_of_a_live_run_and_of_a_dry_one(self):
        assert logged(cycle())[-1]["words"] == "no order of ours rests, the state is saved"
        assert logged(cycle(), dry=True)[-1]["words"] == "nothing was sent"

    def test_orders_that_may_rest_are_an_error_with_their_ids(self):
        lines = logged(ending=Ending(cycles=3, may_rest=("0x1", "0x2")))
        assert [(line["event"], line["level"]) for line in lines[-2:]] == [
            ("orders_may_rest", "error"),
            ("run_stopped", "info"),
        ]
        assert lines[-2]["order_ids"] == ["0x1", "0x2"]

    def test_what_ended_it(self):
        last = logged(error=ValueError("what a day"))[-1]
        assert (last["event"], last["level"], last["words"], last["kind"]) == (
            "run_failed", "error", "what a day", "ValueError"
        )  # fmt: skip


def test_every_event_and_key_is_documented():
    """docs/logs.md is what people build on: nothing is written that it does not name."""
    page = (ROOT / "docs/logs.md").read_text()
    documented = {
        event: set(re.findall(r"`(\w+)`", keys))
        for names, keys in re.findall(r"^\| (`[^|]+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", page, re.M)
        for event in re.findall(r"`(\w+)`", names)
    }
    documented["refusal"] = documented["order"]
    documented["fill_taken_back"] = documented["fill"]
    unsafe, warned = facts(mine={"ok": False}), cycle(warnings=("careful",))
    lines = [
        *logged(*[warned] * 40, *[cycle(unsafe)] * 4, cycle(), ending=Ending(cycles=3, may_rest=("0x1",))),
        *logged(cycle(), dry=True),
        *logged(error=ValueError("x")),
    ]
    for line in lines:
        extra = line.keys() - {"event", "level", "timestamp"} - documented[line["event"]]
        assert not extra, (line["event"], extra)
