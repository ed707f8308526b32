"""A process that dies at the worst moment, and the next one, which must not buy the same thing again."""

import asyncio
import json

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.server import serve
from copytrade.domain.model import Reason
from tests.e2e.driving import ME, D, config_of, ours, run_until, started, until, world_of, write_config


class TestDyingWhileOrdersAreInTheAir:
    """DESIGN 3 and 6: intents are on the disk before they are posted, so the next start knows what to look for."""

    def test_the_next_start_adopts_what_arrived_and_buys_nothing_twice(self, tmp_path, watch_orders):
        world, watch = world_of(tokens=3), watch_orders("25")

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, order_ttl_sec=60, settle_timeout_sec=120)
                async with started(tmp_path, "--yes") as process:
                    # It is dead before the exchange looks at its orders, which arrive all the same.
                    world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, deed=process.kill))
                    await until(lambda: len(ours(world)) == 3)
                    assert await process.wait() == -9
                posted = ours(world)
                state = json.loads((tmp_path / "state.json").read_bytes())
                assert {one["order_id"] for each in state["in_doubt"].values() for one in each} == set(posted)
                config = config_of(urls, tmp_path, order_ttl_sec=D(60), settle_timeout_sec=D(120))
                story = await run_until(config, lambda story: len(story.cycles) == 3)
                return posted, story

        posted, story = asyncio.run(talk())
        assert [order.order_id for order in watch.posted] == posted  # and no other one
        assert watch.wrongs == []
        for cycle in story.cycles:
            assert {one.reason for one in cycle.plan.decisions} == {Reason.RESTING}
        assert ours(world) == []  # it is ours, so the stop takes it down

    def test_what_filled_meanwhile_is_not_bought_again_though_the_feed_is_late(self, tmp_path, watch_orders):
        world, watch = world_of(tokens=2), watch_orders("25")
        world.feed(ME).lag_sec = D(3600)

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, order_ttl_sec=60, settle_timeout_sec=120)
                async with started(tmp_path, "--yes") as process:
                    world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, deed=process.kill))
                    await until(lambda: len(ours(world)) == 2)
                    await process.wait()
                for order_id in ours(world):
                    world.exchange.hit(order_id, D(20))
                return await run_until(config_of(urls, tmp_path), lambda story: len(story.cycles) == 4)

        story = asyncio.run(talk())
        assert len(watch.posted) == 2
        assert sum(fill.shares for cycle in story.cycles for fill in cycle.fills) == 40
        assert {one.reason for one in story.cycles[-1].plan.decisions} <= {Reason.SETTLING, Reason.IN_BAND}
