"""The numbers of a run: what a cycle adds, what it shows, and the names by which all of it is found."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from copytrade.app.config import read_config
from copytrade.app.metrics import BUCKETS, COUNTER, FAMILIES, GAUGE, HISTOGRAM, Readings, after, at_start
from copytrade.app.outcomes import Cycle, OwnFill, Result
from copytrade.app.watching import Seen, Started
from copytrade.domain.model import Reason, Side, Today
from copytrade.domain.plan import plan
from tests.domain.notation import NOW, id_of, key_of, snapshot

D = Decimal
ROOT = Path(__file__).parents[2]
WALLETS = {"target_address": "0x" + "a1" * 20, "my_address": "0x" + "b2" * 20}
STARTED = Started(at=NOW, config=read_config(None, WALLETS, source="the test"), dry=True, once=False)


def seen(text: str, *, took: str = "0.3", requests: int = 5, **facts) -> Seen:
    """A cycle on the world of this line."""
    world = snapshot(text)
    decided = plan(world)
    made = {"results": (), "fills": (), "warnings": (), **facts}
    cycle = Cycle(number=1, snapshot=world, plan=decided, started_at=NOW, ended_at=NOW + D(took), **made)
    return Seen(cycle=cycle, requests=requests)


def read(readings: Readings, name: str, *labels: str) -> Decimal | None:
    numbers = {**readings.counters, **readings.gauges}
    return numbers.get((f"copytrade_{name}", labels))


def placed(outcome: str, name: str = "A") -> Result:
    return Result(action="place", token_key=key_of(name), token_id=id_of(name), outcome=outcome)


def fill(shares: str, side: Side = Side.BUY) -> OwnFill:
    return OwnFill(order_id="0x1", token_key=key_of("A"), side=side, price=D("0.5"), shares=D(shares))


class TestCounters:
    def test_all_stand_at_0_before_the_first_cycle(self):
        readings = at_start(STARTED)
        assert set(readings.counters.values()) == {D(0)}
        assert read(readings, "orders_total", "BUY", "refused") == 0
        assert read(readings, "info", "1.0.0", "dry") == 1
        assert read(readings, "poll_interval_seconds") == 20

    def test_a_cycle_adds_what_happened_in_it(self):
        first = seen("want 100, book 0.49/0.51", results=(placed("accepted"),), warnings=("w", "v"))
        second = seen("want 0, hold 100, book 0.49/0.51", results=(placed("refused"),), fills=(fill("10"), fill("-4")))
        readings = after(after(at_start(STARTED), first), second)
        assert read(readings, "cycles_total", "normal") == 2
        assert read(readings, "requests_total") == 10
        assert read(readings, "warnings_total") == 2
        assert read(readings, "orders_total", "BUY", "accepted") == 1
        assert read(readings, "orders_total", "SELL", "refused") == 1
        assert read(readings, "fills_total", "BUY") == 1
        assert read(readings, "filled_shares_total", "BUY") == 10
        assert read(readings, "filled_pusd_total", "BUY") == 5
        assert read(readings, "fills_taken_back_total") == 1  # and no counter ever goes down

    @pytest.mark.parametrize(
        ("world", "mode"), [("want 9", "normal"), ("safe, want 9", "safe"), ("stopped, want 9", "stopped")]
    )
    def test_cycles_by_their_mode(self, world, mode):
        assert read(after(at_start(STARTED), seen(world)), "cycles_total", mode) == 1

    def test_durations(self):
        readings = at_start(STARTED)
        for took in ("0.1", "0.3", "99"):
            readings = after(readings, seen("want 9", took=took))
        assert readings.durations == tuple(1 + (most >= D("0.3")) for most in BUCKETS)
        assert (readings.cycles, readings.duration_sum) == (3, D("99.4"))


class TestGauges:
    def test_show_the_last_cycle(self):
        world = "A: want 100, book 0.49/0.51 | B: want 50, hold 50, book 0.39/0.41, live BUY 5 @ 0.4, cash 100"
        readings = after(at_start(STARTED), seen(world))
        assert read(readings, "tokens", "QUOTED") == 1
        assert read(readings, "tokens", "IN_BAND") == 1
        assert read(readings, "tokens", "NO_CASH") == 0
        assert read(readings, "tokens_outside_band") == 1
        assert read(readings, "gap_pusd") == 50
        assert read(readings, "orders_resting", "BUY") == 1  # what was not sent does not rest
        assert read(readings, "cash_pusd") == 100
        assert read(readings, "cash_free_pusd") == 98
        assert read(readings, "notional_limit_pusd") == 2000
        assert read(readings, "safe_mode") == read(readings, "stopped") == 0

    def test_what_a_cycle_does_not_tell_is_not_there(self):
        with_cash = after(at_start(STARTED), seen("want 9, cash 5"))
        assert read(after(with_cash, seen("want 9")), "cash_pusd") is None

    def test_the_day(self):
        cycle = seen("want 9")
        told = evolve(cycle.cycle, snapshot=evolve(cycle.cycle.snapshot, today=Today(spent=D(7), result=D(-3))))
        readings = after(at_start(STARTED), evolve(cycle, cycle=told))
        assert read(readings, "day_spent_pusd") == 7
        assert read(readings, "day_result_pusd") == -3

    def test_redeemable_positions_wait(self):
        assert read(after(at_start(STARTED), seen("want 9, hold 9, redeemable")), "redeemable_positions") == 1


class TestNames:
    """https://prometheus.io/docs/practices/naming"""

    @pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
    def test_keep_the_conventions(self, family):
        assert re.fullmatch(r"copytrade_[a-z]+(_[a-z]+)*", family.name)
        assert family.name.endswith("_total") is (family.kind == COUNTER)
        assert family.kind in (COUNTER, GAUGE, HISTOGRAM)
        assert family.help.endswith(".")
        assert all(re.fullmatch(r"[a-z_]+", label) for label in family.labels)

    def test_every_number_belongs_to_a_family_and_has_its_labels(self):
        world = seen("want 100, hold 9, redeemable, cash 9", results=(placed("dropped"),), fills=(fill("1"),))
        readings = after(at_start(STARTED), evolve(world, cycle=evolve(world.cycle, results=())))
        labels = {family.name: len(family.labels) for family in FAMILIES}
        for name, values in [*readings.counters, *readings.gauges]:
            assert len(values) == labels[name], name

    def test_every_reason_is_a_series(self):
        readings = after(at_start(STARTED), seen("want 9"))
        assert {labels[0] for name, labels in readings.gauges if name == "copytrade_tokens"} == {
            one.value for one in Reason
        }


class TestThePages:
    def test_docs_metrics_tells_every_family_as_it_is(self):
        rows = re.findall(
            r"^\| `(copytrade_\w+)`(?: `\{([a-z, ]+)\}`)? \| (\w+) \| (.+) \|$", _text("docs/metrics.md"), re.M
        )
        told = {name: (tuple(labels.split(", ")) if labels else (), kind, words) for name, labels, kind, words in rows}
        assert told == {family.name: (family.labels, family.kind, family.help) for family in FAMILIES}

    def test_the_dashboard_asks_for_nothing_that_is_not_there(self):
        dashboard = json.loads(_text("docs/grafana-dashboard.json"))
        asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))
        known = {family.name for family in FAMILIES} | {
            f"{family.name}_bucket" for family in FAMILIES if family.kind == HISTOGRAM
        }
        names = set(re.findall(r"copytrade_\w+", asked))
        assert names <= known
        assert len(names) >= 15, "a dashboard that shows little is none"
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")
