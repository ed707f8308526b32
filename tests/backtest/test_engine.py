"""The laws of a run: it adds up, it does not look ahead, it repeats, and it decides what the live program decides."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from copytrade.app.backtest.assumptions import Assumptions, FillModel
from copytrade.app.backtest.engine import _Run, backtest
from copytrade.app.backtest.tape import BookSeen, LeaderHeld, PriceSeen, Resolved, Tape, TokenListed, Traded
from copytrade.domain.model import Reason, Side
from copytrade.domain.plan import plan, tokens_to_quote
from copytrade.domain.policy import Policy
from tests.backtest.histories import START, history, policy, world

SEEDS = st.integers(0, 10**6)
MODELS = st.sampled_from(list(FillModel))
ZERO = Decimal(0)


class TestAccountingCloses:
    """Cash, plus positions at resolution, plus fees, less rebates, is the start: to the last micro-dollar."""

    @given(seed=SEEDS, model=MODELS)
    def test_every_cent_comes_from_a_fill_a_fee_or_a_payout(self, seed, model):
        tape = history(seed)
        found = backtest(tape, policy(seed), fills=model, assumptions=world(seed), seed=seed)
        payouts = found.payouts
        told = {event.token_key: event.payout for event in tape.events() if isinstance(event, Resolved)}
        assert {key: payout for key, payout in payouts.items() if told[key] is not None} == {
            key: payout for key, payout in told.items() if payout is not None
        }
        shares: dict[str, Decimal] = {}
        cash = found.summary.start_cash
        for fill in found.fills:
            sign = 1 if fill.side is Side.BUY else -1
            shares[fill.token_key] = shares.get(fill.token_key, ZERO) + sign * fill.size
            cash -= sign * fill.size * fill.price
            cash += fill.rebate - fill.fee
        paid = sum((size * payouts[key] for key, size in shares.items() if key in payouts), ZERO)
        assert found.summary.cash == cash + paid
        assert found.summary.payouts == paid
        assert found.summary.equity - found.summary.cash == sum((row.value for row in found.positions), ZERO)
        assert {row.token_key: row.shares for row in found.positions if row.shares} == {
            key: size for key, size in shares.items() if size and key not in payouts
        }
        assert all(size >= 0 for size in shares.values()), "nothing is sold that is not there"

    @given(seed=SEEDS, model=MODELS)
    def test_every_number_is_a_whole_count_of_micro_dollars(self, seed, model):
        found = backtest(history(seed), policy(seed), fills=model, assumptions=world(seed), seed=seed).summary
        for name in ("cash", "fees", "rebates", "bought", "sold", "payouts"):
            value = getattr(found, name)
            assert value == value.quantize(Decimal("0.000001")), name


class TestNoLookAhead:
    """What comes later on the tape changes nothing that was decided earlier."""

    @given(seed=SEEDS, model=MODELS, cut=st.integers(20, 60))
    def test_another_future_leaves_the_past_as_it_is(self, seed, model, cut):
        tape = history(seed)
        events = list(tape.events())
        cut = min(cut, len(events) - 1)
        moment = events[cut].at
        past = [event for event in events if event.at < moment]
        future = [event for event in events if event.at >= moment]
        other = Tape.of(past + [_perturbed(event, Random(seed)) for event in future], has_trades=tape.has_trades)

        def run(tape):
            return backtest(tape, policy(seed), fills=model, assumptions=world(seed), seed=seed)

        one, two = run(tape), run(other)
        assert [each for each in one.decisions if each.at < moment] == [e for e in two.decisions if e.at < moment]
        assert [each for each in one.fills if each.at < moment] == [each for each in two.fills if each.at < moment]
        assert [each for each in one.orders if each.at < moment] == [each for each in two.orders if each.at < moment]

    def test_the_perturbation_does_change_what_comes_after(self):
        """The law above would hold for a run that looks at nothing at all."""
        differing = 0
        for seed in range(20):
            events = list(history(seed).events())
            other = [_perturbed(event, Random(seed)) for event in events]
            if backtest(Tape.of(events)).decisions != backtest(Tape.of(other)).decisions:
                differing += 1
        assert differing >= 15


def _perturbed(event, dice):
    price = Decimal(dice.randrange(1, 99)) / 100
    match event:
        case BookSeen():
            return evolve(event, bids=((price, Decimal(77)),), asks=((price + Decimal("0.01"), Decimal(77)),))
        case PriceSeen():
            return evolve(event, price=price)
        case Traded():
            return evolve(event, price=price, size=event.size * 3)
        case LeaderHeld():
            return evolve(event, size=event.size * 2 + 11)
        case Resolved(payout=payout) if payout is not None:
            return evolve(event, payout=1 - payout)
        case _:
            return event


class TestWhenItBegins:
    """At the first record, whenever that is."""

    @pytest.mark.parametrize("start", [1766000000, 1766000001, 1766000019, 1766000020])
    def test_nothing_is_decided_before_it_and_nothing_is_silent(self, start):
        polls = []
        found = backtest(history(3, start=start), watch=lambda poll: polls.append(poll.snapshot.now))
        assert start <= polls[0] < start + 20
        assert polls[0] % 20 == 0
        assert found.summary.polls == len(polls)
        assert found.summary.started_at == start
        assert found.summary.longest_silence_sec < 1000
        assert 0 <= found.summary.covered <= 1


class TestLimits:
    """The limits hold here as they do live."""

    @given(seed=SEEDS, model=MODELS, minutes=st.integers(0, 20))
    def test_no_day_costs_more_than_it_may(self, seed, model, minutes):
        most = Decimal(15)
        limited = evolve(policy(seed), max_daily_spend=most)
        midnight = START // 86400 * 86400 + 86400
        tape = history(seed, start=midnight - 60 * minutes, polls=24)
        found = backtest(tape, limited, fills=model, assumptions=world(seed), seed=seed)
        for day in (0, 1):
            bought = [
                fill.size * fill.price
                for fill in found.fills
                if fill.side is Side.BUY and (fill.at >= midnight) is bool(day)
            ]
            assert sum(bought, ZERO) <= most

    def test_the_limit_of_the_law_above_does_bind(self):
        reasons = set()
        for seed in range(10):
            limited = evolve(policy(seed), max_daily_spend=Decimal(15))
            reasons |= {each.decision.reason for each in backtest(history(seed), limited).decisions}
        assert Reason.DAILY_SPEND in reasons

    def test_a_market_that_is_lost_is_a_loss(self):
        """100 shares at 0.50 pay nothing: 50 pUSD are lost, and nothing more is bought that day, of no other token."""

        def book(at, key):
            levels = {"bids": ((Decimal("0.49"), Decimal(500)),), "asks": ((Decimal("0.50"), Decimal(500)),)}
            return BookSeen(at=Decimal(at), token_key=key, **levels)

        def reasons(payout):
            tape = Tape.of(
                [
                    TokenListed(at=Decimal(0), token_key="0xc1:0", token_id="111", tick_size=Decimal("0.01")),
                    TokenListed(at=Decimal(0), token_key="0xc2:0", token_id="222", tick_size=Decimal("0.01")),
                    LeaderHeld(at=Decimal(0), token_key="0xc1:0", size=Decimal(100)),
                    book(0, "0xc1:0"),
                    book(0, "0xc2:0"),
                    *(book(at, "0xc1:0") for at in range(20, 400, 20)),
                    LeaderHeld(at=Decimal(400), token_key="0xc1:0", size=Decimal(0)),
                    Resolved(at=Decimal(410), token_key="0xc1:0", payout=Decimal(payout)),
                    LeaderHeld(at=Decimal(500), token_key="0xc2:0", size=Decimal(100)),
                    *(book(at, "0xc2:0") for at in range(500, 900, 20)),
                ]
            )
            loss = Policy(follow_ratio=Decimal(1), maker_only=False, max_daily_loss=Decimal(45))
            return {
                each.decision.reason
                for each in backtest(tape, loss, assumptions=Assumptions(feed_lag_sec=Decimal(5))).decisions
                if each.decision.token_key == "0xc2:0"
            }

        assert Reason.DAILY_LOSS in reasons(0)
        assert Reason.QUOTED not in reasons(0)
        assert Reason.DAILY_LOSS not in reasons(1)


class TestSlicesOfMemory:
    """Memory's transitions treat each token by itself: applied to the restless ones alone they give the same."""

    @given(seed=SEEDS, model=MODELS)
    @example(seed=155, model=FillModel.SHARE)  # a settled order counts in what its token's shares have cost
    def test_a_run_on_slices_is_the_run_on_the_whole(self, seed, model):
        def run(whole):
            made = _Run(
                tape=history(seed),
                policy=policy(seed),
                model=model,
                given=world(seed),
                dice=Random(seed),
                keep=True,
                watch=lambda poll: seen.append(poll.snapshot),
                progress=None,
                whole=whole,
            )
            seen: list[Any] = []
            made.to_the_end()
            return seen, made.result(seed)

        (snapshots, sliced), (all_snapshots, whole) = run(False), run(True)
        assert snapshots == all_snapshots
        assert sliced == whole


class TestPointsOfTheCurve:
    """What the meter keeps of each token from poll to poll is what looking at every holding anew would give."""

    @given(seed=SEEDS, model=MODELS)
    def test_each_point_is_the_sum_over_all_holdings(self, seed, model):
        ratio = policy(seed).follow_ratio

        def look(poll):
            live = made.world
            marks, his, ours = live.marks, live.leader.shares, live.account.shares
            wanted = {key: ratio * size for key, size in his.items() if key in marks}
            point = made.meter.curve.points[-1]
            assert point.equity == live.account.cash + value(ours)
            assert point.ideal == live.account.start_cash + ratio * live.leader.equity(marks)
            assert point.naive == live.naive.account.cash + value(live.naive.account.shares)
            assert point.wanted == sum((size * marks[key] for key, size in wanted.items()), ZERO)
            assert point.gap == sum(
                (abs(wanted.get(key, ZERO) - ours.get(key, ZERO)) * mark for key, mark in marks.items()), ZERO
            )
            looked.append(point)

        def value(shares):
            return sum((size * made.world.marks.get(key, ZERO) for key, size in shares.items()), ZERO)

        made = _Run(
            tape=history(seed),
            policy=policy(seed),
            model=model,
            given=world(seed),
            dice=Random(seed),
            keep=True,
            watch=look,
            progress=None,
        )
        looked: list[Any] = []
        made.to_the_end()
        assert looked


class TestTheLiveDecisions:
    """The live loop asks for the books that it needs; the run hands over all. Both act the same."""

    @given(seed=SEEDS)
    def test_books_that_the_live_loop_would_not_ask_for_change_no_action(self, seed):
        def look(poll):
            wanted = tokens_to_quote(poll.snapshot)
            books = {one: book for one, book in poll.snapshot.books.items() if one in wanted}
            assert plan(evolve(poll.snapshot, books=books)).actions == poll.plan.actions

        backtest(history(seed), policy(seed), assumptions=world(seed), seed=seed, watch=look)

    @given(seed=SEEDS)
    def test_there_is_never_a_second_live_order_on_a_token(self, seed):
        def look(poll):
            assert all(len(orders) <= 1 for orders in poll.snapshot.open_orders.values())

        backtest(history(seed), policy(seed), fills="optimistic", assumptions=world(seed), seed=seed, watch=look)


class TestDeterminism:
    """The same tape, policy, assumptions and seed give the same result; another seed throws other dice."""

    @given(seed=SEEDS, model=MODELS)
    def test_it_repeats(self, seed, model):
        def run():
            return backtest(history(seed), policy(seed), fills=model, assumptions=world(seed), seed=seed)

        assert run() == run()

    def test_the_seed_matters_where_answers_are_lost(self):
        unsure = Assumptions(lost_answer_rate=Decimal("0.5"))
        runs = [backtest(history(7, polls=60), assumptions=unsure, seed=seed).orders for seed in (1, 2)]
        assert runs[0] != runs[1]


KEY = "0xc1:0"


def steady(*events, ask="0.60", bid="0.50", size="100", end=400):
    """A leader who holds `size` from the start, a book that stands still, and whatever else happens."""
    levels = {"bids": ((Decimal(bid), Decimal(40)),), "asks": ((Decimal(ask), Decimal(40)),)}
    tape = [
        TokenListed(at=Decimal(0), token_key=KEY, token_id="111", tick_size=Decimal("0.01")),
        BookSeen(at=Decimal(0), token_key=KEY, **levels),
        LeaderHeld(at=Decimal(0), token_key=KEY, size=Decimal(size), avg_price=Decimal("0.5")),
        *events,
        BookSeen(at=Decimal(end), token_key=KEY, **levels),
    ]
    return Tape.of(sorted(tape, key=lambda event: event.at), has_trades=True)


def trade(at, price, size, taker=Side.SELL):
    return Traded(at=Decimal(at), token_key=KEY, price=Decimal(price), size=Decimal(size), taker=taker)


class TestAPlainDay:
    def test_a_maker_buys_at_the_bid_and_stays_in_the_band(self):
        found = backtest(steady(trade(10, "0.49", 30)), fills="pessimistic")
        assert [(str(fill.price), str(fill.size), fill.maker) for fill in found.fills] == [("0.50", "20.00", True)]
        assert found.decisions[-1].decision.reason is Reason.IN_BAND

    @pytest.mark.parametrize(
        ("model", "filled"),
        [("optimistic", "20.00"), ("share", "16.66"), ("pessimistic", "10.00")],
        ids=["first", "by size", "last, behind 40"],
    )
    def test_at_our_price_the_queue_decides(self, model, filled):
        found = backtest(steady(trade(10, "0.50", 50), end=15), fills=model)
        assert [str(fill.size) for fill in found.fills] == [filled]

    def test_an_order_arrives_after_its_latency_and_misses_what_came_before(self):
        early = steady(trade(0.1, "0.40", 500), end=15)
        assert backtest(early).fills == ()
        assert len(backtest(early, assumptions=Assumptions(latency_sec=ZERO)).fills) == 1

    def test_a_change_is_seen_after_the_feed_s_lag(self):
        grown = LeaderHeld(at=Decimal(19), token_key=KEY, size=Decimal(100), avg_price=Decimal("0.5"))
        tape = steady(grown, size="0")
        assert backtest(tape).orders[0].at == Decimal("40.5")
        assert backtest(tape, assumptions=Assumptions(feed_lag_sec=ZERO)).orders[0].at == Decimal("20.5")

    def test_a_taker_pays_the_fee(self):
        found = backtest(steady(end=10), Policy(maker_only=False))
        assert [str(fill.fee) for fill in found.fills] == ["0.336000"]  # 20 x 0.07 x 0.6 x 0.4
        assert found.summary.cash == Decimal(1000) - Decimal("12.336")

    def test_a_lost_answer_is_never_bought_twice(self):
        unsure = Assumptions(lost_answer_rate=Decimal(1))
        tape = steady(*(trade(at, "0.45", 100) for at in range(5, 380, 5)))
        for seed in range(20):
            found = backtest(tape, fills="optimistic", assumptions=unsure, seed=seed)
            assert found.summary.filled_shares <= 20

    def test_a_market_that_is_over_takes_no_orders_and_pays(self):
        over = Resolved(at=Decimal(100), token_key=KEY, payout=Decimal(1))
        found = backtest(steady(trade(10, "0.49", 30), over))
        assert found.summary.pnl == Decimal(10)
        assert all(order.at <= 100 for order in found.orders)
        assert found.positions[0].shares == 0

    def test_the_ideal_follower_and_the_naive_taker_stand_beside(self):
        over = Resolved(at=Decimal(100), token_key=KEY, payout=Decimal(1))
        found = backtest(steady(over)).summary
        assert found.ideal_pnl == Decimal("0.2") * 100 * (1 - Decimal("0.55"))  # held at the start: from the mid on
        assert found.naive_pnl == 20 * Decimal("0.4") - Decimal("0.336")
        assert found.pnl == 0
        assert found.kept == 0


@example(seed=3)
@given(seed=SEEDS)
def test_a_result_without_records_has_the_same_sums(seed):
    full = backtest(history(seed), policy(seed), assumptions=world(seed), seed=seed)
    bare = backtest(history(seed), policy(seed), assumptions=world(seed), seed=seed, keep=False)
    assert (bare.summary, bare.equity) == (full.summary, full.equity)
    assert not (bare.orders)
    assert not (bare.fills)
    assert not (bare.decisions)


class TestFrames:
    """A result as polars frames: the same rows as the records, numbers as floats."""

    @pytest.mark.parametrize("what", ["equity", "positions", "orders", "fills", "decisions"])
    def test_a_frame_has_the_rows_of_the_records(self, what):
        pytest.importorskip("polars")
        found = backtest(steady(trade(10, "0.49", 30)))
        frame, records = found.frame(what), found.records(what)
        assert len(frame) == len(records) > 0
        assert frame.columns == list(records[0])

    def test_reasons_and_sides_are_texts(self):
        pytest.importorskip("polars")
        found = backtest(steady(trade(10, "0.49", 30)))
        assert set(found.frame("decisions")["reason"]) == {"QUOTED", "IN_BAND"}
        assert found.frame("fills").row(0, named=True)["side"] == "BUY"
