"""What is remembered in a run, sliced by token, so that a poll costs what has changed and not what there is.

Memory changes by the transitions of domain/memory.py alone, in the order of app/cycle.py. They treat each token by
itself. So they are applied to a `part` of memory, that of the tokens where anything may have changed (`restless`), and
to no others; a test holds that against applying them to all.

Not here: what the exchange and the feeds say (world.py), what is decided on it (engine.py).   Read next: engine.py
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from decimal import Decimal

from attrs import define, field

from copytrade.app.backtest.world import World
from copytrade.domain import memory as remembering
from copytrade.domain.amounts import equal
from copytrade.domain.day import marked, prices_of
from copytrade.domain.exposure import needs_witness
from copytrade.domain.memory import Base, Evidence, Memory, OwnOrder, Sighting
from copytrade.domain.memory import Traded as Sums
from copytrade.domain.model import ZERO, Ledger, Order, OrderId, Snapshot, TokenId, TokenKey
from copytrade.domain.policy import Policy

_NOTHING = Memory()  # evolved, a memory of some tokens is made sooner than by its class


@define(kw_only=True, eq=False)
class Slices:
    """One run's memory."""

    policy: Policy
    world: World
    whole: bool = False  # every token is restless in every poll: slower, and the same

    memory: Memory = field(factory=Memory, init=False)  # polls, holds and the day; orders and bases stand below
    ledgers: dict[TokenKey, Ledger] = field(factory=dict, init=False)
    open_orders: dict[TokenId, tuple[Order, ...]] = field(factory=dict, init=False)
    in_doubt: dict[TokenId, tuple[Order, ...]] = field(factory=dict, init=False)
    _own: dict[TokenKey, dict[OrderId, OwnOrder]] = field(factory=dict, init=False)
    _bases: dict[TokenKey, Base] = field(factory=dict, init=False)
    _quiet_from: list[tuple[Decimal, TokenKey]] = field(factory=list, init=False)

    def mark(self, snapshot: Snapshot) -> None:
        """The day's books take in what the copied holdings are worth now, as app/observing.py has it. What is over is
        redeemed at once here, so no row tells what it paid."""
        held = {key: ledger.believed for key, ledger in self.ledgers.items()}
        prices = {**prices_of(snapshot), **self.world.paid}
        day = marked(self.memory.day, held, prices, snapshot.now)
        self.memory = remembering.memory_evolved(self.memory, day=day)

    def restless(self, now: Decimal) -> set[TokenKey]:
        """The tokens on which memory's transitions could change anything in this poll."""
        while self._quiet_from and self._quiet_from[0][0] <= now:
            self.world.touched.add(heapq.heappop(self._quiet_from)[1])
        restless, self.world.touched = self.world.touched, set()
        return set(self.world.tokens) if self.whole else restless

    def part(self, keys: Iterable[TokenKey]) -> Memory:
        """Memory as these tokens know it."""
        orders: dict[OrderId, OwnOrder] = {}
        bases: dict[TokenKey, Base] = {}
        for key in keys:
            orders.update(self._own.get(key, ()))
            base = self._bases.get(key)
            if base is not None:
                bases[key] = base
        return remembering.memory_evolved(_NOTHING, orders=orders, bases=bases, day=self.memory.day)

    def keep(self, keys: Iterable[TokenKey], before: Memory, part: Memory) -> None:
        """Memory as these tokens know it has changed."""
        if part.orders is not before.orders:
            for key in keys:
                self._own.pop(key, None)
            for order_id, order in part.orders.items():
                self._own.setdefault(order.token_key, {})[order_id] = order
        self._bases.update(part.bases)
        if part.day is not self.memory.day:
            self.memory = remembering.memory_evolved(self.memory, day=part.day)

    def observe(self, keys: set[TokenKey], now: Decimal) -> dict[TokenKey, Decimal]:
        """Take in what the exchange says of our orders on these tokens; return the balances that had to be asked."""
        moved, self.world.moved = keys if self.whole else self.world.moved, set()
        assert moved <= keys, "whatever moves an order touches its token"
        if moved:
            self._take_in(moved, now)
        return {
            key: self.world.account.shares.get(key, ZERO)
            for key in keys
            if needs_witness(
                self.world.reported.get(key, ZERO),
                self.ledgers.get(key),
                in_doubt=self.world.ids[key] in self.in_doubt,
                now=now,
                policy=self.policy,
            )
        }

    def _take_in(self, keys: set[TokenKey], now: Decimal) -> None:
        """Every order of ours on these tokens moves to where the exchange's answers put it."""
        world = self.world
        part = self.part(keys)
        if part.orders:
            listed, closed, sums = {}, {}, {}
            for order_id in part.orders:
                order = world.resting.get(order_id)
                if order is None:  # it never arrived
                    continue
                if order.live:
                    listed[order_id] = order.matched
                else:
                    closed[order_id] = order.matched
                if order.matched:
                    sums[order_id] = Sums(traded=order.matched, confirmed=order.matched)
            asked = remembering.to_look_up(part, listed)
            read = bool(asked) or remembering.trades_wanted_after(part, listed) is not None
            evidence = Evidence(
                asked_at=now,
                listed=listed,
                looked_up={one: Sighting(resting=False, matched=closed[one]) for one in asked if one in closed},
                trades=sums if read else None,
                trades_asked_at=now,
            )
            before, part = part, remembering.observed(part, evidence, now=now, policy=self.policy)
            self.keep(keys, before, part)
            self._forget(before.orders.keys() - part.orders.keys())
        live, doubt = remembering.live_and_in_doubt(part, now)
        for key in keys:
            token_id = world.ids[key]
            for said, mine in ((live, self.open_orders), (doubt, self.in_doubt)):
                if token_id in said:
                    mine[token_id] = said[token_id]
                else:
                    mine.pop(token_id, None)
        told = remembering.ledgers(part)
        self.ledgers.update(told)
        # What is in doubt may be settled by time alone, and a fill's trades are read in the poll after it was seen.
        world.touch([key for key in keys if world.ids[key] in doubt or (key in told and not told[key].final)])

    def _forget(self, order_ids: Iterable[OrderId]) -> None:
        """Memory needs these orders no more, so nobody will ask the exchange for them."""
        for order_id in order_ids:
            self.world.resting.pop(order_id, None)

    def remember_mine(self, keys: set[TokenKey], witnesses: dict[TokenKey, Decimal], now: Decimal) -> None:
        """Our own positions were polled: ledgers may start anew. Tokens on which nothing can change go to rest."""
        if not keys:
            return
        part = self.part(keys)
        doubted = [key for key in keys if self.world.ids[key] in self.in_doubt]
        after = remembering.mine_polled(
            part,
            self.world.reported,
            witnesses,
            doubted,
            now=now,
            policy=self.policy,
            prices=self.world.paid_on_average,
            told={key: self.ledgers[key] for key in part.bases},
        )
        self.keep(keys, part, after)
        self._forget(part.orders.keys() - after.orders.keys())
        changed = after
        if after.orders is part.orders:  # as mostly: then a ledger is another one only where its base is
            bases = {key: base for key, base in after.bases.items() if base is not part.bases[key]}
            changed = remembering.memory_evolved(after, bases=bases)
        told = remembering.ledgers(changed)
        for key in after.bases:
            before = self.ledgers[key]
            ledger = told.get(key, before)
            if ledger is not before and ledger == before:
                ledger = before
            settled = (
                ledger is before
                and self.world.ids[key] not in self.in_doubt
                and ledger.final
                and equal(self.world.reported.get(key, ZERO), ledger.believed)
            )
            self.ledgers[key] = ledger
            if not settled:
                self.world.touched.add(key)
            elif ledger.moved_at + self.policy.settle_timeout_sec > now:
                heapq.heappush(self._quiet_from, (ledger.moved_at + self.policy.settle_timeout_sec, key))
