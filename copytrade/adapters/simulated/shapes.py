"""The JSON of the real services, key by key.

Numbers of the Data-API and of Gamma are JSON numbers (exact: Decimals are written as they stand), those of the CLOB are
decimal strings.
Source: API.md; real/polyoxide-data-v2, real/nexiumito-polycopy, recorded/http_*.json, recorded/clob_market_*.json.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from zlib import crc32

import msgspec

from copytrade.adapters.signing import Exchange as Contract
from copytrade.adapters.simulated.feed import Row
from copytrade.adapters.simulated.records import Held, Market, OrderStatus, Posted, SimOrder, SimTrade
from copytrade.adapters.simulated.rules import Exchange
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import ZERO

Json = dict[str, object]

UNIT = 1_000_000
UNLIMITED = str(2**256 - 1)
ODD_INDEX = 999

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(content: object) -> bytes:
    """JSON text with exact numbers."""
    return _encoder.encode(content)


def text(number: Decimal) -> str:
    """A decimal string as the CLOB writes it: no exponent, no trailing zeros.

    >>> text(Decimal("10.50")), text(Decimal("1E+2")), text(Decimal("0.00"))
    ('10.5', '100', '0')
    """
    return f"{number.normalize():f}"


def _date(seconds: Decimal) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- Data-API ---------------------------------------------------------------------------------------------------------


def position_v2(row: Row) -> Json:
    """One row of `GET /v2/positions`."""
    market, outcome = row.market, row.market.outcomes[row.index]
    opposite = market.outcomes[1 - row.index] if len(market.outcomes) == 2 else None
    cost, value = row.size * row.avg_price, row.size * row.price
    shape: Json = {
        "proxy_wallet": row.wallet,
        "token_id": outcome.token_id,
        "condition_id": market.condition_id,
        "current_size": row.size,
        "avg_price": row.avg_price,
        "entry_cost_usdc": cost,
        "entry_fees_usdc": ZERO,
        "total_cost_usdc": cost,
        "current_price": row.price,
        "current_value": value,
        "total_size": row.size,
        "realized_pnl": ZERO,
        "unrealized_pnl": value - cost,
        "total_pnl": value - cost,
        "percent_pnl": _percent(value - cost, cost),
        "percent_realized_pnl": ZERO,
        "status": "REDEEMABLE" if row.redeemable else "OPEN",
        "redeemable": row.redeemable,
        "mergeable": row.mergeable,
        "negative_risk": market.neg_risk,
        "archived": market.archived,
        "title": market.title,
        "slug": market.slug,
        "icon": "",
        "event_id": "1",
        "event_slug": market.slug,
        "outcome": outcome.name,
        "outcome_index": row.index if row.shows_index else ODD_INDEX,
        "opposite_outcome": opposite.name if opposite else "",
        "opposite_token_id": opposite.token_id if opposite else "",
        "end_date": market.end_date[:10],
        "last_event_at": int(row.last_event),
        "first_entry_at": int(row.last_event),
        "name": "",
        "profile_image": "",
        "verified": False,
    }
    if not row.shows_id:
        del shape["token_id"]
    return shape


def position_v1(row: Row) -> Json:
    """One row of `GET /positions`."""
    market, outcome = row.market, row.market.outcomes[row.index]
    opposite = market.outcomes[1 - row.index] if len(market.outcomes) == 2 else None
    cost, value = row.size * row.avg_price, row.size * row.price
    shape: Json = {
        "proxyWallet": row.wallet,
        "asset": outcome.token_id,
        "conditionId": market.condition_id,
        "size": row.size,
        "avgPrice": row.avg_price,
        "initialValue": cost,
        "currentValue": value,
        "cashPnl": value - cost,
        "percentPnl": _percent(value - cost, cost),
        "totalBought": row.size,
        "realizedPnl": ZERO,
        "percentRealizedPnl": ZERO,
        "curPrice": row.price,
        "redeemable": row.redeemable,
        "mergeable": row.mergeable,
        "title": market.title,
        "slug": market.slug,
        "icon": "",
        "eventId": "1",
        "eventSlug": market.slug,
        "outcome": outcome.name,
        "outcomeIndex": row.index if row.shows_index else ODD_INDEX,
        "oppositeOutcome": opposite.name if opposite else "",
        "oppositeAsset": opposite.token_id if opposite else "",
        "endDate": market.end_date[:10],
        "negativeRisk": market.neg_risk,
    }
    if not row.shows_id:
        del shape["asset"]
    return shape


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (100 * part / whole).quantize(Decimal("0.0001")) if whole > 0 else ZERO


def activity(entry: Held, market: Market, index: int, wallet: str, *, v2: bool) -> Json:
    """One row of `GET /v2/activity` or `GET /activity`: a holding that came to be, told as a purchase."""
    v1_names = {"proxy_wallet": "proxyWallet", "condition_id": "conditionId", "usdc_size": "usdcSize",
                "token_id": "asset", "outcome_index": "outcomeIndex"}  # fmt: skip
    shape: Json = {
        "proxy_wallet": wallet,
        "timestamp": int(entry.ts),
        "condition_id": market.condition_id,
        "type": "TRADE",
        "size": entry.size,
        "usdc_size": entry.size * entry.avg_price,
        "price": entry.avg_price,
        "token_id": market.outcomes[index].token_id,
        "side": "BUY",
        "outcome_index": index,
        "title": market.title,
        "slug": market.slug,
        "outcome": market.outcomes[index].name,
    }
    return shape if v2 else {v1_names.get(name, name): value for name, value in shape.items()}


def page_v2(data: Sequence[object], *, limit: int, offset: int, next_cursor: str | None) -> Json:
    """The envelope of version 2. Only `has_more: false` is an end."""
    pagination = {"limit": limit, "offset": offset, "has_more": next_cursor is not None, "next_cursor": next_cursor}
    return {"data": data, "pagination": pagination}


def error_v2(error: str, code: str, *, retryable: bool) -> Json:
    return {"error": error, "code": code, "retryable": retryable, "trace_id": "00000000000000000000000000000000"}


def status(now: Decimal, lag_sec: Decimal) -> Json:
    """`GET /v2/status`: how far behind the answers are."""
    mechanisms = [
        {"name": "activity_feed", "age_seconds": int(lag_sec)},
        {"name": "custody_balances", "age_seconds": 0, "blocks_behind": 0},
        {"name": "pnl", "age_seconds": 1, "blocks_behind": 1},
    ]
    block = 90_000_000 + int(now) % 1_000_000
    return {
        "data": {
            "computed_at": _date(now),
            "age_seconds": 0,
            "serving": {"lag_seconds": int(lag_sec), "worst": "activity_feed", "mechanisms": mechanisms},
            "ingestion": {
                "cursors": 1,
                "network": "polygon",
                "chain_id": 137,
                "max_synced_block": block,
                "min_synced_block": block,
                "most_lagged": {"source": "activity_feed", "block": block, "behind_max": 0},
                "lagging": [],
            },
        }
    }


# -- Gamma ------------------------------------------------------------------------------------------------------------


def gamma_market(market: Market, exchange: Exchange) -> Json:
    """One element of Gamma's `GET /markets`: the part of it that matters to a trader."""
    traded = [outcome.token_id for outcome in market.outcomes] if market.ids_known else []
    native = market.version == "v2"
    ctf_ids, position_ids = (list(market.mirror_ids), traded) if native else (traded, list(market.mirror_ids))
    prices = [text(exchange.price_of(outcome.token_id)) for outcome in market.outcomes]
    shape: Json = {
        "id": str(crc32(market.condition_id.encode())),
        "question": market.title,
        "conditionId": market.condition_id,
        "slug": market.slug,
        "endDate": market.end_date,
        "version": market.version,
        "outcomes": json.dumps([outcome.name for outcome in market.outcomes]),
        "outcomePrices": json.dumps(prices),
        "active": True,
        "closed": market.closed,
        "archived": market.archived,
        "enableOrderBook": True,
        "acceptingOrders": market.accepting_orders,
        "orderPriceMinTickSize": market.tick_size,
        "orderMinSize": market.min_order_size,
        "clobTokenIds": json.dumps(ctf_ids),
        "negRisk": market.neg_risk,
    }
    if position_ids:
        shape["positionIds"] = position_ids
    return shape


# -- CLOB -------------------------------------------------------------------------------------------------------------


def book(exchange: Exchange, token_id: str) -> Json | None:
    """One book of `POST /books`; None where there is none."""
    levels = exchange.levels(token_id)
    known = exchange.market_of(token_id)
    if levels is None or known is None:
        return None
    market, _ = known
    bids, asks = ([{"price": text(price), "size": text(size)} for price, size in side] for side in levels)
    last = exchange.books[token_id].last_trade_price
    return {
        "market": market.condition_id,
        "asset_id": token_id,
        "timestamp": str(int(exchange.now * 1000)),
        "hash": f"{exchange.books[token_id].version:040x}",
        "bids": bids,
        "asks": asks,
        "min_order_size": text(market.min_order_size),
        "tick_size": text(market.tick_size),
        "neg_risk": market.neg_risk,
        "last_trade_price": text(last) if last is not None else "",
    }


def clob_market(market: Market, exchange: Exchange) -> Json:
    """`GET /markets/{condition_id}`."""
    prices = [exchange.price_of(outcome.token_id) for outcome in market.outcomes]
    payouts = market.payouts or (ZERO,) * len(prices)
    tokens = [
        {"token_id": outcome.token_id, "outcome": outcome.name, "price": price, "winner": payout == 1}
        for outcome, price, payout in zip(market.outcomes, prices, payouts, strict=True)
    ]
    return {
        "condition_id": market.condition_id,
        "question": market.title,
        "market_slug": market.slug,
        "version": market.version,
        "end_date_iso": market.end_date,
        "active": True,
        "closed": market.closed,
        "archived": market.archived,
        "accepting_orders": market.accepting_orders,
        "enable_order_book": not market.closed,
        "minimum_order_size": market.min_order_size,
        "minimum_tick_size": market.tick_size,
        "neg_risk": market.neg_risk,
        "seconds_delay": 0,
        "maker_base_fee": 0,
        "taker_base_fee": 0,
        "tokens": tokens if market.ids_known else [],
    }


def posted(answer: Posted) -> Json:
    """One leg of the answer to `POST /orders`: a refusal says success, no id, and why."""
    if not answer.accepted:
        return {
            "errorMsg": answer.error,
            "orderID": "",
            "takingAmount": "",
            "makingAmount": "",
            "status": "",
            "success": True,
        }
    shape: Json = {
        "errorMsg": "",
        "orderID": answer.order_id,
        "takingAmount": text(answer.taking) if answer.taking else "",
        "makingAmount": text(answer.making) if answer.making else "",
        "status": answer.status,
        "success": True,
    }
    if answer.trade_ids:
        shape["tradeIDs"] = list(answer.trade_ids)
    return shape


def order(each: SimOrder, exchange: Exchange, *, prefixed: bool) -> Json:
    """One order of `GET /data/orders` and `GET /data/order/{id}`."""
    market, index = _market_of(exchange, each.token_id)
    return {
        "id": each.order_id,
        "status": _order_status(each.status, prefixed=prefixed),
        "owner": each.api_key,
        "maker_address": each.wallet,
        "market": market.condition_id,
        "asset_id": each.token_id,
        "side": each.side.value,
        "original_size": text(each.size),
        "size_matched": text(each.matched),
        "price": text(each.price),
        "outcome": market.outcomes[index].name,
        "expiration": str(each.expiration) if each.expiration else None,
        "order_type": each.order_type.value,
        "associate_trades": list(each.trade_ids),
        "created_at": int(each.created_at),
    }


def _order_status(status_: OrderStatus, *, prefixed: bool) -> str:
    return f"ORDER_STATUS_{status_.value}" if prefixed else status_.value


def trade(each: SimTrade, wallet: str, exchange: Exchange, *, prefixed: bool, key_of: dict[str, str]) -> Json:
    """One trade of `GET /data/trades`, as `wallet` sees it: `side` and `size` are the taker's."""
    market, index = _market_of(exchange, each.token_id)
    name = market.outcomes[index].name
    return {
        "id": each.trade_id,
        "taker_order_id": each.taker_order_id,
        "market": market.condition_id,
        "asset_id": each.token_id,
        "side": each.side.value,
        "size": text(each.size),
        "fee_rate_bps": "0",
        "price": text(each.price),
        "status": f"TRADE_STATUS_{each.state.value}" if prefixed else each.state.value,
        "match_time": str(int(each.match_time)),
        "last_update": str(int(each.last_update)),
        "outcome": name,
        "bucket_index": 0,
        "owner": key_of.get(each.taker_wallet, STRANGER),
        "maker_address": each.taker_wallet or OUTSIDE,
        "transaction_hash": f"0x{int(each.trade_id.rsplit('-', 1)[1]):064x}",
        "maker_orders": [
            {
                "order_id": leg.order_id,
                "owner": key_of.get(leg.wallet, STRANGER),
                "maker_address": leg.wallet or OUTSIDE,
                "matched_amount": text(leg.size),
                "price": text(leg.price),
                "fee_rate_bps": "0",
                "asset_id": each.token_id,
                "outcome": name,
                "side": leg.side.value,
            }
            for leg in each.legs
        ],
        "trader_side": "TAKER" if each.taker_wallet == wallet else "MAKER",
    }


STRANGER = "00000000-0000-0000-0000-000000000000"
OUTSIDE = "0x000000000000000000000000000000000000dead"


def page_clob(data: Iterable[object], next_cursor: str) -> Json:
    """The envelope of listings; `LTE=` is the end."""
    listed = list(data)
    return {"limit": 500, "count": len(listed), "next_cursor": next_cursor, "data": listed}


def balance(amount: Decimal, token_id: str, unapproved: Collection[str] = ()) -> Json:
    """`GET /balance-allowance`: 6-decimal integers, and what each contract may take (nothing, where `unapproved`)."""
    if not token_id:
        contracts = list(Contract)
    elif not is_v2(token_id):
        contracts = [Contract.CTF_V2, Contract.NEG_RISK_V2]
    else:
        contracts = [Contract.V3]
    return {
        "balance": str(int(amount * UNIT)),
        "allowances": {
            contract.address(): "0" if contract.address().lower() in unapproved else UNLIMITED for contract in contracts
        },
    }


def is_v2(token_id: str) -> bool:
    """Is it a position id of a protocol-V2 market?"""
    return kind_of(token_id) in (IdKind.V2_BINARY, IdKind.V2_NEG_RISK)


def _market_of(exchange: Exchange, token_id: str) -> tuple[Market, int]:
    known = exchange.market_of(token_id)
    assert known is not None, token_id
    return known
