"""`copytrade demo --serve`: an exchange that keeps running, and a line that can be typed to use it."""

import re
import shlex
import signal
import socket
import subprocess
import sys
from decimal import Decimal
from subprocess import PIPE

import pytest

from copytrade.adapters import key_storage
from copytrade.adapters.simulated.demo import DEMO_SEC, ROUND_SEC, practice_world
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.app.cli import main
from copytrade.app.cli._practice import command_lines
from tests.setup.terminal import environment

D = Decimal
NOW = D(1_800_000_000)
ME = "0x00000000000000000000000000000000000000a1"


class TestItsWorld:
    def test_the_leader_goes_on_trading_for_hours(self):
        time = NOW
        world = practice_world(lambda: time, me=ME)
        books = []
        for _ in range(3 * 3600 // 5):
            time += 5
            world.now()
            books.append(tuple(sorted(world.exchange.wallets[LEADER].shares.items())))
        told = len(world.told)
        rounds = (3 * 3600 - DEMO_SEC) // ROUND_SEC
        assert told >= rounds * 9
        assert len(set(books[-ROUND_SEC // 5 :])) > 1  # in the last minute, too
        assert len(world.story) <= 9  # what is to come is one round, and no pile

    def test_its_account_was_used_before(self):
        assert ME in practice_world(lambda: NOW, me=ME).made_keys


class TestTheCommand:
    def test_what_it_prints_can_be_typed_and_a_signal_ends_it_well(self, tmp_path, monkeypatch):
        command = [sys.executable, "-m", "copytrade", "demo", "--serve"]
        env = environment(TMPDIR=str(tmp_path))
        with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=PIPE, stderr=PIPE, text=True) as process:
            try:
                self.use(process, tmp_path / "mine", monkeypatch)
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
        assert (process.returncode, err) == (0, "")
        assert out.endswith("stopped\n")
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]  # the throwaway key is gone with its exchange

    def use(self, process, mine, monkeypatch):
        """Do what it says, in an empty folder."""
        screen = ""
        while "is said there." not in screen:
            line = process.stdout.readline()
            assert line, f"it ended: {screen}"
            screen += line
        typed = re.search(r"  copytrade init (.*?)\n\n", screen, re.S)
        assert typed is not None, screen
        # (The folder of a test has a longer name than one of a person.)
        assert max(len(line) for line in screen.splitlines() if "--key-file" not in line) <= 80
        mine.mkdir()
        monkeypatch.chdir(mine)
        monkeypatch.setattr(key_storage, "SCRYPT_N", 2)
        for command in (
            ["init", *shlex.split(typed.group(1).replace("\\\n", " "))],
            ["doctor", "--keystore", "copytrade_keystore.json"],
            ["run", "--dry-run", "--once"],
        ):
            monkeypatch.setenv("COPYTRADE_KEYSTORE_PASSPHRASE", "correct horse battery")  # it is taken out when read
            with pytest.raises(SystemExit) as end:
                main(command)
            assert end.value.code == 0, command

    def test_ports_that_are_taken_are_told(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(SystemExit) as end:
                main(["demo", "--serve", "--port", str(taken.getsockname()[1])])
        assert end.value.code == 2
        assert "four free ports in a row" in capsys.readouterr().err


def test_a_command_is_broken_into_lines_that_a_shell_takes_as_one():
    flags = [(f"--flag-{number}", "x" * 20) for number in range(9)]
    lines = list(command_lines("copytrade init", flags))
    assert max(map(len, lines)) <= 80
    words = shlex.split("\n".join(lines).replace("\\\n", " "))
    assert words == ["copytrade", "init", *(part for flag in flags for part in flag)]
