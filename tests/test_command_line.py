"""The command line as a whole: what it costs to ask it for help, and how a run ends."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from copytrade import __version__
from copytrade.app import cli
from copytrade.app.cli import _version
from copytrade.app.cli._examples import EXAMPLES
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
            "commands = [name for name in sys.modules if name.startswith('copytrade.app.cli.') and '._' not in name]\n"
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
        commit = r"( \(commit [0-9a-f]{12}\+?\))?"
        assert re.fullmatch(rf"copytrade {re.escape(__version__)}{commit}\n", capsys.readouterr().out)
        assert version("copytrade") == __version__

    def test_every_command_has_examples_that_its_parser_takes(self):
        for name in cli.COMMANDS:
            for typed, why in EXAMPLES[name]:
                words = shlex.split(typed.rpartition("| ")[2])
                assert words[:2] == ["copytrade", name]
                assert why
                cli.load(name).make_context(name, words[2:])  # raises for what it does not know

    @pytest.mark.parametrize("name", list(cli.COMMANDS))
    def test_they_stand_in_its_help_as_they_are_typed(self, name, capsys):
        with pytest.raises(SystemExit):
            cli.main([name, "--help"])
        shown = capsys.readouterr().out
        assert all(f"  $ {typed}\n" in shown for typed, _ in EXAMPLES[name])


class TestVersion:
    def test_a_checkout_tells_its_commit_and_whether_it_was_changed(self, tmp_path, monkeypatch):
        git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
        (tmp_path / "file").write_text("1")
        for args in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "x"]):
            subprocess.run([*git, *args], check=True, capture_output=True)
        commit = _version.checked_out(tmp_path)
        assert re.fullmatch("[0-9a-f]{12}", commit)
        (tmp_path / "file").write_text("2")
        assert _version.checked_out(tmp_path) == f"{commit}+"

    def test_what_is_no_checkout_and_a_machine_without_git_tell_none(self, tmp_path, monkeypatch):
        assert _version.checked_out(tmp_path) == ""
        (tmp_path / ".git").mkdir()
        assert _version.checked_out(tmp_path) == ""
        monkeypatch.setenv("PATH", str(tmp_path))
        assert _version.checked_out(ROOT) == ""

    def test_a_build_tells_what_it_was_built_from(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "copytrade._built", SimpleNamespace(COMMIT="0123456789abcdef" * 2))
        assert _version.version_text() == f"{__version__} (commit 0123456789ab)"

    @pytest.mark.slow
    def test_the_build_writes_it_down_and_leaves_the_tree_as_it_is(self, tmp_path):
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        [wheel] = tmp_path.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            assert archive.read("copytrade/_built.py").decode() == f'COMMIT = "{head.stdout.strip()}"\n'
        assert not (ROOT / "copytrade/_built.py").exists()


class TestCompletion:
    """What a shell asks for when the tab key is pressed."""

    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            ("copytrade st", ["stop", "status"]),
            ("copytrade status --w", ["--watch"]),
            ("copytrade run --sl", ["--slice-min", "--slice-max"]),
            ("copytrade nothing --w", []),
        ],
    )
    def test_commands_and_their_options_are_offered(self, typed, offered):
        words = typed.split()
        asked = {"_COPYTRADE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
        command = [sys.executable, "-m", "copytrade"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **asked})
        assert done.stdout.split() == offered
        assert done.stderr == ""


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
