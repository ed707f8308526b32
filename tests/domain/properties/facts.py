"""What a snapshot says of one token, read anew and plainly: the laws must not borrow the code that they judge."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import frozen

from copytrade.domain.model import Book, Cancel, Decision, Order, Place, Plan, Position, Positions, Side, Snapshot

ZERO = Decimal(0)
CENT = Decimal("0.01")


@frozen(kw_only=True)
class Seen:
    """One token of a snapshot, with what was decided and done about it."""

    decision: Decision
    mine: Position | None
    target: Position | None
    book: Book | None
    live: tuple[Order, ...]
    doubts: tuple[Order, ...]
    foreign: tuple[Order, ...]
    cancels: tuple[Cancel, ...]
    places: tuple[Place, ...]

    @property
    def cancelled(self) -> tuple[Order, ...]:
        dead = {cancel.order_id for cancel in self.cancels}
        return tuple(order for order in self.live if order.order_id in dead)

    @property
    def staying(self) -> tuple[Order, ...]:
        dead = {cancel.order_id for cancel in self.cancels}
        return tuple(order for order in self.live if order.order_id not in dead)

    @property
    def worst_hi(self) -> Decimal:
        """All that we may hold if every cancelled BUY had filled."""
        return self.decision.hi + rest(self.cancelled, Side.BUY)

    @property
    def worst_lo(self) -> Decimal:
        return max(self.decision.lo - rest(self.cancelled, Side.SELL), ZERO)

    @property
    def counted_price(self) -> Decimal:
        """What a share counts under the caps, spelt out as DESIGN 5 does."""
        ref = None
        if self.book is not None and (self.book.best_bid or self.book.best_ask):
            sides = [side for side in (self.book.best_bid, self.book.best_ask) if side is not None]
            ref = sum(sides, ZERO) / len(sides)
        for price in ("current_price", "avg_price"):
            for row in (self.mine, self.target):
                if ref is None and row is not None and getattr(row, price) > 0:
                    ref = getattr(row, price)
        if ref is None:
            return Decimal(1)
        return max(ref, self.mine.avg_price) if self.mine else ref


def rest(orders: Iterable[Order], side: Side) -> Decimal:
    return sum((order.size - order.matched for order in orders if order.side is side), ZERO)


def locked(orders: Iterable[Order]) -> Decimal:
    return sum(((order.size - order.matched) * order.price for order in orders if order.side is Side.BUY), ZERO)


def seen(snapshot: Snapshot, plan: Plan) -> list[Seen]:
    """Every token that was decided."""
    gone = {order.order_id for orders in snapshot.in_doubt.values() for order in orders if order.gone}
    listed = {order.order_id for orders in snapshot.open_orders.values() for order in orders} - gone

    def row(positions: Positions, key: str | None) -> Position | None:
        return next((position for position in positions.positions if position.token_key == key), None)

    tokens = []
    for decision in plan.decisions:
        token_id = decision.token_id or ""
        mine = [action for action in plan.actions if action.token_id == token_id]
        tokens.append(
            Seen(
                decision=decision,
                mine=row(snapshot.mine, decision.token_key),
                target=row(snapshot.target, decision.token_key),
                book=snapshot.books.get(token_id),
                live=tuple(order for order in snapshot.open_orders.get(token_id, ()) if order.order_id in listed),
                doubts=tuple(order for order in snapshot.in_doubt.get(token_id, ()) if order.order_id not in listed),
                foreign=snapshot.foreign_orders.get(token_id, ()),
                cancels=tuple(action for action in mine if isinstance(action, Cancel)),
                places=tuple(action for action in mine if isinstance(action, Place)),
            )
        )
    return tokens


def placing(snapshot: Snapshot, plan: Plan) -> list[tuple[Seen, Place]]:
    """Every token that got an order, with it."""
    return [(token, place) for token in seen(snapshot, plan) for place in token.places]
