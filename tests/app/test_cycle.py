"""Whole cycles in which the services behave: starts, restores, ledgers, failed trades, the user's own orders."""

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import Manners, NewOrder
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.domain.lost_state import recovering
from copytrade.domain.memory import Memory, Standing
from copytrade.domain.model import Side
from tests.app.stage import ME, POLICY, START, Stage, outcomes, reason

WANT = Decimal(20)


def users_own(stage: Stage, side: Side = Side.BUY, price: str = "0.40", size: str = "10") -> str:
    """The user places an order of his own on the first token, by another client."""
    order_id = stage.exchange.new_order_id()
    posted = stage.exchange.post(
        NewOrder(
            order_id=order_id,
            wallet=ME,
            token_id=stage.yes(),
            side=side,
            price=Decimal(price),
            size=Decimal(size),
            expiration=int(START) + 100_000,
        )
    )
    assert posted.accepted, posted.error
    return order_id


def recovered(stage: Stage, *, may_be_first: bool) -> None:
    """The process starts with nothing in its hands."""
    stage.begin(recovering(Memory(), stage.clock.now()), may_be_first=may_be_first)


# -- starts -----------------------------------------------------------------------------------------------------------


def test_a_first_start_trades_at_once() -> None:
    stage = Stage()
    recovered(stage, may_be_first=True)
    assert outcomes(stage.cycle(after=0)) == ["accepted"]
    assert stage.trader.memory.recovery is None


def test_a_wallet_with_an_order_is_no_first_start() -> None:
    stage = Stage()
    users_own(stage)
    recovered(stage, may_be_first=True)
    cycle = stage.cycle(after=0)
    assert reason(cycle, stage.key()) == "ON_HOLD"
    assert any("traded lately" in words for words in cycle.warnings)


def test_a_wallet_with_a_recent_trade_is_no_first_start() -> None:
    stage = Stage()
    stage.exchange.hit(users_own(stage), Decimal(10))
    recovered(stage, may_be_first=True)
    stage.clock.shows += 5
    assert reason(stage.cycle(after=0), stage.key()) == "ON_HOLD"


def test_a_wallet_whose_last_trade_is_long_ago_is_a_first_start() -> None:
    stage = Stage()
    stage.exchange.hit(users_own(stage), Decimal(10))
    stage.clock.shows += 1000
    recovered(stage, may_be_first=True)
    assert outcomes(stage.cycle(after=0)) == ["accepted"]


def test_a_start_on_a_lost_state_waits_for_the_grace_and_then_believes_the_exchange() -> None:
    stage = Stage()
    stage.cycle()
    (order,) = stage.live()
    stage.world.feed(ME).freeze(stage.clock.now() - 1)  # the feed never learns of it
    stage.exchange.hit(order.order_id, WANT)
    recovered(stage, may_be_first=False)
    started = stage.clock.now()
    while stage.clock.now() + 20 < started + 60:
        assert reason(stage.cycle(), stage.key()) == "ON_HOLD"
    for _ in range(4):
        stage.cycle()
    assert stage.trader.memory.bases[stage.key()].base == WANT
    assert stage.committed() == WANT
    assert stage.world.count[Endpoint.POST_ORDERS] == 1


def test_a_stranger_on_the_token_prolongs_the_hold_and_not_for_ever() -> None:
    stage = Stage()
    users_own(stage)
    recovered(stage, may_be_first=False)
    posted_at = None
    for _ in range(25):
        if outcomes(stage.cycle()):
            posted_at = stage.clock.now()
            break
    assert posted_at is not None
    assert POLICY.settle_timeout_sec <= posted_at - START <= POLICY.settle_timeout_sec + 40


def test_without_a_balance_it_stays_on_hold() -> None:
    stage = Stage()
    recovered(stage, may_be_first=False)
    stage.faults.add(Endpoint.REFRESH, Fault(kind=Kind.STATUS, times=None))
    for _ in range(20):
        assert reason(stage.cycle(), stage.key()) == "ON_HOLD"
    stage.faults.clear()
    stage.cycle()
    stage.cycle()
    assert len(stage.live()) == 1


# -- fills and ledgers ------------------------------------------------------------------------------------------------


def test_a_failed_trade_is_taken_back() -> None:
    stage = Stage(manners=Manners(confirmed_after=Decimal(50), fail_next=1))
    stage.cycle()
    (order,) = stage.live()
    stage.exchange.hit(order.order_id, WANT)
    assert [fill.shares for fill in stage.cycle().fills] == [WANT]
    taken_back = [fill.shares for _ in range(4) for fill in stage.cycle().fills]
    assert taken_back == [-WANT]
    assert stage.held() == 0
    for _ in range(2):
        stage.cycle()
    assert stage.world.count[Endpoint.POST_ORDERS] == 2


def test_a_gone_order_that_nobody_knows_is_settled_by_trades_after_the_grace_only() -> None:
    stage = Stage(manners=Manners(forget_closed_after=Decimal(0), list_trades_after=Decimal(45)))
    stage.world.feed(ME).freeze(stage.clock.now() - 1)
    stage.cycle()
    (order,) = stage.live()
    stage.exchange.hit(order.order_id, Decimal(7))
    stage.exchange.vanish(order.order_id)
    gone_at = None
    remembered = stage.trader.memory.orders[order.order_id]
    for _ in range(12):
        stage.cycle()
        assert stage.committed() <= WANT + POLICY.deadband_shares
        remembered = stage.trader.memory.orders[order.order_id]
        if remembered.standing is Standing.GONE and gone_at is None:
            gone_at = stage.clock.now()
            assert gone_at - order.created_at >= POLICY.fill_grace_sec
        if remembered.standing is Standing.SETTLED:
            break
    assert gone_at is not None
    assert remembered.filled == 7
    assert stage.clock.now() - gone_at >= POLICY.fill_grace_sec


def test_a_ledger_starts_anew_in_the_quiet() -> None:
    stage = Stage()
    stage.cycle()
    (order,) = stage.live()
    stage.exchange.hit(order.order_id, WANT)
    stage.cycle()
    filled_at = stage.clock.now()
    while stage.clock.now() - filled_at + 20 < POLICY.settle_timeout_sec:
        stage.cycle()
        assert stage.trader.memory.bases[stage.key()].base == 0
    stage.cycle()
    stage.cycle()
    assert stage.trader.memory.bases[stage.key()].base == WANT
    assert stage.orders() == []


def test_a_ledger_never_starts_anew_with_an_order_in_doubt() -> None:
    stage = Stage(manners=Manners(list_orders_after=Decimal(100_000)))
    stage.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.DROP, after_effect=True))
    stage.faults.add(Endpoint.TRADES, Fault(kind=Kind.STATUS, times=None))
    stage.cycle()
    for _ in range(30):
        stage.cycle()
        assert stage.orders()
        assert stage.trader.memory.bases[stage.key()].base == 0
        assert stage.world.count[Endpoint.POST_ORDERS] == 1


@pytest.mark.parametrize("feed_follows", [False, True])
def test_a_fill_in_the_cycle_in_which_the_ledger_starts_anew_is_not_lost(feed_follows: bool) -> None:
    taker = evolve(POLICY, maker_only=False)
    stage = Stage(policy=taker)
    assert [fill.shares for fill in stage.cycle().fills] == [WANT]  # marketable: filled with the answer
    assert stage.held() == WANT
    for _ in range(17):
        stage.cycle()
    before = stage.trader.memory.bases[stage.key()]
    assert before.base == WANT
    if not feed_follows:
        stage.world.feed(ME).freeze(stage.clock.now() + 19)
    stage.exchange.hold(stage.policy.target_address, stage.yes(), Decimal(200))
    cycle = stage.cycle()
    assert outcomes(cycle) == ["accepted"]
    assert stage.held() == 2 * WANT
    for _ in range(30):
        stage.cycle()
        assert stage.committed() == 2 * WANT


# -- what is not ours -------------------------------------------------------------------------------------------------


def test_the_users_own_orders_are_never_cancelled() -> None:
    stage = Stage()
    own = users_own(stage)
    for _ in range(20):
        cycle = stage.cycle()
        assert own not in {one.order_id for one in cycle.plan.cancels}
    assert own in {order.order_id for order in stage.live()}


def test_cash_that_the_users_orders_lock_is_not_spent() -> None:
    stage = Stage()
    stage.exchange.wallets[ME].cash = Decimal(11)
    users_own(stage, price="0.40", size="20")  # locks 8 of the 11
    cycle = stage.cycle()
    assert [place.size * place.price <= 3 for place in cycle.plan.places] in ([True], [])
    assert "refused" not in outcomes(cycle)


def test_shares_that_the_users_orders_lock_are_not_sold() -> None:
    stage = Stage(mine={0: "60"})
    users_own(stage, side=Side.SELL, price="0.60", size="50")
    cycle = stage.cycle()
    (place,) = cycle.plan.places
    assert place.side is Side.SELL
    assert place.size <= 10
    assert outcomes(cycle) == ["accepted"]


# -- tokens without an id ---------------------------------------------------------------------------------------------


def test_a_token_that_is_resolved_late_gets_its_book_in_the_same_cycle() -> None:
    stage = Stage()
    market, _ = stage.exchange.market_of(stage.yes()) or (None, 0)
    assert market is not None
    market.ids_known = False
    stage.world.feed(stage.policy.target_address).without_id.add(stage.yes())
    for _ in range(3):
        assert reason(stage.cycle(), stage.key()) == "UNRESOLVED"
    market.ids_known = True
    cycle = stage.cycle()
    assert reason(cycle, stage.key()) == "QUOTED"
    assert outcomes(cycle) == ["accepted"]


class TestTheStartPrompt:
    """DESIGN 9: a live start that would sell asks first. What is done after the answer is decided after the answer."""

    def test_a_plan_that_grew_old_at_the_prompt_is_not_carried_out(self):
        stage = Stage(mine={0: "60"})  # 20 are wanted

        async def answers_late(*_: object) -> bool:
            stage.clock.shows += 600
            stage.exchange.tick(stage.clock.shows)
            stage.exchange.hold(LEADER, stage.yes(), Decimal(300))  # now 60 are
            return True

        stage.begin(Memory(), approve=answers_late)
        cycle = stage.cycle()
        assert stage.live() == []
        assert reason(cycle, stage.key()) == "IN_BAND"

    def test_nobody_is_asked_where_nothing_would_be_sold(self):
        stage = Stage()

        async def never(*_: object) -> bool:
            raise AssertionError("there is nothing to ask about")

        stage.begin(Memory(), approve=never)
        assert outcomes(stage.cycle()) == ["accepted"]
