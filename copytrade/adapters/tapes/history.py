"""The past of any wallet as a tape: its activity replayed into positions over time, and the prices of its tokens.

    activity   `GET /v2/activity` (cursor) or `GET /activity` (offset, newest first), of the Data-API
    prices     `GET /prices-history?market=TOKEN` of the CLOB: one price a minute, no books

    TRADE       a BUY adds its shares, a SELL takes them, at its price
    SPLIT       pUSD become both outcomes of a market: each gets the size, at 0.5
    MERGE       the reverse
    REDEEM      everything held of the market is gone; the outcome whose shares match the money was the winner
    CONVERSION  No shares of a neg-risk market become Yes shares of its sisters, which the row does not name: only what
                is taken away is replayed
    others      (rewards, rebates) move no shares

What cannot be replayed shows at the end: the positions that come out are compared with the wallet's positions today,
and every difference is reported, never mended. A sale of more than was there (the history does not reach back to its
purchase, or the shares came by transfer) leaves 0 and is counted.

Source: real/polyoxide-data-v2/activity.json, prices_history.json, real/nexiumito-polycopy/activity_sample.json; how
far v1's offset reaches is taken to be as for its positions (API.md) [?].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from attrs import define, field, frozen

from copytrade.adapters.data_api import identify
from copytrade.adapters.http import Http, decode
from copytrade.app.backtest.tape import Event, LeaderHeld, PriceSeen, Resolved, TokenListed
from copytrade.domain.amounts import equal
from copytrade.domain.model import ONE, ZERO, Positions, TokenId, TokenKey
from copytrade.errors import BadAnswer

V2_LIMIT = 1000
V1_LIMIT = 500
V1_LAST_OFFSET = 10_000
MOST_PAGES = 2000
HALF = Decimal("0.5")


@frozen(kw_only=True)
class Deed:
    """One row of a wallet's activity, of either version."""

    at: Decimal
    kind: str
    condition_id: str
    outcome_index: int | None  # None: the row is of the market as a whole
    token_id: TokenId | None
    side: str
    size: Decimal
    money: Decimal  # pUSD
    price: Decimal
    title: str


@frozen(kw_only=True)
class Difference:
    """A token of which the replay and the wallet's positions today do not agree."""

    token_key: TokenKey
    replayed: Decimal
    today: Decimal


@frozen(kw_only=True)
class Replayed:
    """A wallet's past: the records of its tape, and what of it remains open."""

    events: tuple[Event, ...]
    held: Mapping[TokenKey, Decimal]
    oversold: int  # sales of more than was there
    unknown: Mapping[str, int]  # rows that could not be replayed, by their kind


# -- reading it -------------------------------------------------------------------------------------------------------


async def read_activity(http: Http, wallet: str, *, version: int = 2, since: Decimal = ZERO) -> tuple[Deed, ...]:
    """Every deed of `wallet` since then that the service has, oldest first. Raises Unreachable or BadAnswer."""
    rows: list[Deed] = []
    if version == 2:
        params = [("user", wallet), ("limit", str(V2_LIMIT))]
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            raw = await http.read(
                "GET", "/v2/activity", params=params if cursor is None else [*params, ("cursor", cursor)]
            )
            page, cursor = parse_v2(raw)
            rows += page
            if cursor is None or (page and page[-1].at < since):
                break
        else:
            raise BadAnswer(f"the activity of {wallet} has no end after {MOST_PAGES} pages")
    else:
        for offset in range(0, V1_LAST_OFFSET + 1, V1_LIMIT):
            v1_params = [("user", wallet), ("limit", str(V1_LIMIT)), ("offset", str(offset))]
            page = parse_v1(await http.read("GET", "/activity", params=v1_params))
            rows += page
            if len(page) < V1_LIMIT or page[-1].at < since:
                break
    return tuple(sorted((row for row in rows if row.at >= since), key=lambda row: row.at))


def parse_v2(raw: bytes) -> tuple[list[Deed], str | None]:
    """The rows of one page of version 2, and the cursor of the next, None at the end. Raises BadAnswer."""
    match decode(raw):
        case {"data": list(rows), "pagination": {"has_more": bool(more), "next_cursor": cursor}}:
            if more and not (isinstance(cursor, str) and cursor):
                raise BadAnswer("a page of activity that has_more, and no next_cursor")
            return [_deed(row, _V2) for row in rows], cursor if more else None
        case _:
            raise BadAnswer("wanted an object with data and pagination")


def parse_v1(raw: bytes) -> list[Deed]:
    """The rows of one page of version 1. Raises BadAnswer."""
    rows = decode(raw)
    if not isinstance(rows, list):
        raise BadAnswer("wanted a list of activity")
    return [_deed(row, _V1) for row in rows]


_V2 = {
    "condition": "condition_id",
    "index": "outcome_index",
    "token": "token_id",
    "money": "usdc_size",
}
_V1 = {"condition": "conditionId", "index": "outcomeIndex", "token": "asset", "money": "usdcSize"}


def _deed(row: object, names: Mapping[str, str]) -> Deed:
    if not isinstance(row, dict):
        raise BadAnswer("a row of activity that is no object")
    condition_id = str(row.get(names["condition"]) or "").lower()
    token_id = row.get(names["token"]) or None
    index: int | None = None
    kind = str(row.get("type") or "").upper()
    if kind == "TRADE" or token_id is not None:
        index, proved = identify(condition_id, row.get(names["index"]), token_id)
        token_id = proved or token_id
    return Deed(
        at=_number(row, "timestamp"),
        kind=kind,
        condition_id=condition_id,
        outcome_index=index,
        token_id=token_id if isinstance(token_id, str) else None,
        side=str(row.get("side") or "").upper(),
        size=_number(row, "size"),
        money=_number(row, names["money"]),
        price=min(_number(row, "price"), ONE),
        title=str(row.get("title") or "")[:300],
    )


def _number(row: Mapping[str, Any], name: str) -> Decimal:
    value = row.get(name)
    if value is None:
        return ZERO
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
        raise BadAnswer(f"a row of activity whose {name} is {value!r}")
    return Decimal(value)


async def read_prices(http: Http, token_id: TokenId, start: Decimal, end: Decimal) -> list[tuple[Decimal, Decimal]]:
    """(time, price) of one token, one a minute, oldest first. Raises Unreachable or BadAnswer."""
    params = [("market", token_id), ("startTs", str(int(start))), ("endTs", str(int(end))), ("fidelity", "1")]
    return parse_prices(await http.read("GET", "/prices-history", params=params))


def parse_prices(raw: bytes) -> list[tuple[Decimal, Decimal]]:
    """Prices of the CLOB (`{"history": [{"t", "p"}]}`) or of the Data-API (`{"data": [{"timestamp", "price"}]}`)."""
    match decode(raw):
        case {"history": list(rows)}:
            names = ("t", "p")
        case {"data": list(rows)}:
            names = ("timestamp", "price")
        case _:
            raise BadAnswer("wanted an object with history")
    try:
        found = [(Decimal(row[names[0]]), Decimal(row[names[1]])) for row in rows]
    except (KeyError, TypeError, ArithmeticError, ValueError):
        raise BadAnswer("a price without time or price") from None
    if not all(at.is_finite() and price.is_finite() for at, price in found):
        raise BadAnswer("a price or its time that is not finite")
    return sorted((at, price) for at, price in found if ZERO <= price <= ONE)


# -- replaying it -----------------------------------------------------------------------------------------------------


@define
class _Wallet:
    """What the wallet holds while its deeds are replayed."""

    held: dict[TokenKey, Decimal] = field(factory=dict)
    avg: dict[TokenKey, Decimal] = field(factory=dict)
    oversold: int = 0

    def moved(self, at: Decimal, key: TokenKey, delta: Decimal, price: Decimal) -> LeaderHeld:
        before = self.held.get(key, ZERO)
        after = before + delta
        if after < 0:
            self.oversold += 1
            after = ZERO
        if delta > 0:
            self.avg[key] = ((before * self.avg.get(key, ZERO) + delta * price) / after).quantize(Decimal("0.000001"))
        self.held[key] = after
        return LeaderHeld(at=at, token_key=key, size=after, avg_price=self.avg.get(key, ZERO), price=price)


def replay(
    deeds: Sequence[Deed],
    prices: Mapping[TokenKey, Sequence[tuple[Decimal, Decimal]]],
    today: Positions,
    token_ids: Mapping[TokenKey, TokenId],
) -> Replayed:
    """The deeds as positions over time, with the prices between them. `token_ids` tells those that no deed names."""
    wallet = _Wallet()
    unknown: dict[str, int] = {}
    told = dict(token_ids)
    titles: dict[TokenKey, str] = {}
    moves: list[Event] = []
    for deed in deeds:
        if deed.outcome_index is not None and deed.token_id is not None:
            key = f"{deed.condition_id}:{deed.outcome_index}"
            told.setdefault(key, deed.token_id)
            titles.setdefault(key, deed.title)
        new = list(_done(wallet, deed))
        if not new and deed.size > 0 and deed.kind in ("CONVERSION", "TRADE", "SPLIT", "MERGE"):
            unknown[deed.kind] = unknown.get(deed.kind, 0) + 1
        moves += new
    for position in today.positions:
        if position.token_id is not None:
            told.setdefault(position.token_key, position.token_id)
        titles.setdefault(position.token_key, position.title)
    seen = [PriceSeen(at=at, token_key=key, price=price) for key, rows in prices.items() for at, price in rows]
    events: list[Event] = sorted([*moves, *seen], key=lambda event: (event.at, not isinstance(event, PriceSeen)))
    known = [event for event in events if getattr(event, "token_key", None) in told]
    start = known[0].at if known else ZERO
    keys = dict.fromkeys(event.token_key for event in known)  # type: ignore[union-attr]  # none of them is a Beat
    listed: list[Event] = [
        TokenListed(at=start, token_key=key, token_id=told[key], title=titles.get(key, "")) for key in keys
    ]
    return Replayed(
        events=(*listed, *known),
        held={key: size for key, size in wallet.held.items() if size > 0},
        oversold=wallet.oversold,
        unknown={**unknown, **({"without a token id": len(events) - len(known)} if len(events) > len(known) else {})},
    )


def _done(wallet: _Wallet, deed: Deed) -> Iterator[Event]:
    at, market = deed.at, deed.condition_id
    both = (f"{market}:0", f"{market}:1")
    match deed.kind:
        case "TRADE" if deed.outcome_index is not None and deed.side in ("BUY", "SELL"):
            key = f"{market}:{deed.outcome_index}"
            if ZERO < deed.price < ONE:
                yield PriceSeen(at=at, token_key=key, price=deed.price)
            yield wallet.moved(at, key, deed.size if deed.side == "BUY" else -deed.size, deed.price)
        case "SPLIT":
            for key in both:
                yield wallet.moved(at, key, deed.size, HALF)
        case "MERGE":
            for key in both:
                yield wallet.moved(at, key, -deed.size, HALF)
        case "CONVERSION":
            yield wallet.moved(at, both[1], -deed.size, HALF)
        case "REDEEM":
            yield from _redeemed(wallet, deed, both)
        case _:
            return


def _redeemed(wallet: _Wallet, deed: Deed, both: tuple[TokenKey, TokenKey]) -> Iterator[Event]:
    held = [wallet.held.get(key, ZERO) for key in both]
    paid = deed.money if deed.money > 0 else ZERO
    fits = [equal(size, paid) and size > 0 for size in held]
    payouts: tuple[Decimal | None, Decimal | None] = (None, None)
    if fits.count(True) == 1:
        payouts = (ONE, ZERO) if fits[0] else (ZERO, ONE)
    elif paid == 0 and sum(1 for size in held if size > 0) == 1:
        payouts = (ZERO, ONE) if held[0] > 0 else (ONE, ZERO)
    for key, size, payout in zip(both, held, payouts, strict=True):
        if size > 0:
            yield Resolved(at=deed.at, token_key=key, payout=payout)
            yield wallet.moved(deed.at, key, -size, payout if payout is not None else HALF)


def differences(held: Mapping[TokenKey, Decimal], today: Positions) -> tuple[Difference, ...]:
    """Where the replay and the positions of today do not agree, by more than a cent of a share."""
    there = {row.token_key: row.size for row in today.positions}
    return tuple(
        Difference(token_key=key, replayed=held.get(key, ZERO), today=there.get(key, ZERO))
        for key in sorted(held.keys() | there.keys())
        if not equal(held.get(key, ZERO), there.get(key, ZERO))
    )


def notes_of(found: Replayed, differing: Iterable[Difference]) -> list[str]:
    """What a result has to say of such a tape."""
    differing = tuple(differing)
    notes = ["the tape has prices and no books; the leader's trades are replayed from his activity"]
    if found.oversold:
        notes.append(f"{found.oversold} sales of more shares than the replay held: what came before is not known")
    notes += [f"{count} rows could not be replayed: {kind}" for kind, count in sorted(found.unknown.items())]
    if differing:
        notes.append(f"the replay ends differently from the wallet's positions today for {len(differing)} tokens")
    else:
        notes.append("the replay ends at the wallet's positions of today")
    return notes
