"""What the exchange's words lead to: each message of API.md "Orders", and the variants of it that clients have seen."""

import pytest

from copytrade.adapters.clob.refusals import leaves_doubt, refusal_of, says_no
from copytrade.app.ports import Refusal


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("not enough balance / allowance", Refusal.BALANCE),
        ("invalid post-only order: order crosses book", Refusal.PRICE_MOVED),
        ("order 0xaa is invalid. Price (0.6155) breaks minimum tick size rule: 0.01", Refusal.PRICE_MOVED),
        ("order 0xaa is invalid. Size (1.08) lower than the minimum: 5", Refusal.OTHER),
        ("invalid expiration", Refusal.OTHER),
        ("'0xabc' address banned", Refusal.ACCOUNT),
        ("'0xabc' address in closed only mode", Refusal.ACCOUNT),
        ("Trading restricted in your region", Refusal.ACCOUNT),
        ("maker address not allowed, please use the deposit wallet flow", Refusal.ACCOUNT),
        ("the order signer address has to be the address of the API KEY", Refusal.ACCOUNT),
        ("order_version_mismatch", Refusal.CLIENT),
        ("the market is not yet ready to process new orders", Refusal.NOT_TRADABLE),
        ("No orderbook exists for the requested token id", Refusal.NOT_TRADABLE),
        ("post-only mode: only post-only orders and cancels are allowed", Refusal.BUSY),
        ("Trading is currently disabled", Refusal.BUSY),
        ("Trading is currently cancel-only", Refusal.BUSY),
        ("Too Many Requests", Refusal.BUSY),
    ],
)
def test_words_lead_to_what_follows_from_them(words, wanted):
    assert refusal_of(words) is wanted
    assert refusal_of(words.upper()) is wanted


@pytest.mark.parametrize("words", ["order 0xaa is invalid. Duplicated.", "Internal server error", "order delayed"])
def test_words_that_prove_nothing_are_no_refusal(words):
    assert leaves_doubt(words)
    assert not says_no(400, words)


@pytest.mark.parametrize(
    ("status", "words", "certain"),
    [
        (400, "invalid expiration", True),
        (425, "", True),
        (429, "", True),
        (408, "", False),
        (500, "", False),
        (502, "<html>", False),
        (503, "", False),
        (503, "Trading is currently disabled", True),
    ],
)
def test_only_a_definite_no_is_one(status, words, certain):
    assert says_no(status, words) is certain
