"""Whole cycles under limits: what a day has cost and lost is known in the next cycle, and after a crash."""

from decimal import Decimal

from attrs import evolve

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.scenario import LEADER, quote
from copytrade.domain.lost_state import recovering
from copytrade.domain.memory import Memory
from copytrade.domain.model import Side, Today
from tests.app.stage import POLICY, START, Stage, outcomes, reason

MIDNIGHT = START // 86400 * 86400 + 86400


def filled(stage: Stage, shares: str) -> None:
    """Somebody sells us so many shares, out of our resting order."""
    (order,) = stage.live()
    stage.exchange.hit(order.order_id, Decimal(shares))


def test_a_fill_counts_once_and_survives_a_crash() -> None:
    stage = Stage()
    stage.cycle()
    filled(stage, "10")
    cycle = stage.cycle()
    (fill,) = cycle.fills
    spent = fill.shares * fill.price
    assert cycle.snapshot.today is not None
    assert cycle.snapshot.today.spent == spent > 0
    assert stage.cycle().snapshot.today == cycle.snapshot.today
    stage.crash()
    assert stage.cycle().snapshot.today == cycle.snapshot.today


def test_a_new_day_begins_with_nothing_spent() -> None:
    stage = Stage()
    stage.cycle()
    filled(stage, "10")
    assert stage.cycle().snapshot.today != Today()
    stage.clock.shows = MIDNIGHT - 20
    assert stage.cycle().snapshot.today == Today()


def test_the_day_s_buys_end_at_the_limit_and_go_on_tomorrow() -> None:
    stage = Stage(policy=evolve(POLICY, max_daily_spend=Decimal(5)))
    first = stage.cycle()
    (place,) = first.plan.places
    assert 4 < place.size * place.price <= 5
    filled(stage, str(place.size))
    cycle = stage.cycle()
    assert reason(cycle, stage.key()) == "DAILY_SPEND"
    stage.crash()
    assert reason(stage.cycle(), stage.key()) == "DAILY_SPEND"
    stage.clock.shows = MIDNIGHT - 20
    assert outcomes(stage.cycle()) == ["accepted"]


def test_an_unknown_answer_counts_as_bought() -> None:
    stage = Stage(tokens=2, policy=evolve(POLICY, max_daily_spend=Decimal(18)))
    stage.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.DROP, after_effect=True))
    assert outcomes(stage.cycle()) == ["unknown", "unknown"]
    resting = sum((order.rest * order.price for order in stage.live()), Decimal(0))
    assert resting > 0
    again = stage.cycle().plan.places
    assert resting + sum(place.size * place.price for place in again) <= 18


def test_a_loss_stops_buying_and_no_sale() -> None:
    stage = Stage(tokens=3, mine={2: "50"}, policy=evolve(POLICY, max_daily_loss=Decimal(2)))
    stage.cycle()
    for number, part in ((0, Decimal(1)), (1, Decimal("0.5"))):
        (order,) = stage.live(number)
        stage.exchange.hit(order.order_id, order.rest * part)
    assert stage.cycle().snapshot.today != Today()
    quote(stage.exchange, stage.yes(0), "0.30")
    cycle = stage.cycle(after=60)
    assert cycle.snapshot.today is not None
    assert cycle.snapshot.today.result <= -2
    assert reason(cycle, stage.key(1)) == "DAILY_LOSS"  # another token than the one that lost
    assert {order.side for order in stage.live()} == {Side.SELL}  # what is too much is sold on
    quote(stage.exchange, stage.yes(0), "0.50")
    assert reason(stage.cycle(after=60), stage.key(1)) == "QUOTED"  # the loss is gone


def test_a_market_that_is_denied_is_left_to_shrink() -> None:
    stage = Stage(policy=evolve(POLICY, deny_markets=("market*0",)))
    assert reason(stage.cycle(), stage.key()) == "MARKET_DENIED"
    assert stage.live() == []
    stage.exchange.hold(LEADER, stage.yes(), Decimal(0))
    assert stage.cycle().plan.places == ()


class TestALostState:
    """What the day has cost is read from the wallet's trades; until then nothing is bought."""

    POLICY = evolve(POLICY, max_daily_spend=Decimal(5), fill_grace_sec=Decimal(0))

    def lost(self) -> Stage:
        """A wallet that has bought for 4.9 pUSD today, and a process that knows nothing of it."""
        stage = Stage(tokens=2, policy=self.POLICY)
        (place,) = stage.cycle().plan.places
        filled(stage, str(place.size))
        stage.clock.shows += 100
        stage.begin(recovering(Memory(), stage.clock.now()))
        return stage

    def test_the_trades_of_the_day_count(self) -> None:
        stage = self.lost()
        cycle = stage.cycle(after=0)
        assert cycle.snapshot.today is not None
        assert cycle.snapshot.today.spent > Decimal("4.8")
        for _ in range(3):
            assert stage.cycle().plan.places == ()
        assert reason(stage.cycle(), stage.key(1)) == "DAILY_SPEND"

    def test_while_they_can_t_be_read_the_day_counts_as_used_up(self) -> None:
        stage = self.lost()
        stage.faults.add(Endpoint.TRADES, Fault(kind=Kind.STATUS, status=400, times=2))
        cycle = stage.cycle(after=0)
        assert cycle.snapshot.today == Today(spent=Decimal(5))
        assert any("my trades could not be read" in words for words in cycle.warnings)

    def test_the_books_are_good_again_in_the_end(self) -> None:
        stage = self.lost()
        for _ in range(18):
            stage.cycle()
        stage.world.forget_requests()
        stage.cycle()
        assert stage.world.count[Endpoint.TRADES] == 0

    def test_unknown_orders_count_as_filled(self) -> None:
        """One of an earlier life may rest still, and fill."""
        stage = Stage(tokens=2, policy=evolve(self.POLICY, max_daily_spend=Decimal(12)))
        stage.cycle()
        (order, *_) = stage.live()
        resting = sum((one.rest * one.price for one in stage.live()), Decimal(0))
        stage.begin(recovering(Memory(), stage.clock.now()))
        cycle = stage.cycle()
        assert cycle.snapshot.today == Today(spent=resting)
        stage.exchange.hit(order.order_id, order.rest)
        again = stage.cycle()
        assert again.snapshot.today == Today(spent=resting)

    def test_without_the_limit_nothing_more_is_asked(self) -> None:
        stage = Stage(tokens=1)
        stage.begin(recovering(Memory(), stage.clock.now()))
        stage.world.forget_requests()
        stage.cycle()
        assert stage.world.count[Endpoint.TRADES] == 0
