"""The whole loop keeps the laws of DESIGN under everything that these seeds do to it; bugs that it found, by name."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.domain.lost_state import recovering, restored
from copytrade.domain.memory import (
    Base,
    Evidence,
    Memory,
    OwnOrder,
    Sighting,
    Standing,
    Traded,
    intended,
    ledgers,
    mine_polled,
    observed,
)
from copytrade.domain.model import Side
from copytrade.domain.policy import Policy
from tests.simulation.chaos import KINDS
from tests.simulation.oracle import Oracle
from tests.simulation.seeds import simulate
from tests.simulation.shrink import Recipe, smallest, story_of

SEEDS, IN_ONE, CYCLES = 240, 10, 60


@pytest.mark.parametrize("first", range(0, SEEDS, IN_ONE))
def test_no_seed_breaks_a_law(first: int) -> None:
    for seed in range(first, first + IN_ONE):
        if simulate(seed, CYCLES, told=False).violation:
            pytest.fail(story_of(Recipe(seed=seed, cycles=CYCLES)), pytrace=False)


def test_every_kind_of_trouble_strikes() -> None:
    struck = {kind for seed in range(40) for kind, count in simulate(seed, CYCLES, told=False).faults.items() if count}
    assert struck == KINDS.keys()


def test_a_seed_tells_the_same_story_again() -> None:
    assert simulate(12, CYCLES) == simulate(12, CYCLES)


def test_the_oracle_sees_a_fill_past_want(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the laws are checked by must itself be able to fail: an oracle that is told of a leader without positions.

    The story is cut down to what it takes, and its recipe tells it again.
    """
    told = Oracle.told
    monkeypatch.setattr(
        Oracle, "told", lambda self, wallet, positions: told(self, wallet, evolve(positions, positions=()))
    )
    recipe, outcome = smallest(Recipe(seed=3, cycles=CYCLES))
    assert outcome.violation.startswith("past want: a BUY")
    assert recipe.only is not None
    assert {kind for _, kind in recipe.only} <= {"fill", "book"}
    assert recipe.run() == outcome
    assert recipe.command() in story_of(recipe)


def test_a_narrower_reading_of_trades_takes_no_fill_back() -> None:
    """Seed 12: an order settled by its trades lost its fill when trades were next read from a later time on.

    The cutoff is set by the orders still open; what it leaves out says nothing of an older order. We bought it again.
    """
    order = OwnOrder(
        order_id="0xa", token_key="0xc:0", token_id="1", side=Side.BUY, price=Decimal("0.5"), size=Decimal(20),
        ts=Decimal(100), expiration=Decimal(290), standing=Standing.SETTLED, traded=Decimal(20), confirmed=Decimal(20),
    )  # fmt: skip
    memory = Memory(orders={"0xa": order}, bases={"0xc:0": Base(base=Decimal(0), moved_at=Decimal(150))})
    for sums in ({}, {"0xa": Traded(traded=Decimal(4), confirmed=Decimal(4))}):
        evidence = Evidence(asked_at=Decimal(400), listed={}, trades=sums, trades_asked_at=Decimal(400))
        after = observed(memory, evidence, now=Decimal(400), policy=Policy())
        assert ledgers(after)["0xc:0"].bought == 20
    failed = {"0xa": Traded(traded=Decimal(15), failed=Decimal(5), confirmed=Decimal(15))}
    evidence = Evidence(asked_at=Decimal(400), listed={}, trades=failed, trades_asked_at=Decimal(400))
    assert ledgers(observed(memory, evidence, now=Decimal(400), policy=Policy()))["0xc:0"].bought == 15


def test_an_order_may_rest_until_its_listing_is_answered() -> None:
    """Seed 3144: a listing took 25 s, the order filled meanwhile, and its trade was listed 45 s later.

    Counted from when the listing was asked for, the trades were believed too early to say that nothing was bought.
    """
    order = OwnOrder(
        order_id="0xa", token_key="0xc:0", token_id="1", side=Side.BUY, price=Decimal("0.5"), size=Decimal(25),
        ts=Decimal(500), expiration=Decimal(690), standing=Standing.OPEN,
    )  # fmt: skip
    memory = Memory(orders={"0xa": order}, bases={"0xc:0": Base(base=Decimal(0))})
    gone = observed(memory, Evidence(asked_at=Decimal(606), listed={}), now=Decimal(631), policy=Policy())
    for asked_at, settled in ((674, False), (691, True)):
        evidence = Evidence(asked_at=Decimal(asked_at), listed={}, trades={}, trades_asked_at=Decimal(asked_at))
        after = observed(gone, evidence, now=Decimal(asked_at), policy=Policy())
        assert ("0xa" not in after.orders) is settled


def test_what_we_paid_outlives_the_start_of_a_ledger() -> None:
    """Seed 337: the feed fell back by 20 minutes, listed nothing and so told no average price; the book had fallen too.

    What we had bought at 0.49 counted under the caps at 0.39, and so more was bought than a cap allows.
    """
    memory = Memory(bases={"0xc:0": Base(base=Decimal(5), avg_price=Decimal("0.25"))})
    memory = _filled(memory, "0xa", Side.BUY, "0.49", 15)
    assert ledgers(memory)["0xc:0"].avg_price == Decimal("0.43")
    quiet = mine_polled(memory, {"0xc:0": Decimal(20)}, {}, (), now=Decimal(900), policy=Policy())
    quiet = mine_polled(quiet, {"0xc:0": Decimal(20)}, {}, (), now=Decimal(920), policy=Policy())
    assert not quiet.orders
    assert ledgers(quiet)["0xc:0"].avg_price == Decimal("0.43")


def test_what_nobody_knows_the_cost_of_counts_as_the_dearest() -> None:
    """Seeds 4437 and 7688: the state was lost, and the feed late: it did not list the last purchase, nor its price.

    It counted under the caps at what the book said, which had fallen, and more was bought than a cap allows: at once,
    and again when the new purchase alone was taken for the average of all. It is the feed that knows in the end.
    """
    key, shares = "0xc:0", Decimal(20)
    memory = restored(recovering(Memory(), Decimal(950)), {key: shares}, {key: Decimal(8)}, Decimal(1100))
    assert ledgers(memory)[key].avg_price == 1
    memory = _filled(memory, "0xa", Side.BUY, "0.39", 2)
    assert ledgers(memory)[key].avg_price == 1
    for now in (1500, 1520):
        memory = mine_polled(
            memory, {key: shares + 2}, {}, (), now=Decimal(now), policy=Policy(), prices={key: Decimal("0.47")}
        )
    assert ledgers(memory)[key].avg_price == Decimal("0.47")


def test_what_was_sold_is_not_part_of_what_the_rest_has_cost() -> None:
    """Seed 255: what was bought at 0.45 had all been sold; averaged with it, later purchases at 0.51 counted less."""
    memory = Memory(bases={"0xc:0": Base(base=Decimal(12), avg_price=Decimal("0.45"))})
    memory = _filled(memory, "0xa", Side.SELL, "0.49", 12)
    memory = _filled(memory, "0xb", Side.BUY, "0.51", 16)
    assert ledgers(memory)["0xc:0"].avg_price == Decimal("0.51")


def test_a_purchase_that_failed_is_taken_out_of_the_average() -> None:
    memory = Memory(bases={"0xc:0": Base(base=Decimal(5), avg_price=Decimal("0.6"))})
    memory = _filled(memory, "0xa", Side.BUY, "0.2", 5)
    assert ledgers(memory)["0xc:0"].avg_price == Decimal("0.4")
    failed = Evidence(asked_at=Decimal(140), listed={}, trades={"0xa": Traded(failed=Decimal(5))})
    memory = observed(memory, failed, now=Decimal(140), policy=Policy())
    assert ledgers(memory)["0xc:0"].avg_price == Decimal("0.6")


def test_a_fill_that_is_learned_with_a_failure_moves_the_ledger() -> None:
    """Seed 31: half of an order failed while the other half filled, so that the sums did not change, nor when they did.

    The ledger was taken to be quiet sooner than settle_timeout_sec after its last fill.
    """
    order = OwnOrder(
        order_id="0xa", token_key="0xc:0", token_id="1", side=Side.BUY, price=Decimal("0.5"), size=Decimal(10),
        ts=Decimal(100), expiration=Decimal(290), standing=Standing.OPEN, matched=Decimal(5), traded=Decimal(5),
    )  # fmt: skip
    memory = Memory(orders={"0xa": order}, bases={"0xc:0": Base(base=Decimal(0), moved_at=Decimal(120))})
    evidence = Evidence(
        asked_at=Decimal(140), listed={}, looked_up={"0xa": Sighting(resting=False, matched=Decimal(10))},
        trades={"0xa": Traded(traded=Decimal(5), failed=Decimal(5), confirmed=Decimal(5))},
    )  # fmt: skip
    ledger = ledgers(observed(memory, evidence, now=Decimal(140), policy=Policy()))["0xc:0"]
    assert ledger.bought == 5
    assert ledger.moved_at == 140


def _filled(memory: Memory, order_id: str, side: Side, price: str, shares: int) -> Memory:
    """An order of so many shares is found to be filled to the end."""
    order = OwnOrder(
        order_id=order_id, token_key="0xc:0", token_id="1", side=side, price=Decimal(price), size=Decimal(shares),
        ts=Decimal(100), expiration=Decimal(290), standing=Standing.OPEN,
    )  # fmt: skip
    memory = intended(memory, [order], {})
    trades = {order_id: Traded(traded=Decimal(shares), confirmed=Decimal(shares))}
    evidence = Evidence(
        asked_at=Decimal(120), listed={}, looked_up={order_id: Sighting(resting=False, matched=Decimal(shares))},
        trades=trades,
    )  # fmt: skip
    return observed(memory, evidence, now=Decimal(120), policy=Policy())
