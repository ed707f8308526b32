"""What a day has cost and made (day.py): fills and prices in, two numbers out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.day import Day, filled, marked, prices_of
from copytrade.domain.model import Book, Ledger, Position, Positions, Side, Snapshot, Today

D = Decimal
NOON = D(1766000000) // 86400 * 86400 + 43200
KEY, OTHER = "0xc1:0", "0xc2:0"


def told(*story):
    """The books after this story: ("BUY 10 @ 0.5"), ("price 0.4") or ("holds 30"), each on one token."""
    day, held, price = Day(start=NOON - 43200), D(0), None
    for words in story:
        match words.split():
            case [("BUY" | "SELL") as side, size, "@", paid]:
                day = filled(day, KEY, Side(side), D(paid), D(size), NOON)
                held += D(size) if side == "BUY" else -D(size)
            case ["price", "unknown"]:
                price = None
            case ["price", what]:
                price = D(what)
            case ["holds", shares]:  # by another hand
                held = D(shares)
            case _:
                raise AssertionError(words)
        if words.startswith(("price", "holds")):
            day = marked(day, {KEY: held}, {} if price is None else {KEY: price}, NOON)
    return day.spent, day.result


STORIES = [
    # bought, and worth less
    (["BUY 10 @ 0.5", "price 0.4"], (5, -1)),
    (["BUY 10 @ 0.5", "price 0.4", "price 0.6"], (5, 1)),
    # bought and sold again: what is realised stays
    (["BUY 10 @ 0.5", "SELL 10 @ 0.4", "price 0.9"], (5, -1)),
    (["BUY 10 @ 0.5", "price 0.4", "SELL 10 @ 0.4", "price 0.9"], (5, -1)),
    (["BUY 10 @ 0.5", "BUY 10 @ 0.3", "price 0.4"], (8, 0)),
    # held from before: it counts from the day's first price
    (["holds 100", "price 0.5", "price 0.4"], (0, -10)),
    (["holds 100", "price 0.5", "SELL 50 @ 0.45", "price 0.4"], (0, "-7.5")),
    # by another hand shares come and go, and are neither a gain nor a loss
    (["holds 100", "price 0.5", "holds 0", "price 0.1"], (0, 0)),
    (["holds 100", "price 0.5", "holds 500", "price 0.5"], (0, 0)),
    (["holds 100", "price 0.5", "price 0.4", "holds 1000", "price 0.4"], (0, -10)),  # a deposit hides no loss
    (["holds 100", "price 0.5", "holds 0", "price 0.5", "holds 100", "price 0.1"], (0, -40)),  # back: it counts again
    # an unknown price changes nothing; the last known one stands, or what was paid
    (["holds 100", "price 0.5", "price unknown", "price 0.4"], (0, -10)),
    (["BUY 10 @ 0.5", "price unknown"], (5, 0)),
    (["holds 100", "price unknown", "price 0.4"], (0, 0)),
    # lost altogether
    (["BUY 10 @ 0.5", "price 0.5", "price 0"], (5, -5)),
    # a trade that failed: its result goes, what was spent stays
    (["BUY 10 @ 0.5", "price 0.4", "BUY -10 @ 0.5"], (5, 0)),
    (["holds 10", "price 0.5", "SELL 10 @ 0.6", "SELL -10 @ 0.6"], (0, 0)),
]


@pytest.mark.parametrize(("story", "end"), STORIES, ids=[", ".join(story) for story, _ in STORIES])
def test_what_a_day_has_cost_and_made(story, end):
    assert told(*story) == tuple(D(number) for number in end)


@pytest.mark.parametrize(
    ("held", "prices", "kept"),
    [
        ({KEY: "1"}, {KEY: "0.4"}, {KEY: "0.4"}),
        ({KEY: "0.01"}, {KEY: "0.4"}, {KEY: "0.4"}),
        ({KEY: "0"}, {KEY: "0.4"}, {}),  # what is not held is in no book
        ({KEY: "-1"}, {KEY: "0.4"}, {}),
        ({KEY: "1"}, {}, {KEY: "0.5"}),  # the last known price stands
        ({OTHER: "1"}, {}, {}),  # nobody ever told one
        ({KEY: "1", OTHER: "2"}, {KEY: "0.4", OTHER: "0.3"}, {KEY: "0.4", OTHER: "0.3"}),
        ({KEY: "0", OTHER: "2"}, {OTHER: "0.3"}, {OTHER: "0.3"}),
    ],
)
def test_at_which_prices_the_books_stand(held, prices, kept):
    def numbers(texts):
        return {key: D(text) for key, text in texts.items()}

    books = Day(start=NOON - 43200, prices={KEY: D("0.5")})
    assert marked(books, numbers(held), numbers(prices), NOON).prices == numbers(kept)


def test_a_fill_leaves_the_prices_of_other_tokens():
    books = Day(start=NOON - 43200, prices={OTHER: D("0.3")})
    assert filled(books, KEY, Side.BUY, D("0.5"), D(10), NOON).prices == {OTHER: D("0.3"), KEY: D("0.5")}


@pytest.mark.parametrize("name", ["start", "spent", "result"])
def test_books_with_a_number_that_cannot_be_are_refused(name):
    for odd in (D("NaN"), D("Infinity"), *(() if name == "result" else (D("-0.01"),))):
        with pytest.raises(ValueError, match=name):
            Day(**{name: odd})


class TestWhenADayBegins:
    YESTERDAY = Day(start=NOON - 43200, spent=D(5), result=D(-3), prices={KEY: D("0.5")})

    @pytest.mark.parametrize("now", [NOON - 43200, NOON, NOON + D("43199.999"), NOON - 43201, NOON - 86400])
    def test_the_same_day_goes_on_even_if_the_clock_is_set_back(self, now):
        assert self.YESTERDAY.today(now) == Today(spent=D(5), result=D(-3))

    @pytest.mark.parametrize("now", [NOON + 43200, NOON + 10**6, NOON - 10**6])
    def test_a_new_one_begins_with_nothing(self, now):
        assert self.YESTERDAY.today(now) == Today()
        assert filled(self.YESTERDAY, KEY, Side.BUY, D("0.4"), D(10), now).spent == 4

    def test_what_is_held_over_night_counts_from_the_first_price_of_the_day(self):
        morning = marked(self.YESTERDAY, {KEY: D(100)}, {KEY: D("0.1")}, NOON + 43200)
        assert morning.result == 0
        assert marked(morning, {KEY: D(100)}, {KEY: D("0.2")}, NOON + 43220).result == 10


class TestByAnyStory:
    """The result is the cash flow of our fills, and what the holdings are worth more than at the first price."""

    @given(
        first=st.integers(1, 99),
        steps=st.lists(st.tuples(st.sampled_from(["BUY", "SELL", "price"]), st.integers(1, 50), st.integers(1, 99))),
    )
    def test_cash_flow_and_value(self, first, steps):
        day, held = marked(Day(), {KEY: D(100)}, {KEY: D(first) / 100}, NOON), D(100)
        cash, price, spent = D(0), D(first) / 100, D(0)
        for what, size, cents in steps:
            at = D(cents) / 100
            if what == "price":
                price = at
                day = marked(day, {KEY: held}, {KEY: price}, NOON)
                continue
            size = D(size) if what == "BUY" else min(D(size), held)
            day = filled(day, KEY, Side(what), at, size, NOON)
            held += size if what == "BUY" else -size
            cash += -size * at if what == "BUY" else size * at
            spent += size * at if what == "BUY" else 0
            day = marked(day, {KEY: held}, {KEY: price}, NOON)
        assert day.result == cash + held * price - 100 * D(first) / 100
        assert day.spent == spent


class TestPrices:
    def of(self, *, mine=None, target=None, book=None):
        def row(facts):
            facts = {"token_key": KEY, "condition_id": "0xc1", "outcome_index": 0, "size": D(5), **facts}
            return Positions(positions=(Position(**facts),))

        return prices_of(
            Snapshot(
                now=NOON,
                mine=Positions() if mine is None else row(mine),
                target=Positions() if target is None else row(target),
                token_map={KEY: "111"},
                books={} if book is None else {"111": Book(**{name: D(price) for name, price in book.items()})},
                ledgers={KEY: Ledger(base=D(5))},
            )
        ).get(KEY, "unknown")

    def test_the_feed_first(self):
        book = {"best_bid": "0.4", "best_ask": "0.6", "last_trade_price": "0.45"}
        assert self.of(mine={"current_price": D("0.3")}, target={"current_price": D("0.2")}, book=book) == D("0.3")
        assert self.of(mine={}, target={"current_price": D("0.2")}, book=book) == D("0.2")
        assert self.of(mine={}, target={}, book=book) == D("0.45")
        assert self.of(book={**book, "last_trade_price": "0"}) == D("0.5")

    def test_what_was_paid_is_no_price(self):
        assert self.of(mine={"avg_price": D("0.3")}, target={"avg_price": D("0.3")}) == "unknown"

    def test_a_resolved_outcome_is_worth_what_the_feed_says(self):
        assert self.of(mine={"redeemable": True}) == 0
        assert self.of(mine={"redeemable": True, "current_price": D(1)}) == 1
        assert self.of(mine={}, target={"redeemable": True, "current_price": D(1)}) == 1

    def test_only_what_we_have_traded_counts(self):
        facts = Snapshot(now=NOON, mine=Positions(positions=(Position(
            token_key=OTHER, condition_id="0xc2", outcome_index=0, size=D(5), current_price=D("0.5")
        ),)))  # fmt: skip
        assert prices_of(facts) == {}
