"""A clock that jumps: back by an hour as when it is set, ahead as after a sleep; the exchange's own goes on."""

import asyncio
import json
import signal
import time
from decimal import Decimal

import pytest

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import Hits
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.adapters.system_clock import SystemClock
from copytrade.wiring import running
from tests.e2e.driving import D, config_of, ended, journal_of, ours, run_until, started, until, world_of, write_config
from tests.fire.truth import assert_state_is_readable, watched

HOUR = D(3600)

HOOK = """
import os, time
real = time.time_ns
time.time_ns = lambda: real() - (3600 * 10**9 if os.path.exists({marker!r}) else 0)
"""


@pytest.fixture
def jumped(monkeypatch):
    """`jumped(seconds)`: our clock, and not the exchange's, is so far ahead (below 0: behind) from now on."""
    off = [D(0)]

    class Jumping(SystemClock):
        def now(self) -> Decimal:
            return super().now() + off[0]

    monkeypatch.setattr(running, "SystemClock", Jumping)
    return lambda seconds: off.__setitem__(0, seconds)


class TestAClockThatJumps:
    """No order twice, none refused for its expiration, and what is wanted is bought all the same."""

    @pytest.mark.parametrize("by", [-HOUR, HOUR])
    def test_in_the_middle_of_a_run(self, by, tmp_path, jumped):
        world = world_of(tokens=2)
        world.exchange.hold(LEADER, yes_of(world, 1), D(0))

        def enough(story) -> bool:
            if len(story.cycles) == 2:
                jumped(by)
                world.exchange.hold(LEADER, yes_of(world, 1), D(100))  # wanted after the jump
                world.exchange.hit(ours(world)[0], D(12))
            return len(story.cycles) == 6

        async def talk():
            async with serve(world) as urls:
                return await run_until(
                    config_of(urls, tmp_path, order_ttl_sec=D(60), settle_timeout_sec=D(120)), enough
                )

        with watched(world) as truth:
            story = asyncio.run(talk())
        assert [order.token_id for order in truth.accepted][:2] == [yes_of(world, 0), yes_of(world, 1)]
        assert truth.wrongs == []
        outcomes = {one.outcome for cycle in story.cycles for one in cycle.results if one.action == "place"}
        assert outcomes == {"accepted"}
        # Whatever the clock shows, none rests longer than its ttl and the exchange's own minimum ask for.
        assert all(150 <= order.expiration - world.now() <= 200 for order in truth.accepted)
        warnings = [words for cycle in story.cycles for words in cycle.warnings]
        assert len(warnings) == (1 if by < 0 else 0), warnings
        assert all("the clock went back by 3600 s" in words for words in warnings)
        assert_state_is_readable(tmp_path)

    def test_a_start_on_a_state_from_the_future(self, tmp_path, jumped):
        """With an order in doubt that never arrived: it stays in doubt, and is told, rather than bought twice."""
        world = world_of(tokens=1)

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, order_ttl_sec=D(60), settle_timeout_sec=D(120))
                jumped(HOUR)
                world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.DROP, after_effect=True))
                await run_until(config, lambda _: True, once=True)
                jumped(D(0))
                return await run_until(config, lambda story: len(story.cycles) == 3)

        with watched(world) as truth:
            story = asyncio.run(talk())
        assert len(truth.accepted) == 1
        assert {one.reason.value for cycle in story.cycles for one in cycle.plan.decisions} == {"RESTING"}
        [warning] = [words for cycle in story.cycles for words in cycle.warnings]
        assert "the clock went back by 36" in warning
        assert ours(world) == []

    @pytest.mark.slow
    def test_of_the_real_process(self, tmp_path):
        marker = tmp_path / "marker"
        folder = tmp_path / "run"
        folder.mkdir()
        world = world_of(tokens=2, leader_holds="150")
        world.exchange.manners.hits = Hits(mean_sec=0.3, least=D(3), most=D(10))

        async def talk():
            async with serve(world) as urls:
                write_config(urls, folder)
                async with started(folder, "--yes", hook=HOOK.format(marker=str(marker))) as process:
                    await until(lambda: len(truth.accepted) >= 2)
                    marker.touch()
                    world.exchange.hold(LEADER, yes_of(world, 0), D(300))
                    await until(lambda: not truth.outside())
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        with watched(world) as truth:
            end = asyncio.run(talk())
        assert (end.code, end.err) == (0, "")
        warnings = [words for line in journal_of(folder) for words in json.loads(line).get("warnings", [])]
        assert [words for words in warnings if "the clock went back by 3600 s" in words] == warnings[:1]
        assert truth.wrongs == []
        assert ours(world) == []
        assert abs(time.time() - float(world.now())) < 60
