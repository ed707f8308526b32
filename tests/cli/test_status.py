"""`copytrade status`: the screen and the JSON as they stand, from what a run has left, which is not touched."""

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve
from rich.cells import cell_len

from copytrade.app import cli
from copytrade.app.cli._standing import status_lines
from copytrade.app.cli._table import text_of
from copytrade.app.documents import encode_journal_line
from copytrade.app.outcomes import Cycle
from copytrade.app.state import encode_state
from copytrade.app.status import Found, Status, status_object, status_of
from copytrade.app.tally import Counting, Tally, notes_object
from copytrade.app.writing import to_json
from copytrade.domain.memory import Base, Hold, Memory, OwnOrder, Standing
from copytrade.domain.model import Side
from tests.cli.stories import ME, NOW, ORDER, cycle, facts, key, token_id

ROOT = Path(__file__).resolve().parents[2]
WARNING = "0xc1:0: left alone, gamma and the exchange do not agree on its token id"

AT_80 = """\
 copytrade   RUNNING   0x2f2f…2f2f follows 0x1e1e…1e1e × 0.2          19:33:29Z
 last cycle 132: 9 s ago, took 0.31 s   running 1 h 6 min as process 4711
 cash 1,234.50, 1,207.30 free   caps 1,422 of 4,000 (36%)   10 tokens, 6 gaps
 today: 1 fill, bought 3.05, sold 0.00   fees none (makers pay none)
 profit since 2025-12-16 18:33Z: 0.05, his × 0.2: 0.00
 tracking error: 51.2% of what is wanted, on average; 51.2% now
 $ 1 resolved position to redeem, worth 31.00: Was the comet seen in October?
 ! 0xc1:0: left alone, gamma and the exchange do not agree on its token id
 token                         want      hold    gap open order or why
 Will the vote pass?            200       900   -700   9s not enough balance / …
 Will \\u001b[2Jthe scree…        60     0..25     35   9s an order in doubt
 Will Northwind win the …        32         0     32   9s BUY 13 @ 0.61 43s
 Will it rain in Paris t…       100    60..80     20   9s order placed
 東京の気温は30度を超え …        80        10     70   9s held 12 min 25 s
 A token without an id           20         0     20      token id not known
 Nobody quotes this one          18         0     18   9s nobody quotes
 Will oil end the year a…    1234.5    1234.5      0      token cap reached
 Was the comet seen in O…        50        50      0      redeem it
 Will the bridge open in…        24        24      0      in the band
 on hold until 19:45:54Z: 東京の気温は30度を超えますか？明日の最高気温について…
 on hold until 19:34:20Z: Will the vote pass?: not enough balance / allowance
 last fill 9 s ago of Will Northwind win the final?: bought 5 @ 0.61
 last refusal 9 s ago of Will the vote pass?: not enough balance / allowance
 1 order of ours may rest, by the state
"""
AT_120 = """\
 copytrade   RUNNING   0x2f2f…2f2f follows 0x1e1e…1e1e × 0.2                                                  19:33:29Z
 last cycle 132: 9 s ago, took 0.31 s   running 1 h 6 min as process 4711
 cash 1,234.50, 1,207.30 free   caps 1,422 of 4,000 (36%)   10 tokens, 6 gaps
 today: 1 fill, bought 3.05, sold 0.00   fees none (makers pay none)
 profit since 2025-12-16 18:33Z: 0.05, his × 0.2: 0.00
 tracking error: 51.2% of what is wanted, on average; 51.2% now
 $ 1 resolved position to redeem, worth 31.00: Was the comet seen in October?
 ! 0xc1:0: left alone, gamma and the exchange do not agree on its token id
 token                        target         want         hold      gap open order                  why
 Will the vote pass?            1000          200          900     -700   9s                        not enough balance …
 Will \\u001b[2Jthe screen …      300           60        0..25       35   9s                        an order in doubt
 Will Northwind win the fi…      160           32            0       32   9s BUY 13 @ 0.61 43s      order rests
 Will it rain in Paris tom…      500          100       60..80       20   9s                        order placed
 東京の気温は30度を超えま …      400           80           10       70   9s                        held 12 min 25 s
 A token without an id           100           20            0       20                             token id not known
 Nobody quotes this one           90           18            0       18   9s                        nobody quotes
 Will oil end the year abo… 12345678       1234.5       1234.5        0                             token cap reached
 Was the comet seen in Oct…      250           50           50        0                             redeem it
 Will the bridge open in s…      120           24           24        0                             in the band
 on hold until 19:45:54Z: 東京の気温は30度を超えますか？明日の最高気温についての質問: refused before
 on hold until 19:34:20Z: Will the vote pass?: not enough balance / allowance
 last fill 9 s ago of Will Northwind win the final?: bought 5 @ 0.61
 last refusal 9 s ago of Will the vote pass?: not enough balance / allowance
 1 order of ours may rest, by the state
"""
STOPPED_AT_80 = """\
 copytrade   STOPPED   0x2f2f…2f2f follows 0x1e1e…1e1e × 0.2          20:33:20Z
 last cycle 132: 1 d 1 h ago, took 0.31 s
 cash 1,234.50, 1,207.30 free
 today: 0 fills, bought 0.00, sold 0.00   fees none (makers pay none)
 profit since 2025-12-16 18:33Z: 0.05, his × 0.2: 0.00
 tracking error: 51.2% of what is wanted, on average
 SAFE MODE: my positions could not be read (only expired orders are cancelled)
 token                         want      hold    gap open order or why
 Will \\u001b[2Jthe scree…        60         ?      ?   1d safe mode, waiting
 Will Northwind win the …        32         ?      ?   1d safe mode, waiting
 Will oil end the year a…    806.45         ?      ?      safe mode, waiting
 Will the vote pass?            200         ?      ?   1d safe mode, waiting
 東京の気温は30度を超え …        80         ?      ?   1d safe mode, waiting
 Was the comet seen in O…        50         ?      ?      safe mode, waiting
 Will the bridge open in…        24         ?      ?      safe mode, waiting
 Will it rain in Paris t…       100         ?      ?   1d safe mode, waiting
 A token without an id           20         ?      ?      safe mode, waiting
 Nobody quotes this one          18         ?      ?   1d safe mode, waiting
 last fill 1 d 1 h ago of Will Northwind win the final?: bought 5 @ 0.61
 last refusal 1 d 1 h ago of Will the vote pass?: not enough balance / allowance
 1 order of ours may rest, by the state
"""


def line_of(*cycles: Cycle) -> bytes:
    """The last line of a journal with these cycles."""
    counting = Counting(Tally(since=Decimal(NOW - 90_000), run_started_at=Decimal(NOW - 4000)))
    tallies = [counting.count(one) for one in cycles]
    last = cycles[-1]
    results = [
        {"action": one.action, "token_key": one.token_key, "token_id": one.token_id, "outcome": one.outcome,
         "order_id": one.order_id, "words": one.words}
        for one in last.results
    ]  # fmt: skip
    rows = [{name: value for name, value in row.items() if value} for row in results]
    return encode_journal_line(last.snapshot, last.plan, rows, notes_object(last, tallies[-1]))


def state() -> bytes:
    """One order rests, as the state knows it; two tokens are on hold."""
    own = OwnOrder(
        order_id=ORDER, token_key=key(1), token_id=token_id(1), side=Side.BUY, price=Decimal("0.61"), size=Decimal(25),
        ts=Decimal(NOW - 34), expiration=Decimal(NOW + 200), standing=Standing.OPEN, matched=Decimal(12),
    )  # fmt: skip
    memory = Memory(
        orders={ORDER: own},
        bases={key(1): Base(base=Decimal(0), moved_at=Decimal(NOW))},
        holds={key(4): Hold(until=Decimal(NOW + 754)), key(6): Hold(until=Decimal(NOW + 60))},
        last_sync_ts=Decimal(NOW),
    )
    return encode_state(memory, facts().policy)


def status(
    *, line: bytes | None = None, running: bool | None = True, raw: bytes | None = None, later: int = 9
) -> Status:
    found = Found(line=line or line_of(cycle(warnings=(WARNING,))), state=raw or state(), running=running, pid=4711)
    return status_of(found, Decimal(NOW + later))


def screen(shown: Status, width: int, height: int = 40) -> str:
    return text_of(status_lines(shown, width, height))


class TestTheScreen:
    def test_at_80_columns(self):
        assert screen(status(), 80) == AT_80

    def test_at_120_columns(self):
        assert screen(status(), 120) == AT_120

    def test_stopped_for_long(self):
        unsafe = cycle(facts(mine={"ok": False}))
        shown = status(line=line_of(cycle(), unsafe), running=False, later=90_000)
        assert screen(evolve(shown, pid=None), 80) == STOPPED_AT_80

    def test_a_run_that_stands_still_is_told(self):
        assert "nothing since, look at its log" in screen(status(later=600), 80)
        assert "nothing since" not in screen(status(later=600, running=False), 80)

    def test_limits_of_the_day_and_the_switch_that_stops_everything(self):
        limited = facts(config={"max_daily_spend": 100}, today={"spent": 12.5, "result": -3}, stopped=True)
        shown = screen(status(line=line_of(cycle(limited))), 80)
        assert " limits of the day: 12.50 of 100.00 spent\n" in shown
        assert " ! STOPPED by copytrade stop" in shown

    def test_where_nobody_knows_whether_it_runs(self):
        assert "running or not: can't be told" in screen(status(running=None), 80)

    @pytest.mark.parametrize("width", [64, 80, 111, 112, 200])
    def test_nothing_wraps(self, width):
        shown = status(line=line_of(cycle(facts(90), warnings=("x" * 300, *"abcdefg"))))
        assert max(cell_len(line) for line in screen(shown, width, 30).splitlines()) <= width
        assert len(screen(shown, width, 30).splitlines()) <= 30

    def test_every_token_is_shown_or_counted(self):
        shown = status(line=line_of(cycle(facts(90))))
        assert screen(shown, 80, 10_000).count("Question number") == 90
        counted = [line for line in screen(shown, 80, 40).splitlines() if line.startswith("  … ")]
        assert screen(shown, 80, 40).count("Question number") + int(counted[0].split()[1]) >= 90


class TestWhatItKnows:
    def test_the_state_knows_better_than_the_journal_what_rests(self):
        [row] = [row for row in status().last.rows if row.token_key == key(1)]  # type: ignore[union-attr]
        assert [order.rest for order in row.orders] == [13]

    def test_fills_of_yesterday_are_not_of_today(self):
        assert status().today.fills == 1
        assert status(later=86_400).today.fills == 0

    def test_a_gap_is_timed_from_when_it_opened(self):
        later = evolve(facts(), now=Decimal(NOW + 60))
        shown = status(line=line_of(cycle(), evolve(cycle(), snapshot=later)), later=65)
        gaps = {row.token_key: row.gap_since for row in shown.last.rows}  # type: ignore[union-attr]
        assert gaps[key(0)] == NOW
        assert gaps[key(2)] is None

    def test_without_a_journal_the_state_says_what_it_can(self):
        shown = status_of(Found(line=None, state=state(), running=False), Decimal(NOW))
        assert "no cycle has been written down yet" in screen(shown, 80)
        assert "1 order of ours may rest" in screen(shown, 80)
        assert "on hold until" in screen(shown, 80)

    def test_a_line_of_an_older_version_is_shown_without_its_sums(self):
        whole = json.loads(line_of(cycle()))
        del whole["notes"]
        shown = status(line=json.dumps(whole).encode())
        assert "profit" not in screen(shown, 80)
        assert "Will it rain in Paris" in screen(shown, 80)

    def test_a_state_that_is_broken_is_said_and_the_rest_is_shown(self):
        shown = screen(status(raw=b"{"), 80)
        assert "! the state could not be read" in shown
        assert "Will it rain in Paris" in shown

    def test_a_line_that_is_no_snapshot_is_said(self):
        assert "the last journal line: 2 faults" in screen(status(line=b'{"snapshot": {"now": 1}}'), 200)


class TestJson:
    def test_its_form(self):
        found = json.loads(to_json(status_object(status())))
        assert list(found) == [
            "version", "now", "running", "pid", "run_started_at", "target", "my_address", "follow_ratio", "last_cycle",
            "cash", "cash_free", "counted", "cap", "today", "profit", "tracking_error", "tokens", "orders",
            "redeemable", "holds", "recovering", "warnings", "last_warning", "last_refusal", "last_fill", "troubles",
        ]  # fmt: skip
        assert (found["version"], found["running"], found["pid"], found["my_address"]) == (1, True, 4711, ME)
        assert found["today"] == {
            "orders": 1, "fills": 1, "bought_shares": 5, "bought": 3.05, "sold_shares": 0, "sold": 0, "fees_at_most": 0
        }  # fmt: skip
        assert found["profit"] == {
            "since": NOW - 90_000, "cycles": 1, "mine": 0.05, "leader": 0, "leader_at_ratio": 0, "fees_at_most": 0
        }  # fmt: skip
        assert found["redeemable"] == [
            {"token_key": key(3), "title": "Was the comet seen in October?", "shares": 50, "worth": 31}
        ]
        assert found["holds"][1]["words"] == "not enough balance / allowance"
        assert [order["filled"] for order in found["orders"]] == [12]
        assert found["warnings"] == [WARNING]
        rain = next(row for row in found["tokens"] if row["token_key"] == key(0))
        assert (rain["want_lo"], rain["lo"], rain["hi"], rain["gap"], rain["gap_sec"]) == (100, 60, 80, 20, 9)

    def test_without_anything_it_has_the_same_form(self):
        empty = json.loads(to_json(status_object(status_of(Found(line=None, state=None, running=None), Decimal(NOW)))))
        assert list(empty) == list(json.loads(to_json(status_object(status()))))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a run has left."""
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "2025-12-16.jsonl.gz").write_bytes(gzip.compress(b"not a line\n"))
    (tmp_path / "journal" / "2025-12-17.jsonl").write_bytes(line_of(cycle()) + b"\n")
    (tmp_path / "state.json").write_bytes(state())
    (tmp_path / "state.json.lock").touch()
    return tmp_path


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(["status", *args])
    return int(end.value.code or 0)


class TestTheCommand:
    def test_it_finds_what_stands_beside_the_configuration_and_touches_nothing(self, folder, monkeypatch, capsys):
        monkeypatch.chdir(folder)
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
        assert run() == 0
        shown = capsys.readouterr()
        assert "STOPPED" in shown.out
        assert "Will it rain in Paris" in shown.out
        assert shown.err == ""
        after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
        assert after == before

    def test_a_torn_last_line_is_left_out(self, folder, monkeypatch, capsys):
        path = folder / "journal" / "2025-12-17.jsonl"
        path.write_bytes(path.read_bytes() + line_of(cycle(number=133))[:1000])
        monkeypatch.chdir(folder)
        assert run() == 0
        assert "last cycle 132:" in capsys.readouterr().out

    def test_places_come_from_flags_then_from_the_configuration(self, folder, tmp_path_factory, monkeypatch, capsys):
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        monkeypatch.chdir(elsewhere)
        assert run("--state", str(folder / "state.json")) == 0
        (elsewhere / "c.json").write_text(json.dumps({"state_path": f"{folder}/state.json", "slize_max": 1}))
        assert run("--config", "c.json", "--journal-dir", str(folder / "journal")) == 0
        capsys.readouterr()
        assert run("--config", "c.json", "--json") == 0  # its journal would be beside it
        assert json.loads(capsys.readouterr().out)["last_cycle"] is None

    @pytest.mark.parametrize(
        ("args", "says"),
        [
            ((), "name them with --config, or --state"),
            (("--config", "nowhere.json"), "nowhere.json: 1 fault, there is nothing to show"),
            (("--state", "nowhere/state.json"), "got none at nowhere/state.json"),
            (("--every", "0"), "--every"),
            (("--what",), "No such option: --what"),
        ],
    )
    def test_wrong_usage_is_one_message_and_2(self, args, says, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert run(*args) == 2
        shown = capsys.readouterr()
        assert says in shown.err
        assert shown.out == ""
        assert list(tmp_path.iterdir()) == []

    def test_a_pipe_that_closes_early_is_no_error(self, folder):
        command = f"{sys.executable} -m copytrade status --json | head -c 10"
        done = subprocess.run(
            command, shell=True, cwd=folder, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ('{"version"', "")
