"""The live view as it stands at 80 and 120 columns, with one token of each kind and with a hundred."""

import io
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.cells import cell_len
from rich.console import Console

from copytrade.app.cli import _live, _table
from copytrade.app.cli._lines import Lines
from copytrade.app.cli._live import THEME, LiveView, rich_text
from copytrade.app.cli._outlet import Outlet
from copytrade.app.cli._table import SHORT, amount, span, text_of
from copytrade.app.cli._view import View, frame
from copytrade.app.config import Config
from copytrade.app.loop import Ending
from copytrade.app.outcomes import Cycle
from copytrade.app.watching import Seen, Started, Stopped
from copytrade.domain.model import Reason
from tests.cli.stories import NOW, cycle, facts

AT_80 = """\
 copytrade   LIVE   0x2f2f…2f2f follows 0x1e1e…1e1e × 0.2             19:33:29Z
 cycle 132: 8 s ago, 9 requests in 0.31 s, next in 11 s   running 1 h 6 min
 cash 1,234.50, 1,207.30 free   caps 1,422 of 4,000 (36%)   10 tokens, 6 gaps
 this run: 1 fill, bought 3.05, sold 0.00, profit 0.05 (his × 0.2: 0.00)
 $ 1 resolved position to redeem: Was the comet seen in October?
 token                  target      want      hold    gap order or why
 Will the vote pass?      1000       200       900   -700 not enough balance / …
 Will \\u001b[2Jthe scr…    300        60     0..25     35 an order in doubt
 Will Northwind win th…    160        32         0     32 BUY 20 @ 0.61 43s
 Will it rain in Paris…    500       100    60..80     20 BUY 20 @ 0.61 9s
 東京の気温は30度を超 …    400        80        10     70 held 12 min 25 s
 A token without an id     100        20         0     20 token id not known
 Nobody quotes this one     90        18         0     18 nobody quotes
 Will oil end the year… 12346k    1234.5    1234.5      0 token cap reached
 Was the comet seen in…    250        50        50      0 redeem it
 Will the bridge open …    120        24        24      0 in the band

 19:33:20Z bought 5.00 @ 0.61   Will Northwind win the final?
 19:33:20Z BUY 20.00 @ 0.61  Will it rain in Paris tomorrow?   accepted
 19:33:20Z SELL 25.00 @ 0.63  Will the vote pass?   refused: not enough balance…
"""
AT_120 = """\
 copytrade   LIVE   0x2f2f…2f2f follows 0x1e1e…1e1e × 0.2                                                     19:33:29Z
 cycle 132: 8 s ago, 9 requests in 0.31 s, next in 11 s   running 1 h 6 min
 cash 1,234.50, 1,207.30 free   caps 1,422 of 4,000 (36%)   10 tokens, 6 gaps
 this run: 1 fill, bought 3.05, sold 0.00, profit 0.05 (his × 0.2: 0.00)
 $ 1 resolved position to redeem: Was the comet seen in October?
 token                             target         want         hold      gap order                  why
 Will the vote pass?                 1000          200          900     -700                        not enough balance …
 Will \\u001b[2Jthe screen be cl…      300           60        0..25       35 BUY 25 @ 0.6 17s       an order in doubt
 Will Northwind win the final?        160           32            0       32 BUY 20 @ 0.61 43s      order rests
 Will it rain in Paris tomorrow?      500          100       60..80       20 BUY 20 @ 0.61 9s       order placed
 東京の気温は30度を超えますか？…      400           80           10       70                        held 12 min 25 s
 A token without an id                100           20            0       20                        token id not known
 Nobody quotes this one                90           18            0       18                        nobody quotes
 Will oil end the year above 10… 12345678       1234.5       1234.5        0                        token cap reached
 Was the comet seen in October?       250           50           50        0                        redeem it
 Will the bridge open in spring?      120           24           24        0                        in the band

 19:33:20Z bought 5.00 @ 0.61   Will Northwind win the final?
 19:33:20Z BUY 20.00 @ 0.61  Will it rain in Paris tomorrow?   accepted
 19:33:20Z SELL 25.00 @ 0.63  Will the vote pass?   refused: not enough balance / allowance
"""
SAFE_AT_80 = """\
 copytrade   LIVE   0x2f2f…2f2f follows 0x1e1e…1e1e × 0.2             19:33:29Z
 cycle 132: 8 s ago, 9 requests in 0.31 s, next in 11 s   running 1 h 6 min
 SAFE MODE: my positions could not be read, my orders could not be read (only e…
 cash 1,234.50, 1,207.30 free   10 tokens
 this run: 0 fills, bought 0.00, sold 0.00, profit 0.00 (his × 0.2: 0.00)
 ! 0xc1:0: left alone, gamma and the exchange do not agree on its to… (3 cycles)
 ! b (3 cycles)
 ! c (3 cycles)
 ! … and 1 more
 token                  target      want      hold    gap order or why
 Will \\u001b[2Jthe scr…    300        60         ?      ? safe mode, waiting
 Will Northwind win th…    160        32         ?      ? safe mode, waiting
 Will oil end the year… 12346k    806.45         ?      ? safe mode, waiting
 Will the vote pass?      1000       200         ?      ? safe mode, waiting
 東京の気温は30度を超 …    400        80         ?      ? safe mode, waiting
 Was the comet seen in…    250        50         ?      ? safe mode, waiting
 Will the bridge open …    120        24         ?      ? safe mode, waiting
 Will it rain in Paris…    500       100         ?      ? safe mode, waiting
 A token without an id     100        20         ?      ? safe mode, waiting
 Nobody quotes this one     90        18         ?      ? safe mode, waiting
"""
BUSY_AT_80 = """\
 copytrade   LIVE   0x2f2f…2f2f follows 0x1e1e…1e1e × 0.2             19:33:29Z
 cycle 132: 8 s ago, 9 requests in 0.31 s, next in 11 s   running 1 h 6 min
 cash 1,234.50, 1,207.30 free   caps 3,035 of 4,000 (76%)   100 tokens, 6 gaps
 this run: 1 fill, bought 3.05, sold 0.00, profit 0.05 (his × 0.2: 0.00)
 $ 1 resolved position to redeem: Was the comet seen in October?
 token                  target      want      hold    gap order or why
 Will the vote pass?      1000       200       900   -700 not enough balance / …
 Will \\u001b[2Jthe scr…    300        60     0..25     35 an order in doubt
 Will Northwind win th…    160        32         0     32 BUY 20 @ 0.61 43s
 Will it rain in Paris…    500       100    60..80     20 BUY 20 @ 0.61 9s
 東京の気温は30度を超 …    400        80        10     70 held 12 min 25 s
 A token without an id     100        20         0     20 token id not known
 Nobody quotes this one     90        18         0     18 nobody quotes
 Will oil end the year… 12346k    1234.5    1234.5      0 token cap reached
 Was the comet seen in…    250        50        50      0 redeem it
 Question number 89        189      37.8      37.8      0 in the band
 Question number 88        188      37.6      37.6      0 in the band
 Question number 87        187      37.4      37.4      0 in the band
 Question number 86        186      37.2      37.2      0 in the band
  … 87 more: 87 in the band

 19:33:20Z bought 5.00 @ 0.61   Will Northwind win the final?
 19:33:20Z BUY 20.00 @ 0.61  Will it rain in Paris tomorrow?   accepted
 19:33:20Z SELL 25.00 @ 0.63  Will the vote pass?   refused: not enough balance…
"""


def view_of(*cycles: Cycle, dry: bool = False) -> View:
    """What is shown after these cycles."""
    live = LiveView(Outlet(io.StringIO()), Lines(io.StringIO(), io.StringIO()))
    shown: list[View] = []
    live._painter.show = shown.append  # type: ignore[method-assign, assignment]  # nothing is drawn here
    config = cast(Config, SimpleNamespace(policy=cycles[0].snapshot.policy, poll_interval_sec=Decimal(20)))
    live.on_start(Started(at=Decimal(NOW - 4000), config=config, dry=dry, once=False))
    for one in cycles:
        live.on_cycle(Seen(cycle=one, requests=9))
    return shown[-1]


def screen(view: View, width: int, height: int, *, later: int = 9) -> str:
    return text_of(frame(view, width, height, Decimal(NOW + later)))


RESOLVER = "0xc1:0: left alone, gamma and the exchange do not agree on its token id"


class TestTheScreen:
    def test_at_80_columns(self):
        assert screen(view_of(cycle()), 80, 24) == AT_80

    def test_at_120_columns(self):
        assert screen(view_of(cycle()), 120, 30) == AT_120

    def test_safe_mode_and_warnings(self):
        unsafe = facts(mine={"ok": False}, orders_ok=False)
        view = view_of(*(cycle(unsafe, warnings=(RESOLVER, "b", "c", "d")) for _ in range(3)))
        assert screen(view, 80, 24) == SAFE_AT_80

    def test_a_hundred_tokens(self):
        assert screen(view_of(cycle(facts(90))), 80, 24) == BUSY_AT_80

    def test_a_dry_run_says_so(self):
        shown = screen(view_of(cycle(), dry=True), 80, 24)
        assert " copytrade   DRY RUN " in shown
        assert "nothing is sent" in shown
        assert "accepted" not in shown

    def test_limits_of_the_day_and_the_switch_that_stops_everything(self):
        limited = {"follow_ratio": 0.2, "max_daily_spend": 100, "max_daily_loss": 50}
        shown = screen(view_of(cycle(facts(config=limited, today={"spent": 12.5, "result": -3}, stopped=True))), 80, 24)
        assert " limits of the day: 12.50 of 100.00 spent, result -3.00, buying stops at -50.00\n" in shown
        assert " STOPPED by copytrade stop: nothing is placed until it is lifted\n" in shown
        assert "limits" not in screen(view_of(cycle()), 80, 24)

    def test_a_run_that_has_stood_still_is_told(self):
        view = view_of(cycle())
        assert "nothing since" not in screen(view, 80, 24, later=80)
        assert "cycle 132: 2 min 59 s ago, 9 requests in 0.31 s: nothing since" in screen(view, 80, 24, later=180)


class TestItFits:
    """Nothing wraps, whatever the size, and nothing is lost without being counted."""

    @pytest.mark.parametrize("width", [64, 65, 79, 80, 100, 111, 112, 113, 120, 200, 400])
    @pytest.mark.parametrize("height", [5, 10, 19, 20, 24, 50, 200])
    def test_lines_and_columns(self, width, height):
        view = view_of(cycle(facts(90), warnings=("x" * 500, "y", "z", "w")))
        lines = frame(view, width, height, Decimal(NOW))
        assert len(lines) <= height
        assert max(sum(cell_len(text) for text, _ in line) for line in lines) <= width

    def test_a_terminal_of_no_size_is_no_error(self):
        assert frame(view_of(cycle(facts(90))), 1, 1, Decimal(NOW))

    @pytest.mark.parametrize("height", [12, 24, 40, 80, 200])
    def test_every_token_is_shown_or_counted(self, height):
        shown = screen(view_of(cycle(facts(90))), 80, height)
        counted = [int(line.split()[1]) for line in shown.splitlines() if line.startswith("  … ")]
        table = shown[shown.index(" token ") :].splitlines()[1:]
        listed = [line for line in table if line and not line.startswith("  … ")]
        listed = listed[: len(listed) - 3] if height >= 20 else listed  # the news
        assert len(listed) + sum(counted) == 100

    def test_what_came_from_outside_steers_no_terminal(self):
        shown = screen(view_of(cycle()), 120, 40)
        assert "\x1b" not in shown
        assert "Will \\u001b[2Jthe screen" in shown


class TestColour:
    def drawn(self, **settings: Any) -> str:
        out = io.StringIO()
        console = Console(file=out, theme=THEME, force_terminal=True, width=80, highlight=False, **settings)
        console.print(rich_text(frame(view_of(cycle()), 80, 24, Decimal(NOW + 9))))
        return out.getvalue()

    def test_it_says_nothing_that_the_words_do_not(self):
        plain = io.StringIO()
        Console(file=plain, theme=THEME, width=80).print(rich_text(frame(view_of(cycle()), 80, 24, Decimal(NOW + 9))))
        assert [line.rstrip() for line in plain.getvalue().splitlines()] == AT_80.splitlines()

    def test_with_and_without(self):
        coloured, without = self.drawn(color_system="standard"), self.drawn(color_system="standard", no_color=True)
        assert "\x1b[32m" in coloured  # a BUY is green
        assert "\x1b[33m" in coloured  # what a person should look at is yellow
        assert not any(f"\x1b[{number}m" in without for number in range(30, 38))


class TestReasons:
    @pytest.mark.parametrize("reason", list(Reason))
    def test_each_has_a_few_words_that_fit_into_their_column(self, reason):
        assert 0 < len(SHORT[reason]) <= 20

    def test_none_that_is_no_reason(self):
        assert SHORT.keys() == set(Reason)


class TestNumbers:
    @pytest.mark.parametrize("width", [6, 8, 9, 12])
    @pytest.mark.parametrize("text", ["0", "-0.004", "0.005", "99.995", "123456.789", "-123456.789", "1E+9", "1E+30"])
    def test_a_number_fits(self, text, width):
        assert len(amount(Decimal(text), width)) <= width
        assert len(span(Decimal(0), Decimal(text), width)) <= width

    def test_the_modules_least_width_is_really_enough(self):
        assert all(_table._columns(_table.LEAST_WIDTH, timed)["token"] >= 4 for timed in (False, True))


class TestWhenDrawingFails:
    """An error in drawing ends the view, not the run: plain lines follow, and the terminal is given back."""

    def test_lines_follow(self, monkeypatch):
        def broken(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        out, text = Outlet(terminal := io.StringIO()), io.StringIO()
        live = LiveView(out, Lines(text, io.StringIO()))
        config = cast(Config, SimpleNamespace(policy=facts().policy, poll_interval_sec=Decimal(20)))
        live.on_start(Started(at=Decimal(NOW), config=config, dry=False, once=False))
        monkeypatch.setattr(_live, "frame", broken)
        live.on_cycle(Seen(cycle=cycle(), requests=9))
        thread = live._painter._thread
        assert thread is not None
        thread.join(20)
        assert isinstance(live._painter.failed, ZeroDivisionError)
        assert "cycle 132" not in text.getvalue()
        live.on_cycle(Seen(cycle=cycle(number=133), requests=9))
        assert "cycle 133   normal   10 tokens" in text.getvalue()
        live.on_stop(Stopped(at=Decimal(NOW), ending=Ending(cycles=2)))
        assert "stopped after 2 cycles" in text.getvalue()
        out.close()
        drawn = terminal.getvalue()
        assert drawn.count("\x1b[?1049h") == drawn.count("\x1b[?1049l") == 1
        assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l")

    def test_a_question_gets_the_terminal_as_it_was(self):
        out = Outlet(terminal := io.StringIO())
        live = LiveView(out, Lines(io.StringIO(), io.StringIO()))
        config = cast(Config, SimpleNamespace(policy=facts().policy, poll_interval_sec=Decimal(20)))
        live.on_start(Started(at=Decimal(NOW), config=config, dry=False, once=False))
        with live.aside():
            assert live._painter._thread is None
        live.on_cycle(Seen(cycle=cycle(), requests=9))
        with live.aside():
            assert out.drain(20)
            assert terminal.getvalue().count("\x1b[?1049h") == terminal.getvalue().count("\x1b[?1049l")
        live.on_stop(Stopped(at=Decimal(NOW), ending=Ending(cycles=2)))
        out.close()
        assert terminal.getvalue().count("\x1b[?1049h") == terminal.getvalue().count("\x1b[?1049l")


def test_the_picture_in_the_docs_is_of_this_view():
    from tests.cli.picture import PICTURE, lines, picture, words_in

    drawn = PICTURE.read_text(encoding="utf-8")
    assert words_in(drawn) == words_in(picture(lines())), "draw it again: python -m tests.cli.picture"
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
