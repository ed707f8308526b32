"""How `copytrade run` ends: nothing of ours rests, the state is saved, exit code 0, within 10 s."""

import asyncio
import json
import signal

import pytest

from copytrade.adapters.simulated import server
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.server import serve
from copytrade.app import loop
from copytrade.wiring import running
from tests.e2e.driving import (
    KEY,
    D,
    assert_replays,
    config_of,
    ended,
    journal_of,
    ours,
    signer,
    started,
    until,
    world_of,
    write_config,
)

STOP_SEC = 10


def stopped(world, folder, name, before_the_signal=lambda: None):
    """Run until three orders rest, send the signal, and give how it ended."""

    async def talk():
        async with serve(world) as urls:
            write_config(urls, folder, order_ttl_sec=60, settle_timeout_sec=120)
            async with started(folder, "--yes") as process:
                await until(lambda: len(ours(world)) == 3)
                world.forget_requests()
                await until(lambda: world.count[Endpoint.OPEN_ORDERS] > 1)  # one more cycle is done
                before_the_signal()
                process.send_signal(name)
                return await ended(process)

    return asyncio.run(talk())


class TestAStop:
    """DESIGN 9: finish the action in hand, cancel own resting orders, save, exit 0 within 10 s."""

    @pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
    def test_leaves_no_order_resting_and_the_state_saved(self, name, tmp_path):
        world = world_of(tokens=3)
        end = stopped(world, tmp_path, name)
        assert end.code == 0, end.err
        assert end.seconds < STOP_SEC
        assert ours(world) == []
        assert {order.status.value for order in world.exchange.orders.values()} == {"CANCELED"}
        assert "the state is saved" in end.out
        assert end.err == ""
        state = json.loads((tmp_path / "state.json").read_bytes())
        assert state["open_orders"] == {}
        known = {
            one["order_id"] for kind in ("in_doubt", "settled_orders") for each in state[kind].values() for one in each
        }
        assert known == set(world.exchange.orders)
        assert_replays(tmp_path, 2)
        assert KEY[2:] not in end.out + "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())

    def test_is_in_time_though_the_exchange_is_not(self, tmp_path, monkeypatch):
        monkeypatch.setattr(server, "_STOP_SEC", 0.1)  # nobody waits for the answers of an exchange that we close
        world = world_of(tokens=3)

        def slow() -> None:
            world.latency_sec = 30.0

        end = stopped(world, tmp_path, signal.SIGTERM, slow)
        assert end.code == 0, end.err
        assert end.seconds < STOP_SEC
        assert "3 of our orders could not be confirmed as cancelled" in end.err
        assert all(order_id in end.err for order_id in ours(world))
        assert "Traceback" not in end.err
        # What the next start has to look after is in the state.
        state = json.loads((tmp_path / "state.json").read_bytes())
        held = {
            one["order_id"] for kind in ("open_orders", "in_doubt") for each in state[kind].values() for one in each
        }
        assert held == set(ours(world))

    def test_takes_down_orders_that_arrive_only_after_it(self, tmp_path, monkeypatch):
        """An order in the air is "already canceled or matched" to a cancel that overtakes it: that proves nothing."""
        world, stop = world_of(tokens=3), asyncio.Event()
        monkeypatch.setattr(loop, "FINISH_SEC", 0.0)
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, delay_sec=0.4))

        async def talk():
            async with serve(world) as urls, running.opened(config_of(urls, tmp_path), signer()) as ready:
                following = asyncio.ensure_future(
                    loop.follow(
                        ready.trader,
                        clock=ready.clock,
                        stop=stop,
                        poll_interval_sec=D(1),
                        watch=lambda _: None,
                        jitter=lambda: D(0),
                    )
                )
                await until(lambda: world.at_once[Endpoint.POST_ORDERS] > 0)
                stop.set()
                return await following

        ending = asyncio.run(talk())
        assert [order.status.value for order in world.exchange.orders.values()] == ["CANCELED"] * 3
        assert (ending.may_rest, ours(world)) == ((), [])
        # The cycle was broken off in the middle: what it had sent is in the journal all the same.
        (line,) = map(json.loads, journal_of(tmp_path))
        told = {(row["outcome"], row["order_id"], row["words"]) for row in line["results"]}
        assert told == {
            ("unknown", order_id, "the run was stopped before it was answered") for order_id in world.exchange.orders
        }

    @pytest.mark.slow
    def test_is_in_time_though_orders_are_in_the_air(self, tmp_path):
        world = world_of(tokens=3)
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, delay_sec=30.0))

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                async with started(tmp_path, "--yes") as process:
                    await until(lambda: world.at_once[Endpoint.POST_ORDERS] > 0)
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        end = asyncio.run(talk())
        assert end.code == 0, end.err
        assert end.seconds < STOP_SEC
        assert "3 of our orders could not be confirmed as cancelled" in end.err
        state = json.loads((tmp_path / "state.json").read_bytes())
        assert len([one for each in state["in_doubt"].values() for one in each]) == 3

    @pytest.mark.slow
    def test_is_in_time_though_nothing_was_ever_answered(self, tmp_path):
        world = world_of(tokens=3)
        world.latency_sec = 30.0

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                async with started(tmp_path, "--yes") as process:
                    await until(lambda: world.at_once[Endpoint.POSITIONS_V2] > 0)
                    process.send_signal(signal.SIGINT)
                    return await ended(process)

        end = asyncio.run(talk())
        assert (end.code, end.err) == (0, "")
        assert end.seconds < STOP_SEC

    def test_keeps_the_orders_where_that_is_asked_for(self, tmp_path):
        world = world_of(tokens=3)

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, on_stop="keep", order_ttl_sec=60, settle_timeout_sec=120)
                async with started(tmp_path, "--yes") as process:
                    await until(lambda: len(ours(world)) == 3)
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        end = asyncio.run(talk())
        assert (end.code, len(ours(world))) == (0, 3), end.err
