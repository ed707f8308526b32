"""The world that a run lives in: the tape's market and leader, the exchange with our orders, the feeds with their lag.

Everything here happens whether or not anybody looks. What a decision may know of it is `hear` (the feeds, as late as
they are), `tops` (the books) and `resting` (our orders); what a decision may do is `post` and taking an order down.

Not here: what is remembered of it (slices.py), decisions (engine.py), how much an order fills (fills.py).
Read next: slices.py
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from random import Random
from typing import Any

from attrs import define, evolve, field

from copytrade.app.backtest import fills as filling
from copytrade.app.backtest.accounting import Account, maker_rebate, taker_fee
from copytrade.app.backtest.assumptions import Assumptions, FillModel, Terms
from copytrade.app.backtest.baselines import Naive, Paper, change_price
from copytrade.app.backtest.fills import Resting
from copytrade.app.backtest.result import Fill
from copytrade.app.backtest.tape import (
    Beat,
    BookSeen,
    Event,
    LeaderHeld,
    Levels,
    PriceSeen,
    Resolved,
    TokenListed,
    Traded,
)
from copytrade.domain.amounts import ceiled, floored
from copytrade.domain.desired import average_prices, poll_of
from copytrade.domain.model import BUY, ONE, SELL, ZERO, Book, OrderId, Place, Position, Positions, TokenId, TokenKey
from copytrade.domain.records import maker
from copytrade.domain.risk import TWO

PAYOUT_STEP = Decimal("0.0001")  # of one that has to be guessed
ENDLESS = Decimal(10**9)  # shares behind a price that nobody recorded a book for

new_book, new_fill = maker(Book), maker(Fill)

_Late = deque[tuple[Decimal, TokenKey, Position | None]]


@define(kw_only=True, eq=False)
class Token:
    """What there is of one token. Mutable: the world moves."""

    key: TokenKey
    token_id: TokenId
    title: str
    slug: str
    end_date: str
    terms: Terms
    bids: Levels = ()
    asks: Levels = ()
    top: tuple[Decimal | None, Decimal | None] | None = None  # best prices of the book that its mark is of
    quoted: bool = False  # a book or a price was ever seen
    by_price: bool = False  # its book is made up of a price
    over: bool = False
    last_trade: Decimal | None = None
    leader_size: Decimal = ZERO
    leader_avg: Decimal = ZERO
    live: list[Resting] = field(factory=list)
    shown: tuple[object, ...] | None = None  # what its book in the snapshots was made of
    traded: Decimal = ZERO  # pUSD


@define(kw_only=True, eq=False)
class World:
    """One run's world. `live` through the tape in its order, then look."""

    model: FillModel
    given: Assumptions
    follow_ratio: Decimal  # of the naive taker
    tick_size: Decimal  # where the tape does not say
    has_trades: bool
    dice: Random

    account: Account = field(init=False)
    leader: Paper = field(factory=Paper, init=False)
    naive: Naive = field(init=False)
    tokens: dict[TokenKey, Token] = field(factory=dict, init=False)
    ids: dict[TokenKey, TokenId] = field(factory=dict, init=False)
    marks: dict[TokenKey, Decimal] = field(factory=dict, init=False)  # last price of each token
    resting: dict[OrderId, Resting] = field(factory=dict, init=False)  # orders that arrived; memory says until when
    touched: set[TokenKey] = field(factory=set, init=False)  # where our orders or what is said of our holdings changed
    moved: set[TokenKey] = field(factory=set, init=False)  # where our orders did
    revalued: set[TokenKey] = field(factory=set, init=False)  # what anybody's shares of these are worth has changed
    fills: list[Fill] = field(factory=list, init=False)  # that nobody took note of yet
    payouts: dict[TokenKey, Decimal] = field(factory=dict, init=False)  # of every market that is over
    paid: dict[TokenKey, Decimal] = field(factory=dict, init=False)  # those of them that the feeds tell of by now
    guessed: set[TokenKey] = field(factory=set, init=False)  # those of them that the tape did not say
    fill_count: int = field(default=0, init=False)
    filled_shares: Decimal = field(default=ZERO, init=False)
    first_at: Decimal = field(default=ZERO, init=False)  # of the first record, and of the last one that happened
    last_at: Decimal = field(default=ZERO, init=False)

    # what the feeds say, and what they will say once their lag is over
    target: Positions = field(factory=Positions, init=False)
    target_poll: dict[TokenKey, Decimal] = field(factory=dict, init=False)
    mine: Positions = field(factory=Positions, init=False)
    reported: dict[TokenKey, Decimal] = field(factory=dict, init=False)
    paid_on_average: dict[TokenKey, Decimal] = field(factory=dict, init=False)  # as the feed has it
    _target_rows: dict[TokenKey, Position] = field(factory=dict, init=False)
    _my_rows: dict[TokenKey, Position] = field(factory=dict, init=False)
    _to_target: _Late = field(factory=deque, init=False)
    _to_mine: _Late = field(factory=deque, init=False)
    _redeemable: list[tuple[Decimal, TokenKey]] = field(factory=list, init=False)
    _books: dict[TokenId, Book] = field(factory=dict, init=False)
    _stale_books: set[TokenKey] = field(factory=set, init=False)
    _apply: dict[type, Callable[[Any], None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.account = Account(start_cash=self.given.start_cash)
        self.naive = Naive(
            account=Account(start_cash=self.given.start_cash),
            ratio=self.follow_ratio,
            delay=self.given.feed_lag_sec + self.given.latency_sec,
        )
        self._apply = {
            TokenListed: self._on_listed,
            LeaderHeld: self._on_leader,
            BookSeen: self._on_book,
            PriceSeen: self._on_price,
            Traded: self._on_trade,
            Resolved: self._on_resolved,
            Beat: self._on_beat,
        }

    def live(self, event: Event | None, events: Iterator[Event], until: Decimal) -> Event | None:
        """`event` happens, and all that come after it by then. Returns the first that does not."""
        due, apply = self.naive.due, self._apply
        while event is not None and (at := event.at) <= until:
            if due and due[0][0] <= at:
                self.copy_naively(at)
            self.last_at = at
            apply[type(event)](event)
            event = next(events, None)
        return event

    def copy_naively(self, until: Decimal) -> None:
        """The naive taker's copies that arrive by then."""
        due = self.naive.due
        while due and due[0][0] <= until:
            _, key, delta = due.popleft()
            token = self.tokens[key]
            if not token.over:
                self.revalued.add(key)
                self.naive.trade(key, delta, token.bids, token.asks, token.terms)

    def _on_listed(self, event: TokenListed) -> None:
        given = self.given
        terms = Terms(
            tick_size=event.tick_size,
            min_order_size=given.min_order_size if event.min_order_size is None else event.min_order_size,
            fee_rate=given.taker_fee_rate if event.fee_rate is None else event.fee_rate,
            fee_exponent=given.taker_fee_exponent if event.fee_exponent is None else event.fee_exponent,
        )
        known = self.tokens.get(event.token_key)
        if known is None:
            self.tokens[event.token_key] = Token(
                key=event.token_key,
                token_id=event.token_id,
                title=event.title,
                slug=event.slug,
                end_date=event.end_date,
                terms=terms,
            )
            self.ids[event.token_key] = event.token_id
        else:  # listed anew: its tick, say, has changed
            known.terms = terms
            self._stale_books.add(event.token_key)

    def _on_leader(self, event: LeaderHeld) -> None:
        token, key = self.tokens[event.token_key], event.token_key
        delta = event.size - token.leader_size
        mark = self.marks.get(key)
        opening = event.at == self.first_at
        if delta:
            # What he held when the tape begins was not bought then: it counts from the price of that moment.
            price = mark if opening else change_price(event, token.leader_size, token.leader_avg, mark)
            self.leader.moved(key, delta, price)
            self.revalued.add(key)
            if not opening:
                self.naive.saw(event.at, key, delta)
            else:
                self.naive.due.append((event.at, key, delta))
        token.leader_size, token.leader_avg = event.size, event.avg_price
        row = None
        if event.size > 0:
            row = Position(
                token_key=key,
                condition_id=key.rpartition(":")[0],
                outcome_index=_index_of(key),
                size=event.size,
                avg_price=event.avg_price,
                token_id=token.token_id,
                redeemable=token.over,
                title=token.title,
                slug=token.slug,
                end_date=token.end_date,
            )
        self._to_target.append((event.at if opening else event.at + self.given.feed_lag_sec, key, row))

    def _on_book(self, event: BookSeen) -> None:
        token = self.tokens[event.token_key]
        if token.over:
            return
        bids, asks = event.bids, event.asks
        top = (bids[0][0] if bids else None, asks[0][0] if asks else None)
        if top == token.top:  # as mostly: what changes in a book is behind its best prices
            token.bids, token.asks = bids, asks
        else:
            self._booked(token, bids, asks)
            token.by_price = False
            if bids and asks:
                self._marked(token, (bids[0][0] + asks[0][0]) / TWO)
            token.top = top
        for order in token.live:
            own, opposite = (bids, asks) if order.side is BUY else (asks, bids)
            filled = filling.by_book(self.model, order, own, opposite, has_trades=self.has_trades)
            if filled > ZERO:
                self._fill(order, filled, event.at)

    def _on_price(self, event: PriceSeen) -> None:
        token = self.tokens[event.token_key]
        if token.over:
            return
        self._marked(token, event.price)
        if not token.quoted or token.by_price:
            tick = token.terms.tick_size or self.tick_size
            half = self.given.assumed_spread / 2
            bid, ask = floored(event.price - half, tick), ceiled(event.price + half, tick)
            bids = ((bid, ENDLESS),) if bid >= tick else ()
            asks = ((ask, ENDLESS),) if ask <= ONE - tick else ()
            self._booked(token, bids, asks)
            token.by_price = True
        for order in token.live:
            filled = filling.by_price(self.model, order, event.price)
            if filled > ZERO:
                self._fill(order, filled, event.at)

    def _on_trade(self, event: Traded) -> None:
        token = self.tokens[event.token_key]
        if token.over:
            return
        token.last_trade = event.price
        self._stale_books.add(token.key)
        if not token.bids or not token.asks:
            self._marked(token, event.price)
        for order in token.live:
            filled = filling.by_trade(self.model, order, event.price, event.size, event.taker)
            if filled > ZERO:
                self._fill(order, filled, event.at)

    def _on_resolved(self, event: Resolved) -> None:
        token, key = self.tokens[event.token_key], event.token_key
        if not token.over:
            token.over = True
            for order in token.live:
                order.live = False  # CANCELED_MARKET_RESOLVED (API.md, Orders)
            token.live.clear()
            self._booked(token, (), ())
            self.touch((key,))
            heapq.heappush(self._redeemable, (event.at + self.given.feed_lag_sec, key))
        payout = event.payout
        if payout is None:  # nobody recorded it: its last price is the fairest guess
            payout = self.marks.get(key)
            if payout is None:
                return
            payout = payout.quantize(PAYOUT_STEP)
            self.guessed.add(key)
        self.payouts.setdefault(key, payout)
        self._marked(token, payout)
        self.account.redeem(key, payout)
        self.naive.redeem(key, payout)
        self.leader.redeem(key, payout)
        token.leader_size = ZERO
        self._to_mine.append((event.at + self.given.feed_lag_sec, key, None))

    def _on_beat(self, event: Beat) -> None:
        pass

    def _booked(self, token: Token, bids: Levels, asks: Levels) -> None:
        token.bids, token.asks, token.top, token.quoted = bids, asks, None, True
        self._stale_books.add(token.key)

    def _marked(self, token: Token, price: Decimal) -> None:
        if token.key not in self.marks:
            self.leader.priced(token.key, price)
        self.marks[token.key] = price
        token.top = None
        self.revalued.add(token.key)

    def touch(self, keys: Iterable[TokenKey]) -> None:
        """Something happened to our orders on these tokens."""
        self.touched.update(keys)
        self.moved.update(keys)

    # -- the exchange -------------------------------------------------------------------------------------------------

    def sweep(self, token: Token) -> None:
        """Forget the orders on `token` that do not rest any more."""
        token.live = [order for order in token.live if order.live]

    def _fill(self, order: Resting, size: Decimal, at: Decimal, price: Decimal | None = None) -> None:
        """Book a fill of `order`: as a maker at its own price, or as a taker at `price`."""
        if at >= order.expires:
            self._close(order)
            return
        token = self.tokens[order.token_key]
        if order.side is SELL:  # shares may have gone with a redemption
            size = min(size, self.account.shares.get(order.token_key, ZERO))
            if size <= ZERO:
                self._close(order)
                return
        order.matched += size
        if order.rest <= ZERO:
            order.live = False
            self.sweep(token)
        self.touch((order.token_key,))
        self.revalued.add(order.token_key)
        maker = price is None
        paid = order.price if price is None else price
        fee = ZERO if maker else taker_fee(paid, size, token.terms)
        rebate = maker_rebate(paid, size, token.terms, self.given) if maker else ZERO
        self.account.trade(order.token_key, order.side, paid, size, fee=fee, rebate=rebate)
        token.traded += paid * size
        self.fill_count += 1
        self.filled_shares += size
        self.fills.append(
            new_fill(
                at=at,
                order_id=order.order_id,
                token_key=order.token_key,
                side=order.side,
                price=paid,
                size=size,
                maker=maker,
                fee=fee,
                rebate=rebate,
            )
        )
        held = self.account.shares.get(order.token_key, ZERO)
        row = None
        if held > 0:
            row = Position(
                token_key=order.token_key,
                condition_id=order.token_key.rpartition(":")[0],
                outcome_index=_index_of(order.token_key),
                size=held,
                avg_price=self.account.avg_price(order.token_key),
                token_id=order.token_id,
            )
        self._to_mine.append((at + self.given.feed_lag_sec, order.token_key, row))

    def _close(self, order: Resting) -> None:
        order.live = False
        self.sweep(self.tokens[order.token_key])
        self.touch((order.token_key,))

    def post(self, place: Place, order: Resting, at: Decimal) -> tuple[str, str]:
        """The exchange's answer to one order: its outcome, and why it says no. What it takes may match at once."""
        token = self.tokens[place.token_key]
        own, opposite = (token.bids, token.asks) if place.side is BUY else (token.asks, token.bids)
        if token.over:
            return "refused", "NOT_TRADABLE"
        across = filling.crossing(place.side, place.price, opposite)
        if place.post_only and across > 0:
            return "refused", "PRICE_MOVED"
        locked = sum((one.rest * (one.price if one.side is BUY else ONE) for one in self._locking(place)), ZERO)
        have = self.account.cash if place.side is BUY else self.account.shares.get(place.token_key, ZERO)
        cost = place.size * place.price if place.side is BUY else place.size
        if cost > have - locked:
            return "refused", "BALANCE"
        if self.given.refusal_rate and self.dice.random() < self.given.refusal_rate:
            return "refused", "BUSY"
        self.resting[order.order_id] = order
        if across > 0:
            left = order.size
            for price, size in opposite:
                if filling.beyond(place.side, place.price, price):
                    break
                take = min(left, floored(size))
                if take > 0:
                    self._fill(order, take, at, price)
                    left -= take
        if order.live:
            filling.joined(order, own)
            token.live.append(order)
        return "accepted", ""

    def _locking(self, place: Place) -> Iterable[Resting]:
        """Our resting orders whose rests are spoken for already when `place` arrives."""
        if place.side is SELL:
            return [order for order in self.tokens[place.token_key].live if order.side is SELL]
        return [order for order in self.resting.values() if order.live and order.side is BUY]

    # -- what can be seen ---------------------------------------------------------------------------------------------

    def hear(self, now: Decimal) -> None:
        """What the feeds say now."""
        changed = mine_changed = False
        while self._to_target and self._to_target[0][0] <= now:
            _, key, row = self._to_target.popleft()
            changed = True
            if row is None:
                self._target_rows.pop(key, None)
            else:
                self._target_rows[key] = row
        while self._redeemable and self._redeemable[0][0] <= now:
            _, key = heapq.heappop(self._redeemable)
            for rows in (self._target_rows, self._my_rows):
                if key in rows:
                    rows[key] = evolve(rows[key], redeemable=True)
            if key in self.payouts:
                self.paid[key] = self.payouts[key]
            changed = mine_changed = True
        if changed:
            self.target = Positions(positions=tuple(self._target_rows.values()))
            self.target_poll = poll_of(self.target)
        while self._to_mine and self._to_mine[0][0] <= now:
            _, key, row = self._to_mine.popleft()
            mine_changed = True
            self.touched.add(key)
            if row is None:
                self._my_rows.pop(key, None)
            else:
                self._my_rows[key] = row
        if mine_changed:
            self.mine = Positions(positions=tuple(self._my_rows.values()))
            self.reported, self.paid_on_average = poll_of(self.mine), average_prices(self.mine)

    def expire(self, now: Decimal) -> None:
        """Orders that outlived their expiration are taken down by the exchange."""
        for order in self.resting.values():
            if order.live and now >= order.expires:
                self._close(order)

    def tops(self) -> dict[TokenId, Book]:
        """The book of every token that is quoted, as a decision sees it."""
        for key in self._stale_books:
            token = self.tokens[key]
            if not token.bids and not token.asks:
                self._books.pop(token.token_id, None)
                token.shown = None
                continue
            bid = token.bids[0][0] if token.bids else None
            ask = token.asks[0][0] if token.asks else None
            # The feed's current price and the book's last trade say about the same; so the guard has a price.
            last = token.last_trade if token.last_trade is not None else self.marks.get(key)
            shown = (bid, ask, last, token.terms)
            if token.shown != shown:
                token.shown = shown
                self._books[token.token_id] = new_book(
                    best_bid=bid,
                    best_ask=ask,
                    tick_size=token.terms.tick_size,
                    min_order_size=token.terms.min_order_size,
                    last_trade_price=last,
                )
        self._stale_books.clear()
        return dict(self._books)


def _index_of(key: TokenKey) -> int:
    text = key.rpartition(":")[2]
    return int(text) if text.isdigit() else 0
