"""The ports of the program on the engine, over a bad line.

`BadLine` decides how each request fails. The ports then let time pass and the world go on between the moment in which
an answer is made and the moment in which it arrives, change the order in which concurrent answers come, and show the
oracle what the program was told and what it does.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from copytrade.adapters.simulated import checks
from copytrade.adapters.simulated.faults import Endpoint, Fault, Faults, Kind
from copytrade.adapters.simulated.in_process import (
    SimulatedAccount,
    SimulatedFeed,
    SimulatedMarketData,
    SimulatedResolver,
    refused,
)
from copytrade.adapters.simulated.world import Event
from copytrade.app.ports import (
    CancelAnswer,
    Fill,
    FullBook,
    LookUp,
    OpenOrder,
    PostAnswer,
    PostFate,
    Resolution,
    SignedOrder,
)
from copytrade.domain.model import Position, Positions
from tests.simulation.chaos import Chaos
from tests.simulation.deeds import Deeds
from tests.simulation.oracle import Oracle

T = TypeVar("T")

_READS = {
    Endpoint.POSITIONS_V2, Endpoint.BOOKS, Endpoint.OPEN_ORDERS, Endpoint.ORDER, Endpoint.TRADES, Endpoint.BALANCE,
    Endpoint.REFRESH, Endpoint.TIME, Endpoint.GAMMA_MARKETS,
}  # fmt: skip
_STATUSES = (425, 429, 500, 503)
# An order that reaches the book does so, and is listed, within fill_grace_sec (60 s) of being signed: what a post takes
# at most, and what the listing is late at most (20 s), have to fit. (docs/reliability.md, What is assumed)
_ARRIVES_WITHIN_SEC = Decimal(38)


class BadLine(Faults):
    """The faults of every request, rolled when it is made."""

    def __init__(self, chaos: Chaos, deeds: Deeds) -> None:
        super().__init__()
        self._chaos = chaos
        self._deeds = deeds

    def take(self, endpoint: Endpoint) -> Fault | None:
        """A request is made, and arrives a little later."""
        chaos = self._chaos
        chaos.crash(f"at {endpoint}")
        chaos.clock.pass_ms(chaos.some_ms(20, 300))
        if chaos.happens("slow", 0.01):
            chaos.clock.pass_ms(chaos.dice.randint(3_000, 25_000))
        self._world_goes_on()
        return self._fault(endpoint)

    async def answered(self, endpoint: str) -> None:
        """The answer comes back, perhaps late, perhaps after those of others."""
        chaos = self._chaos
        for _ in range(chaos.steps()):
            await asyncio.sleep(0)
        if chaos.happens("late answer", 0.08):
            chaos.clock.pass_ms(chaos.dice.randint(100, 8_000))
            self._world_goes_on()
        chaos.crash(lambda: f"while {endpoint} is answered")

    def _world_goes_on(self) -> None:
        self._deeds.world.now()
        self._deeds.disturb()
        self._deeds.check()

    def _fault(self, endpoint: Endpoint) -> Fault | None:
        chaos = self._chaos
        if endpoint in _READS:
            if endpoint is Endpoint.POSITIONS_V2 and chaos.happens("short list", 0.04):
                kind = chaos.dice.choice((Kind.NEGATIVE, Kind.DUPLICATES, Kind.ENDLESS, Kind.NO_IDS))
                chaos.tell(f"a list of positions is spoilt: {kind}")
                return Fault(kind=kind)
            if chaos.happens("bad answer", 0.03):
                kind = chaos.dice.choice((Kind.STATUS, Kind.GARBAGE, Kind.DROP))
                chaos.tell(f"{endpoint}: {kind}")
                return Fault(kind=kind, status=chaos.dice.choice(_STATUSES))
            return None
        posts = endpoint is Endpoint.POST_ORDERS
        if chaos.happens("lost post" if posts else "lost cancel", 0.15):
            after = chaos.dice.random() < 0.6
            chaos.tell(f"{endpoint}: the answer is lost, {'after' if after else 'before'} it took effect")
            return Fault(kind=chaos.dice.choice((Kind.DROP, Kind.GARBAGE, Kind.HTML)), after_effect=after)
        if posts and chaos.happens("refused post", 0.04):
            status = chaos.dice.choice((400, *_STATUSES))
            chaos.tell(f"{endpoint}: {status}")
            return Fault(kind=Kind.STATUS, status=status)
        return None


class HostileFeed(SimulatedFeed):
    """The positions of both wallets; the oracle hears what is told."""

    def __init__(self, line: BadLine, deeds: Deeds, oracle: Oracle) -> None:
        super().__init__(deeds.world)
        self._bad = line
        self._oracle = oracle

    async def positions(self, wallet: str) -> Positions:
        answer = await super().positions(wallet)
        await self._bad.answered("positions")
        self._oracle.told(wallet, answer)
        return answer


class HostileResolver(SimulatedResolver):
    """Token ids."""

    def __init__(self, line: BadLine, deeds: Deeds) -> None:
        super().__init__(deeds.world)
        self._bad = line

    async def resolve(self, positions: Collection[Position]) -> Resolution:
        answer = await super().resolve(positions)
        await self._bad.answered("the resolver")
        return answer


class HostileMarketData(SimulatedMarketData):
    """Books and the exchange's clock."""

    def __init__(self, line: BadLine, deeds: Deeds) -> None:
        super().__init__(deeds.world)
        self._bad = line

    async def books(self, token_ids: Collection[str]) -> Mapping[str, FullBook]:
        answer = await super().books(token_ids)
        await self._bad.answered("books")
        return answer


class HostileAccount(SimulatedAccount):
    """Our orders, fills and balances; the oracle sees everything that is sent, before it is sent."""

    def __init__(self, line: BadLine, deeds: Deeds, oracle: Oracle, chaos: Chaos, me: str) -> None:
        super().__init__(deeds.world, me, chaos.clock)
        self._bad = line
        self._deeds = deeds
        self._oracle = oracle
        self._chaos = chaos

    # -- reads ----------------------------------------------------------------------------------------------------

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        answer = await super().open_orders()
        await self._bad.answered("the listing")
        self._oracle.listed()
        return answer

    async def look_up(self, order_id: str) -> LookUp:
        answer = await super().look_up(order_id)
        await self._bad.answered("a look-up")
        return answer

    async def fills(self, *, after: Decimal) -> tuple[Fill, ...]:
        answer = await super().fills(after=after)
        await self._bad.answered("trades")
        self._oracle.told_trades(answer)
        return answer

    async def balance(self, token_id: str) -> Decimal:
        answer = await super().balance(token_id)
        await self._bad.answered("a balance")
        return answer

    # -- orders ---------------------------------------------------------------------------------------------------

    async def post(
        self, orders: Sequence[SignedOrder], *, unless: Callable[[], bool] = lambda: False
    ) -> tuple[PostAnswer, ...]:
        for order in orders:
            words = f"post {order.side.value} {order.size} at {order.price} ({order.order_id[-4:]})"
            self._chaos.tell(words, order.token_id)
        self._deeds.ours |= {order.order_id for order in orders}
        self._oracle.posts(orders)
        late_from = self._chaos.clock.now()
        if self._chaos.happens("late post", 0.1):
            answers = self._late(orders, late_from)
        else:
            answers = await self._spoilt(orders)
        self._between(orders)
        await self._bad.answered("a post")
        for order, answer in zip(orders, answers, strict=True):
            self._chaos.tell(f"… {answer.fate.value} {answer.words} ({order.order_id[-4:]})", order.token_id)
        self._oracle.answered(orders, answers)
        return answers

    async def _spoilt(self, orders: Sequence[SignedOrder]) -> tuple[PostAnswer, ...]:
        """Post them, but for legs that never make it; some answers become nonsense."""
        chaos, kept, given = self._chaos, [], {}
        for order in orders:
            if chaos.happens("refused leg", 0.03):
                given[order.order_id] = refused(order.order_id, chaos.dice.choice(_REFUSALS), 200)
            elif chaos.happens("lost leg", 0.03):
                given[order.order_id] = PostAnswer(order_id=order.order_id, fate=PostFate.UNKNOWN, words="no answer")
                if chaos.dice.random() < 0.6:
                    kept.append(order)
            else:
                kept.append(order)
        real = {answer.order_id: answer for answer in await super().post(kept)} if kept else {}
        return tuple(given.get(order.order_id) or real[order.order_id] for order in orders)

    def _late(self, orders: Sequence[SignedOrder], since: Decimal) -> tuple[PostAnswer, ...]:
        """Nobody answers. The batch arrives later, if the exchange takes anything then."""
        chaos, exchange = self._chaos, self._exchange
        at = since + min(Decimal(chaos.dice.randint(1, 38)), _ARRIVES_WITHIN_SEC)

        def arrive(_: object) -> None:
            for order in orders:
                self._oracle.arrived(order.order_id)
                if exchange.gate(cancels=False) is None and exchange.post(self._new(order)).accepted:
                    chaos.tell(f"only now {order.order_id[-4:]} reaches the book", order.token_id)
            self._deeds.check()

        chaos.tell(f"the post is on its way until {at}")
        self._oracle.sent_late([order.order_id for order in orders])
        insort(self._deeds.world.story, Event(at=at, deed=arrive), key=lambda event: event.at)
        return tuple(PostAnswer(order_id=order.order_id, fate=PostFate.UNKNOWN, words="no answer") for order in orders)

    async def cancel(self, order_ids: Sequence[str]) -> tuple[CancelAnswer, ...]:
        self._oracle.cancels(order_ids)
        if self._chaos.happens("fill", 0.25):
            self._deeds.fill(order_ids)
        if self._chaos.happens("lost cancel", 0.08):
            answers = self._late_cancel(order_ids)
        else:
            answers = await super().cancel(order_ids)
        self._between(())
        await self._bad.answered("a cancel")
        for answer in answers:
            order = self._exchange.orders.get(answer.order_id)
            words = "confirmed" if answer.confirmed else "not confirmed"
            self._chaos.tell(f"cancel {answer.order_id[-4:]}: {words} {answer.words}", order.token_id if order else "")
        return answers

    def _late_cancel(self, order_ids: Sequence[str]) -> tuple[CancelAnswer, ...]:
        at = self._chaos.clock.now() + self._chaos.dice.randint(1, 60)
        self._chaos.tell(f"the cancel is on its way until {at}")

        def arrive(_: object) -> None:
            self._exchange.cancel(self._wallet.address, order_ids)

        insort(self._deeds.world.story, Event(at=at, deed=arrive), key=lambda event: event.at)
        return tuple(CancelAnswer(order_id=one, confirmed=False, words="no answer") for one in order_ids)

    def _between(self, orders: Collection[SignedOrder]) -> None:
        """Between deed and answer: here the market likes to come."""
        self._deeds.check()
        if self._chaos.happens("fill", 0.25):
            self._deeds.fill()
        self._deeds.check()
        self._chaos.crash("after a post" if orders else "after a cancel", 0.01)


_REFUSALS = (
    checks.CROSSES,
    checks.NO_BALANCE,
    checks.NOT_READY,
    checks.POST_ONLY_MODE,
    "order is invalid. Price breaks minimum tick size rule: 0.01",
    "something that no page lists",
    "could not insert order",  # proves nothing
)
