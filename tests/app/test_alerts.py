"""What of a run becomes a message: each kind, told once, and not told where it is not wanted."""

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from copytrade.app.alerts import Alert, Alerts, Kind, Weight
from copytrade.app.config import ALERTS, read_config
from copytrade.app.loop import Ending
from copytrade.app.outcomes import AccountRefused, Cycle, OwnFill, Result
from copytrade.app.watching import Seen, Started, Stopped
from copytrade.domain.model import Side
from copytrade.domain.plan import plan
from tests.domain.notation import NOW, id_of, key_of, snapshot

D = Decimal
WALLETS = {"target_address": "0x" + "a1" * 20, "my_address": "0x" + "b2" * 20}
CONFIG = read_config(None, WALLETS, source="the test")
MIDNIGHT = NOW // 86400 * 86400 + 86400


class Told:
    """A run whose messages are kept. Times are seconds after NOW."""

    def __init__(self, *, on: tuple[str, ...] = ALERTS, after: int = 600) -> None:
        self.alerts: list[Alert] = []
        self._watcher = Alerts(self.alerts.append, on=frozenset(map(Kind, on)), after_sec=D(after))

    def start(self, *notes: str, dry: bool = False) -> "Told":
        self._watcher.on_start(Started(at=NOW, config=CONFIG, dry=dry, once=False, notes=notes))
        return self

    def cycle(self, world: str, at: int = 0, **facts: Any) -> "Told":
        seen = evolve(snapshot(world), now=NOW + at)
        made: dict[str, Any] = {"results": (), "fills": (), "warnings": (), "titles": {}, **facts}
        cycle = Cycle(number=1, snapshot=seen, plan=plan(seen), started_at=NOW, ended_at=NOW, **made)
        self._watcher.on_cycle(Seen(cycle=cycle, requests=5))
        return self

    def stop(self, **how: Any) -> "Told":
        self._watcher.on_stop(Stopped(at=NOW, **how))
        return self

    @property
    def words(self) -> list[str]:
        return [f"{alert.kind.value}: {alert.words}" for alert in self.alerts]


def fill(shares: str, side: Side = Side.BUY, price: str = "0.5") -> OwnFill:
    return OwnFill(order_id="0x1", token_key=key_of("A"), side=side, price=D(price), shares=D(shares))


def placed(outcome: str, words: str = "") -> Result:
    return Result(action="place", token_key=key_of("A"), token_id=id_of("A"), outcome=outcome, words=words)


class TestTheBeginningAndTheEnd:
    def test_a_start_tells_whom_it_follows_and_what_it_found(self):
        told = Told().start("going on from state.json.bak")
        assert told.words == [
            f"start: live run started: 0.2 of {WALLETS['target_address']} for {WALLETS['my_address']}",
            "start: going on from state.json.bak",
        ]
        assert [alert.weight for alert in told.alerts] == [Weight.INFO, Weight.WARNING]

    def test_a_stop_on_request(self):
        told = Told().start(dry=True).stop(ending=Ending(cycles=7, may_rest=("0xaa",), not_saved="the disk is full"))
        assert told.words[1:] == [
            "stop: the dry run was stopped after 7 cycles",
            "stop: 1 order could not be confirmed as cancelled; what rests expires within minutes",
            "stop: the state is not saved: the disk is full",
        ]

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (
                AccountRefused("the exchange refuses this account\nand more"),
                "account: the run has ended: the exchange refuses this account",
            ),
            (ValueError("x"), "stop: the run has ended: ValueError: x"),
            (KeyError(), "stop: the run has ended: KeyError"),
        ],
    )
    def test_an_end_by_an_error_is_urgent(self, error, words):
        told = Told().stop(error=error)
        assert told.words == [words]
        assert told.alerts[0].weight is Weight.FAILURE


class TestTrades:
    def test_each_fill_with_its_title(self):
        titles = {key_of("A"): "Will it rain?"}
        told = Told().cycle("want 9", fills=(fill("10"), fill("4", Side.SELL, "0.75"), fill("-2")), titles=titles)
        assert told.words == [
            "fill: bought 10.00 @ 0.5, 5.00 pUSD: Will it rain?",
            "fill: sold 4.00 @ 0.75, 3.00 pUSD: Will it rain?",
            "fill: TAKEN BACK, its trade failed: bought 2.00 @ 0.5, 1.00 pUSD: Will it rain?",
        ]
        assert told.alerts[2].weight is Weight.WARNING

    def test_a_position_that_we_have_sold_to_nothing(self):
        told = Told(on=("exit",)).cycle("want 0, hold 30, book 0.4/0.5")
        told.cycle("want 0, hold 10, book 0.4/0.5", fills=(fill("20", Side.SELL),))
        told.cycle("safe, want 0")
        assert told.words == []
        told.cycle("B: want 5, hold 5, book 0.4/0.5", fills=(fill("10", Side.SELL),)).cycle("B: want 5, hold 5")
        assert told.words == [f"exit: position closed: {key_of('A')}"]

    def test_one_that_somebody_else_has_closed_is_none_of_ours(self):
        assert Told(on=("exit",)).cycle("want 30, hold 30").cycle("want 0").words == []

    def test_a_market_that_is_resolved(self):
        told = Told(on=("exit",)).cycle("A: want 9, hold 9, redeemable | B: want 9, hold 9")  # A is old news
        won = "A: want 9, hold 9, redeemable | B: want 9, hold 9, price 1, redeemable"
        told.cycle(won).cycle("safe, want 9").cycle(won)
        words = "resolved: 9.00 shares are worth 9.00 pUSD, to be redeemed by you"
        assert told.words == [f"exit: {words}: {key_of('B')}"]

    def test_three_refusals_in_a_row(self):
        told = Told(on=("refusal",))
        for outcome in ("refused", "refused", "accepted", "refused", "refused"):
            told.cycle("want 9", results=(placed(outcome, "market not ready"),))
        assert told.words == []
        told.cycle("want 9", results=(placed("refused", "market not ready"),))
        told.cycle("want 9", results=(placed("refused", "market not ready"),))
        assert told.words == [f"refusal: refused 3 times in a row: {key_of('A')}: market not ready"]


class TestLimits:
    def test_stopped_and_lifted(self):
        told = Told().cycle("want 9").cycle("stopped, want 9").cycle("stopped, want 9").cycle("want 9")
        assert told.words == ["limit: everything is stopped: nothing is placed", "limit: the stop was lifted"]

    def test_a_day_s_limit_is_told_once_a_day(self):
        world = "want 100, book 0.4/0.5, loss 10, lost 12.5"
        told = Told(on=("limit",)).cycle(world).cycle("want 9").cycle(world, at=60)
        assert told.words == ["limit: the day's loss is 12.50 pUSD: nothing is bought (DAILY_LOSS)"]
        told.cycle(world, at=int(MIDNIGHT - NOW))
        assert len(told.words) == 2

    def test_what_the_day_has_cost(self):
        told = Told(on=("limit",)).cycle("want 100, book 0.4/0.5, spend 10, spent 9.5")
        assert told.words == ["limit: the day's BUYs have cost 9.50 pUSD: DAILY_SPEND holds the next back"]


class TestWhatLasts:
    """Told when it has lasted `alert_after_sec`, once, and when it is over for three cycles."""

    def test_safe_mode(self):
        told = Told()
        for at in (0, 300, 599):
            told.cycle("safe, want 9", at=at)
        assert told.words == []
        told.cycle("safe, want 9", at=600).cycle("safe, want 9", at=620)
        assert told.words == [
            "safe_mode: for 10 min: safe mode: the target's positions could not be read; only expired orders are "
            "cancelled"
        ]
        for at in (640, 660, 680):
            told.cycle("want 9", at=at)
        assert told.words[1:] == ["safe_mode: over, after 11 min: safe mode"]

    def test_a_safe_mode_that_comes_and_goes_within_three_cycles_is_one(self):
        told = Told()
        for at in range(0, 700, 20):
            told.cycle("safe, want 9" if at % 60 else "want 9", at=at)
        assert len(told.words) == 1

    def test_short_ones_are_nobody_s_business(self):
        told = Told()
        for at in range(0, 2000, 20):
            told.cycle("safe, want 9" if at < 500 else "want 9", at=at)
        assert told.words == []

    def test_a_feed_that_does_not_follow_our_fills(self):
        told = Told()
        for at in range(0, 620, 20):
            told.cycle("want 20, feed 0, ledger 0+20", at=at)
        assert told.words == [
            "stale_feed: for 10 min: the positions feed does not show what we have traded, on 1 token"
        ]
        for at in (640, 660, 680):
            told.cycle("want 20, feed 20, ledger 0+20", at=at)
        assert told.words[1:] == [
            "stale_feed: over, after 11 min: the positions feed does not show what we have traded, on 1 token"
        ]

    def test_a_feed_that_does_not_show_what_was_only_told(self):
        told = Told()
        for at in range(0, 900, 20):
            told.cycle("want 20, feed 0, ledger 0+20, unsettled", at=at)
        assert told.words == []

    def test_a_warning_that_stays(self):
        told = Told()
        for at in (0, 300, 600, 900):
            told.cycle("want 9", at=at, warnings=("my cash could not be read", f"another one at {at}"))
        for at in (920, 940, 960):
            told.cycle("want 9", at=at)
        assert told.words == ["warning: for 10 min: my cash could not be read"]


class TestTheDay:
    def test_is_summed_up_in_the_first_cycle_of_the_next(self):
        told = Told(on=("summary",)).cycle("want 9, hold 9", at=-40000, fills=(fill("10"), fill("4", Side.SELL)))
        told.cycle("safe, want 9", at=-39880)
        told.cycle("want 100, hold 9, cash 50, spent 5, lost 1.25", results=(placed("refused"),))
        assert told.words == []
        told.cycle("want 9", at=int(MIDNIGHT - NOW)).cycle("want 9", at=int(MIDNIGHT - NOW) + 20)
        assert told.words == [
            "summary: 2025-12-17 since 08:26:40 UTC: 2 fills, bought 5.00, sold 2.00 pUSD, the day made -1.25 pUSD; "
            "1 position, 1 gap open, cash 50.00; 3 cycles, 1 refusal, safe mode for 2 min"
        ]

    def test_a_clock_that_is_set_back_ends_no_day(self):
        assert Told(on=("summary",)).cycle("want 9").cycle("want 9", at=-90000).words == []


class TestWhatIsWanted:
    def test_the_words_of_the_configuration_are_the_kinds(self):
        assert tuple(kind.value for kind in Kind) == ALERTS

    def test_nothing_else_is_sent(self):
        told = (
            Told(on=("exit", "account"))
            .start()
            .cycle("stopped, want 9", fills=(fill("10"),))
            .stop(ending=Ending(cycles=1))
        )
        assert told.words == []
