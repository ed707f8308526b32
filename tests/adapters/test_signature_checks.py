"""What the embedded exchange finds out about an order, or a request, that it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from copytrade.adapters.signing import BadSignature, Exchange, verify, verify_l1, verify_l2
from tests.adapters.signing_cases import (
    ADDRESS,
    CREDENTIALS,
    MARKETS,
    NOW_MS,
    OTHER_KEY,
    SALT,
    every_market,
    every_type,
    order_of,
    sign,
    signer,
)


class TestChecked:
    """What the embedded exchange finds out about an order that it is sent."""

    @every_type
    @every_market
    def test_a_signed_order_is_by_its_key_for_its_exchange(self, signature_type, market):
        signed = sign(signature_type, market=market)
        found = verify(order_of(signed), MARKETS[market][2], key_address=ADDRESS)
        assert (found.order_id, found.key_address, found.exchange) == (signed.order_id, ADDRESS, MARKETS[market][2])

    @every_type
    @every_market
    def test_for_another_exchange_it_is_not(self, signature_type, market):
        order = order_of(sign(signature_type, market=market))
        for wrong in set(Exchange) - {MARKETS[market][2]}:
            with pytest.raises(BadSignature):
                verify(order, wrong)
        with pytest.raises(BadSignature):
            verify(order, MARKETS[market][2], chain_id=80002)

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
            verify(order, Exchange.CTF_V2, key_address=ADDRESS)

    @every_type
    def test_the_signature_type_is_signed_too(self, signature_type):
        for other in set(range(4)) - {signature_type}:
            order = {**order_of(sign(signature_type)), "signatureType": other}
            with pytest.raises(BadSignature):
                verify(order, Exchange.CTF_V2, key_address=ADDRESS)

    @every_type
    def test_another_key_is_another_signer(self, signature_type):
        order = order_of(sign(signature_type, key=OTHER_KEY))
        assert verify(order, Exchange.CTF_V2).key_address == Account.from_key(OTHER_KEY).address
        with pytest.raises(BadSignature, match="address of the API KEY"):
            verify(order, Exchange.CTF_V2, key_address=ADDRESS)

    def test_a_signer_that_did_not_sign(self):
        forged = {**order_of(sign(2, key=OTHER_KEY)), "signer": ADDRESS}
        with pytest.raises(BadSignature, match="not by"):
            verify(forged, Exchange.CTF_V2)

    @every_type
    @pytest.mark.parametrize(
        "signature",
        [None, 5, "", "0x", "0xzz", "0x00", "0x" + "00" * 65, "0x" + "ff" * 64 + "1b", "0x" + "11" * 64 + "00"],
    )
    def test_what_is_no_signature(self, signature_type, signature):
        with pytest.raises(BadSignature):
            verify({**order_of(sign(signature_type)), "signature": signature}, Exchange.CTF_V2)

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
            found = verify(order, Exchange.CTF_V2)
        except BadSignature:
            return
        assert found.order_id == sign(signature_type).order_id  # only `expiration`, which nobody signs, was changed

    @pytest.mark.parametrize("name", ["POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_NONCE"])
    def test_l1_headers_that_are_missing_or_changed(self, name):
        headers = signer(0).l1_headers(timestamp=1_766_000_000)
        assert verify_l1({header.lower(): value for header, value in headers.items()}) == ADDRESS
        for changed in ("", "1", "0x" + "ab" * 20, "²", "9" * 78, headers["POLY_SIGNATURE"][:-4] + "001c"):
            with pytest.raises(BadSignature):
                verify_l1({**headers, name: changed})
        with pytest.raises(BadSignature):
            verify_l1({header: value for header, value in headers.items() if header != name})

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
        verify_l2(**request)
        with pytest.raises(BadSignature):
            verify_l2(**{**request, **changed})
