"""Run the live program's decisions through a tape.

    advance   the tape up to now: leader, books and prices move, resting orders of ours fill, markets resolve
    observe   what the exchange and the feeds would say now, taken in by the transitions of domain/memory.py
    plan      the same `plan` that trades money
    execute   cancels, then places, arrive `latency_sec` later, at whatever the market is then

Rule 1: a poll sees what is older than its lag and nothing else; the tape is never read past the moment that is lived.
Rule 2: memory changes by its own transitions alone, in the order of app/cycle.py (slices.py).
Rule 3: books of all tokens are in the snapshot, where the live loop asks only for those that it needs. That costs
        nothing here and changes no action: a book beyond `tokens_to_quote` is looked at by nobody who acts.
Rule 4: dice are seeded and thrown only where an assumption has a rate; nothing else is random.

Not here: what happens to market, leader and orders (world.py), what is told at the end (meter.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, localcontext
from random import Random

from attrs import define, evolve, field, frozen

from copytrade.app.backtest.accounting import Account
from copytrade.app.backtest.assumptions import ASSUMED_OF, Assumptions, FillModel
from copytrade.app.backtest.fills import Resting
from copytrade.app.backtest.meter import Meter
from copytrade.app.backtest.result import Decided, Fill, OrderRecord, Result
from copytrade.app.backtest.slices import Slices
from copytrade.app.backtest.tape import Event, Tape
from copytrade.app.backtest.world import World
from copytrade.domain import memory as remembering
from copytrade.domain.amounts import EXACT, ceiled
from copytrade.domain.memory import OwnOrder
from copytrade.domain.model import ZERO, Cancel, OrderId, Place, Plan, Snapshot, TokenId, TokenKey
from copytrade.domain.plan import plan
from copytrade.domain.policy import Policy
from copytrade.domain.records import maker
from copytrade.domain.tokens import Memo

# As app/executing.py sends them: a GTD order lives 180 s at least, the exchange takes a minute off. (API.md, Orders)
LEAST_LIFE_SEC = Decimal(190)
TAKEN_OFF_SEC = Decimal(60)

new_own_order = maker(OwnOrder)


@frozen(kw_only=True)
class Poll:
    """One poll of the run, for whoever watches it."""

    snapshot: Snapshot
    plan: Plan
    account: Account
    fills: tuple[Fill, ...]  # since the poll before


Watch = Callable[[Poll], None]
Progress = Callable[[Decimal], None]


def backtest(
    tape: Tape,
    policy: Policy | None = None,
    *,
    fills: FillModel | str = FillModel.PESSIMISTIC,
    assumptions: Assumptions | None = None,
    seed: int = 0,
    keep: bool = True,
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> Result:
    """What following this history by `policy` would have done. Pure but for reading the tape; the same every time.

    `fills` is the fill model or its name. With `keep` the result has every order, fill and decision; without it, it is
    of a bounded size. `watch` is called at each poll, `progress` with the tape's time as it goes on. Raises BadInput
    with the place for a tape that makes no sense.

    >>> from copytrade.app.backtest.tape import BookSeen, LeaderHeld, Resolved, TokenListed
    >>> def bid(at, price):
    ...     level = ((Decimal(price), Decimal(50)),)
    ...     return BookSeen(at=Decimal(at), token_key="0xc1:0", bids=level, asks=((Decimal("0.60"), Decimal(50)),))
    >>> tape = Tape.of([
    ...     TokenListed(at=Decimal(0), token_key="0xc1:0", token_id="111", tick_size=Decimal("0.01")),
    ...     LeaderHeld(at=Decimal(0), token_key="0xc1:0", size=Decimal(100)),
    ...     bid(0, "0.50"), bid(30, "0.49"), Resolved(at=Decimal(60), token_key="0xc1:0", payout=Decimal(1)),
    ... ])
    >>> found = backtest(tape, fills="optimistic").summary
    >>> found.fills, str(found.pnl)
    (1, '10.0000')
    """
    run = _Run(
        tape=tape,
        policy=policy or Policy(),
        model=FillModel(fills),
        given=assumptions or Assumptions(),
        dice=Random(seed),  # noqa: S311  # dice of a game, no secret
        keep=keep,
        watch=watch,
        progress=progress,
    )
    with localcontext(EXACT):
        run.to_the_end()
        return run.result(seed)


@define(kw_only=True, eq=False)
class _Run:
    tape: Tape
    policy: Policy
    model: FillModel
    given: Assumptions
    dice: Random
    keep: bool
    watch: Watch | None
    progress: Progress | None
    whole: bool = False  # apply memory's transitions to every token in every poll: slower, and the same

    world: World = field(init=False)
    meter: Meter = field(init=False)
    slices: Slices = field(init=False)
    orders: list[OrderRecord] = field(factory=list, init=False)
    fills: list[Fill] = field(factory=list, init=False)
    decisions: list[Decided] = field(factory=list, init=False)

    _memo: Memo = field(factory=Memo, init=False)  # for speed: nothing is decided by it

    _counts_days: bool = field(init=False)
    _count: int = field(default=0, init=False)
    _events: Iterator[Event] = field(init=False)
    _next: Event | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.world = World(
            model=self.model,
            given=self.given,
            follow_ratio=self.policy.follow_ratio,
            tick_size=self.policy.tick_size,
            has_trades=self.tape.has_trades,
            dice=self.dice,
        )
        # Nothing else asks for the day's books, and to mark them costs a look at every holding in every poll.
        self._counts_days = self.policy.max_daily_spend is not None or self.policy.max_daily_loss is not None
        self.meter = Meter(policy=self.policy, world=self.world)
        self.slices = Slices(policy=self.policy, world=self.world, whole=self.whole)

    # -- time ---------------------------------------------------------------------------------------------------------

    def to_the_end(self) -> None:
        """Live through the tape, polling at every multiple of the interval."""
        self._events = self.tape.events()
        self._next = next(self._events, None)
        assert self._next is not None, "an empty tape was refused"
        self.world.first_at = self.world.last_at = self._next.at
        interval = self.given.poll_interval_sec
        now = ceiled(self._next.at, interval)
        while True:
            self._advance(now)
            if self._next is None:
                break
            self._poll(now)
            if self.progress is not None:
                self.progress(now)
            now += interval
        self.world.copy_naively(self.world.last_at)
        self._file_fills()

    def _advance(self, until: Decimal) -> None:
        event = self._next
        # Within one stretch between two polls no record is far from the next.
        if event is not None and event.at <= until:
            self.meter.silence(self.world.last_at, event.at)
        self._next = self.world.live(event, self._events, until)

    # -- one poll -----------------------------------------------------------------------------------------------------

    def _poll(self, now: Decimal) -> None:
        self.world.hear(now)
        self.world.expire(now)
        restless = self.slices.restless(now)
        witnesses = self.slices.observe(restless, now)
        snapshot = Snapshot(
            now=now,
            policy=self.policy,
            target=self.world.target,
            mine=self.world.mine,
            token_map=dict(self.world.ids),
            books=self.world.tops(),
            open_orders=dict(self.slices.open_orders),
            in_doubt=dict(self.slices.in_doubt),
            cash=max(self.world.account.cash, ZERO),
            ledgers=dict(self.slices.ledgers),
            witnesses=witnesses,
            target_history=self.slices.memory.polls,
            holds={key: hold.until for key, hold in self.slices.memory.holds.items() if hold.until > now},
        )
        if self._counts_days:
            self.slices.mark(snapshot)
            snapshot = evolve(snapshot, today=self.slices.memory.day.today(now))
        decided = plan(snapshot, self._memo)
        self.slices.memory = remembering.target_polled(self.slices.memory, self.world.target_poll, self.policy)
        self.slices.remember_mine(restless, witnesses, now)
        self.meter.polled(now, decided)
        if self.keep:
            self.decisions.extend(Decided(at=now, decision=decision) for decision in decided.decisions)
        if self.watch is not None:
            new = tuple(self.world.fills)
            self.watch(Poll(snapshot=snapshot, plan=decided, account=self.world.account, fills=new))
        self._file_fills()
        if decided.actions:
            self._advance(now + self.given.latency_sec)
            self._execute(decided, now + self.given.latency_sec)

    def _file_fills(self) -> None:
        if self.keep:
            self.fills += self.world.fills
        self.world.fills.clear()

    # -- execute ------------------------------------------------------------------------------------------------------

    def _execute(self, decided: Plan, at: Decimal) -> None:
        dropped = self._cancel(decided.cancels, at) if decided.cancels else set()
        places = [place for place in decided.places if place.token_id not in dropped]
        if not places:
            return
        keys = {place.token_key for place in places}
        self.world.touch(keys)
        expiration = max(at + TAKEN_OFF_SEC + self.policy.order_ttl_sec, at + LEAST_LIFE_SEC)
        made = [self._made(place, at, expiration) for place in places]
        intents = [intent for _, intent in made]
        before = self.slices.part(keys)
        part = remembering.intended(before, intents, self.world.reported, self.world.paid_on_average)
        accepted: dict[OrderId, Decimal] = {}
        never, taken, hold = [], [], []
        for place, (order, intent) in zip(places, made, strict=True):
            lost = self.given.lost_answer_rate and self.dice.random() < self.given.lost_answer_rate
            if lost and self.dice.random() < 0.5:  # half of what is lost never arrived
                outcome, words = "unknown", "it never arrived"
            else:
                outcome, words = self.world.post(place, order, at)
                if lost:
                    outcome, words = "unknown", f"it was {outcome}"
            self.meter.posted(place.size, outcome)
            if outcome == "accepted":
                accepted[intent.order_id] = order.matched
                taken.append(place.token_key)
            elif outcome == "refused":
                never.append(intent.order_id)
                if words in ("NOT_TRADABLE", "BALANCE"):
                    hold.append(place.token_key)
            if self.keep:
                self.orders.append(
                    OrderRecord(
                        at=at,
                        order_id=intent.order_id,
                        token_key=place.token_key,
                        side=place.side,
                        price=place.price,
                        size=place.size,
                        post_only=place.post_only,
                        outcome=outcome,
                        words=words,
                    )
                )
        part = remembering.acknowledged(part, accepted, at)
        if never:
            part = remembering.refused(part, never)
        self.slices.keep(keys, before, part)
        self.slices.memory = remembering.held(remembering.released(self.slices.memory, taken), hold, at)

    def _made(self, place: Place, at: Decimal, expiration: Decimal) -> tuple[Resting, OwnOrder]:
        self._count += 1
        order_id = f"0x{self._count:x}"
        order = Resting(
            order_id=order_id,
            token_key=place.token_key,
            token_id=place.token_id,
            side=place.side,
            price=place.price,
            size=place.size,
            ts=at,
            expires=expiration - TAKEN_OFF_SEC,
        )
        intent = new_own_order(
            order_id=order_id,
            token_key=place.token_key,
            token_id=place.token_id,
            side=place.side,
            price=place.price,
            size=place.size,
            ts=at,
            expiration=expiration,
        )
        return order, intent

    def _cancel(self, cancels: Iterable[Cancel], at: Decimal) -> set[TokenId]:
        """Take orders down; return the tokens on which nothing may be placed now (as app/executing.py has it)."""
        confirmed: list[OrderId] = []
        keys: set[TokenKey] = set()
        dropped: set[TokenId] = set()
        for cancel in cancels:
            self.meter.cancels += 1
            order = self.world.resting[cancel.order_id]
            keys.add(order.token_key)
            lost = self.given.lost_answer_rate and self.dice.random() < self.given.lost_answer_rate
            arrived = not lost or self.dice.random() >= 0.5  # half of what is lost never arrived
            was_live = order.live and at < order.expires
            if arrived:
                order.live = False
                self.world.sweep(self.world.tokens[order.token_key])
            if lost:
                dropped.add(cancel.token_id)
                continue
            confirmed.append(cancel.order_id)
            if not was_live:  # "already canceled or matched": it may have matched more than the plan knew
                dropped.add(cancel.token_id)
        self.world.touch(keys)
        part = self.slices.part(keys)
        self.slices.keep(keys, part, remembering.gone(part, confirmed, at))
        return dropped

    # -- the end ------------------------------------------------------------------------------------------------------

    def result(self, seed: int) -> Result:
        assert self.world.account.closes(), "cash is not what the flows leave of it"
        notes = [*self.tape.notes, f"fills, {self.model.value}: {ASSUMED_OF[self.model]}"]
        silences = self.meter.silences()
        if silences is not None:
            notes.append(silences)
        if any(token.by_price for token in self.world.tokens.values()):
            spread = self.given.assumed_spread
            notes.append(f"books of tokens that have only prices are made up: {spread} wide around the last price")
        endless = sum(not token.end_date for token in self.world.tokens.values())
        if self.policy.min_hours_to_end is not None and endless:
            notes.append(f"the tape does not tell when {endless} tokens end: min_hours_to_end keeps out of them")
        if self.world.guessed:
            many = len(self.world.guessed)
            notes.append(f"payouts of {many} tokens are not on the tape: each paid its last price, to everybody")
        return Result(
            tape=self.tape.name,
            fill_model=self.model,
            seed=seed,
            policy=self.policy,
            assumptions=self.given,
            notes=tuple(notes),
            summary=self.meter.summary(),
            payouts=dict(self.world.payouts),
            equity=tuple(self.meter.curve.points),
            positions=self.meter.positions(),
            orders=tuple(self.orders),
            fills=tuple(self.fills),
            decisions=tuple(self.decisions),
        )
