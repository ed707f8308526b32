"""The signing key: where it comes from, and how it stays out of everything else.

    1. COPYTRADE_PRIVATE_KEY          the key itself, in the environment
    2. an encrypted keystore file     (web3 secret storage, version 3), named by --keystore or COPYTRADE_KEYSTORE; its
                                      passphrase from COPYTRADE_KEYSTORE_PASSPHRASE, or asked for at the terminal
    3. the system keyring             `keyring set copytrade <my_address>`, with the extra copytrade[keyring]

The first two exclude each other: which key signs is never guessed. The keyring is asked only when neither is there.

Secrets are taken out of the environment when they are read, so that no child process and no listing of our environment
gets them. (The kernel keeps the block that the process was started with; root and this user can read it.)

No message here quotes what it found, and none is raised with an exception in tow that does.
"""

from __future__ import annotations

import getpass
import hmac
import importlib
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import NoReturn

from eth_account import Account

from copytrade.adapters.files import read_file
from copytrade.adapters.redaction import HIDDEN, hide
from copytrade.errors import RefusedToStart

KEY_VARIABLE = "COPYTRADE_PRIVATE_KEY"
KEYSTORE_VARIABLE = "COPYTRADE_KEYSTORE"
PASSPHRASE_VARIABLE = "COPYTRADE_KEYSTORE_PASSPHRASE"
KEYRING_SERVICE = "copytrade"

_TRIES = 3
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1

_THREE_WAYS = f"""There is no signing key. Give one in one of three ways:
  {KEY_VARIABLE}   in the environment: 64 hexadecimal digits, with or without 0x
  --keystore FILE         an encrypted keystore file (or {KEYSTORE_VARIABLE}=FILE in the environment)
  keyring set {KEYRING_SERVICE} {{wallet}}   in the system keyring; {{keyring}}
A dry run (--dry-run) needs none."""


class SecretKey:
    """A private key that no repr, format, copy or pickle shows. `reveal` is the one way to its value."""

    __slots__ = ("__hex",)

    def __init__(self, text: str, *, source: str) -> None:
        """`text` is 64 hexadecimal digits, 0x before them or not. RefusedToStart names `source`, never the text."""
        text = text.strip()
        hide(text)  # even a wrong one: with one digit more or less it is nearly the right one
        digits = text[2:] if text[:2] in {"0x", "0X"} else text
        fault = _fault_of(digits)
        if fault:
            raise RefusedToStart(f"{source} is not a private key: {fault}. It wants 64 hexadecimal digits.")
        self.__hex = "0x" + digits.lower()

    def reveal(self) -> str:
        """The value, `0x` and 64 lower-case hexadecimal digits. Hand it to the signer and keep no other copy."""
        return self.__hex

    @property
    def address(self) -> str:
        """The address of the key, which is public; checksummed."""
        return str(Account.from_key(self.__hex).address)

    def __repr__(self) -> str:
        return f"SecretKey({HIDDEN})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretKey) and hmac.compare_digest(self.__hex, other.__hex)

    __hash__ = None  # type: ignore[assignment]  # a hash in some dict is a trace that nobody needs

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a SecretKey is neither copied nor pickled")


def load_key(
    *,
    wallet: str,
    keystore: Path | None = None,
    environ: MutableMapping[str, str] = os.environ,
    ask: Callable[[str], str] | None = None,
) -> SecretKey:
    """The signing key for `wallet` (our `my_address`, under which a keyring has it).

    `keystore` is the file that the command line names, if any. `ask` prompts for a passphrase; by default it does so
    at the terminal, and where there is none only COPYTRADE_KEYSTORE_PASSPHRASE can open a keystore.
    Call it once: it takes the secrets out of `environ`.
    Raises RefusedToStart where there is no key, more than one, or one that cannot be read; the text says what to do.
    """
    bare = taken(environ, KEY_VARIABLE)
    passphrase = taken(environ, PASSPHRASE_VARIABLE)
    named = environ.get(KEYSTORE_VARIABLE, "").strip()
    path = keystore or (Path(named) if named else None)
    if bare is not None and path is not None:
        raise RefusedToStart(
            f"Two signing keys are given, {KEY_VARIABLE} and the keystore {path}. Which one signs is never guessed:"
            " take one of them away."
        )
    if bare is not None:
        return SecretKey(bare, source=KEY_VARIABLE)
    if path is not None:
        return _from_keystore(path, passphrase, ask or terminal_prompt())
    return _from_keyring(wallet)


def key_is_given(environ: Mapping[str, str] = os.environ) -> bool:
    """Is there a key, or the name of a keystore, in the environment?"""
    return any(environ.get(name, "").strip() for name in (KEY_VARIABLE, KEYSTORE_VARIABLE))


def _fault_of(digits: str) -> str:
    """What is wrong with the form of a key, in words that do not quote it; empty if nothing is."""
    if len(digits.split()) >= 12:
        return "it looks like a seed phrase, which opens every account of the wallet; export the one account's key"
    if not re.fullmatch(r"[0-9a-fA-F]+", digits):
        return "it has other characters than hexadecimal digits"
    if len(digits) == 40:
        return "it has 40 digits, which is the length of an address"
    if len(digits) != 64:
        return f"it has {len(digits)} digits"
    if not 0 < int(digits, 16) < _CURVE_ORDER:
        return "its number is outside the curve"
    return ""


def taken(environ: MutableMapping[str, str], name: str) -> str | None:
    """The value of a secret variable, hidden and removed; None where it is missing, or blank as in compose files."""
    value = environ.pop(name, "")
    if not value.strip():
        return None
    hide(value)
    return value


def _from_keystore(path: Path, passphrase: str | None, ask: Callable[[str], str] | None) -> SecretKey:
    keystore = _read_keystore(path)
    if passphrase is not None:
        key = _opened(path, keystore, passphrase)
        if key is None:
            raise RefusedToStart(f"{path}: the passphrase in {PASSPHRASE_VARIABLE} does not open this keystore.")
        return key
    if ask is None:
        raise RefusedToStart(
            f"{path} wants a passphrase, and there is no terminal to ask at: set {PASSPHRASE_VARIABLE},"
            " or start at a terminal."
        )
    for _ in range(_TRIES):
        given = ask(f"Passphrase of {path}: ")
        hide(given)
        key = _opened(path, keystore, given)
        if key is not None:
            return key
    raise RefusedToStart(f"{path}: none of {_TRIES} passphrases opened this keystore.")


def _read_keystore(path: Path) -> dict[str, object]:
    # Someone may name a file that holds the bare key, so nothing of the content is quoted, and the parser's exception,
    # which carries the whole text, is left behind before we raise.
    trouble = ""
    content: bytes | None = None
    try:
        content = read_file(path)
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    if content is None:
        raise RefusedToStart(f"{path}: the keystore cannot be read ({trouble or 'there is no such file'}).")
    try:
        keystore = json.loads(content)
    except ValueError:
        keystore = None
    if not (
        isinstance(keystore, dict) and keystore.get("version") == 3 and ("crypto" in keystore or "Crypto" in keystore)
    ):
        raise RefusedToStart(
            f"{path} is not an encrypted keystore: it wants a JSON file of version 3, as wallets export it. A bare key"
            f" does not belong in a file; it can go into {KEY_VARIABLE}."
        )
    return keystore


def _opened(path: Path, keystore: dict[str, object], passphrase: str) -> SecretKey | None:
    """The key in it, or None where the passphrase is wrong. Raises RefusedToStart where the keystore is damaged."""
    try:
        key = bytes(Account.decrypt(keystore, passphrase)).hex()
    except ValueError as error:
        if str(error) == "MAC mismatch":
            return None
        key = None
    except (KeyError, TypeError, AttributeError, AssertionError, NotImplementedError, OverflowError, MemoryError):
        key = None
    if key is None:
        raise RefusedToStart(f"{path}: this keystore is damaged, or of a kind that copytrade cannot open.")
    secret = SecretKey(key, source=f"what {path} holds")
    # The keystore's checksum does not cover the initial vector: with a digit of that spoilt, another key comes out.
    address = keystore.get("address")
    if isinstance(address, str) and address.lower().removeprefix("0x") not in {"", secret.address.lower()[2:]}:
        raise RefusedToStart(f"{path}: this keystore is damaged: its key is not the one of its address {address}.")
    return secret


def terminal_prompt() -> Callable[[str], str] | None:
    """Ask without echo, or None where nobody sits."""
    return ask_hidden if sys.stdin is not None and sys.stdin.isatty() else None


def ask_hidden(question: str, otherwise: str = PASSPHRASE_VARIABLE) -> str:
    """Ask at the terminal, without echo. Raises RefusedToStart, naming the variable to set `otherwise`."""
    try:
        with warnings.catch_warnings():
            # getpass falls back to reading with echo and a warning; a passphrase on the screen is worse than none.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(question)
    except (getpass.GetPassWarning, EOFError):
        raise RefusedToStart(
            f"Nothing was read: this terminal cannot hide what is typed, or was closed. Set {otherwise}."
        ) from None


def _from_keyring(wallet: str) -> SecretKey:
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError:
        raise RefusedToStart(_no_key(wallet, "pip install 'copytrade[keyring]' first")) from None
    found: str | None = None
    trouble = ""
    try:
        # Names are compared letter by letter in a keyring, and people copy an address in either way.
        found = keyring.get_password(KEYRING_SERVICE, wallet) or keyring.get_password(KEYRING_SERVICE, wallet.lower())
    except errors.NoKeyringError:
        raise RefusedToStart(_no_key(wallet, "there is none on this system")) from None
    except (errors.KeyringError, OSError) as error:  # OSError: its own settings cannot be read
        trouble = type(error).__name__
    if trouble:
        raise RefusedToStart(
            f"The system keyring did not answer ({trouble}): unlock it, or\n{_no_key(wallet, 'as tried')}"
        )
    if not found:
        raise RefusedToStart(_no_key(wallet, "it has none yet"))
    return SecretKey(found, source=f"the keyring's entry {KEYRING_SERVICE} {wallet}")


def _no_key(wallet: str, keyring: str) -> str:
    return _THREE_WAYS.format(wallet=wallet, keyring=keyring)
