"""Orders, pages of them, and our part in trades, in every form that they are known in."""

from decimal import Decimal

import pytest

from copytrade.adapters.clob import decoding
from copytrade.app.ports import Fill, LookUp, OrderFate, TradeStatus
from copytrade.domain.model import Side
from copytrade.errors import BadAnswer
from tests.adapters.clob.samples import (
    AS_TAKER,
    CTF,
    ELSE,
    ID,
    LEG,
    ME,
    ORDER,
    OTHER_LEG,
    TRADE,
    V2_BINARY,
    WALLET,
    raw,
    without,
)

D = Decimal


# -- orders -----------------------------------------------------------------------------------------------------------


class TestAnOrder:
    def test_is_read_exactly(self):
        order = decoding.open_order(ORDER)
        assert (order.order_id, order.token_id, order.side) == (ID, CTF, Side.SELL)
        assert (order.price, order.size, order.matched, order.ts) == (D("0.5"), D(100), D("8.29"), D(1766000000))

    def test_never_has_matched_more_than_its_size(self):
        order = decoding.open_order({**ORDER, "original_size": "8.28"})
        assert (order.size, order.matched) == (D("8.29"), D("8.29"))

    @pytest.mark.parametrize("odd", [None, "", -1, True, [], {}])
    @pytest.mark.parametrize("key", ["id", "asset_id", "side", "original_size", "size_matched", "price", "created_at"])
    def test_that_is_odd_where_it_decides_is_refused(self, key, odd):
        with pytest.raises(BadAnswer):
            decoding.open_order({**ORDER, key: odd})

    @pytest.mark.parametrize("key", ["side", "original_size", "size_matched", "price", "created_at"])
    def test_and_so_is_one_with_a_text_that_is_none_of_what_is_wanted(self, key):
        with pytest.raises(BadAnswer):
            decoding.open_order({**ORDER, key: "odd"})

    @pytest.mark.parametrize(
        ("status", "matched", "fate"),
        [
            ("LIVE", "0", OrderFate.LIVE),
            ("ORDER_STATUS_LIVE", "3", OrderFate.LIVE),
            ("live", "3", OrderFate.LIVE),
            ("MATCHED", "100", OrderFate.CLOSED),
            ("ORDER_STATUS_MATCHED", "100", OrderFate.CLOSED),
            ("CANCELED", "3", OrderFate.CLOSED),
            ("CANCELLED", "0", OrderFate.CLOSED),
            ("ORDER_STATUS_CANCELED", "0", OrderFate.CLOSED),
            ("CANCELED_MARKET_RESOLVED", "3", OrderFate.CLOSED),
            ("CANCELED_EXPIRED_ORDER", "3", OrderFate.CLOSED),
            ("CANCELED_NOT_ENOUGH_BALANCE", "3", OrderFate.CLOSED),
            ("CANCELED_MARKET_NOT_FOUND", "3", OrderFate.CLOSED),
            ("CANCELED_ORDER_TIMED_OUT", "3", OrderFate.CLOSED),
            ("ORDER_STATUS_CANCELED_MARKET_RESOLVED", "3", OrderFate.CLOSED),
            ("INVALID", "0", OrderFate.CLOSED),
            ("MATCHED", "0", OrderFate.UNKNOWN),  # contradicts itself: the sizes lag
            ("DELAYED", "0", OrderFate.UNKNOWN),
            ("SOMETHING_NEW", "3", OrderFate.UNKNOWN),
        ],
    )
    def test_is_closed_only_by_a_status_that_says_so(self, status, matched, fate):
        found = decoding.look_up(ID, raw({**ORDER, "status": status, "size_matched": matched}))
        assert found == LookUp(order_id=ID, fate=fate, matched=D(matched))

    @pytest.mark.parametrize("answer", [b"", b"  ", b"null", b'""', b"{}", b"[]", b'{"error": "order not found"}'])
    def test_that_is_not_known_is_unknown_however_that_is_said(self, answer):
        assert decoding.look_up(ID, answer) == LookUp(order_id=ID, fate=OrderFate.UNKNOWN)

    @pytest.mark.parametrize("answer", [{**ORDER, "id": "0xother"}, without(ORDER, "status"), [ORDER], "LIVE", 5])
    def test_that_makes_no_sense_proves_nothing(self, answer):
        with pytest.raises(BadAnswer):
            decoding.look_up(ID, raw(answer))

    def test_ids_have_no_case(self):
        assert decoding.look_up(ID, raw({**ORDER, "id": ID.upper()})).fate is OrderFate.LIVE


class TestAPage:
    @pytest.mark.parametrize("cursor", ["LTE=", None, "missing"])
    def test_is_the_last_where_no_cursor_leads_on(self, cursor):
        page = without({"data": [1], "next_cursor": cursor}, "next_cursor" if cursor == "missing" else "")
        assert decoding.page(raw(page)) == decoding.Page(rows=[1], next_cursor=None)

    def test_leads_on_by_its_cursor(self):
        assert decoding.page(raw({"data": None, "next_cursor": "Mg=="})) == decoding.Page(rows=[], next_cursor="Mg==")

    @pytest.mark.parametrize(
        "page",
        [
            [],
            {},
            {"next_cursor": "LTE="},
            {"data": {}},
            {"data": [], "next_cursor": 5},
            {"data": [], "next_cursor": ""},
        ],
    )
    def test_that_is_none_is_refused(self, page):
        with pytest.raises(BadAnswer):
            decoding.page(raw(page))


# -- trades -----------------------------------------------------------------------------------------------------------

MADE = Fill(
    trade_id="t1",
    order_id=ID,
    token_id=CTF,
    side=Side.BUY,
    price=D("0.61"),
    size=D("8.29"),
    status=TradeStatus.CONFIRMED,
    ts=D(1766000000),
)
TOOK = Fill(
    trade_id="t1",
    order_id="0x7a",
    token_id=CTF,
    side=Side.SELL,
    price=D("0.6"),
    size=D("58.29"),
    status=TradeStatus.CONFIRMED,
    ts=D(1766000000),
    maker=False,
)
BY_ADDRESS = {"owner": "their-key"}
BY_OWNER = {"maker_address": ELSE}


class TestATrade:
    """API.md: a trade's own side and size are the taker's; as a maker our part is our entry in `maker_orders`."""

    @pytest.mark.parametrize("mark", [{}, BY_ADDRESS, BY_OWNER], ids=["both", "address", "owner"])
    def test_as_a_maker_our_part_is_our_leg(self, mark):
        assert decoding.fills({**TRADE, "maker_orders": [OTHER_LEG, {**LEG, **mark}]}, ME) == (MADE,)

    def test_as_the_taker_it_is_the_trade(self):
        assert decoding.fills({**TRADE, **AS_TAKER}, ME) == (TOOK,)

    @pytest.mark.parametrize("legs", [[], None])
    def test_as_the_taker_legs_may_be_missing(self, legs):
        assert decoding.fills({**TRADE, **AS_TAKER, "maker_orders": legs}, ME) == (TOOK,)

    def test_without_a_trader_side_the_marks_tell(self):
        assert decoding.fills(without(TRADE, "trader_side"), ME) == (MADE,)
        assert decoding.fills(without({**TRADE, **AS_TAKER}, "trader_side"), ME) == (TOOK,)

    def test_a_trade_that_bears_our_mark_as_a_whole_does_not_make_a_maker_the_taker(self):
        assert decoding.fills({**TRADE, "maker_address": WALLET, "owner": "our-key"}, ME) == (MADE,)

    def test_both_sides_may_be_ours(self):
        assert decoding.fills({**TRADE, **AS_TAKER, "maker_orders": [LEG]}, ME) == (MADE, TOOK)

    def test_two_orders_of_ours_are_two_fills_and_one_order_twice_is_one(self):
        second = {**LEG, "order_id": "0x02", "matched_amount": "1"}
        found = decoding.fills({**TRADE, "maker_orders": [LEG, second, {**LEG, "matched_amount": "1.71"}]}, ME)
        assert [(fill.order_id, fill.size) for fill in found] == [(ID, D(10)), ("0x02", D(1))]

    @pytest.mark.parametrize(
        ("asset", "side"),
        [(CTF, Side.BUY), (V2_BINARY, Side.SELL)],
        ids=["the same token: the other side", "the opposite outcome: the same side"],
    )
    def test_a_leg_without_a_side_follows_from_the_takers(self, asset, side):
        leg = without({**LEG, "asset_id": asset}, "side")
        (fill,) = decoding.fills({**TRADE, "maker_orders": [leg]}, ME)
        assert (fill.token_id, fill.side) == (asset, side)

    def test_a_trade_of_others_has_no_part_of_ours(self):
        assert decoding.fills({**TRADE, "maker_orders": [OTHER_LEG]}, ME) == ()

    @pytest.mark.parametrize("prefix", ["", "TRADE_STATUS_"])
    @pytest.mark.parametrize(
        ("status", "wanted"),
        [
            ("MATCHED", TradeStatus.PENDING),
            ("MATCHED_NOT_BROADCASTED", TradeStatus.PENDING),
            ("MINED", TradeStatus.PENDING),
            ("RETRYING", TradeStatus.PENDING),
            ("CONFIRMED", TradeStatus.CONFIRMED),
            ("FAILED", TradeStatus.FAILED),
            ("SOMETHING_NEW", TradeStatus.PENDING),
        ],
    )
    def test_only_confirmed_and_failed_are_final(self, prefix, status, wanted):
        (fill,) = decoding.fills({**TRADE, "status": prefix + status}, ME)
        assert fill.status is wanted

    @pytest.mark.parametrize("key", ["id", "match_time", "status"])
    def test_a_trade_with_a_hole_is_refused_and_not_skipped(self, key):
        with pytest.raises(BadAnswer):
            decoding.fills(without(TRADE, key), ME)

    @pytest.mark.parametrize("key", ["order_id", "asset_id", "matched_amount", "price"])
    def test_and_so_is_a_leg_of_ours_with_one(self, key):
        with pytest.raises(BadAnswer):
            decoding.fills({**TRADE, "maker_orders": [without(LEG, key)]}, ME)

    def test_what_others_have_in_it_need_not_make_sense(self):
        assert decoding.fills({**TRADE, "maker_orders": [LEG, {"maker_address": ELSE}]}, ME) == (MADE,)
