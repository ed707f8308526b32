"""After a start on a lost state every share that was told of counts under the total cap, until it is known better.

The leader holds 100 of each of two tokens at 0.50, and 20 of each are wanted; 15 pUSD may be spent in all. What an
earlier life did on the first token, and the new one can't know, must not let it buy as much of the second.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import NewOrder
from copytrade.adapters.simulated.scenario import LEADER, quote
from copytrade.domain.lost_state import recovering
from copytrade.domain.memory import Memory
from copytrade.domain.model import ZERO, Mode, Side
from copytrade.domain.policy import Policy
from tests.app.stage import ME, POLICY, START, Stage, reason

CAP = Decimal(15)
CAPPED = evolve(POLICY, max_notional_total=CAP, order_ttl_sec=Decimal(90))
LAG = Decimal(1200)


def lone_order(policy: Policy = CAPPED) -> Stage:
    """Only the first token is wanted yet, and an order for 20 of it rests at 0.49 (9.80 pUSD)."""
    stage = Stage(tokens=2, policy=policy)
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    stage.cycle()
    (order,) = stage.live()
    assert (order.token_id, order.rest, order.price) == (stage.yes(0), Decimal(20), Decimal("0.49"))
    return stage


def lose_the_state(stage: Stage, kept: Memory | None = None) -> None:
    """A new process knows nothing, or what a backup has `kept`. From now on the leader holds the second token too."""
    stage.begin(recovering(kept or Memory(), stage.clock.now()))
    stage.exchange.hold(LEADER, stage.yes(1), Decimal(100))


def bid_by_hand(stage: Stage, price: str, size: int) -> None:
    """An order of the user's own on the first token."""
    own = NewOrder(
        order_id="0x" + "0c" * 32, wallet=ME, token_id=stage.yes(0), side=Side.BUY, price=Decimal(price),
        size=Decimal(size), expiration=int(stage.clock.now()) + 10_000, api_key="user",
    )  # fmt: skip
    assert stage.exchange.post(own).accepted


def spent(stage: Stage) -> Decimal:
    """The truth: what everything that is held or may still be bought has cost. All of it was bought at 0.49."""
    return sum((stage.committed(number) for number in range(2)), ZERO) * Decimal("0.49")


def follow(stage: Stage, cycles: int) -> None:
    for _ in range(cycles):
        stage.cycle()
        assert spent(stage) <= CAP


def listed_once() -> Stage:
    """20 were bought, the state was lost, and the leader has left them. The feed has told of them once, and then fallen
    back to before.
    """
    stage = lone_order()
    stage.exchange.hit(stage.live()[0].order_id, Decimal(20))
    lose_the_state(stage)
    stage.exchange.hold(LEADER, stage.yes(0), ZERO)
    follow(stage, 1)
    stage.world.feed(ME).lag_sec = LAG
    return stage


def test_what_the_feed_listed_counts_when_it_falls_back_to_before() -> None:
    """Seed 7944."""
    follow(listed_once(), 20)


def test_what_has_fallen_back_is_asked_for_at_the_exchange() -> None:
    """Nobody wants it, and the feed does not list it: still its balance is what ends the guessing."""
    stage = listed_once()
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
    """It is listed once, and fills before anybody looks again: neither listing nor feed tells of it."""
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


def bought_ten_then_twenty_rest() -> Stage:
    """10 shares of the first token are bought, and an order for 20 more rests."""
    stage = Stage(tokens=2, policy=CAPPED)
    stage.exchange.hold(LEADER, stage.yes(0), Decimal(50))
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    stage.cycle()
    stage.exchange.hit(stage.live()[0].order_id, Decimal(10))
    stage.cycle()
    return stage


def raise_the_want(stage: Stage) -> None:
    stage.exchange.hold(LEADER, stage.yes(0), Decimal(150))
    stage.cycle()
    assert [order.rest for order in stage.live()] == [Decimal(20)]


def test_an_unknown_order_counts_on_top_of_what_a_backup_knows() -> None:
    """As a backup mostly is: one save older. It has the 10, which the feed does not show, and not the order."""
    stage = bought_ten_then_twenty_rest()
    stage.world.feed(ME).freeze(stage.clock.now() - 1000)
    stage.cycle()
    kept = stage.trader.memory
    raise_the_want(stage)
    lose_the_state(stage, kept)
    follow(stage, 1)
    stage.exchange.hit(stage.live(0)[0].order_id, Decimal(20))
    follow(stage, 20)


def test_an_unknown_order_counts_on_top_of_what_the_feed_showed_before_it_fell_back() -> None:
    stage = bought_ten_then_twenty_rest()
    raise_the_want(stage)
    lose_the_state(stage)
    stage.faults.add(Endpoint.OPEN_ORDERS, Fault(kind=Kind.STATUS, times=1))
    follow(stage, 1)
    stage.world.feed(ME).lag_sec = LAG
    follow(stage, 1)
    stage.exchange.hit(stage.live(0)[0].order_id, Decimal(20))
    follow(stage, 20)


def test_what_our_own_books_say_of_the_price_is_not_forgotten_for_a_cheap_order() -> None:
    """A backup knows 20 bought at 0.79, which the feed does not show; the user bids 0.10 for 25 more."""
    cap = Decimal(20)
    stage = Stage(tokens=2, policy=evolve(POLICY, max_notional_total=cap))
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    quote(stage.exchange, stage.yes(0), "0.80")
    stage.world.feed(ME).freeze(stage.clock.now() - 1)
    stage.cycle()
    (order,) = stage.live()
    stage.exchange.hit(order.order_id, Decimal(20))
    stage.cycle()
    quote(stage.exchange, stage.yes(0), "0.30")
    bid_by_hand(stage, "0.10", 25)
    lose_the_state(stage, stage.trader.memory)
    for _ in range(30):
        stage.cycle()
        assert Decimal("15.8") + stage.committed(1) * Decimal("0.49") <= cap


def test_what_a_row_without_an_id_lists_counts() -> None:
    """Gamma does not answer in the one cycle in which the feed lists it."""
    stage = lone_order()
    stage.exchange.hit(stage.live()[0].order_id, Decimal(20))
    lose_the_state(stage, Memory(token_map={stage.key(1): stage.yes(1)}))
    stage.exchange.hold(LEADER, stage.yes(0), ZERO)
    stage.faults.add(Endpoint.GAMMA_MARKETS, Fault(kind=Kind.STATUS, times=2))
    follow(stage, 1)
    stage.world.feed(ME).lag_sec = LAG
    follow(stage, 20)


def test_an_order_that_rests_for_an_hour_counts_for_an_hour() -> None:
    stage = lone_order(evolve(CAPPED, order_ttl_sec=Decimal(3600), settle_timeout_sec=Decimal(3660)))
    lose_the_state(stage)
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    follow(stage, 80)
    assert stage.live(0)
    stage.exchange.hold(LEADER, stage.yes(1), Decimal(100))
    follow(stage, 20)


def test_an_answer_that_failed_lists_nothing_and_nothing_has_fallen_back_for_that() -> None:
    """The feed has always told of these 40 shares, and what they have cost."""
    stage = Stage(tokens=2, mine={0: "40"})
    stage.exchange.hold(LEADER, stage.yes(0), Decimal(200))
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    stage.begin(recovering(Memory(), stage.clock.now()))
    for _ in range(3):
        stage.cycle()
    stage.faults.add(Endpoint.POSITIONS_V2, Fault(kind=Kind.STATUS, times=2))
    cycle = stage.cycle()
    assert cycle.plan.mode is Mode.SAFE
    recovery = stage.trader.memory.recovery
    assert recovery is not None
    assert not recovery.restored
    assert not any("have cost" in words for words in cycle.warnings)


def test_what_was_bought_by_hand_counts_under_no_cap_though_the_feed_falls_back() -> None:
    """With manage_holdings "copied" it is left alone, and so it is when the feed lists nothing of it for a while."""
    stage = Stage(tokens=2, policy=evolve(CAPPED, manage_holdings="copied", max_notional_total=Decimal(500)))
    stage.exchange.hold(LEADER, stage.yes(0), ZERO)
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    stage.clock.shows += 3000
    stage.world.now()
    stage.exchange.hold(ME, stage.yes(0), Decimal(1000))
    stage.begin(recovering(Memory(), stage.clock.now()))
    assert [reason(stage.cycle(), stage.key(0)) for _ in range(2)] == ["ON_HOLD"] * 2
    stage.world.feed(ME).lag_sec = LAG
    stage.exchange.hold(LEADER, stage.yes(1), Decimal(100))
    cycles = [stage.cycle() for _ in range(10)]
    assert {reason(cycle, stage.key(0)) for cycle in cycles} == {"IN_BAND"}
    assert stage.committed(1) == 20


@pytest.mark.parametrize("bid", [False, True])
def test_what_is_held_and_wanted_counts_though_more_may_be_there_that_is_not_ours(bid: bool) -> None:
    """With "copied": 20 are held and wanted, all that copytrade bought and does not know of any more. The feed still
    shows 30, of which 10 were sold; or the user bids for 5 more.
    """
    stage = Stage(tokens=2, policy=evolve(CAPPED, max_notional_total=Decimal(500), manage_holdings="copied"))
    stage.exchange.hold(LEADER, stage.yes(0), Decimal(100))
    stage.exchange.hold(LEADER, stage.yes(1), ZERO)
    stage.cycle()
    stage.exchange.hit(stage.live()[0].order_id, Decimal(20))
    stage.clock.shows += 2000
    stage.world.now()
    if bid:
        bid_by_hand(stage, "0.1", 5)
    else:
        stage.exchange.hold(ME, stage.yes(0), Decimal(30))
        stage.clock.shows += 1
        stage.world.now()
        stage.world.feed(ME).freeze(stage.clock.now())
        stage.clock.shows += 1
        stage.world.now()
        stage.exchange.hold(ME, stage.yes(0), Decimal(20))
    stage.policy = evolve(CAPPED, manage_holdings="copied")
    lose_the_state(stage)
    for _ in range(20):
        stage.cycle()
        assert (stage.held(0) + stage.committed(1)) * Decimal("0.49") <= CAP


def test_the_user_s_own_order_counts_no_longer_than_one_of_ours_could_rest() -> None:
    stage = Stage(tokens=2, policy=CAPPED)
    stage.exchange.hold(LEADER, stage.yes(0), Decimal(1))
    bid_by_hand(stage, "0.4", 30)
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
    stage = listed_once()
    follow(stage, 1)
    assert stage.key(0) not in stage.trader.memory.day.prices
