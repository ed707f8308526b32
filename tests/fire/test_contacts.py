"""Whom a command talks to: the configured hosts, and nobody else.

An audit hook of the interpreter sees every name that is looked up and every connection that is made, whoever makes it.
With production's own addresses the hook refuses, so that nothing leaves: what was tried is told all the same.
"""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from copytrade.adapters.simulated.scenario import LEADER
from copytrade.adapters.simulated.server import Urls, serve
from copytrade.app.config import KEYS
from tests.e2e.driving import KEY, ME, Ended, ended, run, started, world_of, write_config

HOOK = """
import os, sys
log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
def guard(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        place = f"{{address[0]}}:{{address[1]}}" if isinstance(address, tuple) else repr(address)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
        place = args[0].decode() if isinstance(args[0], bytes) else str(args[0])
    elif event in ("subprocess.Popen", "os.posix_spawn", "os.system"):
        place = "a process: " + repr(args[0])
    else:
        return
    if not place.startswith("/dev/log"):
        os.write(log, (place + chr(10)).encode())
    if {closed!r}:
        raise OSError("nothing leaves")
sys.addaudithook(guard)
"""
NO_PROXY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), "")
URLS = ("data_api_url", "gamma_api_url", "clob_url")
SITE = "geoblock_url"  # asked before a live start


class Guard:
    """The hook of one process, and what it saw."""

    def __init__(self, folder: Path, name: str, *, closed: bool = False, first: str = "") -> None:
        self.log = folder / f"{name}.contacts"
        self.hook = first + HOOK.format(log=str(self.log), closed=closed)

    def seen(self) -> set[str]:
        return set(self.log.read_text().split("\n")) - {""}


def names(urls: Urls, *which: str) -> set[str]:
    return {urlsplit(getattr(urls, name)).netloc for name in which}


def contacts(folder: Path, commands: dict[str, tuple[str, ...]]) -> tuple[dict[str, set[str]], Urls]:
    """Whom each command talks to, by its name here; each in a folder of that name, with a configuration in it."""
    guards = {name: Guard(folder, name) for name in commands}

    async def one(name: str, urls: Urls, command: str, *args: str) -> Ended:
        place = folder / name
        place.mkdir()
        write_config(urls, place)
        if command == "record":
            args += tuple(f"--{name.replace('_', '-')}={getattr(urls, name)}" for name in URLS)
        key = KEY if name in ("live", "doctor") else None
        hook = guards[name].hook
        async with started(place, *args, command=command, key=key, hook=hook, environ=NO_PROXY) as process:
            return await ended(process)

    async def talk() -> tuple[Urls, list[Ended]]:
        async with serve(world_of(tokens=2)) as urls:
            return urls, await asyncio.gather(*(one(name, urls, *command) for name, command in commands.items()))

    urls, ends = asyncio.run(talk())
    assert [end.code for end in ends] == [0] * len(commands), [(end.out, end.err) for end in ends]
    return {name: guard.seen() for name, guard in guards.items()}, urls


class TestContacts:
    """Issue 4.7: a run opens connections to the configured hosts only."""

    def test_of_a_run_live_and_dry(self, tmp_path):
        seen, urls = contacts(tmp_path, {"live": ("run", "--once", "--yes"), "dry": ("run", "--once", "--dry-run")})
        assert seen["live"] == names(urls, *URLS, SITE)
        assert seen["dry"] == names(urls, *URLS)

    @pytest.mark.slow
    def test_of_everything_else(self, tmp_path):
        line = tmp_path / "live" / "journal.jsonl"
        record = ("record", "--target", LEADER, "--out", str(tmp_path / "tape"), "--for=0.5", "--poll=0.2")
        seen, urls = contacts(tmp_path, {"live": ("run", "--once", "--yes"), "record": record})
        line.write_bytes(b"".join(each.read_bytes() for each in (tmp_path / "live" / "journal").glob("*.jsonl")))
        assert names(urls, "data_api_url", "clob_url") <= seen["record"] <= names(urls, *URLS)
        config = ("--config", str(tmp_path / "live" / "copytrade_config.json"))
        others = {
            "plan": ("plan", "--snapshot", str(line)),
            "backtest": ("backtest", str(tmp_path / "tape"), "--set", f"my_address={ME}"),
            "status": ("status", *config),
        }
        assert contacts(tmp_path, others)[0] == {"plan": set(), "backtest": set(), "status": set()}
        seen, urls = contacts(tmp_path, {"doctor": ("doctor",)})
        assert names(urls, "clob_url", SITE) <= seen["doctor"] <= names(urls, *URLS, SITE)

    def test_with_nothing_configured_only_the_exchanges_own_hosts_are_asked_for(self, tmp_path):
        hosts = {name: urlsplit(str(KEYS[name].default)).netloc for name in (*URLS, SITE)}
        assert set(hosts.values()) == {
            "data-api.polymarket.com", "gamma-api.polymarket.com", "clob.polymarket.com", "polymarket.com"
        }  # fmt: skip
        guard = Guard(
            tmp_path,
            "production",
            closed=True,
            first="from copytrade.adapters.http import Http\n"
            "Http.__init__.__kwdefaults__.update({'timeout_sec': 1.0, 'retry_total_sec': 0.2})\n",
        )
        folder = tmp_path / "run"
        folder.mkdir()
        flags = ["--target", LEADER, "--my-address", ME, "--signature-type", "0"]
        end = asyncio.run(run(folder, "--once", "--yes", *flags, hook=guard.hook, environ=NO_PROXY))
        assert end.code == 0, end.err
        assert "safe" in end.out
        assert guard.seen() == {hosts["data_api_url"], hosts["clob_url"], hosts[SITE]}

    @pytest.mark.slow
    def test_of_the_demo(self, tmp_path):
        """Loopback alone: the exchange is in the same process."""
        guard = Guard(tmp_path, "demo", first="import copytrade.adapters.simulated.demo as demo\ndemo.DEMO_SEC = 3\n")

        async def talk():
            async with started(tmp_path, command="demo", key=None, hook=guard.hook, environ=NO_PROXY) as process:
                return await ended(process)

        end = asyncio.run(talk())
        assert end.code == 0, end.err
        assert guard.seen()
        assert {each.rpartition(":")[0] for each in guard.seen()} == {"127.0.0.1"}

    def test_the_guard_sees(self, tmp_path):
        """It can fail: a look-up and a connection by any hand are seen."""
        folder = tmp_path / "run"
        folder.mkdir()
        nosy = (
            "import socket\n"
            + Guard(tmp_path, "nosy", closed=True).hook
            + (
                "for ask in (lambda: socket.getaddrinfo('example.org', 443),"
                " lambda: socket.create_connection(('192.0.2.1', 80)), lambda: os.system('true')):\n"
                "    try:\n        ask()\n    except OSError:\n        pass\n"
            )
        )
        asyncio.run(run(folder, "--help", key=None, hook=nosy))
        seen = (tmp_path / "nosy.contacts").read_text()
        assert "example.org" in seen
        assert "192.0.2.1" in seen
        assert "a process" in seen
