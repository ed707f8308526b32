"""The open positions of any wallet, from the Data-API: page by page, row by row, and never more sure than the answer.

What a decision may be built on is a *complete* answer. So, whatever the service does:

    nothing usable on the first page                        => ok=False
    a later page that fails, or the time for all is up      => incomplete
    a row that does not parse, or cannot be keyed           => incomplete, the other rows stay
    the same token_key twice (the list moved under us)      => incomplete
    a cursor that repeats, pages without an end             => incomplete
    a row that is merely odd (zero size, no title, no id)   => is a row

Version 2 is walked by cursor, and `has_more: false` alone is its end: a short or an empty page is not. Version 1 is
walked by offset until a page comes back shorter than the limit; a full page at the offset cap is no end. Where version
2 is not served when the run begins, version 1 is used for the rest of it; a service in trouble (5xx, a time-out) is
still the same service.

Which outcome a row is of is proved by its token id where it can be: a CTF id is a function of its market and its
outcome, a V2 position id carries its outcome in its last byte. An `outcome_index` outside the market's outcomes (fresh
rows say 999) gives way to that proof. An index that could be right and an id that proves another one contradict each
other: such a row is not keyed. An id that proves nothing is not handed on, so that it can never be signed.

Not here: which id a market *should* have (resolver.py).
Source: API.md "Data-API: positions", real/polyoxide-data-v2, real/polymarket-py-sdk-data-v2, real/nexiumito-polycopy.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from typing import Final

import structlog
from attrs import field, frozen

from copytrade.adapters.http import Bucket, Http, StatusError, decode
from copytrade.adapters.token_ids import ctf_candidates
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import Position, Positions, TokenId, TokenKey
from copytrade.errors import BadAnswer, VenueError

BUCKETS: Final = (
    Bucket.window("GET", "/v2/", requests=200, seconds=10),
    Bucket.window("GET", "/positions", requests=150, seconds=10),
)

_V2_LIMIT: Final = 1000
_V2_PAGES: Final = 50  # 50,000 positions; a walk that goes on is one without an end
_V1_LIMIT: Final = 500
_V1_LAST_OFFSET: Final = 10_000
_NOT_SERVED: Final = frozenset({404, 410, 501})

_CONDITION: Final = re.compile(r"0x[0-9a-f]{1,64}")
_POSITION_CONDITION_LENGTH: Final = 2 + 62  # "0x" and the upper 31 bytes of a V2 position id
_OUTCOMES: Final = 256  # of a market at most
_ORDINARY_OUTCOMES: Final = 2  # of the markets that the exchange lists
_OUTCOMES_SEARCHED: Final = 8  # where the index is not to be trusted
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DIGITS: Final = 40  # more than any amount has, and few enough to reckon with
_PLAINLY_SPELT: Final = 20  # characters without an exponent: neither too large nor too fine
_TEXT_LENGTH: Final = 300

log = structlog.get_logger(__name__)


class DataApi:
    """The `PositionsFeed` over the Data-API at `http`.

    `size_threshold` (shares) leaves small rows out at the service, but never those of `my_address`: a holding that we
    do not see would be bought again. `walk_total_sec` bounds all pages of one answer together.
    """

    def __init__(
        self,
        http: Http,
        *,
        version: int = 2,
        size_threshold: Decimal = Decimal(0),
        my_address: str = "",
        walk_total_sec: float = 60.0,
    ) -> None:
        assert version in (1, 2), version
        self.version = version  # the one in use
        self._served = False  # version 2 has answered in this run
        self._http = http
        self._size_threshold = size_threshold
        self._my_address = my_address.lower()
        self._walk_total_sec = walk_total_sec

    async def positions(self, wallet: str) -> Positions:
        """Every open position of `wallet`, dust, redeemable, archived and zero-size rows included. Raises nothing."""
        wallet = wallet.lower()
        walk = _Walk()
        try:
            async with asyncio.timeout(self._walk_total_sec):
                await self._walk(wallet, walk)
        except TimeoutError:
            walk.faults.append(f"the pages took longer than {self._walk_total_sec:g} s")
        except VenueError as error:
            walk.faults.append(str(error))
        if walk.faults:
            # The first few tell it; a page of a thousand bad rows is not a thousand lines of a log.
            said = walk.faults[:3]
            log.warning("positions are not complete", wallet=wallet, faults=len(walk.faults), first=said)
        return walk.answer()

    async def served_lag(self) -> Decimal | None:
        """How many seconds the service says that its answers lag behind the chain; None where it does not say."""
        if self.version == 1:
            return None
        try:
            return parse_status(await self._http.read("GET", "/v2/status"))
        except VenueError:
            return None

    async def has_traded(self, wallet: str) -> bool:
        """Has this wallet ever done anything that the service knows of? Raises Unreachable or BadAnswer."""
        path = "/v2/activity" if self.version == 2 else "/activity"
        raw = await self._http.read("GET", path, params=[("user", wallet.lower()), ("limit", "1")])
        return bool((parse_v2_page if self.version == 2 else parse_v1_page)(raw).rows)

    async def _walk(self, wallet: str, walk: _Walk) -> None:
        """Read every page into `walk`. Raises VenueError for the page that failed."""
        if self.version == 2:
            try:
                return await self._walk_v2(wallet, walk)
            except _NotServed as error:
                self.version = 1
                log.warning(
                    "data-api version 2 is not served, using version 1 for the rest of this run", why=str(error)
                )
        return await self._walk_v1(wallet, walk)

    async def _walk_v2(self, wallet: str, walk: _Walk) -> None:
        params = [
            ("user", wallet),
            ("status", "OPEN"),
            ("limit", str(_V2_LIMIT)),
            ("filter_type", "TOKENS"),  # or rows below 0.1 share are left out
            ("filter_amount", self._threshold(wallet)),
            ("include_archived", "true"),
        ]
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(_V2_PAGES):
            page = await self._page_v2(params if cursor is None else [*params, ("cursor", cursor)])
            self._served = True
            walk.take(page, _V2)
            if page.has_more is False:
                return
            if page.has_more is None:
                raise BadAnswer("a page that does not say whether it has_more")
            if page.cursor is None or page.cursor in seen:
                raise BadAnswer("a page that has_more, and a next_cursor that is missing or was there before")
            cursor = page.cursor
            seen.add(cursor)
        raise BadAnswer(f"no end after {_V2_PAGES} pages")

    async def _page_v2(self, params: list[tuple[str, str]]) -> Page:
        try:
            raw = await self._http.read("GET", "/v2/positions", params=params)
            return parse_v2_page(raw)
        except StatusError as error:
            if error.status in _NOT_SERVED and not self._served:
                raise _NotServed(str(error)) from error
            raise
        except _OtherShape as error:
            if not self._served:
                raise _NotServed(str(error)) from error
            raise

    async def _walk_v1(self, wallet: str, walk: _Walk) -> None:
        params = [("user", wallet), ("sizeThreshold", self._threshold(wallet)), ("includeArchived", "true")]
        for offset in range(0, _V1_LAST_OFFSET + 1, _V1_LIMIT):
            at = [("limit", str(_V1_LIMIT)), ("offset", str(offset))]
            page = parse_v1_page(await self._http.read("GET", "/positions", params=[*params, *at]))
            walk.take(page, _V1)
            if len(page.rows) < _V1_LIMIT:
                return
        raise BadAnswer(f"a full page at offset {_V1_LAST_OFFSET}, the last that there is")

    def _threshold(self, wallet: str) -> str:
        return "0" if wallet == self._my_address else format(self._size_threshold, "f")


# -- pages ------------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Page:
    """One page: its rows as they came, and what it says of the next one (version 2)."""

    rows: tuple[object, ...] = ()
    has_more: bool | None = None  # None: it does not say
    cursor: str | None = None


class _OtherShape(BadAnswer):
    """A good JSON answer in the form of another version."""


class _NotServed(Exception):
    """Version 2 is not there."""


def parse_v2_page(raw: bytes) -> Page:
    """Read `{"data": [rows], "pagination": {"has_more", "next_cursor", …}}`. Raises BadAnswer."""
    document = decode(raw)
    match document:
        case {"data": list(rows)}:
            pagination = document.get("pagination")
            pagination = pagination if isinstance(pagination, dict) else {}
            has_more, cursor = pagination.get("has_more"), pagination.get("next_cursor")
            return Page(
                rows=tuple(rows),
                has_more=has_more if isinstance(has_more, bool) else None,
                cursor=cursor if isinstance(cursor, str) and cursor else None,
            )
        case {"data": _} | {"error": _}:  # version 2 in trouble, which is not another version
            raise BadAnswer("wanted a list of rows under data")
        case dict() | list():
            raise _OtherShape("wanted an object with data and pagination")
        case _:
            raise BadAnswer("wanted an object with data and pagination")


def parse_v1_page(raw: bytes) -> Page:
    """Read a bare array of rows. Raises BadAnswer."""
    document = decode(raw)
    if not isinstance(document, list):
        raise BadAnswer("wanted a list of rows")
    return Page(rows=tuple(document))


def parse_status(raw: bytes) -> Decimal | None:
    """Read the served lag in seconds from `GET /v2/status`; None where it has none. Raises BadAnswer."""
    match decode(raw):
        case {"data": {"serving": {"lag_seconds": lag}}}:
            return _amount(lag)
        case _:
            return None


class _Walk:
    """What was gathered from the pages of one answer, and everything that was wrong with it."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._found: dict[TokenKey, Position] = {}
        self._rows = 0
        self._pages = 0

    def take(self, page: Page, names: Names) -> None:
        for number, row in enumerate(page.rows, self._rows):
            try:
                position = parse_row(row, names)
            except BadAnswer as error:
                self.faults.append(f"row {number}: {error}")
                continue
            if self._found.setdefault(position.token_key, position) is not position:
                self.faults.append(f"row {number}: {position.token_key} twice, the list moved while it was read")
        self._rows += len(page.rows)
        self._pages += 1

    def answer(self) -> Positions:
        ok = self._pages > 0 and (self._rows == 0 or bool(self._found))
        return Positions(ok=ok, incomplete=ok and bool(self.faults), positions=tuple(self._found.values()))


# -- rows -------------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Names:
    """What the fields of a row are called."""

    condition_id: str
    outcome_index: str
    token_id: str
    size: str
    avg_price: str
    current_price: str
    end_date: str
    title: str = field(default="title")
    slug: str = field(default="slug")


_V2: Final = Names(
    condition_id="condition_id",
    outcome_index="outcome_index",
    token_id="token_id",
    size="current_size",
    avg_price="avg_price",
    current_price="current_price",
    end_date="end_date",
)
_V1: Final = Names(
    condition_id="conditionId",
    outcome_index="outcomeIndex",
    token_id="asset",
    size="size",
    avg_price="avgPrice",
    current_price="curPrice",
    end_date="endDate",
)


def parse_row(row: object, names: Names) -> Position:
    """Read one row. What is merely odd is left at "unknown".

    Raises BadAnswer where there is no condition id, no size that makes sense, or no telling which outcome it is.
    """
    if not isinstance(row, dict):
        raise BadAnswer("not an object")
    condition_id = row.get(names.condition_id)
    condition_id = condition_id.lower() if isinstance(condition_id, str) else ""
    if not _CONDITION.fullmatch(condition_id):
        raise BadAnswer("no condition id")
    size = _amount(row.get(names.size))
    if size is None:
        raise BadAnswer(f"{condition_id}: a size that is no finite, not negative number")
    outcome_index, token_id = identify(condition_id, row.get(names.outcome_index), row.get(names.token_id))
    current_price = _amount(row.get(names.current_price))
    return Position(
        token_key=f"{condition_id}:{outcome_index}",
        condition_id=condition_id,
        outcome_index=outcome_index,
        size=size,
        avg_price=_amount(row.get(names.avg_price)) or Decimal(0),
        token_id=token_id,
        current_price=current_price if current_price is not None and current_price <= 1 else Decimal(0),
        redeemable=row.get("redeemable") is True or row.get("status") == "REDEEMABLE",
        slug=_text(row.get(names.slug)),
        title=_text(row.get(names.title)),
        end_date=_text(row.get(names.end_date)),
    )


def identify(condition_id: str, said: object, token_id: object) -> tuple[int, TokenId | None]:
    """Which outcome of the market a row is of, and its token id if that is proved to be this outcome's.

    Raises BadAnswer where that cannot be told: no usable index and no id that proves one, or an index and an id that
    contradict each other.

    >>> identify("0xc1", 1, "0xff")
    (1, None)
    >>> identify("0xc1", 999, "456322662693127080402085893806415780684933579476723864069977356327020658689")
    (1, '456322662693127080402085893806415780684933579476723864069977356327020658689')
    >>> identify("0xc1", 0, "456322662693127080402085893806415780684933579476723864069977356327020658689")
    Traceback (most recent call last):
    copytrade.errors.BadAnswer: 0xc1: outcome_index 0, but its token id is that of outcome 1
    """
    index = said if type(said) is int and 0 <= said < _OUTCOMES else None
    proved = _outcome_of(condition_id, token_id, index) if isinstance(token_id, str) else None
    if proved is None:
        if index is None:
            raise BadAnswer(f"{condition_id}: no usable outcome_index, and no token id that tells it")
        return index, None
    assert isinstance(token_id, str)
    if index is not None and index != proved and index < _ORDINARY_OUTCOMES:
        raise BadAnswer(f"{condition_id}: outcome_index {index}, but its token id is that of outcome {proved}")
    return proved, token_id


def _outcome_of(condition_id: str, token_id: TokenId, likely: int | None) -> int | None:
    """The outcome that this token id is of, if it is one of this market's at all. `likely` is looked at first."""
    kind = kind_of(token_id)
    if kind is IdKind.MALFORMED:
        return None
    if kind is not IdKind.CTF:
        number = int(token_id)
        # A short condition id is the beginning of its position ids; a long one does not tell.
        if len(condition_id) == _POSITION_CONDITION_LENGTH and number >> 8 != int(condition_id, 16):
            return None
        return number & 0xFF
    for index in chain(() if likely is None else (likely,), range(_OUTCOMES_SEARCHED)):
        if token_id in _candidates(condition_id, index):
            return index
    return None


@lru_cache(maxsize=65536)  # pure, 0.3 ms, and asked for every row in every cycle
def _candidates(condition_id: str, outcome_index: int) -> tuple[str, ...]:
    try:
        return ctf_candidates(condition_id, outcome_index)
    except ValueError:  # not a condition id of a protocol-V1 market
        return ()


def _amount(value: object) -> Decimal | None:
    """A finite number that is not negative and has no more digits than money has; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    if isinstance(value, str) and not (len(value) <= _DIGITS and _NUMBER.fullmatch(value)):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite() or number < 0:
        return None
    if not number:
        return Decimal(0)
    spelt = str(number)
    if len(spelt) <= _PLAINLY_SPELT and "E" not in spelt:  # nearly all; what follows takes five times as long
        return number
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # a finite one
    return number if exponent >= -_DIGITS and number.adjusted() < _DIGITS // 2 else None


def _text(value: object) -> str:
    """A text for people: of one line, and not longer than a line of theirs."""
    if not isinstance(value, str):
        return ""
    value = value[:_TEXT_LENGTH]
    return value if value.isprintable() else "".join(_printable(value))


def _printable(value: str) -> Iterator[str]:
    return (letter for letter in value if letter.isprintable())
