"""Whole cycles where something goes wrong: nothing is bought twice, nothing raises, and the next good answer trades."""

import asyncio
import gc
from collections import Counter
from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import Manners, Mode
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.app.outcomes import AccountRefused
from copytrade.app.state import decode_state, memory_of
from copytrade.domain import model
from copytrade.domain.lost_state import recovering
from copytrade.domain.memory import (
    Evidence,
    Memory,
    OwnOrder,
    Standing,
    Traded,
    acknowledged,
    intended,
    ledgers,
    observed,
)
from copytrade.domain.model import Side
from tests.app.stage import ME, POLICY, FullJournal, Stage, outcomes, reason

WANT = Decimal(20)
LARGE = evolve(POLICY, follow_ratio=Decimal("0.5"))  # more than a slice, so that a requote stands in the same plan
LARGE_WANT = Decimal(50)

# -- safe mode --------------------------------------------------------------------------------------------------------

BAD_POSITIONS = [
    Fault(kind=Kind.STATUS, status=500),
    Fault(kind=Kind.HTML),
    Fault(kind=Kind.GARBAGE),
    Fault(kind=Kind.DROP),
    Fault(kind=Kind.NOT_A_NUMBER),
    Fault(kind=Kind.NEGATIVE),
    Fault(kind=Kind.DUPLICATES),
    Fault(kind=Kind.ENDLESS),
]
BAD_LISTINGS = [Fault(kind=Kind.STATUS, status=500), Fault(kind=Kind.HTML), Fault(kind=Kind.GARBAGE)]
INCOMPLETE = [
    *((Endpoint.POSITIONS_V2, fault, skip) for fault in BAD_POSITIONS for skip in (0, 1)),
    *((Endpoint.OPEN_ORDERS, fault, 0) for fault in BAD_LISTINGS),
]


@pytest.mark.parametrize(("endpoint", "fault", "skip"), INCOMPLETE, ids=lambda one: getattr(one, "kind", str(one)))
def test_incomplete_facts_cancel_what_is_expired_and_nothing_else(endpoint: Endpoint, fault: Fault, skip: int) -> None:
    stage = Stage(tokens=3)
    stage.exchange.close_book(stage.yes(1))
    stage.exchange.close_book(stage.yes(2))
    stage.cycle()
    (old,) = stage.live()
    stage.exchange.set_book(stage.yes(1), bids=[(Decimal("0.49"), WANT)], asks=[(Decimal("0.51"), WANT)])
    stage.cycle()
    (young,) = stage.live(1)
    stage.exchange.set_book(stage.yes(2), bids=[(Decimal("0.49"), WANT)], asks=[(Decimal("0.51"), WANT)])

    stage.faults.add(endpoint, Fault(kind=fault.kind, status=fault.status, skip=skip))
    cycle = stage.cycle(after=75)

    assert cycle.plan.mode is model.Mode.SAFE
    assert [one.order_id for one in cycle.plan.cancels] == [old.order_id]
    assert cycle.plan.places == ()
    assert [order.order_id for order in stage.live()] == [young.order_id]
    stage.faults.clear()
    assert {place.token_id for place in stage.cycle().plan.places} == {stage.yes(0), stage.yes(2)}
    stage.cycle()  # a place as large as what was just cancelled waits for the next plan
    assert [len(stage.live(number)) for number in range(3)] == [1, 1, 1]


def test_rows_without_ids_are_resolved_and_traded() -> None:
    stage = Stage()
    stage.faults.add(Endpoint.POSITIONS_V2, Fault(kind=Kind.NO_IDS, times=None))
    cycle = stage.cycle()
    assert outcomes(cycle) == ["accepted"]
    assert stage.world.count[Endpoint.BOOKS] == 1  # its book was asked for in the same cycle


def test_a_row_whose_id_is_refused_is_never_traded() -> None:
    stage = Stage()
    market, _ = stage.exchange.market_of(stage.yes()) or (None, 0)
    assert market is not None
    market.version = "v2"  # the row's id is of the other protocol
    for _ in range(3):
        cycle = stage.cycle()
        assert reason(cycle, stage.key()) == "UNRESOLVED"
        assert any("left alone" in words for words in cycle.warnings)
    assert stage.world.count[Endpoint.POST_ORDERS] == 0


# -- posts whose answer is lost ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("kind", [Kind.DROP, Kind.GARBAGE, Kind.HTML])
@pytest.mark.parametrize("forgets", [False, True])
def test_a_post_without_an_answer_is_in_doubt_and_never_bought_twice(
    after_effect: bool, kind: Kind, forgets: bool
) -> None:
    stage = Stage(manners=Manners(forget_closed_after=Decimal(0) if forgets else None))
    stage.faults.add(Endpoint.POST_ORDERS, Fault(kind=kind, after_effect=after_effect))
    assert outcomes(stage.cycle()) == ["unknown"]
    (doubted,) = stage.orders()
    assert doubted.standing is Standing.INTENT
    if after_effect:
        stage.exchange.hit(doubted.order_id, WANT)
    for _ in range(12):
        stage.cycle()
        assert stage.committed() <= WANT + stage.policy.deadband_shares
        assert len(stage.live()) <= 1
    if after_effect:
        assert stage.held() == WANT
        assert stage.world.count[Endpoint.POST_ORDERS] == 1
    else:
        assert stage.held() == 0
        assert stage.world.count[Endpoint.POST_ORDERS] >= 2
    assert doubted.order_id not in {one.order_id for one in stage.orders() if one.standing is Standing.INTENT}


def test_a_post_that_reached_the_book_is_adopted_from_the_listing() -> None:
    stage = Stage()
    stage.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.DROP, after_effect=True))
    stage.cycle()
    cycle = stage.cycle()
    assert reason(cycle, stage.key()) == "RESTING"
    assert [one.standing for one in stage.orders()] == [Standing.OPEN]


# -- cancels ----------------------------------------------------------------------------------------------------------


def test_a_cancel_that_loses_the_race_drops_the_place_and_the_fill_is_learned() -> None:
    stage = Stage(policy=LARGE)
    stage.cycle()
    (order,) = stage.live()
    stage.faults.add(
        Endpoint.CANCEL_ORDERS, Fault(kind=Kind.NONE, deed=lambda: stage.exchange.hit(order.order_id, order.size))
    )
    cycle = stage.cycle(after=95)
    assert outcomes(cycle, "cancel") == ["confirmed"]
    assert outcomes(cycle) == ["dropped"]
    learned = stage.cycle()
    assert [fill.shares for fill in learned.fills] == [order.size]
    assert stage.committed() == LARGE_WANT


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_cancel_that_is_not_confirmed_drops_the_place(after_effect: bool) -> None:
    stage = Stage(policy=LARGE)
    stage.cycle()
    stage.faults.add(Endpoint.CANCEL_ORDERS, Fault(kind=Kind.DROP, after_effect=after_effect))
    cycle = stage.cycle(after=95)
    assert outcomes(cycle, "cancel") == ["unconfirmed"]
    assert outcomes(cycle) == ["dropped"]
    for _ in range(8):
        stage.cycle()
        assert stage.committed() <= LARGE_WANT
        assert len(stage.live()) <= 1
    assert outcomes(cycle, "cancel") == ["unconfirmed"]
    assert stage.world.count[Endpoint.POST_ORDERS] >= 2


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_a_refusal_that_repeats_holds_for_a_minute_doubling_to_an_hour_and_a_success_clears_it() -> None:
    stage = Stage()
    market, _ = stage.exchange.market_of(stage.yes()) or (None, 0)
    assert market is not None
    market.accepting_orders = False
    steps = []
    for _ in range(9):
        assert outcomes(stage.cycle()) == ["refused"]
        hold = stage.trader.memory.holds[stage.key()]
        steps.append(int(hold.until - stage.clock.now()))
        assert reason(stage.cycle(after=1), stage.key()) == "ON_HOLD"
        stage.clock.shows = hold.until
    assert steps == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    market.accepting_orders = True
    assert outcomes(stage.cycle()) == ["accepted"]
    assert stage.trader.memory.holds == {}


@pytest.mark.parametrize("mode", [Mode.CANCEL_ONLY, Mode.RESTARTING])
def test_a_busy_exchange_is_waited_out_without_a_hold(mode: Mode) -> None:
    stage = Stage()
    stage.exchange.mode = mode
    stage.cycle()
    assert stage.trader.memory.holds == {}
    assert stage.live() == []
    stage.exchange.mode = Mode.NORMAL
    settled = [outcomes(stage.cycle()) for _ in range(4)]
    assert ["accepted"] in settled
    assert len(stage.live()) == 1


def test_a_refused_account_ends_the_run_with_the_state_saved() -> None:
    stage = Stage()
    stage.exchange.wallets[ME].banned = True
    with pytest.raises(AccountRefused, match="refuses this account"):
        stage.cycle()
    assert stage.disk.good is not None
    saved = memory_of(decode_state(stage.disk.good))
    assert saved == stage.trader.memory
    assert saved.orders == {}


# -- the disk ---------------------------------------------------------------------------------------------------------


def test_where_the_state_cannot_be_saved_nothing_is_posted_and_the_intents_are_forgotten() -> None:
    stage = Stage()
    stage.disk.full = True
    cycle = stage.cycle()
    assert outcomes(cycle) == ["dropped"]
    assert any("No space left" in words for words in cycle.warnings)
    assert stage.world.count[Endpoint.POST_ORDERS] == 0
    assert stage.orders() == []
    stage.disk.full = False
    assert outcomes(stage.cycle()) == ["accepted"]


def test_the_intents_are_on_the_disk_before_the_post() -> None:
    stage = Stage(tokens=2)
    on_disk: list[Memory] = []

    def look() -> None:
        assert stage.disk.good is not None
        on_disk.append(memory_of(decode_state(stage.disk.good)))

    stage.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, deed=look))
    stage.cycle()
    (memory,) = on_disk
    assert memory.orders.keys() == {order.order_id for order in stage.live()}
    assert {order.standing for order in memory.orders.values()} == {Standing.INTENT}


def test_a_journal_that_cannot_be_written_is_a_warning() -> None:
    stage = Stage(journal=FullJournal())
    cycle = stage.cycle()
    assert outcomes(cycle) == ["accepted"]
    assert any("journal could not be written" in words for words in cycle.warnings)


# -- crashes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("posted", [False, True])
@pytest.mark.parametrize("filled", [0, 7, 20])
@pytest.mark.parametrize("forgets", [False, True])
def test_a_crash_around_the_post_makes_no_second_order_and_loses_no_fill(
    posted: bool, filled: int, forgets: bool
) -> None:
    stage = Stage(manners=Manners(forget_closed_after=Decimal(0) if forgets else None))
    before: list[bytes] = []
    stage.faults.add(
        Endpoint.POST_ORDERS,
        Fault(kind=Kind.DROP, after_effect=posted, deed=lambda: before.append(stage.disk.good or b"")),
    )
    stage.cycle()
    (intent,) = stage.orders()
    if posted and filled:
        stage.exchange.hit(intent.order_id, Decimal(filled))
    stage.world.feed(ME).freeze(stage.clock.now() - 1)  # the feed does not help
    stage.crash(before[0])
    learned = Decimal(0)
    for _ in range(12):
        learned += sum(fill.shares for fill in stage.cycle().fills)
        assert stage.committed() <= WANT + stage.policy.deadband_shares
        assert len(stage.live()) <= 1
    assert stage.held() == learned == (filled if posted else 0)


@pytest.mark.parametrize("steps", range(1, 40))
def test_a_stop_at_any_point_of_a_cycle_leaves_nothing_that_was_begun_half(steps: int) -> None:
    """What was never awaited is a warning on standard error, and here an error."""
    stage = Stage(tokens=2)
    stage.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.DROP))
    stage.cycle()  # two orders in doubt: they are looked up, and trades are asked for
    stage.clock.shows += 20

    async def stopped() -> None:
        going = asyncio.ensure_future(stage.trader.cycle())
        for _ in range(steps):
            await asyncio.sleep(0)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)

    asyncio.run(stopped())
    gc.collect()
    assert len(stage.live()) <= 2


def test_nothing_is_posted_once_the_run_was_told_to_end() -> None:
    """The stop came while the cycle was executing, in the time that its cancels took."""
    stage = Stage(tokens=2)
    stage.trader.leaving = lambda: True
    cycle = stage.cycle()
    assert stage.exchange.orders == {}
    assert {(one.outcome, one.words) for one in cycle.results} == {("dropped", "a stop came first")}


def test_what_a_stop_kept_back_was_not_refused() -> None:
    """Two batches; the stop comes while the first is on its way. Nobody refused the second: it was not sent."""
    stage = Stage(tokens=20)
    stage.faults.add(
        Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, deed=lambda: setattr(stage.trader, "leaving", lambda: True))
    )
    cycle = stage.cycle()
    said = Counter((one.outcome, one.words) for one in cycle.results)
    assert said == {("accepted", ""): 15, ("dropped", "not sent: a stop came first"): 5}
    assert len(stage.orders()) == len(stage.live()) == 15


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [(Endpoint.POST_ORDERS, ("place", "unknown")), (Endpoint.CANCEL_ORDERS, ("cancel", "unconfirmed"))],
)
def test_a_cycle_that_is_broken_off_tells_what_had_been_sent(endpoint: Endpoint, said: tuple[str, str]) -> None:
    stage = Stage(policy=LARGE)
    if said[0] == "cancel":
        stage.cycle()
        stage.clock.shows += 100

    def stop() -> None:
        raise asyncio.CancelledError

    stage.faults.add(endpoint, Fault(kind=Kind.NONE, deed=stop))
    with pytest.raises(asyncio.CancelledError):
        stage.cycle()
    (result,) = stage.written[-1].results
    assert (result.action, result.outcome, result.words) == (*said, "the run was stopped before it was answered")


class TestWhatWeNeverTraded:
    """`manage_holdings: "copied"` never sells what copytrade did not buy, whatever it had to learn of it."""

    COPIED = evolve(POLICY, manage_holdings="copied", fill_grace_sec=Decimal(10))

    def test_a_balance_that_had_to_be_restored_is_not_a_trade(self) -> None:
        stage = Stage(policy=self.COPIED, mine={0: "40"})
        stage.begin(recovering(Memory(), stage.clock.now()))
        reasons = [reason(stage.cycle(), stage.key()) for _ in range(6)]
        assert stage.trader.memory.recovery is not None
        assert stage.key() in stage.trader.memory.recovery.restored
        assert reasons[-1] == "NOT_OURS"
        assert stage.exchange.orders == {}

    def test_an_order_that_filled_nothing_is_not_a_trade(self) -> None:
        stage = Stage(policy=self.COPIED, mine={0: "10"})
        stage.cycle()
        (order,) = stage.live()
        assert order.side is Side.BUY
        stage.exchange.hold(LEADER, stage.yes(), Decimal(0))
        reasons = [reason(stage.cycle(), stage.key()) for _ in range(4)]
        assert reasons[-1] == "NOT_OURS"
        assert [one.side for one in stage.exchange.orders.values()] == [Side.BUY]
        assert stage.held() == 10

    def test_a_fill_that_failed_is_not_a_trade(self) -> None:
        order = OwnOrder(
            order_id="0xa", token_key="0xc:0", token_id="1", side=Side.BUY, price=Decimal("0.5"), size=Decimal(10),
            ts=Decimal(100), expiration=Decimal(290),
        )  # fmt: skip
        memory = intended(Memory(), [order], {"0xc:0": Decimal(10)})
        memory = acknowledged(memory, {"0xa": Decimal(10)}, Decimal(101))
        assert ledgers(memory)["0xc:0"].ours
        failed = Evidence(asked_at=Decimal(120), listed={}, trades={"0xa": Traded(failed=Decimal(10))})
        memory = observed(memory, failed, now=Decimal(120), policy=self.COPIED)
        assert not ledgers(memory)["0xc:0"].ours

    def test_a_start_on_a_lost_state_asks_for_no_sale_that_will_not_be_made(self) -> None:
        stage = Stage(policy=evolve(self.COPIED, fill_grace_sec=Decimal(60)), mine={0: "40"})

        async def nobody(*_: object) -> bool:
            raise AssertionError("nobody is to be asked")

        stage.begin(recovering(Memory(), stage.clock.now()), approve=nobody)
        assert reason(stage.cycle(), stage.key()) == "ON_HOLD"

    def test_what_it_bought_is_sold(self) -> None:
        stage = Stage(policy=self.COPIED)
        stage.cycle()
        (order,) = stage.live()
        stage.exchange.hit(order.order_id, order.rest)
        stage.exchange.hold(LEADER, stage.yes(), Decimal(0))
        for _ in range(6):
            stage.cycle()
        (sale,) = stage.live()
        assert (sale.side, sale.size) == (Side.SELL, Decimal(20))


class TestALostStateAndALateListing:
    """DESIGN 6: nothing is placed on a token until an order that we do not know has long ceased to be listed on it."""

    LOST = evolve(POLICY, order_ttl_sec=Decimal(20), settle_timeout_sec=Decimal(80), fill_grace_sec=Decimal(10))

    def lost(self) -> Stage:
        """An order of ours rests, and nothing is known of it; twice as much is wanted as it may bring."""
        stage = Stage(policy=self.LOST)
        stage.cycle()
        assert len(stage.live()) == 1
        stage.begin(recovering(Memory(), stage.clock.now()))
        stage.exchange.hold(LEADER, stage.yes(), Decimal(200))
        return stage

    def follow(self, stage: Stage, cycles: int) -> list[str]:
        reasons = []
        for _ in range(cycles):
            reasons.append(reason(stage.cycle(), stage.key()))
            assert len(stage.live()) <= 1
            assert stage.committed() <= 2 * WANT
        return reasons

    def test_the_first_listing_after_the_grace_shows_a_stranger(self) -> None:
        """What the very same cycle learns counts: its balance was read while the stranger rests."""
        assert set(self.follow(self.lost(), 3)) == {"ON_HOLD"}

    def test_a_listing_that_could_not_be_read_restores_nothing(self) -> None:
        stage = self.lost()
        stage.faults.add(Endpoint.OPEN_ORDERS, Fault(kind=Kind.STATUS, status=500))
        assert set(self.follow(stage, 3)) == {"SAFE_MODE", "ON_HOLD"}

    def test_a_stranger_that_may_be_ours_is_waited_for_as_long_as_ours_can_rest(self) -> None:
        """With a settle_timeout_sec that is shorter than the 190 s after which the exchange itself takes it down."""
        reasons = self.follow(self.lost(), 16)
        assert reasons.count("QUOTED") > 0  # … and in the end it trades again
