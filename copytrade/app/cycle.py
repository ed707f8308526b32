"""One cycle: observe, plan, execute, remember. The whole program can be seen in `Trader.cycle`.

    observe    every fact the decision may use, in two rounds of requests that run together (observing.py)
    plan       the pure function; no port in reach
    execute    cancels first; it may drop an action, it never invents one (executing.py)
    remember   state before anything is posted and after it was answered, then the journal's line

Rule 1: an intent is on the disk before its order is posted. Where it can't be written, nothing is posted.
Rule 2: whatever an answer leaves open is in doubt: looked up next cycle, never asked again blindly.
Rule 3: what the positions feed said is remembered before the posts, so that no fill of theirs is folded away with it.

What is learned on the way is in the notebook (notebook.py), which outlives a cycle that is broken off.
Not here: when the next cycle runs, and how a run ends (loop.py).   Read next: observing.py, executing.py, loop.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from decimal import Decimal

from attrs import evolve

from copytrade.app.executing import Executor
from copytrade.app.notebook import Notebook
from copytrade.app.observing import Observer
from copytrade.app.outcomes import AccountRefused, Cycle, NotApproved, Result, dry, sales
from copytrade.app.ports import Ports, Switch
from copytrade.domain import memory as remembering
from copytrade.domain.desired import average_prices, poll_of
from copytrade.domain.memory import Memory, Standing
from copytrade.domain.model import Decision, Mode, OrderId, Plan, Snapshot
from copytrade.domain.plan import plan
from copytrade.domain.policy import Policy

__all__ = ["STOPPED", "Approve", "Encode", "Ports", "Trader"]

STOPPED = 'everything is stopped: our orders are taken down and none is placed, until "copytrade stop --lift"'

Approve = Callable[[Collection[Decision], Snapshot], Awaitable[bool]]  # may these positions be sold or reduced?
Encode = Callable[[Cycle], bytes]


class Trader:
    """Runs cycles: it observes, plans, executes and remembers, again and again, one after another."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        memory: Memory,
        *,
        encode_line: Encode | None = None,
        approve: Approve | None = None,
        may_be_first: bool = False,
        retry_after_sec: Decimal = Decimal(20),
    ) -> None:
        """`approve` is asked where the first whole plan would sell; `may_be_first`: no earlier run has left a file."""
        self.executing = False  # an action is in hand: a stop waits for it
        self.leaving: Callable[[], bool] = lambda: False  # has this run been told to end? Then nothing more is posted
        self.switch: Switch | None = ports.switch
        self._ports = ports
        self._policy = policy
        self._encode_line = encode_line
        self._approve = approve
        self._number = 0
        self._notebook = Notebook(memory, policy, ports.state)
        self._observer = Observer(
            ports, policy, self._notebook, may_be_first=may_be_first, retry_after_sec=retry_after_sec
        )
        self._executor: Executor | None = None  # a dry run has none
        if ports.account is not None:
            self._executor = Executor(ports.account, ports.clock, policy, self._notebook, stopped=self._stops)

    @property
    def memory(self) -> Memory:
        """What the next cycle, or the stop, may rely on."""
        return self._notebook.memory

    @property
    def not_saved(self) -> str:
        """Why the last save failed; "" where it did not."""
        return self._notebook.not_saved

    async def cycle(self) -> Cycle:
        """Go around once. Raises AccountRefused and NotApproved; what a service does is a reason or a warning."""
        self._number += 1
        self._notebook.warnings = []
        started_at = self._ports.clock.now()
        if (back := self.memory.last_sync_ts - started_at) > 0:
            self._notebook.warn(
                f"the clock went back by {back:.0f} s: it is compared with the exchange's again, and what waits for a "
                "time waits that much longer"
            )
        snapshot, books = await self._observer.observe()
        plan_ = plan(snapshot)
        if self._approve is not None and plan_.mode is Mode.NORMAL and not snapshot.stopped:
            if due := sales(plan_, snapshot):
                if not await self._approve(due, snapshot):
                    raise NotApproved("the start was not confirmed: nothing was sent")
                # A person may have thought for minutes: what is done now is decided on what is known now.
                self._notebook.warnings = []
                snapshot, books = await self._observer.observe()
                plan_ = plan(snapshot)
            self._approve = None
        if snapshot.stopped:
            self._notebook.warn(STOPPED)
        self._notebook.warnings += [f"{d.token_key}: {d.warning}" for d in plan_.decisions if d.warning]
        self._remember_polls(snapshot)
        results: list[Result] = []
        refused: AccountRefused | None = None
        self.executing = True
        try:
            if self._executor is None:
                results += [dry(action) for action in plan_.actions]
            else:
                offset = self._observer.clock_offset
                refused = await self._executor.execute(plan_, snapshot, books, results, clock_offset=offset)
                if refused is None:
                    await self._executor.look_for_cash(plan_, snapshot.now)
        except asyncio.CancelledError:
            # A stop came in the middle, and its time is up: what had been sent by then is evidence all the same.
            self._done(snapshot, plan_, results, started_at)
            raise
        finally:
            self.executing = False
        cycle = self._done(snapshot, plan_, results, started_at)
        if refused is not None:
            raise refused
        return evolve(cycle, warnings=tuple(self._notebook.warnings), ended_at=self._ports.clock.now())

    def _done(self, snapshot: Snapshot, plan_: Plan, results: Collection[Result], started_at: Decimal) -> Cycle:
        """Save the memory, and write down what was decided and what became of it."""
        self._notebook.memory = evolve(self.memory, last_sync_ts=snapshot.now)
        self._notebook.save()
        positions = (*snapshot.target.positions, *snapshot.mine.positions)
        cycle = Cycle(
            number=self._number,
            snapshot=snapshot,
            plan=plan_,
            results=tuple(results),
            fills=tuple(self._notebook.fills),
            warnings=tuple(self._notebook.warnings),
            started_at=started_at,
            ended_at=self._ports.clock.now(),
            titles={position.token_key: position.title for position in positions if position.title},
        )
        # Not at the start: what a cycle had learned that was broken off is told by the next.
        self._notebook.fills = []
        self._write_journal(cycle)
        return cycle

    def stopped(self) -> bool:
        """Has somebody stopped everything?"""
        return self._ports.stopped()

    def _stops(self) -> bool:
        return self.leaving() or self._ports.stopped()

    def may_rest(self) -> tuple[OrderId, ...]:
        """The ids of our orders that may be in the book; none in a dry run, which made none."""
        if self._ports.account is None:
            return ()
        return tuple(order.order_id for order in self.memory.orders.values() if order.may_rest)

    async def cancel_all(self) -> tuple[OrderId, ...]:
        """Take down every order of ours that may rest; return the ids of those that may rest still."""
        account = self._ports.account
        ids = self.may_rest()
        if account is None or not ids:
            return ()
        answers = await account.cancel(ids)
        # "Already canceled or matched" is also said of an order that is still on its way, and may rest in a moment.
        in_the_air = {one.order_id for one in self.memory.orders.values() if one.standing is Standing.INTENT}
        confirmed = {
            one.order_id for one in answers if one.confirmed and not (one.matched and one.order_id in in_the_air)
        }
        self._notebook.memory = remembering.gone(self.memory, confirmed, self._ports.clock.now())
        self._notebook.save()
        return tuple(order_id for order_id in ids if order_id not in confirmed)

    # -- remember -----------------------------------------------------------------------------------------------------

    def _remember_polls(self, snapshot: Snapshot) -> None:
        if snapshot.target.complete:
            self._notebook.memory = remembering.target_polled(self.memory, poll_of(snapshot.target), self._policy)
        if snapshot.mine.complete:
            in_doubt = {order.token_key for order in self.memory.orders.values() if order.token_id in snapshot.in_doubt}
            if not snapshot.orders_ok or self._ports.account is None:
                in_doubt |= self.memory.bases.keys()
            self._notebook.memory = remembering.mine_polled(
                self.memory,
                poll_of(snapshot.mine),
                snapshot.witnesses,
                in_doubt,
                now=snapshot.now,
                policy=self._policy,
                prices=average_prices(snapshot.mine),
            )

    def _write_journal(self, cycle: Cycle) -> None:
        if self._ports.journal is None or self._encode_line is None:
            return
        try:
            self._ports.journal.append(cycle.snapshot.now, self._encode_line(cycle))
        except OSError as error:
            self._notebook.warn(f"the journal could not be written: {error}")
