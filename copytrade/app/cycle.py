"""One cycle: observe, plan, execute, remember. The whole program can be seen in `Trader.cycle`.

    observe    every fact the decision may use, in two rounds of requests that run together
    plan       the pure function; no port in reach
    execute    cancels first; it may drop an action, it never invents one
    remember   state before anything is posted and after it was answered, then the journal's line

Rule 1: an intent is on the disk before its order is posted. Where it can't be written, nothing is posted.
Rule 2: whatever an answer leaves open is in doubt: looked up next cycle, never asked again blindly.
Rule 3: what the positions feed said is remembered before the posts, so that no fill of theirs is folded away with it.

Not here: when the next cycle runs, and how a run ends (loop.py).   Read next: loop.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import TypeVar

from attrs import evolve, frozen

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
from copytrade.app.outcomes import (
    AccountRefused,
    Cycle,
    NotApproved,
    OwnFill,
    Result,
    dry,
    fatal,
    intent,
    largest_first,
    new_fills,
    result_of,
    sales,
)
from copytrade.app.ports import (
    Account,
    Clock,
    FullBook,
    Journal,
    MarketData,
    OpenOrder,
    OrderFate,
    PositionsFeed,
    PostAnswer,
    PostFate,
    Refusal,
    Resolution,
    Resolver,
    SignedOrder,
    StateFile,
    Switch,
    ToSign,
)
from copytrade.app.state import confirmed_first, encode_state
from copytrade.domain import daybook
from copytrade.domain import memory as remembering
from copytrade.domain.desired import average_prices, poll_of
from copytrade.domain.memory import Evidence, Memory, Sighting, Standing, Traded
from copytrade.domain.model import (
    ZERO,
    Book,
    Cancel,
    Decision,
    Mode,
    OrderId,
    Place,
    Plan,
    Position,
    Positions,
    Reason,
    Side,
    Snapshot,
    TokenId,
    TokenKey,
)
from copytrade.domain.plan import plan, tokens_to_quote, tokens_to_witness
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput, VenueError

# The exchange refuses a GTD order that expires less than 180 s ahead, and takes a minute off (API.md, Orders).
LEAST_LIFE_SEC = 180
TAKEN_OFF_SEC = 60
SKEW_MARGIN_SEC = 10  # between our clock and the exchange's
CASH_REFRESH_SEC = 60  # while there is no cash, the exchange is told so often to look again
CLOCK_CHECK_SEC = 600  # clocks are set while a run lasts: after so long by ours, the exchange's is asked for again
STOPPED = 'everything is stopped: our orders are taken down and none is placed, until "copytrade stop --lift"'

T = TypeVar("T")


@frozen(kw_only=True)
class Ports:
    """Everything outside, as one cycle needs it. Without an `account` the run is dry: it sends and writes nothing."""

    feed: PositionsFeed
    resolver: Resolver
    market: MarketData
    clock: Clock
    account: Account | None = None
    state: StateFile | None = None
    journal: Journal | None = None
    switch: Switch | None = None


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


Approve = Callable[[Collection[Decision], Snapshot], Awaitable[bool]]  # may these positions be sold or reduced?
Encode = Callable[[Cycle], bytes]


class Trader:
    """Runs cycles. `memory` is always what the next cycle, or the stop, may rely on."""

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
        self.memory = memory
        self.executing = False  # an action is in hand: a stop waits for it
        self.switch: Switch | None = ports.switch
        self.not_saved = ""  # why the last save failed; "": it did not
        self._ports = ports
        self._policy = policy
        self._encode_line = encode_line
        self._approve = approve
        self._may_be_first = may_be_first
        self._retry_after_sec = retry_after_sec
        self._number = 0
        self._clock_offset: Decimal | None = None  # the exchange's clock less ours
        self._offset_from = ZERO  # when that was learned
        self._cash_refreshed_at = ZERO
        self._warnings: list[str] = []
        self._fills: list[OwnFill] = []

    async def cycle(self) -> Cycle:
        """Go around once. Raises AccountRefused and NotApproved; what a service does is a reason or a warning."""
        self._number += 1
        self._warnings = []
        started_at = self._ports.clock.now()
        if (back := self.memory.last_sync_ts - started_at) > 0:
            self._warnings.append(
                f"the clock went back by {back:.0f} s: it is compared with the exchange's again, and what waits for a "
                "time waits that much longer"
            )
        snapshot, books = await self._observe()
        plan_ = plan(snapshot)
        if self._approve is not None and plan_.mode is Mode.NORMAL and not snapshot.stopped:
            if due := sales(plan_, self._policy):
                if not await self._approve(due, snapshot):
                    raise NotApproved("the start was not confirmed: nothing was sent")
                # A person may have thought for minutes: what is done now is decided on what is known now.
                self._warnings = []
                snapshot, books = await self._observe()
                plan_ = plan(snapshot)
            self._approve = None
        if snapshot.stopped:
            self._warnings.append(STOPPED)
        self._warnings += [f"{d.token_key}: {d.warning}" for d in plan_.decisions if d.warning]
        self._remember_polls(snapshot)
        results: list[Result] = []
        self.executing = True
        refused: AccountRefused | None = None
        try:
            if self._ports.account is None:
                results = [dry(action) for action in plan_.actions]
            else:
                refused = await self._execute(plan_, snapshot, books, self._ports.account, results)
                if refused is None:
                    await self._look_for_cash(plan_, self._ports.account, snapshot.now)
        finally:
            self.executing = False
        self.memory = evolve(self.memory, last_sync_ts=snapshot.now)
        self._save()
        positions = (*snapshot.target.positions, *snapshot.mine.positions)
        cycle = Cycle(
            number=self._number,
            snapshot=snapshot,
            plan=plan_,
            results=tuple(results),
            fills=tuple(self._fills),
            warnings=tuple(self._warnings),
            started_at=started_at,
            ended_at=self._ports.clock.now(),
            titles={position.token_key: position.title for position in positions if position.title},
        )
        # Not at the start: what a cycle had learned that was broken off is told by the next.
        self._fills = []
        self._write_journal(cycle)
        if refused is not None:
            raise refused
        return evolve(cycle, warnings=tuple(self._warnings), ended_at=self._ports.clock.now())

    def stopped(self) -> bool:
        """Has somebody stopped everything?"""
        return self.switch is not None and self.switch.thrown()

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
        self.memory = remembering.gone(self.memory, confirmed, self._ports.clock.now())
        self._save()
        return tuple(order_id for order_id in ids if order_id not in confirmed)

    # -- observe ------------------------------------------------------------------------------------------------------

    async def _observe(self) -> tuple[Snapshot, Mapping[TokenId, FullBook]]:
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
        self._clock_offset = offset
        now = self._ports.clock.now()
        self._take_in(first, listed, looked_up, trades, now)
        self.memory = remembering.resolved(self.memory, resolution.token_ids)
        for key, words in resolution.refused.items():
            self._warnings.append(f"{key}: left alone, {words}")
        self.memory = remembering.restored(self.memory, balances, poll_of(first.mine), now, average_prices(first.mine))
        snapshot = self._snapshot(first, self.memory, {}, witnesses, now)
        asked = set(wanted_books)
        late = [token_id for token_id in tokens_to_quote(snapshot) if token_id not in asked]
        if late:  # tokens whose id had to be looked up first
            books = {**books, **await self._books(late)}
            now = self._ports.clock.now()
        snapshot = evolve(snapshot, books=tops(books, snapshot.open_orders), now=now)
        if snapshot.mine.complete:
            self.memory = daybook.day_marked(self.memory, snapshot)
        return evolve(snapshot, today=daybook.today(self.memory, now, self._policy), stopped=self.stopped()), books

    async def _first_round(self) -> _First:
        asked_at = self._ports.clock.now()
        account, policy = self._ports.account, self._policy
        feeds = (self._ports.feed.positions(policy.target_address), self._ports.feed.positions(policy.my_address))
        if account is None:
            target, mine = await asyncio.gather(*feeds)
            return _First(target=target, mine=mine, listing=None, cash=None, asked_at=asked_at)
        target, mine, listing, cash = await asyncio.gather(
            *feeds,
            self._tried("my open orders could not be read", account.open_orders),
            self._tried("my cash could not be read: nothing is bought", account.cash),
        )
        return _First(
            target=target, mine=mine, listing=listing, cash=ZERO if cash is None else max(cash, ZERO), asked_at=asked_at
        )

    async def _tried(self, failure: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await ask()  # made only here: a stop may come before this is begun
        except VenueError as error:
            self._warnings.append(f"{failure} ({error})")
            return None

    def _with_listing(self, first: _First, listed: Mapping[OrderId, Decimal], now: Decimal) -> Memory:
        if first.listing is None:
            return self.memory
        evidence = Evidence(asked_at=first.asked_at, listed=listed)
        memory = remembering.observed(self.memory, evidence, now=now, policy=self._policy)
        return remembering.strangers_listed(memory, {one.token_id for one in strangers(first.listing, memory)}, now)

    def _to_resolve(self, first: _First) -> list[Position]:
        """Positions that may be traded, and whose token id is not known to be safe yet."""
        rows = {position.token_key: position for position in (*first.mine.positions, *first.target.positions)}
        return [
            position
            for key, position in sorted(rows.items())
            if key not in self.memory.token_map and not position.redeemable and position.size > 0
        ]

    async def _resolve(self, positions: Collection[Position]) -> Resolution:
        return await self._ports.resolver.resolve(positions) if positions else Resolution()

    async def _books(self, token_ids: Collection[TokenId]) -> Mapping[TokenId, FullBook]:
        if not token_ids:
            return {}
        return await self._tried("order books could not be read", lambda: self._ports.market.books(token_ids)) or {}

    async def _balances(self, keys: Collection[TokenKey], ids: Mapping[TokenKey, TokenId]) -> dict[TokenKey, Decimal]:
        account = self._ports.account
        if account is None or not keys:
            return {}
        asked = [key for key in keys if key in ids]
        answers = await asyncio.gather(
            *(self._tried(f"{key}: its balance could not be read", partial(account.balance, ids[key])) for key in asked)
        )
        return {key: balance for key, balance in zip(asked, answers, strict=True) if balance is not None}

    async def _look_up(self, first: _First, listed: Collection[OrderId]) -> dict[OrderId, Sighting]:
        account = self._ports.account
        if account is None or first.listing is None:
            return {}
        ids = remembering.to_look_up(self.memory, listed)
        answers = await asyncio.gather(
            *(self._tried(f"{one}: not looked up", partial(account.look_up, one)) for one in ids)
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
            earliest = counted = daybook.counted_from(self.memory, asked_at, self._policy)
        wanted = [time for time in (earliest, remembering.trades_wanted_after(self.memory, listed)) if time is not None]
        if not wanted:
            return _Trades(asked_at=asked_at)
        after = min(wanted)
        fills = await self._tried("my trades could not be read", lambda: account.fills(after=after - TAKEN_OFF_SEC))
        if fills is None:
            return _Trades(asked_at=asked_at)
        if self._may_be_first:
            if not fills and not first.listing:
                self.memory = confirmed_first(self.memory)
            else:
                self._warnings.append("this wallet has traded lately: tokens are on hold until their balance is known")
            self._may_be_first = False
        spent = None
        if counted is not None:
            spent = bought(fills, counted) + locked_by(strangers(first.listing, self.memory))
        return _Trades(asked_at=asked_at, sums=summed(fills), spent=spent)

    async def _learn_clock_offset(self) -> Decimal | None:
        """The exchange's clock less ours: an order's expiration is told by the exchange's. Asked for now and then."""
        asked_at = self._ports.clock.now()
        fresh = 0 <= asked_at - self._offset_from <= CLOCK_CHECK_SEC
        if self._ports.account is None or (fresh and self._clock_offset is not None):
            return self._clock_offset
        there = await self._tried("the exchange's clock could not be read", self._ports.market.server_time)
        if there is None:
            # The last one may be wrong by now, and still be better than none.
            return self._clock_offset
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
        before = self.memory
        self.memory = remembering.observed(before, evidence, now=now, policy=self._policy)
        self._fills += new_fills(before, self.memory)
        self.memory = remembering.strangers_listed(
            self.memory, {one.token_id for one in strangers(first.listing, before)}, now
        )
        if trades.spent is not None:  # after the fills above were booked: they are among these trades
            self.memory = daybook.day_counted(self.memory, trades.spent, trades.asked_at)

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
                until = remembering.unrestored_until(memory, key, snapshot.token_map.get(key), self._policy)
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
        quiet = set(wanted_books) - snapshot.open_orders.keys() - snapshot.in_doubt.keys()
        due = []
        for key in sorted(keys_of(snapshot)):
            token_id = snapshot.token_map.get(key)
            if token_id not in quiet:
                continue
            until = remembering.unrestored_until(memory, key, token_id, self._policy)
            if until is not None and until <= snapshot.now:
                due.append(key)
        return due

    # -- execute ------------------------------------------------------------------------------------------------------

    async def _execute(
        self,
        plan_: Plan,
        snapshot: Snapshot,
        books: Mapping[TokenId, FullBook],
        account: Account,
        results: list[Result],
    ) -> AccountRefused | None:
        """Do what the plan says, cancels first; fill `results`. Returns what ends the run, if anything does."""
        dropped = await self._cancel(plan_.cancels, account, results)
        places = []
        for place in largest_first(plan_.places, plan_.decisions):
            if place.token_id in dropped:
                results.append(result_of(place, "dropped", words=dropped[place.token_id]))
            else:
                places.append(place)
        if places and self.stopped():  # since the plan was made: the cancels may have taken their time
            results += [result_of(place, "dropped", words="everything was stopped") for place in places]
            return None
        signed = self._sign(places, books, account, results)
        if not signed:
            return None
        self.memory = remembering.intended(
            self.memory,
            [intent(place, order, self._ports.clock.now()) for place, order in signed],
            poll_of(snapshot.mine),
            average_prices(snapshot.mine),
        )
        if not self._save():
            self.memory = remembering.refused(self.memory, [order.order_id for _, order in signed])
            results += [result_of(place, "dropped", words="the state could not be saved") for place, _ in signed]
            return None
        answers = await account.post([order for _, order in signed])
        return await self._record(signed, answers, account, results)

    async def _cancel(self, cancels: Collection[Cancel], account: Account, results: list[Result]) -> dict[TokenId, str]:
        """Cancel; return the tokens on which nothing may be placed now, with why."""
        if not cancels:
            return {}
        dropped: dict[TokenId, str] = {}
        answers = {answer.order_id: answer for answer in await account.cancel([one.order_id for one in cancels])}
        confirmed = []
        for cancel in cancels:
            answer = answers.get(cancel.order_id)
            if answer is None or not answer.confirmed:
                dropped[cancel.token_id] = "its cancel was not confirmed"
            elif answer.matched:
                dropped[cancel.token_id] = "its order may have matched more than the plan knew"
            if answer is not None and answer.confirmed:
                confirmed.append(cancel.order_id)
            outcome = "confirmed" if answer is not None and answer.confirmed else "unconfirmed"
            results.append(
                Result(
                    action="cancel",
                    token_key=cancel.token_key,
                    token_id=cancel.token_id,
                    outcome=outcome,
                    order_id=cancel.order_id,
                    words=answer.words if answer is not None else "",
                )
            )
        self.memory = remembering.gone(self.memory, confirmed, self._ports.clock.now())
        return dropped

    def _sign(
        self, places: Iterable[Place], books: Mapping[TokenId, FullBook], account: Account, results: list[Result]
    ) -> list[tuple[Place, SignedOrder]]:
        expiration = self._expiration()
        signed = []
        for place in places:
            to_sign = ToSign(
                token_id=place.token_id,
                side=place.side,
                price=place.price,
                size=place.size,
                tick_size=place.tick_size,
                neg_risk=books[place.token_id].neg_risk,
                expiration=expiration,
                post_only=place.post_only,
            )
            try:
                signed.append((place, account.sign([to_sign])[0]))
            except BadInput as error:
                results.append(result_of(place, "dropped", words=f"it can't be signed exactly: {error}"))
        return signed

    def _expiration(self) -> int:
        """When the exchange takes an order down by itself, by its own clock, so that a dead process leaves none."""
        there = int(self._ports.clock.now() + (self._clock_offset or ZERO))
        ttl = int(self._policy.order_ttl_sec)
        return max(there + TAKEN_OFF_SEC + ttl, there + LEAST_LIFE_SEC + SKEW_MARGIN_SEC)

    async def _record(
        self,
        signed: Collection[tuple[Place, SignedOrder]],
        answers: Collection[PostAnswer],
        account: Account,
        results: list[Result],
    ) -> AccountRefused | None:
        now = self._ports.clock.now()
        by_id = {answer.order_id: answer for answer in answers}
        accepted: dict[OrderId, Decimal] = {}
        never, taken, hold = [], [], []
        ends: AccountRefused | None = None
        uncovered: list[Place] = []
        for place, order in signed:
            answer = by_id.get(order.order_id) or PostAnswer(order_id=order.order_id, fate=PostFate.UNKNOWN)
            results.append(result_of(place, answer.fate.value.lower(), order_id=order.order_id, words=answer.words))
            if answer.fate is PostFate.ACCEPTED:
                accepted[order.order_id] = answer.matched
                taken.append(place.token_key)
            elif answer.fate is PostFate.REFUSED:
                never.append(order.order_id)
                if answer.refusal in (Refusal.ACCOUNT, Refusal.CLIENT):
                    ends = fatal(answer)
                elif answer.refusal in (Refusal.NOT_TRADABLE, Refusal.BALANCE, Refusal.OTHER):
                    hold.append(place.token_key)
                if answer.refusal is Refusal.BALANCE:
                    uncovered.append(place)
        before = self.memory
        self.memory = remembering.acknowledged(before, accepted, now)
        self._fills += new_fills(before, self.memory)
        self.memory = remembering.refused(self.memory, never)
        self.memory = remembering.released(self.memory, taken)
        self.memory = remembering.held(self.memory, hold, now)
        if ends is None:
            await self._refresh_balances(uncovered, account)
        return ends

    async def _refresh_balances(self, uncovered: Collection[Place], account: Account) -> None:
        """These were refused, since nothing covers them: perhaps the exchange only looks at an old cache (API.md)."""
        asks: list[Callable[[], Awaitable[object]]] = []
        if any(place.side is Side.BUY for place in uncovered):
            asks.append(account.refresh_cash)
        # Whoever asks for the balance of a token has it refreshed; what it is, the positions tell.
        asks += [partial(account.balance, place.token_id) for place in uncovered if place.side is Side.SELL]
        await asyncio.gather(*(self._tried("the exchange's balance cache could not be refreshed", one) for one in asks))

    async def _look_for_cash(self, plan_: Plan, account: Account, now: Decimal) -> None:
        """Nothing is posted for want of cash, so nothing is refused: only this shows what was paid in meanwhile."""
        poor = any(one.reason is Reason.NO_CASH for one in plan_.decisions)
        if poor and abs(now - self._cash_refreshed_at) >= CASH_REFRESH_SEC:
            self._cash_refreshed_at = now
            await self._tried("the exchange's balance cache could not be refreshed", account.refresh_cash)

    # -- remember -----------------------------------------------------------------------------------------------------

    def _remember_polls(self, snapshot: Snapshot) -> None:
        if snapshot.target.complete:
            self.memory = remembering.target_polled(self.memory, poll_of(snapshot.target), self._policy)
        if snapshot.mine.complete:
            in_doubt = {order.token_key for order in self.memory.orders.values() if order.token_id in snapshot.in_doubt}
            if not snapshot.orders_ok or self._ports.account is None:
                in_doubt |= self.memory.bases.keys()
            self.memory = remembering.mine_polled(
                self.memory,
                poll_of(snapshot.mine),
                snapshot.witnesses,
                in_doubt,
                now=snapshot.now,
                policy=self._policy,
                prices=average_prices(snapshot.mine),
            )

    def _save(self) -> bool:
        """Write the memory down. False, with a warning, where the disk does not take it."""
        if self._ports.state is None:
            return True
        try:
            self._ports.state.save(encode_state(self.memory, self._policy))
        except OSError as error:
            self.not_saved = str(error)
            warning = f"{error}: nothing is placed until it can be saved"
            if warning not in self._warnings:  # a cycle saves twice
                self._warnings.append(warning)
            return False
        self.not_saved = ""
        return True

    def _write_journal(self, cycle: Cycle) -> None:
        if self._ports.journal is None or self._encode_line is None:
            return
        try:
            self._ports.journal.append(cycle.snapshot.now, self._encode_line(cycle))
        except OSError as error:
            self._warnings.append(f"the journal could not be written: {error}")
