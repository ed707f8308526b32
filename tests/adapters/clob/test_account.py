"""Posts, cancels and reads of one wallet over real HTTP, against answers that are scripted."""

from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from copytrade.app.ports import LookUp, OrderFate, PostFate, Refusal, TradeStatus
from copytrade.domain.model import Side
from copytrade.errors import BadAnswer, Unreachable
from tests.adapters.clob.talking import CREDENTIALS, WALLET, ask, sign
from tests.adapters.loopback import Answer, Cut, Drop, Loopback

D = Decimal


@pytest.fixture
def server():
    with Loopback() as server:
        server.on("GET /auth/derive-api-key", Answer(json=CREDENTIALS))
        yield server


def post(server, legs, count=1):
    """Post `count` orders; `legs` makes the answer of their ids, or is the answer. Returns (orders, answers)."""

    async def question(account):
        signed = sign(account, count)
        answer = legs([order.order_id for order in signed]) if callable(legs) else legs
        server.on("POST /orders", answer)
        return signed, await account.post(signed)

    return ask(server, question)


def good(order_id, **more):
    return {"success": True, "orderID": order_id, "errorMsg": "", "status": "live", **more}


class TestEachLegStandsForItsOrder:
    """API.md, Orders: one odd leg must not spoil the others, and what is not a definite no is looked up."""

    def test_a_refused_leg_says_success_and_has_no_id(self, server):
        refused = {"success": True, "orderID": "", "errorMsg": "not enough balance / allowance"}
        _, answers = post(server, lambda ids: Answer(json=[good(ids[0]), refused, good(ids[2])]), count=3)
        assert [one.fate for one in answers] == [PostFate.ACCEPTED, PostFate.REFUSED, PostFate.ACCEPTED]
        assert answers[1].refusal is Refusal.BALANCE

    @pytest.mark.parametrize(
        "leg",
        [
            {"success": True, "orderID": "", "errorMsg": ""},
            {"success": True},
            {"success": True, "orderID": "0x" + "ab" * 32},
            {"success": False, "errorMsg": "order 0xaa is invalid. Duplicated."},
            None,
            "odd",
            7,
        ],
    )
    def test_a_leg_that_says_nothing_certain_is_unknown(self, server, leg):
        _, answers = post(server, lambda ids: Answer(json=[leg, good(ids[1])]), count=2)
        assert [one.fate for one in answers] == [PostFate.UNKNOWN, PostFate.ACCEPTED]

    def test_legs_in_another_order_find_their_orders(self, server):
        signed, answers = post(server, lambda ids: Answer(json=[good(one) for one in reversed(ids)]), count=3)
        assert [one.order_id for one in answers] == [one.order_id for one in signed]
        assert {one.fate for one in answers} == {PostFate.ACCEPTED}

    def test_a_missing_leg_is_unknown(self, server):
        _, answers = post(server, lambda ids: Answer(json=[good(ids[1])]), count=2)
        assert [one.fate for one in answers] == [PostFate.UNKNOWN, PostFate.ACCEPTED]

    def test_what_matched_at_once_is_told(self, server):
        matched = {"status": "matched", "makingAmount": "6.1", "takingAmount": "10"}
        _, answers = post(server, lambda ids: Answer(json=[good(ids[0], **matched)]))
        assert answers[0].matched == 10

    def test_http_200_with_success_false_is_a_refusal(self, server):
        _, answers = post(server, Answer(json={"success": False, "errorMsg": "'0xabc' address banned"}))
        assert (answers[0].fate, answers[0].refusal) == (PostFate.REFUSED, Refusal.ACCOUNT)


class TestAWholeAnswer:
    """DESIGN 3: a definite refusal is a refusal; anything else leaves the order in doubt. Never sent twice."""

    @pytest.mark.parametrize(
        ("answer", "fate", "refusal"),
        [
            (Answer(status=400, json={"error": "invalid expiration"}), PostFate.REFUSED, Refusal.OTHER),
            (Answer(status=425, json={"error": "too early"}), PostFate.REFUSED, Refusal.BUSY),
            (Answer(status=429), PostFate.REFUSED, Refusal.BUSY),
            (Answer(status=400, json={"error": "0xaa Duplicated"}), PostFate.UNKNOWN, None),
            (Answer(status=500), PostFate.UNKNOWN, None),
            (Answer(status=502, body=b"<html>"), PostFate.UNKNOWN, None),
            (Answer(body=b"<html>"), PostFate.UNKNOWN, None),
            (Answer(body=b'{"success": tr'), PostFate.UNKNOWN, None),
            (Drop(), PostFate.UNKNOWN, None),
            (Cut(), PostFate.UNKNOWN, None),
        ],
    )
    def test_its_fate_and_that_it_was_sent_once(self, server, answer, fate, refusal):
        _, answers = post(server, answer, count=2)
        assert {(one.fate, one.refusal) for one in answers} == {(fate, refusal)}
        assert [request.path for request in server.requests].count("/orders") == 1

    def test_at_most_fifteen_in_a_batch(self, server):
        async def question(account):
            server.on(
                "POST /orders",
                lambda request: Answer(
                    json=[{"success": True, "errorMsg": "invalid expiration"}] * len(request.json())
                ),
            )
            return await account.post(sign(account, 32))

        assert len(ask(server, question)) == 32
        sizes = [len(request.json()) for request in server.requests if request.path == "/orders"]
        assert sorted(sizes) == [2, 15, 15]

    def test_each_order_is_post_only_good_till_a_date_and_does_not_wait(self, server):
        post(server, lambda ids: Answer(json=[good(one) for one in ids]))
        (sent,) = next(request.json() for request in server.requests if request.path == "/orders")
        assert (sent["orderType"], sent["postOnly"], sent["deferExec"]) == ("GTD", True, True)
        assert (sent["order"]["makerAmount"], sent["order"]["takerAmount"]) == ("6100000", "10000000")
        assert sent["order"]["expiration"] == "1900000000"


class TestCancels:
    """Only what was asked for is cancelled, and only what is named as gone is believed to be."""

    def cancel(self, server, answer, ids):
        server.on("DELETE /orders", answer)
        return ask(server, lambda account: account.cancel(ids))

    def test_canceled_and_not_canceled(self, server):
        left = {"0xb": "already canceled or matched", "0xc": "the exchange is thinking"}
        answers = self.cancel(
            server, Answer(json={"canceled": ["0xa"], "not_canceled": left}), ["0xa", "0xb", "0xc", "0xd"]
        )
        assert [(one.confirmed, one.matched) for one in answers] == [
            (True, False),
            (True, True),
            (False, False),
            (False, False),
        ]
        assert {request.path for request in server.requests} <= {"/auth/derive-api-key", "/orders"}

    @pytest.mark.parametrize("answer", [Drop(), Cut(), Answer(status=500), Answer(status=429), Answer(body=b"<html>")])
    def test_what_was_not_answered_is_not_confirmed(self, server, answer):
        answers = self.cancel(server, answer, ["0xa"])
        assert [one.confirmed for one in answers] == [False]
        assert sum(request.path == "/orders" for request in server.requests) == 1

    def test_at_most_a_burst_in_a_call(self, server):
        ids = [f"0x{number}" for number in range(150)]
        answers = self.cancel(
            server, lambda request: Answer(json={"canceled": request.json(), "not_canceled": {}}), ids
        )
        assert [one.order_id for one in answers] == ids
        assert max(len(request.json()) for request in server.requests if request.path == "/orders") <= 120


ROW = {
    "id": "0xa",
    "status": "LIVE",
    "asset_id": "111",
    "side": "BUY",
    "original_size": "10",
    "size_matched": "2.5",
    "price": "0.61",
    "created_at": 1766000000,
    "maker_address": WALLET,
    "expiration": None,
}


class TestReads:
    """Listing, look-ups, trades and balances, in every form that API.md tells of."""

    def test_a_listing_is_read_to_its_end(self, server):
        second = {**ROW, "id": "0xb"}
        server.on(
            "GET /data/orders",
            Answer(json={"data": [ROW], "next_cursor": "Mg=="}),
            Answer(json={"data": [second], "next_cursor": "LTE="}),
        )
        found = ask(server, lambda account: account.open_orders())
        assert [(one.order_id, one.size, one.matched) for one in found] == [
            ("0xa", D(10), D("2.5")),
            ("0xb", D(10), D("2.5")),
        ]

    def test_a_listing_that_goes_round_is_no_listing(self, server):
        server.on("GET /data/orders", Answer(json={"data": [ROW], "next_cursor": "Mg=="}))
        with pytest.raises(BadAnswer):
            ask(server, lambda account: account.open_orders())

    @pytest.mark.parametrize(
        ("answer", "wanted"),
        [
            (Answer(json={**ROW, "status": "ORDER_STATUS_LIVE"}), (OrderFate.LIVE, D("2.5"))),
            (Answer(json={**ROW, "status": "MATCHED", "size_matched": "10"}), (OrderFate.CLOSED, D(10))),
            (Answer(json={**ROW, "status": "CANCELED_MARKET_RESOLVED"}), (OrderFate.CLOSED, D("2.5"))),
            (Answer(json={**ROW, "status": "ORDER_STATUS_INVALID", "size_matched": "0"}), (OrderFate.CLOSED, D(0))),
            (Answer(status=404, json={"error": "not found"}), (OrderFate.UNKNOWN, D(0))),
            (Answer(body=b"null"), (OrderFate.UNKNOWN, D(0))),
        ],
    )
    def test_a_look_up(self, server, answer, wanted):
        server.on("GET /data/order/0xa", answer)
        found = ask(server, lambda account: account.look_up("0xa"))
        assert isinstance(found, LookUp)
        assert (found.fate, found.matched) == wanted

    @pytest.mark.parametrize("time", ["1766000000", 1766000000, "1766000000000", "2025-12-17T19:33:20Z"])
    def test_our_part_as_a_maker_is_our_leg(self, server, time):
        leg = {"order_id": "0xa", "matched_amount": "4", "price": "0.61", "side": "BUY", "asset_id": "111"}
        trade = {
            "id": "t1",
            "status": "TRADE_STATUS_CONFIRMED",
            "side": "SELL",
            "size": "99",
            "price": "0.61",
            "asset_id": "111",
            "match_time": time,
            "taker_order_id": "0xelse",
            "trader_side": "MAKER",
            "maker_address": "0x" + "99" * 20,
            "maker_orders": [
                {**leg, "maker_address": WALLET.lower(), "owner": "key-1"},
                {**leg, "order_id": "0xother", "maker_address": "0x" + "88" * 20, "owner": "other"},
            ],
        }
        server.on("GET /data/trades", Answer(json={"data": [trade], "next_cursor": "LTE="}))
        (fill,) = ask(server, lambda account: account.fills(after=D(0)))
        assert (fill.order_id, fill.side, fill.size, fill.status) == ("0xa", Side.BUY, D(4), TradeStatus.CONFIRMED)
        assert fill.ts == 1766000000

    def test_a_balance_is_refreshed_and_exact(self, server):
        server.on("GET /balance-allowance/update", Answer())
        server.on("GET /balance-allowance", Answer(json={"balance": "12345678", "allowances": {}}))
        assert ask(server, lambda account: account.balance("111")) == D("12.345678")
        paths = [request.path for request in server.requests]
        assert paths.index("/balance-allowance/update") < paths.index("/balance-allowance")

    def test_credentials_are_derived_and_created_only_where_there_are_none(self, server):
        server.on("GET /auth/derive-api-key", Answer(status=404, json={"error": "no key"}))
        server.on("POST /auth/api-key", Answer(json=CREDENTIALS))
        server.on("GET /balance-allowance", Answer(json={"balance": "1000000"}))
        assert ask(server, lambda account: account.cash()) == D(1)
        assert [request.path for request in server.requests[:2]] == ["/auth/derive-api-key", "/auth/api-key"]

    def test_the_pages_of_trades_are_put_together_oldest_first_and_each_trade_once(self, server):
        def trade(trade_id, at, size, status="CONFIRMED"):
            return {
                "id": trade_id,
                "status": status,
                "side": "BUY",
                "size": size,
                "price": "0.61",
                "asset_id": "111",
                "match_time": at,
                "taker_order_id": "0xa",
                "trader_side": "TAKER",
                "maker_address": WALLET,
            }

        first = [trade("t3", 1766000009, "3"), trade("t2", 1766000005, "2", "MINED"), trade("t0", 1766000004, "9")]
        second = [trade("t2", 1766000005, "2"), trade("t1", 1766000005, "1")]
        server.on(
            "GET /data/trades",
            Answer(json={"data": first, "next_cursor": "Mg=="}),
            Answer(json={"data": second, "next_cursor": "LTE="}),
        )
        found = ask(server, lambda account: account.fills(after=D("1766000005.7")))
        # Match times are whole seconds, so one in the second of `after` may be later than it.
        assert [(fill.trade_id, fill.size) for fill in found] == [("t1", D(1)), ("t2", D(2)), ("t3", D(3))]
        assert {fill.status for fill in found} == {TradeStatus.CONFIRMED}  # t2 as it was told last
        asked = server.asked("GET /data/trades")
        assert [request.one("next_cursor") for request in asked] == ["MA==", "Mg=="]
        assert {request.one("after") for request in asked} == {"1766000004"}

    def test_a_trade_without_a_part_of_ours_is_told(self, server):
        trade = {"id": "t1", "status": "MINED", "match_time": 1766000000, "trader_side": "MAKER", "maker_orders": []}
        server.on("GET /data/trades", Answer(json={"data": [trade], "next_cursor": "LTE="}))
        with capture_logs() as log:
            assert ask(server, lambda account: account.fills(after=D(0))) == ()
        assert [(line["log_level"], line["trade_id"]) for line in log] == [("warning", "t1")]

    @pytest.mark.parametrize("path", ["/data/orders", "/data/trades"])
    def test_one_row_that_makes_no_sense_spoils_a_listing(self, server, path):
        """With a hole in it the same shares would be bought twice."""
        server.on(f"GET {path}", Answer(json={"data": [{"id": "0xa"}], "next_cursor": "LTE="}))
        with pytest.raises(BadAnswer):
            ask(server, lambda account: account.open_orders() if "orders" in path else account.fills(after=D(0)))

    def test_pages_without_an_end_are_cut_off(self, server):
        pages = iter(range(10_000))
        server.on("GET /data/orders", lambda request: Answer(json={"data": [], "next_cursor": f"c{next(pages)}"}))
        with pytest.raises(BadAnswer, match="no end"):
            ask(server, lambda account: account.open_orders())
        assert len(server.asked("GET /data/orders")) == 500

    def test_an_order_on_two_pages_is_one(self, server):
        server.on(
            "GET /data/orders",
            Answer(json={"data": [{**ROW, "size_matched": "1"}], "next_cursor": "Mg=="}),
            Answer(json={"data": [ROW], "next_cursor": "LTE="}),
        )
        (order,) = ask(server, lambda account: account.open_orders())
        assert order.matched == D("2.5")

    @pytest.mark.parametrize("answer", [Answer(status=400, json={"error": "Invalid orderID"}), Answer(status=500)])
    def test_a_look_up_that_was_refused_proves_nothing(self, server, answer):
        server.on("GET /data/order/0xa", answer)
        with pytest.raises(Unreachable):
            ask(server, lambda account: account.look_up("0xa"))


V2 = "456322662693127080402085893806415780684933579476723864069977356327020658688"


class TestBalances:
    """API.md: the asset type goes by the shape of the id, the signature type is always sent."""

    @pytest.mark.parametrize(
        ("question", "wanted", "updates"),
        [
            (lambda account: account.cash(), {"asset_type": "COLLATERAL"}, 0),
            (lambda account: account.balance("111"), {"asset_type": "CONDITIONAL", "token_id": "111"}, 1),
            (lambda account: account.balance(V2), {"asset_type": "CONDITIONAL-V2", "token_id": V2}, 1),
        ],
    )
    def test_are_asked_for_by_their_kind(self, server, question, wanted, updates):
        server.on("GET /balance-allowance/update", Answer())
        server.on("GET /balance-allowance", Answer(json={"balance": "1500000"}))
        assert ask(server, question) == D("1.5")
        asked = [request for request in server.requests if request.path.startswith("/balance-allowance")]
        assert len(asked) == 1 + updates
        assert all(dict(request.query) == {**wanted, "signature_type": "0"} for request in asked)

    def test_cash_is_refreshed_when_asked(self, server):
        server.on("GET /balance-allowance/update", Answer(body=b"<odd>"))
        ask(server, lambda account: account.refresh_cash())
        (request,) = server.asked("GET /balance-allowance/update")
        assert dict(request.query) == {"asset_type": "COLLATERAL", "signature_type": "0"}

    def test_a_balance_that_could_not_be_refreshed_is_none(self, server):
        server.on("GET /balance-allowance/update", Answer(status=500))
        server.on("GET /balance-allowance", Answer(json={"balance": "1500000"}))
        with pytest.raises(Unreachable):
            ask(server, lambda account: account.balance("111"))
        assert server.asked("GET /balance-allowance") == []

    @pytest.mark.parametrize("token_id", ["0x6f", "", " 1", "0111"])
    def test_of_what_is_no_token_nothing_is_asked(self, server, token_id):
        with pytest.raises(Unreachable):
            ask(server, lambda account: account.balance(token_id))
        assert server.requests == []
