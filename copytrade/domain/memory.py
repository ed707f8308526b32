"""What is remembered from cycle to cycle, and the only ways in which it changes.

The heart of it is one list of our own orders. Each stands somewhere:

    INTENT   signed, made durable, about to be posted or posted without a clear answer
    OPEN     the exchange has it (it said so, or listed it)
    GONE     certainly not resting any more, its final matched size unknown
    SETTLED  its final matched size is known; kept while its fills are in the ledger's sums

    intended -> INTENT --acknowledged--> OPEN --cancelled or vanished--> GONE --looked up, or trades--> SETTLED
                  |  refused: forgotten    `-- looked up as closed, or filled to the end -------------^

The ledger of a token is not written down, it is derived: `base` is, and the sums are what its orders have matched since
then. So a fill can neither be counted twice nor be lost between two books that have to agree.

Rule 1: "not found" proves nothing for a young order. It is GONE once a listing that was asked for when the order was
        `fill_grace_sec` old does not have it.
Rule 2: a GONE order that no look-up knows is settled by our trades, read `fill_grace_sec` after it may last have
        rested.
Rule 3: a trade that FAILED never happened: its fill is taken back while it is in the sums.
Rule 4: a ledger starts anew (`base` := what is reported) only in the quiet, and is never dropped; on the word of a
        witness only where no order of ours rests, which may have filled since the listing was read.
Rule 5: a token is ours once an order of ours has filled there, and the fill stands. A balance that was restored does
        not make it so.

Not here: a start on a lost state (lost_state.py), how a day is counted (day.py, daybook.py), reading and writing it
down (app/state.py).   Read next: lost_state.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum

from attrs import field, frozen

from copytrade.domain import day as counting
from copytrade.domain.amounts import CENT, ceiled
from copytrade.domain.day import Day
from copytrade.domain.desired import Poll
from copytrade.domain.exposure import restarts_from
from copytrade.domain.model import (
    BUY,
    ONE,
    ZERO,
    Ledger,
    Order,
    OrderId,
    Side,
    TokenId,
    TokenKey,
    a_price,
    not_negative,
    positive,
)
from copytrade.domain.policy import Policy
from copytrade.domain.records import evolver, maker

FIRST_HOLD_SEC = Decimal(60)
LONGEST_HOLD_SEC = Decimal(3600)
DEAREST = ONE  # an average that no purchase can have: what the shares have cost is not known, so they count the most
_AVERAGE_STEP = Decimal("0.000001")
NO_PRICES: Poll = {}


class Standing(Enum):
    """Where an order of ours stands; the picture is in the module's text."""

    INTENT = "INTENT"
    OPEN = "OPEN"
    GONE = "GONE"
    SETTLED = "SETTLED"


@frozen(kw_only=True, weakref_slot=False)
class OwnOrder:
    """An order that we made, and all that we know of it. Sizes are shares, times seconds since the epoch."""

    order_id: OrderId
    token_key: TokenKey
    token_id: TokenId
    side: Side
    price: Decimal = field(validator=a_price)
    size: Decimal = field(validator=positive)
    ts: Decimal = field(validator=not_negative)  # when it was signed
    expiration: Decimal = field(validator=not_negative)
    standing: Standing = Standing.INTENT
    matched: Decimal = field(default=ZERO, validator=not_negative)  # the most that was ever said of it
    traded: Decimal = field(default=ZERO, validator=not_negative)  # the sum of its trades that have not failed
    failed: Decimal = field(default=ZERO, validator=not_negative)  # the sum of its trades that have
    confirmed: Decimal = field(default=ZERO, validator=not_negative)  # the sum of its trades that are final
    folded: Decimal = field(default=ZERO, validator=not_negative)  # what the ledger's base holds already
    seen_at: Decimal = field(default=ZERO, validator=not_negative)  # when was asked for what last showed it
    gone_at: Decimal | None = None  # when it was first known not to rest any more
    cancelled: bool = False  # the exchange confirmed that it does not rest

    @property
    def filled(self) -> Decimal:
        """Shares that it has bought or sold, as far as we know; failed trades taken back."""
        kept = self.matched - self.failed
        return kept if kept >= self.traded else self.traded

    @property
    def unfolded(self) -> Decimal:
        """Its part in the ledger's sums."""
        unfolded = self.filled - self.folded
        return unfolded if unfolded > ZERO else ZERO

    @property
    def final(self) -> bool:
        """True when every trade in its fills is CONFIRMED or FAILED."""
        filled = self.filled
        return filled <= self.folded or filled - self.confirmed <= CENT

    @property
    def complete(self) -> bool:
        """True when nothing is left to be matched, up to the cent that fills may come out short."""
        return self.size - self.filled <= CENT

    @property
    def may_rest(self) -> bool:
        """True while it may be in the book: nobody confirmed that it is not. A listing alone is no confirmation."""
        return not self.cancelled and self.standing is not Standing.SETTLED

    def as_order(self) -> Order:
        """The order as a fact of a snapshot."""
        return new_order(
            order_id=self.order_id,
            side=self.side,
            price=self.price,
            size=self.size,
            matched=min(self.filled, self.size),
            ts=self.ts,
            gone=self.standing is Standing.GONE,
        )


@frozen(kw_only=True, weakref_slot=False)
class Base:
    """The part of a ledger that is written down."""

    base: Decimal = field(validator=not_negative)
    moved_at: Decimal = field(default=ZERO, validator=not_negative)  # when we learned the last own fill
    seen: Decimal | None = field(default=None, validator=not_negative)  # the size in the previous complete answer
    avg_price: Decimal = field(
        default=ZERO, validator=not_negative
    )  # pUSD that a share of ours cost us; 0 = the feed does not say, 1 = not known since a lost state (DEAREST)
    ours: bool = True  # an order of ours has filled there that is in the base already, as far as is known


order_evolved, base_evolved = evolver(OwnOrder), evolver(Base)
new_base, new_ledger, new_order = maker(Base), maker(Ledger), maker(Order)


@frozen(kw_only=True)
class Hold:
    """Nothing is placed on the token before `until`; the next hold lasts twice `step` seconds."""

    until: Decimal
    step: Decimal = FIRST_HOLD_SEC


@frozen(kw_only=True)
class Recovery:
    """A start on a missing, broken or backup state: what is not restored yet is on hold."""

    started_at: Decimal
    strangers: Mapping[TokenId, Decimal] = field(factory=dict)  # when an order that we do not know was last listed
    restored: frozenset[TokenKey] = frozenset()
    told: Mapping[TokenKey, Ledger] = field(factory=dict)  # the most that was told of what is not restored
    counted_at: Decimal = ZERO  # when what the day has cost was last counted anew (daybook.py); 0 = never


@frozen(kw_only=True, weakref_slot=False)
class Memory:
    """Everything that the next cycle has to know of the ones before it."""

    token_map: Mapping[TokenKey, TokenId] = field(factory=dict)
    orders: Mapping[OrderId, OwnOrder] = field(factory=dict)
    bases: Mapping[TokenKey, Base] = field(factory=dict)
    polls: tuple[Poll, ...] = ()  # the target's last complete polls, oldest first
    holds: Mapping[TokenKey, Hold] = field(factory=dict)
    recovery: Recovery | None = None
    day: Day = field(factory=Day)  # what the daily limits count
    last_sync_ts: Decimal = ZERO


memory_evolved = evolver(Memory)


@frozen(kw_only=True)
class Sighting:
    """What a look-up says of one order: it rests, or it is closed and `matched` is final."""

    resting: bool
    matched: Decimal


@frozen(kw_only=True)
class Traded:
    """The sums of one order's trades, in shares: those that have not failed, have failed, are confirmed."""

    traded: Decimal = ZERO
    failed: Decimal = ZERO
    confirmed: Decimal = ZERO

    def known_to(self, order: OwnOrder) -> bool:
        """True when they say nothing that the order does not say already."""
        return (self.traded, self.failed, self.confirmed) == (order.traded, order.failed, order.confirmed)


_NO_TRADES = Traded()


@frozen(kw_only=True)
class Evidence:
    """What the exchange said of our orders in one cycle."""

    asked_at: Decimal  # when the listing was asked for
    listed: Mapping[OrderId, Decimal]  # matched shares of every order that rests
    looked_up: Mapping[OrderId, Sighting] = field(factory=dict)  # an order that it knows nothing of is absent
    trades: Mapping[OrderId, Traded] | None = None  # None: not read
    trades_asked_at: Decimal = ZERO


# -- reading it -------------------------------------------------------------------------------------------------------


def ledgers(memory: Memory) -> dict[TokenKey, Ledger]:
    """The ledger of every token that we have sent an order for, or whose balance was restored."""
    bought: dict[TokenKey, Decimal] = {}
    sold: dict[TokenKey, Decimal] = {}
    pending: set[TokenKey] = set()
    for order in memory.orders.values():
        unfolded, key = order.unfolded, order.token_key
        if not unfolded:
            continue
        if order.side is BUY:
            bought[key] = bought.get(key, ZERO) + unfolded
        else:
            sold[key] = sold.get(key, ZERO) + unfolded
        if not order.final:
            pending.add(key)
    return {
        key: new_ledger(
            base=base.base,
            bought=bought.get(key, ZERO),
            sold=sold.get(key, ZERO),
            moved_at=base.moved_at,
            seen=base.seen,
            final=key not in pending,
            avg_price=base.avg_price,
            ours=base.ours or key in bought or key in sold,
        )
        for key, base in memory.bases.items()
    }


def live_and_in_doubt(
    memory: Memory, asked_at: Decimal | None
) -> tuple[dict[TokenId, tuple[Order, ...]], dict[TokenId, tuple[Order, ...]]]:
    """Our orders as facts of a snapshot. `asked_at` is when this cycle's listing was asked for, None = it was not read.

    Without a listing, an OPEN order is taken to rest as it was last known.
    """
    live: dict[TokenId, list[Order]] = {}
    doubt: dict[TokenId, list[Order]] = {}
    for order in memory.orders.values():
        if order.standing is Standing.SETTLED:
            continue
        rests = order.standing is Standing.OPEN and (asked_at is None or order.seen_at == asked_at)
        (live if rests else doubt).setdefault(order.token_id, []).append(order.as_order())
    return _frozen(live), _frozen(doubt)


def _frozen(orders: Mapping[TokenId, list[Order]]) -> dict[TokenId, tuple[Order, ...]]:
    return {token_id: tuple(of_it) for token_id, of_it in orders.items()}


def to_look_up(memory: Memory, listed: Iterable[OrderId]) -> tuple[OrderId, ...]:
    """The orders whose fate this listing leaves open: not listed, not settled, not known to be filled to the end."""
    there = set(listed)
    return tuple(
        sorted(
            order.order_id
            for order in memory.orders.values()
            if order.standing is not Standing.SETTLED and order.order_id not in there and not order.complete
        )
    )


def trades_wanted_after(memory: Memory, listed: Iterable[OrderId]) -> Decimal | None:
    """The time from which on our trades have to be read, or None where they would tell nothing new."""
    missing = set(to_look_up(memory, listed))
    times = [order.ts for order in memory.orders.values() if order.order_id in missing or not order.final]
    return min(times, default=None)


# -- orders -----------------------------------------------------------------------------------------------------------


def intended(
    memory: Memory, orders: Iterable[OwnOrder], reported: Poll, prices: Mapping[TokenKey, Decimal] = NO_PRICES
) -> Memory:
    """About to be posted. A token that we have never traded gets its ledger, from what is reported now.

    `prices` are the average prices that the feed tells of what it reports, here and below.
    """
    orders = tuple(orders)
    fresh = {
        order.token_key: Base(
            base=reported.get(order.token_key, ZERO),
            seen=reported.get(order.token_key, ZERO),
            avg_price=prices.get(order.token_key, ZERO),
            ours=False,
        )
        for order in orders
        if order.token_key not in memory.bases
    }
    return memory_evolved(
        memory,
        orders={**memory.orders, **{order.order_id: order for order in orders}},
        bases={**memory.bases, **fresh},
    )


def acknowledged(memory: Memory, matched: Mapping[OrderId, Decimal], now: Decimal) -> Memory:
    """The exchange has these orders; so much of them was matched at once."""

    def change(order: OwnOrder) -> OwnOrder:
        return order_evolved(order, standing=Standing.OPEN, matched=max(order.matched, matched[order.order_id]))

    return _changed(memory, matched, change, now)


def refused(memory: Memory, order_ids: Iterable[OrderId]) -> Memory:
    """These orders never came to be."""
    never = set(order_ids)
    return memory_evolved(memory, orders={key: order for key, order in memory.orders.items() if key not in never})


def gone(memory: Memory, order_ids: Iterable[OrderId], now: Decimal) -> Memory:
    """The exchange confirmed that these do not rest any more; what they matched is still to be learned."""

    def change(order: OwnOrder) -> OwnOrder:
        if order.standing is Standing.SETTLED:
            return order
        return order_evolved(order, standing=Standing.GONE, cancelled=True, gone_at=now)

    return _changed(memory, order_ids, change, now)


def observed(memory: Memory, evidence: Evidence, *, now: Decimal, policy: Policy) -> Memory:
    """Every order of ours moves to where the evidence puts it, and what it filled enters the ledger."""
    return _changed(memory, tuple(memory.orders), lambda order: _placed(order, evidence, now, policy), now)


def _placed(order: OwnOrder, evidence: Evidence, now: Decimal, policy: Policy) -> OwnOrder:
    # Step 1: trades. They may take a fill back, and they may know of one that nothing else knows.
    sums = None if evidence.trades is None else evidence.trades.get(order.order_id, _NO_TRADES)
    # An answer that tells of fewer shares than an earlier one did begins after this order's trades, or is older: a
    # trade that fails moves from one sum to the other, none ever leaves.
    if sums is not None and sums.traded + sums.failed >= order.traded + order.failed and not sums.known_to(order):
        order = order_evolved(order, traded=sums.traded, failed=sums.failed, confirmed=sums.confirmed)
    if order.standing is Standing.SETTLED:
        return order

    # Step 2: it rests. A cancel that was confirmed is believed more than a listing that may be older.
    sighting = evidence.looked_up.get(order.order_id)
    listed = evidence.listed.get(order.order_id)
    matched = max(order.matched, listed or ZERO, sighting.matched if sighting else ZERO)
    matched = min(matched, order.size)
    if matched != order.matched:
        order = order_evolved(order, matched=matched)
    if (listed is not None or (sighting is not None and sighting.resting)) and not order.cancelled:
        return order_evolved(order, standing=Standing.OPEN, seen_at=evidence.asked_at, gone_at=None)

    # Step 3: it is closed, and we know how much of it was matched.
    if (sighting is not None and not sighting.resting) or order.complete:
        return order_evolved(order, standing=Standing.SETTLED)

    # Step 4: nobody knows it. Young, that proves nothing.
    if order.standing is not Standing.GONE:
        if evidence.asked_at - order.ts < policy.fill_grace_sec:
            return order
        # It may have rested until the listing was answered, however long that took after it was asked for.
        return order_evolved(order, standing=Standing.GONE, gone_at=now)

    # Step 5: it is gone and will not be found again: our trades decide, once they must all be listed.
    if sums is not None and order.gone_at is not None:
        last_resting = min(order.gone_at, order.expiration)
        if evidence.trades_asked_at - last_resting >= policy.fill_grace_sec:
            return order_evolved(order, standing=Standing.SETTLED)
    return order


def _changed(
    memory: Memory, order_ids: Iterable[OrderId], change: Callable[[OwnOrder], OwnOrder], now: Decimal
) -> Memory:
    """Apply `change` to these orders. Where a fill moved, the ledger moved now and the day's books have it; what has no
    part in the ledger is dropped."""
    orders, bases, day = dict(memory.orders), dict(memory.bases), memory.day
    for order_id in order_ids:
        before = orders.get(order_id)
        if before is None:
            continue
        after = change(before)
        if after is before and before.standing is not Standing.SETTLED:
            continue
        unfolded = after.unfolded
        # A fill and a failure that are learned together cancel out in the sums: the ledger moved all the same.
        if unfolded != before.unfolded or after.failed != before.failed:
            base = bases[after.token_key]
            avg_price = _average(base, _believed(base, after.token_key, orders), after, unfolded - before.unfolded)
            bases[after.token_key] = base_evolved(base, moved_at=now, avg_price=avg_price)
        if after.standing is Standing.SETTLED and not unfolded:
            del orders[order_id]
        else:
            orders[order_id] = after
        if after.filled != before.filled:
            day = counting.filled(day, after.token_key, after.side, after.price, after.filled - before.filled, now)
    return memory_evolved(memory, orders=orders, bases=bases, day=day)


def _believed(base: Base, key: TokenKey, orders: Mapping[OrderId, OwnOrder]) -> Decimal:
    """What we believe to hold, as in `ledgers`, of one token."""
    ours = [order for order in orders.values() if order.token_key == key]
    return base.base + sum(order.unfolded if order.side is BUY else -order.unfolded for order in ours)


def _average(base: Base, held: Decimal, order: OwnOrder, shares: Decimal) -> Decimal:
    """What a share cost us once `order` filled so many shares more; selling does not change it.

    Fills are taken in the order in which we learn of them. Shares < 0: a trade has failed, and is taken out again.
    """
    known = max(held, ZERO) if base.avg_price else ZERO  # shares whose cost we know
    if order.side is not BUY or known + shares <= 0 or (known and base.avg_price == DEAREST):
        return base.avg_price
    cost = max(known * base.avg_price + shares * order.price, ZERO)
    return min(ceiled(cost / (known + shares), _AVERAGE_STEP), ONE)


# -- polls and ledgers ------------------------------------------------------------------------------------------------


def target_polled(memory: Memory, poll: Poll, policy: Policy) -> Memory:
    """A complete poll of the target becomes one that the next cycles count."""
    polls = (*memory.polls, dict(poll))
    return memory_evolved(memory, polls=polls[len(polls) - min(len(polls), policy.polls_remembered) :])


def mine_polled(
    memory: Memory,
    reported: Poll,
    witnesses: Poll,
    in_doubt: Iterable[TokenKey],
    *,
    now: Decimal,
    policy: Policy,
    prices: Mapping[TokenKey, Decimal] = NO_PRICES,
    told: Mapping[TokenKey, Ledger] | None = None,
) -> Memory:
    """A complete answer about our own positions: it is what the next is compared with, and ledgers may start anew.

    `told` are memory's ledgers, where somebody has them at hand.
    """
    doubted = set(in_doubt)
    # A witness is asked after the listing was read. What an order of ours filled in between is in the one and not in
    # the other, and would be counted twice: the witness restarts a ledger only where none rests. (seed 9454)
    resting = {order.token_key for order in memory.orders.values() if order.standing is not Standing.SETTLED}
    bases: dict[TokenKey, Base] = {}
    restarted: set[TokenKey] = set()
    for key, ledger in (ledgers(memory) if told is None else told).items():
        size = reported.get(key, ZERO)
        witness = None if key in resting else witnesses.get(key)
        base = restarts_from(size, ledger, witness, in_doubt=key in doubted, now=now, policy=policy)
        if base is not None:
            kept = ZERO if ledger.avg_price == DEAREST else ledger.avg_price  # the feed knows by now
            avg_price = kept or prices.get(key, ZERO)
            bases[key] = new_base(base=base, moved_at=ledger.moved_at, seen=size, avg_price=avg_price, ours=ledger.ours)
            restarted.add(key)
        else:
            before = memory.bases[key]
            bases[key] = before if before.seen == size else base_evolved(before, seen=size)
    return memory_evolved(memory, bases=bases, orders=folded(memory, restarted))


def folded(memory: Memory, restarted: set[TokenKey]) -> Mapping[OrderId, OwnOrder]:
    """The orders once the ledgers of these tokens have started anew: their fills are in the bases."""
    if not restarted:
        return memory.orders
    return {
        order_id: order_evolved(order, folded=order.filled) if order.token_key in restarted else order
        for order_id, order in memory.orders.items()
        if order.token_key not in restarted or order.standing is not Standing.SETTLED
    }


def resolved(memory: Memory, token_ids: Mapping[TokenKey, TokenId]) -> Memory:
    """These token ids were looked up and checked."""
    return memory_evolved(memory, token_map={**memory.token_map, **token_ids}) if token_ids else memory


# -- holds ------------------------------------------------------------------------------------------------------------


def held(memory: Memory, keys: Iterable[TokenKey], now: Decimal) -> Memory:
    """Refused in a way that will repeat: wait a minute, the next time twice as long, an hour at most."""
    holds = dict(memory.holds)
    for key in keys:
        before = holds.get(key)
        step = FIRST_HOLD_SEC if before is None else min(2 * before.step, LONGEST_HOLD_SEC)
        holds[key] = Hold(until=now + step, step=step)
    return memory_evolved(memory, holds=holds)


def released(memory: Memory, keys: Iterable[TokenKey]) -> Memory:
    """An order was taken there: whatever stood in the way does not any more."""
    taken = set(keys)
    if not taken & memory.holds.keys():
        return memory
    return memory_evolved(memory, holds={key: hold for key, hold in memory.holds.items() if key not in taken})
