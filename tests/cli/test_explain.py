"""`copytrade explain TOKEN` and `copytrade plan --explain TOKEN`: the screen as it stands, and wrong tokens."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from copytrade.app import cli
from copytrade.app.documents import encode_snapshot
from tests.cli.stories import NOW, cycle, facts, key
from tests.cli.test_status import line_of

SCREEN = """\
Will it rain in Paris tomorrow?
0x00c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4:0

2025-12-17 19:34:20Z  QUOTED
  want 100 (0.2 × 500)
  hold 60..80: the feed says 60, and does not show all of our fills yet (20
    bought)
  gap 20: 20 are certainly missing, more than the deadband of 3
  the order joins its own side, post-only: bid 0.61, ask 0.63, tick 0.01; it is
    taken down after 90 s
  BUY 20 @ 0.61 → accepted

2025-12-17 19:33:20Z to 2025-12-17 19:34:00Z  3 cycles  SAFE_MODE
  want 100 (0.2 × 500)
  hold 60..80: the feed says 60, and does not show all of our fills yet (20
    bought)
  gap 20: 20 are certainly missing, more than the deadband of 3
  my orders could not be read: on incomplete facts only orders older than 90 s
    are taken down

"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A journal: three cycles in safe mode, then one that placed an order; its last line is cut short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    unsafe = [cycle(evolve(facts(orders_ok=False), now=Decimal(NOW + 20 * number))) for number in range(3)]
    lines = [line_of(one) for one in (*unsafe, cycle(evolve(facts(), now=Decimal(NOW + 60))))]
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "2025-12-17.jsonl").write_bytes(b"\n".join([*lines, lines[-1][:999]]))
    return tmp_path


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(list(args))
    return int(end.value.code or 0)


class TestExplain:
    @pytest.mark.parametrize("token", [key(0), key(0)[:6], "paris", "Will it RAIN"])
    def test_newest_first_and_folded(self, folder, capsys, token):
        assert run("explain", token) == 0
        assert capsys.readouterr() == (SCREEN, "")

    def test_only_so_many_cycles(self, folder, capsys):
        assert run("explain", "paris", "--cycles", "1") == 0
        assert capsys.readouterr().out == SCREEN[: SCREEN.index("2025-12-17 19:33:20Z")]

    def test_the_journal_is_not_touched(self, folder):
        path = folder / "journal" / "2025-12-17.jsonl"
        before = path.stat().st_mtime_ns, path.read_bytes()
        assert run("explain", "paris") == 0
        assert (path.stat().st_mtime_ns, path.read_bytes()) == before

    def test_what_came_from_outside_steers_no_terminal(self, folder, capsys):
        assert run("explain", key(5)) == 0
        assert "\x1b" not in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("args", "says"),
        [
            (("hail",), ["got hail", "the nearest are", "Will "]),
            (("will",), ["which is 6 tokens", "one of", "Will it rain in Paris tomorrow?"]),
            (("question",), ["got question", "the nearest are"]),
            ((), ["Missing argument 'TOKEN'"]),
            (("paris", "--cycles", "0"), ["--cycles"]),
            (("paris", "--config", "nowhere.json"), ["nowhere.json: 1 fault, nothing was explained"]),
            (("paris", "--journal-dir", "nowhere"), ["no line in nowhere", "a dry run writes nothing"]),
            (("paris", "--journal-dir", "journal/2025-12-17.jsonl"), ["the journal: 1 fault"]),
        ],
    )
    def test_wrong_usage_is_one_message_and_2(self, folder, capsys, args, says):
        assert run("explain", *args) == 2
        shown = capsys.readouterr()
        assert [words for words in says if words not in shown.err] == [], shown.err
        assert shown.out == ""
        assert "Traceback" not in shown.err

    def test_lines_of_another_version_are_passed_over(self, folder, capsys):
        path = folder / "journal" / "2025-12-17.jsonl"
        path.write_bytes(json.dumps({"version": 9, "snapshot": {}}).encode() + b"\n" + path.read_bytes())
        assert run("explain", "paris") == 0
        assert capsys.readouterr().out == SCREEN


class TestPlanExplain:
    def test_of_one_snapshot(self, tmp_path, capsys):
        (tmp_path / "facts.json").write_bytes(encode_snapshot(facts()))
        assert run("plan", "--snapshot", str(tmp_path / "facts.json"), "--explain", "northwind") == 0
        shown = capsys.readouterr().out
        assert shown.startswith("Will Northwind win the final?\n")
        assert "BUY 20 of 25 @ 0.61 rests there, 34 s old; it is good until it is 90 s old" in shown

    def test_of_a_token_that_is_not_there(self, tmp_path, capsys):
        (tmp_path / "facts.json").write_bytes(encode_snapshot(facts()))
        assert run("plan", "--snapshot", str(tmp_path / "facts.json"), "--explain", "hail") == 2
        assert "the nearest are" in capsys.readouterr().err


def test_the_page_shows_what_is_printed():
    page = (Path(__file__).resolve().parents[2] / "docs/explain.md").read_text()
    shown = page.partition("$ copytrade explain paris\n")[2].partition("\n```")[0]
    assert shown.partition("\n2025-12-17 19:33:20Z")[0] in SCREEN
    assert all(line in SCREEN for line in shown.splitlines() if line != "  …")
