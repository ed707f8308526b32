"""What an answer to a batch of orders, or of cancels, says of each of them."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.adapters.clob.posting import cancelled, posted
from copytrade.app.ports import PostFate, Refusal, SignedOrder
from copytrade.domain.model import Side
from tests.adapters.mutations import mutated_json

D = Decimal
A, B, C = ("0x" + letter * 64 for letter in "abc")


def order(order_id, side=Side.BUY, size="10"):
    return SignedOrder(
        order_id=order_id, token_id="111", side=side, price=D("0.61"), size=D(size), expiration=1, payload={}
    )


BATCH = [order(A), order(B), order(C)]


def good(order_id, **more):
    return {"success": True, "orderID": order_id, "errorMsg": "", "status": "live", **more}


def refused(words, order_id=""):
    return {"success": True, "orderID": order_id, "errorMsg": words, "status": ""}


def read(value, *, status=200, batch=BATCH):
    return posted(batch, status, value if isinstance(value, bytes) else json.dumps(value).encode())


def told(result):
    """ACCEPTED, UNKNOWN, or why it was refused."""
    return [one.refusal.name if one.refusal is not None else one.fate.name for one in result.answers]


class TestALeg:
    """Rule 1: ACCEPTED needs our id without a reason against it, REFUSED a reason that is a definite no."""

    @pytest.mark.parametrize(
        ("leg", "wanted"),
        [
            # accepted
            (good(A), "ACCEPTED"),
            (good(A, status="matched"), "ACCEPTED"),
            (good(A, status="delayed"), "ACCEPTED"),
            (good(A, status="unmatched"), "ACCEPTED"),
            (good(A, status="something new"), "ACCEPTED"),
            (good(A.upper().replace("X", "x")), "ACCEPTED"),
            ({"success": True, "orderID": A, "errorMsg": None}, "ACCEPTED"),
            ({"orderId": A, "success": True}, "ACCEPTED"),
            # refused
            (refused("not enough balance / allowance"), "BALANCE"),
            ({"success": False, "errorMsg": "invalid expiration", "orderID": None}, "OTHER"),
            ({"success": False, "errorMsg": "invalid expiration", "orderID": A}, "OTHER"),
            ({"success": False, "error": "invalid post-only order: order crosses book"}, "PRICE_MOVED"),
            ({"error": {"message": "the market is not yet ready to process new orders"}}, "NOT_TRADABLE"),
            (refused(f"order {A} is invalid. Size (1) lower than the minimum: 5"), "OTHER"),
            # nobody knows
            (refused(""), "UNKNOWN"),
            ({"success": True}, "UNKNOWN"),
            ({"success": False}, "UNKNOWN"),
            ({"success": False, "orderID": A, "errorMsg": ""}, "UNKNOWN"),
            (good("0x" + "9" * 64), "UNKNOWN"),
            (refused("invalid expiration", "0x" + "9" * 64), "UNKNOWN"),
            (refused("a reason with our own id", A), "UNKNOWN"),
            (refused(f"order {A} is invalid. Duplicated."), "UNKNOWN"),
            ({"success": False, "errorMsg": f"order {A} is invalid. Duplicated."}, "UNKNOWN"),
            ({"success": False, "errorMsg": "order match delayed due to market conditions"}, "UNKNOWN"),
            (refused(f"order {'0x' + '9' * 64} is invalid. Size (1) lower than the minimum: 5"), "UNKNOWN"),
            (None, "UNKNOWN"),
            ("live", "UNKNOWN"),
            ([], "UNKNOWN"),
            (7, "UNKNOWN"),
        ],
    )
    def test_says_of_its_order_and_of_no_other(self, leg, wanted):
        assert told(read([leg, good(B), refused("not enough balance / allowance")])) == [wanted, "ACCEPTED", "BALANCE"]

    def test_is_kept_in_the_exchanges_own_words(self):
        first, _, _ = read([refused("invalid \n expiration"), good(B), good(C)]).answers
        assert first.words == "invalid expiration"


class TestTheirPlaces:
    """Rule 3: in the order of the question, or by the ids that they name, or not at all."""

    @pytest.mark.parametrize(
        ("legs", "wanted"),
        [
            ([good(C), good(B), good(A)], ["ACCEPTED"] * 3),
            ([good(B), refused("invalid expiration"), good(A)], ["ACCEPTED", "ACCEPTED", "UNKNOWN"]),
            ([good(B)], ["UNKNOWN", "ACCEPTED", "UNKNOWN"]),
            ([], ["UNKNOWN"] * 3),
            ([good(A), good(B), good(C), good("0x" + "9" * 64)], ["ACCEPTED"] * 3),
            ([refused("invalid expiration"), good(B)], ["UNKNOWN", "ACCEPTED", "UNKNOWN"]),
            ([good(A), good(A), good(C)], ["UNKNOWN", "UNKNOWN", "ACCEPTED"]),  # which of the two is it?
        ],
    )
    def test_tell_whose_they_are(self, legs, wanted):
        assert told(read(legs)) == wanted


class TestAWholeAnswer:
    @pytest.mark.parametrize(
        ("status", "value", "wanted"),
        [
            (400, {"error": "invalid expiration"}, "OTHER"),
            (400, {"error": "Too many orders in payload: 20, max allowed: 15"}, "OTHER"),
            (400, {"error": "not enough balance / allowance"}, "BALANCE"),
            (400, {"error": "'0xab' address in closed only mode"}, "ACCOUNT"),
            (400, {"error": "order_version_mismatch"}, "CLIENT"),
            (401, {"error": "Unauthorized/Invalid api key"}, "ACCOUNT"),
            (403, {"error": "Trading restricted in your region, please refer to available regions"}, "ACCOUNT"),
            (403, b"<html>Attention Required! | Cloudflare</html>", "OTHER"),
            (404, {"error": "market not found"}, "NOT_TRADABLE"),
            (422, {}, "OTHER"),
            (425, b"", "BUSY"),
            (429, b"", "BUSY"),
            (503, {"error": "post-only mode: only post-only orders and cancels are allowed"}, "BUSY"),
            (503, {"error": "Trading is currently cancel-only. New orders are not accepted"}, "BUSY"),
            (200, {"error": "order_version_mismatch"}, "CLIENT"),
            (200, {"success": False, "errorMsg": "invalid expiration"}, "OTHER"),
            (200, {"success": False, "errorMsg": "could not insert order"}, "UNKNOWN"),
            (400, {"error": f"order {A} is invalid. Duplicated."}, "UNKNOWN"),
            (400, {"error": "context canceled"}, "UNKNOWN"),
            (408, {"error": "invalid expiration"}, "UNKNOWN"),
            (500, {"error": "Internal server error"}, "UNKNOWN"),
            (502, b"<html>bad gateway</html>", "UNKNOWN"),
            (503, b"", "UNKNOWN"),
            (200, b"", "UNKNOWN"),
            (200, b"<html>", "UNKNOWN"),
            (200, b'[{"success": tr', "UNKNOWN"),
            (200, {}, "UNKNOWN"),
            (200, good(A), "UNKNOWN"),  # one leg for three orders
            (302, b"", "UNKNOWN"),
        ],
    )
    def test_holds_for_every_order(self, status, value, wanted):
        assert told(read(value, status=status)) == [wanted] * 3

    def test_that_names_one_order_gives_its_reason_to_that_one_alone(self):
        words = f"order {B} is invalid. Price (0.615) breaks minimum tick size rule: 0.01"
        assert told(read({"error": words}, status=400)) == ["OTHER", "PRICE_MOVED", "OTHER"]

    def test_of_one_order_may_be_bare(self):
        assert told(read(good(A), batch=[order(A)])) == ["ACCEPTED"]

    @pytest.mark.parametrize(
        ("status", "value", "stop"),
        [
            (200, [good(A), good(B), good(C)], None),
            (200, [good(A), refused("not enough balance / allowance"), good(C)], None),
            (200, [good(A), refused("invalid expiration"), refused("post-only mode: only post-only …")], Refusal.BUSY),
            (200, [refused("'0xab' address banned")] * 3, Refusal.ACCOUNT),
            (200, {"error": "order_version_mismatch"}, Refusal.CLIENT),
            (400, {"error": "invalid expiration"}, None),
            (400, {"error": "'0xab' address banned"}, Refusal.ACCOUNT),
            (401, b"", Refusal.ACCOUNT),
            (429, b"", Refusal.BUSY),
            (500, b"", Refusal.BUSY),
            (503, {"error": "Trading is currently disabled"}, Refusal.BUSY),
        ],
    )
    def test_says_whether_the_next_batch_would_fare_better(self, status, value, stop):
        assert read(value, status=status).stop is stop


class TestWhatMatchedAtOnce:
    """A BUY takes shares and makes pUSD, a SELL the other way round."""

    @pytest.mark.parametrize(
        ("side", "more", "matched"),
        [
            (Side.BUY, {"status": "matched", "makingAmount": "6.1", "takingAmount": "10"}, "10"),
            (Side.SELL, {"status": "matched", "makingAmount": "10", "takingAmount": "6.1"}, "10"),
            (Side.BUY, {"status": "matched", "makingAmount": "2.5376", "takingAmount": "4.16"}, "4.16"),
            (Side.BUY, {"status": "matched", "makingAmount": 2.5376, "takingAmount": 4.16}, "4.16"),
            (Side.BUY, {"status": "matched", "takingAmount": "10.005"}, "10"),  # a cent of rounding
            (Side.BUY, {"status": "matched", "takingAmount": "4160000"}, "4.16"),  # the documentation's millionths
            (Side.BUY, {"status": "live", "makingAmount": "", "takingAmount": ""}, "0"),
            (Side.BUY, {"status": "live"}, "0"),
            (Side.BUY, {"status": "delayed", "takingAmount": "10"}, "0"),
            (Side.BUY, {"status": "matched", "takingAmount": "-4"}, "0"),
            (Side.BUY, {"status": "matched", "takingAmount": "NaN"}, "0"),
            (Side.BUY, {"status": "matched", "takingAmount": "1e30"}, "0"),
        ],
    )
    def test_is_told_in_shares(self, side, more, matched):
        (answer,) = read([good(A, **more)], batch=[order(A, side)]).answers
        assert (answer.fate, answer.matched) == (PostFate.ACCEPTED, D(matched))


def cancel(value, *, status=200, ids=(A, B), young=()):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return [(one.confirmed, one.matched) for one in cancelled(ids, status, body, young=young)]


GONE, DONE, LEFT = (True, True), (True, False), (False, False)


class TestACancel:
    """Rule 4: confirmed by the list of cancelled ids, or by words that mean "gone already"."""

    def test_is_confirmed_by_its_id_whatever_its_case(self):
        assert cancel({"canceled": [A.upper(), B], "not_canceled": {}}) == [DONE, DONE]

    @pytest.mark.parametrize(
        ("words", "wanted"),
        [
            ("already canceled or matched", GONE),
            ("order can't be found - already canceled or matched", GONE),
            ("order already cancelled", GONE),
            ("order already matched", GONE),
            ("the order is matched", GONE),
            ("matched", GONE),
            ("order not found", LEFT),
            ("order can't be found", LEFT),
            ("order cannot be matched", LEFT),
            ("not matched", LEFT),
            ("Internal server error", LEFT),
            ("", LEFT),
            (None, LEFT),
        ],
    )
    def test_that_did_nothing_says_why(self, words, wanted):
        assert cancel({"canceled": [B], "not_canceled": {A: words}}) == [wanted, DONE]

    def test_of_a_young_order_that_is_not_found_proves_nothing(self):
        words = "order can't be found - already canceled or matched"
        assert cancel({"canceled": [], "not_canceled": {A: words, B: words}}, young=[A]) == [LEFT, GONE]

    def test_said_both_ways_is_not_confirmed(self):
        assert cancel({"canceled": [A], "not_canceled": {A: "matching engine is busy"}}, ids=[A]) == [LEFT]

    def test_of_one_order_may_stand_under_an_empty_key(self):
        answer = {"canceled": [], "not_canceled": {"": "already canceled or matched"}}
        assert cancel(answer, ids=[A]) == [GONE]
        assert cancel(answer, ids=[A, B]) == [LEFT, LEFT]  # whose?

    @pytest.mark.parametrize(
        ("status", "value"),
        [
            (200, {}),
            (200, {"canceled": None, "not_canceled": None}),
            (200, {"canceled": A, "not_canceled": [A]}),
            (200, {"canceled": [None, 5, {}]}),
            (200, []),
            (200, b"<html>"),
            (200, b""),
            (400, {"error": "Invalid orderID"}),
            (401, {"error": "Unauthorized/Invalid api key"}),
            (429, b""),
            (500, {"canceled": [A, B]}),
            (503, {"error": "Trading is currently disabled. Check polymarket.com for updates"}),
        ],
    )
    def test_that_was_not_answered_is_not_confirmed(self, status, value):
        assert cancel(value, status=status) == [LEFT, LEFT]

    def test_says_in_words_why_not(self):
        (answer,) = cancelled([A], 503, b'{"error": "Trading is currently disabled"}')
        assert answer.words == "Trading is currently disabled"


class TestRecordedAnswers:
    def test_orders(self, shared):
        ok = shared("recorded/http_order_response_ok.json").read_bytes()
        (answer,) = posted([order(json.loads(ok)["orderID"])], 200, ok).answers
        assert answer.fate is PostFate.ACCEPTED
        failed = posted([order(A)], 200, shared("recorded/http_order_response_failed.json").read_bytes())
        assert told(failed) == ["BALANCE"]
        lost = posted(BATCH, 500, shared("recorded/http_order_response_error_500.json").read_bytes())
        assert told(lost) == ["UNKNOWN"] * 3

    def test_cancels(self, shared):
        one = "0xb816482a1234567890abcdef1234567890abcdef1234567890abcdef12345678"
        ids = ["0x" + digit * 64 for digit in "123"]
        recorded = {
            "http_cancel_response_ok.json": ([one], [DONE]),
            "http_cancel_response_failed.json": ([one], [GONE]),
            "http_batch_cancel_response.json": (ids, [DONE, DONE, GONE]),
        }
        for name, (asked, wanted) in recorded.items():
            assert cancel(shared(f"recorded/{name}").read_bytes(), ids=asked) == wanted


class TestWhateverIsAnswered:
    """Rule 5, and the port: one answer for each, in order; never raises."""

    @given(mutated_json([good(A), refused("invalid expiration"), good(C)]), st.sampled_from([200, 201, 302, 400, 500]))
    def test_to_a_batch_of_orders(self, body, status):
        result = posted(BATCH, status, body)
        assert [one.order_id for one in result.answers] == [A, B, C]
        for answer in result.answers:
            assert (answer.refusal is not None) == (answer.fate is PostFate.REFUSED)
            assert answer.fate is not PostFate.ACCEPTED or answer.order_id.encode() in body.lower()
            assert 0 <= answer.matched <= 10

    @given(
        mutated_json({"canceled": [A], "not_canceled": {B: "already canceled or matched"}}),
        st.sampled_from([200, 400, 500]),
    )
    def test_to_a_batch_of_cancels(self, body, status):
        answers = cancelled([A, B, C], status, body)
        assert [one.order_id for one in answers] == [A, B, C]
        assert status == 200 or not any(one.confirmed for one in answers)
        assert not answers[2].confirmed
