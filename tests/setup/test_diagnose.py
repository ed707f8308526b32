"""`copytrade diagnose`: what is in the archive, and that no secret is, however it got into what is gathered."""

import asyncio
import gzip
import io
import json
import stat
import tarfile
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from copytrade import __version__
from copytrade.adapters import diagnosing
from copytrade.adapters.redaction import HIDDEN
from copytrade.adapters.simulated.server import serve
from copytrade.app.cli import main
from copytrade.app.diagnosis import Entry
from copytrade.wiring import checking
from tests.e2e.driving import KEY, ME, config_of, files, run_until, write_config
from tests.setup.terminal import piped, typed
from tests.setup.test_doctor import known_world

PASSPHRASE = "correct horse battery"
ALERT = "tgram://4711000:AAsecretTokenOfABot/99887766"
FILE_ALERT = "discord://webhookid123456/webhooktokenABCDEF"
NEVER = "an-environment-value-of-ours"
HARMLESS = "what-is-nobody's-secret"
ODD = "pässwörd \\ 1"


def extracted(archive: Path) -> dict[str, bytes]:
    """Every file of the archive, by its path in it."""
    with tarfile.open(archive, "r:gz") as tar:
        return {
            member.name.split("/", 1)[1]: tar.extractfile(member).read()  # type: ignore[union-attr]  # they are files
            for member in tar.getmembers()
        }


def forms(secret: str) -> set[str]:
    """How a secret might stand in a file."""
    bare = secret.removeprefix("0x")
    found = {secret, bare, bare.upper(), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    if len(bare) == 64 and secret == KEY:
        found |= {str(int(bare, 16)), hex(int(bare, 16))[2:]}
    return found


def gathered(folder: Path, monkeypatch, *args: str, world=None, before=lambda urls: None, **settings: object):
    """Run `diagnose ARGS` in `folder` beside an exchange: its exit code, and what the archive holds."""
    world = world or known_world()
    monkeypatch.chdir(folder)

    def command():
        with pytest.raises(SystemExit) as end:
            main(["diagnose", "--output", "out.tar.gz", "--yes", *args])
        return end.value.code

    async def talk():
        async with serve(world) as urls:
            write_config(urls, folder, poll_interval_sec=20, **settings)
            before(urls)
            return await asyncio.to_thread(command)

    code = asyncio.run(talk())
    archive = folder / "out.tar.gz"
    return code, extracted(archive) if archive.exists() else {}


class TestWhatIsInIt:
    def test_everything_that_a_bug_report_needs(self, tmp_path, monkeypatch, capsys):
        world = known_world()

        async def a_run():
            async with serve(world) as urls:
                await run_until(config_of(urls, tmp_path), lambda story: len(story.cycles) == 2)

        asyncio.run(a_run())
        monkeypatch.setenv("COPYTRADE_PRIVATE_KEY", KEY)
        code, found = gathered(tmp_path, monkeypatch, world=world)
        assert code == 0
        today = f"journal/{datetime.now(UTC).date()}.jsonl"
        assert list(found) == ["README.txt", "versions.json", "configuration.json", "state/state.json",
                               "state/state.json.bak", today, "doctor.txt", "doctor.json"]  # fmt: skip
        versions = json.loads(found["versions.json"])
        assert versions["copytrade"].startswith(__version__)
        assert versions["packages"]["httpx"]
        assert versions["variables_set"] == ["COPYTRADE_PRIVATE_KEY"]
        assert json.loads(found["configuration.json"])["my_address"] == ME.lower()
        assert found["state/state.json"] == (tmp_path / "state.json").read_bytes()
        assert found[today] == (tmp_path / today).read_bytes()  # nothing in it is a secret, so nothing is changed
        assert json.loads(found["doctor.json"])["dry_run"] is False
        assert b"Nothing stands against a live start." in found["doctor.txt"]
        said = capsys.readouterr().out
        assert said.index("out.tar.gz would hold:") < said.index("Written: out.tar.gz")
        assert max(map(len, said.splitlines())) <= 80
        assert all(name in said for name in found)
        assert "public data" in " ".join(said.split())
        assert stat.S_IMODE((tmp_path / "out.tar.gz").stat().st_mode) == 0o600

    def test_a_broken_configuration_is_told_and_not_taken(self, tmp_path, monkeypatch):
        def spoil(_):
            (tmp_path / "copytrade_config.json").write_text(json.dumps({"slize_max": 1, "signing_key": KEY}))

        code, found = gathered(tmp_path, monkeypatch, before=spoil)
        assert code == 0
        assert b"did you mean slice_max" in found["configuration.txt"]
        assert "configuration.json" not in found
        assert b"FAULT    configuration" in found["doctor.txt"]
        assert KEY[2:].encode() not in b"".join(found.values())

    @pytest.mark.parametrize(("days", "wanted"), [(0, []), (1, ["2026-03-03"]), (3, ["2026-03-01", "2026-03-03"])])
    def test_the_last_days_of_the_journal_and_no_more(self, days, wanted, tmp_path):
        for number, day in ((1772150400, "2026-02-27"), (1772323200, "2026-03-01"), (1772496000, "2026-03-03")):
            line = b'{"snapshot":{"now":%d},"plan":{}}\n' % number
            path = tmp_path / f"{day}.jsonl"
            if day == "2026-03-03":
                path.write_bytes(line * 2)
            else:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(line))
        found = list(diagnosing.journal(tmp_path, days=days, today=date(2026, 3, 3))) if days else []
        assert [entry.name for entry in found] == [f"journal/{day}.jsonl" for day in wanted]
        assert all("cycle" in entry.about for entry in found)


class TestNoSecretIsInIt:
    """Every secret is planted by value into every input, in every form; then the whole archive is searched."""

    def plant(self, folder: Path, secrets: list[str]):
        def planted(urls):
            nested = {f"key {one}": [one, {"note": f"<{one}>"}] for one in secrets}
            numbers = [int(KEY, 16)]
            state = {"nested": nested, "numbers": numbers, "api_key": "named", "text": "\n".join(secrets)}
            (folder / "state.json").write_text(json.dumps(state, indent=1))
            (folder / "state.json.bak").write_text("no JSON {" + " ".join(map(str, [*secrets, *numbers])))
            line = json.dumps({"snapshot": {"now": int(datetime.now(UTC).timestamp())}, "x": nested, "secret": "named"})
            (folder / "journal").mkdir()
            text = line + "\n" + line[: len(line) // 2] + "\n" + line + "\n"
            (folder / "journal" / f"{datetime.now(UTC).date()}.jsonl").write_text(text)

        return planted

    def test_by_value_and_by_name(self, tmp_path, monkeypatch, capsys):
        world = known_world()
        made = world.credentials(ME)
        secrets = [KEY, made.key, made.secret, made.passphrase, PASSPHRASE, ALERT, "AAsecretTokenOfABot", NEVER, ODD]
        monkeypatch.setenv("COPYTRADE_PRIVATE_KEY", KEY)
        monkeypatch.setenv("COPYTRADE_KEYSTORE_PASSPHRASE", PASSPHRASE)
        monkeypatch.setenv("COPYTRADE_ALERT_URLS", ALERT)
        (tmp_path / "alerts").write_text(f"# mine\n{FILE_ALERT}\n")
        monkeypatch.setenv("COPYTRADE_SOMETHING", NEVER)
        monkeypatch.setenv("COPYTRADE_ANOTHER", ODD)
        planted = self.plant(tmp_path, [*secrets, FILE_ALERT, HARMLESS])
        code, found = gathered(tmp_path, monkeypatch, world=world, before=planted, alert_urls_path="alerts")
        assert code == 0
        assert {"state/state.json", "state/state.json.bak"} < set(found)
        everything = b"\n".join([*(name.encode() for name in found), *found.values()]).decode()
        journal = next(name for name in found if name.startswith("journal/"))
        for name in ("state/state.json", "state/state.json.bak", journal):  # what is no secret got there, and stayed
            assert HARMLESS in found[name].decode()
        assert [form for secret in [*secrets, FILE_ALERT] for form in forms(secret) if form in everything] == []
        assert '"api_key":"[hidden]"' in found["state/state.json"].decode().replace(" ", "")
        assert HIDDEN in found["state/state.json.bak"].decode()
        raw = gzip.decompress((tmp_path / "out.tar.gz").read_bytes()).decode(errors="replace")
        assert [form for secret in secrets for form in forms(secret) if form in raw] == []
        said = capsys.readouterr()
        assert [form for secret in secrets for form in forms(secret) if form in said.out + said.err] == []
        assert "that held a secret" in said.out

    def test_nor_what_a_file_of_alert_addresses_holds(self, tmp_path):
        path = tmp_path / "alerts"
        path.write_text(f"{FILE_ALERT}\n\n")
        diagnosing.hide_file(path)
        diagnosing.hide_file(tmp_path / "gone")
        entry = diagnosing.cleaned("x", f"see {FILE_ALERT} and webhooktokenABCDEF".encode(), "a note")
        assert (entry.content, entry.hidden) == (f"see {HIDDEN} and {HIDDEN}".encode(), 2)

    def test_nor_whose_folder_it_is(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        entry = diagnosing.cleaned("x", f'{{"state_path": "{tmp_path}/state.json"}}'.encode(), "a note")
        assert entry.content == b'{"state_path": "~/state.json"}'


class TestCleaning:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"{}",
            b'{"a": 1.10, "b": [1e3, "x"]}\n',
            b"[1]\r\nplain\n",
            b'{"torn": "',
            b"\xff\xfe",
            b"\n\n{}\n",
        ],
    )
    def test_what_holds_no_secret_stays_as_it_is(self, content):
        wanted = content if content != b"\xff\xfe" else "\ufffd\ufffd".encode()
        assert diagnosing.cleaned("x", content, "").content == wanted

    @pytest.mark.parametrize(
        ("torn", "clean"),
        [
            (b'{"a": 1, "secret": "what nobody knows", "b": {', b'{"a": 1, "secret": [hidden], "b": {'),
            (b'{"apiKey": "cut he', b'{"apiKey": [hidden]'),
            (b'{"password" : 12345, "token_key": "0xc1:0"', b'{"password" : [hidden], "token_key": "0xc1:0"'),
        ],
    )
    def test_what_is_torn_is_cleaned_by_name_all_the_same(self, torn, clean):
        assert diagnosing.cleaned("x", torn, "").content == clean

    def test_exact_numbers_stay_exact_beside_a_secret(self):
        entry = diagnosing.cleaned("x", b'{"secret": 1, "price": 0.10, "size": 12345678901234567890.000001}', "")
        assert entry.content == b'{"secret":"[hidden]","price":0.1,"size":12345678901234567890.000001}\n'


class TestAsking:
    @pytest.mark.parametrize(("answer", "code"), [("", 3), ("n", 3), ("y", 0)])
    def test_it_is_written_only_when_that_was_said(self, answer, code, tmp_path):
        (tmp_path / "copytrade_config.json").write_text("{}")
        end = typed(tmp_path, ["diagnose", "--output", "o.tar.gz"], [("Write it? [y/N] ", answer)])
        assert end.code == code, end.screen
        assert (tmp_path / "o.tar.gz").exists() == (code == 0)
        assert "Traceback" not in end.screen


class TestWrongInput:
    """One clear message, the right exit code, no traceback, and nothing is written."""

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (["--yes", "--output", "x.zip"], ["--output", "ends in .tar.gz"]),
            (["--yes", "--output", "there.tar.gz"], ["--output", "is there already"]),
            (["--yes", "--output", "no/folder/x.tar.gz"], ["--output", "no folder"]),
            ([], ["--yes", "no terminal to ask at"]),
            (["--yes", "--days", "-1"], ["--days"]),
            (["--yes", "--config", "gone.json"], ["gone.json", "--config"]),
            (["--yes", "--ratio", "much"], ["--ratio"]),
        ],
    )
    def test_is_told_in_one_message(self, args, words, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "there.tar.gz").write_text("mine")
        before = files(tmp_path)
        with pytest.raises(SystemExit) as end:
            main(["diagnose", *args])
        said = capsys.readouterr()
        assert (end.value.code, said.out) == (2, "")
        assert [each for each in words if each not in said.err] == [], said.err
        assert files(tmp_path) == before

    def test_as_a_process_it_leaves_no_traceback(self, tmp_path):
        end = piped(tmp_path, "diagnose")
        assert (end.returncode, end.stdout) == (2, "")
        assert "Traceback" not in end.stderr


def test_an_archive_is_never_written_over(tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        checking.write_diagnosis(path, [Entry(name="a", content=b"b", about="c")])
    assert path.read_text() == "mine"
    assert io.BytesIO(path.read_bytes()).getvalue() == b"mine"
