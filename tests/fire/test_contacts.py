"""Whom a command talks to: the configured hosts, and nobody else.

An audit hook of the interpreter sees every name that is looked up and every connection that is made, whoever makes it.
With production's own addresses the hook refuses, so that nothing leaves: what was tried is told all the same.
"""

import asyncio
from pathlib import Path

import pytest

from copytrade.adapters.simulated.scenario import LEADER
from copytrade.adapters.simulated.server import serve
from copytrade.app.config import KEYS
from tests.e2e.driving import ME, ended, run, started, world_of, write_config

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


class Guard:
    """The hook of one process, and what it saw."""

    def __init__(self, folder: Path, name: str, *, closed: bool = False, first: str = "") -> None:
        self.log = folder / f"{name}.contacts"
        self.hook = first + HOOK.format(log=str(self.log), closed=closed)

    def seen(self) -> set[str]:
        return set(self.log.read_text().split("\n")) - {""}


def names(urls, *which: str) -> set[str]:
    return {getattr(urls, name).removeprefix("http://") for name in which}


class TestContacts:
    """Issue 4.7: a run opens connections to the configured hosts only."""

    def test_of_what_follows_a_wallet_and_of_what_only_computes(self, tmp_path):
        world = world_of(tokens=2)
        folders = {name: tmp_path / name for name in ("live", "dry", "record", "plan", "backtest")}
        guards = {name: Guard(tmp_path, name) for name in folders}

        async def one(name: str, *args: str, command: str = "run"):
            key = None if name != "live" else "0x" + "5a" * 32
            async with started(
                folders[name], *args, command=command, key=key, hook=guards[name].hook, environ=NO_PROXY
            ) as process:
                return await ended(process)

        async def talk():
            async with serve(world) as urls:
                for folder in folders.values():
                    folder.mkdir()
                    write_config(urls, folder)
                flags = ["--poll=0.2"] + [f"--{name.replace('_', '-')}={getattr(urls, name)}" for name in URLS]
                first = await asyncio.gather(
                    one("live", "--once", "--yes"),
                    one("dry", "--once", "--dry-run"),
                    one(
                        "record",
                        "--target",
                        LEADER,
                        "--out",
                        "tape",
                        "--poll=0.2",
                        "--for=0.5",
                        *flags,
                        command="record",
                    ),
                )
                journal = next((folders["live"] / "journal").glob("*.jsonl"))
                second = await asyncio.gather(
                    one("plan", "--snapshot", str(journal), command="plan"),
                    one("backtest", str(folders["record"] / "tape"), "--set", f"my_address={ME}", command="backtest"),
                )
                return urls, [*first, *second]

        urls, ends = asyncio.run(talk())
        assert [end.code for end in ends] == [0] * 5, [end.err for end in ends]
        assert guards["live"].seen() == names(urls, *URLS)
        assert guards["dry"].seen() == names(urls, *URLS)
        assert guards["record"].seen() <= names(urls, *URLS)
        assert guards["record"].seen() >= names(urls, "data_api_url", "clob_url")
        assert guards["plan"].seen() == set()
        assert guards["backtest"].seen() == set()

    def test_with_nothing_configured_only_the_exchanges_own_hosts_are_asked_for(self, tmp_path):
        hosts = {name: str(KEYS[name].default).removeprefix("https://") for name in URLS}
        assert set(hosts.values()) == {
            "data-api.polymarket.com", "gamma-api.polymarket.com", "clob.polymarket.com"
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
        assert guard.seen() == {hosts["data_api_url"], hosts["clob_url"]}

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
