"""The composition root: the one place that knows the adapters and puts them behind the ports.

The commands ask it for a run that is ready to go around; they get the ports, the files and the lock, and hand back
nothing. Everything is closed when the `with` block ends.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from copytrade.adapters import data_api, resolver, state_file
from copytrade.adapters.clob import WARM, ClobAccount, ClobHttp, ClobMarketData
from copytrade.adapters.data_api import DataApi
from copytrade.adapters.http import Http, RequestCount
from copytrade.adapters.journal_file import JournalFolder, read_lines
from copytrade.adapters.lock_holder import holder_of
from copytrade.adapters.logs import set_up_logging
from copytrade.adapters.resolver import MarketResolver
from copytrade.adapters.state_file import DiskStateFile, StateLock
from copytrade.adapters.stop_file import StopFile
from copytrade.adapters.system_clock import SystemClock
from copytrade.adapters.tapes import open_journal, open_tape, write_tape
from copytrade.adapters.tapes.recording import Services, record, record_history
from copytrade.app.config import Config, read_config
from copytrade.app.cycle import STOPPED, Approve, Ports, Trader
from copytrade.app.documents import decode_snapshot, encode_journal_line
from copytrade.app.outcomes import Cycle
from copytrade.app.ports import Clock
from copytrade.app.state import confirmed_first, start_from
from copytrade.app.status import Found
from copytrade.app.tally import Counting, Tally, notes_object, read_beside
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput, Fault, RefusedToStart

if TYPE_CHECKING:
    from copytrade.adapters.keys import SecretKey as SecretKey  # a command that stores one names its type
    from copytrade.adapters.signing import OrderSigner

__all__ = [
    "Demo",
    "Run",
    "demonstration",
    "found_at",
    "jitter",
    "journal_lines",
    "open_journal",
    "open_tape",
    "opened",
    "record",
    "record_history",
    "set_up_logging",
    "signer_for",
    "tape_services",
    "write_tape",
]


@frozen(kw_only=True)
class Run:
    """A run that is ready to go around: what to know before, and how many requests have left so far."""

    trader: Trader
    clock: Clock
    notes: tuple[str, ...]
    requests: Callable[[], int]


def signer_for(config: Config, keystore: Path | None) -> OrderSigner:
    """The signer of a live run. Raises RefusedToStart where there is no key, or one that does not fit the wallet."""
    from copytrade.adapters.keys import load_key
    from copytrade.adapters.signing import OrderSigner

    key = load_key(wallet=config.policy.my_address, keystore=keystore)
    assert config.signature_type is not None, "a live configuration was read with live=True"
    return OrderSigner(
        key.reveal(),
        funder=config.policy.my_address,
        signature_type=config.signature_type,
        chain_id=config.chain_id,
    )


# -- keys that are about to be stored ---------------------------------------------------------------------------------


def missing_secrets(*, key: bool, passphrase: bool) -> list[Fault]:
    """Which of these the environment lacks, where nobody can be asked for them."""
    from copytrade.adapters import key_storage

    return key_storage.missing_secrets(key=key, passphrase=passphrase)


def key_from_environment() -> SecretKey | None:
    """The key in COPYTRADE_PRIVATE_KEY, or None. Raises RefusedToStart for what is no key."""
    from copytrade.adapters import key_storage

    return key_storage.key_from_environment()


def key_from_file(name: str) -> SecretKey:
    """The key in a file, or in standard input for "-". Raises RefusedToStart."""
    from copytrade.adapters import key_storage

    return key_storage.key_from_file(name)


def key_from_prompt() -> SecretKey:
    """The key, typed without echo. Raises RefusedToStart for what is no key."""
    from copytrade.adapters import key_storage

    return key_storage.key_from_prompt()


def misfits(key: SecretKey, answers: Mapping[str, object]) -> tuple[Fault, ...]:
    """What does not belong together of a key, a wallet and a signature type."""
    from copytrade.adapters.signing import OrderSigner

    try:
        signature_type = int(str(answers["signature_type"]))
        OrderSigner(key.reveal(), funder=str(answers["my_address"]), signature_type=signature_type)
    except BadInput as error:
        return error.faults
    return ()


def new_passphrase(say: Callable[[str], None]) -> str:
    """A passphrase for a new keystore, from the environment or asked for twice. Raises RefusedToStart."""
    from copytrade.adapters import key_storage
    from copytrade.adapters.keys import terminal_prompt

    return key_storage.new_passphrase(terminal_prompt(), say)


def save_keystore(path: Path, key: SecretKey, passphrase: str) -> None:
    """Write the key, encrypted, to a new file. Raises RefusedToStart."""
    from copytrade.adapters import key_storage

    key_storage.save_keystore(path, key, passphrase)


def keyring_trouble() -> str:
    """Why no key can go into the system keyring; "" where it can."""
    from copytrade.adapters import key_storage

    return key_storage.keyring_trouble()


def save_in_keyring(wallet: str, key: SecretKey) -> None:
    """Put the key into the system keyring. Raises RefusedToStart."""
    from copytrade.adapters import key_storage

    key_storage.save_in_keyring(wallet.lower(), key)


def write_file(path: Path, content: bytes, *, over: bool) -> None:
    """Write a file of ours, whole and durably. Raises FileExistsError where it is there and not `over`; OSError."""
    from copytrade.adapters import files

    (files.write_over if over else files.write_new)(path, content)


# -- the switch that stops everything ---------------------------------------------------------------------------------


@frozen(kw_only=True)
class Stop:
    """The switch of one state, and what can be seen of the run that uses it."""

    switch: StopFile
    clock: Clock
    state: DiskStateFile
    was_used: bool  # a run has kept a state there, once
    in_use: bool  # a run holds it now


def stop_of(state_path: Path) -> Stop:
    """What `copytrade stop` asks and does."""
    return Stop(
        switch=StopFile(state_path),
        clock=SystemClock(),
        state=DiskStateFile(state_path),
        was_used=state_file.was_used(state_path),
        in_use=state_file.in_use(state_path),
    )


# -- a run ------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened(config: Config, signer: OrderSigner | None, *, approve: Approve | None = None) -> AsyncIterator[Run]:
    """Connections, files and lock of one run; without a signer a dry one, which reads the state and writes nothing.

    Raises RefusedToStart: the lock is taken, the state is another's, or a file can't be read.
    """
    clock, count = SystemClock(), RequestCount()
    async with contextlib.AsyncExitStack() as stack:
        if signer is not None:
            stack.enter_context(StateLock(config.state_path))
        urls = (config.data_api_url, config.gamma_api_url, config.clob_url)
        data, gamma, clob = _connections(stack, *urls, count, live=signer is not None)
        state, journal = DiskStateFile(config.state_path), JournalFolder(config.journal_dir)
        try:
            start = start_from(
                state,
                config.policy,
                name=str(config.state_path),
                journal_exists=journal.exists(),
                now=clock.now(),
                keep=signer is not None,
            )
        except OSError as error:
            # The error names its file: the state, its backup, or the journal's folder.
            raise RefusedToStart(f"the state or the journal could not be read or kept: {error}") from None
        dry, switch = signer is None, StopFile(config.state_path)
        notes = (*start.notes, f"{STOPPED} ({switch.path} is there)") if switch.thrown() else start.notes
        ports = Ports(
            feed=DataApi(
                data,
                version=config.data_api_version,
                size_threshold=config.size_threshold,
                my_address=config.policy.my_address,
            ),
            resolver=MarketResolver(gamma, clob),
            market=ClobMarketData(clob),
            clock=clock,
            account=None if signer is None else ClobAccount(clob, signer, clock),
            state=None if dry else state,
            journal=None if dry else journal,
            switch=switch,
        )
        trader = Trader(
            ports,
            config.policy,
            # A dry run can't ask for balances, and places nothing: it shows what a restored start would do.
            confirmed_first(start.memory) if dry else start.memory,
            encode_line=None if dry else _Lines(journal, config.policy, clock.now()).line,
            approve=approve,
            may_be_first=start.first and not dry,
            retry_after_sec=config.poll_interval_sec,
        )
        yield Run(trader=trader, clock=clock, notes=notes, requests=lambda: count.total)


def _connections(
    stack: contextlib.AsyncExitStack,
    data_api_url: str,
    gamma_api_url: str,
    clob_url: str,
    count: RequestCount,
    *,
    live: bool = False,
) -> tuple[Http, Http, ClobHttp]:
    """The three services, within their limits; closed with `stack`; `live` ones await orders. Raises BadInput."""
    data = Http(data_api_url, buckets=data_api.BUCKETS, count=count, name="data_api_url")
    gamma = Http(gamma_api_url, buckets=resolver.BUCKETS, count=count, name="gamma_api_url")
    clob = ClobHttp(clob_url, count=count, warm=WARM if live else None, name="clob_url")
    for http in (data, gamma, clob):
        stack.push_async_callback(http.aclose)
    return data, gamma, clob


@contextlib.asynccontextmanager
async def tape_services(
    *, data_api_url: str, gamma_api_url: str, clob_url: str, version: int = 2
) -> AsyncIterator[Services]:
    """What a recording asks, without a key. Raises BadInput."""
    async with contextlib.AsyncExitStack() as stack:
        data, gamma, clob = _connections(stack, data_api_url, gamma_api_url, clob_url, RequestCount())
        yield Services(
            data=data,
            feed=DataApi(data, version=version),
            market=ClobMarketData(clob),
            resolver=MarketResolver(gamma, clob),
            clob=clob,
            clock=SystemClock(),
            version=version,
        )


@frozen(kw_only=True)
class Demo:
    """An embedded exchange that is being served, and a run's settings and signer that fit it."""

    config: Config
    signer: OrderSigner
    seconds: int  # how long its story takes
    told: Callable[[], tuple[str, ...]]  # what has happened there so far, in words


@contextlib.asynccontextmanager
async def demonstration(folder: Path) -> AsyncIterator[Demo]:
    """Serve the demo's world on loopback, with a throwaway key that signs for nothing else. Files go to `folder`."""
    from eth_account import Account

    from copytrade.adapters.signing import OrderSigner
    from copytrade.adapters.simulated.demo import DEMO_SEC, SETTINGS, demo_world
    from copytrade.adapters.simulated.scenario import LEADER
    from copytrade.adapters.simulated.server import serve

    key = "0x" + secrets.token_hex(32)
    address = str(Account.from_key(key).address)
    world = demo_world(SystemClock().now, me=address, signer=address, signature_type=0)
    async with serve(world) as urls:
        flags = {
            **SETTINGS,
            "target_address": LEADER,
            "my_address": address,
            "signature_type": 0,
            "state_path": folder / "state.json",
            "journal_dir": folder / "journal",
            "data_api_url": urls.data_api_url,
            "gamma_api_url": urls.gamma_api_url,
            "clob_url": urls.clob_url,
            "geoblock_url": urls.geoblock_url,
        }
        yield Demo(
            config=read_config(None, flags, source="the demo", live=True),
            signer=OrderSigner(key, funder=address, signature_type=0),
            seconds=DEMO_SEC,
            told=lambda: tuple(event.words for event in world.told if event.words),
        )


def found_at(state_path: Path, journal_dir: Path) -> Found:
    """What a run has left there, and whether one is there now; nothing is locked or written. Raises OSError."""
    holder = holder_of(state_path)
    return Found(
        line=next(JournalFolder(journal_dir).newest_first(1), None),
        state=DiskStateFile(state_path).load(),
        running=holder.held,
        pid=holder.pid,
    )


def journal_lines(folder: Path) -> Iterator[bytes]:
    """Every line of a journal, oldest first."""
    for path in sorted(folder.iterdir()):
        yield from read_lines(path, report=lambda _: None)


class _Lines:
    """Writes each cycle as a journal line, with the sums up to it; they go on from the last line that is there."""

    def __init__(self, journal: JournalFolder, policy: Policy, now: Decimal) -> None:
        tally, previous, last = Tally(since=now, run_started_at=now), None, None
        with contextlib.suppress(OSError):  # then the sums begin anew; what cannot be read stops the run elsewhere
            last = next(journal.newest_first(1), None)
        if last is not None:
            before = read_beside(last).notes.tally
            with contextlib.suppress(BadInput):
                previous = decode_snapshot(last)
            same = previous is not None and _wallets(previous.policy) == _wallets(policy)
            if before is not None and same:
                tally = evolve(before, run_started_at=now)
            elif not same:
                previous = None
        self._counting = Counting(tally, previous)

    def line(self, cycle: Cycle) -> bytes:
        """The line of `cycle`."""
        tally = self._counting.count(cycle)
        rows = [
            {
                name: value
                for name in ("action", "token_key", "token_id", "outcome", "order_id", "words")
                if (value := getattr(result, name)) not in (None, "")
            }
            for result in cycle.results
        ]
        return encode_journal_line(cycle.snapshot, cycle.plan, rows, notes_object(cycle, tally))


def _wallets(policy: Policy) -> tuple[str, str]:
    return policy.target_address, policy.my_address


def jitter(seconds: Decimal) -> Callable[[], Decimal]:
    """A function that gives a random share of `seconds`, to the millisecond."""
    import random

    return lambda: Decimal(random.randrange(int(seconds * 1000) + 1)) / 1000  # noqa: S311  # only to be out of step
