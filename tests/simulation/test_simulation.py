"""The whole loop keeps the laws of DESIGN 4 under everything that these seeds do to it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from copytrade.domain.memory import Base, Evidence, Memory, OwnOrder, Standing, Traded, ledgers, observed
from copytrade.domain.model import Side
from copytrade.domain.policy import Policy
from tests.simulation.__main__ import story_of
from tests.simulation.chaos import KINDS
from tests.simulation.oracle import Oracle, Violation
from tests.simulation.seeds import Run, simulate

SEEDS, IN_ONE, CYCLES = 160, 10, 60


@pytest.mark.parametrize("first", range(0, SEEDS, IN_ONE))
def test_no_seed_breaks_a_law(first: int) -> None:
    for seed in range(first, first + IN_ONE):
        if simulate(seed, CYCLES).violation:
            pytest.fail(story_of(seed, CYCLES), pytrace=False)


def test_every_kind_of_trouble_strikes() -> None:
    struck = {kind for seed in range(30) for kind, count in simulate(seed, CYCLES).faults.items() if count}
    assert struck == set(KINDS)


def test_a_seed_tells_the_same_story_again() -> None:
    assert simulate(12, CYCLES) == simulate(12, CYCLES)


def test_the_oracle_sees_a_fill_past_want(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the laws are checked by must itself be able to fail: an oracle that was told of no want."""
    monkeypatch.setattr(Oracle, "told", lambda self, _: self._told.append((self._world.exchange.now, {})))
    run = Run(3, frozenset(KINDS))
    with pytest.raises(Violation, match="past want: a BUY"):
        _live(run)


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


def _live(run: Run) -> None:
    loop = asyncio.new_event_loop()
    try:
        run.live(loop, 60)
    finally:
        loop.close()
