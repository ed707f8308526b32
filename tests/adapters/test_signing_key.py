"""The signing key: refused in any wrong form or combination, and never shown."""

from __future__ import annotations

import copy
import pickle
import traceback
from decimal import Decimal

import pytest

from copytrade.adapters.signing import OrderSigner
from copytrade.app.ports import ToSign
from copytrade.domain.model import Side
from copytrade.errors import BadInput
from tests.adapters.signing_cases import (
    ADDRESS,
    CREDENTIALS,
    CTF_ID,
    EXPIRATION,
    KEY,
    NOW_MS,
    SALT,
    WALLET,
    sign,
    signer,
)


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
