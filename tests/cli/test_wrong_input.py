"""Every command with wrong input: one clear message on standard error, the right exit code, no traceback, no file."""

import json
import os
from pathlib import Path

import pytest

from copytrade.app import cli

LEADER, ME = "0x" + "1e" * 20, "0x" + "2f" * 20
UNREADABLE = "no" * 150 + ".json"  # longer than a name may be: nobody can look whether it is there
WALLETS = ("--target", LEADER, "--my-address", ME)

# What is typed, the exit code, and words that the message has.
TABLE: list[tuple[str, int, list[str]]] = [
    # the program itself
    ("", 2, ["Usage: copytrade"]),
    ("nothing", 2, ["No such command 'nothing'"]),
    ("statsu", 2, ["No such command 'statsu'"]),
    ("--nothing", 2, ["No such option: --nothing"]),
    # demo
    ("demo now", 2, ["unexpected extra argument"]),
    ("demo --port many", 2, ["--port"]),
    ("demo --port 5000", 2, ["--port", "goes with --serve only"]),
    # init and doctor (more in tests/setup)
    ("init --nothing", 2, ["No such option: --nothing"]),
    ("doctor --config nowhere.json", 2, ["nowhere.json", "No such file or directory"]),
    ("doctor --nothing", 2, ["No such option: --nothing"]),
    # plan
    ("plan", 2, ["Missing option '--snapshot'"]),
    ("plan --snapshot nowhere.json", 2, ["nowhere.json: 1 fault, nothing was decided", "No such file or directory"]),
    ("plan --snapshot .", 2, ["Is a directory"]),
    ("plan --snapshot empty", 2, ["empty: 1 fault, nothing was decided"]),
    ("plan --snapshot list.json", 2, ["list.json", "fault"]),
    ("plan --snapshot good.json --explain hail", 2, ["TOKEN", "got hail"]),
    # run
    ("run --config nowhere.json", 2, ["nowhere.json: 1 fault, nothing was started", "No such file or directory"]),
    ("run --config .", 2, ["Is a directory"]),
    ("run --config empty", 2, ["empty: 1 fault, nothing was started"]),
    ("run", 2, ["target_address", "my_address", "signature_type", "nothing was started"]),
    ("run --dry-run --target nobody --my-address me", 2, ["2 faults", "--target", "--my-address"]),
    (f"run --dry-run {' '.join(WALLETS)} --ratio much", 2, ["1 fault", "--ratio", 'got "much"']),
    (f"run --dry-run {' '.join(WALLETS)} --ratio -1", 2, ["--ratio", "above 0"]),
    (f"run --dry-run {' '.join(WALLETS)} --clob-url ftp://x", 2, ["--clob-url", "https"]),
    ("run --log-level loud", 2, ["--log-level", "got loud", "debug, info, warning or error"]),
    ("run --log-format xml --log-level loud", 2, ["2 faults", "--log-format", "text or json"]),
    ("run --nothing", 2, ["No such option: --nothing"]),
    (f"run {' '.join(WALLETS)} --signature-type 0", 3, ["COPYTRADE_PRIVATE_KEY"]),
    (f"run {' '.join(WALLETS)} --signature-type 0 --keystore nowhere.json", 3, ["nowhere.json"]),
    # stop
    ("stop", 2, ["NOTHING WAS STOPPED", "--state"]),
    ("stop --config nowhere.json", 2, ["NOTHING WAS STOPPED", "nowhere.json"]),
    ("stop --config list.json", 2, ["NOTHING WAS STOPPED", "list.json"]),
    ("stop --state .", 2, ["NOTHING WAS STOPPED"]),
    (f"stop --state {UNREADABLE}", 1, ["NOTHING WAS STOPPED", "File name too long", "SIGTERM"]),
    (f"stop --lift --state {UNREADABLE}", 1, ["File name too long", "stopped still"]),
    # status
    ("status", 2, ["none at state.json", "none in journal", "--config"]),
    ("status --config nowhere.json", 2, ["nowhere.json", "there is nothing to show"]),
    ("status --config list.json", 2, ["list.json", "an object"]),
    ("status --state nowhere/state.json", 2, ["none at nowhere/state.json"]),
    ("status --every never", 2, ["--every"]),
    ("status now", 2, ["unexpected extra argument"]),
    # explain
    ("explain", 2, ["Missing argument 'TOKEN'"]),
    ("explain hail", 2, ["no line in journal", "a dry run writes nothing"]),
    ("explain hail --cycles 0", 2, ["--cycles"]),
    ("explain hail --config empty", 2, ["empty: 1 fault, nothing was explained"]),
    # backtest
    ("backtest", 2, ["Missing argument"]),
    ("backtest nowhere.jsonl", 2, ["nowhere.jsonl"]),
    ("backtest empty", 2, ["empty"]),
    ("backtest tape.jsonl --set nothing", 2, ["--set"]),
    ("backtest tape.jsonl --set follow_ratio=much", 2, ["follow_ratio"]),
    ("backtest tape.jsonl --fills guessed", 2, ["--fills", "recorded"]),
    ("backtest tape.jsonl --workers 0", 2, ["--workers"]),
    # record
    ("record", 2, ["Missing option"]),
    ("record --target nobody --out tape2.jsonl", 2, ["--target", "nobody"]),
    (f"record --target {LEADER} --out tape.jsonl --for 0.1", 2, ["--out", "never written over"]),
    (f"record --target {LEADER} --out x.jsonl --poll 0", 2, ["--poll"]),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("COPYTRADE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "empty").touch()
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "tape.jsonl").write_text("{}\n")
    good = {"now": 1, "target": {"positions": [{"token_key": "0xc1:0", "size": 1}]}, "mine": {"positions": []}}
    (tmp_path / "good.json").write_text(json.dumps(good))
    return tmp_path


@pytest.mark.parametrize(("typed", "code", "words"), TABLE, ids=[typed or "(nothing)" for typed, _, _ in TABLE])
def test_one_message_and_the_right_code(folder, capsys, typed, code, words):
    before = sorted(folder.rglob("*"))
    with pytest.raises(SystemExit) as end:
        cli.main(typed.split())
    said = capsys.readouterr()
    assert end.value.code == code, said
    assert [each for each in words if each not in said.err] == [], said.err
    assert "Traceback" not in said.err + said.out
    assert sorted(folder.rglob("*")) == before
    if code == 2:
        assert said.out == ""


def test_every_command_stands_in_the_table():
    tried = {typed.split()[0] for typed, _, _ in TABLE if typed}
    assert cli.COMMANDS.keys() - {"diagnose"} <= tried  # the archive's own table is in tests/setup
