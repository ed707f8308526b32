"""What each endpoint answers: requests in, engine asked, shapes out. One function an endpoint, one table a host.

Handlers raise `Denied` for a refusal of the whole request; they know nothing of HTTP servers, latency and faults.
Source: API.md; pages and their ends are where the services differ most, so each has a function of its own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from attrs import field, frozen

from copytrade.adapters.simulated import feed, shapes
from copytrade.adapters.simulated.auth import BAD_PAYLOAD, Caller, Denied, l1, l2, read_leg, wallet_of
from copytrade.adapters.simulated.faults import Endpoint
from copytrade.adapters.simulated.records import Posted, Wallet
from copytrade.adapters.simulated.rules import GONE, MAX_BATCH
from copytrade.adapters.simulated.world import World

FIRST_PAGE: Final = "MA=="
LAST_PAGE: Final = "LTE="
PAGE_ROWS: Final = 500
V2_MOST, V2_DEFAULT, V2_DUST = 1000, 100, Decimal("0.1")
V1_MOST, V1_DEFAULT, V1_LAST_OFFSET = 500, 100, 10_000
GAMMA_MOST, GAMMA_DEFAULT, GAMMA_IDS = 500, 20, 100
BOOKS_MOST: Final = 500
TOO_MANY: Final = "Too Many Requests"
ENDLESS: Final = "endless-"  # begins the cursors of a walk that has no end (spoiling.py)


@frozen(kw_only=True)
class Ask:
    """One request, read."""

    endpoint: Endpoint
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = b""
    params: Mapping[str, str] = field(factory=dict)
    one_row_pages: bool = False

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.query if name == key]

    def one(self, key: str) -> str | None:
        return next(iter(self.all(key)), None)

    def number(self, key: str, default: int) -> int:
        value = self.one(key) or str(default)
        if not value.isdecimal():
            raise Denied(400, f"invalid {key}")
        return int(value)

    def flag(self, key: str) -> bool:
        return self.one(key) == "true"

    @property
    def items(self) -> int:
        """How many orders, ids or tokens the body holds."""
        try:
            content = msgspec.json.decode(self.body) if self.body else None
        except msgspec.DecodeError:
            content = None
        return len(content) if isinstance(content, list) else 1


@frozen(kw_only=True)
class Answer:
    """One answer: `content` becomes JSON."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)


Handler = Callable[[World, Ask], Answer]
Routes = Mapping[Endpoint, Handler]


# -- Data-API ---------------------------------------------------------------------------------------------------------


def data_status(world: World, _: Ask) -> Answer:
    if not world.serves_v2:
        return Answer(status=404, content={"error": "Not Found"})
    lag = max((each.lag_sec for each in world.feeds.values()), default=Decimal(0))
    return Answer(content=shapes.status(world.exchange.now, lag))


def positions_v2(world: World, ask: Ask) -> Answer:
    """Pages by cursor; rows below 0.1 share and archived markets are left out unless they are asked for."""
    if not world.serves_v2:
        return Answer(status=404, content={"error": "Not Found"})
    user = (ask.one("user") or "").lower()
    if not user:
        return _v2_error("user is required")
    if ask.one("offset") is not None:
        return _v2_error("offset is not supported, use cursor")
    limit = ask.number("limit", V2_DEFAULT)
    if not 1 <= limit <= V2_MOST:
        return _v2_error(f"limit must be between 1 and {V2_MOST}")
    offset = _offset(ask.one("cursor"), user)
    if offset is None:
        return _v2_error("invalid cursor")
    dust = _amount(ask.one("filter_amount") or ask.one("size_threshold"), V2_DUST)
    listed = _listed(world, user, dust, shapes.position_v2, archived=ask.flag("include_archived"))
    step = 1 if ask.one_row_pages else limit
    page = listed[offset : offset + step]
    after = offset + step
    cursor = _cursor(user, after) if after < len(listed) else None
    return Answer(content=shapes.page_v2(page, limit=limit, offset=offset, next_cursor=cursor))


def positions_v1(world: World, ask: Ask) -> Answer:
    """A bare array, pages by offset; sizes below `sizeThreshold` (1 by default) are left out."""
    user = (ask.one("user") or "").lower()
    limit = min(ask.number("limit", V1_DEFAULT), V1_MOST)
    offset = ask.number("offset", 0)
    if not user:
        raise Denied(400, "required query param 'user' not provided")
    if offset > V1_LAST_OFFSET:
        raise Denied(400, f"max offset of {V1_LAST_OFFSET} exceeded")
    dust = _amount(ask.one("sizeThreshold"), Decimal(1))
    listed = _listed(world, user, dust, shapes.position_v1, archived=ask.flag("includeArchived"))
    return Answer(content=listed[offset : offset + (1 if ask.one_row_pages else limit)])


def _listed(
    world: World, user: str, dust: Decimal, shape: Callable[[feed.Row], shapes.Json], *, archived: bool
) -> list[Mapping[str, object]]:
    """All rows of a wallet that pass the filters, in their shape; or the raw rows that it was given."""
    how = world.feed(user)
    if how.raw is not None:
        return list(how.raw)
    wallet = world.exchange.wallets.get(user)
    rows = feed.rows(world.exchange, wallet, how) if wallet is not None else []
    return [shape(row) for row in rows if row.size >= dust and (archived or not row.market.archived)]


def activity_v2(world: World, ask: Ask) -> Answer:
    """The latest rows first, on one page."""
    if not world.serves_v2:
        return Answer(status=404, content={"error": "Not Found"})
    limit = min(ask.number("limit", V2_DEFAULT), V2_MOST)
    return Answer(content=shapes.page_v2(_deeds(world, ask, v2=True)[:limit], limit=limit, offset=0, next_cursor=None))


def activity_v1(world: World, ask: Ask) -> Answer:
    limit, offset = min(ask.number("limit", V1_DEFAULT), V1_MOST), ask.number("offset", 0)
    return Answer(content=_deeds(world, ask, v2=False)[offset : offset + limit])


def _deeds(world: World, ask: Ask, *, v2: bool) -> list[shapes.Json]:
    wallet = world.exchange.wallets.get((ask.one("user") or "").lower())
    found = []
    for token_id, entries in wallet.history.items() if wallet is not None else ():
        if (known := world.exchange.market_of(token_id)) is not None:
            found += [(each.ts, shapes.activity(each, *known, wallet.address, v2=v2)) for each in entries]  # type: ignore[union-attr]  # there is one where there are entries
    return [shape for _, shape in sorted(found, key=lambda pair: -pair[0])]


def _amount(value: str | None, default: Decimal) -> Decimal:
    try:
        amount = default if value is None else Decimal(value)
    except InvalidOperation:
        raise Denied(400, "invalid filter amount") from None
    return amount


def _v2_error(words: str) -> Answer:
    return Answer(status=400, content=shapes.error_v2(words, "BAD_REQUEST", retryable=False))


def _cursor(user: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{user}|{offset}".encode()).decode()


def _offset(cursor: str | None, user: str) -> int | None:
    """Where a cursor points; None for one that is no cursor, or another wallet's."""
    if cursor is None:
        return 0
    if cursor.startswith(ENDLESS):
        return 1_000_000_000
    try:
        owner, _, offset = base64.urlsafe_b64decode(cursor).decode().partition("|")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return int(offset) if owner == user and offset.isdecimal() else None


# -- Gamma ------------------------------------------------------------------------------------------------------------


def gamma_markets(world: World, ask: Ask) -> Answer:
    """Markets by condition id; closed ones only with `closed=true` (and then only these)."""
    wanted = [condition.lower() for condition in ask.all("condition_ids")]
    if len(wanted) > GAMMA_IDS:
        return Answer(status=422, content={"type": "validation error", "error": "too many condition_ids"})
    limit = min(ask.number("limit", GAMMA_DEFAULT), GAMMA_MOST)
    closed = ask.flag("closed")
    markets = world.exchange.markets
    chosen = [markets[each] for each in dict.fromkeys(wanted) if each in markets] if wanted else list(markets.values())
    shown = [market for market in chosen if market.listed and market.closed == closed]
    return Answer(content=[shapes.gamma_market(market, world.exchange) for market in shown[:limit]])


# -- the site ---------------------------------------------------------------------------------------------------------


def geoblock(world: World, _: Ask) -> Answer:
    """Whether orders are taken from here, and where "here" is thought to be."""
    return Answer(content={"blocked": world.blocked, "ip": "127.0.0.1", "country": world.country, "region": ""})


# -- CLOB: public -----------------------------------------------------------------------------------------------------


def time(world: World, _: Ask) -> Answer:
    return Answer(content=int(world.exchange.now))


def version(world: World, _: Ask) -> Answer:
    return Answer(content={"version": world.clob_version})


def book(world: World, ask: Ask) -> Answer:
    found = shapes.book(world.exchange, ask.one("token_id") or "")
    if found is None:
        raise Denied(404, "No orderbook exists for the requested token id")
    return Answer(content=found)


def books(world: World, ask: Ask) -> Answer:
    """Many books; a token without one is left out."""
    wanted = _json(ask, "Invalid payload")
    if not isinstance(wanted, list) or not all(isinstance(each, dict) and "token_id" in each for each in wanted):
        raise Denied(400, "Invalid payload")
    if len(wanted) > BOOKS_MOST:
        raise Denied(400, "Payload exceeds the limit")
    found = (shapes.book(world.exchange, str(each["token_id"])) for each in wanted)
    return Answer(content=[each for each in found if each is not None])


def market(world: World, ask: Ask) -> Answer:
    found = world.exchange.markets.get(ask.params["condition_id"].lower())
    if found is None:
        raise Denied(404, "market not found")
    return Answer(content=shapes.clob_market(found, world.exchange))


# -- CLOB: keys -------------------------------------------------------------------------------------------------------


def create_key(world: World, ask: Ask) -> Answer:
    """The first key of an address; a second one is refused, as ours keep the default nonce."""
    address = l1(ask.headers)
    if address in world.made_keys:
        raise Denied(400, "Could not create api key")
    world.made_keys.add(address)
    return _credentials(world, address)


def derive_key(world: World, ask: Ask) -> Answer:
    address = l1(ask.headers)
    if address not in world.made_keys:
        raise Denied(400, "Could not derive api key!")
    return _credentials(world, address)


def _credentials(world: World, address: str) -> Answer:
    made = world.credentials(address)
    return Answer(content={"apiKey": made.key, "secret": made.secret, "passphrase": made.passphrase})


# -- CLOB: our account ------------------------------------------------------------------------------------------------


def _caller(world: World, ask: Ask) -> Caller:
    return l2(world, ask.headers, method=ask.method, path=ask.path, body=ask.body.decode("utf-8", "replace"))


def _wallets(world: World, caller: Caller) -> list[Wallet]:
    return [wallet for wallet in world.exchange.wallets.values() if wallet.signer == caller.address]


def post_orders(world: World, ask: Ask) -> Answer:
    caller = _caller(world, ask)
    legs = _json(ask, BAD_PAYLOAD)
    if not isinstance(legs, list) or not legs:
        raise Denied(400, BAD_PAYLOAD)
    if len(legs) > MAX_BATCH:
        raise Denied(400, f"Too many orders in payload: {len(legs)}, max allowed: {MAX_BATCH}")
    return _posted(world, caller, legs, lambda answers: [shapes.posted(each) for each in answers])


def post_order(world: World, ask: Ask) -> Answer:
    """A single order that is refused is HTTP 400, unlike a leg of a batch."""
    caller = _caller(world, ask)

    def content(answers: list[Posted]) -> object:
        if not answers[0].accepted:
            raise Denied(400, answers[0].error)
        return shapes.posted(answers[0])

    return _posted(world, caller, [_json(ask, BAD_PAYLOAD)], content)


def _posted(world: World, caller: Caller, legs: list[Any], content: Callable[[list[Posted]], object]) -> Answer:
    _pass_gate(world, cancels=False)
    if not world.exchange.spend_orders(caller.address, len(legs)):
        return _too_many(world, caller, "orders", len(legs))
    asked = [read_leg(world, caller, leg) for leg in legs]  # all of them, before any has an effect
    answers = [
        Posted(order_id="", error=each) if isinstance(each, str) else world.exchange.post(each) for each in asked
    ]
    return Answer(content=content(answers), headers=_limit_headers(world, caller, "orders"))


def cancel_orders(world: World, ask: Ask) -> Answer:
    caller = _caller(world, ask)
    ids = _json(ask, BAD_PAYLOAD)
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise Denied(400, BAD_PAYLOAD)
    return _canceled(world, caller, ids)


def cancel_order(world: World, ask: Ask) -> Answer:
    caller = _caller(world, ask)
    content = _json(ask, BAD_PAYLOAD)
    order_id = content.get("orderID") if isinstance(content, dict) else None
    if not isinstance(order_id, str):
        raise Denied(400, BAD_PAYLOAD)
    return _canceled(world, caller, [order_id])


def _canceled(world: World, caller: Caller, ids: list[str]) -> Answer:
    _pass_gate(world, cancels=True)
    if not world.exchange.spend_cancels(caller.address, len(ids)):
        return _too_many(world, caller, "cancels", len(ids))
    canceled: list[str] = []
    failed: dict[str, str] = dict.fromkeys(ids, GONE)
    for wallet in _wallets(world, caller):
        done, failed = world.exchange.cancel(wallet.address, failed)
        canceled += done
    content = {"canceled": canceled, "not_canceled": failed}
    return Answer(content=content, headers=_limit_headers(world, caller, "cancels"))


def open_orders(world: World, ask: Ask) -> Answer:
    caller = _caller(world, ask)
    found = [each for wallet in _wallets(world, caller) for each in world.exchange.open_orders(wallet.address)]
    wanted = {"id": "order_id", "asset_id": "token_id"}
    for key, name in wanted.items():
        if (value := ask.one(key)) is not None:
            found = [each for each in found if getattr(each, name) == value]
    rows = [shapes.order(each, world.exchange, prefixed=world.prefixes) for each in found]
    return _page(rows, ask)


def order(world: World, ask: Ask) -> Answer:
    caller = _caller(world, ask)
    found = world.exchange.find_order(ask.params["order_id"])
    if found is None or found.wallet not in {wallet.address for wallet in _wallets(world, caller)}:
        if world.null_look_ups:
            return Answer(content=None)
        raise Denied(404, "order not found")
    return Answer(content=shapes.order(found, world.exchange, prefixed=world.prefixes))


def trades(world: World, ask: Ask) -> Answer:
    """Newest first, within [after, before], of all wallets of the key."""
    caller = _caller(world, ask)
    after, before = Decimal(ask.number("after", 0)), Decimal(ask.number("before", 10**12))
    keys = {wallet.address: world.credentials(wallet.signer).key for wallet in world.exchange.wallets.values()}
    rows = []
    for wallet in _wallets(world, caller):
        for each in world.exchange.trades_of(wallet.address, after):
            if each.match_time <= before and ask.one("asset_id") in (None, each.token_id):
                row = shapes.trade(each, wallet.address, world.exchange, prefixed=world.prefixes, key_of=keys)
                rows.append(row)
    return _page([row for row in rows if ask.one("id") in (None, row["id"])], ask)


def balance(world: World, ask: Ask) -> Answer:
    wallet, token_id = _asset(world, ask)
    held = world.exchange.balance(wallet.address, token_id)
    return Answer(content=shapes.balance(held, token_id, wallet.unapproved))


def refresh(world: World, ask: Ask) -> Answer:
    wallet, token_id = _asset(world, ask)
    world.exchange.refresh_balance(wallet.address, token_id)
    return Answer(content={})


def tier(world: World, ask: Ask) -> Answer:
    _caller(world, ask)
    return Answer(content={"tier": "Standard"})


def closed_only(world: World, ask: Ask) -> Answer:
    """Whether the account may only close positions. How a banned one is answered is not documented; as elsewhere."""
    wallets = _wallets(world, _caller(world, ask))
    if banned := [wallet for wallet in wallets if wallet.banned]:
        raise Denied(400, f"'{banned[0].address}' address banned")
    return Answer(content={"closed_only": any(wallet.closed_only for wallet in wallets)})


def _asset(world: World, ask: Ask) -> tuple[Wallet, str]:
    caller = _caller(world, ask)
    kind = ask.one("asset_type")
    token_id = ask.one("token_id") or ""
    if kind not in ("COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2") or (kind == "COLLATERAL") != (not token_id):
        raise Denied(400, "Invalid asset type")
    if token_id and (kind == "CONDITIONAL-V2") != shapes.is_v2(token_id):
        raise Denied(400, "Invalid asset type")
    signature_type = ask.one("signature_type")
    if signature_type is not None and signature_type not in ("0", "1", "2", "3"):
        raise Denied(400, "Invalid signature_type")
    wallet = wallet_of(world, caller, None if signature_type is None else int(signature_type))
    if wallet is None:
        raise Denied(400, "Invalid signature_type")
    return wallet, token_id


def _pass_gate(world: World, *, cancels: bool) -> None:
    stopped = world.exchange.gate(cancels=cancels)
    if stopped is not None:
        raise Denied(*stopped)


def _limit_headers(world: World, caller: Caller, kind: str) -> dict[str, str]:
    bucket = world.exchange.bucket(caller.address, kind)
    return {
        "Poly-RateLimit-Remaining": str(int(bucket.level)),
        "Poly-RateLimit-Reset": str(int(world.exchange.now)),
        "Poly-RateLimit-Tier": "Standard",
    }


def _too_many(world: World, caller: Caller, kind: str, cost: int) -> Answer:
    """429; it says when to come back, unless no waiting helps."""
    headers = _limit_headers(world, caller, kind)
    bucket = world.exchange.bucket(caller.address, kind)
    if cost <= bucket.burst:
        headers["Retry-After"] = str(int(bucket.wait(cost, world.exchange.now)) + 1)
    return Answer(status=429, content={"error": TOO_MANY}, headers=headers)


def _json(ask: Ask, words: str) -> Any:
    try:
        return msgspec.json.decode(ask.body)
    except msgspec.DecodeError:
        raise Denied(400, words) from None


def _page(rows: list[Any], ask: Ask) -> Answer:
    """One page of a CLOB listing: cursors are base64 offsets, from MA== (0) to LTE= (-1)."""
    cursor = ask.one("next_cursor") or FIRST_PAGE
    if cursor.startswith(ENDLESS):
        return Answer(content=shapes.page_clob([], LAST_PAGE))
    try:
        offset = int(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError):
        raise Denied(400, "invalid next_cursor") from None
    if offset < 0:
        return Answer(content=shapes.page_clob([], LAST_PAGE))
    after = offset + (1 if ask.one_row_pages else PAGE_ROWS)
    following = base64.b64encode(str(after).encode()).decode() if after < len(rows) else LAST_PAGE
    return Answer(content=shapes.page_clob(rows[offset:after], following))


DATA_API: Final[Routes] = {
    Endpoint.STATUS: data_status,
    Endpoint.POSITIONS_V2: positions_v2,
    Endpoint.POSITIONS_V1: positions_v1,
    Endpoint.ACTIVITY_V2: activity_v2,
    Endpoint.ACTIVITY_V1: activity_v1,
}
GAMMA: Final[Routes] = {Endpoint.GAMMA_MARKETS: gamma_markets}
CLOB: Final[Routes] = {
    Endpoint.TIME: time,
    Endpoint.VERSION: version,
    Endpoint.BOOK: book,
    Endpoint.BOOKS: books,
    Endpoint.MARKET: market,
    Endpoint.DERIVE_KEY: derive_key,
    Endpoint.CREATE_KEY: create_key,
    Endpoint.POST_ORDER: post_order,
    Endpoint.POST_ORDERS: post_orders,
    Endpoint.CANCEL_ORDER: cancel_order,
    Endpoint.CANCEL_ORDERS: cancel_orders,
    Endpoint.OPEN_ORDERS: open_orders,
    Endpoint.ORDER: order,
    Endpoint.TRADES: trades,
    Endpoint.BALANCE: balance,
    Endpoint.REFRESH: refresh,
    Endpoint.TIER: tier,
    Endpoint.CLOSED_ONLY: closed_only,
}
SITE: Final[Routes] = {Endpoint.GEOBLOCK: geoblock}
HOSTS: Final = (DATA_API, GAMMA, CLOB, SITE)
