"""Every reason has its sentence, with the numbers of the rule that decided; want, hold and gap stand before it."""

from decimal import Decimal, localcontext

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from copytrade.app.explaining import Names, explain, folded
from copytrade.app.outcomes import OwnFill, Result
from copytrade.app.sentences import CANCELS, REASONS
from copytrade.app.story import sums_of
from copytrade.domain.amounts import EXACT
from copytrade.domain.model import CancelReason, Reason, Side
from copytrade.domain.plan import considered, plan
from copytrade.domain.risk import NOTHING_SPENT
from tests.domain.notation import key_of, snapshot
from tests.domain.strategies import absurd_snapshots, busy_snapshots

BOOK = "book 0.49/0.51"
COMBO_KEY = "0x0399f3c9aa7360ee8fd03463733e451b460000000000000000000000000000:0"
A = key_of("A")

# A world in the notation of tests/domain, and below it what is said of its token A.
TABLE = """\
want 100, hold 80, stopped
    STOPPED: somebody has stopped everything (copytrade stop): our orders are taken down, none is placed till it
    is lifted
want 100, safe, orders unread
    SAFE_MODE: the target's positions could not be read and my orders could not be read: on incomplete facts
    only orders older than 90 s are taken down
want 100, blacklisted
    BLACKLISTED: it stands in blacklist_token_keys: hands off
key COMBO_KEY, want 100
    COMBO: it is a combo, which has no order book
want 100, hold 20, price 1, redeemable
    REDEEMABLE: its market has resolved, at 1 a share: our 20 shares are worth 20 pUSD, to be redeemed by you
want 100, target redeemable, target price 1
    REDEEMABLE: its market has resolved, at 1 a share
want 100, no id
    UNRESOLVED: its token id is not known yet, or could not be verified; it is asked for again in each cycle
want 100, BOOK, doubt BUY 20 @ 0.4 age 8
    IN_DOUBT: the fate of BUY 20 @ 0.4 (8 s old) is not known yet: it may rest, so nothing is placed beside it
want 100, BOOK, live BUY 20 @ 0.4 age 34, matched 5
    RESTING: BUY 15 of 20 @ 0.4 rests there, 34 s old; it is good until it is 90 s old
want 100, BOOK, live BUY 20 @ 0.4 age 95
    REQUOTED: the old order goes and a new one comes; the order joins its own side, post-only: bid 0.49, ask
    0.51, tick 0.01; it is taken down after 90 s
want 100, BOOK
    QUOTED: the order joins its own side, post-only: bid 0.49, ask 0.51, tick 0.01; it is taken down after 90 s
want 0, hold 100, BOOK, taker
    QUOTED: the order takes the other side (maker_only is off): bid 0.49, ask 0.51, tick 0.01; it is taken down
    after 90 s
want 100, BOOK, on hold for 754
    ON_HOLD: on hold until 2025-12-17 19:45:54Z, 754 s more: a refusal that will repeat (60 s, doubling to 1 h),
    or a start on a lost state
want 0, hold 100, BOOK, copied
    NOT_OURS: 100 shares are too many, but copytrade is not known to have traded them, and manage_holdings is "copied"
want 100, BOOK, title Will it rain?, deny rain
    MARKET_DENIED: deny_markets has "rain", which its title or slug matches: nothing is bought
want 100, BOOK, title Will it rain?, allow snow
    MARKET_DENIED: neither its title nor its slug matches allow_markets ("snow"): nothing is bought
want 100, BOOK, hours 24, ends 2025-12-18
    ENDS_SOON: it ends at 2025-12-18 00:00:00Z, in 4.4444 h, and min_hours_to_end is 24: nothing is bought
want 100, BOOK, hours 24
    ENDS_SOON: nobody tells when it ends, and min_hours_to_end is 24: nothing is bought
want 100, BOOK, loss 50, lost 60
    DAILY_LOSS: the copied holdings have lost 60 pUSD today, and max_daily_loss is 50: nothing is bought
want 1000, hold 100, BOOK, cap 51
    TOKEN_CAP: the 100 shares that we may hold count 50 of max_notional_per_token 51: 1 pUSD are left, which is
    2 shares at 0.5; the exchange's minimum is 5, and 1000 are wanted
A: want 1000, BOOK, total 52 | B: hold 100, want 100, BOOK
    TOTAL_CAP: all tokens count 50 of max_notional_total 52: 2 pUSD are left, which is 4 shares at 0.5; the
    exchange's minimum is 5
want 100, BOOK, spend 100, spent 99
    DAILY_SPEND: 99 pUSD are spent today and 0 may be by orders that rest; max_daily_spend is 100: 1 pUSD are
    left, which is 2.0408 shares at 0.49; the exchange's minimum is 5
A: want 100, BOOK, cash 10 | B: want 300, BOOK, live BUY 20 @ 0.4 age 5
    NO_CASH: of 10 pUSD 8 are spoken for, by orders and by larger gaps: 2 pUSD are left, which is 4.0816 shares
    at 0.49; the exchange's minimum is 5
want 100
    NO_BOOK: there is no order book and no price is known: no cap could be kept
want 100, target price 0.5
    NO_BOOK: nobody quotes it (the last known price is 0.5)
want 100, book 0.6/0.5
    CROSSED_BOOK: the bid 0.6 is at or above the ask 0.5: such a book is not believed
want 100, book -/0.01
    NO_ROOM: a BUY has no price on the tick of 0.01 that would rest: ask 0.01
want 100, BOOK, from 0.6
    PRICE_RANGE: we would buy at 0.49, and only prices from 0.6 to 1 are opened
want 100, book 0.7/0.8, price 0.5
    PRICE_GUARD: we would buy at 0.7, 0.2 above the current price 0.5: more than max_price_deviation 0.1
want 0, hold 100, book 0.2/0.3, price 0.5
    PRICE_GUARD: we would sell at 0.3, 0.2 below the current price 0.5: more than max_price_deviation 0.1
want 100, hold 95, BOOK, min 8.01
    DUST: the gap of 5 is smaller than the exchange's minimum of 8.01, even with the deadband of 3
want 10, hold 40, BOOK, foreign SELL 35.01 @ 0.9
    DUST: 4.99 shares are free to be sold, less than the exchange's minimum of 5
want 100, hold 60..100, BOOK
    SETTLING: the feed says 60, but we may hold 60..100: the gap may be closed already, so nothing is done until
    feed and fills agree
want 100, hold 80, BOOK, live BUY 17 @ 0.49 age 91
    SETTLING: the order that is taken down may have filled before: what is left is decided when that is known
want 50..100, hold 100
    UNCONFIRMED: the leader's decrease (to a want of 50) is sold once 2 polls agree; until then up to 100 are
    wanted
want 100, hold 98
    IN_BAND: a gap of 2 is inside the deadband of 3: nothing is to be done
"""


def rows(table: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in table.splitlines():
        if line.startswith("    "):
            world, said = found.pop()
            found.append((world, f"{said} {line.strip()}".strip()))
        else:
            found.append((line, ""))
    return found


def facts(world: str):
    world = world.replace("BOOK", BOOK).replace("COMBO_KEY", COMBO_KEY)
    return snapshot(world), COMBO_KEY if COMBO_KEY in world else A


def said(world: str, **more) -> tuple[str, ...]:
    found, key = facts(world)
    return explain(found, key, **more).sentences


class TestReasons:
    @pytest.mark.parametrize(("world", "sentence"), rows(TABLE))
    def test_the_sentence_of_the_rule_that_decided(self, world, sentence):
        assert sentence in said(world)

    @pytest.mark.parametrize("reason", list(Reason))
    def test_each_reason_has_a_sentence_and_stands_in_the_table(self, reason):
        assert reason in REASONS
        assert any(sentence.startswith(f"{reason.value}: ") for _, sentence in rows(TABLE))

    @pytest.mark.parametrize(
        ("reason", "world", "sentence"),
        [
            ("STOPPED", "live BUY 20 @ 0.4, stopped", "somebody has stopped everything (copytrade stop)"),
            ("EXPIRED", "want 100, BOOK, live BUY 20 @ 0.4 age 95", "95 s old, and order_ttl_sec is 90"),
            ("WRONG_SIDE", "want 100, BOOK, live SELL 20 @ 0.6", "it would widen the gap of 100"),
            (
                "SECOND_ORDER",
                "want 100, BOOK, live BUY 20 @ 0.4 age 9 #aa, live BUY 20 @ 0.4 age 5 #bb",
                "2 orders of ours rest there, and only the newest stays",
            ),
            ("BLACKLISTED", "want 100, blacklisted, live BUY 20 @ 0.4", "it stands in blacklist_token_keys"),
            ("LEFT_ALONE", "want 100, redeemable, live BUY 20 @ 0.4", "the token is left alone (REDEEMABLE)"),
            (
                "LIMIT",
                "want 100, BOOK, title rain, deny rain, live BUY 20 @ 0.4",
                "a limit lets nothing be bought there now (MARKET_DENIED), at 0.4 or at all",
            ),
            (
                "OVERSHOOT",
                "want 100, hold 80, BOOK, live BUY 40 @ 0.49",
                "its rest of 40 is more than the gap of 20 and the deadband of 3",
            ),
            (
                "OVERSHOOT",
                "want 100, hold 98, BOOK, live BUY 20 @ 0.49",
                "the gap of 2 is inside the deadband of 3, so it would go past the want",
            ),
        ],
    )
    def test_and_each_reason_for_a_cancel(self, reason, world, sentence):
        found, _ = facts(world)
        assert reason in {one.reason.value for one in plan(found).cancels}
        assert any(words.startswith("cancelled, ") and words.endswith(f": {sentence}") for words in said(world))

    def test_none_is_missing(self):
        assert REASONS.keys() == set(Reason)
        assert CANCELS.keys() == set(CancelReason)


class TestConsidered:
    @given(found=st.one_of(busy_snapshots(), absurd_snapshots()))
    def test_it_is_what_the_plan_decides(self, found):
        """Property: same tokens, same reasons, same actions, on any facts."""
        decided, seen = plan(found), considered(found)
        reasons = {(one.token_key, one.token_id): one.reason for one in decided.decisions}
        assert {(one.token.token_key, one.token.token_id): one.reason for one in seen} == reasons
        assert {action for one in seen for action in one.actions} == set(decided.actions)

    @given(found=busy_snapshots())
    @example(found=snapshot("want 100, book 0.49/0.51, copied | B: feed 0, ledger 50, not ours"))
    @example(found=snapshot("want 100, book 0.49/0.51, copied | B: hold 50, price 0.5"))
    @example(found=snapshot("want 100, book 0.49/0.51, copied | B: feed 0, ledger 50, not ours, live BUY 5 @ 0.4"))
    def test_the_sum_that_is_shown_is_the_one_that_was_decided_on(self, found):
        with localcontext(EXACT):
            shown = sums_of(found, plan(found)).counted
        totals = [one.total for one in considered(found) if one.budget is not NOTHING_SPENT]
        assert not totals or shown == min(totals)

    @given(found=st.one_of(busy_snapshots(), absurd_snapshots()))
    def test_every_token_can_be_explained(self, found):
        for decision in plan(found).decisions:
            if decision.token_key is not None:
                explained = explain(found, decision.token_key)
                assert explained.reason is decision.reason
                assert all(explained.sentences)


class TestBeforeTheReason:
    @pytest.mark.parametrize(
        ("world", "sentences"),
        [
            (
                "want 100, hold 60..80, BOOK",
                [
                    "want 100 (1 × 100)",
                    "hold 60..80: the feed says 60, and does not show all of our fills yet (20 bought)",
                    "gap 20: 20 are certainly missing, more than the deadband of 3",
                ],
            ),
            (
                "want 0, hold 60..80 by sales, BOOK",
                [
                    "want 0 (1 × 0)",
                    "hold 60..80: the feed says 80, and does not show all of our fills yet (20 sold)",
                    "gap -60: 60 are certainly too many, more than the deadband of 3",
                ],
            ),
            (
                "want 50..100, hold 100",
                ["want 50..100 (1 × 50): his size was 100, 50 in the last polls, and 2 must agree on a decrease"],
            ),
            ("want 1000, hold 100, BOOK, cap 51", ["want 102 (1 × 1000); uncapped it would be 1000"]),
            (
                "want 100, BOOK, feed 60, ledger 80, unsettled",  # after a lost state: it had been told of
                ["hold 60..80: the feed says 60, and 80 may be there by what was told since the start on a lost state"],
            ),
            ("want 100, BOOK, feed 80, ledger 60 age 10", ["hold 60..80: the feed says 80, last known are 60"]),
            ("want 100, BOOK, doubt BUY 20 @ 0.4 age 8", ["hold 0..20: BUY 20 @ 0.4 in doubt may have filled"]),
            (
                "want 100, BOOK, feed 60, ledger 60+20 age 400",
                ["hold 60..80: the feed says 60, and does not show all of our fills yet (20 bought); the positions "
                 "feed says 60, own fills say 80, the exchange's own balance is not to be had"],
            ),
            ("want 100, safe", ["want 100, as far as the target's positions are known"]),
        ],
    )  # fmt: skip
    def test_want_hold_and_gap(self, world, sentences):
        assert [each for each in sentences if each not in said(world)] == []


class TestWhatCameOfIt:
    WORLD = "want 100, BOOK, live BUY 20 @ 0.4 age 95 #aa"

    def test_results_fills_and_warnings_of_the_cycle(self):
        place = Result(action="place", token_key=A, token_id="10", outcome="refused", words="no balance")
        found, key = facts(self.WORLD)
        cancel = plan(found).cancels[0]
        down = Result(action="cancel", token_key=A, token_id="10", outcome="confirmed", order_id=cancel.order_id)
        fill = OwnFill(order_id="0xaa", token_key=A, side=Side.BUY, price=Decimal("0.4"), shares=Decimal(5))
        told = explain(found, key, (down, place), (fill,), (f"{A}: look at this", "0xb:0: not at this"))
        assert told.sentences[0] == "learned that we bought 5 @ 0.4"
        assert "cancelled, BUY 20 @ 0.4: 95 s old, and order_ttl_sec is 90 → confirmed" in told.sentences
        assert "BUY 25 @ 0.49 → refused: no balance" in told.sentences
        assert told.sentences[-1] == f"warning: {A}: look at this"
        assert told.happened

    def test_a_fill_that_is_taken_back(self):
        found, key = facts("want 100, hold 98")
        fill = OwnFill(order_id="0xaa", token_key=A, side=Side.BUY, price=Decimal("0.4"), shares=Decimal(-5))
        assert explain(found, key, (), (fill,)).sentences[0] == "a trade failed: 5 @ 0.4 are taken back"

    def test_a_token_that_nobody_has_to_do_with(self):
        found, _ = facts("want 100")
        [only] = explain(found, "0xf:0").sentences
        assert only == "neither the leader nor we hold it, and no order of ours is there"


class TestFolding:
    def told(self, *worlds: str) -> list[tuple[str, int]]:
        """Reasons and cycles of these worlds, oldest first, 20 s apart."""
        explanations = []
        for number, world in enumerate(worlds):
            found, key = facts(world)
            explanations.append(explain(evolve(found, now=found.now + 20 * number), key))
        return [(str(one.reason.value if one.reason else None), one.cycles) for one in folded(reversed(explanations))]

    def test_cycles_in_a_row_that_say_the_same_are_one(self):
        waiting, band = "want 100, hold 60..100, BOOK", "want 100, hold 98"
        worlds = (waiting, waiting, band, band, band, waiting)
        assert self.told(*worlds) == [("SETTLING", 1), ("IN_BAND", 3), ("SETTLING", 2)]

    def test_one_in_which_something_happened_stands_alone(self):
        placed = "want 100, BOOK"
        assert self.told(placed, placed) == [("QUOTED", 1), ("QUOTED", 1)]

    def test_the_numbers_are_those_of_the_newest(self):
        found, key = facts("want 100, hold 98")
        [one] = folded([explain(evolve(found, now=found.now + 20), key), explain(found, key)])
        assert (one.since, one.until, one.cycles) == (found.now, found.now + 20, 2)


class TestNames:
    NAMES = Names(
        titles={"0xaa11:0": "Rain in Paris?", "0xaa11:1": "Rain in Paris?", "0xbb22:0": "Will it snow?"},
        slugs={"0xbb22:0": "snow-in-rome"},
    )

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("0xaa11:1", ["0xaa11:1"]),
            ("0XAA11:1", ["0xaa11:1"]),
            ("0xb", ["0xbb22:0"]),
            ("0xaa11", ["0xaa11:0", "0xaa11:1"]),
            ("snow?", ["0xbb22:0"]),
            ("IN PARIS", ["0xaa11:0", "0xaa11:1"]),
            ("in-rome", ["0xbb22:0"]),
            ("hail", []),
            ("", []),
        ],
    )
    def test_by_key_beginning_title_or_slug(self, asked, found):
        assert self.NAMES.find(asked) == found

    def test_one_that_was_sold_has_its_title_in_an_older_snapshot(self):
        older, newer = snapshot("title Rain?, hold 20, ledger 0+20 age 5"), snapshot("ledger 0+0 age 9")
        assert Names.of([newer, older]).find("rain") == [A]

    def test_the_nearest_first(self):
        assert self.NAMES.nearest("will it snwo")[0] == "0xbb22:0"
        assert self.NAMES.nearest("0xaa12:1")[0] == "0xaa11:1"
