"""Whole cycles on the simulated exchange in this process, with the real state file and journal, on a clock set by hand.

Of the tokens three quarters are in the band. On the others orders rest far from the market: none fills, and every
fifth cycle they have grown old and are taken down and placed anew, so that five cycles are like the five before.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.facts import ME
from benchmarks.revisions import running
from copytrade.adapters.journal_file import JournalFolder
from copytrade.adapters.simulated.in_process import (
    SimulatedAccount,
    SimulatedFeed,
    SimulatedMarketData,
    SimulatedResolver,
)
from copytrade.adapters.simulated.records import Manners, OrderStatus
from copytrade.adapters.simulated.scenario import LEADER, small_world
from copytrade.adapters.state_file import DiskStateFile
from copytrade.app.cycle import Ports, Trader
from copytrade.domain.memory import Memory
from copytrade.domain.policy import Policy

SHARE_WITH_ORDERS = 4  # one token in so many has an order


def _lines(journal: JournalFolder, policy: Policy, now: Decimal) -> Any:
    """How the run writes its journal's lines; an older revision has another name for it."""
    module = running()
    return module._Lines(journal, policy, now).line if hasattr(module, "_Lines") else module._line  # noqa: SLF001


class HandClock:
    """It shows what it was set to; who sleeps moves it."""

    def __init__(self) -> None:
        self.shows = Decimal(1_766_000_000)

    def now(self) -> Decimal:
        return self.shows

    async def sleep(self, seconds: Decimal) -> None:
        self.shows += seconds


class InProcess:
    """A leader with so many tokens and a follower who runs cycles.

    Files go to `folder`, or are what is handed in as `files`, a state file and journal in one.
    """

    def __init__(self, tokens: int, folder: Path | None, *, files: Any = None, manners: Manners | None = None) -> None:
        self.clock = HandClock()
        held = {number: "20" for number in range(tokens) if number % SHARE_WITH_ORDERS}
        self.world = small_world(self.clock.now, me=ME, tokens=tokens, mine=held, cash="1000000", manners=manners)
        self._loop = asyncio.new_event_loop()
        state = files if folder is None else DiskStateFile(folder / "state.json")
        journal = files if folder is None else JournalFolder(folder / "journal")
        self._feed = SimulatedFeed(self.world, self.clock)
        ports = Ports(
            feed=self._feed,
            resolver=SimulatedResolver(self.world, self.clock),
            market=SimulatedMarketData(self.world, self.clock),
            clock=self.clock,
            account=SimulatedAccount(self.world, ME, self.clock),
            state=state,
            journal=journal,
        )
        policy = Policy(target_address=LEADER, my_address=ME, max_notional_total=Decimal(10_000_000))
        lines = None if journal is None else _lines(journal, policy, self.clock.now())
        self.trader = Trader(ports, policy, Memory(), encode_line=lines)

    def cycle(self) -> Any:
        """Let a poll interval pass, and go around once."""
        self.clock.shows += 20
        return self._loop.run_until_complete(self.trader.cycle())

    def forget_the_past(self) -> None:
        """Let the exchange forget closed orders and trades, which it would keep for ever; the follower may not."""
        exchange = self.world.exchange
        exchange.orders = {key: one for key, one in exchange.orders.items() if one.status is OrderStatus.LIVE}
        exchange.trades.clear()
        for trades in exchange._trades_of.values():  # noqa: SLF001  # it offers no way, since nobody else wants one
            del trades[:-50]
        self.world.forget_requests()
        self._feed._known.clear()  # noqa: SLF001

    def close(self) -> None:
        """Let go of the event loop."""
        self._loop.close()
