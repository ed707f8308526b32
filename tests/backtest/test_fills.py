"""How much of an order fills: tables that a trader could check, and the order of the models."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.backtest.accounting import taker_fee
from copytrade.app.backtest.assumptions import Assumptions, FillModel, Terms
from copytrade.app.backtest.fills import Resting, by_book, by_price, by_trade, joined
from copytrade.app.backtest.tape import Levels
from copytrade.domain.model import Side

D = Decimal


def bid(size: str = "20", behind: str = "40", price: str = "0.50") -> Resting:
    """Our BUY at 0.50, which came when `behind` shares of others stood there."""
    order = Resting(
        order_id="0x1", token_key="0xc1:0", token_id="111", side=Side.BUY, price=D(price), size=D(size), ts=D(0),
        expires=D(10**9),
    )  # fmt: skip
    joined(order, levels(f"0.50x{behind}"))
    return order


def levels(*texts: str) -> Levels:
    pairs = [text.split("x") for text in texts]
    return tuple((D(price), D(size)) for price, size in pairs)


@pytest.mark.parametrize(
    ("trade", "optimistic", "share", "pessimistic"),
    [
        ("SELL 60 @ 0.50", "20", "20.00", "20.00"),  # 40 ahead, 20 for us; by size 20 of 60
        ("SELL 30 @ 0.50", "20", "10.00", "0"),
        ("SELL 10 @ 0.50", "10.00", "3.33", "0"),
        ("SELL 5 @ 0.49", "5.00", "5.00", "5.00"),  # through our price: the queue was used up
        ("SELL 500 @ 0.49", "20", "20", "20"),
        ("SELL 60 @ 0.51", "0", "0", "0"),  # somebody else's price
        ("BUY 60 @ 0.50", "0", "0", "0"),  # it came to the other side
    ],
)
def test_a_trade_fills_by_its_price_and_the_queue(trade, optimistic, share, pessimistic):
    side, size, _, price = trade.split()
    got = [by_trade(model, bid(), D(price), D(size), Side(side)) for model in FillModel]
    assert got == [D(optimistic), D(share), D(pessimistic)]


@pytest.mark.parametrize(
    ("bids", "asks", "optimistic", "share", "pessimistic"),
    [
        (("0.50x40",), ("0.52x9",), "0", "0", "0"),  # nothing moved
        (("0.50x25",), ("0.52x9",), "15.00", "5.00", "0"),  # 15 left the level: trades, or cancels
        (("0.49x70",), ("0.52x9",), "20", "13.33", "0"),  # the level is gone
        (("0.49x70",), ("0.50x9",), "9.00", "9.00", "9.00"),  # somebody offers at our price: we would have had it
        (("0.48x70",), ("0.49x90",), "20", "20", "20"),
    ],
)
def test_a_book_fills_by_what_left_the_level_or_stands_across(bids, asks, optimistic, share, pessimistic):
    got = [by_book(model, bid(), levels(*bids), levels(*asks), has_trades=False) for model in FillModel]
    assert got == [D(optimistic), D(share), D(pessimistic)]


def test_what_stands_across_our_price_fills_us_once():
    order = bid()
    for filled in ("9.00", "0", "3.00"):  # 9 offered, still 9, then 12
        offered = {"9.00": "9", "0": "9", "3.00": "12"}[filled]
        got = by_book(FillModel.PESSIMISTIC, order, (), levels(f"0.50x{offered}"), has_trades=False)
        assert got == D(filled)
        order.matched += got


def test_who_leaves_ahead_of_us_lets_us_move_up():
    order = bid()
    assert by_book(FillModel.PESSIMISTIC, order, levels("0.50x5"), levels("0.52x9"), has_trades=True) == 0
    assert by_trade(FillModel.PESSIMISTIC, order, D("0.50"), D(12), Side.SELL) == 7


def test_with_trades_on_the_tape_a_thinner_level_fills_nobody():
    assert by_book(FillModel.OPTIMISTIC, bid(), levels("0.50x1"), levels("0.52x9"), has_trades=True) == 0


def test_a_level_that_was_not_the_best_is_left_by_cancels_only():
    order = bid()
    joined(order, levels("0.51x5", "0.50x40"))
    assert by_book(FillModel.OPTIMISTIC, order, levels("0.51x5", "0.50x1"), (), has_trades=False) == 0


@pytest.mark.parametrize(
    ("price", "optimistic", "others"), [("0.49", "20", "20"), ("0.50", "20", "0"), ("0.51", "0", "0")]
)
def test_a_price_alone(price, optimistic, others):
    got = [by_price(model, bid(), D(price)) for model in FillModel]
    assert got == [D(optimistic), D(others), D(others)]


MOVES = st.tuples(st.sampled_from(["trade", "book"]), st.integers(48, 52), st.integers(0, 80))


class TestTheOrderOfTheModels:
    """Whatever the market does, optimism fills an order at least as much as pessimism, and never more than its size."""

    @given(
        size=st.integers(1, 50),
        behind=st.integers(0, 100),
        moves=st.lists(
            st.tuples(st.sampled_from(["trade", "book"]), st.integers(48, 52), st.integers(0, 80)), max_size=12
        ),
        has_trades=st.booleans(),
    )
    def test_optimistic_is_never_behind(self, size, behind, moves, has_trades):
        totals = {}
        for model in FillModel:
            order = bid(str(size), str(behind))
            for kind, price, amount in moves:
                if order.rest <= 0:
                    break
                at = D(price) / 100
                if kind == "trade" and has_trades:
                    order.matched += by_trade(model, order, at, D(amount), Side.SELL)
                elif kind == "book":
                    own = ((D("0.50"), D(amount)),) if price != 49 else ((D("0.49"), D(amount)),)
                    across = ((at, D(amount)),) if price < 50 and amount else ()
                    order.matched += by_book(model, order, own, across, has_trades=has_trades)
            totals[model] = order.matched
            assert 0 <= order.matched <= size
        assert totals[FillModel.OPTIMISTIC] >= totals[FillModel.PESSIMISTIC]
        assert totals[FillModel.OPTIMISTIC] >= totals[FillModel.SHARE]


def test_a_fee_by_the_exchange_s_formula():
    terms = Terms(tick_size=None, min_order_size=D(5), fee_rate=D("0.07"), fee_exponent=D(2))
    assert taker_fee(D("0.5"), D(100), terms) == D("0.4375")
    assert taker_fee(D("0.5"), D(100), evolve(terms, fee_rate=D(0))) == 0


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"feed_lag_sec": D(-1)}, "feed_lag_sec"),
        ({"refusal_rate": D("1.5")}, "refusal_rate"),
        ({"latency_sec": D(20)}, "poll_interval_sec"),
        ({"poll_interval_sec": D(0)}, "above 0"),
        ({"start_cash": D("NaN")}, "start_cash"),
    ],
)
def test_assumptions_that_cannot_be_are_refused(settings, names):
    with pytest.raises(ValueError, match=names):
        Assumptions(**settings)
