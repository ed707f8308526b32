"""A key, wallets, markets and quotes that the signing tests share. The key is in the documentation of eth-account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account

from copytrade.adapters.signing import ApiCredentials, Exchange, OrderSigner
from copytrade.app.ports import SignedOrder, ToSign
from copytrade.domain.model import Side

KEY = "0x" + "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"  # eth-account's documentation has it
ADDRESS = Account.from_key(KEY).address
OTHER_KEY = "0x" + "11" * 32
WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"  # a checksummed address of nobody (EIP-55)
OWNER = "7f1d2f4e-0000-4000-8000-00000000c0de"
CREDENTIALS = ApiCredentials(key=OWNER, secret="c2VjcmV0LXNlY3JldC1zZWNyZXQ_LQ==", passphrase="open-sesame")

CTF_ID = "69515744437473089728151261939146426925489297565662421305942992110046228478629"
V2_ID = "456322662693127080402085893806415780684933579476723864069977356327020658688"
V2_NEG_RISK_ID = "936790166394979422314973074578174421716655008665765835395575639343294841601"
COMBO_ID = "1628948707922995775031622509772078765406110626872621424817699628095377506304"

SALT = 883_000_000_123
NOW_MS = 1_766_000_000_246
EXPIRATION = 1_766_000_190

MARKETS = {
    "ordinary": (CTF_ID, False, Exchange.CTF_V2),
    "neg-risk": (CTF_ID, True, Exchange.NEG_RISK_V2),
    "V2 binary": (V2_ID, False, Exchange.V3),
    "V2 neg-risk": (V2_NEG_RISK_ID, True, Exchange.V3),
}
QUOTES = {  # sizes that the vendor's floats happen to get right
    "BUY 12.5 @ 0.61": (Side.BUY, "0.61", "12.5", "0.01"),
    "SELL 25 @ 0.0025": (Side.SELL, "0.0025", "25", "0.0025"),
    "SELL 7.01 @ 0.999": (Side.SELL, "0.999", "7.01", "0.001"),
    "BUY 5 @ 0.9995": (Side.BUY, "0.9995", "5", "0.0001"),
}

every_type = pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
every_market = pytest.mark.parametrize("market", MARKETS)
every_quote = pytest.mark.parametrize("quote", QUOTES)


def signer(signature_type: int, key: str | bytes = KEY) -> OrderSigner:
    funder = WALLET if signature_type else ADDRESS if key != OTHER_KEY else Account.from_key(key).address
    return OrderSigner(key, funder=funder, signature_type=signature_type)


def to_sign(market: str = "ordinary", quote: str = "BUY 12.5 @ 0.61", post_only: bool = True) -> ToSign:
    token_id, neg_risk, _ = MARKETS[market]
    side, price, size, tick = QUOTES[quote]
    return ToSign(
        token_id=token_id,
        side=side,
        price=Decimal(price),
        size=Decimal(size),
        tick_size=Decimal(tick),
        neg_risk=neg_risk,
        expiration=EXPIRATION,
        post_only=post_only,
    )


def sign(signature_type: int = 0, key: str = KEY, salt: int = SALT, **order: Any) -> SignedOrder:
    return signer(signature_type, key).sign_order(to_sign(**order), salt=salt, timestamp_ms=NOW_MS)


def order_of(signed: SignedOrder) -> dict[str, Any]:
    order = signed.payload["order"]
    assert isinstance(order, dict)
    return order
