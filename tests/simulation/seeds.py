"""One seed: the real Trader lives, crashes, starts from what was synced, lives again; then the world calms down.

Time is virtual and every port answers at once, so the event loop never waits. What a crash leaves running is cancelled
before the next life begins: a dead process asks for nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from attrs import frozen

from copytrade.adapters.simulated.in_process import (
    SimulatedAccount,
    SimulatedFeed,
    SimulatedMarketData,
    SimulatedResolver,
)
from copytrade.adapters.simulated.records import Manners, NewOrder
from copytrade.adapters.simulated.scenario import LEADER, condition_id_of, small_world, yes_of
from copytrade.app.cycle import Ports, Trader
from copytrade.app.outcomes import Cycle
from copytrade.app.ports import CancelAnswer, PostAnswer, SignedOrder
from copytrade.app.state import start_from
from copytrade.domain.model import CENT_SHARE, Mode, Positions, Reason, Side
from copytrade.domain.policy import Policy
from tests.simulation.chaos import KINDS, Chaos, Crash, VirtualClock
from tests.simulation.oracle import Oracle, Violation

ME = "0x" + "5e1f" * 10
START = Decimal(1_766_000_000)
TOKENS = 3
BLACKLISTED = TOKENS  # the market after those the leader holds; I hold some of it
CALM_CYCLES = 400  # an hour's hold, the longest there is, and what may come after it


@frozen(kw_only=True)
class Outcome:
    """What became of one seed. `violation` "" is well."""

    seed: int
    cycles: int
    orders: int
    fills: int
    faults: Counter[str]
    worst: Decimal
    converged_in: int
    violation: str
    story: tuple[str, ...]


class SyncedFile:
    """A `StateFile` that holds what was synced, and loses nothing else."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos
        self.text: bytes | None = None
        self.backup: bytes | None = None

    def load(self) -> bytes | None:
        return self.text

    def load_backup(self) -> bytes | None:
        return self.backup

    def save(self, document: bytes) -> None:
        self._chaos.crash("before the state is saved")
        if self._chaos.happens("disk", 0.01):
            self._chaos.tell("the disk is full")
            raise OSError("no space left on device")
        self.text, self.backup = document, self.text
        self._chaos.crash("after the state is saved")

    def keep_broken(self) -> str:
        self.text = None
        return "state.json.broken"

    def keep_broken_backup(self) -> str:
        self.backup = None
        return "state.json.bak.broken"


class WatchedFeed(SimulatedFeed):
    """Tells the oracle what was told of the leader."""

    oracle: Oracle

    async def positions(self, wallet: str) -> Positions:
        answer = await super().positions(wallet)
        if wallet == LEADER:
            self.oracle.told(answer)
        return answer


class WatchedAccount(SimulatedAccount):
    """Shows the oracle what is sent, and lets the market and the end of the process come between deed and answer."""

    oracle: Oracle
    chaos: Chaos

    async def post(self, orders: Sequence[SignedOrder]) -> tuple[PostAnswer, ...]:
        for order in orders:
            words = f"post {order.side.value} {order.size} at {order.price} ({order.order_id[-4:]})"
            self.chaos.tell(words, order.token_id)
        self.oracle.posts(orders)
        answers = await super().post(orders)
        for order, answer in zip(orders, answers, strict=True):
            self.chaos.tell(f"… {answer.fate.value} {answer.words} ({order.order_id[-4:]})", order.token_id)
        self._meanwhile("after a post")
        return answers

    async def cancel(self, order_ids: Sequence[str]) -> tuple[CancelAnswer, ...]:
        self.oracle.cancels(order_ids)
        answers = await super().cancel(order_ids)
        for answer in answers:
            order = self._exchange.orders.get(answer.order_id)
            words = "confirmed" if answer.confirmed else "not confirmed"
            self.chaos.tell(f"cancel {answer.order_id[-4:]}: {words} {answer.words}", order.token_id if order else "")
        self._meanwhile("after a cancel")
        return answers

    def _meanwhile(self, where: str) -> None:
        if self.chaos.happens("fill", 0.3):
            self.chaos.fill()
        self.oracle.check()
        self.chaos.crash(where)


class Run:
    """One seed's world and the program in it."""

    def __init__(self, seed: int, without: frozenset[str]) -> None:
        self.clock = VirtualClock(START)
        self.chaos = Chaos(seed, self.clock, without)
        dice = self.chaos.dice
        manners = Manners(
            mined_after=Decimal(dice.choice((2, 20))),
            confirmed_after=Decimal(dice.choice((5, 60))),
            list_trades_after=Decimal(dice.choice((0, 10, 45))),
            list_orders_after=Decimal(dice.choice((0, 0, 3, 20))),
            forget_closed_after=dice.choice((None, Decimal(0), Decimal(30), Decimal(300))),
        )
        self.world = small_world(
            self.clock.now, me=ME, tokens=TOKENS, mine={0: "12", BLACKLISTED: "40"}, cash="5000", manners=manners,
            seed=seed,
        )  # fmt: skip
        self.policy = Policy(
            follow_ratio=Decimal(dice.choice(("0.2", "0.2", "0.5", "0.0371"))),
            slice_max=Decimal(dice.choice((25, 25, 8, 100))),
            polls_to_grow=dice.choice((1, 1, 2)),
            polls_to_shrink=dice.choice((2, 2, 1, 3)),
            maker_only=dice.random() < 0.75,
            target_address=LEADER,
            my_address=ME,
            blacklist_token_keys=[f"{condition_id_of(f'market-{BLACKLISTED}')}:0"],
        )
        self.world.faults = self.chaos
        self.chaos.join(self.world, TOKENS)
        self.oracle = Oracle(self.world, self.policy)
        self.chaos.check = self.oracle.check
        self.file = SyncedFile(self.chaos)
        self.cycles = 0
        self._user_orders()

    def _user_orders(self) -> None:
        exchange, token_id = self.world.exchange, yes_of(self.world, BLACKLISTED)
        for side, price in ((Side.BUY, "0.05"), (Side.SELL, "0.95")):
            order_id = f"0xa5e2{side.value.encode().hex():0>60}"
            new = NewOrder(
                order_id=order_id, wallet=ME, token_id=token_id, side=side, price=Decimal(price), size=Decimal(10),
                expiration=int(START) + 10_000_000, api_key="user",
            )  # fmt: skip
            assert exchange.post(new).accepted
            self.oracle.users.add(order_id)

    def new_life(self) -> Trader:
        if self.cycles and self.chaos.happens("lost state", 0.08):
            both = self.chaos.dice.random() < 0.3
            self.chaos.tell(f"the state file is cut short, its backup is {'lost' if both else 'good'}")
            self.file.text = self.file.text and self.file.text[: len(self.file.text) // 2]
            self.file.backup = None if both else self.file.backup
        start = start_from(
            self.file, self.policy, name="state.json", journal_exists=self.cycles > 0, now=self.clock.now()
        )
        feed, account = WatchedFeed(self.world, self.clock), WatchedAccount(self.world, ME, self.clock)
        feed.oracle = account.oracle = self.oracle
        account.chaos = self.chaos
        ports = Ports(
            feed=feed,
            resolver=SimulatedResolver(self.world, self.clock),
            market=SimulatedMarketData(self.world, self.clock),
            clock=self.clock,
            account=account,
            state=self.file,
        )
        return Trader(ports, self.policy, start.memory, may_be_first=start.first)

    def live(self, loop: asyncio.AbstractEventLoop, cycles: int) -> int:
        """Go through the chaos, then the calm; return after how many calm cycles it had converged."""
        trader: Trader | None = None
        while self.cycles < cycles:
            self.cycles += 1
            self.chaos.between_cycles(ME)
            try:
                trader = trader or self.new_life()
                self._cycle(loop, trader)
            except Crash:
                _bury(loop)
                trader = None
            except OSError:  # a start that the disk does not take: a person tries again later
                assert trader is None
            self._wait()
        self.chaos.settle(ME)
        trader = trader or self.new_life()
        done = self._cycle(loop, trader)
        for calm in range(1, CALM_CYCLES + 1):
            self.cycles += 1
            if self._converged(done):
                return calm
            for order_id in [each for each in self.world.exchange.wallets[ME].live if each in self.oracle.ours]:
                order = self.world.exchange.orders[order_id]
                self.world.exchange.hit(order_id, order.rest)
            self.oracle.check()
            self._wait()
            done = self._cycle(loop, trader)
        stuck = [d for d in done.plan.decisions if not self._well(d.token_id, d.reason)]
        words = ", ".join(f"{d.reason} lo {d.lo} hi {d.hi} want {d.want_lo}..{d.want_hi}" for d in stuck)
        raise Violation(
            f"not converged in {CALM_CYCLES} calm cycles: {words}", (stuck[0].token_id or "") if stuck else ""
        )

    def _cycle(self, loop: asyncio.AbstractEventLoop, trader: Trader) -> Cycle:
        posted = self.oracle.posted
        done = loop.run_until_complete(trader.cycle())
        if done.plan.mode is Mode.SAFE and self.oracle.posted != posted:
            raise Violation("posted in safe mode")
        self.oracle.check()
        return done

    def _wait(self) -> None:
        self.clock.time += 20
        self.world.now()
        self.chaos.disturb()
        self.oracle.check()

    def _converged(self, done: Cycle) -> bool:
        if done.plan.actions or any(each in self.oracle.ours for each in self.world.exchange.wallets[ME].live):
            return False
        reasons = {one.token_id: one.reason for one in done.plan.decisions}
        tokens = [yes_of(self.world, number) for number in range(TOKENS)]
        return all(self._well(token_id, reasons.get(token_id)) for token_id in tokens)

    def _well(self, token_id: str | None, reason: Reason | None) -> bool:
        if token_id is None or token_id == yes_of(self.world, BLACKLISTED):
            return True
        return reason is Reason.DUST or abs(self.oracle.gap(token_id)) <= self.policy.deadband_shares + CENT_SHARE


def _bury(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what the dead process was still waiting for."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    for task in tasks:
        if not task.cancelled():
            task.exception()


def simulate(seed: int, cycles: int = 60, without: frozenset[str] = frozenset()) -> Outcome:
    """Live through one seed. Never raises for a broken law: the outcome says it."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # a crash leaves siblings with exceptions nobody reads
    run = Run(seed, without)
    violation, calm, where = "", 0, ""
    try:
        calm = run.live(loop, cycles)
    except Violation as broken:
        violation, where = str(broken), broken.token_id
    finally:
        _bury(loop)
        loop.close()
    return Outcome(
        seed=seed,
        cycles=run.cycles,
        orders=run.oracle.posted,
        fills=run.oracle.fills,
        faults=run.chaos.count,
        worst=run.oracle.worst,
        converged_in=calm,
        violation=violation and f"{violation} ({run.chaos.name(where)})" if where else violation,
        story=tuple(
            f"{at - START:>9} s  {run.chaos.name(token) + ': ' if token else ''}{words}"
            for at, token, words in run.chaos.story
            if not where or token in ("", where)
        ),
    )


def smallest(seed: int, cycles: int, without: frozenset[str] = frozenset()) -> tuple[Outcome, int, frozenset[str]]:
    """The same failure with as few kinds of trouble and as few cycles as it takes."""
    worst = simulate(seed, cycles, without)
    for kind in KINDS:
        if kind in without:
            continue
        tried = simulate(seed, cycles, without | {kind})
        if tried.violation:
            worst, without = tried, without | {kind}
    while cycles > 1:
        tried = simulate(seed, cycles // 2, without)
        if not tried.violation:
            break
        worst, cycles = tried, cycles // 2
    return worst, cycles, without
