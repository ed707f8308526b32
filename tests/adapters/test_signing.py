"""Signing, held against both of the vendor's clients byte for byte, and against what an exchange would check.

The vendor's older client (py-clob-client-v2) takes its clock and dice from the standard library; they are replaced, so
that both sign the same salt and timestamp. The newer one (polymarket-client) is a second opinion that shares no code
with it.
"""

from __future__ import annotations

import copy
import pickle
import random
import subprocess
import sys
import time
import traceback
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import example, given
from hypothesis import strategies as st
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
from py_clob_client_v2.order_builder.builder import ROUNDING_CONFIG, OrderBuilder
from py_clob_client_v2.order_utils import SignatureTypeV2
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2
from py_clob_client_v2.signer import Signer
from py_clob_client_v2.signing.hmac import build_hmac_signature as older_hmac

from copytrade.adapters.signing import (
    ApiCredentials,
    BadSignature,
    Exchange,
    OrderSigner,
    amounts,
    check_l1,
    check_l2,
    check_order,
    exchange_for,
    leg,
    random_salt,
)
from copytrade.app.ports import SignedOrder, ToSign
from copytrade.domain.model import Side
from copytrade.errors import BadInput

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
WALLET_TYPES = {0: "EOA", 1: "POLY_PROXY", 2: "GNOSIS_SAFE", 3: "DEPOSIT_WALLET"}
TICKS = [Decimal(text) for text in ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")]

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


# -- the same bytes as the vendor's clients ---------------------------------------------------------------------------


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
        assert check_order(order_of(signed), Exchange.CTF_V2, chain_id=80002).order_id == signed.order_id

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


# -- exact amounts ----------------------------------------------------------------------------------------------------


def exact(price: Decimal, size: Decimal) -> tuple[int, int]:
    """(pUSD, shares) in millionths, by fractions, which lose nothing."""
    collateral, shares = Fraction(price) * Fraction(size) * 10**6, Fraction(size) * 10**6
    assert collateral.denominator == 1
    assert shares.denominator == 1
    return int(collateral), int(shares)


@st.composite
def quotes(draw: st.DrawFn) -> tuple[Decimal, Decimal, Decimal]:
    """(price on the tick, size with two decimals, tick)"""
    tick = draw(st.sampled_from(TICKS))
    price = draw(st.integers(1, int(1 / tick) - 1)) * tick
    return price, Decimal(draw(st.integers(1, 10**12))) / 100, tick


class TestAmountsAreExact:
    """API.md "It loses a cent": the integers signed are exactly price × size and size."""

    @pytest.mark.parametrize("tick", TICKS, ids=str)
    def test_every_size_of_a_slice_at_several_prices(self, tick):
        for price in {tick, 3 * tick, 1 - tick, 1 - 3 * tick, int(Decimal("0.61") / tick) * tick}:
            for cents in range(500, 2501):
                size = Decimal(cents) / 100
                collateral, shares = exact(price, size)
                assert amounts(Side.BUY, price, size, tick) == (collateral, shares)
                assert amounts(Side.SELL, price, size, tick) == (shares, collateral)

    @given(quotes())
    @example((Decimal("0.61"), Decimal("8.29"), Decimal("0.01")))
    def test_every_quote(self, quote):
        price, size, tick = quote
        collateral, shares = exact(price, size)
        assert amounts(Side.BUY, price, size, tick) == (collateral, shares)
        assert amounts(Side.SELL, price, size, tick) == (shares, collateral)

    @given(quotes(), st.integers(1, 12))
    def test_the_callers_decimal_context_changes_nothing(self, quote, precision):
        price, size, tick = quote
        expected = amounts(Side.BUY, price, size, tick)
        with localcontext(prec=precision):
            assert amounts(Side.BUY, price, size, tick) == expected

    @given(quotes(), st.integers(1, 999_999))
    def test_a_price_between_two_ticks_is_refused(self, quote, units):
        _, size, tick = quote
        off = Decimal(units) / 10**6
        if off % tick == 0:
            assert amounts(Side.BUY, off, size, tick)
        else:
            with pytest.raises(BadInput, match="price"):
                amounts(Side.BUY, off, size, tick)

    def test_why_not_the_vendors(self):
        """If this fails the vendor has mended its rounding, and the reason for ours is history."""
        vendor = OrderBuilder(Signer(KEY, 137))
        _, _, shares = vendor.get_order_amounts("BUY", 8.29, 0.61, ROUNDING_CONFIG["0.01"])
        assert shares == 8_280_000
        short = 0
        for cents in range(500, 2501):
            _, _, shares = vendor.get_order_amounts("BUY", cents / 100, 0.61, ROUNDING_CONFIG["0.01"])
            short += shares == cents * 10_000 - 10_000
        assert short == 110

    @pytest.mark.parametrize(
        ("price", "size", "tick", "at"),
        [
            ("0.61", "8.295", "0.01", "size"),
            ("0.61", "0", "0.01", "size"),
            ("0.61", "-5", "0.01", "size"),
            ("0.61", "NaN", "0.01", "size"),
            ("0.61", "Infinity", "0.01", "size"),
            ("0.61", "1E+999999", "0.01", "size"),
            ("0.61", "1E-999999", "0.01", "size"),
            ("0.61", "5.0000000000000000000000000000000000000000000001", "0.01", "size"),
            ("0.615", "5", "0.01", "price"),
            ("0.0025", "5", "0.005", "price"),
            ("0", "5", "0.01", "price"),
            ("1", "5", "0.01", "price"),
            ("0.995", "5", "0.01", "price"),
            ("NaN", "5", "0.01", "price"),
            ("1E-999999", "5", "0.01", "price"),
            ("0.61", "5", "0", "tick_size"),
            ("0.61", "5", "1", "tick_size"),
            ("0.61", "5", "0.0000001", "tick_size"),
            ("0.00001", "5.01", "0.00001", "price × size"),
        ],
    )
    def test_what_is_not_exact_is_refused(self, price, size, tick, at):
        with pytest.raises(BadInput) as refused:
            amounts(Side.BUY, Decimal(price), Decimal(size), Decimal(tick))
        assert [fault.path for fault in refused.value.faults] == [at]

    def test_every_fault_at_once(self):
        with pytest.raises(BadInput) as refused:
            amounts(Side.SELL, Decimal("0.615"), Decimal("8.295"), Decimal("0.01"))
        assert str(refused.value) == (
            "order: 2 faults, not signed\n"
            "  price   got 0.615   wants a multiple of 0.01 from 0.01 to 0.99\n"
            "  size   got 8.295   wants above 0, at most 2 decimals"
        )


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
        assert check_l1(ours) == ADDRESS

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
        check_l2(ours, CREDENTIALS.secret, method=method, path=path, body=body)

    def test_a_secret_without_its_padding_is_the_same_secret(self):
        bare = ApiCredentials(key=OWNER, secret=CREDENTIALS.secret.rstrip("="), passphrase="open-sesame")
        request: Any = {"timestamp": 1, "method": "GET", "path": "/data/orders"}
        assert signer(0).l2_headers(bare, **request) == signer(0).l2_headers(CREDENTIALS, **request)

    @pytest.mark.parametrize("secret", ["", "secret!", "c2Vj cmV0", "c2Vjc", "ünicode="])
    def test_a_secret_that_is_not_base64_is_refused_unseen(self, secret):
        with pytest.raises(ValueError, match=r"^secret must be base64$"):
            ApiCredentials(key=OWNER, secret=secret, passphrase="open-sesame")

    def test_why_a_body_with_an_apostrophe_is_not_signed(self):
        """The older client hashes another text than it sends. No request of ours has one, and none shall."""
        args: Any = {"secret": CREDENTIALS.secret, "timestamp": 1, "method": "POST"}
        body = '{"title":"it\'s"}'
        assert older_hmac(**args, requestPath="/x", body=body) != newer_hmac(**args, path="/x", body=body)
        with pytest.raises(AssertionError):
            signer(0).l2_headers(CREDENTIALS, timestamp=1, method="POST", path="/x", body=body)

    def test_a_query_is_not_signed_with_the_path(self):
        with pytest.raises(AssertionError):
            signer(0).l2_headers(CREDENTIALS, timestamp=1, method="GET", path="/data/orders?next_cursor=MA==")


# -- the exchange's side ----------------------------------------------------------------------------------------------


class TestChecked:
    """What the embedded exchange finds out about an order that it is sent."""

    @every_type
    @every_market
    def test_a_signed_order_is_by_its_key_for_its_exchange(self, signature_type, market):
        signed = sign(signature_type, market=market)
        found = check_order(order_of(signed), MARKETS[market][2], key_address=ADDRESS)
        assert (found.order_id, found.key_address, found.exchange) == (signed.order_id, ADDRESS, MARKETS[market][2])

    @every_type
    @every_market
    def test_for_another_exchange_it_is_not(self, signature_type, market):
        order = order_of(sign(signature_type, market=market))
        for wrong in set(Exchange) - {MARKETS[market][2]}:
            with pytest.raises(BadSignature):
                check_order(order, wrong)
        with pytest.raises(BadSignature):
            check_order(order, MARKETS[market][2], chain_id=80002)

    @every_type
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("makerAmount", "7625001"),
            ("takerAmount", "12510000"),
            ("tokenId", "1001"),
            ("side", "SELL"),
            ("salt", SALT + 1),
            ("timestamp", str(NOW_MS + 1)),
            ("metadata", "0x" + "01" * 32),
            ("builder", "0x" + "01" * 32),
            ("maker", "0x" + "ab" * 20),
            ("signer", "0x" + "ab" * 20),
        ],
    )
    def test_nothing_that_is_signed_can_be_changed(self, signature_type, name, value):
        order = {**order_of(sign(signature_type)), name: value}
        with pytest.raises(BadSignature):
            check_order(order, Exchange.CTF_V2, key_address=ADDRESS)

    @every_type
    def test_the_signature_type_is_signed_too(self, signature_type):
        for other in set(range(4)) - {signature_type}:
            order = {**order_of(sign(signature_type)), "signatureType": other}
            with pytest.raises(BadSignature):
                check_order(order, Exchange.CTF_V2, key_address=ADDRESS)

    @every_type
    def test_another_key_is_another_signer(self, signature_type):
        order = order_of(sign(signature_type, key=OTHER_KEY))
        assert check_order(order, Exchange.CTF_V2).key_address == Account.from_key(OTHER_KEY).address
        with pytest.raises(BadSignature, match="address of the API KEY"):
            check_order(order, Exchange.CTF_V2, key_address=ADDRESS)

    def test_a_signer_that_did_not_sign(self):
        forged = {**order_of(sign(2, key=OTHER_KEY)), "signer": ADDRESS}
        with pytest.raises(BadSignature, match="not by"):
            check_order(forged, Exchange.CTF_V2)

    @every_type
    @pytest.mark.parametrize(
        "signature",
        [None, 5, "", "0x", "0xzz", "0x00", "0x" + "00" * 65, "0x" + "ff" * 64 + "1b", "0x" + "11" * 64 + "00"],
    )
    def test_what_is_no_signature(self, signature_type, signature):
        with pytest.raises(BadSignature):
            check_order({**order_of(sign(signature_type)), "signature": signature}, Exchange.CTF_V2)

    @given(
        changed=st.dictionaries(
            st.sampled_from(sorted(order_of(sign()))),
            st.none() | st.booleans() | st.integers() | st.text(max_size=80) | st.lists(st.integers(), max_size=2),
            min_size=1,
        ),
        signature_type=st.integers(0, 3),
    )
    def test_whatever_is_sent_it_is_checked_or_a_bad_signature(self, changed, signature_type):
        order = {**order_of(sign(signature_type)), **changed}
        try:
            found = check_order(order, Exchange.CTF_V2)
        except BadSignature:
            return
        assert found.order_id == sign(signature_type).order_id  # only `expiration`, which nobody signs, was changed

    @pytest.mark.parametrize("name", ["POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_NONCE"])
    def test_l1_headers_that_are_missing_or_changed(self, name):
        headers = signer(0).l1_headers(timestamp=1_766_000_000)
        assert check_l1({header.lower(): value for header, value in headers.items()}) == ADDRESS
        for changed in ("", "1", "0x" + "ab" * 20, "²", "9" * 78, headers["POLY_SIGNATURE"][:-4] + "001c"):
            with pytest.raises(BadSignature):
                check_l1({**headers, name: changed})
        with pytest.raises(BadSignature):
            check_l1({header: value for header, value in headers.items() if header != name})

    @pytest.mark.parametrize(
        "changed",
        [
            {"method": "POST"},
            {"path": "/data/trades"},
            {"body": "[]"},
            {"secret": "b3RoZXI="},
            {"secret": "a"},
            {"secret": "é"},
            {"body": "\ud800"},
            {"headers": {}},
        ],
    )
    def test_l2_headers_of_another_request(self, changed):
        headers = signer(0).l2_headers(CREDENTIALS, timestamp=1, method="GET", path="/data/orders")
        request: Any = {"headers": headers, "secret": CREDENTIALS.secret, "method": "GET", "path": "/data/orders"}
        check_l2(**request)
        with pytest.raises(BadSignature):
            check_l2(**{**request, **changed})


# -- the key ----------------------------------------------------------------------------------------------------------


def shown(error: BaseException) -> str:
    """All that a careless handler could print: text, cause, context, and the local variables of our own frames."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in whole.stack if "adapters/signing" in frame.filename]
    assert frames
    chained = "".join(traceback.format_exception(error))
    return chained + "".join(f"{name}={value}" for frame in frames for name, value in (frame.locals or {}).items())


class TestTheKeyIsNeverShown:
    """DESIGN 7: no secret reaches a log or an error."""

    @pytest.mark.parametrize(
        "bad",
        [
            KEY[:-1],
            KEY + "0",
            "0x" + "zz" + KEY[4:],
            "0x" + "0" * 64,
            "0x" + "f" * 64,
            bytes.fromhex(KEY[2:])[:31],
            "correct horse battery staple",
            "",
        ],
    )
    def test_what_is_no_key_is_refused_unseen(self, bad):
        with pytest.raises(BadInput, match="wants a private key") as refused:
            OrderSigner(bad, funder=ADDRESS, signature_type=0)
        text = bad.hex() if isinstance(bad, bytes) else bad
        assert not text or text not in shown(refused.value)
        assert KEY[10:40] not in shown(refused.value)
        assert refused.value.__context__ is None

    @pytest.mark.parametrize(
        ("funder", "signature_type", "says"),
        [
            (WALLET, 0, "the key's own address"),
            (ADDRESS, 1, "the wallet that the key owns"),
            (ADDRESS.lower(), 2, "the wallet that the key owns"),
            (ADDRESS, 3, "the wallet that the key owns"),
            (WALLET, 4, "signature_type"),
            (WALLET, -1, "signature_type"),
            (WALLET[:-1], 2, "0x and 40 hex digits"),
            ("", 2, "0x and 40 hex digits"),
        ],
    )
    def test_combinations_that_no_exchange_would_take(self, funder, signature_type, says):
        with pytest.raises(BadInput, match=says) as refused:
            OrderSigner(KEY, funder=funder, signature_type=signature_type)
        assert KEY[10:40] not in shown(refused.value)

    def test_a_chain_that_the_exchange_is_not_on(self):
        with pytest.raises(BadInput, match="chain_id") as refused:
            OrderSigner(KEY, funder=ADDRESS, signature_type=0, chain_id=1)
        assert KEY[10:40] not in shown(refused.value)

    def test_an_order_that_is_refused_does_not_show_it(self):
        with pytest.raises(BadInput) as refused:
            signer(0).sign_order(
                ToSign(
                    token_id=CTF_ID,
                    side=Side.BUY,
                    price=Decimal("0.615"),
                    size=Decimal(5),
                    tick_size=Decimal("0.01"),
                    neg_risk=False,
                    expiration=EXPIRATION,
                    post_only=True,
                ),
                salt=SALT,
                timestamp_ms=NOW_MS,
            )
        assert KEY[10:40] not in shown(refused.value)

    def test_reprs_show_none_of_it(self):
        this = signer(3)
        assert repr(this) == str(this) == f"OrderSigner(address={ADDRESS}, funder={WALLET}, signature_type=3)"
        assert repr(CREDENTIALS) == "ApiCredentials()"
        assert "signature" not in repr(sign())

    def test_it_is_not_written_down(self):
        with pytest.raises(TypeError, match="not written down"):
            pickle.dumps(signer(0))
        with pytest.raises(TypeError, match="not written down"):
            copy.deepcopy(signer(0))

    @pytest.mark.parametrize(
        "spelling", [KEY, KEY[2:], KEY.upper().replace("X", "x"), f" {KEY}\n", bytes.fromhex(KEY[2:])]
    )
    def test_a_key_in_any_usual_spelling(self, spelling):
        assert signer(0, spelling).address == ADDRESS


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
