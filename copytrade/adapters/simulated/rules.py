"""The rules of the exchange: what it accepts, what it matches, what it moves, and when.

Rule 1: nothing moves but by a trade, by a market's resolution, or by the scenario's own hand (ledger.py keeps count).
Rule 2: cash and shares under resting orders are locked, and what a wallet can't cover any more is cancelled.
Rule 3: time is told by `tick(now)` and never goes back. Whatever is due by then happens at its own time, in order.
Rule 4: price before time; at one price our wallets' orders come before the outside world's.

Not here: why an order is refused (checks.py), signatures, amounts and API keys (auth.py), what the positions feed says
(feed.py), faults (faults.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from random import Random

from attrs import define, field

from copytrade.adapters.simulated.checks import Taken, crossing, other, refusal
from copytrade.adapters.simulated.ledger import Ledger
from copytrade.adapters.simulated.records import (
    Bucket,
    Leg,
    Manners,
    Market,
    Mode,
    NewOrder,
    OrderStatus,
    OrderType,
    OutsideBook,
    Posted,
    SimOrder,
    SimTrade,
    TradeState,
    Wallet,
)
from copytrade.domain.model import ONE, ZERO, Side

MAX_BATCH = 15  # orders in one POST /orders
TAKEN_OFF_SEC = 60  # and rests a minute less than it says
BUCKETS = {"orders": (Decimal(40), Decimal(60)), "cancels": (Decimal(80), Decimal(120))}  # (a second, burst)
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
RESTARTING = "matching engine is restarting"
GONE = "already canceled or matched"


@define(kw_only=True, eq=False)
class Exchange(Ledger):
    """The engine. Give it the time (`tick`), markets, wallets and books; then post, cancel, hit and look."""

    dice: Random | None = None
    manners: Manners = field(factory=Manners)
    mode: Mode = Mode.NORMAL
    markets: dict[str, Market] = field(factory=dict)
    books: dict[str, OutsideBook] = field(factory=dict)
    orders: dict[str, SimOrder] = field(factory=dict)
    trades: dict[str, SimTrade] = field(factory=dict)
    order_ids: int = 0  # how many ids `new_order_id` gave out
    _tokens: dict[str, tuple[Market, int]] = field(factory=dict, init=False)
    _resting: dict[str, dict[str, SimOrder]] = field(factory=dict, init=False)
    _trades_of: dict[str, list[SimTrade]] = field(factory=dict, init=False)
    _buckets: dict[tuple[str, str], Bucket] = field(factory=dict, init=False)
    _due: list[tuple[Decimal, int, Callable[[str], None], str]] = field(factory=list, init=False)
    _count: int = field(default=0, init=False)

    # -- time -----------------------------------------------------------------------------------------------------

    def tick(self, now: Decimal) -> None:
        """Let everything happen that is due by `now`: expiries, settlement, and the outside world's hits."""
        while self._due and self._due[0][0] <= now:
            at, _, act, subject = heapq.heappop(self._due)
            self.now = max(self.now, at)
            act(subject)
        self.now = max(self.now, now)

    def _at(self, when: Decimal, act: Callable[[str], None], subject: str) -> None:
        heapq.heappush(self._due, (when, self._next(), act, subject))

    def _next(self) -> int:
        self._count += 1
        return self._count

    # -- the world as the scenario sets it ----------------------------------------------------------------------------

    def add_market(self, market: Market) -> Market:
        """Open a market, with an empty book for each outcome."""
        self.markets[market.condition_id] = market
        for index, outcome in enumerate(market.outcomes):
            self._tokens[outcome.token_id] = (market, index)
            self.books[outcome.token_id] = OutsideBook()
            self._resting[outcome.token_id] = {}
        return market

    def add_wallet(self, address: str, *, cash: Decimal = ZERO, signer: str = "", signature_type: int = 0) -> Wallet:
        """Open a wallet; without a `signer` it signs for itself."""
        address = address.lower()
        wallet = Wallet(address=address, signer=(signer or address).lower(), signature_type=signature_type, cash=cash)
        self.wallets[address] = wallet
        self._trades_of[address] = []
        self.issue("", cash)
        return wallet

    def give(self, address: str, amount: Decimal, token_id: str = "", avg_price: Decimal | None = None) -> None:
        """Give (or take, below 0) shares of a token, or cash: what this wallet does elsewhere, or by another hand.

        Orders that the wallet can't cover any more are cancelled, the newest first.
        """
        wallet = self.wallets[address.lower()]
        self.issue(token_id, amount)
        if token_id:
            if avg_price is not None:
                wallet.avg_prices[token_id] = avg_price
            self.set_shares(wallet, token_id, wallet.shares.get(token_id, ZERO) + amount)
        else:
            wallet.cash += amount
        self._cancel_uncovered(wallet)

    def hold(self, address: str, token_id: str, size: Decimal, avg_price: Decimal | None = None) -> None:
        """Make it that a wallet holds exactly `size` shares: the leader's trades, seen from here."""
        held = self.wallets[address.lower()].shares.get(token_id, ZERO)
        self.give(address, size - held, token_id, avg_price)

    def set_book(
        self,
        token_id: str,
        *,
        bids: Iterable[tuple[Decimal, Decimal]] = (),
        asks: Iterable[tuple[Decimal, Decimal]] = (),
    ) -> None:
        """Replace the outside world's levels (price, shares). Those that cross resting orders take them first."""
        book = self.books.setdefault(token_id, OutsideBook())
        book.bids, book.asks = {}, {}
        for side, levels in ((Side.SELL, sorted(asks)), (Side.BUY, sorted(bids, reverse=True))):
            for price, size in levels:
                rest = self._outside_takes(token_id, side, price, size)
                if rest > 0:
                    book.side(side)[price] = rest
        book.version = self._next()

    def close_book(self, token_id: str) -> None:
        """Take a book away: the token cannot be traded any more."""
        for order in list(self._resting[token_id].values()):
            self._close(order, OrderStatus.CANCELED)
        self.books.pop(token_id, None)

    def resolve(self, condition_id: str, payouts: Sequence[Decimal]) -> None:
        """Settle a market: no more orders, books gone, shares redeemable at `payouts` (pUSD, by outcome)."""
        market = self.markets[condition_id.lower()]
        market.payouts, market.closed, market.accepting_orders = tuple(payouts), True, False
        for outcome in market.outcomes:
            for order in list(self._resting[outcome.token_id].values()):
                self._close(order, OrderStatus.RESOLVED)
            self.books.pop(outcome.token_id, None)

    def redeem(self, address: str, token_id: str) -> None:
        """Turn all shares of a resolved token into cash."""
        wallet = self.wallets[address.lower()]
        market, index = self._tokens[token_id]
        assert market.payouts is not None, "not resolved"
        size = wallet.shares.get(token_id, ZERO)
        self.issue(token_id, -size)
        self.issue("", size * market.payouts[index])
        wallet.cash += size * market.payouts[index]
        self.set_shares(wallet, token_id, ZERO)

    def vanish(self, order_id: str, status: OrderStatus = OrderStatus.CANCELED) -> None:
        """The exchange (or the user, by another client) takes a resting order away."""
        order = self.orders[order_id]
        if order.status is OrderStatus.LIVE:
            self._close(order, status)

    def hit(self, order_id: str, size: Decimal, *, others: Decimal = ZERO) -> SimTrade | None:
        """The outside world takes up to `size` shares of a resting order, and `others` of somebody else's with it.

        None when the order does not rest any more.
        """
        order = self.orders[order_id]
        size = min(size, order.rest)
        if order.status is not OrderStatus.LIVE or size <= 0:
            return None
        return self._trade(other(order.side), (order, order.price, size), others=others)

    # -- looking --------------------------------------------------------------------------------------------------

    def market_of(self, token_id: str) -> tuple[Market, int] | None:
        """The market of a token and its outcome index."""
        return self._tokens.get(token_id)

    def resting(self, token_id: str) -> Iterable[SimOrder]:
        """Our wallets' resting orders of a token, oldest first."""
        return self._resting.get(token_id, {}).values()

    def levels(self, token_id: str) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]] | None:
        """The whole book with our wallets' orders: (bids ascending, asks descending), the best last. None: no book."""
        book = self.books.get(token_id)
        if book is None:
            return None
        sides = {Side.BUY: dict(book.bids), Side.SELL: dict(book.asks)}
        for order in self.resting(token_id):
            side = sides[order.side]
            side[order.price] = side.get(order.price, ZERO) + order.rest
        return sorted(sides[Side.BUY].items()), sorted(sides[Side.SELL].items(), reverse=True)

    def price_of(self, token_id: str) -> Decimal:
        """What a share is worth: the payout, the middle of the outside book, its only side, the last trade; or 0."""
        market, index = self._tokens[token_id]
        if market.payouts is not None:
            return market.payouts[index]
        book = self.books.get(token_id)
        if book is None:
            return ZERO
        sides = [price for price in (max(book.bids, default=None), min(book.asks, default=None)) if price is not None]
        return sum(sides, ZERO) / len(sides) if sides else book.last_trade_price or ZERO

    def open_orders(self, address: str) -> list[SimOrder]:
        """What the listing of this wallet's resting orders shows."""
        youngest = self.now - self.manners.list_orders_after
        orders = (self.orders[order_id] for order_id in self.wallets[address].live)
        return [order for order in orders if order.created_at <= youngest]

    def find_order(self, order_id: str) -> SimOrder | None:
        """What a look-up by id shows: nothing for young orders, and nothing for closed ones that were forgotten."""
        order = self.orders.get(order_id)
        if order is None or order.created_at > self.now - self.manners.list_orders_after:
            return None
        forget = self.manners.forget_closed_after
        if forget is not None and order.closed_at is not None and order.closed_at + forget <= self.now:
            return None
        return order

    def trades_of(self, address: str, after: Decimal = ZERO) -> list[SimTrade]:
        """The listed trades of a wallet matched at or after `after`, the newest first."""
        found = []
        for trade in reversed(self._trades_of[address]):
            if trade.match_time < after:
                break
            if trade.listed_at <= self.now:
                found.append(trade)
        return found

    def balance(self, address: str, token_id: str = "") -> Decimal:
        """What the exchange says that a wallet has of a token (or of cash), from its cache if it keeps one."""
        wallet = self.wallets[address]
        live = wallet.shares.get(token_id, ZERO) if token_id else wallet.cash
        return wallet.cached.setdefault(token_id, live) if self.manners.stale_balances else live

    def refresh_balance(self, address: str, token_id: str = "") -> None:
        """Make the exchange read a balance anew."""
        self.wallets[address].cached.pop(token_id, None)

    # -- what a client asks for -----------------------------------------------------------------------------------

    def new_order_id(self) -> str:
        """An order id for those who do not sign: unique and the same in every run."""
        self.order_ids += 1
        return f"0x{self.order_ids:064x}"

    def gate(self, *, cancels: bool) -> tuple[int, str] | None:
        """What the exchange as a whole answers to a request to trade just now: (HTTP status, words), or None: go on."""
        match self.mode:
            case Mode.DISABLED:
                return 503, DISABLED
            case Mode.CANCEL_ONLY if not cancels:
                return 503, CANCEL_ONLY
            case Mode.RESTARTING:
                return 425, RESTARTING
        return None

    def spend_orders(self, signer: str, count: int) -> bool:
        """Take `count` from the signer's order bucket; False (429) when it does not hold them."""
        return self.bucket(signer, "orders").take(count, self.now)

    def spend_cancels(self, signer: str, count: int) -> bool:
        """The same for cancels: more than the burst can never succeed."""
        return self.bucket(signer, "cancels").take(count, self.now)

    def bucket(self, signer: str, kind: str) -> Bucket:
        """The signer's bucket of "orders" or "cancels"."""
        bucket = self._buckets.get((signer, kind))
        if bucket is None:
            rate, burst = BUCKETS[kind]
            bucket = self._buckets[signer, kind] = Bucket(rate=rate, burst=burst, level=burst, at=self.now)
        return bucket

    def post(self, new: NewOrder) -> Posted:
        """Check an order; refuse it in the exchange's words, or match what crosses and let the rest rest."""
        error = refusal(self, new)
        if error:
            return Posted(order_id=new.order_id, error=error)
        makers = crossing(self, new)
        order = SimOrder(
            order_id=new.order_id,
            wallet=new.wallet,
            token_id=new.token_id,
            side=new.side,
            price=new.price,
            size=new.size,
            order_type=new.order_type,
            expiration=new.expiration,
            created_at=self.now,
            api_key=new.api_key,
        )
        self.orders[order.order_id] = order
        paid = ZERO
        for maker, price, size in makers:
            if maker is None:
                self._reduce_outside(order.token_id, other(order.side), price, size)
            self._trade(order.side, (maker, price, size), taker=order)
            order.matched += size
            paid += price * size
        if order.rest <= 0:
            order.status, order.closed_at = OrderStatus.MATCHED, self.now
        elif order.order_type in (OrderType.FOK, OrderType.FAK):
            order.status, order.closed_at = OrderStatus.CANCELED, self.now
        else:
            self._rest(order)
        buys = order.side is Side.BUY
        return Posted(
            order_id=order.order_id,
            status="matched" if makers else "live",
            making=paid if buys else order.matched,
            taking=order.matched if buys else paid,
            trade_ids=tuple(order.trade_ids),
        )

    def cancel(self, address: str, order_ids: Iterable[str]) -> tuple[list[str], dict[str, str]]:
        """Cancel a wallet's orders: (canceled, {not canceled: why})."""
        canceled: list[str] = []
        failed: dict[str, str] = {}
        for order_id in order_ids:
            order = self.orders.get(order_id)
            if order is None or order.wallet != address or order.status is not OrderStatus.LIVE:
                failed[order_id] = GONE
            else:
                self._close(order, OrderStatus.CANCELED)
                canceled.append(order_id)
        return canceled, failed

    # -- what happens ---------------------------------------------------------------------------------------------

    def _outside_takes(self, token_id: str, side: Side, price: Decimal, size: Decimal) -> Decimal:
        """The outside world's new level takes what it crosses of our wallets' orders; returns what is left of it."""
        buys = side is Side.BUY
        makers = [order for order in self.resting(token_id) if order.side is not side]
        for order in sorted(makers, key=lambda order: order.price if buys else -order.price):
            if size <= 0 or (order.price > price if buys else order.price < price):
                break
            taken = min(size, order.rest)
            self._trade(side, (order, order.price, taken))
            size -= taken
        return size

    def _trade(self, side: Side, taken: Taken, *, taker: SimOrder | None = None, others: Decimal = ZERO) -> SimTrade:
        """Match: move cash and shares, count it in the orders, list it, start its settlement.

        `side` is the taker's; without a `taker` it is the outside world. `others` are shares of a stranger's order that
        the same taker took. At least one party is an order of ours.
        """
        maker, price, size = taken
        ours = maker or taker
        assert ours is not None, "the outside world trades with itself elsewhere"
        maker_id = maker.order_id if maker is not None else self._outside_id()
        maker_wallet = maker.wallet if maker is not None else ""
        legs = [Leg(order_id=maker_id, wallet=maker_wallet, side=other(side), price=price, size=size)]
        if others > 0:
            legs.append(Leg(order_id=self._outside_id(), wallet="", side=other(side), price=price, size=others))
        trade = SimTrade(
            trade_id=f"trade-{self._next():08d}",
            token_id=ours.token_id,
            taker_order_id=taker.order_id if taker is not None else self._outside_id(),
            taker_wallet=taker.wallet if taker is not None else "",
            side=side,
            price=price,
            size=size + others,
            legs=tuple(legs),
            match_time=self.now,
            listed_at=self.now + self.manners.list_trades_after,
            last_update=self.now,
        )
        self.trades[trade.trade_id] = trade
        for address in dict.fromkeys((trade.taker_wallet, maker_wallet)):
            if address:
                self._trades_of[address].append(trade)
        if taker is not None:
            taker.trade_ids.append(trade.trade_id)
        if maker is not None:
            maker.trade_ids.append(trade.trade_id)
            self.lock(maker, -size)
            maker.matched += size
            if maker.rest <= 0:
                self._close(maker, OrderStatus.MATCHED)
        self._settle(trade, undo=False)
        book = self.books.get(trade.token_id)
        if book is not None:
            book.last_trade_price, book.version = price, self._next()
        self._start_settlement(trade)
        return trade

    def _settle(self, trade: SimTrade, *, undo: bool) -> None:
        """Move what the taker and our maker exchanged (others' legs are between outsiders and move nothing here)."""
        leg = trade.legs[0]
        for address, side in ((trade.taker_wallet, trade.side), (leg.wallet, leg.side)):
            self.move(address, trade.token_id, other(side) if undo else side, leg.price, leg.size, undo)

    def _start_settlement(self, trade: SimTrade) -> None:
        manners = self.manners
        fails = manners.fail_next > 0
        if fails:
            manners.fail_next -= 1
        elif manners.fail_chance > 0 and self.dice is not None:
            fails = self.dice.random() < manners.fail_chance
        self._at(self.now + manners.mined_after, self._retry if fails else self._mine, trade.trade_id)
        self._at(self.now + manners.confirmed_after, self._fail if fails else self._confirm, trade.trade_id)

    def _mine(self, trade_id: str) -> None:
        self._state(trade_id, TradeState.MINED)

    def _confirm(self, trade_id: str) -> None:
        self._state(trade_id, TradeState.CONFIRMED)

    def _retry(self, trade_id: str) -> None:
        self._state(trade_id, TradeState.RETRYING)

    def _fail(self, trade_id: str) -> None:
        """A failed trade never happened: what it moved goes back, unless somebody spent it meanwhile."""
        trade = self.trades[trade_id]
        leg = trade.legs[0]
        for address, side in ((trade.taker_wallet, trade.side), (leg.wallet, leg.side)):
            wallet = self.wallets.get(address)
            if wallet is None:
                continue
            has = wallet.shares.get(trade.token_id, ZERO) if side is Side.BUY else wallet.cash
            if has < (leg.size if side is Side.BUY else leg.size * leg.price):
                self._state(trade_id, TradeState.CONFIRMED)
                return
        self._state(trade_id, TradeState.FAILED)
        self._settle(trade, undo=True)
        for address in {trade.taker_wallet, leg.wallet} - {""}:
            self._cancel_uncovered(self.wallets[address])

    def _state(self, trade_id: str, state: TradeState) -> None:
        trade = self.trades[trade_id]
        trade.state, trade.last_update = state, self.now

    def _rest(self, order: SimOrder) -> None:
        self._resting[order.token_id][order.order_id] = order
        self.wallets[order.wallet].live[order.order_id] = None
        self.lock(order, order.rest)
        self.books[order.token_id].version = self._next()
        if order.expiration:
            self._at(Decimal(order.expiration - TAKEN_OFF_SEC), self._expire, order.order_id)
        self._await_hit(order)

    def _expire(self, order_id: str) -> None:
        order = self.orders[order_id]
        if order.status is OrderStatus.LIVE:
            self._close(order, OrderStatus.EXPIRED)

    def _await_hit(self, order: SimOrder) -> None:
        hits = self.manners.hits
        if hits is not None and self.dice is not None:
            wait = Decimal(round(self.dice.expovariate(1 / hits.mean_sec) * 1000)).scaleb(-3)
            self._at(self.now + wait, self._arrive, order.order_id)

    def _arrive(self, order_id: str) -> None:
        """Somebody from outside comes to trade, and takes this order if nobody offers better."""
        order = self.orders[order_id]
        hits = self.manners.hits
        if order.status is not OrderStatus.LIVE or hits is None or self.dice is None:
            return
        rivals = self.books[order.token_id].side(order.side)
        best = max(rivals, default=ZERO) if order.side is Side.BUY else min(rivals, default=ONE)
        if order.price >= best if order.side is Side.BUY else order.price <= best:
            cents = self.dice.randint(int(hits.least * 100), int(hits.most * 100))
            self.hit(order_id, Decimal(cents).scaleb(-2))
        if order.status is OrderStatus.LIVE:
            self._await_hit(order)

    def _close(self, order: SimOrder, status: OrderStatus) -> None:
        self.lock(order, -order.rest)
        order.status, order.closed_at = status, self.now
        del self._resting[order.token_id][order.order_id]
        del self.wallets[order.wallet].live[order.order_id]
        if order.token_id in self.books:
            self.books[order.token_id].version = self._next()

    def _cancel_uncovered(self, wallet: Wallet) -> None:
        for order_id in reversed(list(wallet.live)):
            order = self.orders[order_id]
            short = wallet.free_cash() if order.side is Side.BUY else wallet.free_shares(order.token_id)
            if short < 0:
                self._close(order, OrderStatus.NO_BALANCE)

    def _reduce_outside(self, token_id: str, side: Side, price: Decimal, size: Decimal) -> None:
        levels = self.books[token_id].side(side)
        levels[price] -= size
        if levels[price] <= 0:
            del levels[price]

    def _outside_id(self) -> str:
        return f"0x{'e':>08}{self._next():056x}"
