"""A network that is dead, at the start and in the middle, and an exchange that answers far too late.

A dead network is one where nobody listens at the ports that the configuration names. What we wait for is 10 s for an
answer, and 15 s for a read with all its tries; here both are made short where a test would only wait for them.
"""

import asyncio
import json
import signal
from contextlib import suppress
from random import SystemRandom

import pytest

from copytrade.adapters.http import Http
from copytrade.adapters.simulated import server
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.domain.model import Mode
from tests.e2e.driving import D, config_of, ended, journal_of, ours, run_until, started, until, world_of, write_config
from tests.fire.truth import assert_state_is_readable, watched

IMPATIENT = {"timeout_sec": 0.6, "retry_total_sec": 0.8}
HOOK = f"from copytrade.adapters.http import Http; Http.__init__.__kwdefaults__.update({IMPATIENT})"


@pytest.fixture
def impatient(monkeypatch):
    """In this process, answers are waited for 0.6 s, and reads with all their tries 0.8 s."""
    monkeypatch.setattr(server, "_STOP_SEC", 0.1)  # nobody waits for the answers of an exchange that we close
    for name, seconds in IMPATIENT.items():
        monkeypatch.setitem(Http.__init__.__kwdefaults__, name, seconds)


async def a_free_port(world) -> int:
    """The first of as many free ports as a world is served at, below those that the kernel gives out by itself."""
    while True:
        port = SystemRandom().randrange(12_000, 30_000)
        with suppress(OSError):
            async with serve(world, port=port):
                return port


class TestADeadNetwork:
    """DESIGN 3: a cycle on incomplete facts does nothing, says why, and the next good answer trades."""

    def test_at_the_start_and_in_the_middle(self, tmp_path):
        world = world_of(tokens=2)
        world.exchange.hold(LEADER, yes_of(world, 1), D(0))
        journal = tmp_path / "journal"

        def lines() -> int:
            return sum(path.read_bytes().count(b"\n") for path in journal.glob("*.jsonl"))

        async def more_lines(number: int) -> None:
            before = lines()
            await until(lambda: lines() >= before + number)

        async def talk():
            port = await a_free_port(world)
            async with serve(world, port=port) as urls:
                write_config(urls, tmp_path, order_ttl_sec=60, settle_timeout_sec=120)
            async with started(tmp_path, "--yes", hook=HOOK) as process:
                await more_lines(1)
                assert not world.asked
                async with serve(world, port=port):
                    await until(lambda: len(ours(world)) == 1)
                    await more_lines(1)
                world.exchange.hit(ours(world)[0], D(15))
                world.exchange.hold(LEADER, yes_of(world, 1), D(100))
                await more_lines(2)
                async with serve(world, port=port):
                    await until(lambda: len(truth.accepted) == 2)
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        with watched(world) as truth:
            end = asyncio.run(talk())
        assert end.code == 0
        # A line for each wallet, which says why; not one for each try, nor one for each cycle.
        assert end.err == ""
        incomplete = [line for line in end.out.splitlines() if "positions are not complete" in line]
        assert 2 <= len(incomplete) <= 4
        assert all("ConnectError" in line for line in incomplete)
        cycles = [line for line in end.out.splitlines() if " cycle " in line]
        assert "mode=safe" in cycles[0]
        assert "my open orders could not be read" in end.out
        assert "the target's positions could not be read" in end.out
        assert [order.token_id for order in truth.accepted] == [yes_of(world, 0), yes_of(world, 1)]
        assert (truth.wrongs, ours(world)) == ([], [])
        assert_state_is_readable(tmp_path)

    @pytest.mark.slow
    def test_at_the_end_as_well(self, tmp_path):
        """With real patience: a stop is in time, and names what may rest still."""
        world = world_of(tokens=2)

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, order_ttl_sec=60, settle_timeout_sec=120)
                process = started(tmp_path, "--yes")
                running = await process.__aenter__()
                await until(lambda: len(ours(world)) == 2)
            running.send_signal(signal.SIGTERM)
            return await ended(running)

        end = asyncio.run(talk())
        assert end.code == 0
        assert end.seconds < 10
        assert end.err.startswith("stopped: 2 of our orders could not be confirmed as cancelled")
        assert all(order_id in end.err for order_id in ours(world))
        assert_state_is_readable(tmp_path)


class TestASlowExchange:
    """An answer after 30 s is no answer: it is not waited for, and what it did is found out."""

    def test_nothing_is_decided_on_reads_that_are_not_answered(self, tmp_path, impatient):
        world = world_of(tokens=1)

        def enough(story) -> bool:
            world.latency_sec = 0.0 if len(story.cycles) == 2 else world.latency_sec
            return story.cycles[-1].plan.mode is Mode.NORMAL

        async def talk():
            async with serve(world) as urls:
                world.latency_sec = 30.0
                return await run_until(
                    config_of(urls, tmp_path, order_ttl_sec=D(60), settle_timeout_sec=D(120)), enough
                )

        story = asyncio.run(talk())
        assert [cycle.plan.mode for cycle in story.cycles[:2]] == [Mode.SAFE, Mode.SAFE]
        assert len(story.cycles) > 2
        assert len(world.exchange.orders) == 1
        assert any("no whole answer in 0.6 s" in words for words in story.cycles[0].warnings)

    def test_an_order_that_arrives_after_we_gave_up_is_adopted_and_not_sent_again(self, tmp_path, impatient):
        world = world_of(tokens=1)
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, delay_sec=1.5))

        def enough(story) -> bool:
            reasons = [one.reason.value for cycle in story.cycles for one in cycle.plan.decisions]
            return reasons[-2:] == ["RESTING", "RESTING"]

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, order_ttl_sec=D(60), settle_timeout_sec=D(120), fill_grace_sec=D(6))
                return await run_until(config, enough)

        with watched(world) as truth:
            story = asyncio.run(talk())
        assert [one.outcome for cycle in story.cycles for one in cycle.results] == ["unknown"]
        reasons = [one.reason.value for cycle in story.cycles for one in cycle.plan.decisions]
        assert "IN_DOUBT" in reasons[reasons.index("QUOTED") :]  # … until it arrived
        assert (len(truth.accepted), truth.wrongs) == (1, [])

    @pytest.mark.slow
    def test_with_real_patience(self, tmp_path):
        """Posts that arrive after 30 s, waited for 10: adopted then, within fill_grace_sec, and not sent again.

        They are to rest for minutes: with the usual ttl the exchange refuses so late a one for its expiration.
        """
        world = world_of(tokens=2)
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, delay_sec=30.0))

        def reasons() -> list[str]:
            lines = [json.loads(line) for line in journal_of(tmp_path)]
            return [one["reason"] for line in lines[-2:] for one in line["plan"]["decisions"]]

        async def talk():
            async with serve(world) as urls:
                times = {"order_ttl_sec": 180, "settle_timeout_sec": 240, "fill_grace_sec": 60, "poll_interval_sec": 1}
                write_config(urls, tmp_path, **times)
                async with started(tmp_path, "--yes") as process:
                    await until(lambda: world.at_once[Endpoint.POST_ORDERS] > 0)
                    await asyncio.sleep(15)  # nobody is waited for: they are on their way all the time
                    assert reasons() == ["IN_DOUBT"] * 4
                    await until(lambda: len(truth.accepted) == 2)
                    await until(lambda: reasons() == ["RESTING"] * 4)
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        with watched(world) as truth:
            end = asyncio.run(talk())
        assert (end.code, end.err, len(truth.accepted)) == (0, "", 2)
        assert (truth.wrongs, ours(world)) == ([], [])
