"""Does the backtest decide what the live run decided? A run's journal, lived through again with the recorded fills.

What the world said is taken from the journal: the time, both positions answers, books, cash, balances, foreign orders,
holds (they follow from the exchange's refusals), which of our orders were listed with how much matched, and what
became of each action. What is *remembered* from cycle to cycle is not: ledgers, orders in doubt, the target's polls
and the wants that follow come from the transitions of domain/memory.py, as they do in a backtest. Then `plan` decides,
and its answer is held against the recorded one, byte for byte.

Three things a journal's line does not say outright. An order that left the listing for good has its last fill in the
ledger's sums, where it is looked up. The moment of a post or a fill stands in the next line. And the listing and the
trades were asked for a round trip before the line's own time: where an order was just not old enough by then, that
moment was earlier than the order's border, by no more than `LONGEST_ROUND_SEC`.

Not here: reading journals (adapters/tapes/journals.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from attrs import evolve, frozen

from copytrade.app.documents import encode_plan
from copytrade.domain import memory as remembering
from copytrade.domain.desired import average_prices, poll_of
from copytrade.domain.memory import Base, Evidence, Memory, OwnOrder, Sighting, Standing, Traded
from copytrade.domain.model import ZERO, Order, OrderId, Side, Snapshot, TokenId, TokenKey
from copytrade.domain.plan import plan

LEAST_LIFE_SEC = Decimal(190)  # as app/executing.py sends orders
TAKEN_OFF_SEC = Decimal(60)
LONGEST_ROUND_SEC = Decimal(10)  # between asking for a listing and the decision that it is for
JUST_BEFORE = Decimal("0.001")  # the clock's own step


@frozen(kw_only=True)
class Outcome:
    """What became of one action: a line of a journal's `results`."""

    action: str  # cancel or place
    token_key: TokenKey | None
    order_id: OrderId | None
    outcome: str


@frozen(kw_only=True)
class Placed:
    """The part of a recorded place that its result does not repeat."""

    side: Side
    price: Decimal
    size: Decimal


@frozen(kw_only=True)
class Recorded:
    """One line of a journal."""

    where: str  # file and line, for people
    snapshot: Snapshot
    plan: bytes  # the recorded plan, as `encode_plan` wrote it
    places: Mapping[TokenKey, Placed]
    results: tuple[Outcome, ...]


@frozen(kw_only=True)
class Difference:
    """A cycle that was decided differently."""

    where: str
    recorded: str
    decided: str


@frozen(kw_only=True)
class Parity:
    """How many cycles a journal has, and where the same decisions were not made. The first few differences are kept."""

    cycles: int
    same: int
    differences: tuple[Difference, ...]

    @property
    def share(self) -> Decimal:
        """The part of all cycles that agrees, from 0 to 1."""
        return Decimal(self.same) / Decimal(self.cycles) if self.cycles else Decimal(1)


KEPT_DIFFERENCES = 10


def parity(cycles: Iterable[Recorded]) -> Parity:
    """Live through a journal again, cycle by cycle."""
    count = same = 0
    differences: list[Difference] = []
    memory: Memory | None = None
    for cycle, following in _pairs(cycles):
        facts = cycle.snapshot
        asked_at = facts.now
        if memory is None:
            memory = _begun(facts)
        else:
            asked_at, trades_asked_at = _asked(memory, facts)
            memory = _observed(memory, facts, asked_at, trades_asked_at)
        again = _snapshot(memory, facts, asked_at)
        decided = encode_plan(plan(again))
        count += 1
        if decided == cycle.plan:
            same += 1
        elif len(differences) < KEPT_DIFFERENCES:
            differences.append(Difference(where=cycle.where, recorded=cycle.plan.decode(), decided=decided.decode()))
        memory = _remembered(memory, again)
        memory = _acted(memory, cycle, following)
    return Parity(cycles=count, same=same, differences=tuple(differences))


def _pairs(cycles: Iterable[Recorded]) -> Iterator[tuple[Recorded, Recorded | None]]:
    before: Recorded | None = None
    for cycle in cycles:
        if before is not None:
            yield before, cycle
        before = cycle
    if before is not None:
        yield before, None


def _keys(facts: Snapshot) -> dict[TokenId, TokenKey]:
    rows = (*facts.target.positions, *facts.mine.positions)
    told = {row.token_id: row.token_key for row in rows if row.token_id is not None}
    return {**told, **{token_id: key for key, token_id in facts.token_map.items()}}


def _begun(facts: Snapshot) -> Memory:
    """A journal may begin anywhere: what its first line remembers is where we begin, too."""
    keys = _keys(facts)
    orders: dict[OrderId, OwnOrder] = {}
    for listed, doubt in ((facts.open_orders, False), (facts.in_doubt, True)):
        for token_id, of_it in listed.items():
            for order in of_it:
                standing = Standing.OPEN if not doubt else Standing.GONE if order.gone else Standing.INTENT
                orders[order.order_id] = _own(order, keys[token_id], token_id, facts, standing)
    bases = {}
    for key, ledger in facts.ledgers.items():
        bases[key] = Base(
            base=ledger.base, moved_at=ledger.moved_at, seen=ledger.seen, avg_price=ledger.avg_price, ours=ledger.ours
        )
        for side, total in ((Side.BUY, ledger.bought), (Side.SELL, ledger.sold)):
            known = _sum_of(orders.values(), key, side)
            if total > known:  # fills of orders that are settled already
                rest = total - known
                orders[f"before:{key}:{side.value}"] = OwnOrder(
                    order_id=f"before:{key}:{side.value}",
                    token_key=key,
                    token_id=facts.token_map.get(key, ""),
                    side=side,
                    price=Decimal("0.5"),
                    size=rest,
                    ts=ZERO,
                    expiration=ZERO,
                    standing=Standing.SETTLED,
                    matched=rest,
                    confirmed=rest if ledger.final else ZERO,
                )
    return Memory(orders=orders, bases=bases, polls=facts.target_history)


def _own(order: Order, key: TokenKey, token_id: TokenId, facts: Snapshot, standing: Standing) -> OwnOrder:
    return OwnOrder(
        order_id=order.order_id,
        token_key=key,
        token_id=token_id,
        side=order.side,
        price=order.price,
        size=order.size,
        ts=order.ts,
        expiration=order.ts + max(TAKEN_OFF_SEC + facts.policy.order_ttl_sec, LEAST_LIFE_SEC),
        standing=standing,
        matched=order.matched,
        confirmed=order.matched,
        seen_at=facts.now if standing is Standing.OPEN else ZERO,
        gone_at=facts.now if standing is Standing.GONE else None,
        cancelled=standing is Standing.GONE,
    )


def _sum_of(orders: Iterable[OwnOrder], key: TokenKey, side: Side) -> Decimal:
    return sum((order.unfolded for order in orders if order.token_key == key and order.side is side), ZERO)


def _asked(memory: Memory, facts: Snapshot) -> tuple[Decimal, Decimal]:
    """When the listing and the trades were asked for: at the line's time, or just before a border not yet crossed."""
    grace = facts.policy.fill_grace_sec
    borders: list[Decimal] = [facts.now]
    trade_borders: list[Decimal] = [facts.now]
    for of_it in facts.in_doubt.values():
        for told in of_it:
            order = memory.orders.get(told.order_id)
            if order is None:
                continue
            if not told.gone:
                borders.append(order.ts + grace - JUST_BEFORE)
            elif order.gone_at is not None:
                trade_borders.append(min(order.gone_at, order.expiration) + grace - JUST_BEFORE)
    earliest = facts.now - LONGEST_ROUND_SEC  # what is further back than a round trip is a difference, and shows
    return max(min(borders), earliest), max(min(trade_borders), earliest)


def _observed(memory: Memory, facts: Snapshot, asked_at: Decimal, trades_asked_at: Decimal) -> Memory:
    """Take in what the exchange said of our orders in this cycle, as the line shows it."""
    if not facts.orders_ok:
        return memory
    listed = {order.order_id: order.matched for of_it in facts.open_orders.values() for order in of_it}
    doubted = {order.order_id: order for of_it in facts.in_doubt.values() for order in of_it}
    filled = {order.order_id: max(order.filled, listed.get(order.order_id, ZERO)) for order in memory.orders.values()}
    filled |= {one: order.matched for one, order in doubted.items() if one in filled}
    closed: dict[OrderId, Sighting] = {}
    for order in memory.orders.values():
        if order.standing is Standing.SETTLED or order.order_id in listed or order.order_id in doubted:
            continue
        # It left for good: what the ledger's sums hold and no other order explains was its last fill.
        ledger = facts.ledgers.get(order.token_key)
        if ledger is not None:
            total = ledger.bought if order.side is Side.BUY else ledger.sold
            others = sum(
                (
                    max(filled[other.order_id] - other.folded, ZERO)
                    for other in memory.orders.values()
                    if other.token_key == order.token_key
                    and other.side is order.side
                    and other.order_id != order.order_id
                ),
                ZERO,
            )
            filled[order.order_id] = min(max(total - others + order.folded, order.filled), order.size)
        closed[order.order_id] = Sighting(resting=False, matched=filled[order.order_id])
    pending = {key for key, ledger in facts.ledgers.items() if not ledger.final}
    trades = {
        order_id: Traded(
            traded=size, failed=ZERO, confirmed=ZERO if memory.orders[order_id].token_key in pending else size
        )
        for order_id, size in filled.items()
    }
    moved = {
        facts.ledgers[order.token_key].moved_at
        for order in memory.orders.values()
        if filled[order.order_id] != order.filled and order.token_key in facts.ledgers
    }
    evidence = Evidence(
        asked_at=asked_at, listed=listed, looked_up=closed, trades=trades, trades_asked_at=trades_asked_at
    )
    return remembering.observed(memory, evidence, now=max(moved, default=facts.now), policy=facts.policy)


def _snapshot(memory: Memory, facts: Snapshot, asked_at: Decimal) -> Snapshot:
    live, doubt = remembering.live_and_in_doubt(memory, asked_at if facts.orders_ok else None)
    return evolve(
        facts,
        open_orders=live,
        in_doubt=doubt,
        # What was told after a lost state is no book of ours: it is as much of a fact as the feed.
        ledgers={**remembering.ledgers(memory), **{key: one for key, one in facts.ledgers.items() if one.told}},
        target_history=memory.polls,
    )


def _remembered(memory: Memory, again: Snapshot) -> Memory:
    """Polls are remembered before anything is posted, as app/cycle.py has it."""
    policy = again.policy
    if again.target.complete:
        memory = remembering.target_polled(memory, poll_of(again.target), policy)
    if again.mine.complete:
        doubted = {order.token_key for order in memory.orders.values() if order.token_id in again.in_doubt}
        if not again.orders_ok:
            doubted |= memory.bases.keys()
        memory = remembering.mine_polled(
            memory,
            poll_of(again.mine),
            again.witnesses,
            doubted,
            now=again.now,
            policy=policy,
            prices=average_prices(again.mine),
        )
    return memory


def _acted(memory: Memory, cycle: Recorded, following: Recorded | None) -> Memory:
    """What became of the actions, by the recorded results."""
    facts = cycle.snapshot
    gone = [one.order_id for one in cycle.results if one.action == "cancel" and one.outcome == "confirmed"]
    memory = remembering.gone(memory, [order_id for order_id in gone if order_id], facts.now)
    times = _times(following)
    intents = []
    accepted: dict[OrderId, Decimal] = {}
    never = []
    for one in cycle.results:
        place = cycle.places.get(one.token_key or "")
        if one.action != "place" or one.order_id is None or one.token_key is None or place is None:
            continue  # dropped before it was signed
        ts = times.get(one.order_id, facts.now)
        intents.append(
            OwnOrder(
                order_id=one.order_id,
                token_key=one.token_key,
                token_id=facts.token_map[one.token_key],
                side=place.side,
                price=place.price,
                size=place.size,
                ts=ts,
                expiration=ts + max(TAKEN_OFF_SEC + facts.policy.order_ttl_sec, LEAST_LIFE_SEC),
            )
        )
        if one.outcome == "accepted":
            accepted[one.order_id] = ZERO  # what matched at once shows in the next line
        elif one.outcome in ("refused", "dropped"):
            never.append(one.order_id)
    memory = remembering.intended(memory, intents, poll_of(facts.mine), average_prices(facts.mine))
    memory = remembering.acknowledged(memory, accepted, facts.now)
    return remembering.refused(memory, never)


def _times(following: Recorded | None) -> dict[OrderId, Decimal]:
    if following is None:
        return {}
    facts = following.snapshot
    return {
        order.order_id: order.ts
        for orders in (facts.open_orders, facts.in_doubt)
        for of_it in orders.values()
        for order in of_it
    }
