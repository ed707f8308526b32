"""What the real process shows of its secrets, by value and in parts: nothing, nowhere, at no level.

The exchange says them all back, in refusals, in outages and in its pages, and a fault of our own carries them in its
text and in the variables around it. What is searched: standard output and error, every file that is left (state,
backup, journal, lock, configuration), and the command line that every user of the machine can see while it runs.

Not searched: the environment that the process was started with. It is the user's own; the kernel keeps it, and root and
this user can read it. Whoever minds uses a keystore file or the system keyring.
"""

import asyncio
import json
import os
import re
import signal
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from copytrade.adapters.simulated import server
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.server import serve
from tests.e2e.driving import KEY, ME, Ended, ended, files, journal_of, ours, started, until, world_of, write_config

TOLD_LAST = (Endpoint.POSITIONS_V2, Endpoint.CANCEL_ORDERS)
PART = 12  # characters in a row of a secret that nobody may see

# A fault of our own at the worst place: it knows the key and the credentials, and says so.
CRASH = """
import copytrade.adapters.clob.account as account
async def post(self, orders, **_):
    credentials = await self._session.credentials()
    key = {key!r}
    raise RuntimeError(f"{{key}} {{credentials.key}} {{credentials.secret}} {{credentials.passphrase}} {{vars(self)}}")
account.ClobAccount.post = post
"""


class Secrets:
    """All that must not be seen, some of it known only once it was sent."""

    def __init__(self, world) -> None:
        made = world.credentials(ME)
        self.values = {KEY[2:], str(int(KEY, 16)), made.key, made.secret, made.passphrase}
        self.told = f"{KEY} {made.key} {made.secret} {made.passphrase}"
        self.sent: list[str] = []  # signatures in headers and bodies

    def heard(self, ask) -> None:
        if signature := ask.headers.get("poly_signature"):
            self.sent.append(signature)
        if ask.endpoint is Endpoint.POST_ORDERS:
            self.sent += [leg["order"]["signature"] for leg in json.loads(ask.body)]

    def parts_in(self, text: str) -> set[str]:
        low = text.lower()
        secrets = {value.lower() for value in (*self.values, *self.sent)}
        parts = {secret[at : at + PART] for secret in secrets for at in range(len(secret) - PART + 1)}
        return {part for part in parts if part in low}


@pytest.fixture
def heard(monkeypatch):
    """`heard(world, secrets)`: what is sent to this world is known to `secrets`."""
    listeners: list[tuple[object, Secrets]] = []
    answer = server._answer

    async def listening(world, endpoint, handler, request):
        def seen(world_, ask):
            for each, secrets in listeners:
                if each is world_:
                    secrets.heard(ask)
            return handler(world_, ask)

        return await answer(world, endpoint, seen, request)

    monkeypatch.setattr(server, "_answer", listening)
    return lambda world, secrets: listeners.append((world, secrets))


def tell_back(world, secrets: Secrets) -> None:
    """The exchange repeats what it was told, wherever it can: in refusals, outages, and answers that make no sense."""
    words = secrets.told
    world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.STATUS, status=429, words=words))
    world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.STATUS, status=500, words=words))
    world.faults.add(Endpoint.BALANCE, Fault(kind=Kind.STATUS, status=400, words=words, skip=1))
    world.faults.add(Endpoint.OPEN_ORDERS, Fault(kind=Kind.STATUS, status=400, words=words, skip=2))
    world.faults.add(Endpoint.POSITIONS_V2, Fault(kind=Kind.STATUS, status=400, words=words, skip=8))
    world.faults.add(Endpoint.CANCEL_ORDERS, Fault(kind=Kind.STATUS, status=400, words=words))


def all_of(folder: Path, *said: str) -> str:
    return "\n".join([*said, *(raw.decode("utf-8", "replace") for raw in files(folder).values())])


def listing(pid: int) -> str:
    """What a process listing shows of it to everybody; "" where the kernel has no such folder."""
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_text() if path.exists() else ""


async def leaky_run(folder: Path, heard, *args: str, **how: Any) -> tuple[Ended, Secrets]:
    """A run whose exchange tells everything back; what is searched for, the process listing is searched already."""
    world = world_of(tokens=2)
    secrets = Secrets(world)
    heard(world, secrets)
    tell_back(world, secrets)
    async with serve(world) as urls:
        write_config(urls, folder)
        async with started(folder, "--yes", *args, **how) as process:
            await until(lambda: len(ours(world)) == 2)
            assert secrets.parts_in(listing(process.pid)) == set()
            await until(lambda: not any(map(world.faults.waiting.get, TOLD_LAST)))
            process.send_signal(signal.SIGTERM)
            end = await ended(process)
    assert end.code == 0, end.err
    # There was something to hide, and its words did arrive without it.
    assert len(secrets.sent) > 10
    assert any(b"[hidden]" in line for line in journal_of(folder))
    return end, secrets


async def on_a_terminal(folder: Path, heard, *args: str) -> tuple[str, Secrets]:
    """The same, on a terminal of its own: what it showed there."""
    terminal, its_side = os.openpty()
    termios.tcsetwinsize(terminal, (50, 200))
    shown = bytearray()

    def read() -> None:
        with suppress(OSError):  # the other side is closed
            shown.extend(os.read(terminal, 1 << 16))

    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, read)
    try:
        how = {"stdout": its_side, "stderr": its_side, "environ": {"TERM": "xterm-256color"}}
        _, secrets = await leaky_run(folder, heard, *args, **how)
    finally:
        loop.remove_reader(terminal)
        os.close(its_side)
        os.close(terminal)
    return shown.decode("utf-8", "replace"), secrets


def plain(text: str) -> str:
    """The text without what moves the cursor and sets colours, and without the line ends."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]", "", text)


class TestTheRealProcess:
    """DESIGN 7: no secret reaches a log, an error, the state, the journal or a process listing."""

    def test_shows_nothing_at_its_loudest(self, tmp_path, heard):
        self.at(tmp_path, heard, "debug", "text")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("level", "form"),
        [("debug", "json"), ("info", "text"), ("info", "json"), ("warning", "text"), ("error", "text")],
    )
    def test_nor_at_any_other_level(self, level, form, tmp_path, heard):
        self.at(tmp_path, heard, level, form)

    def at(self, tmp_path, heard, level: str, form: str) -> None:
        args = ("--log-level", level, "--log-format", form)
        end, secrets = asyncio.run(leaky_run(tmp_path, heard, *args))
        assert level == "error" or "[hidden]" in end.out  # an answer that is waited out is a warning
        assert secrets.parts_in(all_of(tmp_path, end.out, end.err)) == set()

    @pytest.mark.slow
    @pytest.mark.parametrize("args", [(), ("--plain",)])
    def test_nor_on_a_terminal(self, args, tmp_path, heard):
        shown, secrets = asyncio.run(on_a_terminal(tmp_path, heard, "--log-level", "debug", *args))
        assert "hidden" in plain(shown)
        assert secrets.parts_in(all_of(tmp_path, shown, plain(shown))) == set()

    @pytest.mark.parametrize("how", ["variable", pytest.param("keystore", marks=pytest.mark.slow)])
    def test_nor_in_the_traceback_of_a_fault_of_our_own(self, how, tmp_path, heard):
        folder = tmp_path / how
        folder.mkdir()
        world = world_of(tokens=1)
        secrets = Secrets(world)
        heard(world, secrets)
        passphrase = "correct horse battery staple"
        secrets.values.add(passphrase)
        key: str | None = KEY
        environ, args = {}, ["--log-level", "debug"]
        if how == "keystore":
            stored = Account.encrypt(bytes.fromhex(KEY[2:]), passphrase, kdf="pbkdf2", iterations=1)
            (tmp_path / "key.json").write_text(json.dumps(stored))
            key, environ = None, {"COPYTRADE_KEYSTORE_PASSPHRASE": passphrase}
            args += ["--keystore", str(tmp_path / "key.json")]

        async def talk():
            async with serve(world) as urls:
                write_config(urls, folder)
                hook = CRASH.format(key=KEY)
                async with started(folder, "--yes", *args, key=key, hook=hook, environ=environ) as process:
                    return await ended(process)

        end = asyncio.run(talk())
        assert end.code == 1
        assert "Traceback" in end.err
        assert "RuntimeError: [hidden] [hidden] [hidden] [hidden]" in end.err
        assert secrets.parts_in(all_of(folder, end.out, end.err)) == set()

    def test_the_search_finds(self):
        """It can fail: a secret, and the middle of one, are found."""
        secrets = Secrets(world_of(tokens=1))
        assert secrets.parts_in(f"… {KEY[20:40]} …")
        assert secrets.parts_in(secrets.told)
        assert not secrets.parts_in("nothing")
