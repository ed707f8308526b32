"""One body of checks for both ways to the simulated exchange: in process, and over HTTP by the real adapters.

What the whole loop is shown in a simulation must be what it is shown in production.
"""

import asyncio
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import cache

import pytest
from attrs import define, frozen

from copytrade.adapters.clob.account import ClobAccount
from copytrade.adapters.clob.market_data import ClobMarketData
from copytrade.adapters.clob.session import ClobHttp
from copytrade.adapters.data_api import DataApi
from copytrade.adapters.http import Http
from copytrade.adapters.signing import OrderSigner
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.in_process import (
    SimulatedAccount,
    SimulatedFeed,
    SimulatedMarketData,
    SimulatedResolver,
)
from copytrade.adapters.simulated.records import Manners, Mode, OrderStatus
from copytrade.adapters.simulated.scenario import LEADER, add_market, combo, market, small_world, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.app.ports import Account, Fill, MarketData, OrderFate, PositionsFeed, ToSign, TradeStatus
from copytrade.domain.model import Position, Side
from copytrade.errors import Unreachable, VenueError

D = Decimal
NOW = D(1_800_000_000)
KEY = "0x" + "11" * 32


@define
class HandClock:
    """A clock that a test moves; sleeping moves it too."""

    time: Decimal = NOW

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.time += seconds


@frozen
class Ports:
    feed: PositionsFeed
    market_data: MarketData
    account: Account


@cache
def signer():
    address = OrderSigner(KEY, funder=LEADER, signature_type=2).address
    return OrderSigner(KEY, funder=address, signature_type=0)


def world_of(clock, **settings):
    return small_world(clock.now, me=signer().funder, signer=signer().address, **{"mine": {0: "50"}, **settings})


async def connect(way, world, clock, stack):
    if way == "in process":
        account = SimulatedAccount(world, signer().funder, clock)
        return Ports(SimulatedFeed(world, clock), SimulatedMarketData(world, clock), account)
    urls = await stack.enter_async_context(serve(world))
    data = await stack.enter_async_context(Http(urls.data_api_url, attempts=1))
    clob = await stack.enter_async_context(ClobHttp(urls.clob_url, attempts=1))
    return Ports(DataApi(data, my_address=signer().funder), ClobMarketData(clob), ClobAccount(clob, signer(), clock))


@pytest.fixture(params=["in process", "over http"])
def run(request):
    """`run(world, clock, conversation)` lets the conversation go on, one way and the other."""

    def run(world, clock, conversation):
        async def main():
            async with AsyncExitStack() as stack:
                return await conversation(await connect(request.param, world, clock, stack))

        return asyncio.run(main())

    return run


def buy(world, number=0, price="0.49", size="10", *, side="BUY", post_only=True, ttl=250):
    token_id = yes_of(world, number)
    neg_risk = world.exchange.market_of(token_id)[0].neg_risk
    return ToSign(
        token_id=token_id,
        side=Side(side),
        price=D(price),
        size=D(size),
        tick_size=D("0.01"),
        neg_risk=neg_risk,
        expiration=int(world.clock()) + ttl,
        post_only=post_only,
    )


def told(answers):
    return [(each.fate.name, each.refusal.name if each.refusal else None) for each in answers]


class TestAccount:
    def test_an_order_rests_fills_in_part_and_is_cancelled(self, run):
        clock = HandClock()
        world = world_of(clock)

        async def conversation(ports):
            signed = ports.account.sign([buy(world), buy(world, 1)])
            answers = await ports.account.post(signed)
            assert [each.order_id for each in answers] == [each.order_id for each in signed]
            assert told(answers) == [("ACCEPTED", None)] * 2
            first = signed[0].order_id
            world.exchange.hit(first, D(4), others=D(2))
            [one, two] = sorted(await ports.account.open_orders(), key=lambda each: each.order_id != first)
            assert (one.order_id, one.price, one.size, one.matched, one.ts) == (first, D("0.49"), 10, 4, NOW)
            assert two.token_id == yes_of(world, 1)
            look = await ports.account.look_up(first)
            assert (look.fate, look.matched) == (OrderFate.LIVE, 4)
            [cancelled] = await ports.account.cancel([first])
            assert (cancelled.confirmed, cancelled.matched) == (True, False)
            look = await ports.account.look_up(first)
            assert (look.fate, look.matched) == (OrderFate.CLOSED, 4)
            assert await ports.account.cash() == 1000 - 4 * D("0.49")
            assert await ports.account.balance(yes_of(world, 0)) == 54
            return first, await ports.account.fills(after=NOW)

        first, [fill] = run(world, clock, conversation)
        assert fill == Fill(
            trade_id=fill.trade_id,
            order_id=first,
            token_id=yes_of(world, 0),
            side=Side.BUY,
            price=D("0.49"),
            size=D(4),
            status=TradeStatus.PENDING,
            ts=NOW,
        )

    def test_a_taker_learns_its_fills_too(self, run):
        clock = HandClock()
        world = world_of(clock)

        async def conversation(ports):
            [answer] = await ports.account.post(
                ports.account.sign([buy(world, price="0.52", size="520", post_only=False)])
            )
            clock.time += 6
            return answer, await ports.account.fills(after=NOW)

        answer, fills = run(world, clock, conversation)
        assert answer.matched == 520
        assert sorted((fill.price, fill.size) for fill in fills) == [(D("0.51"), 500), (D("0.52"), 20)]
        assert {(fill.side, fill.maker, fill.status) for fill in fills} == {(Side.BUY, False, TradeStatus.CONFIRMED)}

    def test_refusals_are_sorted_leg_by_leg(self, run):
        clock = HandClock()
        world = world_of(clock, tokens=4)
        world.exchange.market_of(yes_of(world, 2))[0].ready = False
        world.exchange.close_book(yes_of(world, 3))

        async def conversation(ports):
            asked = [
                buy(world),
                buy(world, price="0.51"),
                buy(world, size="3000"),
                buy(world, 2),
                buy(world, 3),
                buy(world, size="4"),
                buy(world, 1, side="SELL", price="0.60"),
                buy(world, ttl=100),
            ]
            return told(await ports.account.post(ports.account.sign(asked)))

        assert run(world, clock, conversation) == [
            ("ACCEPTED", None),
            ("REFUSED", "PRICE_MOVED"),
            ("REFUSED", "BALANCE"),
            ("REFUSED", "NOT_TRADABLE"),
            ("REFUSED", "NOT_TRADABLE"),
            ("REFUSED", "OTHER"),
            ("REFUSED", "BALANCE"),
            ("REFUSED", "OTHER"),
        ]

    def test_posting_the_same_order_twice_proves_nothing_against_the_first(self, run):
        clock = HandClock()
        world = world_of(clock)

        async def conversation(ports):
            signed = ports.account.sign([buy(world)])
            return told([*await ports.account.post(signed), *await ports.account.post(signed)])

        assert run(world, clock, conversation) == [("ACCEPTED", None), ("UNKNOWN", None)]

    @pytest.mark.parametrize(
        ("fault", "fate", "rests"),
        [
            (Fault(kind=Kind.DROP), ("UNKNOWN", None), False),
            (Fault(kind=Kind.DROP, after_effect=True), ("UNKNOWN", None), True),
            (Fault(kind=Kind.STATUS), ("UNKNOWN", None), False),
            (Fault(kind=Kind.STATUS, after_effect=True), ("UNKNOWN", None), True),
            (Fault(kind=Kind.HTML, status=502, after_effect=True), ("UNKNOWN", None), True),
            (Fault(kind=Kind.GARBAGE, after_effect=True), ("UNKNOWN", None), True),
            (Fault(kind=Kind.STATUS, status=425), ("REFUSED", "BUSY"), False),
            (Fault(kind=Kind.STATUS, status=429), ("REFUSED", "BUSY"), False),
        ],
        ids=lambda value: str(value.kind) if isinstance(value, Fault) else None,
    )
    def test_an_answer_that_is_lost_leaves_the_order_in_doubt(self, run, fault, fate, rests):
        clock = HandClock()
        world = world_of(clock)

        async def conversation(ports):
            await ports.account.open_orders()  # over HTTP this fetches the credentials
            world.faults.add(
                Endpoint.POST_ORDERS, Fault(kind=fault.kind, status=fault.status, after_effect=fault.after_effect)
            )
            signed = ports.account.sign([buy(world)])
            answers = told(await ports.account.post(signed))
            look = await ports.account.look_up(signed[0].order_id)
            return answers, look.fate is OrderFate.LIVE

        assert run(world, clock, conversation) == ([fate], rests)

    def test_a_cancel_can_lose_the_race_or_its_answer(self, run):
        clock = HandClock()
        world = world_of(clock)

        async def conversation(ports):
            signed = ports.account.sign([buy(world), buy(world, 1)])
            await ports.account.post(signed)
            first, second = (each.order_id for each in signed)
            world.faults.add(
                Endpoint.CANCEL_ORDERS,
                Fault(kind=Kind.NONE, deed=lambda: world.exchange.hit(first, D(10))),
                Fault(kind=Kind.DROP, after_effect=True),
            )
            answers = [*await ports.account.cancel([first]), *await ports.account.cancel([second])]
            return [(each.confirmed, each.matched) for each in answers], await ports.account.open_orders()

        assert run(world, clock, conversation) == ([(True, True), (False, False)], ())

    @pytest.mark.parametrize(
        ("mode", "post", "confirmed"),
        [
            (Mode.CANCEL_ONLY, ("REFUSED", "BUSY"), True),
            (Mode.DISABLED, ("REFUSED", "BUSY"), False),
            (Mode.RESTARTING, ("REFUSED", "BUSY"), False),
            (Mode.POST_ONLY, ("ACCEPTED", None), True),
        ],
    )
    def test_modes_of_the_exchange(self, run, mode, post, confirmed):
        clock = HandClock()
        world = world_of(clock)

        async def conversation(ports):
            signed = ports.account.sign([buy(world)])
            await ports.account.post(signed)
            world.exchange.mode = mode
            [answer] = told(await ports.account.post(ports.account.sign([buy(world, 1)])))
            [cancelled] = await ports.account.cancel([signed[0].order_id])
            return answer, cancelled.confirmed

        assert run(world, clock, conversation) == (post, confirmed)

    def test_banned_accounts_are_told_apart_from_busy_ones(self, run):
        clock = HandClock()
        world = world_of(clock)
        world.exchange.wallets[signer().funder.lower()].banned = True

        async def conversation(ports):
            return told(await ports.account.post(ports.account.sign([buy(world)])))

        assert run(world, clock, conversation) == [("REFUSED", "ACCOUNT")]

    def test_late_listings_and_forgotten_orders(self, run):
        clock = HandClock()
        manners = Manners(list_orders_after=D(2), list_trades_after=D(3), forget_closed_after=D(5))
        world = world_of(clock, manners=manners)

        async def conversation(ports):
            signed = ports.account.sign([buy(world)])
            await ports.account.post(signed)
            world.exchange.hit(signed[0].order_id, D(10))
            seen = []
            for clock.time in (NOW, NOW + 2, NOW + 3, NOW + 5):
                look = await ports.account.look_up(signed[0].order_id)
                seen.append((look.fate.name, len(await ports.account.fills(after=NOW))))
            return seen

        assert run(world, clock, conversation) == [("UNKNOWN", 0), ("CLOSED", 0), ("CLOSED", 1), ("UNKNOWN", 1)]

    @pytest.mark.parametrize("null", [False, True])
    def test_an_order_that_nobody_knows_is_of_unknown_fate(self, run, null):
        clock = HandClock()
        world = world_of(clock)
        world.null_look_ups = null

        async def conversation(ports):
            return await ports.account.look_up("0x" + "99" * 32)

        assert run(world, clock, conversation).fate is OrderFate.UNKNOWN

    def test_orders_vanish_without_us_and_statuses_may_have_prefixes(self, run):
        clock = HandClock()
        world = world_of(clock)
        world.prefixes = True

        async def conversation(ports):
            signed = ports.account.sign([buy(world)])
            await ports.account.post(signed)
            world.exchange.hit(signed[0].order_id, D(3))
            [order] = await ports.account.open_orders()
            world.exchange.vanish(order.order_id, OrderStatus.NO_BALANCE)
            look = await ports.account.look_up(order.order_id)
            clock.time += 5
            [fill] = await ports.account.fills(after=NOW)
            return await ports.account.open_orders(), look.fate.name, look.matched, fill.status.name

        assert run(world, clock, conversation) == ((), "CLOSED", 3, "CONFIRMED")

    def test_reads_fail_as_the_ports_say(self, run):
        clock = HandClock()
        world = world_of(clock)

        async def conversation(ports):
            await ports.account.open_orders()
            errors = []
            for endpoint, read in (
                (Endpoint.OPEN_ORDERS, ports.account.open_orders),
                (Endpoint.TRADES, lambda: ports.account.fills(after=NOW)),
                (Endpoint.BALANCE, ports.account.cash),
                (Endpoint.REFRESH, ports.account.refresh_cash),
                (Endpoint.BOOKS, lambda: ports.market_data.books([yes_of(world, 0)])),
            ):
                for kind in (Kind.STATUS, Kind.DROP, Kind.GARBAGE):
                    world.faults.add(endpoint, Fault(kind=kind))
                    try:
                        await read()
                        errors.append("none")
                    except VenueError as error:
                        errors.append("Unreachable" if isinstance(error, Unreachable) else type(error).__name__)
            return errors

        errors = run(world, clock, conversation)
        bad = ["Unreachable", "Unreachable", "BadAnswer"]
        assert errors == bad * 3 + ["Unreachable", "Unreachable", "none"] + bad  # nobody reads what an update says


class TestMarketData:
    def test_books_hold_our_orders_too_and_a_token_without_one_is_absent(self, run):
        clock = HandClock()
        world = world_of(clock)
        native = (
            add_market(world.exchange, market("native", version="v2", tick_size="0.001"), "0.3").outcomes[0].token_id
        )

        async def conversation(ports):
            await ports.account.post(ports.account.sign([buy(world, price="0.50")]))
            return await ports.market_data.books(
                [yes_of(world, 0), "404", native]
            ), await ports.market_data.server_time()

        books, time = run(world, clock, conversation)
        assert set(books) == {yes_of(world, 0), native}
        book = books[yes_of(world, 0)]
        assert {(level.price, level.size) for level in book.bids} == {
            (D("0.50"), 10),
            (D("0.49"), 500),
            (D("0.48"), 500),
        }
        assert (book.tick_size, book.min_order_size, book.neg_risk) == (D("0.01"), 5, False)
        assert books[native].tick_size == D("0.001")
        assert time == NOW


class TestFeed:
    def test_positions_come_late_freeze_and_flip_back(self, run):
        clock = HandClock()
        world = world_of(clock, tokens=1)
        feed = world.feed(LEADER)
        feed.lag_sec = D(5)
        seen = []

        async def conversation(ports):
            async def look(second, deed=lambda: None):
                clock.time = NOW + second
                world.now()
                deed()
                answer = await ports.feed.positions(LEADER)
                assert answer.complete
                seen.append([int(position.size) for position in answer.positions])

            hold = lambda size: lambda: world.exchange.hold(LEADER, yes_of(world, 0), D(size))  # noqa: E731
            await look(10, hold(130))
            await look(14)
            await look(15)
            await look(20, lambda: feed.freeze(world.exchange.now))
            await look(21, hold(0))
            await look(60)
            await look(60, feed.thaw)
            feed.back_sec = D(45)
            await look(61)
            feed.zero_rows = True
            feed.thaw()
            await look(62)

        run(world, clock, conversation)
        assert seen == [[100], [100], [130], [130], [130], [130], [], [130], [0]]

    def test_odd_rows_are_told_as_far_as_they_can_be(self, run):
        clock = HandClock()
        world = world_of(clock, tokens=4)
        feed = world.feed(LEADER)
        feed.without_id.add(yes_of(world, 1))
        feed.odd_index.add(yes_of(world, 2))
        world.exchange.resolve(list(world.exchange.markets)[3], [D(1), D(0)])
        both = add_market(world.exchange, combo("both"))
        world.exchange.hold(LEADER, both.outcomes[0].token_id, D(9))
        clock.time += 1

        async def conversation(ports):
            complete = await ports.feed.positions(LEADER)
            feed.odd_index.add(yes_of(world, 1))  # neither an id nor an index: which outcome is that?
            return complete, await ports.feed.positions(LEADER)

        complete, incomplete = run(world, clock, conversation)
        assert complete.complete
        assert {position.token_id for position in complete.positions} == {
            yes_of(world, 0),
            None,
            yes_of(world, 2),
            yes_of(world, 3),
            both.outcomes[0].token_id,
        }
        assert [each.outcome_index for each in complete.positions] == [0] * 5
        assert [each.current_price for each in complete.positions if each.redeemable] == [1]
        assert (incomplete.ok, incomplete.incomplete, len(incomplete.positions)) == (True, True, 4)

    @pytest.mark.parametrize(
        ("kind", "ok", "incomplete"),
        [
            (Kind.STATUS, False, False),
            (Kind.DROP, False, False),
            (Kind.HTML, False, False),
            (Kind.GARBAGE, False, False),
            (Kind.DUPLICATES, True, True),
            (Kind.NOT_A_NUMBER, False, False),  # NaN makes no JSON
            (Kind.NEGATIVE, True, True),
            (Kind.ENDLESS, True, True),
            (Kind.NO_IDS, True, False),
            (Kind.SHORT_PAGES, True, False),
        ],
    )
    def test_an_answer_is_never_more_sure_than_it_may_be(self, run, kind, ok, incomplete):
        clock = HandClock()
        world = world_of(clock)
        world.faults.add(Endpoint.POSITIONS_V2, Fault(kind=kind, times=None))

        async def conversation(ports):
            return await ports.feed.positions(LEADER)

        answer = run(world, clock, conversation)
        assert (answer.ok, answer.incomplete) == (ok, incomplete)


class TestInProcessOnly:
    def test_the_resolver_knows_what_the_engine_knows(self):
        clock = HandClock()
        world = world_of(clock, tokens=3)
        ids = list(world.exchange.markets)
        world.exchange.markets[ids[1]].listed = False
        both = add_market(world.exchange, combo("both"))

        def position(condition_id, token_id=None, index=0):
            key = f"{condition_id}:{index}"
            return Position(token_key=key, condition_id=condition_id, outcome_index=index, size=D(1), token_id=token_id)

        wanted = [
            position(ids[0]),
            position(ids[1]),
            position(ids[2], "111"),
            position(ids[2], index=2),
            position(both.condition_id),
        ]
        found = asyncio.run(SimulatedResolver(world).resolve(wanted))
        assert found.token_ids == {f"{ids[0]}:0": yes_of(world, 0)}
        assert set(found.refused) == {f"{ids[2]}:0", f"{ids[2]}:2", f"{both.condition_id}:0"}
        world.faults.add(Endpoint.GAMMA_MARKETS, Fault(kind=Kind.DROP))
        assert asyncio.run(SimulatedResolver(world).resolve(wanted)).token_ids == {}

    def test_it_waits_for_the_bucket_on_its_own_clock(self):
        clock = HandClock()
        world = world_of(clock, tokens=1)
        account = SimulatedAccount(world, signer().funder, clock)
        signed = account.sign([buy(world, size="5", ttl=300)] * 100)
        answers = asyncio.run(account.post(signed))
        assert {answer.fate.name for answer in answers} == {"ACCEPTED"}
        assert clock.time == NOW + 1  # 100 orders: 60 at once, 40 more in a second
        impatient = SimulatedAccount(world, signer().funder)
        assert {each[1] for each in told(asyncio.run(impatient.post(signed[:15])))} == {"BUSY"}

    def test_delays_pass_on_its_own_clock(self):
        clock = HandClock()
        world = world_of(clock)
        world.faults.add(Endpoint.TIME, Fault(kind=Kind.NONE, delay_sec=2.5))
        assert asyncio.run(SimulatedMarketData(world, clock).server_time()) == NOW + 2

    def test_what_has_not_changed_is_the_same_record(self):
        clock = HandClock()
        world = world_of(clock)
        market_data, feed = SimulatedMarketData(world), SimulatedFeed(world)

        async def look():
            books = await market_data.books([yes_of(world, 0)])
            return books[yes_of(world, 0)], (await feed.positions(LEADER)).positions[0]

        before, after = asyncio.run(look()), asyncio.run(look())
        assert before[0] is after[0]
        assert before[1] is after[1]
        world.exchange.set_book(yes_of(world, 0), bids=[(D("0.3"), D(1))])
        assert asyncio.run(look())[0] is not before[0]
