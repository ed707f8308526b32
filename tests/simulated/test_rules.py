"""The engine's laws: what it refuses and in which words, what it matches, and that nothing is made or lost."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade.adapters.simulated.records import (
    Hits,
    Manners,
    Market,
    Mode,
    NewOrder,
    OrderStatus,
    OrderType,
    Outcome,
    TradeState,
)
from copytrade.adapters.simulated.rules import Exchange
from copytrade.domain.model import Side

D = Decimal
NOW = D(1_800_000_000)
ME = "0x00000000000000000000000000000000000000a1"
YOU = "0x00000000000000000000000000000000000000a2"
YES, NO = "111", "222"


def exchange(**settings):
    """Two wallets with 100 pUSD and 50 YES each; YES 0.48/0.52, tick 0.01."""
    made = Exchange(now=NOW, **settings)
    outcomes = (Outcome(name="Yes", token_id=YES), Outcome(name="No", token_id=NO))
    made.add_market(Market(condition_id="0xc1", outcomes=outcomes))
    for wallet in (ME, YOU):
        made.add_wallet(wallet, cash=D(100))
        made.give(wallet, D(50), YES, D("0.40"))
    made.set_book(YES, bids=[(D("0.47"), D(100)), (D("0.48"), D(30))], asks=[(D("0.53"), D(100)), (D("0.52"), D(30))])
    return made


def order(side="BUY", price="0.48", size="10", **other):
    fields = {"order_id": "0x01", "wallet": ME, "token_id": YES, "expiration": int(NOW) + 240, **other}
    return NewOrder(side=Side(side), price=D(price), size=D(size), **fields)


def levels(world):
    """(bids, asks) of YES, the best last."""
    found = world.levels(YES)
    assert found is not None
    return found


def hit(world, size, *, others="0"):
    """The outside world takes from order 0x01, which rests."""
    trade = world.hit("0x01", D(size), others=D(others))
    assert trade is not None
    return trade


REFUSED = [
    (order(price="0.52"), "invalid post-only order: order crosses book"),
    (order("SELL", "0.48"), "invalid post-only order: order crosses book"),
    (order(price="0.485"), "order 0x01 is invalid. Price (0.485) breaks minimum tick size rule: 0.01"),
    (order(price="1.00"), "order 0x01 is invalid. Price (1.00) breaks minimum tick size rule: 0.01"),
    (order(price="0.00"), "order 0x01 is invalid. Price (0.00) breaks minimum tick size rule: 0.01"),
    (order(size="1.08"), "order 0x01 is invalid. Size (1.08) lower than the minimum: 5"),
    (order(size="5.001"), "invalid amounts, the BUY size supports a max accuracy of 2 decimals"),
    (order(size="209"), "not enough balance / allowance"),  # 100.32 pUSD
    (order("SELL", "0.60", "50.01"), "not enough balance / allowance"),
    (order("SELL", "0.60", token_id=NO), "not enough balance / allowance"),
    (order(expiration=int(NOW) + 179), "expiration is less than 180 seconds in the future"),
    (order(expiration=int(NOW)), "invalid expiration"),
    (order(expiration=0), "invalid expiration"),
    (order(order_type=OrderType.GTC), "invalid expiration"),
    (order(token_id="333"), "the orderbook 333 does not exist"),
    (
        order(order_type=OrderType.FOK, expiration=0),
        "invalid post-only order: only GTC and GTD order types are allowed",
    ),
    (
        order(price="0.52", size="31", order_type=OrderType.FOK, expiration=0, post_only=False),
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
    ),
    (
        order(order_type=OrderType.FAK, expiration=0, post_only=False),
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
    ),
]


class TestRefusals:
    """API.md, Orders: each check, with the exchange's exact words."""

    @pytest.mark.parametrize(("new", "words"), REFUSED, ids=[words[:40] for _, words in REFUSED])
    def test_says_why_and_changes_nothing(self, new, words):
        world = exchange()
        posted = world.post(new)
        assert (posted.error, posted.accepted) == (words, False)
        assert not world.orders
        assert not world.trades

    def test_the_edges_are_accepted(self):
        world = exchange()
        assert world.post(order(size="5")).accepted
        assert world.post(order(order_id="0x02", expiration=int(NOW) + 180, price="0.51")).accepted
        assert world.post(order("SELL", "0.49", "50", order_id="0x03", wallet=YOU)).error.endswith("crosses book")
        assert world.post(order("SELL", "0.52", "50", order_id="0x03", wallet=YOU)).accepted

    def test_the_identical_order_is_a_duplicate_even_after_it_is_gone(self):
        world = exchange()
        world.post(order())
        assert world.post(order()).error == "order 0x01 is invalid. Duplicated."
        world.cancel(ME, ["0x01"])
        assert world.post(order()).error == "order 0x01 is invalid. Duplicated."

    def test_a_marketable_order_is_worth_a_dollar(self):
        world = exchange()
        world.set_book(YES, asks=[(D("0.02"), D(100))])
        cheap = order(price="0.02", size="49.99", post_only=False)
        assert world.post(cheap).error == "invalid amount for a marketable BUY order ($0.9998), min size: $1"
        assert world.post(order(price="0.02", size="50", post_only=False)).accepted
        assert world.post(order(price="0.01", size="5", order_id="0x02")).accepted  # it rests: no minimum worth

    @pytest.mark.parametrize("change", [{"ready": False}, {"accepting_orders": False}])
    def test_a_market_that_takes_no_orders(self, change):
        world = exchange()
        for name, value in change.items():
            setattr(world.markets["0xc1"], name, value)
        assert world.post(order()).error == "the market is not yet ready to process new orders"

    def test_modes_of_the_whole_exchange(self):
        world = exchange()
        world.mode = Mode.POST_ONLY
        assert world.post(order(post_only=False)).error == (
            "post-only mode: only post-only orders and cancels are allowed"
        )
        assert world.post(order()).accepted
        answers = []
        for world.mode in (Mode.NORMAL, Mode.CANCEL_ONLY, Mode.DISABLED, Mode.RESTARTING):
            answers.append([(world.gate(cancels=cancels) or (200,))[0] for cancels in (False, True)])
        assert answers == [[200, 200], [503, 200], [503, 503], [425, 425]]


class TestLocks:
    """Cash and shares under resting orders can't be promised twice."""

    def test_a_resting_buy_locks_its_cash_until_it_is_gone(self):
        world = exchange()
        assert world.post(order(size="200")).accepted  # 96 of 100 pUSD
        assert world.post(order(order_id="0x02")).error == "not enough balance / allowance"
        assert world.balance(ME) == 100  # the balance is told without the lock
        assert world.cancel(ME, ["0x01"]) == (["0x01"], {})
        assert world.post(order(order_id="0x03")).accepted

    def test_a_resting_sell_locks_its_shares(self):
        world = exchange()
        assert world.post(order("SELL", "0.60", "45")).accepted
        assert world.post(order("SELL", "0.60", "6", order_id="0x02")).error == "not enough balance / allowance"
        world.hit("0x01", D(45))
        assert world.post(order("SELL", "0.60", "5", order_id="0x03")).accepted

    def test_what_is_not_covered_any_more_is_cancelled_newest_first(self):
        world = exchange()
        world.post(order(size="100"))
        world.post(order(size="100", order_id="0x02"))
        world.give(ME, D(-50))
        assert [world.orders[each].status for each in ("0x01", "0x02")] == [OrderStatus.LIVE, OrderStatus.NO_BALANCE]

    def test_a_stale_balance_refuses_until_it_is_refreshed(self):
        world = exchange(manners=Manners(stale_balances=True))
        assert world.balance(ME) == 100
        world.give(ME, D(1000))
        assert world.post(order(size="300")).error == "not enough balance / allowance"
        world.refresh_balance(ME)
        assert world.post(order(size="300")).accepted


class TestMatching:
    def test_a_taker_gets_the_best_price_first_and_rests_with_what_is_left(self):
        world = exchange()
        posted = world.post(order(price="0.53", size="150", post_only=False))
        assert (posted.status, posted.making, posted.taking) == ("matched", D("68.60"), D(130))
        assert world.orders["0x01"].status is OrderStatus.LIVE
        bids, asks = levels(world)
        assert (bids[-1], asks) == ((D("0.53"), D(20)), [])

    def test_at_one_price_our_wallets_come_before_the_outside_and_the_oldest_first(self):
        world = exchange()
        world.post(order("SELL", "0.52", "10", order_id="0x0a", wallet=YOU))
        world.post(order("SELL", "0.52", "10", order_id="0x0b", wallet=YOU))
        world.post(order(price="0.52", size="15", post_only=False))
        assert [world.orders[each].matched for each in ("0x0a", "0x0b")] == [10, 5]
        assert world.books[YES].asks[D("0.52")] == 30

    def test_levels_that_cross_a_resting_order_take_it(self):
        world = exchange()
        world.post(order(price="0.50", size="20"))
        world.set_book(YES, bids=[(D("0.48"), D(30))], asks=[(D("0.49"), D(12))])
        assert world.orders["0x01"].matched == 12
        assert levels(world)[1] == []  # all of the level went into it
        assert world.wallets[ME].cash == 100 - 12 * D("0.50")  # a maker gets its own price

    def test_a_fill_after_the_cancel_is_no_fill(self):
        world = exchange()
        world.post(order())
        world.cancel(ME, ["0x01"])
        assert world.hit("0x01", D(5)) is None
        assert world.cancel(ME, ["0x01", "0x99"]) == (
            [],
            {"0x01": "already canceled or matched", "0x99": "already canceled or matched"},
        )

    def test_nobody_cancels_the_order_of_another_wallet(self):
        world = exchange()
        world.post(order())
        assert world.cancel(YOU, ["0x01"])[0] == []
        assert world.orders["0x01"].status is OrderStatus.LIVE

    def test_a_strangers_leg_moves_nothing_of_ours(self):
        world = exchange()
        world.post(order())
        trade = hit(world, 4, others=6)
        assert (trade.size, [leg.size for leg in trade.legs], trade.side) == (10, [4, 6], Side.SELL)
        assert world.wallets[ME].shares[YES] == 54


class TestTime:
    def test_a_gtd_order_rests_a_minute_less_than_it_says(self):
        world = exchange()
        world.post(order(expiration=int(NOW) + 240))
        world.tick(NOW + D("179.9"))
        assert world.orders["0x01"].status.name == "LIVE"
        world.tick(NOW + 200)
        assert world.orders["0x01"].status.name == "EXPIRED"
        assert world.orders["0x01"].closed_at == NOW + 180  # at its own time, not at the time we looked
        assert world.wallets[ME].locked_cash == 0

    def test_a_trade_is_mined_then_confirmed(self):
        world = exchange()
        world.post(order())
        trade = hit(world, 4)
        seen = []
        for second in (0, 1, 2, 4, 5):
            world.tick(NOW + second)
            seen.append(trade.state.value)
        assert seen == ["MATCHED", "MATCHED", "MINED", "MINED", "CONFIRMED"]

    def test_a_failed_trade_never_happened(self):
        world = exchange(manners=Manners(fail_next=1))
        world.post(order())
        trade = hit(world, 4)
        world.tick(NOW + 3)
        assert trade.state.name == "RETRYING"
        assert world.wallets[ME].shares[YES] == 54
        world.tick(NOW + 5)
        assert trade.state.name == "FAILED"
        assert (world.wallets[ME].shares[YES], world.wallets[ME].cash) == (50, 100)
        assert world.orders["0x01"].matched == 4  # the order does not come back for it

    def test_what_was_spent_meanwhile_cannot_fail(self):
        world = exchange(manners=Manners(fail_next=1))
        world.post(order(size="60", price="0.50"))
        trade = hit(world, 60)
        world.give(ME, D(-105), YES)
        world.tick(NOW + 5)
        assert trade.state is TradeState.CONFIRMED

    def test_trades_and_orders_are_listed_late_and_closed_orders_forgotten(self):
        manners = Manners(list_trades_after=D(3), list_orders_after=D(2), forget_closed_after=D(10))
        world = exchange(manners=manners)
        world.post(order())
        trade = hit(world, 4)
        assert (world.open_orders(ME), world.find_order("0x01"), world.trades_of(ME)) == ([], None, [])
        world.tick(NOW + 3)
        assert [each.order_id for each in world.open_orders(ME)] == ["0x01"]
        assert world.find_order("0x01") is not None
        assert world.trades_of(ME) == [trade]
        assert world.trades_of(ME, after=NOW + 1) == []
        world.cancel(ME, ["0x01"])
        world.tick(NOW + 12)
        assert world.find_order("0x01") is not None
        world.tick(NOW + 13)
        assert world.find_order("0x01") is None

    def test_a_resolved_market_cancels_its_orders_and_pays(self):
        world = exchange()
        world.post(order())
        world.resolve("0xc1", [D(1), D(0)])
        assert world.orders["0x01"].status is OrderStatus.RESOLVED
        assert world.levels(YES) is None
        assert world.post(order(order_id="0x02")).error == "the orderbook 111 does not exist"
        world.redeem(ME, YES)
        assert (world.wallets[ME].cash, world.wallets[ME].shares[YES]) == (150, 0)


class TestBuckets:
    """API.md, Limits: 40 orders a second, burst 60; 80 cancels, burst 120; whole or not at all."""

    def test_a_batch_that_is_short_is_refused_whole_and_costs_nothing(self):
        world = exchange()
        assert [world.spend_orders("s", 15) for _ in range(5)] == [True, True, True, True, False]
        world.tick(NOW + D("0.375"))
        assert world.spend_orders("s", 15)
        assert not world.spend_orders("s", 1)
        assert world.spend_orders("another", 60)

    def test_more_cancels_than_the_burst_never_succeed(self):
        world = exchange()
        assert not world.spend_cancels("s", 121)
        assert world.spend_cancels("s", 120)
        world.tick(NOW + 1000)
        assert not world.spend_cancels("s", 121)


PRICES = st.integers(1, 99).map(lambda cents: D(cents).scaleb(-2))
SIZES = st.integers(500, 4000).map(lambda cents: D(cents).scaleb(-2))
DEEDS = st.one_of(
    st.tuples(st.just("post"), st.sampled_from([ME, YOU]), st.sampled_from(list(Side)), PRICES, SIZES, st.booleans()),
    st.tuples(st.just("hit"), st.integers(0, 30), SIZES),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("book"), PRICES, PRICES, SIZES),
    st.tuples(st.just("give"), st.sampled_from([ME, YOU]), st.sampled_from(["", YES]), st.integers(-20, 20)),
    st.tuples(st.just("wait"), st.integers(0, 60)),
    st.tuples(st.just("fail"), st.integers(1, 2)),
)


def perform(world, number, deed):
    ids = list(world.orders)
    match deed:
        case ("post", wallet, side, price, size, post_only):
            expiration = int(world.now) + 240
            fields = {"wallet": wallet, "post_only": post_only, "expiration": expiration, "token_id": YES}
            world.post(NewOrder(order_id=f"0x{number:02x}", side=side, price=price, size=size, **fields))
        case ("hit", index, size) if ids:
            world.hit(ids[index % len(ids)], size)
        case ("cancel", index) if ids:
            chosen = ids[index % len(ids)]
            world.cancel(world.orders[chosen].wallet, [chosen])
        case ("book", one, other, size):
            low, high = sorted((one, other))
            world.set_book(YES, bids=[(low, size)], asks=[(high, size)] if high > low else [])
        case ("give", wallet, token, amount):
            free = world.wallets[wallet].shares[YES] if token else world.wallets[wallet].cash
            world.give(wallet, max(D(amount), -free), token)
        case ("wait", seconds):
            world.tick(world.now + seconds)
        case ("fail", count):
            world.manners.fail_next = count


class TestNothingIsMadeOrLost:
    """Whatever happens: cash and shares are conserved, locks are what rests, and nobody has less than nothing."""

    @settings(max_examples=150, deadline=None)
    @given(deeds=st.lists(DEEDS, max_size=40), seed=st.integers(0, 5))
    def test_books_balance_after_every_deed(self, deeds, seed):
        world = exchange(dice=Random(seed), manners=Manners(hits=Hits(mean_sec=20)))
        for number, deed in enumerate(deeds):
            perform(world, number, deed)
            wallets = world.wallets.values()
            cash = sum(wallet.cash for wallet in wallets) + world.outside_cash
            shares = sum(wallet.shares.get(YES, 0) for wallet in wallets) + world.outside_shares.get(YES, 0)
            assert (cash, shares) == (world.issued[""], world.issued[YES])
            for wallet in wallets:
                live = [world.orders[each] for each in wallet.live]
                buys = sum(each.rest * each.price for each in live if each.side is Side.BUY)
                sells = sum(each.rest for each in live if each.side is Side.SELL)
                assert (wallet.locked_cash, wallet.locked_shares.get(YES, 0)) == (buys, sells)
                assert wallet.free_cash() >= 0
                assert wallet.free_shares(YES) >= 0
            for each in world.orders.values():
                assert 0 <= each.matched <= each.size
                assert (each.status is OrderStatus.MATCHED) == (each.rest == 0)
                legs = [leg.size for t in world.trades.values() for leg in t.legs if leg.order_id == each.order_id]
                taken = [t.size for t in world.trades.values() if t.taker_order_id == each.order_id]
                assert sum(legs + taken) == each.matched
            bids, asks = levels(world)
            assert not bids or not asks or bids[-1][0] < asks[-1][0], "a crossed book"

    def test_the_same_seed_lives_the_same_life(self):
        lives = []
        for seed in (7, 7, 8):
            world = exchange(dice=Random(seed), manners=Manners(hits=Hits(mean_sec=5, most=D(3))))
            world.post(order(size="100"))
            world.tick(NOW + 60)
            lives.append([(each.match_time, each.size) for each in world.trades.values()])
        assert lives[0] == lives[1] != lives[2]
        assert len(lives[0]) > 3
