"""Signing, held against both of the vendor's clients byte for byte.

The vendor's older client (py-clob-client-v2) takes its clock and dice from the standard library; they are replaced, so
that both sign the same salt and timestamp. The newer one (polymarket-client) is a second opinion that shares no code
with it.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from polymarket._internal.actions.auth import build_l1_auth_headers
from polymarket._internal.actions.orders import orders as newer_orders
from polymarket._internal.actions.orders.context import resolve_order_exchange_address
from polymarket._internal.actions.orders.limit import _compute_limit_order_amounts
from polymarket._internal.actions.orders.post import build_post_order_request
from polymarket._internal.actions.orders.typed_data import (
    _build_standard_typed_data,
    build_order_signature,
    build_order_typed_data,
)
from polymarket._internal.actions.orders.types import OrderDraft
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.hmac import build_hmac_signature as newer_hmac
from polymarket._internal.l1_auth import sign_api_key_auth
from py_clob_client_v2.clob_types import ApiCreds, CreateOrderOptions, OrderArgsV2, RequestArgs
from py_clob_client_v2.headers.headers import create_level_1_headers, create_level_2_headers
from py_clob_client_v2.order_builder.builder import OrderBuilder
from py_clob_client_v2.order_utils import SignatureTypeV2
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2
from py_clob_client_v2.signer import Signer
from py_clob_client_v2.signing.hmac import build_hmac_signature as older_hmac

from copytrade.adapters.signing import (
    ApiCredentials,
    Exchange,
    OrderSigner,
    exchange_for,
    leg,
    random_salt,
    verify,
    verify_l1,
    verify_l2,
)
from copytrade.domain.model import Side
from copytrade.errors import BadInput
from tests.adapters.signing_cases import (
    ADDRESS,
    COMBO_ID,
    CREDENTIALS,
    CTF_ID,
    EXPIRATION,
    KEY,
    MARKETS,
    NOW_MS,
    OWNER,
    SALT,
    WALLET,
    every_market,
    every_quote,
    every_type,
    order_of,
    sign,
    signer,
    to_sign,
)

WALLET_TYPES = {0: "EOA", 1: "POLY_PROXY", 2: "GNOSIS_SAFE", 3: "DEPOSIT_WALLET"}


@every_type
@every_market
@every_quote
class TestSameAsTheVendor:
    """API.md "Which client": hash, signature and posted JSON are the vendor's, whichever client is asked."""

    def test_older_client(self, signature_type, market, quote, monkeypatch):
        wanted = to_sign(market, quote)
        monkeypatch.setattr(time, "time_ns", lambda: NOW_MS * 1_000_000)
        monkeypatch.setattr(random, "random", lambda: SALT / NOW_MS)
        funder = WALLET if signature_type else ADDRESS
        client = OrderBuilder(Signer(KEY, 137), SignatureTypeV2(signature_type), funder)
        v2 = MARKETS[market][2] is Exchange.V3
        args = OrderArgsV2(
            token_id=None if v2 else wanted.token_id,
            position_id=wanted.token_id if v2 else None,
            price=float(wanted.price),
            size=float(wanted.size),
            side=wanted.side.value,
            expiration=EXPIRATION,
        )
        theirs = client.build_order(args, CreateOrderOptions(str(wanted.tick_size), wanted.neg_risk))
        posted = order_to_json_v2(theirs, OWNER, "GTD", True, False)

        ours = sign(signature_type, salt=int(theirs.salt), market=market, quote=quote)
        assert abs(int(theirs.salt) - SALT) <= 1  # their dice are a float
        assert leg(ours, OWNER) == posted

    def test_newer_client(self, signature_type, market, quote, monkeypatch):
        wanted = to_sign(market, quote)
        monkeypatch.setattr(newer_orders, "_generate_salt", lambda: SALT)
        monkeypatch.setattr(newer_orders, "_current_timestamp_ms", lambda: NOW_MS)
        funder: Any = WALLET if signature_type else ADDRESS
        offered, requested = _compute_limit_order_amounts(
            price=wanted.price, size=wanted.size, side=wanted.side.value, tick_size=wanted.tick_size
        )
        draft = OrderDraft(
            chain_id=137,
            exchange_address=resolve_order_exchange_address(
                PRODUCTION_CONFIG, asset_id=wanted.token_id, neg_risk=wanted.neg_risk
            ),
            expiration=EXPIRATION,
            funder_address=funder,
            offered_amount=offered,
            order_type="GTD",
            side=wanted.side.value,
            signer=ADDRESS,
            requested_amount=requested,
            asset_id=wanted.token_id,  # type: ignore[arg-type]  # their NewType of str
        )
        wallet_type: Any = WALLET_TYPES[signature_type]
        unsigned = newer_orders.create_unsigned_order(draft, wallet=funder, wallet_type=wallet_type)
        signature: Any = (
            "0x" + Account.from_key(KEY).sign_typed_data(full_message=build_order_typed_data(unsigned)).signature.hex()
        )
        theirs = newer_orders.create_signed_order(unsigned, build_order_signature(unsigned, signature), post_only=True)
        _, posted = build_post_order_request(theirs, owner_api_key=OWNER)
        plain = encode_typed_data(
            full_message=_build_standard_typed_data(unsigned, protocol_version=unsigned.protocol_version)
        )

        ours = sign(signature_type, market=market, quote=quote)
        assert leg(ours, OWNER) == posted
        assert ours.order_id == "0x" + keccak(b"\x19" + plain.version + plain.header + plain.body).hex()


class TestThePayload:
    """What is posted, and what is known before it is."""

    def test_it_says_all_that_the_executor_keeps(self):
        signed = sign(quote="BUY 12.5 @ 0.61")
        assert (signed.side, signed.price, signed.size) == (Side.BUY, Decimal("0.61"), Decimal("12.5"))
        assert (signed.token_id, signed.expiration) == (CTF_ID, EXPIRATION)
        assert order_of(signed)["makerAmount"] == "7625000"
        assert order_of(signed)["takerAmount"] == "12500000"
        assert order_of(signed)["expiration"] == str(EXPIRATION)

    def test_gtd_always_and_post_only_as_told(self):
        assert [sign(post_only=flag).payload["postOnly"] for flag in (True, False)] == [True, False]
        assert sign(post_only=False).payload["orderType"] == "GTD"
        assert sign().payload["deferExec"] is False

    def test_a_deposit_wallet_is_maker_and_signer_of_its_orders(self):
        order = order_of(sign(3))
        assert (order["maker"], order["signer"]) == (WALLET, WALLET)
        assert signer(3).address == ADDRESS
        assert (
            signer(3).l2_headers(CREDENTIALS, timestamp=1, method="GET", path="/data/orders")["POLY_ADDRESS"] == ADDRESS
        )

    def test_the_owner_is_added_last(self):
        signed = sign()
        assert OWNER not in repr(signed.payload)
        assert leg(signed, OWNER)["owner"] == OWNER

    def test_salt_timestamp_and_nothing_unsigned_make_the_id(self):
        this = sign()
        assert sign().order_id == this.order_id
        assert sign(salt=SALT + 1).order_id != this.order_id
        later = signer(0).sign_order(to_sign(), salt=SALT, timestamp_ms=NOW_MS + 1)
        assert later.order_id != this.order_id
        assert sign(post_only=False).order_id == this.order_id

    def test_a_wallet_in_lower_case_is_the_same_wallet(self):
        lower = OrderSigner(KEY, funder=WALLET.lower(), signature_type=2)
        assert lower.sign_order(to_sign(), salt=SALT, timestamp_ms=NOW_MS) == sign(2)

    def test_the_test_net_has_contracts_of_its_own(self):
        amoy = OrderSigner(KEY, funder=ADDRESS, signature_type=0, chain_id=80002)
        signed = amoy.sign_order(to_sign(), salt=SALT, timestamp_ms=NOW_MS)
        assert signed.order_id != sign().order_id
        assert verify(order_of(signed), Exchange.CTF_V2, chain_id=80002).order_id == signed.order_id

    def test_the_contracts_are_those_of_the_documentation(self):
        assert [exchange.address() for exchange in Exchange] == [
            "0xE111180000d2663C0091e4f400237545B87B996B",
            "0xe2222d279d744050d28e00520010520000310F59",
            "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
        ]


class TestWhichExchange:
    @pytest.mark.parametrize(("token_id", "neg_risk", "exchange"), MARKETS.values(), ids=MARKETS)
    def test_the_shape_of_the_id_decides_then_the_book(self, token_id, neg_risk, exchange):
        assert exchange_for(token_id, neg_risk) is exchange

    @pytest.mark.parametrize("token_id", [COMBO_ID, "0" + CTF_ID, hex(int(CTF_ID)), CTF_ID + " ", "", "-1"])
    def test_what_must_never_be_signed(self, token_id):
        with pytest.raises(BadInput, match="token_id"):
            exchange_for(token_id, neg_risk=False)


# -- headers ----------------------------------------------------------------------------------------------------------

REQUESTS = [
    ("GET", "/data/orders", None),
    ("POST", "/orders", '[{"order":{"salt":1},"owner":"x","orderType":"GTD"}]'),
    ("DELETE", "/orders", '["0xaa","0xbb"]'),
    ("POST", "/orders", '{"title":"Zürich – 5 €"}'),
]


class TestHeaders:
    """L1 proves the key, L2 the credentials; both as either of the vendor's clients makes them."""

    @every_type
    def test_l1(self, signature_type):
        ours = signer(signature_type).l1_headers(timestamp=1_766_000_000, nonce=3)
        assert ours == create_level_1_headers(Signer(KEY, 137), 3, 1_766_000_000)
        newer = sign_api_key_auth(Account.from_key(KEY), chain_id=137, timestamp=1_766_000_000, nonce=3)
        assert ours == build_l1_auth_headers(newer)
        assert verify_l1(ours) == ADDRESS

    @every_type
    @pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
    def test_l2(self, signature_type, method, path, body):
        ours = signer(signature_type).l2_headers(
            CREDENTIALS, timestamp=1_766_000_000, method=method, path=path, body=body
        )
        creds = ApiCreds(CREDENTIALS.key, CREDENTIALS.secret, CREDENTIALS.passphrase)
        request = RequestArgs(method=method, request_path=path, serialized_body=body)
        assert ours == create_level_2_headers(Signer(KEY, 137), creds, request, 1_766_000_000)
        assert ours["POLY_SIGNATURE"] == newer_hmac(
            secret=CREDENTIALS.secret, timestamp=1_766_000_000, method=method, path=path, body=body
        )
        verify_l2(ours, CREDENTIALS.secret, method=method, path=path, body=body)

    def test_a_secret_without_its_padding_is_the_same_secret(self):
        bare = ApiCredentials(key=OWNER, secret=CREDENTIALS.secret.rstrip("="), passphrase="open-sesame")
        request: Any = {"timestamp": 1, "method": "GET", "path": "/data/orders"}
        assert signer(0).l2_headers(bare, **request) == signer(0).l2_headers(CREDENTIALS, **request)

    @pytest.mark.parametrize("secret", ["", "secret!", "c2Vj cmV0", "c2Vjc", "ünicode="])
    def test_a_secret_that_is_not_base64_is_refused_unseen(self, secret):
        with pytest.raises(ValueError, match=r"^secret must be base64$"):
            ApiCredentials(key=OWNER, secret=secret, passphrase="open-sesame")

    def test_a_body_with_an_apostrophe_is_signed_as_it_is_sent(self):
        """The older client hashes another text than it sends: every ' turned into "."""
        args: Any = {"secret": CREDENTIALS.secret, "timestamp": 1, "method": "POST"}
        body = '{"title":"it\'s"}'
        newer = newer_hmac(**args, path="/x", body=body)
        assert older_hmac(**args, requestPath="/x", body=body) != newer
        ours = signer(0).l2_headers(CREDENTIALS, timestamp=1, method="POST", path="/x", body=body)
        assert ours["POLY_SIGNATURE"] == newer

    def test_a_query_is_not_signed_with_the_path(self):
        with pytest.raises(AssertionError):
            signer(0).l2_headers(CREDENTIALS, timestamp=1, method="GET", path="/data/orders?next_cursor=MA==")


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_importing_loads_no_client_and_no_curve():
    """`import copytrade`, `--help` and `plan` never pay the half second of the vendor's package."""
    heavy = "('py_clob', 'eth_', 'coincurve', 'httpx', 'Crypto')"
    check = f"import sys, copytrade.adapters.signing; sys.exit(any(m.startswith({heavy}) for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_fast_curve_is_used():
    """Signing takes ten times as long in pure Python."""
    from eth_keys.main import KeyAPI

    assert type(KeyAPI().backend).__name__ == "CoinCurveECCBackend"


def test_salts_are_drawn_anew_and_fit_a_json_number():
    salts = [random_salt() for _ in range(1000)]
    assert len(set(salts)) == 1000
    assert all(0 <= salt < 2**53 for salt in salts)
