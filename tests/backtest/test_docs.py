"""What docs/backtest.md and examples/ show runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from attrs import fields

from copytrade.adapters.tapes import open_tape
from copytrade.app.backtest.assumptions import Assumptions, FillModel
from copytrade.app.backtest.engine import backtest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/backtest.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found.group(1)


def run(*args: str) -> str:
    shown = subprocess.run([sys.executable, *args], capture_output=True, text=True, check=True, cwd=ROOT)
    return shown.stdout


def test_the_library_s_example_runs():
    assert run("-c", block("python")).splitlines() == ["10.0000 1", "0.50"]


def test_the_tape_that_is_shown_can_be_read_and_run(tmp_path):
    path = tmp_path / "tape.jsonl"
    path.write_text(block("json"))
    tape = open_tape(path)
    assert len(list(tape.events())) == 7
    assert backtest(tape).summary.polls == 5


def test_the_newcomer_s_example_runs_and_is_short():
    path = ROOT / "examples/backtest.py"
    assert len(path.read_text().splitlines()) <= 40
    said = run(str(path))
    assert [line.split()[0] for line in said.splitlines() if not line.startswith(" ")] == [
        one.value for one in (FillModel.OPTIMISTIC, FillModel.PESSIMISTIC)
    ]
    assert "profit" in said


def test_every_assumption_is_documented_with_its_default():
    for attribute in fields(Assumptions):
        row = next(line for line in TEXT.splitlines() if line.startswith("|") and f"`{attribute.name}`" in line)
        assert f"{attribute.default}" in row, attribute.name
    assert all(f"`{model.value}`" in TEXT for model in FillModel)
