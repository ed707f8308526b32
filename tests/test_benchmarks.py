"""The benchmarks can be run, their facts are what they say, and they tell figures as a reader expects them."""

from collections import Counter
from xml.etree import ElementTree as ET

import pytest

from benchmarks import bench, cases, facts
from benchmarks.plot import drawing
from copytrade.domain.model import Mode
from copytrade.domain.plan import plan


@pytest.fixture(autouse=True)
def _clean():
    yield
    cases.clean_up()


@pytest.mark.parametrize("case", [case for case in cases.CASES.values() if case.clock == "cpu"], ids=lambda c: c.name)
def test_every_case_can_be_measured(case):
    case.prepare(min(case.sizes))()


class TestTheFacts:
    """What is decided on has every part on, and is the same every time."""

    def test_every_kind_of_decision_is_in_it(self):
        decided = plan(facts.snapshot(1000))
        told = Counter(decision.reason.value for decision in decided.decisions)
        assert decided.mode is Mode.NORMAL
        assert len(decided.decisions) == 1000
        assert {"IN_BAND", "RESTING", "QUOTED", "REQUOTED", "IN_DOUBT", "SETTLING", "UNCONFIRMED"} <= told.keys()
        assert {"TOTAL_CAP", "BLACKLISTED", "REDEEMABLE", "UNRESOLVED"} <= told.keys()
        assert {place.side.value for place in decided.places} == {"BUY", "SELL"}
        assert decided.cancels

    def test_they_are_always_the_same(self):
        assert facts.snapshot(100) == facts.snapshot(100)
        assert facts.memory(100) == facts.memory(100)


class TestTheTelling:
    def found(self, now, before=(), size=100):
        return bench.Found(case=cases.CASES["plan()"], size=size, now=list(now), before=list(before))

    def test_a_line_says_what_it_was_and_how_many_times_as_fast_it_is(self):
        line = bench.row(self.found([0.002, 0.001, 0.003], [0.004, 0.004, 0.003]), base=True)
        assert line == [
            "plan(), 100 tokens", "2 ms", "1.5 ms … 2.5 ms", "20 µs (50,000/s)", "4 ms", "2.00", "", "",
        ]  # fmt: skip

    def test_the_power_of_a_linear_cost_is_one(self):
        linear = [self.found([size * 1e-5], size=size) for size in (10, 100, 1000, 5000)]
        square = [self.found([size**2 * 1e-5], size=size) for size in (10, 100, 1000, 5000)]
        assert bench.exponent(linear) == pytest.approx(1)
        assert bench.exponent(square) == pytest.approx(2)

    def test_the_picture_has_a_line_and_a_name_for_each_cost(self):
        picture = ET.fromstring(drawing({"one": [(10, 0.001), (100, 0.02)], "a < b": [(10, 1), (100, 2)]}))
        names = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
        assert len(list(picture.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
        assert {"one", "a < b", "10", "100", "1 ms"} <= set(names)
