"""The demo's world: everything that it promises to show happens, in time, and the same way every time."""

import asyncio
from decimal import Decimal
from typing import Any

from copytrade.adapters.simulated.demo import DEMO_SEC, SETTINGS, demo_world
from copytrade.adapters.simulated.in_process import (
    SimulatedAccount,
    SimulatedFeed,
    SimulatedMarketData,
    SimulatedResolver,
)
from copytrade.adapters.simulated.scenario import LEADER, combo, market, position_id
from copytrade.adapters.token_ids import ctf_token_id
from copytrade.app.ports import ToSign
from copytrade.domain.ids import IdKind, is_combo_condition, kind_of
from copytrade.domain.model import Side
from copytrade.domain.policy import Policy

D = Decimal
NOW = D(1_800_000_000)
ME = "0x00000000000000000000000000000000000000a1"


async def follow(seed=7):
    """Follow naively for as long as the demo lasts: what was seen of the leader, and what came of it."""
    time = NOW
    world = demo_world(lambda: time, me=ME, seed=seed)
    feed, market_data = SimulatedFeed(world), SimulatedMarketData(world)
    resolver, account = SimulatedResolver(world), SimulatedAccount(world, ME)
    seen = []
    while time <= NOW + DEMO_SEC:
        target = await feed.positions(LEADER)
        resolution = await resolver.resolve(target.positions)
        books = await market_data.books(list(resolution.token_ids.values()))
        resting = {order.token_id for order in await account.open_orders()}
        asked = []
        for position in target.positions:
            token_id = resolution.token_ids[position.token_key]
            held = world.exchange.wallets[ME].shares.get(token_id, D(0))
            missing = position.size * SETTINGS["follow_ratio"] - held
            book = books.get(token_id)
            if not position.redeemable and token_id not in resting and missing >= 5 and book is not None:
                best = max(level.price for level in book.bids)
                size = min(missing, D(25))
                expiration = int(time) + 200
                asked.append(
                    ToSign(
                        token_id=token_id,
                        side=Side.BUY,
                        price=best,
                        size=size,
                        tick_size=book.tick_size or D(1),
                        neg_risk=book.neg_risk,
                        expiration=expiration,
                        post_only=True,
                    )
                )
        answers = await account.post(account.sign(asked))
        assert all(answer.refusal is None for answer in answers)
        seen.append(
            {position.slug: (position.size, position.token_id, position.redeemable) for position in target.positions}
        )
        time += 2
    return world, seen


class TestTheDemo:
    def test_the_leaders_book_changes_while_one_watches(self):
        world, seen = asyncio.run(follow())
        first, last = seen[0], seen[-1]
        assert len(first) == 5
        assert sum(redeemable for _, _, redeemable in first.values()) == 1
        assert sum(token_id is None for _, token_id, _ in first.values()) == 1
        assert set(last) - set(first) == {"rates-cut-in-december"}
        assert set(first) - set(last) == {"northwind-win-the-final"}
        assert last["rain-in-lisbon-on-friday"][0] > first["rain-in-lisbon-on-friday"][0]
        assert [event.words for event in world.told if event.words] == [
            "the leader grows a position to 260 shares: Will it rain in Lisbon on Friday?",
            "the leader opens a position of 120 shares: Will rates be cut in December?",
            "the leader leaves a position of 160 shares: Will Northwind win the final?",
        ]

    def test_there_is_liquidity_enough_to_follow_in_time(self):
        world, _ = asyncio.run(follow())
        mine = world.exchange.wallets[ME]
        for slug, wanted in (
            ("rain-in-lisbon-on-friday", 52),
            ("bridge-opens-in-spring", 24),
            ("rates-cut-in-december", 24),
        ):
            made = next(each for each in world.exchange.markets.values() if each.slug == slug)
            assert mine.shares.get(made.outcomes[0].token_id, 0) > wanted - 10, slug
        parts = [order for order in world.exchange.orders.values() if len(order.trade_ids) > 1]
        assert parts, "no order was ever filled in parts"

    def test_the_same_seed_is_the_same_demo(self):
        lives = []
        for seed in (7, 7, 8):
            world, _ = asyncio.run(follow(seed))
            lives.append([(trade.match_time, trade.size, trade.price) for trade in world.exchange.trades.values()])
        assert lives[0] == lives[1] != lives[2]

    def test_my_own_positions_are_told_late(self):
        world, _ = asyncio.run(follow())
        assert world.feed(ME).lag_sec > world.feed(LEADER).lag_sec > 0

    def test_its_settings_are_sane_ones(self):
        keys: dict[str, Any] = {key: value for key, value in SETTINGS.items() if key != "poll_interval_sec"}
        Policy(target_address=LEADER, my_address=ME, **keys)


class TestIds:
    """Ids hold what the real ones promise, so that a resolver's checks pass (or fail) as they would."""

    def test_of_v1_markets_are_computed(self):
        for neg_risk in (False, True):
            made = market("a-market", neg_risk=neg_risk)
            for index, outcome in enumerate(made.outcomes):
                assert outcome.token_id == ctf_token_id(made.condition_id, index, neg_risk=neg_risk)
                assert kind_of(outcome.token_id) is IdKind.CTF

    def test_of_v2_markets_and_combos_have_the_layout(self):
        assert kind_of(position_id("a", 1)) is IdKind.V2_BINARY
        assert int(position_id("a", 1)) & 0xFF == 1
        assert [kind_of(each.token_id) for each in market("a", version="v2", neg_risk=True).outcomes] == [
            IdKind.V2_NEG_RISK
        ] * 2
        both = combo("a")
        assert is_combo_condition(both.condition_id)
        assert {kind_of(each.token_id) for each in both.outcomes} == {IdKind.COMBO}
