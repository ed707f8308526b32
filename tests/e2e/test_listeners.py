"""Alerts and metrics of the real process: they arrive, they can be read, and a server that hangs delays nothing."""

import asyncio
import signal
import socket
from contextlib import suppress

import httpx
import pytest

from copytrade.adapters.simulated.faults import Endpoint
from copytrade.adapters.simulated.server import serve
from copytrade.app.config import read_config
from copytrade.errors import RefusedToStart
from copytrade.wiring import telling
from tests.adapters.loopback import Answer, Hang, Loopback
from tests.e2e.driving import busy, ended, files, started, until, world_of, write_config

TOKEN = "a-token-that-nobody-may-see"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def hook(server: Loopback) -> dict[str, str]:
    return {"COPYTRADE_ALERT_URLS": f"{server.url.replace('http://', 'json://')}/{TOKEN}"}


def messages(server: Loopback) -> str:
    return "\n".join(request.json()["message"] for request in server.requests)


def test_start_fills_and_stop_arrive_and_a_scrape_agrees(tmp_path):
    world, port = world_of(tokens=2, manners=busy()), free_port()

    async def talk(server):
        async with serve(world) as urls:
            write_config(urls, tmp_path, metrics_port=port)
            async with started(tmp_path, "--yes", environ=hook(server)) as process:
                await until(lambda: len(world.exchange.trades) >= 2 and server.requests)
                world.forget_requests()
                await until(lambda: world.count[Endpoint.OPEN_ORDERS] > 2)  # these trades are known now
                async with httpx.AsyncClient(trust_env=False) as client:
                    scraped = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
                process.send_signal(signal.SIGTERM)
                return await ended(process), scraped

    with Loopback() as server:
        server.on(f"POST /{TOKEN}", Answer())
        end, scraped = asyncio.run(talk(server))
        told = messages(server)
    assert end.code == 0, end.err
    assert "live run started" in told
    assert "bought" in told
    assert "the live run was stopped after" in told
    assert 'copytrade_fills_total{side="BUY"} ' in scraped
    assert 'copytrade_fills_total{side="BUY"} 0.0' not in scraped
    assert 'copytrade_alerts_total{outcome="failed"} 0.0' in scraped
    everything = end.out + end.err + scraped + "".join(map(repr, files(tmp_path).values()))
    assert TOKEN not in everything


@pytest.mark.slow
def test_a_server_that_hangs_delays_neither_the_cycles_nor_the_end(tmp_path):
    world = world_of(tokens=2, manners=busy())

    async def talk(server):
        async with serve(world) as urls:
            write_config(urls, tmp_path)
            async with started(tmp_path, "--yes", environ=hook(server)) as process:
                await until(lambda: server.requests)  # it hangs from now on
                world.forget_requests()
                await until(lambda: world.count[Endpoint.OPEN_ORDERS] > 10)
                process.send_signal(signal.SIGTERM)
                return await ended(process)

    with Loopback() as server:
        server.on(f"POST /{TOKEN}", Hang())
        end = asyncio.run(talk(server))
        assert len(server.requests) == 1
    assert end.code == 0, end.err
    assert end.seconds < 10
    assert TOKEN not in end.out + end.err


class TestListeners:
    """The same without a process of its own."""

    def config(self, folder, **settings):
        wallets = {"target_address": "0x" + "a1" * 20, "my_address": "0x" + "b2" * 20}
        return read_config(None, {**wallets, **settings}, source="the test")

    def test_a_start_that_is_refused_is_told(self, tmp_path, monkeypatch):
        with Loopback() as server:
            server.on(f"POST /{TOKEN}", Answer())
            monkeypatch.setenv(*next(iter(hook(server).items())))
            with suppress(RefusedToStart), telling.listeners(self.config(tmp_path)) as watchers:
                assert len(watchers) == 1
                raise RefusedToStart("the state is in use\nand more")
            assert messages(server).endswith("a start was refused: the state is in use")

    def test_without_addresses_and_a_port_nobody_is_told(self, tmp_path):
        with telling.listeners(self.config(tmp_path)) as watchers:
            assert watchers == ()

    def test_a_file_that_is_not_there(self, tmp_path):
        config = self.config(tmp_path, alert_urls_path=str(tmp_path / "urls"))
        with pytest.raises(RefusedToStart, match=r"urls: the alert URLs can't be read"), telling.listeners(config):
            pass

    def test_an_address_that_is_none(self, tmp_path):
        (tmp_path / "urls").write_text(f"nonsense://{TOKEN}\n")
        (tmp_path / "urls").chmod(0o600)
        config = self.config(tmp_path, alert_urls_path=str(tmp_path / "urls"))
        with pytest.raises(RefusedToStart, match=r"^alert URL 1 of 1 is none that apprise knows") as caught:
            telling.listeners(config).__enter__()
        assert TOKEN not in str(caught.value)
