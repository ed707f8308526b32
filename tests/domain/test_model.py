"""A record that makes no sense cannot be built, and what is left out is nothing."""

from decimal import Decimal
from typing import Any

import pytest

from copytrade.domain.amounts import CENT
from copytrade.domain.model import (
    CENT_SHARE,
    Book,
    Cancel,
    CancelReason,
    Exposure,
    Ledger,
    Mode,
    Order,
    Place,
    Plan,
    Position,
    Positions,
    Reason,
    Side,
    Snapshot,
    Today,
)
from copytrade.domain.policy import Policy

D = Decimal
BELOW = (D("-0.000001"), D("NaN"), D("Infinity"))
NO_PRICE = (*BELOW, D(0), D(1))
GOOD: dict[type, dict[str, Any]] = {
    Position: {"token_key": "0xc1:0", "condition_id": "0xc1", "outcome_index": 0, "size": D(1)},
    Book: {},
    Order: {"order_id": "0xaa", "side": Side.BUY, "price": D("0.5"), "size": D(10)},
    Ledger: {"base": D(1)},
    Today: {},
    Snapshot: {"now": D(1)},
    Place: {
        "token_key": "0xc1:0", "token_id": "111", "side": Side.BUY, "price": D("0.5"), "size": D(1),
        "tick_size": D("0.01"),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "name", "odd"),
    [
        *((Position, name, BELOW) for name in ("size", "avg_price", "current_price")),
        *((Book, name, NO_PRICE) for name in ("best_bid", "best_ask", "tick_size")),
        *((Book, name, BELOW) for name in ("min_order_size", "last_trade_price")),
        (Order, "price", NO_PRICE),
        (Order, "size", (*BELOW, D(0))),
        (Order, "matched", (*BELOW, D("10.01"))),
        (Order, "ts", BELOW),
        *((Ledger, name, BELOW) for name in ("base", "bought", "sold", "moved_at", "seen", "avg_price")),
        (Today, "spent", BELOW),
        (Today, "result", (D("NaN"), D("Infinity"), D("-Infinity"))),  # below 0 is a loss
        (Snapshot, "cash", BELOW),
        (Place, "price", NO_PRICE),
        (Place, "size", (*BELOW, D(0))),
        (Place, "tick_size", NO_PRICE),
    ],
)
def test_a_number_that_cannot_be_is_refused(record, name, odd):
    record(**GOOD[record])
    for value in odd:
        with pytest.raises(ValueError, match=name):
            record(**{**GOOD[record], name: value})


def test_the_edges_are_inside():
    assert Position(**{**GOOD[Position], "size": D(0)}).size == 0
    assert Order(**{**GOOD[Order], "matched": D(10)}).rest == 0
    assert Order(**{**GOOD[Order], "size": D("0.01")}).rest == D("0.01")
    assert Book(best_bid=D("0.0001"), best_ask=D("0.9999"), min_order_size=D(0)).min_order_size == 0


def test_what_is_left_out_is_nothing():
    assert Position(**GOOD[Position]) == Position(
        **GOOD[Position], avg_price=D(0), current_price=D(0), token_id=None, redeemable=False, slug="", title="",
        end_date="",
    )  # fmt: skip
    assert Positions() == Positions(ok=True, incomplete=False, positions=())
    assert Book() == Book(best_bid=None, best_ask=None, tick_size=None, min_order_size=None, last_trade_price=None)
    assert Order(**GOOD[Order]) == Order(**GOOD[Order], matched=D(0), ts=D(0), gone=False)
    assert Ledger(base=D(1)) == Ledger(
        base=D(1), bought=D(0), sold=D(0), moved_at=D(0), seen=None, final=True, avg_price=D(0), ours=True
    )
    assert Exposure(lo=D(0), hi=D(1)) == Exposure(lo=D(0), hi=D(1), unsure=D(0), warning="")
    assert Today() == Today(spent=D(0), result=D(0))
    assert Snapshot(now=D(1)) == Snapshot(
        now=D(1), policy=Policy(), target=Positions(), mine=Positions(), token_map={}, books={}, orders_ok=True,
        open_orders={}, in_doubt={}, foreign_orders={}, cash=None, ledgers={}, witnesses={}, target_history=(),
        holds={},
    )  # fmt: skip
    assert Place(**GOOD[Place]).post_only


@pytest.mark.parametrize(
    ("ok", "incomplete", "complete"),
    [(True, False, True), (True, True, False), (False, False, False), (False, True, False)],
)
def test_only_a_whole_answer_is_decided_upon(ok, incomplete, complete):
    assert Positions(ok=ok, incomplete=incomplete).complete is complete


def test_a_cent_of_a_share_is_the_step_of_all_rounding():
    assert CENT_SHARE == CENT


def test_what_is_believed():
    assert Ledger(base=D(60), bought=D(20), sold=D(5)).believed == 75


def test_a_plan_tells_its_cancels_from_its_places():
    cancel = Cancel(token_key=None, token_id="111", order_id="0xaa", reason=CancelReason.EXPIRED)
    place = Place(**GOOD[Place])
    plan = Plan(mode=Mode.NORMAL, actions=(cancel, place), decisions=())
    assert (plan.cancels, plan.places) == ((cancel,), (place,))


def test_the_words_of_documents_are_the_names():
    """They stand in snapshots, plans and journals (DESIGN 8), which have to be readable for ever."""
    assert all(one.value == one.name for kind in (Reason, CancelReason, Side) for one in kind)
    assert [mode.value for mode in Mode] == ["normal", "safe"]
