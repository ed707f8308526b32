"""What a day has cost, counted again by our trades after a start on a lost state (daybook.py)."""

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.domain.day import Day
from copytrade.domain.daybook import counted_from, day_counted, day_marked, today
from copytrade.domain.memory import Memory, Recovery
from copytrade.domain.model import Book, Ledger, Snapshot, Today
from copytrade.domain.policy import Policy

D = Decimal
MIDNIGHT = D(1766000000) // 86400 * 86400
NOON = MIDNIGHT + 43200
LIMITED = Policy(max_daily_spend=D(100))  # settle_timeout_sec 300: until then a trade of an earlier life may come
KEY = "0xc1:0"


@pytest.mark.parametrize(
    ("policy", "recovery", "now", "since"),
    [
        (LIMITED, None, NOON, None),
        (Policy(), Recovery(started_at=NOON), NOON, None),  # nothing is limited
        (LIMITED, Recovery(started_at=NOON), NOON, MIDNIGHT),
        (LIMITED, Recovery(started_at=NOON, counted_at=NOON + 299), NOON + 299, MIDNIGHT),
        (LIMITED, Recovery(started_at=NOON, counted_at=NOON + 300), NOON + 300, None),
        (LIMITED, Recovery(started_at=NOON), NOON + 40000, MIDNIGHT),
        (LIMITED, Recovery(started_at=NOON), NOON + 86400, None),  # a new day, and nothing in it is of an earlier life
        (LIMITED, Recovery(started_at=MIDNIGHT - 299), MIDNIGHT + 5, MIDNIGHT),
        (LIMITED, Recovery(started_at=MIDNIGHT - 300), MIDNIGHT + 5, None),
        (evolve(LIMITED, settle_timeout_sec=D(500)), Recovery(started_at=MIDNIGHT - 300), MIDNIGHT + 5, MIDNIGHT),
    ],
)
def test_from_when_trades_are_counted_again(policy, recovery, now, since):
    assert counted_from(Memory(recovery=recovery), now, policy) == since


@pytest.mark.parametrize(("known", "counted", "spent"), [(0, 40, 40), (50, 40, 50), (40, 40, 40)])
def test_the_books_never_forget_what_they_have(known, counted, spent):
    books = Day(start=MIDNIGHT, spent=D(known), result=D(-3), prices={KEY: D("0.5")})
    after = day_counted(Memory(day=books, recovery=Recovery(started_at=NOON)), D(counted), NOON + 20)
    assert after.day == evolve(books, spent=D(spent))
    assert after.recovery == Recovery(started_at=NOON, counted_at=NOON + 20)


def test_yesterday_does_not_count():
    books = Day(start=MIDNIGHT - 86400, spent=D(50))
    after = day_counted(Memory(day=books, recovery=Recovery(started_at=NOON)), D(40), NOON)
    assert after.day == Day(start=MIDNIGHT, spent=D(40))


@pytest.mark.parametrize(
    ("policy", "recovery", "spent"),
    [
        (LIMITED, None, 7),
        (LIMITED, Recovery(started_at=NOON), 100),  # nobody knows: as if all of it was spent
        (LIMITED, Recovery(started_at=NOON, counted_at=NOON + 1), 7),
        (Policy(), Recovery(started_at=NOON), 7),
        (evolve(LIMITED, max_daily_spend=D(5)), Recovery(started_at=NOON), 7),
        (LIMITED, Recovery(started_at=NOON - 86400), 7),
    ],
)
def test_what_a_snapshot_is_told(policy, recovery, spent):
    memory = Memory(day=Day(start=MIDNIGHT, spent=D(7), result=D(-3)), recovery=recovery)
    assert today(memory, NOON + 2, policy) == Today(spent=D(spent), result=D(-3))


def test_what_is_held_is_put_at_the_prices_of_the_snapshot():
    facts = Snapshot(
        now=NOON,
        token_map={KEY: "111"},
        books={"111": Book(last_trade_price=D("0.4"))},
        ledgers={KEY: Ledger(base=D(60), bought=D(40))},
    )
    memory = Memory(day=Day(start=MIDNIGHT, prices={KEY: D("0.5")}))
    assert day_marked(memory, facts).day == Day(start=MIDNIGHT, result=D(-10), prices={KEY: D("0.4")})
