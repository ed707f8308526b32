"""What a run adds up: profit by price moves and fills, his beside it, tracking, the day, how long a gap is open."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from copytrade.app.documents import decode_snapshot, encode_journal_line
from copytrade.app.outcomes import Cycle, OwnFill, Result
from copytrade.app.tally import Counting, Said, Tally, notes_object, read_beside
from copytrade.domain.model import Side, Snapshot
from copytrade.domain.plan import plan
from tests.strategies import D

START = 1_766_000_000
A = "0xa1:0"


def facts(
    *,
    at: int = 0,
    price: str = "0.50",
    his: str = "100",
    mine: str = "20",
    bought: str = "",
    redeemable: bool = False,
    **more: Any,
) -> Snapshot:
    """One token of which he holds `his`, we are said to hold `mine`, and have `bought` some that the feed lacks."""
    row = {"token_key": A, "token_id": "111", "current_price": price, "redeemable": redeemable}
    whole: dict[str, Any] = {
        "now": START + at,
        "config": {"follow_ratio": 0.2},
        "target": {"positions": [{**row, "size": his}]},
        "mine": {"positions": [{**row, "size": mine}] if mine else []},
    }
    if bought:
        whole["ledgers"] = {A: {"base": mine, "bought": bought, "moved_at": START}}
    return decode_snapshot(json.dumps({**whole, **more}).encode())


def fill(shares: str, price: str, side: Side = Side.BUY, order_id: str = "0x1") -> OwnFill:
    return OwnFill(order_id=order_id, token_key=A, side=side, price=D(price), shares=D(shares))


def cycle(snapshot: Snapshot, *fills: OwnFill, results: Sequence[Result] = (), warnings: Sequence[str] = ()) -> Cycle:
    return Cycle(
        number=1,
        snapshot=snapshot,
        plan=plan(snapshot),
        results=tuple(results),
        fills=fills,
        warnings=tuple(warnings),
        started_at=snapshot.now,
        ended_at=snapshot.now + D("0.25"),
    )


def counted(*cycles: Cycle) -> Tally:
    counting = Counting(Tally(since=D(START), run_started_at=D(START)))
    for one in cycles:
        counting.count(one)
    return counting.tally


def placed(outcome: str, order_id: str = "0x1", words: str = "") -> Result:
    return Result(action="place", token_key=A, token_id="111", outcome=outcome, order_id=order_id, words=words)


class TestProfit:
    """The moves of what is held, and each fill against the price of its moment."""

    @pytest.mark.parametrize(
        ("story", "gain", "his"),
        [
            ("nothing moves", [cycle(facts()), cycle(facts(at=20))], (0, 0)),
            ("it rises by 0.10", [cycle(facts()), cycle(facts(at=20, price="0.60"))], ("2", "10")),
            ("and falls back", [cycle(facts()), cycle(facts(price="0.60")), cycle(facts())], (0, 0)),
            ("he sells half between two looks", [cycle(facts()), cycle(facts(price="0.60", his="50"))], ("2", "10")),
            (
                "10 are bought 0.05 below the price",
                [cycle(facts()), cycle(facts(bought="10"), fill("10", "0.45"))],
                ("0.5", 0),
            ),
            (
                "10 are bought, and held by our own fills while the feed lags",
                [
                    cycle(facts()),
                    cycle(facts(bought="10"), fill("10", "0.50")),
                    cycle(facts(bought="10", price="0.60")),
                ],
                ("3", "10"),
            ),
            ("5 are sold 0.02 above", [cycle(facts()), cycle(facts(), fill("5", "0.52", Side.SELL))], ("0.1", 0)),
            ("a trade failed, and is taken back", [cycle(facts(), fill("10", "0.45"), fill("-10", "0.45"))], (0, 0)),
            (
                "what is filled as it is posted counts from the next look on",
                [
                    cycle(facts(), fill("10", "0.50"), results=[placed("accepted")]),
                    cycle(facts(bought="10", price="0.60")),
                ],
                ("3", "10"),
            ),
            (
                "a fill that was learned on incomplete facts waits for whole ones",
                [
                    cycle(facts()),
                    cycle(facts(orders_ok=False), fill("10", "0.45")),
                    cycle(facts(bought="10", price="0.60")),
                ],
                ("3.5", "10"),
            ),
            ("it resolves to 0", [cycle(facts()), cycle(facts(price="0", redeemable=True))], ("-10", "-50")),
            ("a price that is not known says nothing", [cycle(facts()), cycle(facts(price="0"))], (0, 0)),
            ("deposits are no profit", [cycle(facts(cash=1)), cycle(facts(cash=1000))], (0, 0)),
            ("nor are shares that came from elsewhere", [cycle(facts()), cycle(facts(mine="500"))], (0, 0)),
        ],
        ids=lambda value: value if isinstance(value, str) and " " in value else "",
    )
    def test_a_story(self, story, gain, his):
        found = counted(*gain)
        assert (found.gain, found.leader_gain) == (D(str(his[0])), D(str(his[1])))

    def test_numbers_beyond_reason_end_nothing(self):
        huge = "999999999999999.123456"
        found = counted(*(cycle(facts(price=price, his=huge, mine=huge)) for price in ("0.1", "0.9", "0.3")))
        assert found.gain == (D(huge) * D("0.2")).quantize(D("0.000001"))


class TestTracking:
    def test_the_gap_as_a_part_of_what_is_wanted(self):
        assert counted(cycle(facts(mine="15"))).tracking_error == D("0.25")
        assert counted(cycle(facts(mine="15")), cycle(facts(mine="20"))).tracking_error == D("0.125")
        assert counted(cycle(facts(his="0", mine=""))).tracking_error is None

    def test_own_fills_count_before_the_feed_shows_them(self):
        assert counted(cycle(facts(mine="10", bought="10"))).tracking_error == 0

    def test_what_was_only_told_after_a_lost_state_is_not_held(self):
        told: Any = {"ledgers": {A: {"base": "12", "bought": "8", "final": False}}}
        assert counted(cycle(facts(mine="10", **told))).tracking_error == D("0.5")
        ours: Any = {"ledgers": {A: {"base": "12", "bought": "8", "final": False, "moved_at": START}}}
        assert counted(cycle(facts(mine="10", **ours))).tracking_error == 0

    def test_what_is_left_alone_does_not_count(self):
        assert counted(cycle(facts(mine="5", redeemable=True, price="1"))).tracking_error is None

    def test_since_when_a_gap_is_open(self):
        open_, closed = facts(mine="10"), facts(mine="20")
        assert counted(cycle(open_)).gap_since == {A: START}
        assert counted(cycle(open_), cycle(evolve(open_, now=D(START + 40)))).gap_since == {A: START}
        assert counted(cycle(open_), cycle(closed)).gap_since == {}
        later = evolve(open_, now=D(START + 60))
        assert counted(cycle(open_), cycle(closed), cycle(later)).gap_since == {A: START + 60}


class TestTheDay:
    def test_orders_fills_and_money(self):
        day = counted(
            cycle(facts(), fill("10", "0.45"), results=[placed("accepted", "0x2"), placed("refused", "0x3")]),
            cycle(facts(at=20), fill("4", "0.5", Side.SELL)),
        ).today
        assert (day.orders, day.fills) == (1, 2)
        assert (day.bought_shares, day.bought, day.sold_shares, day.sold) == (D(10), D("4.5"), D(4), D(2))
        assert day.fees_at_most == 0

    def test_it_begins_anew_at_midnight_utc(self):
        day = counted(cycle(facts(), fill("10", "0.45")), cycle(facts(at=86_400), fill("1", "0.5"))).today
        assert (day.fills, day.bought_shares, day.number) == (1, D(1), (START + 86_400) // 86_400)

    def test_a_taker_s_fee_is_told_as_the_most_that_it_can_be(self):
        taking = facts(config={"follow_ratio": 0.2, "maker_only": False})
        assert counted(cycle(taking, fill("100", "0.5"))).today.fees_at_most == D("1.75")

    def test_the_last_trouble_stays_until_the_next(self):
        found = counted(
            cycle(facts(), warnings=["first", "second"], results=[placed("refused", words="no balance")]),
            cycle(facts(at=20)),
        )
        assert found.last_warning == Said(at=D(START), words="second")
        assert found.last_refusal == Said(at=D(START), words="no balance", token_key=A)
        assert found.refused == {A: Said(at=D(START), words="no balance")}
        healed = counted(
            cycle(facts(), results=[placed("refused", words="no balance")]),
            cycle(facts(at=20), results=[placed("accepted")]),
        )
        assert healed.refused == {}


class TestInTheJournal:
    def test_a_line_holds_the_sums_and_a_run_goes_on_from_it(self):
        first = cycle(facts(), fill("10", "0.45"), warnings=["careful"])
        counting = Counting(Tally(since=D(START), run_started_at=D(START)))
        tally = counting.count(first)
        line = encode_journal_line(first.snapshot, first.plan, [], notes_object(first, tally))
        read = read_beside(line).notes
        assert read.tally == tally
        assert read.fills == first.fills
        assert (read.cycle, read.took_sec, read.warnings) == (1, Decimal("0.25"), ("careful",))
        assert decode_snapshot(line) == first.snapshot
        later = cycle(facts(at=20, price="0.6"))
        again = Counting(read.tally, decode_snapshot(line))
        assert again.count(later) == counting.count(later)

    @pytest.mark.parametrize("line", [b"{}", b"[]", b"no", b'{"notes": 3}', b'{"notes": {"tally": {"since": 1}}}'])
    def test_a_line_without_them_is_read_as_such(self, line):
        assert read_beside(line).notes.tally is None
