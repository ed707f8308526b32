"""What a share is worth, and how much may still be bought (DESIGN 5, "Caps only stop growth")."""

from decimal import Decimal

import pytest

from copytrade.domain.model import Reason
from copytrade.domain.policy import Policy
from copytrade.domain.risk import cap_price, current_price, risk_check
from tests.domain.notation import decision, outcome, plain, snapshot, wanted


@pytest.mark.parametrize(
    ("world", "price"),
    [
        ("hold 9, price 0.1, target price 0.2, avg 0.3, target avg 0.4, book 0.61/0.63", "0.62"),  # mid of the book
        ("hold 9, price 0.1, book 0.61/0.62", "0.615"),
        ("hold 9, price 0.1, book 0.61/-", "0.61"),  # one-sided: the side there is
        ("hold 9, price 0.1, book -/0.63", "0.63"),
        ("hold 9, price 0.1, target price 0.2, avg 0.3, target avg 0.4, book -/-", "0.1"),  # nobody quotes, so no book
        ("hold 9, price 0.1, target price 0.2, avg 0.3, target avg 0.4", "0.1"),  # our position's current price
        ("hold 9, price 0, target price 0.2, avg 0.3, target avg 0.4", "0.2"),  # else the target's
        ("hold 9, avg 0.3, target avg 0.4", "0.3"),  # else our average
        ("hold 9, target avg 0.4", "0.4"),  # else the target's
        ("hold 9, book -/-, last 0.7", None),  # none at all
    ],
)
def test_reference_price(world, price):
    found = decision(world).ref_price
    assert (found if found is None else plain(found)) == price


@pytest.mark.parametrize(
    ("world", "price"),
    [
        ("hold 9, price 0.1, target price 0.2, book 0.6/0.7, last 0.3", "0.1"),  # our position's
        ("hold 9, price 0, target price 0.2, book 0.6/0.7, last 0.3", "0.2"),  # else the target's
        ("target price 0.2, book 0.6/0.7, last 0.3", "0.2"),
        ("hold 9, avg 0.4, target avg 0.5, book 0.6/0.7, last 0.3", "0.3"),  # else the book's last trade
        ("hold 9, avg 0.4, target avg 0.5, book 0.6/0.7, last 0", None),
        ("hold 9, avg 0.4, target avg 0.5, book 0.6/0.7", None),
        ("hold 9", None),
    ],
)
def test_current_price(world, price):
    facts = snapshot(world)
    mine, target = ((*positions.positions, None)[0] for positions in (facts.mine, facts.target))
    found = current_price(facts.books.get("10"), mine, target)
    assert (found if found is None else plain(found)) == price


def test_a_share_of_unknown_worth_has_no_price_under_the_caps():
    assert cap_price(None, None) is None
    assert cap_price(Decimal("0.4"), None) == Decimal("0.4")


@pytest.mark.parametrize(
    ("world", "want"),
    [
        ("want 1000, price 0.8", "625"),  # 500 pUSD a token
        ("want 625, price 0.8", "625"),
        ("want 624.99, price 0.8", "624.99"),
        ("want 1000, price 0.8, cap 1", "1.25"),
        ("want 1000, price 0.3, cap 100", "333.33"),  # quantised down
        ("want 1000, price 0.8, hold 700", "700"),  # what is held stays: a cap never causes a sale
        ("want 650, price 0.8, hold 700", "650"),
        ("want 1000, price 0.8, hold 700.009", "700"),
        ("want 1000, price 0.8, hold 0, doubt BUY 700 @ 0.8", "700"),  # as hi, whatever is in doubt
        ("want 100..2000, price 0.5", "100..1000"),  # both ends of want
        ("want 1500..2000, price 0.5", "1000"),
        ("want 1000, price 0.4, avg 0.8", "625"),  # a falling price must not buy more
        ("want 1000, price 0.8, avg 0.4", "625"),
        ("want 1000, price 0.8, target avg 0.9", "625"),  # what the target paid is not what we did
        ("want 100, price 0.5, hold 40, cap 0", "40"),
        ("want 100, price 0.5, cap 0", "0"),
        ("want 100000", "100000"),  # of unknown worth: no cap to keep, and nothing will be bought
        ("want 1000, price 0.8, total 0", "625"),  # the total is shared out below, it cuts no want
    ],
)
def test_want_under_the_cap_of_the_token(world, want):
    assert wanted(world) == want


@pytest.mark.parametrize(
    ("world", "what"),
    [
        ("want 1000, hold 75, book 0.49/0.51, cap 50", "BUY 25 @ 0.49"),  # 100 shares at most
        ("want 1000, hold 80, book 0.49/0.51, cap 50", "BUY 20 @ 0.49"),
        ("want 1000, hold 95, book 0.49/0.51, cap 50", "BUY 5 @ 0.49"),
        ("want 1000, hold 95.01, book 0.49/0.51, cap 50", "nothing: TOKEN_CAP"),  # 4.99 are no order
        ("want 1000, hold 95.01, book 0.49/0.51, min 4, cap 50", "BUY 4.99 @ 0.49"),  # slice_min 5 is cut to it
        ("want 1000, hold 97, book 0.49/0.51, cap 50", "nothing: TOKEN_CAP"),  # in the band, by the cap only
        ("want 1000, hold 200, book 0.49/0.51, cap 50", "nothing: TOKEN_CAP"),
        ("want 203, hold 200, book 0.49/0.51, cap 50", "nothing: IN_BAND"),
        ("want 203.01, hold 200, book 0.49/0.51, cap 50", "nothing: TOKEN_CAP"),
        ("want 150, hold 200, book 0.49/0.51, cap 50", "SELL 25 @ 0.51"),
        ("want 1000, hold 80, book 0.49/0.51, avg 0.6, cap 50", "nothing: TOKEN_CAP"),  # 83.33 shares at what we paid
        # a requote: of the 16 that are cancelled any part may have filled, which leaves 4, or 5
        ("want 1000, hold 80, live BUY 16 @ 0.49 age 91, book 0.49/0.51, cap 50", "cancel live EXPIRED: TOKEN_CAP"),
        ("want 1000, hold 80, live BUY 15 @ 0.49 age 91, book 0.49/0.51, cap 50", "cancel live EXPIRED; BUY 5 @ 0.49"),
    ],
)
def test_the_cap_of_the_token(world, what):
    assert outcome(world) == what


A = "A: want 100, book 0.49/0.51"  # 0.5 a share


@pytest.mark.parametrize(
    ("world", "what"),
    [
        (f"{A}, total 12.5", "BUY 25 @ 0.49"),
        (f"{A}, total 10", "BUY 20 @ 0.49"),  # what does not fit is cut to what does
        (f"{A}, total 2.5", "BUY 5 @ 0.49"),
        (f"{A}, total 2.499", "nothing: TOTAL_CAP"),  # 4.99 are no order
        (f"{A}, total 5.009", "BUY 10.01 @ 0.49"),  # 10.018 shares
        (f"{A}, hold 10, total 10", "BUY 10 @ 0.49"),  # its own holding counts
        (f"{A}, hold 10, gone BUY 4 @ 0.4, total 10", "BUY 6 @ 0.49"),  # as hi
        (f"{A}, hold 60, total 20", "nothing: TOTAL_CAP"),  # over it already
        # everything that is held counts, at the greater of its price and what we paid
        (f"{A}, total 20 | B: want 30, hold 30, price 0.5", "A BUY 10 @ 0.49 | B nothing: IN_BAND"),
        (f"{A}, total 20 | B: want 30, hold 30, price 0.2, avg 0.5", "A BUY 10 @ 0.49 | B nothing: IN_BAND"),
        (f"{A}, total 20 | B: want 30, hold 30, price 0.5, avg 0.2", "A BUY 10 @ 0.49 | B nothing: IN_BAND"),
        (f"{A}, total 35 | B: want 30, hold 30", "A BUY 10 @ 0.49 | B nothing: IN_BAND"),  # of unknown worth: 1
        (f"{A}, total 20 | B: want 30, hold 10..30, price 0.5", "A BUY 10 @ 0.49 | B nothing: SETTLING"),  # as hi
        (f"{A}, total 20 | B: hold 30, price 0.5, blacklisted", "A BUY 10 @ 0.49 | B nothing: BLACKLISTED"),
        (f"{A}, total 20 | B: hold 30, price 0.5, no id", "A BUY 10 @ 0.49 | B nothing: UNRESOLVED"),
        (f"{A}, total 20 | B: want 0, hold 30, book 0.49/0.51", "A BUY 10 @ 0.49 | B SELL 25 @ 0.51"),  # not sold yet
        # what is left alone counts under no cap
        (f"{A}, total 20 | B: hold 30, price 0.5, redeemable", "A BUY 25 @ 0.49 | B nothing: REDEEMABLE"),
        (f"{A}, total 20 | B: hold 30, price 0.5, target redeemable", "A BUY 25 @ 0.49 | B nothing: REDEEMABLE"),
        (f"{A}, total 20, copied | B: hold 30, price 0.5", "A BUY 25 @ 0.49 | B nothing: NOT_OURS"),
        (f"{A}, total 12.5, copied | B: hold 30, price 0.5", "A BUY 25 @ 0.49 | B nothing: NOT_OURS"),
        (f"{A}, total 12.5 | B: hold 30, price 0.5, redeemable", "A BUY 25 @ 0.49 | B nothing: REDEEMABLE"),
        # … and where the feed has fallen back to before somebody bought it, the most counts of which no sale is due
        (f"{A}, total 20, copied | B: feed 0, ledger 50, not ours", "A BUY 25 @ 0.49 | B nothing: IN_BAND"),
        (f"{A}, total 10, copied | B: feed 0, ledger 50, not ours", "A BUY 14 @ 0.49 | B nothing: IN_BAND"),  # 3
        (f"{A}, total 20, copied | B: feed 0, ledger 50", "A nothing: TOTAL_CAP | B nothing: IN_BAND"),
        (
            f"{A}, total 20, copied | B: want 20, feed 20, ledger 50, not ours, price 0.5",
            "A BUY 17 @ 0.49 | B nothing: IN_BAND",
        ),
        (
            f"{A}, total 20, copied | B: want 20, feed 20, ledger 22, not ours, price 0.5",
            "A BUY 18 @ 0.49 | B nothing: IN_BAND",
        ),
        (
            f"{A}, total 20, copied | B: feed 0, ledger 9, not ours, doubt BUY 1 @ 0.9 age 9",
            "A BUY 20 @ 0.49 | B nothing: IN_BAND",
        ),
        (
            f"{A}, total 20, copied | B: feed 0, ledger 9, not ours, live BUY 1 @ 0.4",
            "A BUY 20 @ 0.49 | B cancel live OVERSHOOT: IN_BAND",
        ),
        # a BUY that rests counts at what it may pay
        (
            f"{A}, total 25 | B: want 30, price 0.5, live BUY 20 @ 0.8, guard 0.9",
            "A BUY 18 @ 0.49 | B nothing: RESTING",
        ),
        (f"{A}, total 20, copied | B: want 27, hold 30, price 0.5", "A BUY 10 @ 0.49 | B nothing: IN_BAND"),
        # rests of live BUYs that stay
        (f"{A}, total 20 | B: want 30, price 0.5, live BUY 20 @ 0.4", "A BUY 20 @ 0.49 | B nothing: RESTING"),
        (
            f"{A}, total 20 | B: want 30, price 0.5, live BUY 20 @ 0.4, matched 10",
            "A BUY 25 @ 0.49 | B nothing: RESTING",
        ),
        (f"{A}, total 20 | B: want 0, hold 20, price 0.5, live SELL 20 @ 0.6", "A BUY 20 @ 0.49 | B nothing: RESTING"),
        # what a BUY that is cancelled may still cost counts for all: the cancel may lose the race with a fill
        (
            f"{A}, total 20 | B: want 30, book 0.49/0.51, live BUY 20 @ 0.49 age 91",
            "A BUY 20 @ 0.49 | B cancel live EXPIRED: TOTAL_CAP",
        ),
        (
            f"{A}, total 10 | B: want 30, book 0.49/0.51, live BUY 20 @ 0.49 age 91",
            "A nothing: TOTAL_CAP | B cancel live EXPIRED: TOTAL_CAP",
        ),
        (
            "A: want 27, book 0.49/0.51, total 14 | B: want 28, book 0.49/0.51, live BUY 20 @ 0.49 age 91",
            "A nothing: TOTAL_CAP | B cancel live EXPIRED; BUY 8 @ 0.49",  # B comes first
        ),
        # what is being bought counts for those that come after
        (f"{A}, total 15 | B: want 90, book 0.49/0.51", "A BUY 25 @ 0.49 | B BUY 5 @ 0.49"),
        (f"{A}, total 14.99 | B: want 90, book 0.49/0.51", "A BUY 25 @ 0.49 | B nothing: TOTAL_CAP"),
        (
            f"{A}, total 25, live BUY 20 @ 0.49 age 91 | B: want 70, book 0.49/0.51",
            "A cancel live EXPIRED; BUY 25 @ 0.49 | B BUY 5 @ 0.49",
        ),
        # the largest gap (|delta| x ref_price) first, ties by token_key
        (
            "A: want 30, book 0.49/0.51, total 9 | B: want 20, book 0.89/0.91",
            "A nothing: TOTAL_CAP | B BUY 10 @ 0.89",
        ),
        ("A: want 30, book 0.49/0.51, total 10 | B: want 29, book 0.49/0.51", "A BUY 20 @ 0.49 | B nothing: TOTAL_CAP"),
        ("B: want 30, book 0.49/0.51, total 10 | A: want 30, book 0.49/0.51", "A BUY 20 @ 0.49 | B nothing: TOTAL_CAP"),
        (
            "A: want 60, hold 30, book 0.49/0.51, total 30 | B: want 29, book 0.49/0.51",  # the gap, not the want
            "A BUY 25 @ 0.49 | B BUY 5 @ 0.49",
        ),
        (
            "A: want 20, book 0.49/0.51, total 19 | B: want 37, hold 20, book 0.49/0.51",
            "A BUY 18 @ 0.49 | B nothing: TOTAL_CAP",
        ),
    ],
)
def test_the_total_cap(world, what):
    assert outcome(world) == what


def test_a_combo_counts_under_no_cap():
    combo = "key 0x0399f3c9aa7360ee8fd03463733e451b460000000000000000000000000000:0"
    world = f"{A}, total 20 | B: {combo}, hold 30, price 0.5"
    assert outcome(world).split(" | ")[1] == "A BUY 25 @ 0.49"


class TestCapsAreKeptByCost:
    """A cap is pUSD that were paid, or may have to be: the simulation counts them (tests/simulation/oracle.py)."""

    @pytest.mark.parametrize(
        ("world", "what"),
        [
            # 24 shares at 0.50, the middle, were 12; at 0.51, which a taker pays, they would be 12.24 (seed 78)
            ("want 24, book 0.49/0.51, taker, cap 12", "BUY 23.52 @ 0.51 taking"),
            ("want 24, book 0.49/0.51, taker, total 12", "BUY 23.52 @ 0.51 taking"),
        ],
    )
    def test_an_order_counts_at_what_it_pays(self, world, what):
        assert outcome(world) == what

    @pytest.mark.parametrize(
        ("world", "what"),
        [
            # 20 were bought at 0.6; the price has fallen, and the feed does not list them yet (seed 337)
            ("want 1000, hold 0, ledger 0+20 age 9, paid 0.6, book 0.29/0.31, cap 12", "nothing: TOKEN_CAP"),
            ("want 1000, hold 0, ledger 20, paid 0.6, book 0.29/0.31, cap 12", "nothing: TOKEN_CAP"),
            ("want 1000, hold 0, ledger 20, book 0.29/0.31, cap 12", "BUY 20 @ 0.29"),  # unknown what they cost
            (
                "want 1000, hold 0, gone BUY 20 @ 0.6, book 0.29/0.31, cap 12",
                "nothing: TOKEN_CAP",
            ),  # it may have filled
        ],
    )
    def test_a_share_counts_at_what_our_own_books_say_it_cost(self, world, what):
        assert outcome(world) == what


@pytest.mark.parametrize(
    ("world", "what"),
    [
        (f"{A}, cash 12.25", "BUY 25 @ 0.49"),
        (f"{A}, cash 12.24", "BUY 24.97 @ 0.49"),  # 24.979...
        (f"{A}, cash 2.45", "BUY 5 @ 0.49"),
        (f"{A}, cash 2.449", "nothing: NO_CASH"),
        (f"{A}, cash 0", "nothing: NO_CASH"),
        (f"{A}, cash 12.25, taker", "BUY 24.01 @ 0.51 taking"),  # at the price that is paid
        (f"{A}, cash 0 | B: want 0, hold 20, book 0.49/0.51", "A nothing: NO_CASH | B SELL 20 @ 0.51"),
        # rest x price of all live, in-doubt, gone-but-unsettled and foreign BUYs is spoken for
        (f"{A}, cash 14.7 | B: want 30, live BUY 20 @ 0.49, price 0.5", "A BUY 10 @ 0.49 | B nothing: RESTING"),
        (f"{A}, cash 14.7 | B: want 30, doubt BUY 20 @ 0.49, price 0.5", "A BUY 10 @ 0.49 | B nothing: IN_DOUBT"),
        (f"{A}, cash 14.7 | B: want 20, gone BUY 20 @ 0.49, price 0.5", "A BUY 10 @ 0.49 | B nothing: SETTLING"),
        (f"{A}, cash 14.7, foreign BUY 20 @ 0.49", "BUY 10 @ 0.49"),
        # … the cash of a BUY that is cancelled is its token's, and that of others is left whole
        (
            f"{A}, live BUY 25 @ 0.49 age 91, cash 24.5 | B: want 100, book 0.49/0.51",
            "A cancel live EXPIRED; BUY 25 @ 0.49 | B BUY 25 @ 0.49",
        ),
        (f"{A}, cash 14.7 | B: hold 1, foreign BUY 20 @ 0.49", "A BUY 10 @ 0.49 | B nothing: IN_BAND"),
        (f"{A}, cash 9.8, foreign BUY 20 @ 0.49, matched 10", "BUY 10 @ 0.49"),
        (f"{A}, cash 14.7, foreign SELL 20 @ 0.6", "BUY 25 @ 0.49"),
        (f"{A}, cash 9.8, foreign BUY 40 @ 0.49", "nothing: NO_CASH"),  # more is spoken for than there is
        # one that is listed and in doubt is spoken for once
        (
            f"{A}, cash 14.7 | B: want 30, live BUY 20 @ 0.49 #x, doubt BUY 20 @ 0.49 #x, price 0.5",
            "A BUY 10 @ 0.49 | B nothing: RESTING",
        ),
        # what a BUY that is cancelled in this plan frees serves its own token only
        (f"{A}, cash 9.8, live BUY 20 @ 0.49 age 91", "cancel live EXPIRED; BUY 20 @ 0.49"),
        (f"{A}, cash 9.8, live BUY 20 @ 0.4 age 91", "cancel live EXPIRED; BUY 20 @ 0.49"),  # 1.8 free, and 8
        (
            f"{A}, cash 9.8 | B: want 30, book 0.49/0.51, live BUY 20 @ 0.49 age 91",
            "A nothing: NO_CASH | B cancel live EXPIRED; BUY 10 @ 0.49",
        ),
        (
            f"{A}, cash 9.8 | B: want 0, book 0.49/0.51, live BUY 20 @ 0.49",
            "A nothing: NO_CASH | B cancel live OVERSHOOT: IN_BAND",
        ),
        (
            "A: want 27, book 0.49/0.51, cash 9.8 | B: want 28, book 0.49/0.51, live BUY 20 @ 0.49 age 91",
            "A nothing: NO_CASH | B cancel live EXPIRED; BUY 8 @ 0.49",
        ),
        # and what is being bought is spent
        (f"{A}, cash 14.7 | B: want 90, book 0.49/0.51", "A BUY 25 @ 0.49 | B BUY 5 @ 0.49"),
        (f"{A}, cash 14.69 | B: want 90, book 0.49/0.51", "A BUY 25 @ 0.49 | B nothing: NO_CASH"),
        (
            f"{A}, cash 24.5, live BUY 20 @ 0.49 age 91 | B: want 70, book 0.49/0.51",
            "A cancel live EXPIRED; BUY 25 @ 0.49 | B BUY 25 @ 0.49",
        ),
        (
            f"{A}, cash 14.7, live BUY 20 @ 0.49 age 91 | B: want 70, book 0.49/0.51",
            "A cancel live EXPIRED; BUY 25 @ 0.49 | B BUY 5 @ 0.49",
        ),
        # it frees nothing of what the day may cost
        (f"{A}, cash 24.5, spend 14, live BUY 20 @ 0.49 age 91", "cancel live EXPIRED; BUY 8.57 @ 0.49"),
        (f"{A}, cash 24.5, spend 12, live BUY 20 @ 0.49 age 91", "cancel live EXPIRED: DAILY_SPEND"),
        # left out is not limited
        (A, "BUY 25 @ 0.49"),
    ],
)
def test_the_cash(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (f"{A}, hold 99, want 105, total 0, cash 0, cap 49", "TOKEN_CAP"),
        (f"{A}, total 0, cash 0", "TOTAL_CAP"),
        ("want 100, price 0.5, cash 0", "NO_CASH"),  # it would be so with a book, too
        ("want 100, price 0.5, total 0", "TOTAL_CAP"),
        ("want 100, book 0.51/0.49, cash 0", "NO_CASH"),
        ("want 100", "NO_BOOK"),  # nobody knows what a share is worth, so no cap can be kept
        ("want 100, total 0, cash 0", "NO_BOOK"),
    ],
)
def test_the_first_limit_that_applies_is_the_reason(world, reason):
    assert outcome(world) == f"nothing: {reason}"


LIMITED = Policy(
    max_notional_per_token=Decimal(50), max_notional_total=Decimal(80), blacklist_token_keys=frozenset({"0xb:0"})
)


@pytest.mark.parametrize(
    ("key", "desired", "mine", "total", "why"),
    [
        ("0xa:0", "100", "0", "30", None),
        ("0xa:0", "100.01", "0", "0", Reason.TOKEN_CAP),
        ("0xa:0", "100.01", "100", "0", Reason.TOKEN_CAP),
        ("0xa:0", "100", "0", "30.01", Reason.TOTAL_CAP),
        ("0xa:0", "100", "60", "60", None),  # the 60 are in the total already
        ("0xa:0", "100", "60", "60.01", Reason.TOTAL_CAP),
        ("0xa:0", "200", "0", "999", Reason.TOKEN_CAP),  # the first of the three
        ("0xa:0", "199.99", "200", "999", None),  # what reduces is stopped by no cap
        ("0xa:0", "200", "200", "999", None),
        ("0xb:0", "1", "0", "0", Reason.BLACKLISTED),
        ("0xb:0", "0", "1", "0", Reason.BLACKLISTED),  # but by the blacklist
        ("0xb:0", "200", "0", "999", Reason.BLACKLISTED),
    ],
)
def test_the_last_veto(key, desired, mine, total, why):
    half = Decimal("0.5")
    answer = risk_check(key, Decimal(desired), Decimal(mine), half, total_notional=Decimal(total), policy=LIMITED)
    assert answer == (why is None, why)


def test_the_last_veto_where_nothing_else_is_held():
    just = Policy(max_notional_per_token=Decimal(80), max_notional_total=Decimal(50))
    assert risk_check("0xa:0", Decimal(100), Decimal(0), Decimal("0.5"), policy=just) == (True, None)
