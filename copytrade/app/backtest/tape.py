"""What a history is made of: a tape, an endless strip of small records in the order of their times.

    TokenListed   a token and what the exchange asks of its orders; comes before anything else of that token
    LeaderHeld    from now on the leader holds so much of a token (0 = nothing any more)
    BookSeen      the order book of a token, none of our orders in it
    PriceSeen     a price of a token where no book is known
    Traded        a trade of anybody's
    Resolved      the market is over; a share pays so much (None: nobody recorded it)
    Beat          nothing happened, and somebody was watching

Rule 1: a tape is read from its beginning whenever it is run. What comes record by record from a file is never held in
        memory: it may be longer than that.
Rule 2: every record of every source goes through `checked`, so that a bad tape has one clear error with its place: a
        tape that is in memory when it comes there, any other whenever it is read.
Rule 3: a record says what was true at its own time. What nobody could know then does not stand in it.

Times are seconds since the epoch, sizes shares, prices pUSD per share; all `Decimal`, from the text on.

Not here: how tapes look on disk (adapters/tapes).   Read next: engine.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial
from operator import itemgetter

from attrs import field, frozen

from copytrade.domain.model import ONE, ZERO, Side, TokenId, TokenKey
from copytrade.errors import BadInput, Fault

Levels = tuple[tuple[Decimal, Decimal], ...]  # (price, shares), the best first

NOTHING_RUN = "nothing was run"


@frozen(kw_only=True)
class TokenListed:
    """A token that the tape speaks of. What the tape does not know is None: then an assumption of the run stands."""

    at: Decimal
    token_key: TokenKey
    token_id: TokenId
    title: str = ""
    slug: str = ""
    end_date: str = ""  # as the positions feed writes it; empty = nobody tells
    tick_size: Decimal | None = None
    min_order_size: Decimal | None = None  # shares
    fee_rate: Decimal | None = None  # of a taker: shares x rate x (p (1 - p)) ^ exponent
    fee_exponent: Decimal | None = None


@frozen(kw_only=True)
class LeaderHeld:
    """The leader's holding of one token from `at` on."""

    at: Decimal
    token_key: TokenKey
    size: Decimal
    avg_price: Decimal = ZERO  # what a share of it cost him on average; 0 = unknown
    price: Decimal | None = None  # what a share of this very change cost or brought him, where that is known


@frozen(kw_only=True)
class BookSeen:
    """The order book of a token, best levels first; an empty side is an empty tuple."""

    at: Decimal
    token_key: TokenKey
    bids: Levels
    asks: Levels


@frozen(kw_only=True)
class PriceSeen:
    """A price at which the token traded or was quoted, where no book was recorded."""

    at: Decimal
    token_key: TokenKey
    price: Decimal


@frozen(kw_only=True)
class Traded:
    """A trade of anybody's. `taker` is the side that came to the book; None where that is not known."""

    at: Decimal
    token_key: TokenKey
    price: Decimal
    size: Decimal
    taker: Side | None = None


@frozen(kw_only=True)
class Resolved:
    """The market of the token is over, and a share pays `payout` pUSD; None: that was not recorded."""

    at: Decimal
    token_key: TokenKey
    payout: Decimal | None = None


@frozen(kw_only=True)
class Beat:
    """The recorder looked and had nothing to say. So a silence is not a gap."""

    at: Decimal


Event = TokenListed | LeaderHeld | BookSeen | PriceSeen | Traded | Resolved | Beat
Placed = tuple[int, Event]  # the number of the line or row that it came from

_EVENT: Callable[[Placed], Event] = itemgetter(1)


@frozen(kw_only=True)
class Tape:
    """A history that can be read again and again, each time from its beginning.

    `open_` starts a new reading: pairs of (line or row number, record). `place` is what such a number counts there.
    A tape travels to other processes, so `open_` is no lambda.
    """

    name: str
    open_: Callable[[], Iterable[Placed]] = field(repr=False)
    place: str = "record"
    has_trades: bool = False  # every trade of its tokens is on the tape: then books alone fill nothing
    max_gap_sec: Decimal | None = None  # a longer silence means that something is missing
    notes: tuple[str, ...] = ()  # what its source had to assume, for the result
    # Its records are in memory, and were checked when they came there. Whatever is evolved of it is looked at again.
    _sound: bool = field(default=False, init=False, repr=False, eq=False)

    @classmethod
    def of(
        cls,
        events: Iterable[Event],
        *,
        name: str = "tape",
        has_trades: bool = False,
        max_gap_sec: Decimal | None = None,
        notes: Iterable[str] = (),
    ) -> Tape:
        """A tape in memory. Raises BadInput with the place of the first record that makes no sense."""
        tape = cls(
            name=name,
            open_=partial(enumerate, tuple(events), 1),
            has_trades=has_trades,
            max_gap_sec=max_gap_sec,
            notes=tuple(notes),
        )
        for _ in checked(tape):
            pass
        object.__setattr__(tape, "_sound", True)
        return tape

    def events(self) -> Iterator[Event]:
        """Read it from the beginning. Raises BadInput with the place of the first record that makes no sense."""
        return map(_EVENT, self.open_()) if self._sound else checked(self)


def checked(tape: Tape) -> Iterator[Event]:
    """The tape's records, each held against what came before it. Raises BadInput at the first that is wrong.

    The first only: what comes after a wrong time or an unknown token is mostly a consequence of it.
    """
    known: dict[TokenKey, TokenId] = {}
    keys: dict[TokenId, TokenKey] = {}
    last: Decimal | None = None
    for number, event in tape.open_():
        at = event.at
        if at is last:  # of one moment, as most are
            pass
        elif last is not None:
            if at < last:
                raise _wrong(tape, number, "time", f"{at}, after {last}", "times that never go back")
            if tape.max_gap_sec is not None and at - last > tape.max_gap_sec:
                raise _wrong(
                    tape, number, "time", f"{at - last} s after the record before", f"no gap above {tape.max_gap_sec} s"
                )
        elif not (at.is_finite() and at >= 0):
            raise _wrong(tape, number, "time", str(at), "seconds since the epoch")
        last = at
        fault_of = _FAULTS.get(type(event))
        if fault_of is not None:
            if event.token_key in known:  # type: ignore[union-attr]  # all but a Beat have one
                fault = fault_of(event)
            else:
                fault = ("token_key", event.token_key, "a token that was listed before")  # type: ignore[union-attr]  # likewise
        elif type(event) is TokenListed:
            fault = _listing_fault(event, known, keys)
            known[event.token_key] = event.token_id
            keys[event.token_id] = event.token_key
        else:
            fault = None
        if fault is not None:
            raise _wrong(tape, number, *fault)
        yield event
    if last is None:
        raise BadInput(tape.name, [Fault(path="the tape", got="no record", wants="at least one")], NOTHING_RUN)


_Found = tuple[str, str, str] | None


def _wrong(tape: Tape, number: int, what: str, got: str, wants: str) -> BadInput:
    return BadInput(tape.name, [Fault(path=f"{tape.place} {number}: {what}", got=got, wants=wants)], NOTHING_RUN)


def _listing_fault(event: TokenListed, known: dict[TokenKey, TokenId], keys: dict[TokenId, TokenKey]) -> _Found:
    if known.get(event.token_key, event.token_id) != event.token_id:
        return "token_id", event.token_id, f"{known[event.token_key]}, as {event.token_key} was listed before"
    if keys.get(event.token_id, event.token_key) != event.token_key:
        return "token_id", event.token_id, f"another one: this is the id of {keys[event.token_id]}"
    for name in ("min_order_size", "fee_rate", "fee_exponent"):
        value = getattr(event, name)
        if value is not None and not (value.is_finite() and value >= 0):
            return name, str(value), "a number that is not negative"
    if event.tick_size is not None and not _is_price(event.tick_size):
        return "tick_size", str(event.tick_size), "a number inside (0, 1)"
    return None


def _is_price(value: Decimal) -> bool:
    return value.is_finite() and ZERO < value < ONE


def _held_fault(event: LeaderHeld) -> _Found:
    for name, value in (("size", event.size), ("avg_price", event.avg_price), ("price", event.price)):
        if value is not None and not (value.is_finite() and value >= 0):
            return name, str(value), "a number that is not negative"
    return None


def _book_fault(event: BookSeen) -> _Found:
    before = ONE
    for price, size in event.bids:
        if not (price < before and size >= ZERO):
            return _level_fault("bids", price, size, before)
        before = price
    if not before > ZERO:
        return "bids price", str(before), "a price inside (0, 1)"
    before = ZERO
    for price, size in event.asks:
        if not (price > before and size >= ZERO):
            return _level_fault("asks", price, size, before)
        before = price
    if not before < ONE:
        return "asks price", str(before), "a price inside (0, 1)"
    return None


def _level_fault(side: str, price: Decimal, size: Decimal, before: Decimal) -> _Found:
    if not (ZERO < price < ONE):
        return f"{side} price", str(price), "a price inside (0, 1)"
    if not size >= 0:
        return f"{side} size", str(size), "shares that are not negative"
    return side, f"{price} behind {before}", "the best level first, each price once"


def _price_fault(event: PriceSeen) -> _Found:
    if not (event.price.is_finite() and ZERO <= event.price <= ONE):
        return "price", str(event.price), "a price from 0 to 1"
    return None


def _trade_fault(event: Traded) -> _Found:
    if not (event.size.is_finite() and event.size >= ZERO):
        return "size", str(event.size), "shares that are not negative"
    if not (event.price.is_finite() and ZERO <= event.price <= ONE):
        return "price", str(event.price), "a price from 0 to 1"
    return None


def _resolved_fault(event: Resolved) -> _Found:
    if event.payout is not None and not (event.payout.is_finite() and ZERO <= event.payout <= ONE):
        return "payout", str(event.payout), "a number from 0 to 1"
    return None


_FAULTS: dict[type, Callable[..., _Found]] = {
    LeaderHeld: _held_fault,
    BookSeen: _book_fault,
    PriceSeen: _price_fault,
    Traded: _trade_fault,
    Resolved: _resolved_fault,
}
