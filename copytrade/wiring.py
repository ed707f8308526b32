"""The composition root: the one place that knows the adapters and puts them behind the ports.

The commands ask it for a run that is ready to go around; they get the ports, the files and the lock, and hand back
nothing. Everything is closed when the `with` block ends.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from copytrade.adapters import data_api, resolver, state_file
from copytrade.adapters.clob import WARM, ClobAccount, ClobChecks, ClobHttp, ClobMarketData, Site
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
from copytrade.app.checks import Check, Facts, Unknown, judge
from copytrade.app.config import KEYS, Config, read_config
from copytrade.app.cycle import STOPPED, Approve, Ports, Trader
from copytrade.app.diagnosis import Entry
from copytrade.app.documents import decode_snapshot, encode_journal_line
from copytrade.app.examining import Asked, examine
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
    from copytrade.app.metrics import Series
    from copytrade.app.watching import Watcher

__all__ = [
    "Demo",
    "Run",
    "demonstration",
    "found_at",
    "jitter",
    "journal_lines",
    "last_lines",
    "listeners",
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


DOCTOR_PATIENCE_SEC = 6.0  # a person is waiting
PREFLIGHT_SEC = 6.0  # for one question before a run; a service that is away does not keep it from starting


@frozen(kw_only=True)
class Run:
    """A run that is ready to go around: what to know before, and how many requests have left so far."""

    trader: Trader
    clock: Clock
    notes: tuple[str, ...]
    requests: Callable[[], int]
    preflight: Callable[[], Coroutine[None, None, tuple[Check, ...]]]  # what a live start depends on, asked and judged


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


# -- who is told ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listeners(config: Config) -> Iterator[tuple[Watcher, ...]]:
    """Who is told of a run beside its screen: alerts, where there are addresses for them, and metrics.

    Raises RefusedToStart: an extra is missing, an address is none, a port is taken.
    """
    from copytrade.adapters import notifying
    from copytrade.app.alerts import Alerts, Kind

    with contextlib.ExitStack() as stack:
        watchers: list[Watcher] = []
        counts: Callable[[], Mapping[Series, Decimal]] = dict
        urls = notifying.load_urls(config.alert_urls_path)
        alerts = None
        if urls:
            sender = stack.enter_context(notifying.sending(urls, name=_short(config.policy.my_address)))
            on = frozenset(map(Kind, config.alert_on))
            alerts = Alerts(sender.send, on=on, after_sec=config.alert_after_sec)
            watchers.append(alerts)
            counts = sender.series
        if config.metrics_port is not None:
            from copytrade.adapters import prometheus

            numbers = prometheus.Numbers(counts)
            stack.enter_context(prometheus.served(config.metrics_port, numbers))
            watchers.append(numbers)
        try:
            yield tuple(watchers)
        except BaseException as error:
            if alerts is not None and not alerts.ended:
                alerts.not_started(notifying.now(), error)
            raise


def _told(config: Config) -> str | Unknown:
    """Who would be told of a run, in words; or why a start would be refused for it."""
    try:
        with listeners(config) as watchers:
            names = {type(watcher).__name__ for watcher in watchers}
    except RefusedToStart as error:
        return Unknown(why=str(error), no=True)
    alerts = "alerts go out" if "Alerts" in names else "no alerts"
    return f"{alerts}, " + (f"metrics on port {config.metrics_port}" if "Numbers" in names else "no metrics")


def _short(address: str) -> str:
    return f"{address[:6]}…{address[-4:]}"


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
    from copytrade.adapters.this_machine import in_use

    return Stop(
        switch=StopFile(state_path),
        clock=SystemClock(),
        state=DiskStateFile(state_path),
        was_used=state_file.was_used(state_path),
        in_use=bool(in_use(state_path)),
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
        feed, account = _feed(data, config), None if signer is None else ClobAccount(clob, signer, clock)
        ports = Ports(
            feed=feed,
            resolver=MarketResolver(gamma, clob),
            market=ClobMarketData(clob),
            clock=clock,
            account=account,
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

        async def preflight() -> tuple[Check, ...]:
            facts = await examine(
                Facts(config=config, key=None if signer is None else signer.address),
                _asked(stack, config, clock, clob, feed, account, count),
                everything=False,
                make_credentials=True,
                answer_sec=PREFLIGHT_SEC,
            )
            return judge(facts)

        yield Run(trader=trader, clock=clock, notes=notes, requests=lambda: count.total, preflight=preflight)


# -- what a start depends on ------------------------------------------------------------------------------------------


def key_facts(config: Config, keystore: Path | None) -> tuple[OrderSigner | None, str | Unknown]:
    """The signer of a live start, and what there is to say of its key."""
    try:
        signer = signer_for(config, keystore)
    except (RefusedToStart, BadInput) as error:
        return None, Unknown(why=str(error), no=True)
    return signer, signer.address


async def examined(
    config: Config, signer: OrderSigner | None, key: str | Unknown | None, *, make_credentials: bool
) -> tuple[Check, ...]:
    """Everything that a start depends on, asked and judged; without a signer, all that can be known without one.

    Nothing is changed, at the exchange or here, but for API credentials where that is asked for. `key` None: a dry run.
    """
    from copytrade.adapters.this_machine import folder_facts, in_use

    clock, count = SystemClock(), RequestCount()
    refused, start = "", None
    try:
        start = start_from(
            DiskStateFile(config.state_path),
            config.policy,
            name=str(config.state_path),
            journal_exists=JournalFolder(config.journal_dir).exists(),
            now=clock.now(),
            keep=False,
        )
    except RefusedToStart as error:
        refused = str(error)
    except OSError as error:
        refused = f"the state or the journal could not be read: {error}"
    known = Facts(
        config=config,
        dry=key is None,
        state_notes=() if start is None else start.notes,
        state_refused=refused,
        first=start is not None and start.first,
        stopped=StopFile(config.state_path).thrown(),
        in_use=in_use(config.state_path),
        state_folder=folder_facts(config.state_path.parent),
        journal_folder=folder_facts(config.journal_dir),
        told=_told(config),
        key=key,
    )
    async with contextlib.AsyncExitStack() as stack:
        patience = DOCTOR_PATIENCE_SEC
        data = Http(
            config.data_api_url, buckets=data_api.BUCKETS, count=count, name="data_api_url", retry_total_sec=patience
        )
        clob = ClobHttp(config.clob_url, count=count, name="clob_url", retry_total_sec=patience)
        for http in (data, clob):
            stack.push_async_callback(http.aclose)
        account = None if signer is None else ClobAccount(clob, signer, clock)
        asked = _asked(stack, config, clock, clob, _feed(data, config), account, count)
        return judge(await examine(known, asked, everything=True, make_credentials=make_credentials))


def _feed(data: Http, config: Config) -> DataApi:
    return DataApi(
        data,
        version=config.data_api_version,
        size_threshold=config.size_threshold,
        my_address=config.policy.my_address,
    )


def _asked(
    stack: contextlib.AsyncExitStack,
    config: Config,
    clock: Clock,
    clob: ClobHttp,
    feed: DataApi,
    account: ClobAccount | None,
    count: RequestCount,
) -> Asked:
    """Who is asked before a start. What the site says of the region holds for Polymarket's own exchange alone."""
    place = None
    production = {name: KEYS[name].default for name in ("clob_url", "geoblock_url")}
    if config.clob_url == production["clob_url"] or config.geoblock_url != production["geoblock_url"]:
        site = Http(config.geoblock_url, count=count, name="geoblock_url")
        stack.push_async_callback(site.aclose)
        place = Site(site)
    return Asked(
        clock=clock,
        market=ClobMarketData(clob),
        exchange=ClobChecks(clob),
        feed=feed,
        place=place,
        account=None if account is None else account.state(),
    )


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


# -- a bug report -----------------------------------------------------------------------------------------------------


def hide_known_secrets(config: Config | None) -> None:
    """Take what environment and alert files hold of secrets out of whatever is shown or written from now on."""
    from copytrade.adapters import diagnosing

    diagnosing.hide_environment()
    for name in KEYS:
        path = getattr(config, name, None)
        if name.endswith("_urls_path") and path is not None:
            diagnosing.hide_file(path)


def key_is_given() -> bool:
    """Does the environment give a run its key, or name a keystore? (A keyring is asked for by runs alone.)"""
    from copytrade.adapters.keys import key_is_given as given

    return given()


def versions_entry(ours: str) -> Entry:
    """What runs here, and on what."""
    from copytrade.adapters import diagnosing

    return diagnosing.versions(ours)


def clean_entry(name: str, content: bytes, about: str) -> Entry:
    """One file of the archive, without secrets."""
    from copytrade.adapters import diagnosing

    return diagnosing.cleaned(name, content, about)


def kept_entries(config: Config, *, days: int, today: date) -> list[Entry]:
    """What a run has left, without secrets: the state, and the last days of the journal."""
    from copytrade.adapters import diagnosing

    kept = [*diagnosing.states(config.state_path)]
    if days:
        kept += diagnosing.journal(config.journal_dir, days=days, today=today)
    return kept


def write_diagnosis(path: Path, entries: Sequence[Entry]) -> None:
    """Write the archive. Raises FileExistsError, OSError."""
    from copytrade.adapters import diagnosing

    folder = path.name.removesuffix(".tgz").removesuffix(".tar.gz")
    diagnosing.write_archive(path, entries, folder=folder, now=SystemClock().now())


def found_at(state_path: Path, journal_dir: Path) -> Found:
    """What a run has left there, and whether one is there now; nothing is locked or written. Raises OSError."""
    holder = holder_of(state_path)
    return Found(
        line=next(JournalFolder(journal_dir).newest_first(1), None),
        state=DiskStateFile(state_path).load(),
        running=holder.held,
        pid=holder.pid,
    )


@frozen(kw_only=True)
class Practice:
    """An embedded exchange to point `init`, `doctor` and `run` at."""

    flags: tuple[tuple[str, str], ...]  # of `init`
    told: Callable[[], tuple[str, ...]]  # what has happened there so far, in words; asking lets its time go on


@contextlib.asynccontextmanager
async def practice(folder: Path, *, port: int) -> AsyncIterator[Practice]:
    """Serve a world that goes on until the block ends; the throwaway key of its wallet is left in `folder`.

    Raises BadInput where the ports are taken.
    """
    from eth_account import Account

    from copytrade.adapters.files import write_new
    from copytrade.adapters.simulated.demo import practice_world
    from copytrade.adapters.simulated.scenario import LEADER
    from copytrade.adapters.simulated.server import serve

    key = "0x" + secrets.token_hex(32)
    address = str(Account.from_key(key).address)
    world = practice_world(SystemClock().now, me=address, signer=address)
    key_file = folder / "throwaway_key"
    write_new(key_file, key.encode() + b"\n")
    async with contextlib.AsyncExitStack() as stack:
        try:
            urls = await stack.enter_async_context(serve(world, port=port))
        except (OSError, OverflowError) as error:
            got = f"{port} ({getattr(error, 'strerror', None) or error})"
            fault = Fault(path="--port", got=got, wants="the first of four free ports in a row, or 0 for any")
            raise BadInput("the command line", [fault], "nothing was started") from None

        def told() -> tuple[str, ...]:
            world.now()
            return tuple(event.words for event in world.told if event.words)

        flags = {
            "--target": LEADER,
            "--my-address": address,
            "--signature-type": "0",
            "--poll": "5",
            "--data-api-url": urls.data_api_url,
            "--gamma-api-url": urls.gamma_api_url,
            "--clob-url": urls.clob_url,
            "--geoblock-url": urls.geoblock_url,
            "--key-in": "keystore",
            "--key-file": str(key_file),
        }
        yield Practice(flags=tuple(flags.items()), told=told)


def last_lines(journal_dir: Path, most: int) -> list[bytes]:
    """The last lines of a journal, newest first, without touching it. Raises OSError."""
    return list(JournalFolder(journal_dir).newest_first(most))


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
