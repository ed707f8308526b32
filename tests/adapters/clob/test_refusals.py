"""What the exchange's words lead to: every message of API.md "Orders" and of the exchange's own page of error codes,
and the variants of them that clients have seen."""

import pytest

from copytrade.adapters.clob.refusals import leaves_doubt, refusal_of, says_no
from copytrade.app.ports import Refusal

ID = "0x" + "aa" * 32

# fmt: off
TABLE = [
    # -- the money
    ("not enough balance / allowance", Refusal.BALANCE),
    ("not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 6100000", Refusal.BALANCE),
    ("not enough balance / allowance: the allowance is not enough -> spender: 0xE1…, allowance: 0", Refusal.BALANCE),
    ("Insufficient balance", Refusal.BALANCE),
    # -- the price
    ("invalid post-only order: order crosses book", Refusal.PRICE_MOVED),
    (f"order {ID} crosses the book", Refusal.PRICE_MOVED),
    (f"order {ID} is invalid. Price (0.6155) breaks minimum tick size rule: 0.01", Refusal.PRICE_MOVED),
    ("invalid tick size (0.001), minimum for the market is 0.01", Refusal.PRICE_MOVED),
    ("invalid price (0.9995), min: 0.001 - max: 0.999", Refusal.PRICE_MOVED),
    ("price (0.9995), min: 0.001 - max: 0.999", Refusal.PRICE_MOVED),
    # -- this market
    ("the market is not yet ready to process new orders", Refusal.NOT_TRADABLE),
    ("market_not_ready", Refusal.NOT_TRADABLE),
    ("No orderbook exists for the requested token id", Refusal.NOT_TRADABLE),
    ("the orderbook 7132104567925221 does not exist", Refusal.NOT_TRADABLE),
    ("the market is closed", Refusal.NOT_TRADABLE),
    ("market not found", Refusal.NOT_TRADABLE),
    ("the market is not accepting orders", Refusal.NOT_TRADABLE),
    ("this market does not accept orders", Refusal.NOT_TRADABLE),
    ("Invalid token id", Refusal.NOT_TRADABLE),
    # -- the exchange, just now
    ("Too Many Requests", Refusal.BUSY),
    ("rate limit exceeded", Refusal.BUSY),
    ("matching engine is restarting", Refusal.BUSY),
    ("post-only mode: only post-only orders and cancels are allowed", Refusal.BUSY),
    ("Trading is currently disabled. Check polymarket.com for updates", Refusal.BUSY),
    ("Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.", Refusal.BUSY),
    # -- this account
    ("address banned", Refusal.ACCOUNT),
    ("'0xAbCdEf0123456789aBcDeF0123456789AbCdEf01' address banned", Refusal.ACCOUNT),
    ("address in closed only mode", Refusal.ACCOUNT),
    ("'0xAbCdEf0123456789aBcDeF0123456789AbCdEf01' address in closed only mode", Refusal.ACCOUNT),
    ("the account is in close-only mode", Refusal.ACCOUNT),
    ("Trading restricted in your region, please refer to available regions", Refusal.ACCOUNT),
    ("request blocked: geoblock", Refusal.ACCOUNT),
    ("Unavailable for legal reasons", Refusal.ACCOUNT),
    ("maker address not allowed, please use the deposit wallet flow", Refusal.ACCOUNT),
    ("the order signer address has to be the address of the API KEY", Refusal.ACCOUNT),
    ("the order owner has to be the owner of the API KEY", Refusal.ACCOUNT),
    ("error resolving address", Refusal.ACCOUNT),
    ("invalid signature", Refusal.ACCOUNT),
    ("invalid signer address", Refusal.ACCOUNT),
    ("Invalid signature_type", Refusal.ACCOUNT),
    ("Unauthorized/Invalid api key", Refusal.ACCOUNT),
    ("Invalid L1 Request headers", Refusal.ACCOUNT),
    # -- this client
    ("order_version_mismatch", Refusal.CLIENT),
    ("order version mismatch", Refusal.CLIENT),
    ("invalid order version, please use the latest clob-client", Refusal.CLIENT),
    # -- definite, and nothing follows from it but a decision anew
    (f"order {ID} is invalid. Size (1.08) lower than the minimum: 5", Refusal.OTHER),
    ("invalid amount for a marketable BUY order ($0.5), min size: $1", Refusal.OTHER),
    ("invalid expiration", Refusal.OTHER),
    ("expiration is less than 180 seconds in the future", Refusal.OTHER),
    ("invalid nonce", Refusal.OTHER),
    ("Invalid order payload", Refusal.OTHER),  # one odd value in one order says it too: no reason to stop the run
    ("Too many orders in payload: 20, max allowed: 15", Refusal.OTHER),
    ("invalid post-only order: only GTC and GTD order types are allowed", Refusal.OTHER),
    ("order canceled in the CTF exchange contract", Refusal.OTHER),
    ("order couldn't be fully filled. FOK orders are fully filled or killed.", Refusal.OTHER),
    ("no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
     Refusal.OTHER),
    ("something that nobody has heard of", Refusal.OTHER),
    ("", Refusal.OTHER),
]
# fmt: on


@pytest.mark.parametrize(("words", "wanted"), TABLE)
def test_words_lead_to_what_follows_from_them(words, wanted):
    assert refusal_of(words) is wanted
    assert refusal_of(words.upper()) is wanted
    assert says_no(400, words)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [(429, Refusal.BUSY), (425, Refusal.BUSY), (401, Refusal.ACCOUNT), (451, Refusal.ACCOUNT), (403, Refusal.OTHER)],
)
def test_where_there_are_no_words_the_status_leads(status, wanted):
    assert refusal_of("", status=status) is wanted


@pytest.mark.parametrize(
    "words",
    [
        f"order {ID} is invalid. Duplicated.",  # proves that the first has arrived
        "order is invalid. Duplicated. Same order has already been placed, can't be placed again",
        "order match delayed due to market conditions",
        "error delaying the order",
        "could not insert order",
        "could not run the execution",
        "Internal server error",
        "context canceled",
        "context deadline exceeded",
        "request timed out",
        "upstream timeout",
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404, 503])
def test_words_that_prove_nothing_are_no_refusal(status, words):
    assert leaves_doubt(words)
    assert not says_no(status, words)


@pytest.mark.parametrize(
    ("status", "words", "certain"),
    [
        (400, "", True),
        (401, "", True),
        (403, "", True),
        (404, "", True),
        (422, "", True),
        (425, "", True),
        (429, "", True),
        (301, "", False),
        (408, "", False),
        (500, "", False),
        (500, "not enough balance / allowance", False),
        (502, "<html>", False),
        (503, "", False),
        (503, "Service Unavailable", False),
        (503, "Trading is currently disabled. Check polymarket.com for updates", True),
        (503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.", True),
        (503, "post-only mode: only post-only orders and cancels are allowed", True),
        (500, "Trading is currently disabled", False),
        (504, "", False),
    ],
)
def test_only_a_definite_no_is_one(status, words, certain):
    assert says_no(status, words) is certain
