"""After a start on a lost state every share that was told of counts under the total cap, until it is known better.

The leader holds 100 of each of two tokens at 0.50, and 20 of each are wanted; 15 pUSD may be spent in all. What an
earlier life did on the first token, and the new one can't know, must not let it buy as much of the second.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import evolve

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import NewOrder
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.domain.memory import Memory, recovering
from copytrade.domain.model import ZERO, Side
from tests.app.stage import ME, POLICY, START, Stage, reason

CAP = Decimal(15)
CAPPED = evolve(POLICY, max_notional_total=CAP, order_ttl_sec=Decimal(90))
LAG = Decimal(1200)


def lone_order() -> Stage:
    """Only the first token is wanted yet, and an order for 20 of it rests at 0.49 (9.80 pUSD)."""
    stage = Stage(tokens=2, policy=CAPPED)
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    stage.cycle()
    (order,) = stage.live()
    assert (order.token_id, order.rest, order.price) == (stage.yes(0), Decimal(20), Decimal("0.49"))
    return stage


def lose_the_state(stage: Stage, kept: Memory | None = None) -> None:
    """A new process knows nothing (or what a backup has `kept`); from now on the leader holds the second token too."""
    stage.begin(recovering(kept or Memory(), stage.clock.now()))
    stage.exchange.hold(LEADER, stage.yes(1), Decimal(100))


def spent(stage: Stage) -> Decimal:
    """The truth: what everything that is held or may still be bought has cost. All of it was bought at 0.49."""
    return sum((stage.committed(number) for number in range(2)), ZERO) * Decimal("0.49")


def follow(stage: Stage, cycles: int) -> None:
    for _ in range(cycles):
        stage.cycle()
        assert spent(stage) <= CAP


def test_what_the_feed_listed_counts_when_it_falls_back_to_before() -> None:
    """Seed 7944. It is listed once; then the feed knows nothing of it, and the leader has left it."""
    stage = lone_order()
    stage.exchange.hit(stage.live()[0].order_id, Decimal(20))
    lose_the_state(stage)
    stage.exchange.hold(LEADER, stage.yes(0), ZERO)
    follow(stage, 1)
    stage.world.feed(ME).lag_sec = LAG
    follow(stage, 20)


def test_what_has_fallen_back_is_asked_for_at_the_exchange() -> None:
    """Nobody wants it, and the feed does not list it: still its balance is what ends the guessing."""
    stage = lone_order()
    stage.exchange.hit(stage.live()[0].order_id, Decimal(20))
    lose_the_state(stage)
    stage.exchange.hold(LEADER, stage.yes(0), ZERO)
    follow(stage, 1)
    stage.world.feed(ME).lag_sec = LAG
    follow(stage, 6)
    recovery = stage.trader.memory.recovery
    assert recovery is not None
    assert stage.key(0) in recovery.restored
    assert stage.trader.memory.bases[stage.key(0)].base == 20
    assert recovery.told == {}


def test_an_order_of_an_earlier_life_counts_while_it_rests() -> None:
    stage = lone_order()
    stage.exchange.orders[stage.live()[0].order_id].expiration += 1000
    lose_the_state(stage)
    follow(stage, 12)
    assert stage.committed(1) > 0


def test_an_order_of_an_earlier_life_counts_once_it_has_filled_and_the_feed_is_late() -> None:
    """Seed 7977. It is listed once, and fills before anybody looks again: neither listing nor feed tells of it."""
    stage = lone_order()
    stage.world.feed(ME).freeze(stage.clock.now() - 1)
    lose_the_state(stage)
    follow(stage, 1)
    stage.exchange.hit(stage.live(0)[0].order_id, Decimal(20))
    follow(stage, 20)


def test_an_order_is_counted_in_a_cycle_in_which_the_feed_says_nothing() -> None:
    stage = lone_order()
    stage.world.feed(ME).freeze(stage.clock.now() - 1)
    lose_the_state(stage, Memory(token_map=stage.trader.memory.token_map))
    stage.faults.add(Endpoint.POSITIONS_V2, Fault(kind=Kind.STATUS, times=2))
    follow(stage, 1)
    stage.exchange.hit(stage.live(0)[0].order_id, Decimal(20))
    follow(stage, 20)


def test_the_user_s_own_order_counts_no_longer_than_one_of_ours_could_rest() -> None:
    stage = Stage(tokens=2, policy=CAPPED)
    stage.exchange.hold(LEADER, stage.yes(0), Decimal(1))
    own = NewOrder(
        order_id="0x" + "0c" * 32, wallet=ME, token_id=stage.yes(0), side=Side.BUY, price=Decimal("0.4"),
        size=Decimal(30), expiration=int(stage.clock.now()) + 10_000, api_key="user",
    )  # fmt: skip
    assert stage.exchange.post(own).accepted
    lose_the_state(stage)
    seen: list[str] = []
    while "QUOTED" not in seen and len(seen) < 30:
        seen.append(reason(stage.cycle(), stage.key(1)))
    assert "TOTAL_CAP" in seen  # 30 shares at 0.50: nothing is left
    assert seen[-1] == "QUOTED"
    assert stage.clock.now() - START >= CAPPED.settle_timeout_sec
    assert [order.size for order in stage.live(1)] == [Decimal(20)]


def test_the_day_s_result_is_that_of_what_is_believed() -> None:
    """What counts as the most there may be is worth nothing: a falling price of it is no loss."""
    stage = lone_order()
    stage.exchange.hit(stage.live()[0].order_id, Decimal(20))
    lose_the_state(stage)
    stage.exchange.hold(LEADER, stage.yes(0), ZERO)
    follow(stage, 1)
    stage.world.feed(ME).lag_sec = LAG
    follow(stage, 1)
    assert stage.key(0) not in stage.trader.memory.day.prices
