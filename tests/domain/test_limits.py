"""The limits, each in a table (limits.py): what is bought, what is not, and what is taken down. Sales always go on."""

from calendar import monthrange
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.limits import left_today, market_stops, named, seconds_of
from copytrade.domain.model import Position, Today
from copytrade.domain.policy import Policy
from tests.domain.notation import outcome

D = Decimal
BOOK = "book 0.49/0.51"

# NOW is 2025-12-17 19:33:20 UTC.
DAILY_SPEND = [
    (f"want 100, {BOOK}, spend 100", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, spend 100, spent 90", "BUY 20.4 @ 0.49"),  # cut to the 10 pUSD that are left
    (f"want 100, {BOOK}, spend 100, spent 97.55", "BUY 5 @ 0.49"),  # 2.45 are left: just the minimum
    (f"want 100, {BOOK}, spend 100, spent 97.551", "nothing: DAILY_SPEND"),
    (f"want 100, {BOOK}, spend 100, spent 100", "nothing: DAILY_SPEND"),
    (f"want 100, {BOOK}, spend 0", "nothing: DAILY_SPEND"),
    (f"want 100, {BOOK}, spent 100", "BUY 25 @ 0.49"),  # no limit is set
    (f"want 0, hold 100, {BOOK}, spend 0, spent 100", "SELL 25 @ 0.51"),
    (f"want 4, {BOOK}, spend 0, deadband 0, slice 0..9", "nothing: DUST"),  # the limit is not what stops it
    # what may still fill counts as filled: in doubt, gone, resting; the user's own orders do not
    (f"want 100, {BOOK}, spend 20, gone BUY 20 @ 0.5", "BUY 20.4 @ 0.49"),
    (f"want 100, {BOOK}, spend 20, gone BUY 20 @ 0.5, matched 10", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, spend 20, gone SELL 20 @ 0.5", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, spend 20, foreign BUY 20 @ 0.5", "BUY 25 @ 0.49"),
    (
        "A: want 100, book 0.49/0.51, live BUY 25 @ 0.49 | B: want 90, book 0.49/0.51, spend 20",
        "A nothing: RESTING | B BUY 15.81 @ 0.49",
    ),
    ("A: want 100, book 0.49/0.51 | B: want 90, book 0.49/0.51, spend 20", "A BUY 25 @ 0.49 | B BUY 15.81 @ 0.49"),
    (
        "A: want 90, book 0.49/0.51 | B: want 100, book 0.49/0.51, spend 12.25",
        "A nothing: DAILY_SPEND | B BUY 25 @ 0.49",
    ),
    # what is cancelled may have filled: it frees nothing of the day's limit until that is known
    (f"want 100, {BOOK}, spend 24.5, live BUY 25 @ 0.49 age 91", "cancel live EXPIRED; BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, spend 14, live BUY 25 @ 0.49 age 91", "cancel live EXPIRED: DAILY_SPEND"),
    # what rests is within the limit, or goes
    (f"want 100, {BOOK}, spend 12.25, live BUY 25 @ 0.49", "nothing: RESTING"),
    (f"want 100, {BOOK}, spend 12.24, live BUY 25 @ 0.49", "cancel live LIMIT: DAILY_SPEND"),
    (f"want 100, {BOOK}, spend 20, spent 8, live BUY 25 @ 0.49", "cancel live LIMIT: DAILY_SPEND"),
    (f"want 0, hold 100, {BOOK}, spend 5, spent 8, live SELL 25 @ 0.51", "nothing: RESTING"),
    # who takes pays the other side's price
    (f"want 100, {BOOK}, spend 5.1, taker", "BUY 10 @ 0.51 taking"),
]

DAILY_LOSS = [
    (f"want 100, {BOOK}, loss 50, lost 49.99", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, loss 50, lost 50", "nothing: DAILY_LOSS"),
    (f"want 100, {BOOK}, lost 50", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, loss 50", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, loss 50, lost -60", "BUY 25 @ 0.49"),  # a gain
    (f"want 0, hold 100, {BOOK}, loss 50, lost 50", "SELL 25 @ 0.51"),
    (f"want 100, {BOOK}, loss 50, lost 50, live BUY 25 @ 0.49", "cancel live LIMIT: DAILY_LOSS"),
    (f"want 100, {BOOK}, loss 50, lost 50, live BUY 25 @ 0.49 age 91", "cancel live EXPIRED: DAILY_LOSS"),
    (f"want 0, hold 100, {BOOK}, loss 50, lost 50, live SELL 25 @ 0.51", "nothing: RESTING"),
    (f"want 100, hold 80, {BOOK}, loss 50, lost 50, live BUY 20 @ 0.49", "cancel live LIMIT: DAILY_LOSS"),
    (f"want 100, hold 98, {BOOK}, loss 50, lost 50", "nothing: IN_BAND"),
]

PRICES = [
    (f"want 100, {BOOK}, from 0.49", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, from 0.491", "nothing: PRICE_RANGE"),
    (f"want 100, {BOOK}, to 0.49", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, to 0.489", "nothing: PRICE_RANGE"),
    (f"want 100, {BOOK}, to 0.5, taker", "nothing: PRICE_RANGE"),  # it would pay 0.51
    (f"want 0, hold 100, {BOOK}, from 0.6, to 0.7", "SELL 25 @ 0.51"),
    # an order goes by its own price, not by what the market is at now
    ("want 100, book 0.95/0.97, to 0.9, live BUY 25 @ 0.9", "nothing: RESTING"),
    ("want 100, book 0.95/0.97, to 0.9, live BUY 25 @ 0.91", "cancel live LIMIT: PRICE_RANGE"),
    (f"want 100, {BOOK}, from 0.45, live BUY 25 @ 0.44", "cancel live LIMIT; BUY 25 @ 0.49"),
    (f"want 0, hold 100, {BOOK}, to 0.4, live SELL 25 @ 0.51", "nothing: RESTING"),
]

ENDS = [
    (f"want 100, {BOOK}, hours 5, target ends 2025-12-18", "nothing: ENDS_SOON"),  # at 00:00, in 4:26:40
    (f"want 100, {BOOK}, hours 4, target ends 2025-12-18", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, hours 4.4444, target ends 2025-12-18T00:00:00Z", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, hours 4.4445, target ends 2025-12-18T00:00:00Z", "nothing: ENDS_SOON"),
    (f"want 100, {BOOK}, hours 1, target ends 2025-12-17", "nothing: ENDS_SOON"),  # perhaps it is over
    (f"want 100, {BOOK}, hours 5, ends 2025-12-18, target ends 2026-12-31", "nothing: ENDS_SOON"),  # the earlier one
    (f"want 100, {BOOK}, hours 5, ends soon, target ends 2026-12-31", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, hours 5", "nothing: ENDS_SOON"),  # nobody tells when it ends
    (f"want 100, {BOOK}, target ends 2025-12-18", "BUY 25 @ 0.49"),  # no limit is set
    (f"want 0, hold 100, {BOOK}, hours 5, ends 2025-12-18", "SELL 25 @ 0.51"),
    (f"want 100, {BOOK}, hours 5, ends 2025-12-18, live BUY 25 @ 0.49", "cancel live LIMIT: ENDS_SOON"),
]

MARKETS = [
    (f"want 100, {BOOK}, deny rain, target title Will it RAIN in Paris?", "nothing: MARKET_DENIED"),
    (f"want 100, {BOOK}, deny Rain, slug will-it-rain", "nothing: MARKET_DENIED"),
    (f"want 100, {BOOK}, deny rain, target title Will it snow?", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, deny rain", "BUY 25 @ 0.49"),  # nothing says that it is
    (f"want 100, {BOOK}, deny rain, deny snow, target title Will it snow?", "nothing: MARKET_DENIED"),
    (f"want 100, {BOOK}, allow rain, target title Will it rain?", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, allow rain, allow snow, target slug snow-in-may", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, allow rain, target title Will it snow?", "nothing: MARKET_DENIED"),
    (f"want 100, {BOOK}, allow rain", "nothing: MARKET_DENIED"),  # nothing says that it is
    (f"want 100, {BOOK}, allow rain, deny paris, title Rain in Paris", "nothing: MARKET_DENIED"),  # deny wins
    (f"want 100, {BOOK}, deny france*cup, title Will France win the World Cup?", "nothing: MARKET_DENIED"),
    (f"want 100, {BOOK}, deny cup*france, title Will France win the World Cup?", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, deny [vct], title [VCT] Finals", "nothing: MARKET_DENIED"),  # brackets are just letters
    (f"want 100, {BOOK}, deny [vct], title Victory", "BUY 25 @ 0.49"),
    (f"want 0, hold 100, {BOOK}, deny rain, title Rain", "SELL 25 @ 0.51"),  # the blacklist would keep it
    (f"want 100, {BOOK}, deny rain, title Rain, live BUY 25 @ 0.49", "cancel live LIMIT: MARKET_DENIED"),
    (f"want 0, hold 100, {BOOK}, deny rain, title Rain, live SELL 25 @ 0.51", "nothing: RESTING"),
]


@pytest.mark.parametrize(("world", "what"), DAILY_SPEND)
def test_what_a_day_may_cost(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), DAILY_LOSS)
def test_what_a_day_may_lose(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), PRICES)
def test_at_which_prices_we_buy(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), ENDS)
def test_how_long_a_market_must_have_left(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), MARKETS)
def test_which_markets_are_bought(world, what):
    assert outcome(world) == what


def test_without_a_limit_a_day_has_no_end():
    assert left_today(Policy(), Today(spent=D(100)), D(5)) is None


@given(
    moment=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2600, 1, 1)).map(  # noqa: DTZ001
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    )
)
def test_a_date_is_read_as_the_calendar_has_it(moment):
    assert seconds_of(moment.isoformat()) == D(int(moment.timestamp()))
    assert seconds_of(moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)) == D(int(moment.timestamp()))
    midnight = moment.replace(hour=0, minute=0, second=0)
    assert seconds_of(moment.date().isoformat()) == D(int(midnight.timestamp()))


@pytest.mark.parametrize("month", range(1, 13))
def test_each_month_has_its_days(month):
    days = monthrange(2026, month)[1]
    midnight = datetime(2026, month, days, tzinfo=UTC)
    assert seconds_of(f"2026-{month:02}-{days}") == D(int(midnight.timestamp()))
    assert seconds_of(f"2026-{month:02}-{days + 1}") is None


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("w?n", "we win", True),
        ("w?n", "wn", False),
        ("w?n", "w?n", True),
        ("w?n", "wiin", False),
        ("w.n", "win", False),
    ],
)
def test_what_a_pattern_finds(pattern, text, found):
    assert named(pattern, [text]) is found


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026", "2026-13-01", "2026-02-29", "2026-00-10", "2026-01-01T99:00:00Z", "2026-01-01T1:00 MEZ"],
)
def test_what_is_no_date_says_nothing(text):
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    ("row", "policy", "reason"),
    [
        ({}, {"allow_markets": ("*",)}, "MARKET_DENIED"),  # a market without a name is none that anybody allowed
        ({}, {"deny_markets": ("*",)}, None),
        ({"slug": "a"}, {"allow_markets": ("*",)}, None),
        ({"end_date": "1970-01-01T02:00:00Z"}, {"min_hours_to_end": D(2)}, None),  # to the second
        ({"end_date": "1970-01-01T01:59:59Z"}, {"min_hours_to_end": D(2)}, "ENDS_SOON"),
        ({}, {"min_hours_to_end": D(2)}, "ENDS_SOON"),
        ({"end_date": "1970-01-01"}, {}, None),
    ],
)
def test_which_market_stops_us(row, policy, reason):
    position = Position(token_key="0xc1:0", condition_id="0xc1", outcome_index=0, size=D(1), **row)
    found = market_stops([None, position], D(0), Policy(**policy))
    assert (found.value if found else None) == reason


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-02-29", 1709164800),
        ("2023-02-29", None),
        ("2000-02-29", 951782400),
        ("2100-02-29", None),  # a century is no leap year, but every fourth
        ("2026-06-00", None),
        ("2026-06-31", None),
        ("2026-00-10", None),
        ("2026-13-10", None),
        ("2026-06-30T23:59:60Z", 1782864000),  # a leap second
        ("2026-06-30T23:59:61Z", None),
        ("2026-06-30T24:00:00Z", 1782864000),  # the end of a day
        ("2026-06-30T25:00:00Z", None),
        ("2026-06-30T23:60:00Z", None),
        ("2026-06-30 12:30", 1782822600),
        ("2026-06-30T12:30:00 UTC", 1782822600),
        ("2026-06-30T12:30:00+05:30", 1782802800),
        ("2026-06-30T12:30:00-0530", 1782842400),
        ("2026-06-30T12:30:00 CEST", None),
    ],
)
def test_dates_at_the_edges(text, seconds):
    assert seconds_of(text) == seconds
