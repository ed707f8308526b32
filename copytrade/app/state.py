"""What is remembered, as one JSON document, and what a start makes of the file that it finds.

The document has the blueprint's keys (`target`, `my_address`, `follow_ratio`, `token_map`, `open_orders`,
`last_sync_ts`) and beside them what exposure and want need. Numbers are exact strings.

    found at the start                        what is done
    a good file                               go on from it
    none, no backup, no journal               a first start, if the exchange shows no trace of an earlier one
    none or a broken one, a good backup       go on from the backup, every token on hold until it is restored
    none or a broken one, no good backup      begin anew, likewise on hold; what is broken is kept beside it
    of another wallet or a newer version      refuse, and leave it as it is

Not here: how the bytes get to the disk (adapters/state_file.py).   Read next: cycle.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec
from attrs import evolve, field, fields, frozen, has

from copytrade.app.ports import StateFile
from copytrade.domain.day import Day
from copytrade.domain.lost_state import recovering
from copytrade.domain.memory import Base, Hold, Memory, OwnOrder, Recovery, Standing
from copytrade.domain.model import TokenId, TokenKey
from copytrade.domain.policy import Policy
from copytrade.errors import RefusedToStart

VERSION = 1
_MOST_DIGITS = 80  # before or behind the point

_Orders = dict[TokenId, tuple[OwnOrder, ...]]


class StateBroken(Exception):
    """The document is not a state of ours; the text says where."""


@frozen(kw_only=True)
class StateDocument:
    """The document itself. Orders are grouped by token id; addresses are lower case."""

    version: int
    target: str
    my_address: str
    follow_ratio: Decimal
    last_sync_ts: Decimal = field(default=Decimal(0))
    token_map: dict[TokenKey, TokenId] = field(factory=dict)
    open_orders: _Orders = field(factory=dict)
    in_doubt: _Orders = field(factory=dict)
    settled_orders: _Orders = field(factory=dict)
    ledgers: dict[TokenKey, Base] = field(factory=dict)
    target_polls: tuple[dict[TokenKey, Decimal], ...] = ()
    holds: dict[TokenKey, Hold] = field(factory=dict)
    recovery: Recovery | None = None
    day: Day = field(factory=Day)


@frozen(kw_only=True)
class Start:
    """What a start found: the memory to go on from, what a person should know, and whether it may be the first one."""

    memory: Memory
    notes: tuple[str, ...] = ()
    first: bool = False


_encoder = msgspec.json.Encoder()  # keys as they were learned: to sort them took a third of the time (5,000 tokens)
_decoder = msgspec.json.Decoder(StateDocument)


def encode_state(memory: Memory, policy: Policy) -> bytes:
    """The document of this memory."""
    by_standing: dict[str, dict[TokenId, list[OwnOrder]]] = {"open": {}, "doubt": {}, "settled": {}}
    names = {Standing.OPEN: "open", Standing.SETTLED: "settled"}
    for order in memory.orders.values():
        by_standing[names.get(order.standing, "doubt")].setdefault(order.token_id, []).append(order)
    return _encoder.encode(
        {
            "version": VERSION,
            "target": policy.target_address,
            "my_address": policy.my_address,
            "follow_ratio": policy.follow_ratio,
            "last_sync_ts": memory.last_sync_ts,
            "token_map": memory.token_map,
            "open_orders": by_standing["open"],
            "in_doubt": by_standing["doubt"],
            "settled_orders": by_standing["settled"],
            "ledgers": memory.bases,
            "target_polls": memory.polls,
            "holds": memory.holds,
            "recovery": memory.recovery,
            "day": memory.day,
        }
    )


def decode_state(raw: bytes) -> StateDocument:
    """Read a document. Raises StateBroken; a newer version is read no further than its number."""
    try:
        version = msgspec.json.decode(raw, type=_Version).version
        if version > VERSION:
            raise RefusedToStart(
                f"it was written by a newer copytrade (version {version}, this one reads {VERSION}): "
                "update copytrade, or name another file with --state"
            )
        document = _decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        raise StateBroken(str(error)) from None
    _check(document)
    return document


@frozen(kw_only=True)
class _Version:
    version: int


def _check(document: StateDocument) -> None:
    seen: set[str] = set()
    for kind in (document.open_orders, document.in_doubt, document.settled_orders):
        for token_id, orders in kind.items():
            for order in orders:
                if order.token_id != token_id or order.order_id in seen:
                    raise StateBroken(f"the order {order.order_id} stands in two places")
                if order.token_key not in document.ledgers:
                    raise StateBroken(f"the order {order.order_id} has no ledger")
                seen.add(order.order_id)
    sizes = [size for poll in document.target_polls for size in poll.values()]
    if not all(size.is_finite() and size >= 0 for size in sizes):
        raise StateBroken("a size in target_polls is not a number of shares")
    # 1e999999999 is a number that no arithmetic survives; no amount and no time comes anywhere near.
    if not all(-_MOST_DIGITS < number.adjusted() < _MOST_DIGITS for number in _numbers(document) if number):
        raise StateBroken("a number has more digits than any amount or time")
    # What no record's own validator looks at; one NaN among them would stop every cycle.
    numbers = [document.follow_ratio, document.last_sync_ts]
    numbers += [number for hold in document.holds.values() for number in (hold.until, hold.step)]
    numbers += document.day.prices.values()
    if document.recovery is not None:
        numbers += [document.recovery.started_at, document.recovery.counted_at, *document.recovery.strangers.values()]
    if not all(number.is_finite() and number >= 0 for number in numbers):
        raise StateBroken("a time, a hold, a price or the ratio is not a number that can be")


def _numbers(value: object) -> Iterator[Decimal]:
    """Every finite number in it, however deep."""
    if isinstance(value, Decimal):
        if value.is_finite():
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _numbers(inner)
    elif has(kind := type(value)):
        for one in fields(kind):
            yield from _numbers(getattr(value, one.name))


def memory_of(document: StateDocument) -> Memory:
    """The memory that a document holds."""
    kinds: tuple[Mapping[TokenId, tuple[OwnOrder, ...]], ...]
    kinds = (document.open_orders, document.in_doubt, document.settled_orders)
    return Memory(
        token_map=document.token_map,
        orders={order.order_id: order for kind in kinds for orders in kind.values() for order in orders},
        bases=document.ledgers,
        polls=document.target_polls,
        holds=document.holds,
        recovery=document.recovery,
        day=document.day,
        last_sync_ts=document.last_sync_ts,
    )


def may_rest(raw: bytes) -> tuple[Decimal, tuple[OwnOrder, ...]]:
    """When this document's last cycle was, and which of our orders may rest. Raises StateBroken and RefusedToStart."""
    memory = memory_of(decode_state(raw))
    return memory.last_sync_ts, tuple(order for order in memory.orders.values() if order.may_rest)


def start_from(
    state: StateFile, policy: Policy, *, name: str, journal_exists: bool, now: Decimal, keep: bool = True
) -> Start:
    """Make a start of what the disk holds; the table in the module's text says how.

    `name` is what the file is called in messages. With `keep` a broken file is moved aside, and that everything is on
    hold is saved at once; a dry run leaves all files as they are.
    Raises RefusedToStart, and OSError.
    """
    notes = []
    raw = state.load()
    if raw is not None:
        try:
            return Start(memory=_ours(raw, policy, name))
        except StateBroken as error:
            kept = f", kept as {state.keep_broken()}" if keep else ""
            notes.append(f"{name} is broken ({error}){kept}")
    backup = state.load_backup()
    if backup is not None:
        try:
            memory = _ours(backup, policy, f"{name}.bak")
        except StateBroken as error:
            # Left where it is, the second save of this run would replace it.
            kept = f", kept as {state.keep_broken_backup()}" if keep else ""
            notes.append(f"{name}.bak is broken{' too' if notes else ''} ({error}){kept}")
        else:
            notes.append(f"going on from {name}.bak: every token is on hold until the exchange's balance is known")
            return _recovering(state, policy, memory, notes, now, keep)
    if raw is None and backup is None and not journal_exists:
        return Start(memory=recovering(Memory(), now), first=True)
    notes.append("starting without a state: every token is on hold until the exchange's balance is known")
    return _recovering(state, policy, Memory(), notes, now, keep)


def _recovering(
    state: StateFile, policy: Policy, memory: Memory, notes: Sequence[str], now: Decimal, keep: bool
) -> Start:
    start = Start(memory=recovering(memory, now), notes=tuple(notes))
    if keep:
        # What is broken has been moved aside. A run that ends before its first save (the prompt was answered with no)
        # must not leave a folder that looks like a first start.
        state.save(encode_state(start.memory, policy))
    return start


def confirmed_first(start: Memory) -> Memory:
    """The exchange shows no trace of an earlier run: nothing has to be restored."""
    return evolve(start, recovery=None)


def _ours(raw: bytes, policy: Policy, name: str) -> Memory:
    try:
        document = decode_state(raw)
    except RefusedToStart as error:
        raise RefusedToStart(f"{name}: {error}") from None
    for word, got, wants in (
        ("target", document.target.lower(), policy.target_address),
        ("my_address", document.my_address.lower(), policy.my_address),
    ):
        if got != wants:
            raise RefusedToStart(
                f"{name} belongs to another {word}: it has {got}, this run has {wants}. "
                "Name another file with --state (one for each pair of wallets), or move this one away"
            )
    return memory_of(document)
