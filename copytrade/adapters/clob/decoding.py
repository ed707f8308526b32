"""Read what the exchange answers: exact records, or BadAnswer with what is wrong and where.

Rule 1: money goes from the JSON text to Decimal, never through float; a number may be written as one or as a string.
Rule 2: what decides must be there and make sense (an id, a side, a price, a size, a time); what does not is not read.
Rule 3: one odd book is one token without a book. One odd order, or one odd trade, makes the whole listing a BadAnswer:
        a listing with a hole in it would let the same shares be bought twice.
Rule 4: answers about the account hold the API key (`owner`), so no error quotes them.

Shapes and their variants: API.md "Books" and "Orders"; recorded/http_*.json; polymarket-client's models.
Not here: answers to orders and cancels (posting.py), what refusals mean (refusals.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec
from attrs import field, frozen

from copytrade.adapters.http import decode
from copytrade.adapters.signing import ApiCredentials
from copytrade.app.ports import Fill, FullBook, Level, LookUp, OpenOrder, OrderFate, TradeStatus
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import ONE, OrderId, Side, TokenId
from copytrade.errors import BadAnswer

Row = Mapping[str, object]

FIRST_PAGE: Final = "MA=="
LAST_PAGE: Final = "LTE="

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_MOST_DIGITS = 40  # of a number before its point, or zeros behind it: beyond that it is no amount of anything
_LEAST, _MOST = Decimal(f"1E-{_MOST_DIGITS}"), Decimal(f"1E+{_MOST_DIGITS + 1}")
_BASE_UNITS = re.compile(r"[0-9]{1,78}")  # up to 2^256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = Decimal(100_000_000_000)  # seconds; the year 5138. What is beyond is written in a smaller unit
_OTHER_SIDE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


# -- the pieces -------------------------------------------------------------------------------------------------------


def private(raw: bytes) -> object:
    """Read JSON of an answer about the account. Raises BadAnswer, which does not quote it (Rule 4)."""
    try:
        return decode(raw)
    except BadAnswer:
        raise BadAnswer(f"an answer about the account that is not JSON ({len(raw)} bytes)") from None


def a_row(value: object, what: str) -> Row:
    """The value as an object with text keys."""
    if not isinstance(value, dict):
        raise BadAnswer(f"{what} is {_kind(value)}, not an object")
    return value


def rows(value: object, what: str) -> list[object]:
    """The value as a list. null is an empty one: that is how the exchange's language writes it."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadAnswer(f"{what} is {_kind(value)}, not a list")
    return value


def text(row: Row, key: str) -> str:
    """A text that is not empty."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise BadAnswer(f"{key} is {_kind(value)}, not a text")
    return value


def number(value: object, what: str) -> Decimal:
    """A number of a sane size, exactly as it is written.

    >>> number("0.10", "price"), number(5, "size"), number(Decimal("1E+2"), "size")
    (Decimal('0.10'), Decimal('5'), Decimal('1E+2'))
    """
    read: Decimal | None = None
    if isinstance(value, Decimal):
        read = value
    elif (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and _NUMBER.fullmatch(value)
    ):
        read = Decimal(value)
    if read is None or not read.is_finite() or abs(read.adjusted()) > _MOST_DIGITS:
        raise BadAnswer(f"{what} is {_kind(value)}, not a number")
    return read


def amount(value: object, what: str) -> Decimal:
    """A number that is not negative."""
    read = number(value, what)
    if read < 0:
        raise BadAnswer(f"{what} is negative")
    return read


def price(value: object, what: str = "price") -> Decimal:
    """pUSD per share, inside (0, 1)."""
    read = number(value, what)
    if not 0 < read < 1:
        raise BadAnswer(f"{what} is not inside (0, 1)")
    return read


def side(row: Row) -> Side:
    """BUY or SELL."""
    value = row.get("side")
    if value not in ("BUY", "SELL"):
        raise BadAnswer(f"side is {_kind(value)}, not BUY or SELL")
    return Side(value)


def moment(value: object, what: str) -> Decimal:
    """A time in seconds since the epoch: from seconds, milliseconds or finer, as number or text, or from ISO 8601.

    >>> [moment(written, "at") for written in (1703875200, "1703875200000", "1703875200.5", "2023-12-29T18:40:00Z")]
    [Decimal('1703875200'), Decimal('1703875200'), Decimal('1703875200.5'), Decimal('1703875200')]
    """
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return _iso(value, what)
    read = amount(value, what)
    while read >= _LATEST:
        read /= 1000
    return read


def _iso(value: str, what: str) -> Decimal:
    try:
        at = datetime.fromisoformat(value)
        since = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise BadAnswer(f"{what} is no time") from None
    if since < timedelta(0):
        raise BadAnswer(f"{what} is before 1970")
    return Decimal(since // timedelta(microseconds=1)) / 1_000_000


def _kind(value: object) -> str:
    """What stands there, without quoting it."""
    if value is None:
        return "missing"
    return "empty" if value == "" else f"a {type(value).__name__}"


# -- public -----------------------------------------------------------------------------------------------------------


_LEFT_OUT: Final = object()  # what no answer can hold


@frozen(kw_only=True)
class _ReadBook:
    """One book with its levels read straight into records; what else it says is looked at one by one."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    asset_id: Any = _LEFT_OUT
    token_id: Any = _LEFT_OUT
    tick_size: Any = None
    min_order_size: Any = None
    neg_risk: Any = None
    last_trade_price: Any = None

    def row(self) -> Row:
        return {name: value for name in _NAMES if (value := getattr(self, name)) is not _LEFT_OUT}


_NAMES: Final = ("asset_id", "token_id", "tick_size", "min_order_size", "neg_risk", "last_trade_price")
_READ_BOOKS: Final = msgspec.json.Decoder(list[_ReadBook], float_hook=Decimal)


def books(raw: bytes, asked: Collection[TokenId]) -> tuple[dict[TokenId, FullBook], list[str]]:
    """The books of one answer of `POST /books` by token, and what was left out, in words.

    A token that has no book is simply not there. A book of a token that was not asked for is left out.
    Raises BadAnswer where the answer is no list.
    """
    found: dict[TokenId, FullBook] = {}
    odd: list[str] = []
    wanted = set(asked)
    for index, read in enumerate(_books_of(raw)):
        try:
            one = read()
        except BadAnswer as error:
            odd.append(f"[{index}]: {error}")
            continue
        if one.token_id in wanted:
            found[one.token_id] = one
        else:
            odd.append(f"[{index}]: a token that was not asked for")
    return found, odd


def _books_of(raw: bytes) -> list[Callable[[], FullBook]]:
    """A function for each book of an answer, which gives it or raises BadAnswer.

    300 books of 20 levels a side are 12,000 levels: read into records at once they take half of the time. Where a
    single one does not fit, all are read as plain values and looked at by themselves, so that one odd book is one.
    """
    try:
        return _typed(raw)
    except (ValueError, RecursionError, ArithmeticError):  # msgspec's errors are ValueErrors
        return _plain(raw)


def _typed(raw: bytes) -> list[Callable[[], FullBook]]:
    raw.decode()  # msgspec does not look at what it skips: a key that was damaged on its way would be a missing one
    return [partial(_book, read.row(), partial(_levels_read, read)) for read in _READ_BOOKS.decode(raw)]


def _plain(raw: bytes) -> list[Callable[[], FullBook]]:
    values = enumerate(rows(decode(raw), "the answer"))
    return [partial(_book_at, index, value) for index, value in values]


def _book_at(index: int, value: object) -> FullBook:
    return book(a_row(value, f"[{index}]"))


def book(row: Row) -> FullBook:
    """One book: every level, in no order, sizes of zero left out; prices in pUSD per share, sizes in shares.

    A side that is empty is a fact about the market; one that is missing raises BadAnswer. `tick_size` and
    `min_order_size` may be missing. `neg_risk` may not for a CTF token: it decides for which exchange an order is
    signed, and a wrong guess is refused in words that stop the run. A V2 id says by its shape what it is.
    """
    return _book(row, partial(_levels, row))


def _book(row: Row, levels: Callable[[str], tuple[Level, ...]]) -> FullBook:
    """`levels` gives one side, "bids" or "asks", or raises BadAnswer."""
    token_id = text(row, "asset_id" if "asset_id" in row else "token_id")
    shape = kind_of(token_id)
    neg_risk = row.get("neg_risk")
    if not isinstance(neg_risk, bool):
        if shape not in (IdKind.V2_BINARY, IdKind.V2_NEG_RISK):
            raise BadAnswer(f"{token_id}: neg_risk is {_kind(neg_risk)}, so no order could be signed for it")
        neg_risk = shape is IdKind.V2_NEG_RISK
    try:
        return FullBook(
            token_id=token_id,
            bids=levels("bids"),
            asks=levels("asks"),
            tick_size=None if _absent(row, "tick_size") else price(row["tick_size"], "tick_size"),
            min_order_size=None if _absent(row, "min_order_size") else amount(row["min_order_size"], "min_order_size"),
            neg_risk=neg_risk,
            last_trade_price=_last_trade_price(row),
        )
    except BadAnswer as error:
        raise BadAnswer(f"{token_id}: {error}") from None


def _levels(row: Row, key: str) -> tuple[Level, ...]:
    """One side of a book that was read as plain values."""
    if key not in row:
        raise BadAnswer(f"{key} is missing")
    try:
        found = msgspec.convert(rows(row[key], key), tuple[Level, ...])
    except (msgspec.ValidationError, ArithmeticError) as error:
        raise BadAnswer(f"{key}: {error}") from None
    return _checked(found, key)


def _levels_read(read: _ReadBook, key: str) -> tuple[Level, ...]:
    """One side of a book that was read into records."""
    return _checked(getattr(read, key), key)


def _checked(levels: tuple[Level, ...], key: str) -> tuple[Level, ...]:
    """Those of one side that have a size, once all of them make sense. A few comparisons for each, and no more."""
    for level in levels:
        at, size = level.price, level.size
        try:
            good = _LEAST <= at < ONE and (_LEAST <= size < _MOST or not size)
        except ArithmeticError:  # NaN compares with nothing
            good = False
        if not good:
            raise BadAnswer(f"{key}: a level of {size!s:.40} at {at!s:.40}, which makes no sense")
    return tuple([level for level in levels if level.size])


def _last_trade_price(row: Row) -> Decimal | None:
    """None where there was no trade yet, or the price makes no sense: it only guards, never quotes."""
    if _absent(row, "last_trade_price"):
        return None
    try:
        read = amount(row["last_trade_price"], "last_trade_price")
    except BadAnswer:
        return None
    return read if read <= 1 else None


def _absent(row: Row, key: str) -> bool:
    return row.get(key) in (None, "")


def server_time(raw: bytes) -> Decimal:
    """`GET /time`: a bare number, or {"time": …} (or "timestamp"). Seconds since the epoch."""
    value = decode(raw)
    if isinstance(value, dict):
        value = value.get("time", value.get("timestamp"))
    read = moment(value, "time")
    if not read:
        raise BadAnswer("time is 0")
    return read


# -- the account ------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Page:
    """One page of a listing. `next_cursor` is None on the last."""

    rows: list[object]
    next_cursor: str | None


def page(raw: bytes) -> Page:
    """One page of `/data/orders` or `/data/trades`. A cursor that is missing or null ends the walk, as LTE= does."""
    row = a_row(private(raw), "the page")
    if "data" not in row:
        raise BadAnswer("the page has no data")
    cursor = row.get("next_cursor")
    if cursor is not None and (not isinstance(cursor, str) or not cursor):
        raise BadAnswer("next_cursor is neither a text nor null")
    return Page(rows=rows(row["data"], "data"), next_cursor=None if cursor == LAST_PAGE else cursor)


def open_order(value: object) -> OpenOrder:
    """One row of `/data/orders`. Sizes are decimal strings, in shares."""
    row = a_row(value, "an order")
    matched = amount(row.get("size_matched"), "size_matched")
    return OpenOrder(
        order_id=text(row, "id"),
        token_id=text(row, "asset_id" if "asset_id" in row else "token_id"),
        side=side(row),
        price=price(row.get("price")),
        # An order can't have matched more than its size: where it says so (by a cent of rounding), nothing rests.
        size=max(amount(row.get("original_size"), "original_size"), matched),
        matched=matched,
        ts=moment(row.get("created_at"), "created_at"),
    )


def look_up(order_id: OrderId, raw: bytes) -> LookUp:
    """`GET /data/order/{id}`. An empty answer, in any form, knows nothing.

    A closed order's `matched` is final. MATCHED with nothing matched contradicts itself (the sizes lag), and a status
    that no documentation knows says nothing: both are UNKNOWN.
    """
    value = private(raw) if raw.strip() else None
    if not value:  # null, "", {}, []
        return LookUp(order_id=order_id, fate=OrderFate.UNKNOWN)
    row = a_row(value, "the order")
    if not row.get("id") and isinstance(row.get("error"), str):
        return LookUp(order_id=order_id, fate=OrderFate.UNKNOWN)  # a 200 that says "not found" in words
    if text(row, "id").lower() != order_id.lower():
        raise BadAnswer("the order is another one than was asked for")
    status = text(row, "status").upper().removeprefix("ORDER_STATUS_")
    matched = amount(row.get("size_matched"), "size_matched")
    closed = status.startswith(("CANCELED", "CANCELLED")) or status in ("MATCHED", "INVALID", "EXPIRED")
    if status == "LIVE":
        fate = OrderFate.LIVE
    elif closed and not (status == "MATCHED" and not matched):
        fate = OrderFate.CLOSED
    else:
        fate = OrderFate.UNKNOWN
    return LookUp(order_id=order_id, fate=fate, matched=matched)


@frozen(kw_only=True)
class Me:
    """By what our own legs are told: the wallet that holds the money, and the API key, which is a secret."""

    wallet: str
    api_key: str = field(repr=False)

    def owns(self, row: Row) -> bool:
        """Either mark suffices. Too many of ours do no harm (the order ids are not known); a missing one would."""
        address, owner = row.get("maker_address"), row.get("owner")
        return (isinstance(address, str) and address.lower() == self.wallet.lower()) or owner == self.api_key


def fills(value: object, me: Me) -> tuple[Fill, ...]:
    """Our part of one row of `/data/trades`: a fill for each order of ours that has a leg in it.

    A trade's own side, size and `taker_order_id` are the taker's. As a maker our part is the entry in `maker_orders`.
    Raises BadAnswer where something of it cannot be read.
    """
    row = a_row(value, "a trade")
    trade_id, ts = text(row, "id"), moment(row.get("match_time"), "match_time")
    status = _trade_status(row)
    mine: dict[OrderId, Fill] = {}
    for leg in (a_row(one, "a maker order") for one in rows(row.get("maker_orders"), "maker_orders")):
        if not me.owns(leg):
            continue
        fill = Fill(
            trade_id=trade_id,
            order_id=text(leg, "order_id"),
            token_id=text(leg, "asset_id"),
            side=_maker_side(leg, row),
            price=price(leg.get("price")),
            size=amount(leg.get("matched_amount"), "matched_amount"),
            status=status,
            ts=ts,
        )
        before = mine.get(fill.order_id)
        # The same order twice in one trade is one fill: whoever sums by (trade, order) must not lose half of it.
        mine[fill.order_id] = _joined(before, fill) if before else fill
    if _as_taker(row, me, maker=bool(mine)):
        order_id = text(row, "taker_order_id")
        taken = Fill(
            trade_id=trade_id,
            order_id=order_id,
            token_id=text(row, "asset_id"),
            side=side(row),
            price=price(row.get("price")),
            size=amount(row.get("size"), "size"),
            status=status,
            ts=ts,
            maker=False,
        )
        mine.setdefault(order_id, taken)
    elif not mine and row.get("trader_side") == "MAKER" and row.get("maker_orders") is None:
        raise BadAnswer("a trade that we were a maker of has no maker orders")  # it is ours, and nobody says how much
    return tuple(mine.values())


def _as_taker(row: Row, me: Me, *, maker: bool) -> bool:
    """Were we the taker? `trader_side` says so; else a trade that is ours without a maker leg of ours is."""
    match row.get("trader_side"):
        case "TAKER":
            return True
        case "MAKER":
            return False
        case _:
            return not maker and me.owns(row)


def _maker_side(leg: Row, trade: Row) -> Side:
    if leg.get("side"):
        return side(leg)
    # A maker of the same token stands on the other side; one of the opposite outcome (both buy, and a pair is made) on
    # the same.
    taker = side(trade)
    return _OTHER_SIDE[taker] if leg.get("asset_id") == trade.get("asset_id") else taker


def _joined(one: Fill, other: Fill) -> Fill:
    return Fill(
        trade_id=one.trade_id,
        order_id=one.order_id,
        token_id=one.token_id,
        side=one.side,
        price=one.price,
        size=one.size + other.size,
        status=one.status,
        ts=one.ts,
    )


def _trade_status(row: Row) -> TradeStatus:
    """MATCHED, MATCHED_NOT_BROADCASTED, MINED and RETRYING may all still fail, and so may what nobody has heard of."""
    match text(row, "status").upper().removeprefix("TRADE_STATUS_"):
        case "CONFIRMED":
            return TradeStatus.CONFIRMED
        case "FAILED":
            return TradeStatus.FAILED
        case _:
            return TradeStatus.PENDING


def balance(raw: bytes) -> Decimal:
    """`GET /balance-allowance`: pUSD or shares, from an integer of millionths.

    "250.500000" is refused: it would be either that or a millionth of it.
    """
    row = a_row(private(raw), "the balance")
    value = row.get("balance")
    units = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(units, str) or not _BASE_UNITS.fullmatch(units):
        raise BadAnswer(f"balance is {_kind(value)}, not a whole number of millionths")
    return Decimal(f"{int(units)}E-6")


def credentials(raw: bytes) -> ApiCredentials | None:
    """The API credentials of `/auth/derive-api-key` or `/auth/api-key`; None where there are none (null, empty)."""
    value = private(raw) if raw.strip() else None
    if not value:
        return None
    row = a_row(value, "the API credentials")
    if not row.get("apiKey"):
        return None
    try:
        return ApiCredentials(key=text(row, "apiKey"), secret=text(row, "secret"), passphrase=text(row, "passphrase"))
    except ValueError:
        raise BadAnswer("the API credentials have a secret that is not base64") from None
