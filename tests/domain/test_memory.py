"""Named cases of memory: each is a fault that the simulation has found, as small as it gets."""

from __future__ import annotations

from decimal import Decimal

import pytest

from copytrade.domain import memory as remembering
from copytrade.domain.memory import Base, Memory, OwnOrder, Standing
from copytrade.domain.model import Side
from copytrade.domain.policy import Policy

D = Decimal
NOW, KEY = D(10_000), "0xc1:0"


def order(standing: Standing, *, side: Side, matched: int = 0) -> OwnOrder:
    return OwnOrder(
        order_id="0xaa",
        token_key=KEY,
        token_id="111",
        side=side,
        price=D("0.5"),
        size=D(8),
        ts=NOW - 60,
        expiration=NOW + 130,
        standing=standing,
        matched=D(matched),
        confirmed=D(matched),
        seen_at=NOW,
    )


def polled(memory: Memory, *, reported: int, witness: int) -> Memory:
    return remembering.mine_polled(memory, {KEY: D(reported)}, {KEY: D(witness)}, (), now=NOW, policy=Policy())


class TestAWitnessStartsALedgerAnew:
    """DESIGN 4, quiet; but what a resting order filled after the listing was read is in the witness already."""

    @pytest.mark.parametrize(("side", "witness"), [(Side.SELL, 12), (Side.BUY, 28)])
    def test_not_while_an_order_of_ours_rests_there(self, side, witness):
        """Seed 9454: 20 are held, 8 of a SELL fill unseen; an old feed says 12 and the balance says 12, too."""
        before = Memory(
            bases={KEY: Base(base=D(20), seen=D(witness))}, orders={"0xaa": order(Standing.OPEN, side=side)}
        )
        after = polled(before, reported=witness, witness=witness)
        assert after.bases[KEY].base == 20

    def test_where_none_rests(self):
        before = Memory(bases={KEY: Base(base=D(20), seen=D(12))})
        assert polled(before, reported=12, witness=12).bases[KEY].base == 12

    def test_where_feed_and_fills_agree_a_resting_order_is_not_in_the_way(self):
        resting = order(Standing.OPEN, side=Side.BUY, matched=3)
        before = Memory(bases={KEY: Base(base=D(17), seen=D(20))}, orders={"0xaa": resting})
        after = polled(before, reported=20, witness=20)
        assert after.bases[KEY].base == 20
        assert remembering.ledgers(after)[KEY].bought == 0
