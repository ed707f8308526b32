"""Whatever is signed is what the vendor's clients would have signed, byte for byte: any size, price, side and market.

The vendor's builder (py-clob-client-v2) and its newer SDK (polymarket-client) are the reference here, and only here:
at run time neither is imported.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polymarket._internal.actions.orders import orders as newer_orders
from polymarket._internal.actions.orders.post import build_post_order_request
from polymarket._internal.actions.orders.typed_data import (
    _build_standard_typed_data,
    build_order_signature,
    build_order_typed_data,
)
from polymarket._internal.actions.orders.types import OrderDraft
from py_clob_client_v2.config import get_contract_config
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2, SignatureTypeV2, SignedOrderV2
from py_clob_client_v2.order_utils import Side as VendorSide
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2
from py_clob_client_v2.signer import Signer

from copytrade.adapters.signing import Exchange, OrderSigner, amounts, leg
from copytrade.adapters.signing.curve import Key
from copytrade.app.ports import SignedOrder, ToSign
from copytrade.domain.model import Side
from tests.adapters.signing_cases import ADDRESS, KEY, MARKETS, OWNER, WALLET
from tests.adapters.test_amounts import TICKS
from tests.adapters.test_signing import WALLET_TYPES

_NONE = "0x" + "00" * 32
ours = cache(
    lambda kind, chain: OrderSigner(KEY, funder=WALLET if kind else ADDRESS, signature_type=kind, chain_id=chain)
)


@cache
def vendors(exchange: Exchange, chain_id: int) -> ExchangeOrderBuilderV2:
    return ExchangeOrderBuilderV2(
        exchange.address(chain_id), chain_id, Signer(KEY, chain_id), domain_version=exchange.domain_version
    )


def signed_by_the_vendor(
    order: ToSign, exchange: Exchange, kind: int, chain_id: int, salt: int, timestamp_ms: int
) -> tuple[str, Mapping[str, Any]]:
    """(order id, what is posted), by the vendor's builder."""
    maker_amount, taker_amount = amounts(order.side, order.price, order.size, order.tick_size)
    funder = WALLET if kind else ADDRESS
    unsigned = SignedOrderV2(
        salt=str(salt),
        maker=funder,
        signer=funder if kind == 3 else ADDRESS,
        tokenId=order.token_id,
        makerAmount=str(maker_amount),
        takerAmount=str(taker_amount),
        side=VendorSide.BUY if order.side is Side.BUY else VendorSide.SELL,
        signatureType=SignatureTypeV2(kind),
        timestamp=str(timestamp_ms),
        metadata=_NONE,
        builder=_NONE,
        expiration=str(order.expiration),
    )
    builder = vendors(exchange, chain_id)
    typed_data = builder.build_order_typed_data(unsigned)
    unsigned.signature = builder.build_order_signature(typed_data)
    posted = order_to_json_v2(unsigned, owner=OWNER, order_type="GTD", post_only=order.post_only)
    return builder.build_order_hash(typed_data), posted


def signed_by_the_newer(
    order: ToSign, exchange: Exchange, kind: int, salt: int, timestamp_ms: int, patch: pytest.MonkeyPatch
) -> tuple[str, Mapping[str, Any]]:
    """(order id, what is posted), by the vendor's newer SDK. It knows Polygon alone."""
    patch.setattr(newer_orders, "_generate_salt", lambda: salt)
    patch.setattr(newer_orders, "_current_timestamp_ms", lambda: timestamp_ms)
    offered, requested = amounts(order.side, order.price, order.size, order.tick_size)
    funder: Any = WALLET if kind else ADDRESS
    wallet_type: Any = WALLET_TYPES[kind]
    draft = OrderDraft(
        chain_id=137,
        exchange_address=exchange.address(137),  # type: ignore[arg-type]  # their NewType of str
        expiration=order.expiration,
        funder_address=funder,
        offered_amount=offered,
        order_type="GTD",
        side=order.side.value,
        signer=ADDRESS,
        requested_amount=requested,
        asset_id=order.token_id,  # type: ignore[arg-type]  # their NewType of str
    )
    unsigned = newer_orders.create_unsigned_order(draft, wallet=funder, wallet_type=wallet_type)
    typed = build_order_typed_data(unsigned)
    signature: Any = "0x" + Account.from_key(KEY).sign_typed_data(full_message=typed).signature.hex()
    signed = newer_orders.create_signed_order(
        unsigned, build_order_signature(unsigned, signature), post_only=order.post_only
    )
    _, posted = build_post_order_request(signed, owner_api_key=OWNER)
    posted = {"postOnly": False, **posted}  # it leaves that out where it is so
    plain = encode_typed_data(
        full_message=_build_standard_typed_data(unsigned, protocol_version=unsigned.protocol_version)
    )
    return "0x" + keccak(b"\x19" + plain.version + plain.header + plain.body).hex(), posted


@st.composite
def orders(draw: st.DrawFn) -> tuple[ToSign, Exchange]:
    token_id, neg_risk, exchange = draw(st.sampled_from(list(MARKETS.values())))
    tick = draw(st.sampled_from(TICKS))
    order = ToSign(
        token_id=token_id,
        side=draw(st.sampled_from(Side)),
        price=draw(st.integers(1, int(1 / tick) - 1)) * tick,
        size=Decimal(draw(st.integers(1, 10**9))) / 100,
        tick_size=tick,
        neg_risk=neg_risk,
        expiration=draw(st.integers(1, 2**40)),
        post_only=draw(st.booleans()),
    )
    return order, exchange


SALTS = st.integers(0, 2**53 - 1)
TIMES = st.integers(1, 2**45)
KINDS = st.sampled_from(range(4))


def one(market: str, side: Side, price: str, size: str, tick: str) -> tuple[ToSign, Exchange]:
    token_id, neg_risk, exchange = MARKETS[market]
    order = ToSign(
        token_id=token_id,
        side=side,
        price=Decimal(price),
        size=Decimal(size),
        tick_size=Decimal(tick),
        neg_risk=neg_risk,
        expiration=1_766_000_190,
        post_only=True,
    )
    return order, exchange


def compared(signed: SignedOrder, theirs: tuple[str, Mapping[str, Any]]) -> None:
    assert signed.order_id == theirs[0]
    assert leg(signed, OWNER) == theirs[1]


class TestSameAsTheVendorsWhateverIsSigned:
    """Issue 5: byte for byte equal to the vendor's clients: id, signature, and all that is posted."""

    @settings(max_examples=60)
    @given(made=orders(), kind=KINDS, chain_id=st.sampled_from([137, 80002]), salt=SALTS, timestamp_ms=TIMES)
    @example(one("V2 neg-risk", Side.SELL, "0.9995", "8.29", "0.0001"), 3, 137, 2**53 - 1, 2**45)
    @example(one("neg-risk", Side.BUY, "0.001", "0.01", "0.001"), 0, 137, 0, 1)
    def test_older_client(self, made, kind, chain_id, salt, timestamp_ms):
        order, exchange = made
        signed = ours(kind, chain_id).sign_order(order, salt=salt, timestamp_ms=timestamp_ms)
        compared(signed, signed_by_the_vendor(order, exchange, kind, chain_id, salt, timestamp_ms))

    @settings(max_examples=25)
    @given(made=orders(), kind=KINDS, salt=SALTS, timestamp_ms=TIMES)
    @example(one("V2 binary", Side.SELL, "0.5", "5.01", "0.01"), 3, 2**53 - 1, 2**45)
    @example(one("ordinary", Side.BUY, "0.61", "8.29", "0.01"), 1, 0, 1)
    def test_newer_client(self, made, kind, salt, timestamp_ms):
        order, exchange = made
        signed = ours(kind, 137).sign_order(order, salt=salt, timestamp_ms=timestamp_ms)
        with pytest.MonkeyPatch.context() as patch:
            compared(signed, signed_by_the_newer(order, exchange, kind, salt, timestamp_ms, patch))

    @settings(max_examples=40)
    @given(
        secret=st.integers(1, 2**128).map(lambda number: number.to_bytes(32, "big")),
        digest=st.binary(min_size=32, max_size=32),
    )
    def test_any_key_and_any_digest(self, secret, digest):
        account = Account.from_key(secret)
        key = Key(secret)
        assert key.address == account.address
        assert key.signature(digest) == account.unsafe_sign_hash(digest).signature

    @pytest.mark.parametrize("chain_id", [137, 80002])
    def test_the_contracts_are_the_vendors(self, chain_id):
        theirs = get_contract_config(chain_id)
        names = {
            Exchange.CTF_V2: "exchange_v2",
            Exchange.NEG_RISK_V2: "neg_risk_exchange_v2",
            Exchange.V3: "exchange_v3",
        }
        assert {one: one.address(chain_id) for one in Exchange} == {
            one: getattr(theirs, names[one]) for one in Exchange
        }


def test_without_the_fast_curve_the_signatures_are_the_same(monkeypatch):
    """coincurve is not built for Python 3.14 yet."""
    fast, digest = Key(bytes.fromhex(KEY[2:])), keccak(b"an order")
    monkeypatch.setitem(sys.modules, "coincurve", None)  # importing it fails
    slow = Key(bytes.fromhex(KEY[2:]))
    assert type(slow._sign) is not type(fast._sign)
    assert slow.signature(digest) == fast.signature(digest)


def test_signing_loads_nothing_of_the_vendors():
    """A live start does not wait half a second for a package of which it would use three constants."""
    script = """
import sys
from tests.adapters.signing_cases import CREDENTIALS, KEY, WALLET, to_sign
loaded = [name for name in sys.modules if name.startswith(("py_clob", "polymarket"))]
from copytrade.adapters.signing import OrderSigner
signer = OrderSigner(KEY, funder=WALLET, signature_type=3)
signer.sign_order(to_sign(), salt=1, timestamp_ms=1)
signer.l1_headers(timestamp=1)
signer.l2_headers(CREDENTIALS, timestamp=1, method="POST", path="/orders", body="[]")
print(loaded, [name for name in sys.modules if name.startswith(("py_clob", "polymarket"))])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"
