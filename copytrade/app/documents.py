"""Snapshots, plans and journal lines as JSON, and back (DESIGN 8).

    decode_snapshot   bytes -> Snapshot; a person may have written them, so every fault is named with its path
    encode_snapshot   Snapshot -> bytes; decode_snapshot gives the same Snapshot again, to the last digit
    encode_plan       Plan -> bytes, the settled form of `plan --json`
    encode_journal_line

Rule 1: what is left out has a meaning that is written down; what would have to be guessed is a fault. Positions are
        never guessed: a target that was forgotten would read as "he sold everything".
Rule 2: what cannot be true of one moment is a fault (two keys for one token id, an order that is ours and not ours).
        The one exception is the exchange's to make: an order may be listed and in doubt. `gone` wins, then the list.
Rule 3: what is merely odd (no size, no title) is read as it is.

Not here: how JSON is read and faults are found (reading.py), what our words look like (kinds.py), `config` (config.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import TypeVar

from attrs import AttrsInstance, fields_dict, frozen

from copytrade.app.config import read_policy
from copytrade.app.kinds import (
    CONDITION_ID,
    ORDER_ID,
    OUTCOME_INDEX,
    PRICE,
    PRICE_OR_UNKNOWN,
    PUSD,
    SECONDS,
    SHARES,
    SIDE,
    SOME_SHARES,
    TOKEN_ID,
    TOKEN_KEY,
)
from copytrade.app.reading import FLAG, TEXT, Fields, Kind, Spot, number, parse
from copytrade.app.writing import plain, to_json
from copytrade.domain.model import (
    ONE,
    ZERO,
    Action,
    Book,
    Cancel,
    Decision,
    Ledger,
    Order,
    OrderId,
    Place,
    Plan,
    Position,
    Positions,
    Side,
    Snapshot,
    Today,
    TokenId,
    TokenKey,
)
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput, Fault

T = TypeVar("T")

VERSION = 1  # of the snapshot and of the journal line
NOTHING_DECIDED = "nothing was decided"

_VERSION = Kind[int](f"{VERSION}: no other version is known", lambda spot: VERSION if _is_version(spot) else None)


def _is_version(spot: Spot) -> bool:
    return number(least=VERSION, most=VERSION).convert(spot) is not None


# -- a snapshot, read -------------------------------------------------------------------------------------------------


def decode_snapshot(raw: bytes, *, now: Decimal | None = None, source: str = "snapshot") -> Snapshot:
    """The snapshot that `raw` holds, by itself or as the `snapshot` of a whole journal line.

    `now` is the clock, for a snapshot that does not say when it was taken. `source` is what errors call the document.
    Raises BadInput with the path of everything that is wrong.
    """
    faults: list[Fault] = []
    root = Spot(value=parse(raw, source, NOTHING_DECIDED), faults=faults)
    if isinstance(root.value, dict) and "snapshot" in root.value:
        line = root.fields(*root.value)  # what a line holds besides is not ours to judge
        line.get("version", _VERSION, VERSION)
        root = line["snapshot"]
    snapshot = _snapshot_at(root, now)
    if snapshot is None or faults:
        raise BadInput(source, faults, NOTHING_DECIDED)
    return snapshot


def _snapshot_at(spot: Spot, now: Decimal | None) -> Snapshot | None:
    before = len(spot.faults)
    parts = spot.fields(
        "version", "now", "config", "target", "mine", "token_map", "books", "orders_ok", "open_orders", "in_doubt",
        "foreign_orders", "cash", "ledgers", "witnesses", "target_history", "holds",
        "today", "stopped",
    )  # fmt: skip
    parts.get("version", _VERSION, VERSION)
    read_now = parts.need("now", SECONDS, ZERO) if now is None else parts.get("now", SECONDS, now)
    policy = parts.get("config", _POLICY, Policy())

    token_ids = _TokenIds()
    for token_key, (token_id, place) in _entries(parts, "token_map", TOKEN_KEY, _with_place(TOKEN_ID)).items():
        token_ids.add(token_key, token_id, place)
    target = parts.need("target", _positions(token_ids), Positions())
    mine = parts.need("mine", _positions(token_ids), Positions())

    open_orders = _entries(parts, "open_orders", TOKEN_ID, _orders(may_be_gone=False, needs_ts=True))
    in_doubt = _entries(parts, "in_doubt", TOKEN_ID, _orders(may_be_gone=True, needs_ts=True))
    foreign_orders = _entries(parts, "foreign_orders", TOKEN_ID, _orders(may_be_gone=False, needs_ts=False))
    doubles = _doubles(open_orders, in_doubt, foreign_orders)

    books = _entries(parts, "books", TOKEN_ID, _BOOK)
    cash = parts.find("cash", PUSD)
    ledgers = _entries(parts, "ledgers", TOKEN_KEY, _LEDGER)
    witnesses = _entries(parts, "witnesses", TOKEN_KEY, SHARES)
    history = parts.get("target_history", _HISTORY, ())
    holds = _entries(parts, "holds", TOKEN_KEY, SECONDS)
    today = parts.find("today", _TODAY)
    stopped = parts.get("stopped", FLAG, False)
    orders_ok = parts.get("orders_ok", FLAG, True)
    if len(spot.faults) > before:
        return None
    return Snapshot(
        now=read_now,
        policy=policy,
        target=target,
        mine=mine,
        token_map=token_ids.of_keys,
        books=books,
        orders_ok=orders_ok,
        open_orders=_without(open_orders, {order_id for order_id, gone in doubles.items() if gone}),
        in_doubt=_without(in_doubt, {order_id for order_id, gone in doubles.items() if not gone}),
        foreign_orders=_without(foreign_orders, set()),
        cash=cash,
        ledgers=ledgers,
        witnesses=witnesses,
        target_history=history,
        holds=holds,
        today=today,
        stopped=stopped,
    )


def _entries(parts: Fields, name: str, key: Kind[str], value: Kind[T]) -> dict[str, T]:
    return parts[name].entries(key, value) if name in parts else {}


def _with_place(kind: Kind[T]) -> Kind[tuple[T, Spot]]:
    """`kind`, with the place where it stood: for what may turn out to be wrong only beside something else."""

    def convert(spot: Spot) -> tuple[T, Spot] | None:
        found = kind.convert(spot)
        return None if found is None else (found, spot)

    return Kind(kind.wants, convert)


class _TokenIds:
    """Which token id belongs to which token key, wherever a document says so: it must say the same everywhere."""

    def __init__(self) -> None:
        self.of_keys: dict[TokenKey, TokenId] = {}
        self._keys: dict[TokenId, TokenKey] = {}

    def add(self, token_key: TokenKey, token_id: TokenId, place: Spot) -> None:
        known_id = self.of_keys.setdefault(token_key, token_id)
        known_key = self._keys.setdefault(token_id, token_key)
        if known_id != token_id:
            place.fault(f"{known_id}, which is the token id of {token_key} elsewhere in this document")
        elif known_key != token_key:
            place.fault(f"another token id: this is the one of {known_key}")


def _positions(token_ids: _TokenIds) -> Kind[Positions]:
    """One answer of the positions feed. Only a broken one may come without its rows."""

    def convert(spot: Spot) -> Positions | None:
        before = len(spot.faults)
        answer = spot.fields("ok", "incomplete", "positions")
        ok, incomplete = answer.get("ok", FLAG, True), answer.get("incomplete", FLAG, False)
        rows: list[Position] = []
        places: dict[TokenKey, Spot] = {}
        if "positions" in answer:
            for item in answer["positions"].items():
                row = _position_at(item, token_ids, places)
                if row is not None:
                    rows.append(row)
        elif ok and not incomplete and len(spot.faults) == before:
            answer["positions"].fault("a list of positions")
        if len(spot.faults) > before:
            return None
        return Positions(ok=ok, incomplete=incomplete, positions=tuple(rows))

    return Kind("an object", convert)


def _position_at(spot: Spot, token_ids: _TokenIds, places: dict[TokenKey, Spot]) -> Position | None:
    before = len(spot.faults)
    row = spot.fields(*_names(Position))
    token_key = _token_key_of(row)
    size = row.need("size", SHARES, ZERO)
    avg_price = row.get("avg_price", PUSD, ZERO)
    token_id = row.find("token_id", TOKEN_ID)
    current_price = row.get("current_price", PRICE_OR_UNKNOWN, ZERO)
    redeemable = row.get("redeemable", FLAG, False)
    slug, title, end_date = (row.get(name, TEXT, "") for name in ("slug", "title", "end_date"))
    if token_key is None:
        return None
    if places.setdefault(token_key, spot) is not spot:
        row["token_key"].fault(f"each token key once; it stands at {places[token_key].path}", got=token_key)
    if token_id is not None:
        token_ids.add(token_key, token_id, row["token_id"])
    if len(spot.faults) > before:
        return None
    condition_id, _, outcome_index = token_key.rpartition(":")
    return Position(
        token_key=token_key,
        condition_id=condition_id,
        outcome_index=int(outcome_index),
        size=size,
        avg_price=avg_price,
        token_id=token_id,
        current_price=current_price,
        redeemable=redeemable,
        slug=slug,
        title=title,
        end_date=end_date,
    )


def _token_key_of(row: Fields) -> TokenKey | None:
    """The token key, or what makes one up: each suffices, and where both are there they agree."""
    before = len(row.spot.faults)
    token_key = row.find("token_key", TOKEN_KEY)
    condition_id = row.find("condition_id", CONDITION_ID)
    outcome_index = row.find("outcome_index", OUTCOME_INDEX)
    if len(row.spot.faults) > before:
        return token_key
    if token_key is None:
        if condition_id is None or outcome_index is None:
            if isinstance(row.spot.value, dict):
                row["token_key"].fault(f"{TOKEN_KEY.wants}, or a condition_id and an outcome_index beside")
            return None
        return f"{condition_id}:{outcome_index}"
    of_key, _, index_of_key = token_key.rpartition(":")
    if condition_id is not None and condition_id != of_key:
        row["condition_id"].fault(f"{of_key}, as in token_key")
    if outcome_index is not None and str(outcome_index) != index_of_key:
        row["outcome_index"].fault(f"{index_of_key}, as in token_key")
    return token_key


@frozen
class _Listed:
    """An order and where it stands in the document."""

    order: Order
    place: Spot


def _orders(*, may_be_gone: bool, needs_ts: bool) -> Kind[tuple[_Listed, ...]]:
    """The orders on one token. Only an order in doubt may be gone; of the user's own, nothing depends on their age."""
    known = [name for name in fields_dict(Order) if name != "gone" or may_be_gone]

    def order_at(spot: Spot) -> Order | None:
        before = len(spot.faults)
        row = spot.fields(*known)
        order_id = row.need("order_id", ORDER_ID, "")
        side = row.need("side", SIDE, Side.BUY)
        price = row.need("price", PRICE, ONE)
        before_size = len(spot.faults)
        size = row.need("size", SOME_SHARES, ONE)
        size_is_known = len(spot.faults) == before_size
        matched = row.get("matched", SHARES, ZERO)
        if size_is_known and matched > size:
            row["matched"].fault(f"at most the order's size, {plain(size)}")
        ts = row.need("ts", SECONDS, ZERO) if needs_ts else row.get("ts", SECONDS, ZERO)
        gone = may_be_gone and row.get("gone", FLAG, False)
        if len(spot.faults) > before:
            return None
        return Order(order_id=order_id, side=side, price=price, size=size, matched=matched, ts=ts, gone=gone)

    def convert(spot: Spot) -> tuple[_Listed, ...]:
        rows = [(order_at(item), item) for item in spot.items()]
        return tuple(_Listed(order, place) for order, place in rows if order is not None)

    return Kind("a list of orders", convert)


_Orders = Mapping[TokenId, tuple[_Listed, ...]]


def _doubles(open_orders: _Orders, in_doubt: _Orders, foreign_orders: _Orders) -> dict[OrderId, bool]:
    """The orders that are listed and in doubt, and whether the doubt says that they are gone.

    Any other order that stands twice is a fault: one order has one token, and is ours or is not.
    """
    first: dict[OrderId, tuple[_Orders, TokenId, Spot]] = {}
    doubles: dict[OrderId, bool] = {}
    for orders in (open_orders, in_doubt, foreign_orders):
        for token_id, listed in orders.items():
            for one in listed:
                order_id = one.order.order_id
                in_list, on_token, place = first.setdefault(order_id, (orders, token_id, one.place))
                if place is one.place:
                    continue
                once_only = in_list is not open_orders or orders is not in_doubt or order_id in doubles
                if once_only or on_token != token_id:
                    one.place.under("order_id", order_id).fault(f"each order once; this one stands at {place.path}")
                else:
                    doubles[order_id] = one.order.gone
    return doubles


def _without(orders: _Orders, order_ids: set[OrderId]) -> dict[TokenId, tuple[Order, ...]]:
    return {
        token_id: tuple(one.order for one in listed if one.order.order_id not in order_ids)
        for token_id, listed in orders.items()
    }


def _book_at(spot: Spot) -> Book | None:
    before = len(spot.faults)
    row = spot.fields(*_names(Book))
    book = {name: row.find(name, PRICE) for name in ("best_bid", "best_ask", "tick_size")}
    min_order_size = row.find("min_order_size", SHARES)
    last_trade_price = row.find("last_trade_price", PRICE_OR_UNKNOWN)
    if len(spot.faults) > before:
        return None
    return Book(**book, min_order_size=min_order_size, last_trade_price=last_trade_price)


def _ledger_at(spot: Spot) -> Ledger | None:
    before = len(spot.faults)
    row = spot.fields(*_names(Ledger))
    base = row.need("base", SHARES, ZERO)
    bought, sold = row.get("bought", SHARES, ZERO), row.get("sold", SHARES, ZERO)
    moved_at = row.get("moved_at", SECONDS, ZERO)
    seen = row.find("seen", SHARES)
    final = row.get("final", FLAG, True)
    avg_price = row.get("avg_price", PUSD, ZERO)
    ours = row.get("ours", FLAG, True)
    if len(spot.faults) > before:
        return None
    return Ledger(
        base=base, bought=bought, sold=sold, moved_at=moved_at, seen=seen, final=final, avg_price=avg_price, ours=ours
    )


def _today_at(spot: Spot) -> Today | None:
    before = len(spot.faults)
    row = spot.fields(*fields_dict(Today))
    spent, result = row.get("spent", PUSD, ZERO), row.get("result", number(), ZERO)
    return None if len(spot.faults) > before else Today(spent=spent, result=result)


def _history_at(spot: Spot) -> tuple[dict[TokenKey, Decimal], ...]:
    return tuple(poll.entries(TOKEN_KEY, SHARES) for poll in spot.items())


_BOOK = Kind[Book]("an object", _book_at)
_LEDGER = Kind[Ledger]("an object", _ledger_at)
_TODAY = Kind[Today]("an object", _today_at)
_HISTORY = Kind[tuple[Mapping[TokenKey, Decimal], ...]]("a list", _history_at)
_POLICY = Kind[Policy]("an object", read_policy)


# -- a snapshot, a plan and a journal line, written -------------------------------------------------------------------


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The document that `decode_snapshot` reads the same snapshot from, exactly."""
    return to_json(snapshot_object(snapshot))


def snapshot_object(snapshot: Snapshot) -> dict[str, object]:
    """The same as plain objects (`to_json` writes them). Every setting that decides is spelt out: a default may change,
    what was decided may not."""
    return {
        "version": VERSION,
        "now": snapshot.now,
        "config": _members(snapshot.policy),
        "target": _answer_object(snapshot.target),
        "mine": _answer_object(snapshot.mine),
        "token_map": snapshot.token_map,
        "books": {token_id: _members(book) for token_id, book in snapshot.books.items()},
        "orders_ok": snapshot.orders_ok,
        "open_orders": _orders_object(snapshot.open_orders),
        "in_doubt": _orders_object(snapshot.in_doubt, gone=True),
        "foreign_orders": _orders_object(snapshot.foreign_orders),
        **({} if snapshot.cash is None else {"cash": snapshot.cash}),
        "ledgers": {token_key: _members(ledger) for token_key, ledger in snapshot.ledgers.items()},
        "witnesses": snapshot.witnesses,
        "target_history": snapshot.target_history,
        "holds": snapshot.holds,
        **({} if snapshot.today is None else {"today": _members(snapshot.today)}),
        **({"stopped": True} if snapshot.stopped else {}),
    }


def _members(record: AttrsInstance) -> dict[str, object]:
    """The fields of a record under their own names; what is None or an empty text is left out."""
    names, values_of = _reader(type(record))
    # Not `value != ""`: a Decimal that is compared with a text asks the text whether it is a Rational, for 1 µs.
    return {
        name: value
        for name, value in zip(names, values_of(record), strict=True)
        if value is not None and (type(value) is not str or value)
    }


@cache
def _reader(kind: type[AttrsInstance]) -> tuple[tuple[str, ...], Callable[[AttrsInstance], tuple[object, ...]]]:
    """The names of a record's fields, and what gives their values, all in one call."""
    return _names(kind), attrgetter(*_names(kind))


@cache
def _names(kind: type[AttrsInstance]) -> tuple[str, ...]:
    return tuple(fields_dict(kind))


def _answer_object(answer: Positions) -> dict[str, object]:
    rows = [_members(position) for position in answer.positions]
    return {"ok": answer.ok, "incomplete": answer.incomplete, "positions": rows}


def _orders_object(orders: Mapping[TokenId, Iterable[Order]], *, gone: bool = False) -> dict[str, object]:
    def order_object(order: Order) -> dict[str, object]:
        members = _members(order)
        if not gone:
            del members["gone"]  # a listed order has no such key
        return members

    return {token_id: [order_object(order) for order in listed] for token_id, listed in orders.items()}


def encode_plan(plan: Plan) -> bytes:
    """The settled form of `copytrade plan --json`, on one line."""
    return to_json(plan_object(plan))


def plan_object(plan: Plan) -> dict[str, object]:
    """The same as plain objects. Keys and their order are part of the form (DESIGN 8)."""
    return {
        "mode": plan.mode,
        "actions": [_action_object(action) for action in plan.actions],
        "decisions": [_decision_object(decision) for decision in plan.decisions],
    }


def _action_object(action: Action) -> dict[str, object]:
    match action:
        case Cancel():
            return {
                "type": "cancel",
                "order_id": action.order_id,
                "token_id": action.token_id,
                "reason": action.reason,
            }
        case Place():
            return {
                "type": "place",
                "token_id": action.token_id,
                "token_key": action.token_key,
                "side": action.side,
                "price": action.price,
                "size": action.size,
            }


def _decision_object(decision: Decision) -> dict[str, object]:
    return dict(zip(_TOLD, _told(decision), strict=True))


_TOLD = (
    "token_key", "token_id", "want_lo", "want_hi", "desired", "lo", "hi", "delta", "ref_price", "reason",
)  # fmt: skip
_told = attrgetter(*_TOLD)


def encode_journal_line(
    snapshot: Snapshot, plan: Plan, results: Sequence[object], notes: Mapping[str, object] | None = None
) -> bytes:
    """One cycle on one line: what was known, what was decided, what came of it. `decode_snapshot` reads the line too.

    `results` and `notes` are plain objects that `to_json` can write; without notes the key is left out.
    """
    return to_json(
        {
            "version": VERSION,
            "snapshot": snapshot_object(snapshot),
            "plan": plan_object(plan),
            "results": results,
            **({"notes": notes} if notes else {}),
        }
    )
