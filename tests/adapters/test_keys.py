"""DESIGN 7: the signing key comes from the environment, a keystore file or the system keyring, and is never shown."""

import copy
import io
import json
import os
import pickle
import pty
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import msgspec
import pytest
from eth_account import Account

from copytrade.adapters import keys
from copytrade.adapters.keys import SecretKey, load_key
from copytrade.errors import RefusedToStart

# Known to everybody, and used nowhere but here.
KEY = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
WALLET = "0xAbCdEf0123456789aBcDeF0123456789AbCdEf01"
PASSPHRASE = "correct horse battery staple"


def no_terminal(question: str) -> str:
    raise AssertionError("nobody was to be asked")


def load(environ: dict[str, str], **how: Any) -> SecretKey:
    return load_key(wallet=WALLET, environ=environ, **{"ask": no_terminal, **how})


def refusal(work: Callable[[], object], *secrets: str) -> str:
    """The text of the refusal; no secret is in it, nor in any exception that it drags along."""
    with pytest.raises(RefusedToStart) as caught:
        work()
    error: BaseException | None = caught.value
    seen = ""
    while error is not None:  # some reporters walk further than Python's own traceback
        seen += "".join(traceback.format_exception_only(error)) + repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__
    for secret in secrets:
        assert secret.lower() not in seen.lower()
        assert secret.lower().removeprefix("0x") not in seen.lower()
    return str(caught.value)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("keys") / "keystore.json"
    path.write_text(json.dumps(Account.encrypt(bytes.fromhex(KEY[2:]), PASSPHRASE, kdf="pbkdf2", iterations=1000)))
    return path


def fields(node: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    """The path of every field, at any depth."""
    for name, value in node.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from fields(value, *above, name)


class Ring(keyring.backend.KeyringBackend):
    """A keyring of this process."""

    priority = 1

    def __init__(self, entries: dict[tuple[str, str], str], error: Exception | None = None) -> None:
        super().__init__()
        self.entries = entries
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        if self.error:
            raise self.error
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("copytrade only reads a keyring")


@pytest.fixture(autouse=True)
def ring():
    """Nobody's real keyring is asked; tests put their own in its place."""
    before = keyring.get_keyring()
    keyring.set_keyring(Ring({}))
    yield lambda entries, error=None: keyring.set_keyring(Ring(entries, error))
    keyring.set_keyring(before)


class TestASecretKeyDoesNotShow:
    def test_its_value_is_only_where_it_is_revealed(self):
        secret = SecretKey(KEY, source="here")
        assert (secret.reveal(), secret.address) == (KEY, ADDRESS)
        for shown in (
            repr(secret),
            str(secret),
            f"{secret}",
            f"{secret!r:>40}",
            "%s" % secret,  # noqa: UP031  # this way too
            repr([secret]),
            repr({"key": secret}),
            repr(vars(type(secret))),
            ascii(secret),
        ):
            assert KEY[2:] not in shown
        assert str(secret) == "SecretKey([hidden])"
        assert not hasattr(secret, "__dict__")

    @pytest.mark.parametrize(
        "carry", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode, hash]
    )
    def test_it_cannot_be_carried_off(self, carry):
        with pytest.raises(TypeError) as caught:
            carry(SecretKey(KEY, source="here"))
        assert KEY[2:] not in str(caught.value)

    def test_equal_keys_are_equal(self):
        assert SecretKey(KEY, source="a") == SecretKey(KEY[2:].upper(), source="b")
        assert SecretKey(KEY, source="a") != SecretKey("0x" + "1" * 64, source="a")
        assert SecretKey(KEY, source="a") != KEY

    @pytest.mark.parametrize("text", [KEY, KEY[2:], KEY.upper().replace("0X", "0x"), f"  {KEY}\n", "0X" + KEY[2:]])
    def test_the_usual_ways_to_write_it(self, text):
        assert SecretKey(text, source="here").reveal() == KEY

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (KEY[:-1], "it has 63 digits"),
            (KEY + "0", "it has 65 digits"),
            (KEY[:-1] + "g", "it has other characters"),
            (KEY[:30] + " " + KEY[30:], "it has other characters"),
            (KEY[:-1] + "٣", "it has other characters"),
            ("0x0x" + KEY[2:], "it has other characters"),
            ("0x", "it has other characters"),
            (ADDRESS, "the length of an address"),
            ("abandon ability able about above absent absorb abstract absurd abuse access accident", "a seed phrase"),
            ("0" * 64, "outside the curve"),
            ("f" * 64, "outside the curve"),
            ("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", "outside the curve"),
        ],
    )
    def test_a_wrong_form_is_named_and_not_quoted(self, text, says):
        hidden = [text] if len(text) > 2 else []
        assert says in refusal(lambda: SecretKey(text, source="COPYTRADE_PRIVATE_KEY"), *hidden)

    def test_the_first_and_the_last_number_of_the_curve_are_keys(self):
        for number in (1, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364140):
            assert SecretKey(f"{number:064x}", source="here").address == Account.from_key(f"0x{number:064x}").address


class TestFromTheEnvironment:
    def test_it_is_read_and_taken_out(self):
        environ = {"COPYTRADE_PRIVATE_KEY": KEY, "COPYTRADE_KEYSTORE_PASSPHRASE": "left over", "HOME": "/"}
        assert load(environ).address == ADDRESS
        assert environ == {"HOME": "/"}

    def test_a_child_process_does_not_inherit_it(self, monkeypatch):
        monkeypatch.setenv("COPYTRADE_PRIVATE_KEY", KEY)
        load_key(wallet=WALLET)
        show = [sys.executable, "-c", "import os; print(sorted(os.environ.items()))"]
        inherited = subprocess.run(show, capture_output=True, text=True, check=True).stdout
        assert "PATH" in inherited
        assert KEY[2:] not in inherited

    def test_a_wrong_one_is_taken_out_as_well(self):
        environ = {"COPYTRADE_PRIVATE_KEY": KEY[:-1]}
        assert refusal(lambda: load(environ), KEY[:-1]).startswith("COPYTRADE_PRIVATE_KEY is not a private key")
        assert environ == {}

    def test_two_keys_are_one_too_many(self, keystore):
        named = {"COPYTRADE_PRIVATE_KEY": KEY, "COPYTRADE_KEYSTORE": str(keystore)}
        for text in (
            refusal(lambda: load(named), KEY),
            refusal(lambda: load({"COPYTRADE_PRIVATE_KEY": KEY}, keystore=keystore), KEY),
        ):
            assert text.startswith("Two signing keys are given")


class TestFromAKeystore:
    def test_with_the_passphrase_of_the_environment(self, keystore):
        environ = {"COPYTRADE_KEYSTORE": str(keystore), "COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE}
        assert load(environ).address == ADDRESS
        assert environ == {"COPYTRADE_KEYSTORE": str(keystore)}

    def test_the_command_line_wins_over_the_environment(self, keystore, tmp_path):
        environ = {"COPYTRADE_KEYSTORE": str(tmp_path / "none"), "COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE}
        assert load(environ, keystore=keystore).address == ADDRESS

    def test_of_another_making(self, tmp_path):
        path = tmp_path / "scrypt.json"
        made = Account.encrypt(bytes.fromhex(KEY[2:]), PASSPHRASE, kdf="scrypt", iterations=2)
        made["Crypto"] = made.pop("crypto")  # as older wallets write it
        path.write_text(json.dumps(made))
        assert load({"COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE}, keystore=path).address == ADDRESS

    def test_a_wrong_passphrase_is_said_and_not_shown(self, keystore):
        environ = {"COPYTRADE_KEYSTORE_PASSPHRASE": "not the right one"}
        text = refusal(lambda: load(environ, keystore=keystore), "not the right one")
        assert text.endswith("the passphrase in COPYTRADE_KEYSTORE_PASSPHRASE does not open this keystore.")

    def test_a_person_has_three_tries(self, keystore):
        typed = iter(["wrong number one", "wrong number two", PASSPHRASE])
        assert load({}, keystore=keystore, ask=lambda _: next(typed)).address == ADDRESS
        typed = iter(["wrong number one", "wrong number two", "wrong number three", PASSPHRASE])
        text = refusal(lambda: load({}, keystore=keystore, ask=lambda _: next(typed)), "wrong number")
        assert text.endswith("none of 3 passphrases opened this keystore.")

    def test_without_a_terminal_it_says_how(self, keystore, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        text = refusal(lambda: load_key(wallet=WALLET, environ={}, keystore=keystore))
        assert "set COPYTRADE_KEYSTORE_PASSPHRASE" in text

    @pytest.mark.parametrize(
        "content",
        [KEY, json.dumps(KEY), json.dumps([KEY]), json.dumps({"version": 3, "key": KEY}), "{", "", "\xff" + KEY],
        ids=["a bare key", "a JSON string", "a JSON list", "without crypto", "torn", "empty", "not UTF-8"],
    )
    def test_what_is_no_keystore_is_refused_and_not_quoted(self, tmp_path, content):
        path = tmp_path / "keystore.json"
        path.write_text(content, encoding="latin-1")
        text = refusal(lambda: load({"COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE}, keystore=path), KEY)
        assert "is not an encrypted keystore" in text

    @pytest.mark.parametrize("junk", [None, "zz", [], {}, -1, "missing"], ids=repr)
    def test_with_any_field_missing_or_spoilt_it_is_refused(self, keystore, tmp_path, junk):
        path = tmp_path / "keystore.json"
        whole = json.loads(keystore.read_text())
        for where in fields(whole["crypto"]):
            if where == ("cipher",) or (where, junk) == (("kdfparams", "dklen"), None):
                continue  # what everybody uses is taken for granted: the same key comes out
            broken = copy.deepcopy(whole)
            node = broken["crypto"]
            for name in where[:-1]:
                node = node[name]
            if junk == "missing":
                del node[where[-1]]
            else:
                node[where[-1]] = junk
            path.write_text(json.dumps(broken))
            text = self.refused(path)
            assert text.startswith(f"{path}: "), where

    def test_with_one_digit_of_its_initial_vector_spoilt_another_key_comes_out_and_is_refused(self, keystore, tmp_path):
        path = tmp_path / "keystore.json"
        spoilt = json.loads(keystore.read_text())
        vector = spoilt["crypto"]["cipherparams"]["iv"]
        spoilt["crypto"]["cipherparams"]["iv"] = ("1" if vector[0] == "0" else "0") + vector[1:]
        path.write_text(json.dumps(spoilt))
        assert "its key is not the one of its address" in self.refused(path)

    def refused(self, path: Path) -> str:
        return refusal(lambda: load({"COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE}, keystore=path), PASSPHRASE, KEY)

    def test_a_missing_file_is_named(self, tmp_path):
        text = refusal(lambda: load({}, keystore=tmp_path / "nowhere.json"))
        assert re.fullmatch(r".*nowhere\.json: the keystore cannot be read \(there is no such file\)\.", text)

    def test_a_folder_is_named(self, tmp_path):
        assert "cannot be read (not a regular file)" in refusal(lambda: load({}, keystore=tmp_path))

    def test_asked_for_at_a_real_terminal_it_is_not_echoed(self, keystore):
        """A child process on a terminal of its own: what the terminal shows is what the person would see."""
        code = (
            "import sys; from pathlib import Path; from copytrade.adapters.keys import load_key\n"
            f"print('opened', load_key(wallet='{WALLET}', keystore=Path(sys.argv[1])).address)"
        )
        child, terminal = pty.fork()
        if child == 0:
            os.environ.pop("COPYTRADE_PRIVATE_KEY", None)
            os.execv(sys.executable, [sys.executable, "-c", code, str(keystore)])
        shown = b""
        answers = [b"wrong passphrase\n", PASSPHRASE.encode() + b"\n"]
        while True:
            try:
                part = os.read(terminal, 1024)
            except OSError:  # Linux says so when the other end is closed
                break
            if not part:
                break
            shown += part
            if answers and shown.count(b"Passphrase of ") > 2 - len(answers) and shown.endswith(b": "):
                os.write(terminal, answers.pop(0))
        os.close(terminal)
        assert os.waitpid(child, 0)[1] == 0, shown.decode()
        assert f"opened {ADDRESS}" in shown.decode()
        assert "passphrase\r" not in shown.decode()
        assert PASSPHRASE not in shown.decode()


class TestFromTheKeyring:
    @pytest.mark.parametrize("name", [WALLET, WALLET.lower()])
    def test_under_the_wallets_address_in_either_way_of_writing(self, ring, name):
        ring({("copytrade", name): KEY, ("copytrade", "0x02"): "0x" + "1" * 64})
        assert load({}).address == ADDRESS

    def test_it_is_not_asked_where_another_way_was_chosen(self, ring, keystore):
        ring({}, AssertionError("the keyring was asked"))
        assert load({"COPYTRADE_PRIVATE_KEY": KEY}).address == ADDRESS
        assert load({"COPYTRADE_KEYSTORE_PASSPHRASE": PASSPHRASE}, keystore=keystore).address == ADDRESS

    def test_a_wrong_entry_is_named_and_not_quoted(self, ring):
        ring({("copytrade", WALLET): KEY[:-1]})
        text = refusal(lambda: load({}), KEY[:-1])
        assert text.startswith(f"the keyring's entry copytrade {WALLET} is not a private key")

    def test_a_locked_one_is_said(self, ring):
        ring({}, keyring.errors.KeyringLocked("it said something"))
        text = refusal(lambda: load({}))
        assert text.startswith("The system keyring did not answer (KeyringLocked): unlock it")

    def test_one_whose_settings_cannot_be_read_is_said(self, ring):
        ring({}, PermissionError(13, "Permission denied"))
        text = refusal(lambda: load({}))
        assert text.startswith("The system keyring did not answer (PermissionError)")

    @pytest.mark.parametrize("blank", [{}, {"COPYTRADE_PRIVATE_KEY": "  ", "COPYTRADE_KEYSTORE": ""}])
    def test_no_key_at_all_names_the_three_ways(self, blank):
        assert refusal(lambda: load(dict(blank))) == (
            "There is no signing key. Give one in one of three ways:\n"
            "  COPYTRADE_PRIVATE_KEY   in the environment: 64 hexadecimal digits, with or without 0x\n"
            "  --keystore FILE         an encrypted keystore file (or COPYTRADE_KEYSTORE=FILE in the environment)\n"
            f"  keyring set copytrade {WALLET}   in the system keyring; it has none yet\n"
            "A dry run (--dry-run) needs none."
        )

    def test_no_keyring_on_this_system_is_said(self, ring):
        ring({}, keyring.errors.NoKeyringError())
        assert "in the system keyring; there is none on this system" in refusal(lambda: load({}))

    def test_the_extra_that_is_missing_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "keyring", None)  # what an import of a package that is not there does
        assert "pip install 'copytrade[keyring]' first" in refusal(lambda: load({}))

    def test_it_is_not_imported_before_it_is_wanted(self):
        code = "import sys; import copytrade.adapters.keys; print('keyring' in sys.modules)"
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert shown == "False\n"


def test_no_other_module_reads_the_secret_variables():
    """One door: whoever else looked into the environment would find what was not yet taken out."""
    package = Path(keys.__file__).parents[1]
    readers = [
        path.name for path in sorted(package.rglob("*.py")) if 'PRIVATE_KEY"' in path.read_text(encoding="utf-8")
    ]
    assert readers == ["keys.py"]
