"""`copytrade plan`: the screen and the JSON as they stand, and what becomes of files that are no snapshots."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from copytrade.app import cli
from copytrade.app.cli.render import WIDTH, interval, plan_lines
from copytrade.app.documents import decode_snapshot, encode_journal_line
from copytrade.domain.plan import plan
from tests.strategies import D

ROOT = Path(__file__).resolve().parents[2]
LONG = "0x" + "d4" * 32
LONG_ID = "69515744437473089728151261939146426925489297565662421305942992110046228478629"

# Five tokens: one to buy, one to quote anew, one inside the band, one without an id, and an order that nobody knows.
FACTS: dict[str, Any] = {
    "version": 1,
    "now": 1766000000,
    "config": {"follow_ratio": 0.2},
    "target": {
        "positions": [
            {"token_key": "0xc1:0", "size": 500, "token_id": "111", "title": "Will it rain in Paris tomorrow?"},
            {"token_key": f"{LONG}:1", "size": 600, "token_id": LONG_ID, "current_price": 0.3},
            {"token_key": "0xc2:0", "size": 61.5, "token_id": "221"},
            {"token_key": "0xc3:0", "size": 1000},
        ]
    },
    "mine": {
        "positions": [
            {"token_key": "0xc1:0", "size": 80.123456, "token_id": "111"},
            {"token_key": "0xc2:0", "size": 12, "token_id": "221", "title": "\u001b[2JGotcha\n" + "x" * 100},
        ]
    },
    "books": {
        "111": {"best_bid": 0.61, "best_ask": 0.63, "tick_size": 0.01, "min_order_size": 5},
        LONG_ID: {"best_bid": 0.301, "best_ask": 0.31, "tick_size": 0.001, "min_order_size": 5},
    },
    "open_orders": {
        LONG_ID: [{"order_id": "0x" + "ab" * 32, "side": "BUY", "price": 0.3, "size": 25, "ts": 1765999900}],
        "999": [{"order_id": "0x9", "side": "SELL", "price": 0.5, "size": 5, "ts": 1765999999}],
    },
    "cash": 1000,
}

SCREEN = """\
normal   5 tokens   3 actions   cash 1000.00
  token                       want            hold        gap  reason
  0xc1:0                    100.00           80.12      19.87  QUOTED
      Will it rain in Paris tomorrow?
      BUY 19.87 @ 0.61
  0xc2:0                     12.30           12.00       0.30  IN_BAND
      \\u001b[2JGotcha\\u000axxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
  0xc3:0                    200.00            0.00     200.00  UNRESOLVED
  0xd4d4d4d4…:1             120.00            0.00     120.00  REQUOTED
      cancel 0xabababab…  EXPIRED
      BUY 25.00 @ 0.301
  token 999                   0.00            0.00       0.00  UNRESOLVED
"""

SAFE_SCREEN = """\
safe   1 token   1 action
      safe mode: the target's positions may lack rows and my positions could not
      be read and my orders could not be read; only expired orders are cancelled
  token                       want            hold        gap  reason
  0xc1:0                    100.00            0.00     100.00  SAFE_MODE
      cancel 0x1  EXPIRED
"""
SAFE_FACTS: dict[str, Any] = {
    "now": 1766000000,
    "target": {"incomplete": True, "positions": [{"token_key": "0xc1:0", "size": 500, "token_id": "111"}]},
    "mine": {"ok": False},
    "orders_ok": False,
    "open_orders": {"111": [{"order_id": "0x1", "side": "BUY", "price": 0.6, "size": 9, "ts": 1765999000}]},
}

JSON = """\
{"mode": "normal", "actions": [
 {"type": "cancel", "order_id": "0xAB", "token_id": "LONG_ID", "reason": "EXPIRED"},
 {"type": "place", "token_id": "111", "token_key": "0xc1:0", "side": "BUY", "price": 0.61, "size": 19.87},
 {"type": "place", "token_id": "LONG_ID", "token_key": "LONG:1", "side": "BUY", "price": 0.301, "size": 25}
], "decisions": [
 {"token_key": "0xc1:0", "token_id": "111", "want_lo": 100, "want_hi": 100, "desired": 100,
  "lo": 80.123456, "hi": 80.123456, "delta": 19.876544, "ref_price": 0.62, "reason": "QUOTED"},
 {"token_key": "0xc2:0", "token_id": "221", "want_lo": 12.3, "want_hi": 12.3, "desired": 12.3,
  "lo": 12, "hi": 12, "delta": 0.3, "ref_price": null, "reason": "IN_BAND"},
 {"token_key": "0xc3:0", "token_id": null, "want_lo": 200, "want_hi": 200, "desired": 200,
  "lo": 0, "hi": 0, "delta": 200, "ref_price": null, "reason": "UNRESOLVED"},
 {"token_key": "LONG:1", "token_id": "LONG_ID", "want_lo": 120, "want_hi": 120, "desired": 120,
  "lo": 0, "hi": 0, "delta": 120, "ref_price": 0.3055, "reason": "REQUOTED"},
 {"token_key": null, "token_id": "999", "want_lo": 0, "want_hi": 0, "desired": 0,
  "lo": 0, "hi": 0, "delta": 0, "ref_price": null, "reason": "UNRESOLVED"}
]}
"""


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    return written(tmp_path, FACTS)


def written(folder: Path, whole: object) -> Path:
    path = folder / "facts.json"
    path.write_text(json.dumps(whole))
    return path


def run(*args: str) -> int:
    """The command in this process; its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main(["plan", *args])
    assert end.value.code is None or isinstance(end.value.code, int)
    return end.value.code or 0


def really(*args: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own."""
    command = [sys.executable, "-m", "copytrade", "plan", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, **more)


class TestForPeople:
    def test_the_answer_comes_first_then_a_line_for_each_token(self, facts, capsys):
        assert run("--snapshot", str(facts)) == 0
        assert capsys.readouterr() == (SCREEN, "")

    def test_safe_mode_says_why(self, tmp_path, capsys):
        assert run("--snapshot", str(written(tmp_path, SAFE_FACTS))) == 0
        assert capsys.readouterr() == (SAFE_SCREEN, "")

    def test_nothing_to_follow_is_one_line(self, tmp_path, capsys):
        nothing = {"now": 1, "target": {"positions": []}, "mine": {"positions": []}, "cash": 5}
        assert run("--snapshot", str(written(tmp_path, nothing))) == 0
        assert capsys.readouterr().out == "normal   0 tokens   0 actions   cash 5.00\n"

    def test_numbers_of_any_size_are_shown(self):
        whole = FACTS | {"config": {"follow_ratio": "999999999999999"}, "cash": "999999999999999.123456"}
        snapshot = decode_snapshot(json.dumps(whole).encode())
        assert "cash 999999999999999.123456" in next(iter(plan_lines(snapshot, plan(snapshot))))

    def test_every_line_fits_and_steers_no_terminal(self):
        snapshot = decode_snapshot(json.dumps(FACTS).encode())
        for line in plan_lines(snapshot, plan(snapshot)):
            assert len(line) <= WIDTH
            assert line.isprintable()


class TestForPrograms:
    def test_the_form_is_settled_and_the_numbers_are_exact(self, facts, capsys):
        assert run("--snapshot", str(facts), "--json") == 0
        out = capsys.readouterr().out
        wanted = JSON.replace("LONG_ID", LONG_ID).replace("LONG", LONG).replace("0xAB", "0x" + "ab" * 32)

        def pairs(text: str) -> Any:  # numbers as they are spelt, keys in their order
            return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=list)

        assert pairs(out) == pairs(wanted)
        assert out.count("\n") == 1

    def test_a_line_of_the_journal_gives_the_very_same_plan(self, facts, tmp_path, capsys):
        run("--snapshot", str(facts), "--json")
        first = capsys.readouterr().out
        snapshot = decode_snapshot(facts.read_bytes())
        line = tmp_path / "line.json"
        line.write_bytes(encode_journal_line(snapshot, plan(snapshot), []) + b"\n")
        run("--snapshot", str(line), "--json")
        assert capsys.readouterr().out == first


class TestFromStandardInput:
    def test_a_dash_reads_it(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(FACTS).encode())))
        assert run("--snapshot", "-") == 0
        assert capsys.readouterr().out == SCREEN

    def test_now_is_the_clock_where_it_is_left_out(self, monkeypatch, capsys):
        without = {name: part for name, part in SAFE_FACTS.items() if name != "now"}
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(without).encode())))
        monkeypatch.setattr("time.time_ns", lambda: 1_765_999_000_123_456_789)
        assert run("--snapshot", "-") == 0
        assert "0 actions" in capsys.readouterr().out  # the order is a moment old, by this clock


class TestWhatIsNoSnapshot:
    """DESIGN 8: the paths that are wrong and what each wants, one a line on standard error, exit code 2."""

    def test_every_fault_is_named(self, tmp_path, capsys):
        whole = FACTS | {"cash": -1, "books": {"111": {"best_bid": 2}}, "csah": 1, "holds": []}
        path = written(tmp_path, whole)
        assert run("--snapshot", str(path)) == 2
        assert capsys.readouterr() == (
            "",
            f"{path}: 4 faults, nothing was decided\n"
            "  csah   unknown key; did you mean cash?\n"
            "  books.111.best_bid   got 2   wants a number above 0 and below 1\n"
            "  cash   got -1   wants a number, at least 0\n"
            "  holds   got a list   wants an object\n",
        )

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "document   is empty"),
            (b"not json", "line 1 column 1   is not JSON"),
            (b"\xff\xfe", "byte 0   is not UTF-8 text"),
            (
                b"{}\n{}\n",
                "line 2 column 1   more follows after the document's end; one JSON object is wanted (of a jour",
            ),
            (b"[" * 100_000, "document   is nested too deep"),
            (b"null", "document   got null   wants an object"),
        ],
    )
    def test_a_file_of_something_else(self, tmp_path, capsys, content, says):
        path = tmp_path / "facts.json"
        path.write_bytes(content)
        for args in ([], ["--json"]):
            assert run("--snapshot", str(path), *args) == 2
            out, err = capsys.readouterr()
            assert out == ""
            assert err.startswith(f"{path}: 1 fault, nothing was decided\n  {says}")
            assert err.count("\n") == 2

    @pytest.mark.parametrize(
        ("name", "says"),
        [("nowhere.json", "No such file or directory"), (".", "Is a directory"), ("a\0b", "embedded null")],
    )
    def test_a_file_that_cannot_be_read(self, tmp_path, capsys, monkeypatch, name, says):
        monkeypatch.chdir(tmp_path)
        assert run("--snapshot", name) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"{name}: 1 fault, nothing was decided\n  --snapshot   got {says}")

    def test_no_file_named(self, capsys):
        assert run() == 2
        assert "--snapshot" in capsys.readouterr().err


class TestAsAProcess:
    def test_a_file_in_a_screen_out(self, facts):
        done = really("--snapshot", str(facts), env={"PYTHONIOENCODING": "utf-8"})
        assert (done.returncode, done.stdout, done.stderr) == (0, SCREEN, "")

    def test_no_traceback_for_what_is_wrong(self):
        done = really("--snapshot", "-", input='{"now": "soon"}')
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("standard input: 3 faults, nothing was decided\n  now   got")

    def test_a_terminal_that_knows_ascii_only(self, facts):
        done = really("--snapshot", str(facts), env={"PYTHONIOENCODING": "ascii"})
        assert (done.returncode, done.stdout, done.stderr) == (0, SCREEN.replace("…", "?"), "")

    def test_a_reader_that_has_seen_enough(self, facts):
        command = [sys.executable, "-m", "copytrade", "plan", "--snapshot", "-"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            process.stdout.close()  # before it has anything to decide on
            process.stdin.write(facts.read_bytes())
            process.stdin.close()
            assert process.stderr.read() == b""
            assert process.wait(60) == 0

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
    def test_a_full_disk(self, facts):
        with Path("/dev/full").open("w") as full:
            command = [sys.executable, "-m", "copytrade", "plan", "--snapshot", str(facts)]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=60)
        assert (done.returncode, done.stderr) == (1, "standard output cannot be written: No space left on device\n")

    def test_starts_fast_since_it_imports_little(self, facts):
        heavy = [
            "coincurve",
            "eth_account",
            "httpx",
            "py_clob_client_v2",
            "pydantic",
            "rich",
            "starlette",
            "structlog",
            "asyncio",
        ]
        code = (
            "import sys\n"
            "from copytrade.app.cli import main\n"
            f"try: main(['plan', '--snapshot', {str(facts)!r}])\n"
            "except SystemExit as end: assert end.code in (0, None), end.code\n"
            f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
        assert done.stderr == "[]\n"


def test_amounts_are_cut_never_rounded_up():
    assert interval(D("4.999999"), D("5.001")) == "4.99..5.00"
