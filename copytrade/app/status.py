"""How a run stands, running or stopped, from what it has left on the disk: the last journal line and the state.

Pure: bytes in, one record out, and that record as JSON. The journal's last line carries the sums of all lines before
it (tally.py), so nothing else has to be read; the state tells which orders may rest since, and who is on hold.

Not here: where the bytes come from (wiring/looking.py), what the record looks like on a screen (cli/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext

from attrs import evolve, frozen

from copytrade.app.documents import decode_snapshot
from copytrade.app.outcomes import Result
from copytrade.app.state import StateBroken, StateDocument, decode_state, memory_of
from copytrade.app.story import Row, Sums, outside_band, rows_of, sums_of
from copytrade.app.tally import DAY_SEC, MICRO, Day, Notes, Tally, prices, read_beside, tracking
from copytrade.domain.amounts import EXACT
from copytrade.domain.memory import Hold, OwnOrder
from copytrade.domain.model import ZERO, Order, Snapshot, TokenKey
from copytrade.domain.plan import plan, safe_mode
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput, RefusedToStart

VERSION = 1  # of the JSON


@frozen(kw_only=True)
class Found:
    """What was found on the disk. `running` None: it can't be told whether a run holds the lock."""

    line: bytes | None
    state: bytes | None
    running: bool | None
    pid: int | None = None


@frozen(kw_only=True)
class Last:
    """The last cycle."""

    at: Decimal
    number: int | None
    took_sec: Decimal | None
    snapshot: Snapshot
    sums: Sums
    rows: tuple[Row, ...]
    gaps: int
    notes: Notes
    tracking_now: Decimal | None


@frozen(kw_only=True)
class Held:
    """A token on which nothing is placed until then, and what the last refusal said."""

    token_key: TokenKey
    title: str
    until: Decimal
    words: str


@frozen(kw_only=True)
class Status:
    """All of it. Times are seconds since the epoch."""

    now: Decimal
    running: bool | None
    pid: int | None
    policy: Policy | None  # of the last cycle
    last: Last | None
    tally: Tally | None
    today: Day
    orders: tuple[OwnOrder, ...] | None  # ours that may rest, by the state; None: no state could be read
    holds: tuple[Held, ...] = ()
    recovering: bool = False  # it started on a lost state, and not all tokens are restored
    troubles: tuple[str, ...] = ()  # what could not be read


def status_of(found: Found, now: Decimal) -> Status:
    """Put together what was found. Raises nothing: what can't be read is a trouble, in words."""
    troubles: list[str] = []
    document = _document(found.state, troubles)
    with localcontext(EXACT):
        last = _last(found.line, document, troubles)
    tally = last.notes.tally if last is not None else None
    number = int(now) // DAY_SEC
    return Status(
        now=now,
        running=found.running,
        pid=found.pid,
        policy=last.snapshot.policy if last is not None else None,
        last=last,
        tally=tally,
        today=tally.today if tally is not None and tally.today.number == number else Day(number=number),
        orders=None if document is None else _may_rest(document),
        holds=_holds({} if document is None else document.holds, last, now),
        recovering=document is not None and document.recovery is not None,
        troubles=tuple(troubles),
    )


def _document(raw: bytes | None, troubles: list[str]) -> StateDocument | None:
    if raw is None:
        return None
    try:
        return decode_state(raw)
    except (StateBroken, RefusedToStart) as error:
        troubles.append(f"the state could not be read: {error}")
        return None


def _last(line: bytes | None, document: StateDocument | None, troubles: list[str]) -> Last | None:
    if line is None:
        return None
    try:
        snapshot = decode_snapshot(line, source="the last journal line")
    except BadInput as error:
        troubles.append("; ".join(str(error).split("\n")))
        return None
    decided, beside = plan(snapshot), read_beside(line)
    results: Sequence[Result] = beside.results
    rows = rows_of(snapshot, decided, results, None if beside.notes.tally is None else beside.notes.tally.gap_since)
    gap, wanted = tracking(snapshot, decided.decisions, prices(snapshot))
    return Last(
        at=snapshot.now,
        number=beside.notes.cycle,
        took_sec=beside.notes.took_sec,
        snapshot=snapshot,
        sums=sums_of(snapshot, decided),
        rows=rows if document is None else _with_orders(rows, document),
        gaps=outside_band(decided.decisions, snapshot),
        notes=beside.notes,
        tracking_now=(gap / wanted).quantize(MICRO) if wanted and not safe_mode(snapshot) else None,
    )


def _may_rest(document: StateDocument) -> tuple[OwnOrder, ...]:
    orders = memory_of(document).orders.values()
    return tuple(sorted((order for order in orders if order.may_rest), key=lambda order: order.order_id))


def _with_orders(rows: tuple[Row, ...], document: StateDocument) -> tuple[Row, ...]:
    """The state is saved after every answer, and so knows better than the journal what rests."""
    by_key: dict[TokenKey, list[Order]] = {}
    for order in _may_rest(document):
        by_key.setdefault(order.token_key, []).append(order.as_order())
    return tuple(
        row if row.token_key is None else evolve(row, orders=tuple(by_key.get(row.token_key, ()))) for row in rows
    )


def _holds(holds: Mapping[TokenKey, Hold], last: Last | None, now: Decimal) -> tuple[Held, ...]:
    until = {key: hold.until for key, hold in holds.items()}
    titles: dict[TokenKey, str] = {}
    refused = last.notes.tally.refused if last is not None and last.notes.tally is not None else {}
    if last is not None:
        until = {**last.snapshot.holds, **until}
        titles = {row.token_key: row.title for row in last.rows if row.token_key is not None}
    return tuple(
        Held(
            token_key=key,
            title=titles.get(key, ""),
            until=until[key],
            words=refused[key].words if key in refused else "",
        )
        for key in sorted(until)
        if until[key] > now
    )


# -- as JSON ----------------------------------------------------------------------------------------------------------


def status_object(status: Status) -> dict[str, object]:
    """The settled form of `copytrade status --json`, described in docs/status.md."""
    last, tally, policy = status.last, status.tally, status.policy
    return {
        "version": VERSION,
        "now": status.now,
        "running": status.running,
        "pid": status.pid,
        "run_started_at": tally.run_started_at if tally is not None and status.running is not False else None,
        "target": None if policy is None else policy.target_address,
        "my_address": None if policy is None else policy.my_address,
        "follow_ratio": None if policy is None else policy.follow_ratio,
        "last_cycle": None if last is None else _cycle_object(last, status.now),
        "cash": None if last is None else last.sums.cash,
        "cash_free": None if last is None else last.sums.cash_free,
        "counted": None if last is None else last.sums.counted,
        "cap": None if last is None else last.sums.cap,
        "today": _day_object(status.today),
        "profit": None if tally is None or policy is None else _profit_object(tally, policy),
        "tracking_error": {
            "now": None if last is None else last.tracking_now,
            "since_start": _part(tally),
        },
        "tokens": [] if last is None else [_row_object(row, status.now) for row in last.rows],
        "orders": None if status.orders is None else [_order_object(order) for order in status.orders],
        "redeemable": [] if last is None else [_redeemable_object(row) for row in last.rows if row.redeemable],
        "holds": [
            {"token_key": one.token_key, "title": one.title, "until": one.until, "words": one.words}
            for one in status.holds
        ],
        "recovering": status.recovering,
        "warnings": [] if last is None else list(last.notes.warnings),
        **{
            name: None
            if tally is None or (said := getattr(tally, name)) is None
            else {"at": said.at, "words": said.words, "token_key": said.token_key, "title": said.title}
            for name in ("last_warning", "last_refusal", "last_fill")
        },
        "troubles": list(status.troubles),
    }


def _part(tally: Tally | None) -> Decimal | None:
    with localcontext(EXACT):
        part = None if tally is None else tally.tracking_error
        return None if part is None else part.quantize(MICRO)


def _cycle_object(last: Last, now: Decimal) -> dict[str, object]:
    snapshot = last.snapshot
    return {
        "number": last.number,
        "at": last.at,
        "age_sec": now - last.at,
        "took_sec": last.took_sec,
        "safe_mode": safe_mode(snapshot),
        "stopped": snapshot.stopped,
        "gaps": last.gaps,
    }


def _day_object(day: Day) -> dict[str, object]:
    return {
        "orders": day.orders,
        "fills": day.fills,
        "bought_shares": day.bought_shares,
        "bought": day.bought,
        "sold_shares": day.sold_shares,
        "sold": day.sold,
        "fees_at_most": day.fees_at_most,
    }


def _profit_object(tally: Tally, policy: Policy) -> dict[str, object]:
    return {
        "since": tally.since,
        "cycles": tally.cycles,
        "mine": tally.gain,
        "leader": tally.leader_gain,
        "leader_at_ratio": (tally.leader_gain * policy.follow_ratio).quantize(MICRO),
        "fees_at_most": tally.fees_at_most,
    }


def _row_object(row: Row, now: Decimal) -> dict[str, object]:
    return {
        "token_key": row.token_key,
        "token_id": row.token_id,
        "title": row.title,
        "target": row.target if row.target_known else None,
        "want_lo": row.want_lo,
        "want_hi": row.want_hi,
        "lo": row.lo if row.hold_known else None,
        "hi": row.hi if row.hold_known else None,
        "gap": row.gap,
        "gap_since": row.gap_since,
        "gap_sec": None if row.gap_since is None else max(now - row.gap_since, ZERO),
        "price": row.price,
        "reason": row.reason,
        "trouble": row.trouble,
        "hold_until": row.hold_until,
        "orders": [
            {"order_id": one.order_id, "side": one.side, "price": one.price, "rest": one.rest, "at": one.ts}
            for one in row.orders
        ],
    }


def _order_object(order: OwnOrder) -> dict[str, object]:
    return {
        "order_id": order.order_id,
        "token_key": order.token_key,
        "side": order.side,
        "price": order.price,
        "size": order.size,
        "filled": order.filled,
        "at": order.ts,
        "expiration": order.expiration,
        "standing": order.standing,
    }


def _redeemable_object(row: Row) -> dict[str, object]:
    worth = None if row.price is None else (row.lo * row.price).quantize(MICRO)
    return {"token_key": row.token_key, "title": row.title, "shares": row.lo, "worth": worth}
