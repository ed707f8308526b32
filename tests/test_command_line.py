"""The command line as a whole: what it costs to ask it for help, and how a run ends."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from copytrade import __version__
from copytrade.app import cli
from copytrade.errors import BadAnswer, BadInput, CopytradeError, FateUnknown, Fault, RefusedToStart

ROOT = Path(__file__).resolve().parents[1]

# Whatever needs one of these is a command's business; a person who asks for help must not wait for it.
HEAVY = ["attrs", "coincurve", "eth_account", "httpx", "msgspec", "py_clob_client_v2", "pydantic", "rich", "starlette"]


def ends(monkeypatch, error: BaseException) -> int | str | None:
    """The exit code of a run whose command raises `error`."""

    def fails() -> None:
        raise error

    monkeypatch.setitem(cli.COMMANDS, "fails", ("tests.nowhere:fails", "Fail."))
    monkeypatch.setattr(cli, "import_module", lambda _: type("module", (), {"fails": staticmethod(fails)}))
    with pytest.raises(SystemExit) as exit_:
        cli.main(["fails"])
    return exit_.value.code


class TestHelp:
    def test_help_imports_no_command_and_nothing_heavy(self):
        code = (
            "import sys\n"
            "from copytrade.app.cli import main\n"
            "try: main(['--help'])\n"
            "except SystemExit as end: assert end.code in (0, None), end.code\n"
            f"heavy = [name for name in {HEAVY} if name in sys.modules]\n"
            "commands = [name for name in sys.modules if name.startswith('copytrade.app.cli.')]\n"
            "assert not heavy + commands, heavy + commands\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr

    def test_every_command_is_listed_with_its_whole_summary(self, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit):
            cli.main(["--help"])
        shown = capsys.readouterr().out
        for name, (_, summary) in cli.COMMANDS.items():
            assert f"  {name} " in shown
            assert summary.rstrip(".") in shown

    @pytest.mark.parametrize("name", list(cli.COMMANDS))
    def test_every_command_of_the_table_is_there_and_takes_help(self, name, capsys):
        with pytest.raises(SystemExit) as exit_:
            cli.main([name, "--help"])
        assert exit_.value.code == 0
        assert capsys.readouterr().out.startswith(f"Usage: copytrade {name}")

    def test_every_command_file_is_in_the_table(self):
        files = {path.stem for path in (ROOT / "copytrade/app/cli").glob("*.py")} - {"__init__", "render"}
        assert {name for name in files if not name.startswith("_")} == set(cli.COMMANDS)

    def test_the_version_is_the_package_s(self, capsys):
        with pytest.raises(SystemExit) as exit_:
            cli.main(["--version"])
        assert exit_.value.code == 0
        assert capsys.readouterr().out == f"copytrade {__version__}\n"
        assert version("copytrade") == __version__


class TestHowARunEnds:
    """DESIGN 9: 0 done, 2 wrong usage or configuration, 3 refused, 1 anything unexpected."""

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (BadInput("c.json", [Fault(path="slice_min", got="9", wants="at most 6")]), 2),
            (RefusedToStart("another copytrade holds this state"), 3),
            (FateUnknown("no answer"), 1),
            (BadAnswer("not JSON"), 1),
            (CopytradeError("something of ours"), 1),
        ],
    )
    def test_our_own_errors_are_a_text_and_a_code(self, error, code, monkeypatch, capsys):
        assert ends(monkeypatch, error) == code
        captured = capsys.readouterr()
        assert captured.err == f"{error}\n"
        assert captured.out == ""

    def test_an_interrupt_is_130(self, monkeypatch):
        assert ends(monkeypatch, KeyboardInterrupt()) == 130

    def test_a_command_chooses_its_own_code_by_exit(self, monkeypatch):
        assert ends(monkeypatch, typer.Exit(3)) == 3

    def test_a_bug_is_not_dressed_up(self, monkeypatch):
        with pytest.raises(ZeroDivisionError):
            ends(monkeypatch, ZeroDivisionError())

    @pytest.mark.parametrize("args", [["plna"], ["--no-such-option"], []])
    def test_wrong_usage_is_2(self, args, capsys):
        with pytest.raises(SystemExit) as exit_:
            cli.main(args)
        assert exit_.value.code == 2
