"""`copytrade init`: at a terminal, without one, and with everything that may be typed wrong."""

import io
import json
import stat
from decimal import Decimal

import pytest
from eth_account import Account

from copytrade.adapters import key_storage
from copytrade.adapters.keys import SecretKey, load_key
from copytrade.app import setup
from copytrade.app.cli import main
from copytrade.app.cli.init import TRIES
from copytrade.app.config import KEYS, read_config
from copytrade.errors import RefusedToStart
from tests.setup.terminal import piped, typed

KEY = "0x" + "5a" * 32  # signs for play money only
ADDRESS = str(Account.from_key(KEY).address)
LEADER = "0x52908400098527886E0F7030069857D2E4169EE7"
WALLET = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"
PASSPHRASE = "correct horse battery"
WALLETS = ("--target", LEADER, "--my-address", WALLET)


def config_in(folder, name="copytrade_config.json", *, live=True):
    path = folder / name
    return read_config(path.read_bytes(), {}, source=str(path), live=live)


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """`quick(NAME=value)`: in this folder, with a passphrase, this environment, and keystores that cost nothing."""

    def set_up(**env):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(key_storage, "SCRYPT_N", 2)
        for name, value in {"COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE, **env}.items():
            monkeypatch.setenv(name, value)

    return set_up


def main_of(*args, code=0):
    """Run the command line in this process."""
    with pytest.raises(SystemExit) as end:
        main(args)
    assert end.value.code == code


class TestAtATerminal:
    def test_every_answer_is_checked_and_a_good_configuration_and_keystore_come_of_it(self, tmp_path):
        end = typed(
            tmp_path,
            ["init"],
            [
                ("Wallet to follow: ", "0x1234"),
                ("Wallet to follow: ", LEADER.replace("E", "e", 1)),  # a capital got lost
                ("Wallet to follow: ", LEADER),
                ("Your wallet: ", LEADER.lower()),  # nobody follows himself
                ("Your wallet: ", ADDRESS),
                ("Kept in [keystore]: ", "somewhere"),
                ("Kept in [keystore]: ", ""),
                ("Signature type (0 to 3): ", "7"),
                ("Signature type (0 to 3): ", ""),
                ("Signature type (0 to 3): ", "0"),
                ("Share of each position [0.2]: ", "much"),
                ("Share of each position [0.2]: ", "0.1"),
                ("Most in one outcome, in pUSD [500]: ", ""),
                ("Most in all of them together, in pUSD [2000]: ", "-5"),
                ("Most in all of them together, in pUSD [2000]: ", "1500"),
                ("(it is not shown): ", "5a" * 31),  # two digits got lost
                ("(it is not shown): ", KEY),
                ("New passphrase of the keystore: ", "short"),
                ("New passphrase of the keystore: ", PASSPHRASE),
                ("The same once more: ", PASSPHRASE + "!"),
                ("New passphrase of the keystore: ", PASSPHRASE),
                ("The same once more: ", PASSPHRASE),
            ],
        )
        assert end.code == 0, end.screen
        for words in (
            "checksum in its capitals is wrong", "nobody can follow himself", "wants keystore, keyring or none",
            "It wants a whole number from 0 to 3", "62 digits", "at least 8 characters", "not the same",
            "polymarket.com on 2026-05-04 or later", f"own address is {ADDRESS}", "copytrade run --dry-run",
            "copytrade doctor --keystore copytrade_keystore.json",
        ):  # fmt: skip
            assert words in " ".join(end.screen.split()), words
        for secret in (KEY[2:], "5a" * 31, PASSPHRASE):
            assert secret not in end.screen
        assert [line for line in end.screen.splitlines() if len(line) > 80] == []
        config = config_in(tmp_path)
        assert (config.policy.target_address, config.policy.my_address) == (LEADER.lower(), ADDRESS.lower())
        assert (config.policy.follow_ratio, config.policy.max_notional_total) == (Decimal("0.1"), 1500)
        keystore = tmp_path / "copytrade_keystore.json"
        opened = load_key(wallet="", keystore=keystore, environ={"COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE})
        assert opened.reveal() == KEY
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
            "copytrade_config.json": 0o600,
            "copytrade_keystore.json": 0o600,
        }
        assert KEY[2:] not in (tmp_path / "copytrade_config.json").read_text()

    def test_a_key_of_another_wallet_is_noticed_and_all_three_can_be_mended(self, tmp_path):
        end = typed(
            tmp_path,
            ["init", "--target", LEADER, "--ratio", "0.1", "--max-notional-per-token", "50",
             "--max-notional-total", "200", "--key-in", "keystore"],
            [
                ("Your wallet: ", WALLET),
                ("Signature type (0 to 3): ", "0"),
                ("(it is not shown): ", KEY),
                (f"Your wallet [{WALLET}]: ", ""),
                ("Signature type (0 to 3) [0]: ", "3"),
                ("(it is not shown): ", KEY),
                ("New passphrase of the keystore: ", PASSPHRASE),
                ("The same once more: ", PASSPHRASE),
            ],
        )  # fmt: skip
        assert end.code == 0, end.screen
        assert "These do not belong together" in end.screen
        config = config_in(tmp_path)
        assert (config.policy.my_address, config.signature_type) == (WALLET.lower(), 3)

    def test_without_a_key_only_a_dry_run_is_promised(self, tmp_path):
        end = typed(
            tmp_path,
            ["init", *WALLETS, "--ratio", "0.1", "--max-notional-per-token", "5", "--max-notional-total", "5"],
            [("Kept in [keystore]: ", "none"), ("Signature type (0 to 3): ", "")],
        )
        assert end.code == 0, end.screen
        assert "copytrade doctor --dry-run" in end.screen
        assert [path.name for path in tmp_path.iterdir()] == ["copytrade_config.json"]
        assert config_in(tmp_path, live=False).signature_type is None

    @pytest.mark.parametrize(("answer", "code"), [("", 3), ("no", 3), ("y", 0)])
    def test_a_configuration_that_is_there_is_only_replaced_when_that_was_said(self, answer, code, tmp_path):
        path = tmp_path / "copytrade_config.json"
        path.write_text("mine")
        replies = [("Write over it? [y/N] ", answer)]
        if code == 0:
            replies.append(("Signature type (0 to 3): ", "3"))
        end = typed(
            tmp_path,
            ["init", *WALLETS, "--key-in", "none", "--ratio", "1", "--max-notional-per-token", "5",
             "--max-notional-total", "5"],
            replies,
        )  # fmt: skip
        assert end.code == code, end.screen
        assert (path.read_text() == "mine") == (code == 3)

    def test_the_end_of_the_input_writes_nothing(self, tmp_path):
        end = typed(tmp_path, ["init"], [("Wallet to follow: ", "\x04")])
        assert end.code == 3, end.screen
        assert "nothing was written" in end.screen
        assert "Traceback" not in end.screen
        assert list(tmp_path.iterdir()) == []

    def test_the_end_of_the_input_at_the_hidden_prompt_ends_it_too(self, tmp_path):
        end = typed(
            tmp_path,
            ["init", *WALLETS, "--key-in", "keystore", "--signature-type", "3", "--ratio", "1",
             "--max-notional-per-token", "5", "--max-notional-total", "5"],
            [("(it is not shown): ", "\x04")] * TRIES,
        )  # fmt: skip
        assert end.code == 3, end.screen
        assert "Traceback" not in end.screen
        assert list(tmp_path.iterdir()) == []

    def test_ctrl_c_leaves_everything_as_it_is(self, tmp_path):
        end = typed(tmp_path, ["init"], [("Wallet to follow: ", LEADER), ("Your wallet: ", "\x03")], controls=True)
        assert end.code == 130, end.screen
        assert "Traceback" not in end.screen
        assert list(tmp_path.iterdir()) == []


class TestWithoutATerminal:
    def test_everything_that_is_missing_is_named_and_nothing_is_asked(self, tmp_path):
        end = piped(tmp_path, "init", "--key-in", "keystore")
        assert (end.returncode, end.stdout) == (2, "")
        for name in ("--target", "--my-address", "--signature-type", "--key-file", "COPYTRADE_KEYSTORE_PASSPHRASE"):
            assert f"\n  {name}   got nothing   wants " in end.stderr, end.stderr
        assert list(tmp_path.iterdir()) == []

    def test_flags_and_environment_are_enough(self, tmp_path, quick, capsys):
        quick(COPYTRADE_PRIVATE_KEY=KEY)
        main_of(
            "init", *WALLETS, "--signature-type", "3", "--ratio", "0.05", "--key-in", "keystore",
            "--config", "conf/mine.json", "--state", "conf/there/state.json",
        )  # fmt: skip
        end = capsys.readouterr()
        assert "copytrade run --config conf/mine.json --keystore conf/copytrade_keystore.json" in end.out
        written = json.loads((tmp_path / "conf/mine.json").read_text())
        assert list(written) == ["target_address", "my_address", "follow_ratio", "state_path", "signature_type"]
        # A flag's path is relative to where we are, a file's to the file: both mean the same file.
        assert config_in(tmp_path, "conf/mine.json").state_path == tmp_path / "conf/there/state.json"
        for secret in (KEY[2:], PASSPHRASE):
            assert secret not in end.out + end.err

    def test_the_key_can_come_from_standard_input(self, tmp_path, quick, monkeypatch):
        quick()
        monkeypatch.setattr("sys.stdin", io.StringIO(KEY + "\n"))
        main_of("init", *WALLETS, "--signature-type", "2", "--key-in", "keystore", "--key-file", "-")
        keystore = json.loads((tmp_path / "copytrade_keystore.json").read_text())
        assert keystore["address"].lower().removeprefix("0x") == ADDRESS.lower()[2:]


GOOD = [*WALLETS, "--key-in", "none"]


class TestWrongInput:
    """One clear message, the right exit code, no traceback, and nothing is written."""

    @pytest.mark.parametrize(
        ("args", "code", "words"),
        [
            (["--target", "nobody", "--my-address", WALLET, "--key-in", "none"], 2, ["--target", "0x and 40"]),
            (["--target", LEADER[:-1] + "e", *GOOD[2:]], 2, ["checksum", "lower case"]),
            (["--target", "0x" + "0" * 40, "--my-address", WALLET, "--key-in", "none"], 2, ["nobody has this address"]),
            (["--target", LEADER, "--my-address", LEADER, "--key-in", "none"], 2, ["nobody can follow himself"]),
            ([*GOOD, "--ratio", "0"], 2, ["--ratio", "above 0"]),
            ([*GOOD, "--slice-min", "9"], 2, ["--slice-min", "deadband_shares"]),
            ([*GOOD, "--deadband-shares", "1"], 2, ["slice_min", "(the default)", "2 x deadband_shares"]),
            ([*GOOD, "--ratio", "0", "--poll", "x"], 2, ["2 faults", "--ratio", "--poll"]),
            ([*GOOD, "--clob-url", "http://example.org"], 2, ["--clob-url", "https"]),
            ([*GOOD, "--signature-type", "4"], 2, ["--signature-type", "0 to 3"]),
            ([*WALLETS, "--key-in", "pocket"], 2, ["--key-in", "keystore, keyring or none"]),
            ([*GOOD, "--key-file", "x"], 2, ["--key-file"]),
            (["--my-address", KEY, "--target", LEADER, "--key-in", "none"], 2, ["(not shown)"]),
            (["--key-in", KEY], 2, ["--key-in", "(not shown)"]),
            (["--key-file", KEY], 2, ["--key-file", "(not shown)"]),
            ([*GOOD, "--no-such-flag"], 2, ["--no-such-flag"]),
            ([*GOOD, "--config", "file/in/it.json"], 3, ["cannot be written"]),
            ([*WALLETS, "--signature-type", "3", "--key-file", "gone"], 2, ["--key-in   got nothing"]),
        ],
    )  # fmt: skip
    def test_is_told_in_one_message(self, args, code, words, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "file").write_text("a file, and no folder")
        with pytest.raises(SystemExit) as end:
            main(["init", *args])
        said = capsys.readouterr()
        assert (end.value.code, said.out) == (code, "")
        assert [each for each in words if each not in said.err] == [], said.err
        assert KEY[2:] not in said.err
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, ["cannot be read"]),
            ("", ["is not a private key"]),
            ("word " * 12, ["seed phrase"]),
            (KEY + "0", ["65 digits"]),
            (ADDRESS, ["the length of an address"]),
            (b"\xff\xfe", ["it is not text"]),
        ],
    )
    def test_what_is_no_key_is_refused_and_not_quoted(self, content, words, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COPYTRADE_KEYSTORE_PASSPHRASE", PASSPHRASE)
        if content is not None:
            (tmp_path / "k").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(SystemExit) as end:
            main(["init", *WALLETS, "--signature-type", "3", "--key-in", "keystore", "--key-file", "k"])
        said = capsys.readouterr()
        assert (end.value.code, said.out) == (3, "")
        assert [each for each in words if each not in said.err] == [], said.err
        assert not content or str(content).strip() not in said.err
        assert not (tmp_path / "copytrade_keystore.json").exists()

    @pytest.mark.parametrize("more", [["--key-in", "keystore"], ["--keystore", "copytrade_keystore.json"]])
    def test_a_keystore_that_is_there_and_two_keys_are_told_before_anything_is_asked(
        self, more, tmp_path, monkeypatch, capsys
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COPYTRADE_PRIVATE_KEY", KEY)
        monkeypatch.setenv("COPYTRADE_KEYSTORE_PASSPHRASE", PASSPHRASE)
        (tmp_path / "copytrade_keystore.json").write_text("another key")
        with pytest.raises(SystemExit) as end:
            main(["init", *WALLETS, "--signature-type", "3", "--key-file", "k", *more])
        assert end.value.code == 2
        said = capsys.readouterr().err
        assert "--keystore   got copytrade_keystore.json, which is there already" in said
        assert "--key-file   got k   wants one signing key" in said
        assert (tmp_path / "copytrade_keystore.json").read_text() == "another key"

    def test_a_key_that_does_not_own_the_wallet_is_refused(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COPYTRADE_PRIVATE_KEY", KEY)
        monkeypatch.setenv("COPYTRADE_KEYSTORE_PASSPHRASE", PASSPHRASE)
        with pytest.raises(SystemExit) as end:
            main(["init", *WALLETS, "--signature-type", "0", "--key-in", "keystore"])
        assert end.value.code == 2
        assert f"the key's own address {ADDRESS}" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


class TestKeyStorage:
    def test_a_keystore_is_never_written_over(self, tmp_path, quick):
        quick()
        path = tmp_path / "k.json"
        path.write_text("perhaps the only copy of another key")
        with pytest.raises(RefusedToStart, match="never written over"):
            key_storage.save_keystore(path, SecretKey(KEY, source="the test"), PASSPHRASE)
        assert path.read_text() == "perhaps the only copy of another key"
        assert [each.name for each in tmp_path.iterdir()] == ["k.json"]

    def test_the_keyring_gets_it_under_the_name_that_a_run_looks_for(self, monkeypatch):
        keyring = pytest.importorskip("keyring")
        kept: dict[tuple[str, str], str] = {}
        monkeypatch.setattr(keyring, "get_keyring", lambda: type("ring", (), {"priority": 1}))
        monkeypatch.setattr(keyring, "get_password", lambda service, name: kept.get((service, name)))
        monkeypatch.setattr(keyring, "set_password", lambda service, name, value: kept.update({(service, name): value}))
        key_storage.save_in_keyring(WALLET.lower(), SecretKey(KEY, source="the test"))
        assert load_key(wallet=WALLET.lower(), environ={}).reveal() == KEY
        with pytest.raises(RefusedToStart, match="another key"):
            key_storage.save_in_keyring(WALLET.lower(), SecretKey("0x" + "11" * 32, source="the test"))
        assert list(kept.values()) == [KEY]

    def test_without_a_keyring_it_says_so(self):
        assert key_storage.keyring_trouble()
        with pytest.raises(RefusedToStart, match="cannot go into the system keyring"):
            key_storage.save_in_keyring(WALLET, SecretKey(KEY, source="the test"))


class TestTheDocument:
    @pytest.mark.parametrize("name", [name for name in KEYS if name not in setup.ADDRESSES])
    def test_every_key_is_written_as_it_is_read(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        given = {"blacklist_token_keys": ["0xc1:0"], "maker_only": False, "manage_holdings": "copied",
                 "on_stop": "keep", "state_path": "s.json", "journal_dir": "j", "settle_timeout_sec": "400",
                 "order_ttl_sec": "80",
                 "slice_min": "4", "slice_max": "40", "signature_type": "2", "data_api_version": "1",
                 "min_open_price": "0.1", "max_open_price": "0.9", "allow_markets": ["rain"],
                 "deny_markets": ["snow", "hail"], "alert_urls_path": "urls", "alert_on": ["stop", "exit"]}  # fmt: skip
        default = KEYS[name].default
        value = given.get(name, f"{default}/x" if name.endswith("_url") else "7" if name != "tick_size" else "0.01")
        answers = {"target_address": LEADER, "my_address": WALLET, name: value}
        raw = setup.document_of(answers, tmp_path)
        beside = {"state_path": tmp_path / "state.json", "journal_dir": tmp_path / "journal"}
        wanted = {**beside, **answers, **({name: tmp_path / value} if name in setup.PATHS else {})}
        assert read_config(raw, {}, source=str(tmp_path / "c.json")) == read_config(None, wanted, source="the flags")
        assert set(json.loads(raw)) == {"target_address", "my_address", name}
