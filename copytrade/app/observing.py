"""Observe: every fact that the decision may use, in two rounds of requests that run together.

    first round     both wallets' positions, our open orders, the cash: what everything else depends on
    second round    what the first one asks for: ids of unknown tokens, books of those that may be traded, balances of
                    those in question, fates of orders that left the listing, our trades, now and then the clock

What the answers say of our orders goes into the memory; what is asked in the second round is chosen by a guess at that
memory, of which nothing is kept. A question that fails is a warning and a fact that is missing; it ends nothing.

Not here: what an answer means as a fact (facts.py), and for the memory (domain/memory.py).   Read next: executing.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import partial

from attrs import evolve, frozen

from copytrade.app.executing import TAKEN_OFF_SEC
from copytrade.app.facts import (
    bought,
    foreign_orders,
    keys_of,
    listed_sizes,
    locked_by,
    sighting,
    strangers,
    summed,
    tops,
    with_ids,
)
from copytrade.app.notebook import Notebook
from copytrade.app.outcomes import new_fills
from copytrade.app.ports import FullBook, OpenOrder, OrderFate, Ports, Resolution
from copytrade.app.state import confirmed_first
from copytrade.domain import daybook, lost_state
from copytrade.domain import memory as remembering
from copytrade.domain.desired import average_prices, poll_of
from copytrade.domain.memory import DEAREST, Evidence, Memory, Sighting, Traded
from copytrade.domain.model import ZERO, Book, Order, OrderId, Position, Positions, Snapshot, TokenId, TokenKey
from copytrade.domain.plan import tokens_to_quote, tokens_to_witness
from copytrade.domain.policy import Policy

CLOCK_CHECK_SEC = 600  # clocks are set while a run lasts: after so long by ours, the exchange's is asked for again


@frozen(kw_only=True)
class _Trades:
    """Our trades, where they were asked for: when, their sums by order (None: not read), and what the day has cost by
    them, where that has to be counted anew.
    """

    asked_at: Decimal
    sums: Mapping[OrderId, Traded] | None = None
    spent: Decimal | None = None


@frozen(kw_only=True)
class _First:
    """The first round of answers: what everything else depends on."""

    target: Positions
    mine: Positions
    listing: tuple[OpenOrder, ...] | None  # None: could not be read (or, in a dry run, is not asked for)
    cash: Decimal | None
    asked_at: Decimal


class Observer:
    """Asks the services. What it learns of our orders and shares is in the notebook when a snapshot is returned."""

    def __init__(
        self, ports: Ports, policy: Policy, notebook: Notebook, *, may_be_first: bool, retry_after_sec: Decimal
    ) -> None:
        self.clock_offset: Decimal | None = None  # the exchange's clock less ours
        self._ports = ports
        self._policy = policy
        self._notebook = notebook
        self._may_be_first = may_be_first
        self._retry_after_sec = retry_after_sec
        self._offset_from = ZERO  # when the offset was learned

    async def observe(self) -> tuple[Snapshot, Mapping[TokenId, FullBook]]:
        """The facts of now, and the whole books of the tokens that may be traded."""
        first = await self._first_round()
        now, listed = self._ports.clock.now(), listed_sizes(first.listing)
        # What the first round alone says decides what the second asks; nothing of it is kept.
        guess = self._with_listing(first, listed, now)
        provisional = self._snapshot(first, guess, {}, {}, now, trust_rows=True)
        to_resolve = self._to_resolve(first)
        wanted_books = tokens_to_quote(provisional)
        resolution, books, (witnesses, balances, looked_up, trades, offset) = await asyncio.gather(
            self._resolve(to_resolve),
            self._books(wanted_books),
            asyncio.gather(
                self._balances(tokens_to_witness(provisional), provisional.token_map),
                self._balances(self._to_restore(provisional, guess, wanted_books), provisional.token_map),
                self._look_up(first, listed),
                self._trades(first, listed),
                self._learn_clock_offset(),
            ),
        )
        self.clock_offset = offset
        now = self._ports.clock.now()
        unknown = foreign_orders(first.listing or (), self._notebook.memory)
        self._take_in(first, listed, looked_up, trades, now)
        self._notebook.memory = remembering.resolved(self._notebook.memory, resolution.token_ids)
        self._told(first, unknown, resolution.refused, now)
        for key, words in resolution.refused.items():
            self._notebook.warn(f"{key}: left alone, {words}")
        self._notebook.memory = lost_state.restored(
            self._notebook.memory, balances, poll_of(first.mine), now, average_prices(first.mine)
        )
        for key in sorted(balances):
            if self._notebook.memory.bases[key].avg_price == DEAREST:
                self._notebook.warn(
                    f"{key}: what its {balances[key]} shares have cost is not known: they count as "
                    f"{DEAREST} pUSD each under the caps until the positions feed agrees"
                )
        snapshot = self._snapshot(first, self._notebook.memory, {}, witnesses, now)
        asked = set(wanted_books)
        late = [token_id for token_id in tokens_to_quote(snapshot) if token_id not in asked]
        if late:  # tokens whose id had to be looked up first
            books = {**books, **await self._books(late)}
            now = self._ports.clock.now()
        snapshot = evolve(snapshot, books=tops(books, snapshot.open_orders), now=now)
        if snapshot.mine.complete:
            self._notebook.memory = daybook.day_marked(self._notebook.memory, snapshot)
        return evolve(
            snapshot,
            # Only now: the day's result is that of what is believed, and not of the most that may be there.
            ledgers={**snapshot.ledgers, **lost_state.fallen_back(self._notebook.memory, poll_of(first.mine))},
            today=daybook.today(self._notebook.memory, now, self._policy),
            stopped=self._ports.stopped(),
        ), books

    async def _first_round(self) -> _First:
        asked_at = self._ports.clock.now()
        account, policy = self._ports.account, self._policy
        feeds = (self._ports.feed.positions(policy.target_address), self._ports.feed.positions(policy.my_address))
        if account is None:
            target, mine = await asyncio.gather(*feeds)
            return _First(target=target, mine=mine, listing=None, cash=None, asked_at=asked_at)
        target, mine, listing, cash = await asyncio.gather(
            *feeds,
            self._notebook.tried("my open orders could not be read", account.open_orders),
            self._notebook.tried("my cash could not be read: nothing is bought", account.cash),
        )
        return _First(
            target=target, mine=mine, listing=listing, cash=ZERO if cash is None else max(cash, ZERO), asked_at=asked_at
        )

    def _with_listing(self, first: _First, listed: Mapping[OrderId, Decimal], now: Decimal) -> Memory:
        if first.listing is None:
            return self._notebook.memory
        evidence = Evidence(asked_at=first.asked_at, listed=listed)
        memory = remembering.observed(self._notebook.memory, evidence, now=now, policy=self._policy)
        return lost_state.strangers_listed(memory, {one.token_id for one in strangers(first.listing, memory)}, now)

    def _to_resolve(self, first: _First) -> list[Position]:
        """Positions that may be traded, and whose token id is not known to be safe yet."""
        rows = {position.token_key: position for position in (*first.mine.positions, *first.target.positions)}
        return [
            position
            for key, position in sorted(rows.items())
            if key not in self._notebook.memory.token_map and not position.redeemable and position.size > 0
        ]

    async def _resolve(self, positions: Collection[Position]) -> Resolution:
        return await self._ports.resolver.resolve(positions) if positions else Resolution()

    async def _books(self, token_ids: Collection[TokenId]) -> Mapping[TokenId, FullBook]:
        if not token_ids:
            return {}
        return (
            await self._notebook.tried("order books could not be read", lambda: self._ports.market.books(token_ids))
            or {}
        )

    async def _balances(self, keys: Collection[TokenKey], ids: Mapping[TokenKey, TokenId]) -> dict[TokenKey, Decimal]:
        account = self._ports.account
        if account is None or not keys:
            return {}
        asked = [key for key in keys if key in ids]
        answers = await asyncio.gather(
            *(
                self._notebook.tried(f"{key}: its balance could not be read", partial(account.balance, ids[key]))
                for key in asked
            )
        )
        return {key: balance for key, balance in zip(asked, answers, strict=True) if balance is not None}

    async def _look_up(self, first: _First, listed: Collection[OrderId]) -> dict[OrderId, Sighting]:
        account = self._ports.account
        if account is None or first.listing is None:
            return {}
        ids = remembering.to_look_up(self._notebook.memory, listed)
        answers = await asyncio.gather(
            *(self._notebook.tried(f"{one}: not looked up", partial(account.look_up, one)) for one in ids)
        )
        return {
            answer.order_id: sighting(answer) for answer in answers if answer and answer.fate is not OrderFate.UNKNOWN
        }

    async def _trades(self, first: _First, listed: Collection[OrderId]) -> _Trades:
        """Our trades, if anything is to be learned of them."""
        asked_at = self._ports.clock.now()
        account = self._ports.account
        if account is None or first.listing is None:
            return _Trades(asked_at=asked_at)
        earliest = counted = None
        if self._may_be_first:
            earliest = asked_at - self._policy.settle_timeout_sec
        else:
            earliest = counted = daybook.counted_from(self._notebook.memory, asked_at, self._policy)
        wanted = [
            time
            for time in (earliest, remembering.trades_wanted_after(self._notebook.memory, listed))
            if time is not None
        ]
        if not wanted:
            return _Trades(asked_at=asked_at)
        after = min(wanted)
        fills = await self._notebook.tried(
            "my trades could not be read", lambda: account.fills(after=after - TAKEN_OFF_SEC)
        )
        if fills is None:
            return _Trades(asked_at=asked_at)
        if self._may_be_first:
            if not fills and not first.listing:
                self._notebook.memory = confirmed_first(self._notebook.memory)
            else:
                self._notebook.warn("this wallet has traded lately: tokens are on hold until their balance is known")
            self._may_be_first = False
        spent = None
        if counted is not None:
            spent = bought(fills, counted) + locked_by(strangers(first.listing, self._notebook.memory))
        return _Trades(asked_at=asked_at, sums=summed(fills), spent=spent)

    async def _learn_clock_offset(self) -> Decimal | None:
        """The exchange's clock less ours: an order's expiration is told by the exchange's. Asked for now and then."""
        asked_at = self._ports.clock.now()
        fresh = 0 <= asked_at - self._offset_from <= CLOCK_CHECK_SEC
        if self._ports.account is None or (fresh and self.clock_offset is not None):
            return self.clock_offset
        there = await self._notebook.tried("the exchange's clock could not be read", self._ports.market.server_time)
        if there is None:
            # The last one may be wrong by now, and still be better than none.
            return self.clock_offset
        self._offset_from = self._ports.clock.now()
        return there - self._offset_from

    def _take_in(
        self,
        first: _First,
        listed: Mapping[OrderId, Decimal],
        looked_up: Mapping[OrderId, Sighting],
        trades: _Trades,
        now: Decimal,
    ) -> None:
        if first.listing is None:
            return
        evidence = Evidence(
            asked_at=first.asked_at,
            listed=listed,
            looked_up=looked_up,
            trades=trades.sums,
            trades_asked_at=trades.asked_at,
        )
        before = self._notebook.memory
        self._notebook.memory = remembering.observed(before, evidence, now=now, policy=self._policy)
        self._notebook.fills += new_fills(before, self._notebook.memory)
        self._notebook.memory = lost_state.strangers_listed(
            self._notebook.memory, {one.token_id for one in strangers(first.listing, before)}, now
        )
        if trades.spent is not None:  # after the fills above were booked: they are among these trades
            self._notebook.memory = daybook.day_counted(self._notebook.memory, trades.spent, trades.asked_at)

    def _told(
        self,
        first: _First,
        unknown: Mapping[TokenId, tuple[Order, ...]],
        refused: Collection[TokenKey],
        now: Decimal,
    ) -> None:
        """After a lost state: what this cycle told of tokens that wait for their balance."""
        if self._notebook.memory.recovery is None:
            return
        ids = self._notebook.memory.token_map
        rows = [row for row in first.mine.positions if row.token_key not in refused and not row.redeemable]
        self._notebook.memory = lost_state.told_meanwhile(
            self._notebook.memory,
            {row.token_key: row.size for row in rows if row.size > ZERO},
            [(key, order) for key, token_id in ids.items() for order in unknown.get(token_id, ())],
            {row.token_key: row.avg_price for row in rows},
            now=now,
            policy=self._policy,
        )

    def _snapshot(
        self,
        first: _First,
        memory: Memory,
        books: Mapping[TokenId, Book],
        witnesses: Mapping[TokenKey, Decimal],
        now: Decimal,
        *,
        trust_rows: bool = False,
    ) -> Snapshot:
        """The facts, put together. Only checked token ids are let in, but for choosing what to ask (`trust_rows`)."""
        dry = self._ports.account is None
        ids = dict(memory.token_map)
        if trust_rows:
            rows = (*first.target.positions, *first.mine.positions)
            ids = {**{row.token_key: row.token_id for row in rows if row.token_id is not None}, **ids}
        live, in_doubt = remembering.live_and_in_doubt(memory, None if first.listing is None else first.asked_at)
        snapshot = Snapshot(
            now=now,
            policy=self._policy,
            target=with_ids(first.target, ids),
            mine=with_ids(first.mine, ids),
            token_map=ids,
            books=books,
            orders_ok=dry or first.listing is not None,
            open_orders=live,
            in_doubt=in_doubt,
            foreign_orders=foreign_orders(first.listing or (), memory),
            cash=first.cash,
            ledgers=remembering.ledgers(memory),
            witnesses=witnesses,
            target_history=memory.polls,
        )
        return evolve(snapshot, holds=self._holds(snapshot, memory))

    def _holds(self, snapshot: Snapshot, memory: Memory) -> dict[TokenKey, Decimal]:
        holds = {key: hold.until for key, hold in memory.holds.items() if hold.until > snapshot.now}
        if memory.recovery is not None:
            for key in keys_of(snapshot):
                until = lost_state.unrestored_until(memory, key, snapshot.token_map.get(key), self._policy)
                if until is not None:
                    # Past that time only the balance is missing: it is asked for in the next cycle.
                    holds[key] = max(until, snapshot.now + self._retry_after_sec, holds.get(key, ZERO))
        return holds

    def _to_restore(self, snapshot: Snapshot, memory: Memory, wanted_books: Collection[TokenId]) -> list[TokenKey]:
        """Tokens that wait for the exchange's own balance only, and where something is to be done.

        `memory` knows of the strangers of this very listing; without a listing nobody knows who rests where.
        """
        if memory.recovery is None or self._may_be_first or not snapshot.orders_ok:
            return []
        # An answer that failed lists nothing, and nothing has fallen back for that.
        told = lost_state.fallen_back(memory, poll_of(snapshot.mine)) if snapshot.mine.complete else {}
        fallen = told.keys()
        asked = {*wanted_books, *(snapshot.token_map[key] for key in fallen if key in snapshot.token_map)}
        quiet = asked - snapshot.open_orders.keys() - snapshot.in_doubt.keys()
        due = []
        for key in sorted(keys_of(snapshot) | fallen):
            token_id = snapshot.token_map.get(key)
            if token_id not in quiet:
                continue
            until = lost_state.unrestored_until(memory, key, token_id, self._policy)
            if until is not None and until <= snapshot.now:
                due.append(key)
        return due
