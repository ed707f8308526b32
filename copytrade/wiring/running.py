"""A run that is ready to go around: connections, files, lock and journal, behind the ports.

Not here: when it goes around, and how it ends (app/loop.py), who is told of it (telling.py), its key (keys.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from copytrade.adapters.clob import ClobAccount, ClobMarketData
from copytrade.adapters.http import RequestCount
from copytrade.adapters.journal_file import JournalFolder
from copytrade.adapters.resolver import MarketResolver
from copytrade.adapters.state_file import DiskStateFile, StateLock
from copytrade.adapters.stop_file import StopFile
from copytrade.adapters.system_clock import SystemClock
from copytrade.app.checks import Check, Facts, judge
from copytrade.app.config import Config
from copytrade.app.cycle import STOPPED, Approve, Ports, Trader
from copytrade.app.documents import decode_snapshot, encode_journal_line
from copytrade.app.examining import examine
from copytrade.app.outcomes import Cycle
from copytrade.app.ports import Clock
from copytrade.app.state import confirmed_first, start_from
from copytrade.app.tally import Counting, Tally, notes_object, read_beside
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput, RefusedToStart
from copytrade.wiring.services import asked_of, connections, feed_of

if TYPE_CHECKING:
    from copytrade.adapters.signing import OrderSigner

PREFLIGHT_SEC = 6.0  # for one question before a run; a service that is away does not keep it from starting


@frozen(kw_only=True)
class Run:
    """A run that is ready to go around: what to know before, and how many requests have left so far."""

    trader: Trader
    clock: Clock
    notes: tuple[str, ...]
    requests: Callable[[], int]
    preflight: Callable[[], Coroutine[None, None, tuple[Check, ...]]]  # what a live start depends on, asked and judged


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
        data, gamma, clob = connections(stack, *urls, count, live=signer is not None)
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
        feed, account = feed_of(data, config), None if signer is None else ClobAccount(clob, signer, clock)
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
                asked_of(stack, config, clock, clob, feed, account, count),
                everything=False,
                make_credentials=True,
                answer_sec=PREFLIGHT_SEC,
            )
            return judge(facts)

        yield Run(trader=trader, clock=clock, notes=notes, requests=lambda: count.total, preflight=preflight)


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
