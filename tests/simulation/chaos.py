"""What goes wrong, decided by dice: at every request, between question and answer, between cycles, at every file write.

Each kind of trouble has a name. Whether it strikes is rolled each time it could; `without` leaves kinds out, `only`
leaves nothing but the named strikes (cycle, kind). So that leaving one out changes as little as possible of the rest,
the dice are thrown anew for each cycle, and what a strike does is decided by dice of its own.

A seed is divided into phases of some cycles. In each, some kinds rage, some rest: all at once would keep the program
from ever doing anything, and what hides between two kinds of trouble shows when the others are silent.

Not here: what the deeds do to the world (deeds.py), how an answer is spoilt (line.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from decimal import Decimal
from random import Random

from copytrade.domain.model import ZERO

# Kind -> what it is, in the words of docs/reliability.md.
KINDS = {
    "fill": "the market takes one of our orders, or a part of it, at any moment",
    "book": "prices jump, books get thin, one-sided or empty",
    "leader": "the leader grows, shrinks, leaves or flips a position",
    "lag": "a positions feed lags by up to 20 minutes",
    "flip": "a positions feed answers now and then with an older state",
    "freeze": "a positions feed stands still",
    "short list": "a list of positions is cut short, has a row twice or no end",
    "bad answer": "a read fails: 425, 429, 500, 503, garbage, a dropped connection",
    "slow": "a request takes up to 25 s to arrive",
    "late answer": "an answer takes up to 8 s to come back, and the world goes on",
    "lost post": "a post's answer is lost, before or after it took effect",
    "late post": "a post without an answer takes effect half a minute later",
    "refused post": "a whole batch is answered with 400, 425, 429, 500 or 503",
    "refused leg": "one order of a batch is refused, with one of the exchange's reasons",
    "lost leg": "one order of a batch is answered with nonsense; it may rest or not",
    "lost cancel": "a cancel's answer is lost, before or after it took effect, or it takes effect later",
    "vanish": "the exchange takes an order down by itself",
    "late orders": "young orders are in no listing and no look-up for up to 20 s",
    "late trades": "trades are listed up to a minute late",
    "failed trade": "a trade fails after it matched",
    "forgetful": "closed orders are not found any more",
    "tick": "a market's tick changes",
    "closed": "a market takes no orders for a while, or has no book",
    "resolved": "a market is resolved",
    "drained": "the cash is taken out of the wallet, or comes back",
    "own order": "the user places or cancels an order of his own",
    "stale balance": "the exchange's balances are cached and old",
    "mode": "the exchange restarts, is post-only, cancel-only or disabled",
    "stop": "the run is stopped and started again",
    "crash": "the process dies at an await or inside a file write",
    "power cut": "the machine dies with it: what was not synced is lost or torn",
    "downtime": "it takes up to 15 minutes until the next start",
    "disk": "a file write fails",
    "lost state": "the state file is cut or gone at a start, perhaps its backup too",
}
_MOODS = (0.0, 0.0, 0.3, 1.0, 1.0, 2.5, 6.0)  # how a kind rages in one phase
_ALWAYS = ("fill", "leader")  # without these nothing would ever be done


class Crash(BaseException):
    """The process dies here. Not an Exception: nothing in the program may catch it."""


class VirtualClock:
    """Time that passes when it is told to."""

    def __init__(self, start: Decimal) -> None:
        self.time = start

    def now(self) -> Decimal:
        return self.time

    async def sleep(self, seconds: Decimal) -> None:
        self.time += max(seconds, ZERO)

    def pass_ms(self, milliseconds: int) -> None:
        self.time += Decimal(milliseconds).scaleb(-3)


class Skewed:
    """The clock of a machine that is so many seconds ahead of the exchange's (below 0: behind)."""

    def __init__(self, true: VirtualClock, ahead: Decimal) -> None:
        self._true = true
        self._ahead = ahead

    def now(self) -> Decimal:
        return self._true.now() + self._ahead

    async def sleep(self, seconds: Decimal) -> None:
        await self._true.sleep(seconds)


class Chaos:
    """The dice of one seed, and the story of what they did."""

    def __init__(
        self,
        seed: int,
        clock: VirtualClock,
        without: Collection[str] = (),
        only: Collection[tuple[int, str]] | None = None,
    ) -> None:
        self.clock = clock
        self.dice = Random(seed)  # of the strike in hand
        self.world_dice = Random(seed)  # the engine's own: flips, fails
        self.count: Counter[str] = Counter()
        self.struck: dict[tuple[int, str], None] = {}  # in the order of time
        self.story: list[tuple[int, Decimal, str, str]] = []  # cycle, when, token id or "", words
        self.calm = False
        self.dead = False  # the process of this life
        self.cycle = 0
        self.rate: dict[str, float] = dict.fromkeys(KINDS, 1.0)
        self._seed = seed
        self._rolls = Random(seed)
        self._without = frozenset(without)
        self._only = None if only is None else frozenset(only)
        self._phase_ends = 0
        self._phases = Random(f"{seed} phases")

    # -- dice -----------------------------------------------------------------------------------------------------

    def begin_cycle(self, number: int) -> None:
        """The dice of this cycle, whatever happened in the others."""
        self.cycle = number
        self._rolls.seed(self._seed * 1_000_003 + number)
        self.world_dice.seed(self._seed * 1_000_003 - number)
        if number >= self._phase_ends:
            self._phase_ends = number + self._phases.randint(12, 40)
            quiet = self._phases.random() < 0.12
            for kind in KINDS:
                mood = self._phases.choice(_MOODS)
                self.rate[kind] = max(mood, 0.7) if kind in _ALWAYS else 0.0 if quiet else mood

    def happens(self, kind: str, chance: float) -> bool:
        """Roll. True, and counted, when this kind of trouble strikes now; `dice` are then its own."""
        roll = self._rolls.random()
        if roll >= chance * self.rate[kind] or self.calm or kind in self._without:
            return False
        if self._only is not None and (self.cycle, kind) not in self._only:
            return False
        self.dice.seed(roll)
        self.count[kind] += 1
        self.struck[self.cycle, kind] = None
        return True

    def some_ms(self, least: int, most: int) -> int:
        """How long a request takes when nothing is wrong."""
        return least + int(self._rolls.random() * (most - least))

    def steps(self) -> int:
        """How often others come first while an answer is on its way."""
        return int(self._rolls.random() * 3)

    # -- the end of a life --------------------------------------------------------------------------------------------

    def crash(self, where: Callable[[], str] | str, chance: float = 0.0025) -> None:
        """Perhaps the process dies here; once it is dead, nothing of it does anything any more."""
        if self.dead:
            raise Crash
        if self.happens("crash", chance):
            self.die(where if isinstance(where, str) else where())

    def die(self, where: str) -> None:
        self.tell(f"CRASH {where}")
        self.dead = True
        raise Crash

    # -- the story ----------------------------------------------------------------------------------------------------

    def tell(self, words: str, token_id: str = "") -> None:
        self.story.append((self.cycle, self.clock.now(), token_id, words))
