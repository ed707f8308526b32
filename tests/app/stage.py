"""A small stage for whole cycles: the simulated exchange in process, a clock that is set by hand, a disk in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from copytrade.adapters.simulated.in_process import (
    SimulatedAccount,
    SimulatedFeed,
    SimulatedMarketData,
    SimulatedResolver,
)
from copytrade.adapters.simulated.records import Manners, SimOrder
from copytrade.adapters.simulated.scenario import LEADER, condition_id_of, small_world, yes_of
from copytrade.app.cycle import Approve, Ports, Trader
from copytrade.app.outcomes import Cycle
from copytrade.app.state import decode_state, memory_of
from copytrade.domain.memory import Memory, OwnOrder
from copytrade.domain.model import ZERO
from copytrade.domain.policy import Policy

ME = "0x" + "ab" * 20
START = Decimal(1_766_000_000)
POLICY = Policy(target_address=LEADER, my_address=ME)


class HandClock:
    """It shows what it was set to; who sleeps moves it."""

    def __init__(self) -> None:
        self.shows = START

    def now(self) -> Decimal:
        return self.shows

    async def sleep(self, seconds: Decimal) -> None:
        self.shows += seconds


class Disk:
    """A state file and a journal in memory; both can be made to fail."""

    def __init__(self) -> None:
        self.good: bytes | None = None
        self.backup: bytes | None = None
        self.full = False
        self.saves: list[bytes] = []
        self.moved: list[str] = []

    def load(self) -> bytes | None:
        return self.good

    def load_backup(self) -> bytes | None:
        return self.backup

    def save(self, document: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.saves.append(document)
        self.backup, self.good = self.good, document

    def keep_broken(self) -> str:
        self.moved.append("state")
        self.good = None
        return "state.json.broken"

    def keep_broken_backup(self) -> str:
        self.moved.append("backup")
        self.backup = None
        return "state.json.bak.broken"


class Journal:
    """A journal that takes everything, and is never read."""

    def append(self, now: Decimal, line: bytes) -> None:
        pass

    def exists(self) -> bool:
        return True


class FullJournal(Journal):
    """A journal on a disk that takes nothing."""

    def append(self, now: Decimal, line: bytes) -> None:
        raise OSError(28, "No space left on device")


class Stage:
    """One leader, one follower, `tokens` markets at 0.50; the leader holds 100 of each, so 20 are wanted."""

    def __init__(
        self,
        *,
        tokens: int = 1,
        mine: Mapping[int, str] | None = None,
        manners: Manners | None = None,
        memory: Memory | None = None,
        policy: Policy = POLICY,
        may_be_first: bool = False,
        journal: Journal | None = None,
    ) -> None:
        self.clock = HandClock()
        self.policy = policy
        self.world = small_world(self.clock.now, me=ME, tokens=tokens, mine=mine, manners=manners)
        self.exchange = self.world.exchange
        self.faults = self.world.faults
        self.disk = Disk()
        self.journal = journal or Journal()
        self.written: list[Cycle] = []  # what went to the journal
        self.begin(memory or Memory(), may_be_first=may_be_first)

    def begin(self, memory: Memory, *, may_be_first: bool = False, approve: Approve | None = None) -> None:
        """A new process with this memory."""
        ports = Ports(
            feed=SimulatedFeed(self.world, self.clock),
            resolver=SimulatedResolver(self.world, self.clock),
            market=SimulatedMarketData(self.world, self.clock),
            clock=self.clock,
            account=SimulatedAccount(self.world, ME, self.clock),
            state=self.disk,
            journal=self.journal,
        )
        self.trader = Trader(
            ports, self.policy, memory, may_be_first=may_be_first, approve=approve, encode_line=self._line
        )

    def _line(self, cycle: Cycle) -> bytes:
        self.written.append(cycle)
        return b"{}"

    def crash(self, document: bytes | None = None) -> None:
        """The process is gone; another goes on from what the disk holds (or held: `document`)."""
        raw = document or self.disk.good
        assert raw is not None
        self.begin(memory_of(decode_state(raw)))

    def cycle(self, after: int = 20) -> Cycle:
        """Let time pass, then go around once."""
        self.clock.shows += after
        return asyncio.run(self.trader.cycle())

    def key(self, number: int = 0) -> str:
        return f"{condition_id_of(f'market-{number}')}:0"

    def yes(self, number: int = 0) -> str:
        return yes_of(self.world, number)

    def live(self, number: int | None = None) -> list[SimOrder]:
        """Our resting orders at the exchange, on one token or on all."""
        orders = self.exchange.open_orders(ME)
        return [order for order in orders if number is None or order.token_id == self.yes(number)]

    def held(self, number: int = 0) -> Decimal:
        """The truth: shares that the wallet holds."""
        return self.exchange.wallets[ME].shares.get(self.yes(number), ZERO)

    def committed(self, number: int = 0) -> Decimal:
        """Shares held and those that resting BUYs may still bring: what must never go past the want."""
        return self.held(number) + sum((order.rest for order in self.live(number)), ZERO)

    def orders(self) -> list[OwnOrder]:
        """Our orders as they are remembered."""
        return list(self.trader.memory.orders.values())


def reason(cycle: Cycle, key: str) -> str:
    """The reason code of one token's decision."""
    return next(str(one.reason.value) for one in cycle.plan.decisions if one.token_key == key)


def outcomes(cycle: Cycle, action: str = "place") -> list[str]:
    """What became of the actions of one kind."""
    return [result.outcome for result in cycle.results if result.action == action]
