"""The ports of app/ports.py straight on the engine: no HTTP, no signatures, no waiting.

For the deterministic simulation of the whole loop. What an adapter would make of a fault is decided here: a read that
is answered badly raises (or is not `ok`), a post or cancel whose answer is lost is of unknown fate, and words of
refusal are sorted by the same table (clob/refusals.py) that the real adapter uses.

Prices, sizes and times are those of the engine; an order's id comes from its counter instead of a signature. The only
waits are on the clock that is handed in: for delays, and for the order bucket to fill. `SHORT_PAGES` is no fault here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from copytrade.adapters.clob.posting import not_sent
from copytrade.adapters.clob.refusals import leaves_doubt, refusal_of, says_no
from copytrade.adapters.simulated import feed
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.handlers import TOO_MANY
from copytrade.adapters.simulated.records import NewOrder, OrderStatus, Posted, SimOrder, SimTrade, TradeState
from copytrade.adapters.simulated.rules import MAX_BATCH
from copytrade.adapters.simulated.world import World
from copytrade.app.ports import (
    CancelAnswer,
    Clock,
    Fill,
    FullBook,
    Level,
    LookUp,
    OpenOrder,
    OrderFate,
    PostAnswer,
    PostFate,
    Refusal,
    Resolution,
    SignedOrder,
    ToSign,
    TradeStatus,
)
from copytrade.domain.ids import IdKind, is_combo_condition, kind_of
from copytrade.domain.model import OrderId, Position, Positions, TokenId, TokenKey
from copytrade.errors import BadAnswer, Unreachable

T = TypeVar("T")

_STATUSES = {TradeState.CONFIRMED: TradeStatus.CONFIRMED, TradeState.FAILED: TradeStatus.FAILED}
_MAX_CANCELS = 120
_LOST = "the answer was lost"


class _Line:
    """The way to the world for one port: requests are written down, faults strike, time passes only for a delay."""

    def __init__(self, world: World, clock: Clock | None = None) -> None:
        self.world = world
        self._clock = clock

    async def fault(self, endpoint: Endpoint, *, wallet: str = "", items: int = 1) -> Fault | None:
        """Begin a request. The world is up to date afterwards."""
        fault = self.world.faults.take(endpoint)
        if fault is not None and fault.delay_sec > 0 and self._clock is not None:
            await self._clock.sleep(Decimal(str(fault.delay_sec)))
        self.world.now()
        if fault is not None and fault.deed is not None:
            fault.deed()
        self.world.note(endpoint, wallet=wallet, items=items)
        return fault

    async def wait_for_orders(self, signer: str, count: int) -> None:
        """Wait, on the clock, until the order bucket holds so many."""
        bucket = self.world.exchange.bucket(signer, "orders")
        wait = bucket.wait(count, self.world.exchange.now)
        if wait > 0 and self._clock is not None:
            await self._clock.sleep(wait)
            self.world.now()

    async def read(self, endpoint: Endpoint, answer: Callable[[], T], *, wallet: str = "", items: int = 1) -> T:
        """A read, as it looks when all its tries are over. Raises Unreachable or BadAnswer."""
        fault = await self.fault(endpoint, wallet=wallet, items=items)
        match fault.kind if fault is not None else Kind.NONE:
            case Kind.NONE | Kind.SHORT_PAGES:
                return answer()
            case Kind.GARBAGE if endpoint is Endpoint.REFRESH:  # nobody reads what it says
                return answer()
            case Kind.STATUS | Kind.HTML | Kind.DROP:
                raise Unreachable(f"{endpoint}: simulated")
            case kind:
                raise BadAnswer(f"{endpoint}: simulated {kind}")


class SimulatedFeed:
    """The `PositionsFeed` port."""

    def __init__(self, world: World, clock: Clock | None = None) -> None:
        self._line = _Line(world, clock)
        self._known: dict[tuple[object, ...], Position] = {}

    async def positions(self, wallet: str) -> Positions:
        """See the port."""
        world = self._line.world
        wallet = wallet.lower()
        fault = await self._line.fault(Endpoint.POSITIONS_V2, wallet=wallet)
        kind = fault.kind if fault is not None else Kind.NONE
        if kind in (Kind.STATUS, Kind.HTML, Kind.DROP, Kind.GARBAGE, Kind.NOT_A_NUMBER):  # NaN makes no JSON
            return Positions(ok=False)
        assert world.feed(wallet).raw is None, "raw rows are for HTTP"
        owner = world.exchange.wallets.get(wallet)
        rows = feed.rows(world.exchange, owner, world.feed(wallet)) if owner is not None else []
        told = [row for row in rows if row.shows_index or (row.shows_id and kind is not Kind.NO_IDS)]
        found = tuple(self._position(row, no_ids=kind is Kind.NO_IDS) for row in told)
        if kind is Kind.NEGATIVE:
            return Positions(incomplete=True, positions=found[1:])
        incomplete = len(told) < len(rows) or kind in (Kind.DUPLICATES, Kind.ENDLESS)
        return Positions(incomplete=incomplete, positions=found)

    def _position(self, row: feed.Row, *, no_ids: bool) -> Position:
        market = row.market
        token_id = row.token_id if row.shows_id and not no_ids else None
        key = (market.condition_id, row.index, row.size, row.avg_price, row.price, token_id, row.redeemable)
        position = self._known.get(key)
        if position is None:
            if len(self._known) > 100_000:
                self._known.clear()
            position = self._known[key] = Position(
                token_key=f"{market.condition_id}:{row.index}",
                condition_id=market.condition_id,
                outcome_index=row.index,
                size=row.size,
                avg_price=row.avg_price,
                token_id=token_id,
                current_price=row.price,
                redeemable=row.redeemable,
                slug=market.slug,
                title=market.title,
                end_date=market.end_date,
            )
        return position


class SimulatedResolver:
    """The `Resolver` port: markets are what the engine says they are, once they are listed with ids."""

    def __init__(self, world: World, clock: Clock | None = None) -> None:
        self._line = _Line(world, clock)

    async def resolve(self, positions: Collection[Position]) -> Resolution:
        """See the port."""
        if not positions:
            return Resolution()
        try:
            return await self._line.read(
                Endpoint.GAMMA_MARKETS, lambda: self._resolution(positions), items=len(positions)
            )
        except (Unreachable, BadAnswer):
            return Resolution()

    def _resolution(self, positions: Collection[Position]) -> Resolution:
        ids: dict[TokenKey, TokenId] = {}
        refused: dict[TokenKey, str] = {}
        for position in positions:
            market = self._line.world.exchange.markets.get(position.condition_id)
            if is_combo_condition(position.condition_id):
                refused[position.token_key] = "a combo"
            elif market is None or not market.listed or not market.ids_known:
                continue
            elif position.outcome_index >= len(market.outcomes):
                refused[position.token_key] = "no such outcome"
            else:
                token_id = market.outcomes[position.outcome_index].token_id
                wrong = (kind_of(token_id) is IdKind.CTF) != (market.version == "v1")
                if wrong or position.token_id not in (None, token_id):
                    refused[position.token_key] = "a token id that is not the market's"
                else:
                    ids[position.token_key] = token_id
        return Resolution(token_ids=ids, refused=refused)


class SimulatedMarketData:
    """The `MarketData` port. A book that has not changed is the same record."""

    def __init__(self, world: World, clock: Clock | None = None) -> None:
        self._line = _Line(world, clock)
        self._known: dict[TokenId, tuple[tuple[object, ...], FullBook]] = {}

    async def books(self, token_ids: Collection[TokenId]) -> Mapping[TokenId, FullBook]:
        """See the port."""
        if not token_ids:
            return {}
        return await self._line.read(Endpoint.BOOKS, lambda: self._books(token_ids), items=len(token_ids))

    async def server_time(self) -> Decimal:
        """See the port."""
        return await self._line.read(Endpoint.TIME, lambda: Decimal(int(self._line.world.exchange.now)))

    def _books(self, token_ids: Collection[TokenId]) -> dict[TokenId, FullBook]:
        found = ((token_id, self._book(token_id)) for token_id in token_ids)
        return {token_id: book for token_id, book in found if book is not None}

    def _book(self, token_id: TokenId) -> FullBook | None:
        exchange = self._line.world.exchange
        outside, known = exchange.books.get(token_id), exchange.market_of(token_id)
        if outside is None or known is None:
            return None
        market, _ = known
        version = (outside.version, market.tick_size, market.min_order_size)
        cached = self._known.get(token_id)
        if cached is not None and cached[0] == version:
            return cached[1]
        levels = exchange.levels(token_id)
        assert levels is not None
        bids, asks = (tuple(Level(price=price, size=size) for price, size in side) for side in levels)
        book = FullBook(
            token_id=token_id,
            bids=bids,
            asks=asks,
            tick_size=market.tick_size,
            min_order_size=market.min_order_size,
            neg_risk=market.neg_risk,
            last_trade_price=outside.last_trade_price,
        )
        self._known[token_id] = (version, book)
        return book


class SimulatedAccount:
    """The `Account` port of one wallet."""

    def __init__(self, world: World, wallet: str, clock: Clock | None = None) -> None:
        self._line = _Line(world, clock)
        self._exchange = world.exchange
        self._wallet = world.exchange.wallets[wallet.lower()]

    # -- reads ----------------------------------------------------------------------------------------------------

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """See the port."""
        address = self._wallet.address
        return await self._line.read(
            Endpoint.OPEN_ORDERS, lambda: tuple(map(_open_order, self._exchange.open_orders(address)))
        )

    async def look_up(self, order_id: OrderId) -> LookUp:
        """See the port."""

        def answer() -> LookUp:
            order = self._exchange.find_order(order_id)
            if order is None or order.wallet != self._wallet.address:
                return LookUp(order_id=order_id, fate=OrderFate.UNKNOWN)
            live = order.status is OrderStatus.LIVE
            fate = OrderFate.LIVE if live else OrderFate.CLOSED
            return LookUp(order_id=order_id, fate=fate, matched=order.matched)

        return await self._line.read(Endpoint.ORDER, answer)

    async def fills(self, *, after: Decimal) -> tuple[Fill, ...]:
        """See the port."""

        def answer() -> tuple[Fill, ...]:
            trades = self._exchange.trades_of(self._wallet.address, after)
            found = [fill for trade in reversed(trades) for fill in self._fills(trade)]
            return tuple(sorted(found, key=lambda fill: (fill.ts, fill.trade_id, fill.order_id)))

        return await self._line.read(Endpoint.TRADES, answer)

    async def cash(self) -> Decimal:
        """See the port."""
        return await self._line.read(Endpoint.BALANCE, lambda: self._exchange.balance(self._wallet.address))

    async def balance(self, token_id: TokenId) -> Decimal:
        """See the port."""
        address = self._wallet.address
        await self._line.read(Endpoint.REFRESH, lambda: self._exchange.refresh_balance(address, token_id))
        return await self._line.read(Endpoint.BALANCE, lambda: self._exchange.balance(address, token_id))

    async def refresh_cash(self) -> None:
        """See the port."""
        await self._line.read(Endpoint.REFRESH, lambda: self._exchange.refresh_balance(self._wallet.address))

    def _fills(self, trade: SimTrade) -> Iterator[Fill]:
        status = _STATUSES.get(trade.state, TradeStatus.PENDING)
        ours = [(leg.order_id, leg.side, leg.price, leg.size, True) for leg in trade.legs if self._owns(leg.wallet)]
        if self._owns(trade.taker_wallet):
            ours.append((trade.taker_order_id, trade.side, trade.price, trade.size, False))
        for order_id, side, price, size, maker in ours:
            yield Fill(
                trade_id=trade.trade_id,
                order_id=order_id,
                token_id=trade.token_id,
                side=side,
                price=price,
                size=size,
                status=status,
                ts=trade.match_time,
                maker=maker,
            )

    def _owns(self, wallet: str) -> bool:
        return wallet == self._wallet.address

    # -- orders ---------------------------------------------------------------------------------------------------

    def sign(self, orders: Sequence[ToSign]) -> tuple[SignedOrder, ...]:
        """See the port. Ids are the engine's next ones."""
        return tuple(
            SignedOrder(
                order_id=self._exchange.new_order_id(),
                token_id=order.token_id,
                side=order.side,
                price=order.price,
                size=order.size,
                expiration=order.expiration,
                payload={"post_only": order.post_only},
            )
            for order in orders
        )

    async def post(
        self, orders: Sequence[SignedOrder], *, unless: Callable[[], bool] = lambda: False
    ) -> tuple[PostAnswer, ...]:
        """See the port. Without a clock to wait by, what the bucket does not hold is refused."""
        answers: list[PostAnswer] = []
        for start in range(0, len(orders), MAX_BATCH):
            batch = orders[start : start + MAX_BATCH]
            if unless():
                answers += not_sent(batch, Refusal.STOPPED, "a stop came first")
            else:
                answers += await self._post(batch)
        return tuple(answers)

    async def cancel(self, order_ids: Sequence[OrderId]) -> tuple[CancelAnswer, ...]:
        """See the port."""
        answers: list[CancelAnswer] = []
        for start in range(0, len(order_ids), _MAX_CANCELS):
            answers += await self._cancel(order_ids[start : start + _MAX_CANCELS])
        return tuple(answers)

    async def _post(self, batch: Sequence[SignedOrder]) -> list[PostAnswer]:
        fault = await self._line.fault(Endpoint.POST_ORDERS, wallet=self._wallet.address, items=len(batch))
        if fault is not None and fault.kind is not Kind.NONE and not fault.after_effect:
            return _all(batch, fault)
        await self._line.wait_for_orders(self._wallet.signer, len(batch))
        stopped = self._exchange.gate(cancels=False)
        if stopped is None and not self._exchange.spend_orders(self._wallet.signer, len(batch)):
            stopped = (429, TOO_MANY)
        if stopped is not None:
            return [refused(each.order_id, stopped[1], stopped[0]) for each in batch]
        if self._wallet.banned or self._wallet.closed_only:
            words = "address banned" if self._wallet.banned else "address in closed only mode"
            return [refused(each.order_id, words, 400) for each in batch]
        posted = [(each, self._exchange.post(self._new(each))) for each in batch]
        if fault is not None and fault.kind is not Kind.NONE:
            return [PostAnswer(order_id=each.order_id, fate=PostFate.UNKNOWN, words=_LOST) for each in batch]
        return [_answer(each, answer) for each, answer in posted]

    def _new(self, order: SignedOrder) -> NewOrder:
        return NewOrder(
            order_id=order.order_id,
            wallet=self._wallet.address,
            token_id=order.token_id,
            side=order.side,
            price=order.price,
            size=order.size,
            expiration=order.expiration,
            post_only=order.payload["post_only"] is True,
        )

    async def _cancel(self, batch: Sequence[OrderId]) -> list[CancelAnswer]:
        fault = await self._line.fault(Endpoint.CANCEL_ORDERS, wallet=self._wallet.address, items=len(batch))
        lost = fault is not None and fault.kind is not Kind.NONE
        if lost and fault is not None and not fault.after_effect:
            return [CancelAnswer(order_id=each, confirmed=False, words=_LOST) for each in batch]
        stopped = self._exchange.gate(cancels=True)
        if stopped is None and not self._exchange.spend_cancels(self._wallet.signer, len(batch)):
            stopped = (429, TOO_MANY)
        if stopped is not None:
            return [CancelAnswer(order_id=each, confirmed=False, words=stopped[1]) for each in batch]
        _, failed = self._exchange.cancel(self._wallet.address, batch)
        if lost:
            return [CancelAnswer(order_id=each, confirmed=False, words=_LOST) for each in batch]
        return [
            CancelAnswer(order_id=each, confirmed=True, matched=each in failed, words=failed.get(each, ""))
            for each in batch
        ]


def _open_order(order: SimOrder) -> OpenOrder:
    return OpenOrder(
        order_id=order.order_id,
        token_id=order.token_id,
        side=order.side,
        price=order.price,
        size=order.size,
        matched=order.matched,
        ts=order.created_at,
    )


def _answer(order: SignedOrder, answer: Posted) -> PostAnswer:
    if answer.error:
        return refused(order.order_id, answer.error, 200)
    matched = answer.taking if order.side.value == "BUY" else answer.making
    return PostAnswer(order_id=order.order_id, fate=PostFate.ACCEPTED, matched=matched)


def refused(order_id: OrderId, words: str, status: int) -> PostAnswer:
    """A refusal by its words; words that prove nothing leave the order's fate unknown."""
    definite = not leaves_doubt(words) if status == 200 else says_no(status, words)
    if not definite:
        return PostAnswer(order_id=order_id, fate=PostFate.UNKNOWN, words=words)
    refusal: Refusal = refusal_of(words, status=status)
    return PostAnswer(order_id=order_id, fate=PostFate.REFUSED, refusal=refusal, words=words)


def _all(batch: Sequence[SignedOrder], fault: Fault) -> list[PostAnswer]:
    """What a fault before the effect says of a batch: only a status with words, or one that is definite, refuses it."""
    if fault.kind is not Kind.STATUS:
        return [PostAnswer(order_id=each.order_id, fate=PostFate.UNKNOWN, words=_LOST) for each in batch]
    return [refused(each.order_id, fault.words, fault.status) for each in batch]
