"""The judgement of facts, as tables: which facts give which line. Where facts come from is told in test_doctor.py."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from copytrade.app.checks import (
    BEFORE_A_RUN,
    NAMES,
    Check,
    Facts,
    Folder,
    Standing,
    Unknown,
    faults_in,
    judge,
    no_configuration,
    notes_of,
    refuse,
)
from copytrade.app.config import read_config
from copytrade.app.ports import Contract, Funds, Region
from copytrade.domain.model import Position, Positions
from copytrade.errors import RefusedToStart

D = Decimal
LEADER, ME = "0x" + "11" * 20, "0x" + "22" * 20
CTF, V3 = "69515744437473089728151261939146426925489297565662421305942992110046228478629", str((1 << 248) | (7 << 120))
UNLIMITED = dict.fromkeys(Contract, D(10) ** 60)
MB = 1024 * 1024


def config(**settings):
    given = {"target_address": LEADER, "my_address": ME, "signature_type": "3", **settings}
    return read_config(None, given, source="the test", live=True)


def rows(count: int, size: str = "100", token_id: str = CTF, price: str = "0.5") -> Positions:
    return Positions(
        positions=tuple(
            Position(
                token_key=f"0x{n:x}:0", condition_id=f"0x{n:x}", outcome_index=0, size=D(size), avg_price=D(price),
                current_price=D(price), token_id=token_id,
            )
            for n in range(count)
        )
    )  # fmt: skip


GOOD = Facts(
    config=config(),
    state_folder=Folder(path=".", free_bytes=10_000 * MB),
    journal_folder=Folder(path="journal", free_bytes=10_000 * MB),
    told="no alerts, no metrics",
    key="0xkey",
    region=Region(blocked=False, country="IE"),
    skew_sec=D("0.4"),
    order_version=2,
    credentials=True,
    closed_only=False,
    funds=Funds(balance=D(1000), allowances=UNLIMITED),
    target=rows(12),
    mine=rows(3),
    lag_sec=D(4),
    tier="Standard",
)


def but(name: str, fact: Unknown) -> Facts:
    changed: dict[str, Any] = {name: fact}
    return evolve(GOOD, **changed)


def at(name: str, facts: Facts) -> Check:
    return next(check for check in judge(facts) if check.name == name)


def allowing(**amounts: str) -> Funds:
    told = {Contract[name]: D(amount) for name, amount in amounts.items()}
    return Funds(balance=D(1000), allowances={**UNLIMITED, **told})


@pytest.mark.parametrize(
    ("name", "changed", "standing", "words"),
    [
        ("state", {"first": True}, "ok", "a first start"),
        ("state", {"state_notes": ("state.json is broken", "going on from state.json.bak")}, "warning", "; going on"),
        ("disk", {"journal_folder": Folder(path="j", free_bytes=20 * MB)}, "warning", "j has 20 MB left"),
        ("alerts", {"told": Unknown(why="others can read them", no=True)}, "fault", "others can read"),
        ("alerts", {"told": Unknown(why="taken", no=True), "dry": True}, "fault", "taken"),  # a dry run has them, too
        ("lock", {"in_use": None}, "fault", "neither taken nor looked at"),
        ("lock", {"in_use": None, "state_folder": Folder(path="s", trouble="no")}, "not checked", "waits for: disk"),
        ("alerts", {"in_use": None}, "not checked", "waits for: lock"),
        ("alerts", {"in_use": "another holds it"}, "not checked", "waits for: lock"),  # it has the port as well
        ("region", {"region": Region(blocked=False)}, "ok", "from where you are"),
        ("clock", {"skew_sec": D(2)}, "ok", "within 2 s"),
        ("clock", {"skew_sec": D("-2.5")}, "warning", "2.50 s ahead of"),
        ("clock", {"skew_sec": D(30)}, "warning", "30 s behind"),
        ("clock", {"skew_sec": D("30.1")}, "fault", "30.10 s behind"),
        ("cash", {"funds": Funds(balance=D(0), allowances=UNLIMITED)}, "warning", "0 pUSD"),  # it may sell
        ("cash", {"funds": Funds(balance=D(0)), "mine": rows(0)}, "fault", "nothing to trade with"),
        ("cash", {"funds": Funds(balance=D(0)), "mine": Unknown(why="503")}, "warning", "0 pUSD"),
        ("allowances", {"funds": allowing(NEG_RISK="0")}, "warning", "neg-risk markets"),
        ("allowances", {"funds": allowing(V3="0"), "target": rows(4, token_id=V3)}, "warning", "4 of the leader's 4"),
        ("allowances", {"funds": allowing(ORDINARY="0", NEG_RISK="0", V3="0")}, "fault", "every BUY is refused"),
        ("allowances", {"funds": allowing(ORDINARY="999")}, "warning", "(1000 pUSD) is allowed to ordinary"),
        ("allowances", {"funds": Funds(balance=D(1000))}, "warning", "does not say it of ordinary"),
        ("leader", {}, "ok", "12 open positions worth about 600 pUSD; your share of them is about 120"),
        ("leader", {"target": rows(0), "has_traded": True}, "warning", "holds nothing now"),
        ("leader", {"target": rows(0), "has_traded": False}, "fault", "has never traded"),
        ("leader", {"target": rows(0), "has_traded": Unknown(why="503")}, "warning", "could not be learned (503)"),
        ("leader", {"target": evolve(rows(5), incomplete=True)}, "warning", "may lack some"),
        ("feed", {"lag_sec": None}, "ok", "does not say how late"),
        ("feed", {"lag_sec": D("30.5")}, "warning", "30.50 s behind"),
        ("feed", {"feed_version": 1}, "warning", "version 2 is not served, so version 1"),
        ("size", {}, "ok", "12 positions to follow, 2 pages a poll"),
        ("size", {"target": rows(860)}, "ok", "860 positions"),
        ("size", {"target": rows(861)}, "warning", "about 20.02 s at the exchange's limit"),
        ("size", {"target": rows(2001)}, "warning", "4 pages a poll"),
        ("size", {"target": rows(12, size="15")}, "warning", "0 positions to follow"),  # a fifth is in the deadband
        ("size", {"config": config(poll_interval_sec="0.09")}, "warning", "more than the feed's limit"),
        ("size", {"config": config(poll_interval_sec="4")}, "warning", "cached for up to 5 s"),
        ("size", {"target": rows(10_500), "feed_version": 1, "config": config(data_api_version="1")}, "warning",
         "as many as the feed can tell of"),
        ("tier", {"tier": ""}, "ok", "does not say which"),
        ("tier", {"tier": Unknown(why="refused", no=True)}, "warning", "refused"),
    ],
)  # fmt: skip
def test_a_line(name, changed, standing, words):
    check = at(name, evolve(GOOD, **changed))
    assert (check.standing.value, bool(check.what_to_do)) == (standing, standing in ("warning", "fault")), check
    assert words in check.what


def test_all_lines_stand_in_the_order_of_causes_and_good_facts_are_good():
    checks = judge(GOOD)
    assert tuple(check.name for check in checks) == NAMES
    assert {check.name for check in checks if check.standing is not Standing.OK} == {"holding"}  # nothing was asked
    assert tuple(check.name for check in no_configuration("x", "y")) == NAMES


ASKED = ["credentials", "closed_only", "funds", "region", "order_version", "target", "skew_sec"]


@pytest.mark.parametrize("name", ASKED)
class TestWhatIsNotKnown:
    """Rule 2: what did not answer is a warning and never a fault, unless the exchange said no for certain."""

    def test_no_answer_refuses_nothing(self, name):
        checks = judge(but(name, Unknown(why="no answer in 6 s")))
        assert faults_in(checks) == ()
        assert any(check.what == "no answer in 6 s" for check in checks)
        refuse(checks)

    def test_a_definite_no_refuses(self, name):
        checks = judge(but(name, Unknown(why="refused: address banned", no=True)))
        assert faults_in(checks)[0].name in BEFORE_A_RUN
        with pytest.raises(RefusedToStart, match="address banned"):
            refuse(checks)


def test_a_refusal_names_every_fault_and_what_to_do_about_it():
    facts = evolve(GOOD, region=Region(blocked=True, country="US"), closed_only=True)
    with pytest.raises(RefusedToStart) as refused:
        refuse(judge(facts))
    lines = str(refused.value).splitlines()
    assert lines[0] == "this start is refused, nothing was sent:"
    assert [line.split(":")[0].strip() for line in lines[1::2]] == ["region", "account"]
    assert all(line.startswith("    -> ") for line in lines[2::2])


def test_a_run_is_told_only_what_it_looked_at_itself():
    facts = evolve(GOOD, lag_sec=D(100), state_notes=("broken",), skew_sec=D(5))
    assert [note.split(":")[0] for note in notes_of(judge(facts))] == ["clock"]


def test_paths_of_another_exchange_are_not_asked_of_polymarket_about_the_region():
    facts = evolve(GOOD, config=config(clob_url="http://127.0.0.1:1", state_path=Path("s.json")), region=None)
    assert at("region", facts).standing is Standing.NOT_CHECKED
