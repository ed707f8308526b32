"""Live, from whatever the wallet holds: every token ends in the band, and no order ever breaks a hard rule."""

import asyncio

import pytest
from attrs import evolve

from copytrade.adapters.simulated.records import NewOrder
from copytrade.adapters.simulated.scenario import LEADER, condition_id_of, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.domain.model import Reason, Side
from tests.e2e.driving import ME, D, Story, assert_replays, busy, config_of, gaps, ours, run_until, world_of


def live(world, folder, **settings) -> Story:
    """Follow until nothing is left to do: in the band or DUST everywhere, and two cycles in a row without an action."""

    def settled(story: Story) -> bool:
        last = story.cycles[-2:]
        quiet = len(last) == 2 and not any(cycle.plan.actions for cycle in last)
        return quiet and not any(one.reason is Reason.RESTING for one in last[-1].plan.decisions)

    async def talk() -> Story:
        async with serve(world) as urls:
            return await run_until(config_of(urls, folder, **settings), settled)

    return asyncio.run(talk())


def assert_there(world, story: Story, deadband: str = "3") -> None:
    """By the exchange's own books, not by what the program believes."""
    dust = {one.token_id for one in story.cycles[-1].plan.decisions if one.reason is Reason.DUST}
    outside = {token_id: gap for token_id, gap in gaps(world).items() if abs(gap) > D(deadband)}
    assert not outside.keys() - dust, outside
    # DUST is said of what can't be traded only: below every minimum size that the worlds have.
    assert all(abs(gap) < 30 for gap in outside.values())
    assert ours(world) == []
    assert story.ending is not None
    assert story.ending.may_rest == ()


class TestItGetsThere:
    """Issue 3, It must show; DESIGN 4: it converges."""

    def test_from_nothing(self, tmp_path, watch_orders):
        world, watch = world_of(tokens=5, leader_holds="300", manners=busy()), watch_orders("25")
        for number in (1, 4):
            world.exchange.markets[condition_id_of(f"market-{number}")].min_order_size = D(
                30
            )  # over slice_max: raised to it
        world.exchange.hold(LEADER, yes_of(world, 3), D(20))  # of which we want 4: raised to the minimum of 5
        world.exchange.hold(LEADER, yes_of(world, 4), D(18))  # of which we want 3.6, where 30 is the minimum
        story = live(world, tmp_path)
        assert_there(world, story)
        assert not [order for order in watch.posted if order.token_id == yes_of(world, 4)]
        assert [order.size for order in watch.posted if order.token_id == yes_of(world, 3)] == [5]
        assert watch.wrongs == []
        assert len(watch.posted) >= 9  # 60 shares of three tokens, 25 at most at once; 30 of the second
        assert {order.side.value for order in watch.posted} == {"BUY"}
        assert all(order.status.value != "LIVE" for order in world.exchange.orders.values())
        assert_replays(tmp_path, len(story.cycles))

    def test_from_a_wallet_that_holds_some_and_holds_what_the_leader_does_not(self, tmp_path, watch_orders):
        mine = {0: "12", 1: "90", 2: "30", 4: "41.5", 5: "7.3", 6: "2.5", 7: "10.09"}
        world = world_of(tokens=4, leader_holds="150", mine=mine, manners=busy(), cash="500")
        watch = watch_orders("6")
        story = live(world, tmp_path, slice_max=6)
        assert_there(world, story)
        assert watch.wrongs == []
        assert {order.side.value for order in watch.posted} == {"BUY", "SELL"}
        sold = [order.size for order in watch.posted if order.token_id == yes_of(world, 5)]
        assert sold[0] == D("7.3")  # lengthened to all of it, since 1.3 could never be sold
        assert not [order for order in watch.posted if order.token_id in (yes_of(world, 2), yes_of(world, 6))]
        assert_replays(tmp_path, len(story.cycles))

    def test_after_the_leader_changed_his_mind(self, tmp_path, watch_orders):
        world, watch = world_of(tokens=3, leader_holds="150", manners=busy()), watch_orders("25")
        assert_there(world, live(world, tmp_path))
        world.exchange.hold(LEADER, yes_of(world, 0), D(0))
        world.exchange.hold(LEADER, yes_of(world, 1), D(260))
        story = live(world, tmp_path)  # a new run, which goes on from the state of the first
        assert_there(world, story)
        assert watch.wrongs == []
        assert_replays(tmp_path, len(story.cycles))

    def test_orders_that_grow_old_are_quoted_anew_one_at_a_time(self, tmp_path, watch_orders):
        world, watch = world_of(tokens=2, leader_holds="150"), watch_orders("25")  # nobody takes anything

        async def talk() -> Story:
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, order_ttl_sec=D("0.5"))
                return await run_until(config, lambda _: len(watch.posted) >= 6)

        story = asyncio.run(talk())
        assert watch.wrongs == []
        assert ours(world) == []
        orders = list(world.exchange.orders.values())
        for earlier, later in (
            (a, b) for n, a in enumerate(orders) for b in orders[n + 1 :] if a.token_id == b.token_id
        ):
            assert earlier.closed_at is not None
            assert earlier.closed_at <= later.created_at
        assert_replays(tmp_path, len(story.cycles))


class TestTheWatchSees:
    """The checks above can fail: an exchange full of wrong orders is seen as one."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [({"post_only": False}, "not post-only"), ({"size": D(26)}, "over slice_max"), ({}, "rest there")],
    )
    def test_a_wrong_order(self, change, words, watch_orders):
        world, watch = world_of(tokens=1), watch_orders("25")
        fine = NewOrder(
            order_id="0x01", wallet=ME.lower(), token_id=yes_of(world, 0), side=Side.BUY, price=D("0.4"), size=D(10),
            expiration=int(world.now()) + 600,
        )  # fmt: skip
        assert world.exchange.post(fine).accepted
        assert watch.wrongs == []
        world.exchange.post(evolve(fine, order_id="0x02", **change))
        assert any(words in wrong for wrong in watch.wrongs)
