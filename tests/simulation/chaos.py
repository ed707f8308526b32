"""What goes wrong, decided by dice at every single request.

`Chaos` stands where the world's faults stand: whoever asks the world anything asks it first. There it lets time pass,
lets the market and the leader move, and says how this request fails. Each kind of trouble has a name; a name in
`without` never happens (its dice are rolled all the same, so that the rest of the story stays as it was if it can).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random

from copytrade.adapters.simulated.faults import Endpoint, Fault, Faults, Kind
from copytrade.adapters.simulated.records import Mode
from copytrade.adapters.simulated.scenario import LEADER, quote, yes_of
from copytrade.adapters.simulated.world import World
from copytrade.domain.model import ZERO

KINDS = (
    "lag", "flip", "freeze", "short list", "bad answer", "lost post", "lost cancel", "refusal", "fill", "book",
    "leader", "slow", "mode", "vanish", "crash", "disk", "lost state",
)  # fmt: skip
_READS = {
    Endpoint.POSITIONS_V2, Endpoint.BOOKS, Endpoint.OPEN_ORDERS, Endpoint.ORDER, Endpoint.TRADES, Endpoint.BALANCE,
    Endpoint.REFRESH, Endpoint.TIME, Endpoint.GAMMA_MARKETS,
}  # fmt: skip
_CENT = Decimal("0.01")


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

    def pass_ms(self, least: int, most: int, dice: Random) -> None:
        self.time += Decimal(dice.randint(least, most)).scaleb(-3)


class Chaos(Faults):
    """The faults of one seed's world."""

    def __init__(self, seed: int, clock: VirtualClock, without: frozenset[str]) -> None:
        super().__init__()
        self.dice = Random(seed)
        self.clock = clock
        self.without = without
        self.count: Counter[str] = Counter()
        self.story: list[tuple[Decimal, str, str]] = []  # when, token id or "", words
        self.calm = False
        self.check: Callable[[], None] = lambda: None
        self.rate = {kind: self.dice.choice((0.2, 1.0, 1.0, 2.5, 5.0)) for kind in KINDS}
        self._world: World | None = None
        self._tokens: list[str] = []

    def join(self, world: World, tokens: int) -> None:
        self._world = world
        self._tokens = [yes_of(world, number) for number in range(tokens)]

    @property
    def world(self) -> World:
        assert self._world is not None
        return self._world

    def name(self, token_id: str) -> str:
        known = self.world.exchange.market_of(token_id)
        return known[0].slug if known else token_id[:8]

    def tell(self, words: str, token_id: str = "") -> None:
        self.story.append((self.clock.now(), token_id, words))

    def happens(self, kind: str, chance: float) -> bool:
        """Roll. True, and counted, when this kind of trouble strikes now."""
        strikes = self.dice.random() < chance * self.rate[kind]
        if not strikes or self.calm or kind in self.without:
            return False
        self.count[kind] += 1
        return True

    def crash(self, where: str) -> None:
        """Perhaps the process dies here."""
        if self.happens("crash", 0.003):
            self.tell(f"CRASH {where}")
            raise Crash(where)

    def take(self, endpoint: Endpoint) -> Fault | None:
        """A request is made."""
        self.crash(f"at {endpoint}")
        self.clock.pass_ms(20, 400, self.dice)
        if self.happens("slow", 0.01):
            self.clock.pass_ms(3_000, 25_000, self.dice)
        self.world.now()
        self.disturb()
        self.check()
        return self._fault(endpoint)

    def disturb(self) -> None:
        """The market and the leader move, perhaps."""
        if self.happens("fill", 0.12):
            self.fill()
        if self.happens("book", 0.01):
            token_id = self.dice.choice(self._tokens)
            mid = Decimal(self.dice.randint(45, 55)) / 100
            self.tell(f"the book of {self.name(token_id)} moves to {mid}", token_id)
            quote(self.world.exchange, token_id, str(mid))
        if self.happens("leader", 0.015):
            self._leader()
        if self.happens("vanish", 0.005) and (live := self._live()):
            order_id = self.dice.choice(live)
            self.tell(f"the exchange takes {order_id[-4:]} down", self.world.exchange.orders[order_id].token_id)
            self.world.exchange.vanish(order_id)

    def fill(self, share: Decimal | None = None) -> None:
        """The outside world takes (a part of) one of our orders."""
        exchange, live = self.world.exchange, self._live()
        if not live:
            return
        order = exchange.orders[self.dice.choice(live)]
        part = self.dice.choice((Decimal(1), Decimal(1), Decimal("0.5"), Decimal("0.13"))) if share is None else share
        size = max((order.rest * part).quantize(_CENT), _CENT)
        self.tell(f"the market takes {size} of {order.side.value} {order.size} ({order.order_id[-4:]})", order.token_id)
        exchange.hit(order.order_id, min(size, order.rest))

    def _live(self) -> list[str]:
        """Our own resting orders; the user's are left alone."""
        wallets = self.world.exchange.wallets.values()
        live = [order_id for each in wallets for order_id in each.live]
        return [order_id for order_id in live if self.world.exchange.orders[order_id].api_key != "user"]

    def _leader(self) -> None:
        token_id = self.dice.choice(self._tokens)
        before = self.world.exchange.wallets[LEADER].shares.get(token_id, ZERO)
        size = self.dice.choice(
            (ZERO, before / 2, before + 50, before * 2, Decimal(100), Decimal(self.dice.randint(1, 400)))
        )
        size = min(size, Decimal(500)).quantize(_CENT)
        self.tell(f"the leader goes from {before} to {size} of {self.name(token_id)}", token_id)
        self.world.exchange.hold(LEADER, token_id, size, Decimal("0.5"))

    def between_cycles(self, me: str) -> None:
        """The feeds change their manners, perhaps."""
        now = self.world.exchange.now
        if self.happens("mode", 0.02):
            self.world.exchange.mode = self.dice.choice(tuple(Mode))
            self.tell(f"the exchange is in mode {self.world.exchange.mode}")
        elif self.dice.random() < 0.3:
            self.world.exchange.mode = Mode.NORMAL
        for who, wallet in (("leader", LEADER), ("me", me)):
            feed = self.world.feed(wallet)
            if self.happens("lag", 0.05):
                feed.lag_sec = Decimal(self.dice.choice((0, 5, 30, 90, 300, 1200)))
                self.tell(f"the feed of {who} lags by {feed.lag_sec} s")
            if self.happens("flip", 0.05):
                feed.flip_chance = self.dice.choice((0.0, 0.2, 0.5))
                feed.flip_sec = Decimal(self.dice.choice((30, 120, 600)))
                self.tell(f"the feed of {who} flips back {feed.flip_chance} of the time, up to {feed.flip_sec} s")
            if self.happens("freeze", 0.02):
                feed.freeze(now)
                self.tell(f"the feed of {who} freezes")
            elif feed.frozen_at is not None and self.dice.random() < 0.1:
                feed.thaw()
                self.tell(f"the feed of {who} thaws")

    def settle(self, me: str) -> None:
        """Calm: nothing goes wrong from here on, and the feeds are punctual."""
        self.calm = True
        self.tell("calm")
        self.world.exchange.mode = Mode.NORMAL
        for wallet in (LEADER, me):
            feed = self.world.feed(wallet)
            feed.thaw()
            feed.lag_sec, feed.flip_chance = ZERO, 0.0

    def _fault(self, endpoint: Endpoint) -> Fault | None:
        if endpoint is Endpoint.POSITIONS_V2 and self.happens("short list", 0.04):
            kind = self.dice.choice((Kind.NEGATIVE, Kind.DUPLICATES, Kind.ENDLESS))
            self.tell(f"a list of positions is cut short ({kind})")
            return Fault(kind=kind)
        if endpoint in _READS and self.happens("bad answer", 0.03):
            kind = self.dice.choice((Kind.STATUS, Kind.GARBAGE, Kind.DROP))
            self.tell(f"{endpoint}: {kind}")
            return Fault(kind=kind, status=self.dice.choice((425, 429, 500, 503)))
        lost = {Endpoint.POST_ORDERS: "lost post", Endpoint.CANCEL_ORDERS: "lost cancel"}.get(endpoint)
        if lost is not None and self.happens(lost, 0.12):
            after = self.dice.random() < 0.6
            self.tell(f"{endpoint}: the answer is lost, {'after' if after else 'before'} it took effect")
            return Fault(kind=self.dice.choice((Kind.DROP, Kind.GARBAGE, Kind.HTML)), after_effect=after)
        if endpoint is Endpoint.POST_ORDERS and self.happens("refusal", 0.05):
            status = self.dice.choice((400, 425, 429, 500, 503))
            self.tell(f"{endpoint}: {status}")
            return Fault(kind=Kind.STATUS, status=status)
        return None
