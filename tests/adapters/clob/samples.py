"""Answers of the exchange as they should be, for tests to make odd ones of."""

from __future__ import annotations

import json
from typing import Any

from copytrade.adapters.clob import decoding

CTF = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
V2_BINARY = "456322662693127080402085893806415780684933579476723864069977356327020658688"
V2_NEG_RISK = str((2 << 248) | (7 << 120))
WALLET = "0xAbCdEf0123456789aBcDeF0123456789AbCdEf01"
ME = decoding.Me(wallet=WALLET, api_key="our-key")
ID = "0x" + "ab" * 32


def raw(value: object) -> bytes:
    return json.dumps(value).encode()


def without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}


BOOK = {
    "market": "0xc1",
    "asset_id": CTF,
    "timestamp": "1776516091711",
    "hash": "492d",
    "bids": [{"price": "0.45", "size": "100"}, {"price": "0.46", "size": "8.29"}],
    "asks": [{"price": "0.52", "size": "0.01"}],
    "min_order_size": "5",
    "tick_size": "0.01",
    "neg_risk": True,
    "last_trade_price": "0.455",
}
ORDER = {
    "id": ID,
    "status": "LIVE",
    "market": "0xc1",
    "asset_id": CTF,
    "side": "SELL",
    "original_size": "100.0000",
    "size_matched": "8.29",
    "price": "0.5000",
    "outcome": "Yes",
    "maker_address": WALLET,
    "owner": "our-key",
    "expiration": None,
    "order_type": "GTD",
    "created_at": 1766000000,
}
ELSE = "0x" + "99" * 20
LEG = {
    "order_id": ID,
    "asset_id": CTF,
    "maker_address": WALLET.lower(),
    "owner": "our-key",
    "matched_amount": "8.29",
    "price": "0.61",
    "side": "BUY",
}
OTHER_LEG = {**LEG, "order_id": "0x05", "maker_address": ELSE, "owner": "their-key", "matched_amount": "50"}
TRADE = {
    "id": "t1",
    "taker_order_id": "0x7a",
    "asset_id": CTF,
    "side": "SELL",
    "size": "58.29",
    "price": "0.6",
    "status": "CONFIRMED",
    "match_time": "1766000000",
    "maker_address": ELSE,
    "owner": "their-key",
    "trader_side": "MAKER",
    "maker_orders": [OTHER_LEG, LEG],
}
AS_TAKER = {"maker_address": WALLET, "owner": "our-key", "trader_side": "TAKER", "maker_orders": [OTHER_LEG]}
CREDENTIALS = {"apiKey": "key-key-key", "secret": "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "passphrase": "phrase-phrase"}
