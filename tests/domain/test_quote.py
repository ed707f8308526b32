"""At which price an order goes out, and how small it may be (DESIGN 5, steps 4 and 5)."""

from decimal import Decimal

import pytest

from copytrade.domain.model import Order, Reason, Side
from copytrade.domain.policy import Policy
from copytrade.domain.quote import Quote, minimum_size, off_market, quote, top_without
from tests.domain.notation import plain, snapshot


def quoted(world: str) -> str:
    """`BUY book 0.61/0.63` -> `0.61`; ` taking` where it is not post-only, and the reason where there is none."""
    side, _, text = world.partition(" ")
    facts = snapshot(text)
    answer = quote(Side(side), facts.books.get("10"), facts.policy)
    if isinstance(answer, Reason):
        return answer.value
    return plain(answer.price) + ("" if answer.post_only else " taking")


@pytest.mark.parametrize(
    ("world", "price"),
    [
        # join the best of our own side
        ("BUY book 0.61/0.63", "0.61"),
        ("SELL book 0.61/0.63", "0.63"),
        ("BUY book 0.61/0.62", "0.61"),
        ("SELL book 0.61/0.62", "0.62"),
        ("BUY book 0.61/-", "0.61"),
        ("SELL book -/0.63", "0.63"),
        # nobody there: a tick away from the other side
        ("BUY book -/0.63", "0.62"),
        ("SELL book 0.61/-", "0.62"),
        ("BUY book -/0.63, tick 0.001", "0.629"),
        ("SELL book 0.61/-, tick 0.0001", "0.6101"),
        ("BUY book -/0.6, tick 0.1", "0.5"),
        # on the market's own tick, away from the other side
        ("BUY book 0.615/0.63", "0.61"),
        ("SELL book 0.61/0.625", "0.63"),
        ("BUY book -/0.625", "0.61"),  # 0.615
        ("SELL book 0.615/-", "0.63"),  # 0.625
        ("BUY book 0.55/0.61, tick 0.1", "0.5"),
        ("SELL book 0.48/0.55, tick 0.1", "0.6"),
        ("BUY book 0.6137/0.63, tick 0.0025", "0.6125"),
        ("SELL book 0.6137/0.6201, tick 0.005", "0.625"),
        ("BUY book 0.0001/0.0002, tick 0.0001", "0.0001"),
        ("SELL book 0.9998/0.9999, tick 0.0001", "0.9999"),
        # the configured tick is only the fallback
        ("BUY book 0.6155/0.63, no tick", "0.615"),
        ("BUY book 0.6155/0.63, no tick, default tick 0.01", "0.61"),
        ("BUY book 0.6155/0.63, tick 0.0001, default tick 0.01", "0.6155"),
        # inside [tick, 1 - tick]
        ("BUY book -/0.02", "0.01"),
        ("SELL book 0.98/-", "0.99"),
        ("BUY book 0.004/0.02", "0.01"),
        ("SELL book 0.98/0.996", "0.99"),
        ("BUY book 0.999/-", "0.99"),
        ("SELL book -/0.001", "0.01"),
        ("BUY book 0.004/-", "0.01"),
        ("SELL book -/0.996", "0.99"),
        # never at or through the opposite best
        ("BUY book -/0.01", "NO_ROOM"),
        ("SELL book 0.99/-", "NO_ROOM"),
        ("BUY book 0.004/0.01", "NO_ROOM"),
        ("BUY book 0.004/0.008", "NO_ROOM"),
        ("SELL book 0.99/0.996", "NO_ROOM"),
        ("SELL book 0.992/0.996", "NO_ROOM"),
        # a crossed, locked or empty book gives no order
        ("BUY book 0.63/0.61", "CROSSED_BOOK"),
        ("SELL book 0.63/0.61", "CROSSED_BOOK"),
        ("BUY book 0.62/0.62", "CROSSED_BOOK"),
        ("SELL book 0.62/0.62", "CROSSED_BOOK"),
        ("BUY book -/-", "NO_BOOK"),
        ("SELL book -/-", "NO_BOOK"),
        ("BUY hold 1", "NO_BOOK"),
        ("SELL hold 1", "NO_BOOK"),
        # maker_only false: at the opposite best, never through it
        ("BUY book 0.61/0.63, taker", "0.63 taking"),
        ("SELL book 0.61/0.63, taker", "0.61 taking"),
        ("BUY book -/0.63, taker", "0.63 taking"),
        ("SELL book 0.61/-, taker", "0.61 taking"),
        ("BUY book 0.61/-, taker", "0.61"),  # with no opposite side as a maker
        ("SELL book -/0.63, taker", "0.63"),
        ("BUY book 0.61/0.635, taker", "0.63 taking"),
        ("SELL book 0.605/0.63, taker", "0.61 taking"),
        ("BUY book -/0.01, taker", "0.01 taking"),
        ("SELL book 0.99/-, taker", "0.99 taking"),
        ("BUY book -/0.995, taker", "0.99 taking"),
        ("SELL book 0.005/-, taker", "0.01 taking"),
        ("BUY book -/0.004, taker", "NO_ROOM"),
        ("SELL book 0.996/-, taker", "NO_ROOM"),
        ("BUY book 0.63/0.61, taker", "CROSSED_BOOK"),
        ("SELL book 0.62/0.62, taker", "CROSSED_BOOK"),
        ("BUY book -/-, taker", "NO_BOOK"),
    ],
)
def test_price(world, price):
    assert quoted(world) == price


def test_the_tick_travels_with_the_price():
    facts = snapshot("book 0.61/0.63, tick 0.005")
    answer = quote(Side.BUY, facts.books["10"], facts.policy)
    assert answer == Quote(price=Decimal("0.61"), tick_size=Decimal("0.005"), post_only=True)


@pytest.mark.parametrize(
    ("side", "price", "current", "guarded"),
    [
        (Side.BUY, "0.61", "0.51", False),  # max_price_deviation is 0.10
        (Side.BUY, "0.6101", "0.51", True),
        (Side.BUY, "0.01", "0.99", False),  # cheap is no harm to a buyer
        (Side.SELL, "0.41", "0.51", False),
        (Side.SELL, "0.4099", "0.51", True),
        (Side.SELL, "0.99", "0.01", False),
        (Side.BUY, "0.99", None, False),
        (Side.SELL, "0.01", None, False),
    ],
)
def test_the_price_guard(side, price, current, guarded):
    known = None if current is None else Decimal(current)
    assert off_market(side, Decimal(price), known, Policy()) is guarded


@pytest.mark.parametrize(
    ("world", "size"),
    [
        ("BUY book 0.61/0.63", "5"),  # where the book has none
        ("BUY hold 1", "5"),
        ("BUY book 0.61/0.63, min 15", "15"),
        ("BUY book 0.61/0.63, min 1", "1"),
        ("BUY book 0.61/0.63, min 5.001", "5.01"),
        ("BUY book 0.61/0.63, min 0", "0.01"),
        ("BUY book 0.03/0.04", "5"),  # what rests need not be worth 1 pUSD
        # a marketable order must, rounded up to 0.01 share
        ("BUY book 0.02/0.03, taker", "33.34"),
        ("SELL book 0.02/0.03, taker", "50"),
        ("BUY book 0.1/0.2, taker", "5"),
        ("BUY book 0.1/0.19, taker", "5.27"),
        ("BUY book 0.1/0.5, taker", "5"),
        ("BUY book 0.1/0.5, min 1, taker", "2"),
        ("BUY book 0.02/-, taker", "5"),
    ],
)
def test_minimum_size(world, size):
    side, _, text = world.partition(" ")
    facts = snapshot(text)
    book = facts.books.get("10")
    answer = quote(Side(side), book, facts.policy)
    assert plain(minimum_size(book, None if isinstance(answer, Reason) else answer)) == size


@pytest.mark.parametrize(
    ("side", "levels", "own", "best"),
    [
        (Side.BUY, "0.60x50 0.61x10", "", "0.61"),
        (Side.BUY, "0.61x10 0.60x50", "", "0.61"),  # in any order
        (Side.SELL, "0.64x50 0.63x10", "", "0.63"),
        (Side.BUY, "0.60x50 0.61x10", "BUY 0.61x10", "0.60"),  # all of it is ours
        (Side.BUY, "0.60x50 0.61x10.01", "BUY 0.61x10", "0.61"),
        (Side.BUY, "0.60x50 0.61x10 0.61x5", "BUY 0.61x10", "0.61"),  # a level in two parts
        (Side.BUY, "0.60x50 0.61x10", "BUY 0.61x4 BUY 0.61x6", "0.60"),
        (Side.BUY, "0.60x50 0.61x10", "BUY 0.61x25", "0.60"),  # more than the book knows yet
        (Side.BUY, "0.60x50 0.61x10", "SELL 0.61x10", "0.61"),  # the other side's
        (Side.BUY, "0.60x50 0.61x10", "BUY 0.62x10", "0.61"),  # not in the book
        (Side.SELL, "0.64x50 0.63x10", "SELL 0.63x10", "0.64"),
        (Side.BUY, "0.61x10", "BUY 0.61x10", None),
        (Side.BUY, "0.61x0", "", None),
        (Side.SELL, "", "", None),
    ],
)
def test_our_own_orders_are_left_out_of_the_book(side, levels, own, best):
    pairs = [(Decimal(price), Decimal(size)) for price, size in (level.split("x") for level in levels.split())]
    words = own.split()
    ours = [
        Order(order_id=str(place), side=Side(words[place]), price=Decimal(price), size=Decimal(size))
        for place in range(0, len(words), 2)
        for price, size in [words[place + 1].split("x")]
    ]
    assert top_without(pairs, ours, side) == (None if best is None else Decimal(best))


def test_only_the_rest_of_an_order_is_in_the_book():
    part = Order(order_id="0x1", side=Side.BUY, price=Decimal("0.61"), size=Decimal(10), matched=Decimal(4))
    levels = [(Decimal("0.60"), Decimal(50)), (Decimal("0.61"), Decimal(6))]
    assert top_without(levels, [part], Side.BUY) == Decimal("0.60")
    assert top_without([(Decimal("0.61"), Decimal(7))], [part], Side.BUY) == Decimal("0.61")
