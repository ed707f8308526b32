"""One seed: the real Trader lives, dies, starts from what the disk kept, lives again; then the world calms down.

Time is virtual and every port answers at once, so the event loop never waits. What a crash leaves running is cancelled
before the next life begins: a dead process asks for nothing.

The program is the real one from the cycle down to the bytes of the state file: `Trader`, `start_from`, `DiskStateFile`
(on a disk in memory). The journal is a file that is written and never read. Nothing else is replaced.
"""

from __future__ import annotations

import asyncio
import errno
import selectors
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from decimal import Decimal

from attrs import field, frozen

from copytrade.adapters.simulated.records import Manners
from copytrade.adapters.simulated.scenario import LEADER, condition_id_of, small_world, yes_of
from copytrade.app.cycle import Ports, Trader
from copytrade.app.outcomes import Cycle
from copytrade.app.ports import StateFile
from copytrade.app.state import start_from
from copytrade.domain.model import CENT_SHARE, ZERO, Decision, Reason, Side
from copytrade.domain.policy import ALL, COPIED, Policy
from tests.simulation.chaos import Chaos, Crash, Skewed, VirtualClock
from tests.simulation.deeds import CASH, Deeds
from tests.simulation.disk import Disk, mounted
from tests.simulation.line import BadLine, HostileAccount, HostileFeed, HostileMarketData, HostileResolver
from tests.simulation.oracle import Oracle, Violation

ME = "0x" + "5e1f" * 10
START = Decimal(1_766_000_000)
MARKETS = 3
BLACKLISTED = MARKETS  # the market after those the leader holds; I hold some of it, and the user quotes there
CALM_CYCLES = 400  # an hour's hold, the longest there is, and what may come after it
POLL_SEC = 20
_STEPS_OF_A_SAVE = 24  # file operations of one save, at most

Only = Collection[tuple[int, str]] | None


@frozen(kw_only=True)
class Outcome:
    """What became of one seed. `violation` "" is well."""

    seed: int
    cycles: int
    orders: int
    fills: int
    lives: int
    faults: Counter[str]
    worst: Decimal
    converged_in: int
    violation: str
    failed_in: int  # the cycle of the violation
    struck: tuple[tuple[int, str], ...] = field(repr=False)
    story: tuple[str, ...] = field(repr=False)


class Journal:
    """A journal that is written and lost as a file would be, and never read."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos
        self.written = False

    def append(self, now: Decimal, line: bytes) -> None:
        if self._chaos.dead:
            raise Crash
        self._chaos.crash("before the journal is written")
        if self._chaos.happens("disk", 0.004):
            self._chaos.tell("the journal can't be written")
            raise OSError(errno.ENOSPC, "No space left on device")
        self.written = True
        self._chaos.crash("after the journal was written")

    def exists(self) -> bool:
        return self.written


class WatchedState:
    """The state file: it may die or fail at any step of a write, and a save that ended is durable."""

    def __init__(self, real: StateFile, disk: Disk, chaos: Chaos, oracle: Oracle) -> None:
        self._real = real
        self._disk = disk
        self._chaos = chaos
        self._oracle = oracle
        self.may_be_broken = False
        self.ends: tuple[int, bool] | None = None  # after so many steps: dies (True) or fails

    def load(self) -> bytes | None:
        return self._real.load()

    def load_backup(self) -> bytes | None:
        return self._real.load_backup()

    def save(self, document: bytes) -> None:
        self._chaos.crash("before the state is saved")
        for kind, dies in (("crash", True), ("disk", False)):
            if self._chaos.happens(kind, 0.004):
                self.ends = (self._chaos.dice.randrange(_STEPS_OF_A_SAVE), dies)
        self._oracle.saving()
        try:
            self._real.save(document)
        finally:
            self.ends = None
        self._oracle.saved()

    def keep_broken(self) -> str:
        if not self.may_be_broken:
            raise Violation("the state file could not be read")
        return self._real.keep_broken()

    def keep_broken_backup(self) -> str:
        if not self.may_be_broken:
            raise Violation("the backup of the state file could not be read")
        return self._real.keep_broken_backup()

    def step(self, words: str) -> None:
        """The disk is about to do this."""
        if self._chaos.dead:
            raise Crash
        if self.ends is None:
            return
        left, dies = self.ends
        self.ends = (left - 1, dies)
        if left == 0:
            if dies:
                self._chaos.die(f"in a save, before {words}")
            self._chaos.tell(f"the disk is full at {words}")
            raise OSError(errno.ENOSPC, "No space left on device")


class Run:
    """One seed's world and the program in it."""

    def __init__(self, seed: int, without: Collection[str] = (), only: Only = None) -> None:
        self.clock = VirtualClock(START)
        self.chaos = chaos = Chaos(seed, self.clock, without, only)
        dice = chaos.dice
        self.world = small_world(
            self.clock.now, me=ME, tokens=MARKETS, mine={0: "12", BLACKLISTED: "40"}, cash=str(CASH),
            manners=Manners(mined_after=Decimal(2), confirmed_after=Decimal(dice.choice((5, 20, 60, 400)))),
        )  # fmt: skip
        self.world.exchange.dice = chaos.world_dice
        self.own_clock = Skewed(self.clock, (ZERO, ZERO, ZERO, Decimal((25, -25, 7)[seed // 4 % 3]))[seed % 4])
        markets = [self.world.exchange.markets[condition_id_of(f"market-{number}")] for number in range(MARKETS)]
        markets[MARKETS - 1].min_order_size = Decimal(dice.choice((5, 5, 1, 15)))
        order_ttl_sec = dice.choice((90, 90, 45, 20))
        self.policy = Policy(
            follow_ratio=Decimal(dice.choice(("0.2", "0.2", "0.5", "0.0371"))),
            deadband_shares=Decimal(dice.choice((3, 3, "2.5", 10))),
            slice_max=Decimal(dice.choice((25, 25, 8, 100))),
            order_ttl_sec=Decimal(order_ttl_sec),
            settle_timeout_sec=Decimal(dice.choice((300, 300, order_ttl_sec + 60))),
            polls_to_grow=dice.choice((1, 1, 2)),
            polls_to_shrink=dice.choice((2, 2, 1, 3)),
            maker_only=dice.random() < 0.75,
            max_notional_per_token=Decimal(dice.choice((500, 500, 30, 12))),
            max_notional_total=Decimal(dice.choice((2000, 2000, 100, 50))),
            # No dice: the other seeds' stories stay what they are.
            max_daily_spend=Decimal((40, 15, 80)[seed // 4 % 3]) if seed % 4 == 2 else None,
            manage_holdings=COPIED if seed % 4 == 1 else ALL,
            target_address=LEADER,
            my_address=ME,
            blacklist_token_keys=[f"{condition_id_of(f'market-{BLACKLISTED}')}:0"],
        )
        self.disk = Disk(lambda step: self.state.step(step))
        self.oracle = Oracle(self.world, self.policy, lambda: self.disk.certain("state.json"))
        tokens = [outcome.token_id for market in markets for outcome in market.outcomes]
        self.deeds = Deeds(self.world, chaos, ME, tokens, self.oracle.check)
        self.deeds.user_trades = self.policy.maker_only  # an order that takes might meet his
        self.deeds.coarse = dice.random() < 0.4
        self.line = BadLine(chaos, self.deeds)
        self.world.faults = self.line
        self.journal = Journal(chaos)
        self.cycles = 0
        self.lives = 0
        self.stack = ExitStack()
        self.state = WatchedState(self.stack.enter_context(mounted(self.disk)), self.disk, chaos, self.oracle)
        quotes = ((Side.BUY, "0.05"), (Side.SELL, "0.95")) if dice.random() < 0.5 else ()  # without: a first start
        for side, price in quotes:
            assert self.deeds.place_for_user(yes_of(self.world, BLACKLISTED), side, Decimal(price), Decimal(10))

    # -- lives --------------------------------------------------------------------------------------------------------

    def new_life(self) -> Trader:
        """Start as `copytrade run` does, from what the disk has."""
        chaos = self.chaos
        chaos.dead = False
        self.lives += 1
        self.state.may_be_broken = False
        known = bool(self.disk.certain("state.json"))
        lost = known and self._loses_state()
        there = "state.json" in self.disk.names  # perhaps without having been synced
        traces = there or "state.json.bak" in self.disk.names or self.journal.exists()
        self.oracle.new_life(lost_state=lost or not there, traces=traces)
        self.oracle.begin_cycle()
        start = start_from(
            self.state, self.policy, name="state.json", journal_exists=self.journal.exists(), now=self.own_clock.now()
        )
        if start.notes and known and not lost:
            raise Violation(f"the state was lost: {start.notes}")
        return Trader(
            Ports(
                feed=HostileFeed(self.line, self.deeds, self.oracle),
                resolver=HostileResolver(self.line, self.deeds),
                market=HostileMarketData(self.line, self.deeds),
                clock=self.own_clock,
                account=HostileAccount(self.line, self.deeds, self.oracle, chaos, ME),
                state=self.state,
                journal=self.journal,
            ),
            self.policy,
            start.memory,
            encode_line=lambda *_: b"",
            may_be_first=start.first,
        )

    def _loses_state(self) -> bool:
        if not self.chaos.happens("lost state", 0.08):
            return False
        dice, disk = self.chaos.dice, self.disk
        text = disk.certain("state.json")
        cut = dice.choice((None, text[: dice.randrange(len(text))], text[:-1]))
        self.chaos.tell("the state file is gone" if cut is None else "the state file is cut short")
        disk.put("state.json", cut)
        if dice.random() < 0.4:
            self.chaos.tell("and so is its backup")
            backup = disk.certain("state.json.bak")
            disk.put("state.json.bak", dice.choice((None, backup[: len(backup) // 2])))
        self.state.may_be_broken = True
        return True

    def _die(self, loop: asyncio.AbstractEventLoop) -> None:
        _bury(loop)
        self.chaos.dead = False
        if self.chaos.happens("power cut", 0.5):
            self.chaos.tell("the power is cut")
            self.disk.cut_power(self.chaos.dice)
        else:
            self.disk.kill()
        if self.chaos.happens("downtime", 0.3):
            self._wait(self.chaos.dice.choice((60, 150, 900)))

    # -- cycles -------------------------------------------------------------------------------------------------------

    def live(self, loop: asyncio.AbstractEventLoop, cycles: int) -> int:
        """Go through the chaos, then the calm; return after how many calm cycles it had converged."""
        trader: Trader | None = None
        while self.cycles < cycles:
            self.cycles += 1
            self.chaos.begin_cycle(self.cycles)
            self.deeds.between_cycles()
            try:
                trader = trader or self.new_life()
                self._cycle(loop, trader)
                if self.chaos.happens("stop", 0.01):
                    self.chaos.tell("the run is stopped")
                    loop.run_until_complete(trader.cancel_all())
                    trader = None
            except Crash:
                self._die(loop)
                trader = None
            except OSError:  # a start that the disk does not take: a person tries again later
                assert trader is None
            self._wait(POLL_SEC)
        return self._calm(loop, trader)

    def _calm(self, loop: asyncio.AbstractEventLoop, trader: Trader | None) -> int:
        self.deeds.settle()
        trader = trader or self.new_life()
        done = self._cycle(loop, trader)
        for calm in range(1, CALM_CYCLES + 1):
            self.cycles += 1
            self.chaos.begin_cycle(self.cycles)
            if self._converged(done):
                return calm
            for order_id in self.deeds.live():
                self.world.exchange.hit(order_id, self.world.exchange.orders[order_id].rest)
            self.oracle.check()
            self._wait(POLL_SEC)
            done = self._cycle(loop, trader)
        stuck = [one for one in done.plan.decisions if not self._well(one.token_id, one)]
        words = ", ".join(f"{d.reason.value} lo {d.lo} hi {d.hi} want {d.want_lo}..{d.want_hi}" for d in stuck)
        where = (stuck[0].token_id or "") if stuck else ""
        raise Violation(f"not converged in {CALM_CYCLES} calm cycles: {words or 'orders are still moving'}", where)

    def _cycle(self, loop: asyncio.AbstractEventLoop, trader: Trader) -> Cycle:
        self.oracle.begin_cycle()
        done = loop.run_until_complete(trader.cycle())
        self.oracle.check()
        self.oracle.end_cycle(trader.memory)
        return done

    def _wait(self, seconds: int) -> None:
        for part in (seconds // 2, seconds - seconds // 2):
            self.clock.time += part
            self.world.now()
            self.deeds.disturb()
            self.oracle.check()

    # -- calm -----------------------------------------------------------------------------------------------------

    def _converged(self, done: Cycle) -> bool:
        if done.plan.actions or self.deeds.live():
            return False
        decisions = {one.token_id: one for one in done.plan.decisions}
        return all(self._well(token_id, decisions.get(token_id)) for token_id in self.deeds.tokens)

    def _well(self, token_id: str | None, decision: Decision | None) -> bool:
        """In the band by the truth; or below what the exchange takes, or held back by a cap, and that is true."""
        known = self.world.exchange.market_of(token_id or "")
        if token_id is None or known is None or known[0].payouts is not None or token_id not in self.deeds.tokens:
            return True
        gap, band = self.oracle.gap(token_id), self.policy.deadband_shares + CENT_SHARE
        if abs(gap) <= band:
            return True
        least = self._least(token_id, known[0].min_order_size)
        capped = gap < 0 and (
            self._full(self.oracle.cost(token_id), self.policy.max_notional_per_token, least)
            or self._full(self.oracle.cost(), self.policy.max_notional_total, least)
        )
        match decision.reason if decision else None:
            case Reason.DUST:
                return capped or abs(gap) <= least + band
            case Reason.TOKEN_CAP | Reason.TOTAL_CAP:
                return capped
            case Reason.NOT_OURS:
                return gap > 0 and self.policy.manage_holdings == COPIED and self.oracle.may_be_strange(token_id)
            case Reason.DAILY_SPEND:  # how much of it is used up, a failed trade counted or not, is the program's say
                return gap < 0 and self.policy.max_daily_spend is not None
        return False

    def _least(self, token_id: str, min_order_size: Decimal) -> Decimal:
        """What the exchange takes at least: an order that takes must be worth 1 pUSD."""
        bids = self.world.exchange.books[token_id].bids
        return min_order_size if self.policy.maker_only or not bids else max(min_order_size, 1 / max(bids))

    def _full(self, cost: Decimal, cap: Decimal, least: Decimal) -> bool:
        """One more order would not fit, shares counted at 1 pUSD at most (a price that fell still counts as paid)."""
        held = sum(self.world.exchange.wallets[ME].shares.values(), ZERO)
        return cost + least >= cap or held + least >= cap


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


class _NeverWaits(selectors.SelectSelector):
    """Asks the system for nothing: whatever is awaited in here is ready, or never will be."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return []


def simulate(
    seed: int, cycles: int = 60, without: Collection[str] = (), only: Only = None, *, told: bool = True
) -> Outcome:
    """Live through one seed. Never raises for a broken law: the outcome says it (without a story unless `told`)."""
    loop = asyncio.SelectorEventLoop(_NeverWaits())
    loop.set_exception_handler(lambda _loop, _context: None)  # a crash leaves siblings with exceptions nobody reads
    run = Run(seed, without, only)
    violation, calm, where = "", 0, ""
    with run.stack:
        try:
            calm = run.live(loop, cycles)
        except Violation as broken:
            violation, where = str(broken), broken.token_id
        except Exception as error:  # noqa: BLE001 - whatever ends the program is a broken law too
            violation = f"ended: {type(error).__name__} {error}"
        finally:
            _bury(loop)
            loop.close()

    def name(token_id: str) -> str:
        return run.deeds.name(token_id) if token_id else ""

    return Outcome(
        seed=seed,
        cycles=run.cycles,
        orders=len(run.oracle.sent),
        fills=run.oracle.fills,
        lives=run.lives,
        faults=run.chaos.count,
        worst=run.oracle.worst,
        converged_in=calm,
        violation=f"{violation} ({name(where)})" if where else violation,
        failed_in=run.cycles if violation else 0,
        struck=tuple(run.chaos.struck) if told else (),
        story=()
        if not told
        else tuple(
            f"cycle {cycle:>3} {at - START:>9} s  {name(token) + ': ' if token else ''}{words}"
            for cycle, at, token, words in run.chaos.story
            if not where or token in ("", where)
        ),
    )
