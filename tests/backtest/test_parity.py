"""A run on the embedded exchange, journalled, and the backtest of its journal: the same decisions, cycle by cycle."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import Hits
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.adapters.tapes import open_tape
from copytrade.adapters.tapes.journals import read_cycles
from copytrade.app import cli
from copytrade.app.backtest.assumptions import Assumptions
from copytrade.app.backtest.engine import backtest
from copytrade.app.backtest.parity import Outcome, Placed, Recorded, parity
from copytrade.app.backtest.tape import LeaderHeld
from copytrade.app.documents import encode_plan
from copytrade.app.outcomes import Cycle
from copytrade.domain.lost_state import recovering
from copytrade.domain.memory import Memory
from copytrade.domain.model import Mode, Place
from tests.app.stage import ME, Stage, outcomes
from tests.e2e.driving import Story, busy, config_of, run_until, world_of


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """The journal of a busy run: orders fill in parts, grow old and are requoted, the leader changes his mind."""
    return journal_of(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def rough_journal(tmp_path_factory):
    """The same where answers to posts and cancels are lost, after and before they took effect, and listings fail."""
    lost = {
        Endpoint.POST_ORDERS: [Fault(kind=Kind.DROP, after_effect=True), Fault(kind=Kind.DROP, skip=2)],
        Endpoint.CANCEL_ORDERS: [Fault(kind=Kind.DROP, after_effect=True), Fault(kind=Kind.STATUS, skip=1)],
        Endpoint.OPEN_ORDERS: [Fault(kind=Kind.STATUS, status=400, skip=12, times=2)],
        Endpoint.POSITIONS_V2: [Fault(kind=Kind.STATUS, status=400, skip=30, times=2)],
    }
    return journal_of(tmp_path_factory.mktemp("rough"), lost)


def journal_of(folder, faults=None):
    # Where cancels are to go wrong, fewer orders fill before they grow old.
    manners = evolve(busy(), hits=Hits(mean_sec=0.5, least=Decimal(3), most=Decimal(12))) if faults else busy()
    world = world_of(tokens=4, leader_holds="300", mine={1: "90"}, manners=manners)
    for endpoint, some in (faults or {}).items():
        world.faults.add(endpoint, *some)

    def enough(story: Story) -> bool:
        if len(story.cycles) == 25:
            world.exchange.hold(LEADER, yes_of(world, 0), Decimal(0))
        if len(story.cycles) == 35:
            world.exchange.hold(LEADER, yes_of(world, 2), Decimal(500))
        happened = {result.outcome for cycle in story.cycles for result in cycle.results}
        filled = sum(len(cycle.fills) for cycle in story.cycles)
        return len(story.cycles) >= 70 and filled >= 10 and (not faults or {"unknown", "unconfirmed"} <= happened)

    async def talk() -> Story:
        async with serve(world) as urls:
            return await run_until(config_of(urls, folder, order_ttl_sec=Decimal(1)), enough)

    story = asyncio.run(talk())
    assert story.ending is not None, "a run in which little happens proves little"
    if faults:
        assert any(cycle.snapshot.in_doubt for cycle in story.cycles)
        assert any(cycle.plan.mode is Mode.SAFE for cycle in story.cycles)
    return sorted((folder / "journal").glob("*.jsonl"))


class TestParity:
    """Issue 6, 7: with the recorded fills, the share of cycles that agree is 100 %."""

    def test_every_cycle_is_decided_as_it_was(self, journal):
        found = parity(read_cycles(journal))
        print(f"{found.same} of {found.cycles} cycles decided the same, {found.share:.2%}")
        assert found.differences == ()
        assert found.share == 1
        assert found.cycles >= 70

    def test_lost_answers_and_failed_reads_change_nothing(self, rough_journal):
        found = parity(read_cycles(rough_journal))
        assert found.differences == ()
        assert found.share == 1

    def test_the_command_prints_the_share(self, journal, capsys):
        with pytest.raises(SystemExit) as ended:
            cli.main(["backtest", str(journal[0].parent), "--fills", "recorded"])
        assert ended.value.code in (0, None)
        assert "decided the same   100.00 %" in capsys.readouterr().out

    def test_a_policy_that_was_not_the_run_s_is_found_out(self, journal):
        """The law above would hold for a comparison that compares nothing."""
        wider = [
            evolve(cycle, snapshot=evolve(cycle.snapshot, policy=evolve(cycle.snapshot.policy, slice_max=Decimal(7))))
            for cycle in read_cycles(journal)
        ]
        assert parity(wider).share < 1

    def test_a_lost_fill_is_found_out(self, journal):
        """The ledgers are not copied from the journal: they follow from the fills that are told."""
        cycles = list(read_cycles(journal))
        first = next(
            number for number, cycle in enumerate(cycles) if any(one.bought for one in cycle.snapshot.ledgers.values())
        )
        for number in range(first, len(cycles)):
            facts = cycles[number].snapshot
            lost = {key: evolve(one, bought=Decimal(0)) for key, one in facts.ledgers.items()}
            live = {
                token_id: tuple(evolve(order, matched=Decimal(0)) for order in orders)
                for token_id, orders in facts.open_orders.items()
            }
            cycles[number] = evolve(cycles[number], snapshot=evolve(facts, ledgers=lost, open_orders=live))
        assert parity(cycles).share < 1


def test_what_a_stop_kept_back_is_no_order():
    """A stop came between two batches and was lifted. Then a listing fails, and only the memory tells of orders."""
    stage = Stage(tokens=20)
    stage.faults.add(
        Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, deed=lambda: setattr(stage.trader, "leaving", lambda: True))
    )
    cycles = [stage.cycle()]
    assert Counter(outcomes(cycles[0])) == {"accepted": 15, "dropped": 5}
    stage.trader.leaving = lambda: False
    stage.faults.add(Endpoint.OPEN_ORDERS, Fault(kind=Kind.STATUS))
    cycles += [stage.cycle() for _ in range(3)]
    assert parity(map(recorded, cycles)).differences == ()


def test_what_was_told_after_a_lost_state_is_a_fact():
    """The feed told of 20 shares once, and has fallen back to before; their balance is not known yet."""
    stage = Stage()
    stage.cycle()
    (order,) = stage.live()
    stage.exchange.hit(order.order_id, order.rest)
    stage.begin(recovering(Memory(), stage.clock.now()))
    cycles = [stage.cycle()]
    stage.world.feed(ME).lag_sec = Decimal(1200)
    cycles += [stage.cycle()]
    assert [ledger.believed for ledger in cycles[1].snapshot.ledgers.values()] == [20]
    assert parity(map(recorded, cycles)).differences == ()


def recorded(cycle: Cycle) -> Recorded:
    """As a journal's line tells it."""
    places = [action for action in cycle.plan.actions if isinstance(action, Place)]
    return Recorded(
        where=str(cycle.number),
        snapshot=cycle.snapshot,
        plan=encode_plan(cycle.plan),
        places={one.token_key: Placed(side=one.side, price=one.price, size=one.size) for one in places},
        results=tuple(
            Outcome(action=one.action, token_key=one.token_key, order_id=one.order_id, outcome=one.outcome)
            for one in cycle.results
        ),
    )


def test_a_journal_is_a_tape_too(journal):
    tape = open_tape(journal[0].parent)
    assert any(isinstance(event, LeaderHeld) and event.size == 500 for event in tape.events())
    quick = Assumptions(poll_interval_sec=Decimal("0.5"), feed_lag_sec=Decimal(0), latency_sec=Decimal(0))
    found = backtest(tape, fills="optimistic", assumptions=quick).summary
    assert found.polls >= 10
    assert found.orders >= 4
