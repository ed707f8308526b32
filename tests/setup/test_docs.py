"""docs/doctor.md tells every line of doctor, which of them a run looks at, and the shape of its JSON."""

import re
from pathlib import Path

from copytrade.app.checks import (
    BEFORE_A_RUN,
    CLOCK,
    LAG_WARNING_SEC,
    LEAST_CASH,
    LOW_ON_DISK,
    NAMES,
    SKEW_FAULT_SEC,
    SKEW_WARNING_SEC,
    Standing,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs/doctor.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z]+)` \| (.*) \|$", PAGE, re.M))


def test_every_line_has_a_row_in_the_order_in_which_it_is_printed():
    assert [name for name in ROWS if name in NAMES] == list(NAMES)


def test_what_a_run_looks_at_is_named():
    told = re.search(r"A live run looks at (.*?) before its", PAGE, re.S)
    assert told is not None
    assert re.findall(r"`([a-z]+)`", told.group(1)) == list(BEFORE_A_RUN)


def test_every_standing_of_the_json_is_named():
    assert [one.value for one in Standing if f'`"{one.value}"`' not in PAGE] == []


def test_its_figures_are_those_that_are_used():
    assert f"more than {SKEW_FAULT_SEC} s off | … more than {SKEW_WARNING_SEC} s" in ROWS[CLOCK]
    assert f"less than {LEAST_CASH} pUSD" in ROWS["cash"]
    assert f"less than {LOW_ON_DISK // 1024 // 1024} MB" in ROWS["disk"]
    assert f"more than {LAG_WARNING_SEC} s behind" in ROWS["feed"]
