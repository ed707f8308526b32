"""Where `copytrade init` gets the signing key from, and where it puts it: an encrypted keystore, or the system keyring.

The key comes from COPYTRADE_PRIVATE_KEY, from a file that is named, or from a prompt that does not echo; never from an
argument, which every user of the machine could read. No message here quotes it.

A keystore is never written over, with no flag: it may be the only copy of a key that holds money. What was written is
opened once more before anybody relies on it.

Not here: what a key must look like, and opening keystores for a run (keys.py).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

from eth_account import Account

from copytrade.adapters.files import write_new
from copytrade.adapters.keys import (
    KEY_VARIABLE,
    KEYRING_SERVICE,
    PASSPHRASE_VARIABLE,
    SecretKey,
    ask_hidden,
    load_key,
    taken,
)
from copytrade.adapters.redaction import SHORTEST, hide
from copytrade.errors import Fault, RefusedToStart

STANDARD_INPUT = "-"
_LONGEST = 4096  # characters of a key file that are read; a key has 66
_TRIES = 3
SCRYPT_N = 1 << 18  # two thirds of a second and 256 MB for each guess of a passphrase


def missing_secrets(*, key: bool, passphrase: bool, environ: Mapping[str, str] = os.environ) -> list[Fault]:
    """A fault for each of these that the environment lacks."""
    faults = []
    if key and not environ.get(KEY_VARIABLE, "").strip():
        wants = f"the file with the signing key (or {KEY_VARIABLE} in the environment)"
        faults.append(Fault(path="--key-file", got="nothing", wants=wants))
    if passphrase and not environ.get(PASSPHRASE_VARIABLE, "").strip():
        wants = "a passphrase for the keystore, in the environment"
        faults.append(Fault(path=PASSPHRASE_VARIABLE, got="nothing", wants=wants))
    return faults


def key_from_environment(environ: MutableMapping[str, str] = os.environ) -> SecretKey | None:
    """The key in COPYTRADE_PRIVATE_KEY, taken out of the environment; None where there is none. RefusedToStart."""
    found = taken(environ, KEY_VARIABLE)
    return None if found is None else SecretKey(found, source=KEY_VARIABLE)


def key_from_file(name: str) -> SecretKey:
    """The key that a file holds, or standard input for "-". Raises RefusedToStart, which does not quote it."""
    try:
        if name == STANDARD_INPUT:
            text = sys.stdin.read(_LONGEST) if sys.stdin is not None else ""
        else:
            with Path(name).open(encoding="utf-8") as file:
                text = file.read(_LONGEST)
    except (OSError, ValueError) as error:
        # A UnicodeDecodeError has the bytes in tow.
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text"
        text, trouble = "", f"The key file {name} cannot be read ({why})."
    else:
        trouble = ""
    if trouble:
        raise RefusedToStart(trouble)
    return SecretKey(text, source="standard input" if name == STANDARD_INPUT else f"what {name} holds")


def key_from_prompt() -> SecretKey:
    """The key, typed or pasted without echo. Raises RefusedToStart for what is none."""
    return SecretKey(ask_hidden("  Signing key (it is not shown): ", KEY_VARIABLE), source="What was typed")


def new_passphrase(
    ask: Callable[[str], str] | None, say: Callable[[str], None], environ: MutableMapping[str, str] = os.environ
) -> str:
    """The passphrase of a new keystore: from COPYTRADE_KEYSTORE_PASSPHRASE, or asked for twice by `ask`.

    Raises RefusedToStart where there is nobody to ask, and where three tries did not give one.
    """
    given = taken(environ, PASSPHRASE_VARIABLE)
    if given is not None:
        if fault := _weak(given):
            raise RefusedToStart(f"The passphrase in {PASSPHRASE_VARIABLE} will not do: {fault}.")
        return given
    if ask is None:
        raise RefusedToStart(f"A keystore wants a passphrase: set {PASSPHRASE_VARIABLE}, or start at a terminal.")
    for _ in range(_TRIES):
        first = ask("  New passphrase of the keystore: ")
        hide(first)
        if fault := _weak(first):
            say(f"  That will not do: {fault}.")
            continue
        if ask("  The same once more: ") == first:
            return first
        say("  These two are not the same.")
    raise RefusedToStart(f"No passphrase in {_TRIES} tries.")


def _weak(passphrase: str) -> str:
    # What is shorter could not be taken out of logs either, since it would be found all over honest text.
    return f"it wants at least {SHORTEST} characters" if len(passphrase.strip()) < SHORTEST else ""


def save_keystore(path: Path, key: SecretKey, passphrase: str) -> None:
    """Write the key, encrypted (web3 secret storage, version 3, scrypt), and open it again.

    Raises RefusedToStart where something has that name already, or where it cannot be written.
    """
    content = (
        json.dumps(
            Account.encrypt(bytes.fromhex(key.reveal()[2:]), passphrase, kdf="scrypt", iterations=SCRYPT_N)
        ).encode()
        + b"\n"
    )
    try:
        write_new(path, content)
    except FileExistsError:
        raise RefusedToStart(
            f"{path} is there already, and a keystore is never written over: it may be the only copy of a key. Name"
            " another file with --keystore, or move that one away."
        ) from None
    except OSError as error:
        raise RefusedToStart(f"{path} cannot be written ({error.strerror or type(error).__name__}).") from None
    again = load_key(wallet="", keystore=path, environ={PASSPHRASE_VARIABLE: passphrase})
    assert again == key, "what was written is what was given"


def keyring_trouble() -> str:
    """Why there is no system keyring to put a key into, and what to do; "" where there is one."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return "the extra is not installed: pip install 'copytrade[keyring]'"
    try:
        found = keyring.get_keyring()
    except OSError as error:  # its own settings cannot be read
        return f"its settings can't be read ({error.strerror})"
    return "" if found.priority > 0 else "there is none on this system"


def save_in_keyring(wallet: str, key: SecretKey) -> None:
    """Put the key into the system keyring under our name and the wallet. Raises RefusedToStart."""
    if trouble := keyring_trouble():
        raise RefusedToStart(f"The key cannot go into the system keyring: {trouble}.")
    keyring = importlib.import_module("keyring")
    errors = importlib.import_module("keyring.errors")
    failure = ""
    try:
        known = keyring.get_password(KEYRING_SERVICE, wallet)
        if known is None:
            keyring.set_password(KEYRING_SERVICE, wallet, key.reveal())
        elif SecretKey(known, source="the keyring's entry") != key:
            failure = (
                f"The system keyring has another key for {wallet} already. To replace it, first take that one out: "
                f"keyring del {KEYRING_SERVICE} {wallet}"
            )
    except errors.KeyringError as error:  # its text may hold what was to be stored
        failure = f"The system keyring did not take the key ({type(error).__name__}): unlock it and try again."
    if failure:
        raise RefusedToStart(failure)
