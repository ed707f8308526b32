"""The key that signs: found for a run, or stored by `init`. What it is stays in its `SecretKey`, but to sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from copytrade.app.checks import Unknown
from copytrade.app.config import Config
from copytrade.errors import BadInput, Fault, RefusedToStart

if TYPE_CHECKING:
    from copytrade.adapters.keys import SecretKey as SecretKey  # a command that stores one names its type
    from copytrade.adapters.signing import OrderSigner


def signer_for(config: Config, keystore: Path | None) -> OrderSigner:
    """The signer of a live run. Raises RefusedToStart where there is no key, or one that does not fit the wallet."""
    from copytrade.adapters.keys import load_key
    from copytrade.adapters.signing import OrderSigner

    key = load_key(wallet=config.policy.my_address, keystore=keystore)
    assert config.signature_type is not None, "a live configuration was read with live=True"
    return OrderSigner(
        key.reveal(),
        funder=config.policy.my_address,
        signature_type=config.signature_type,
        chain_id=config.chain_id,
    )


def key_facts(config: Config, keystore: Path | None) -> tuple[OrderSigner | None, str | Unknown]:
    """The signer of a live start, and what there is to say of its key."""
    try:
        signer = signer_for(config, keystore)
    except (RefusedToStart, BadInput) as error:
        return None, Unknown(why=str(error), no=True)
    return signer, signer.address


def key_is_given() -> bool:
    """Does the environment give a run its key, or name a keystore? (A keyring is asked for by runs alone.)"""
    from copytrade.adapters.keys import key_is_given as given

    return given()


# -- keys that are about to be stored ---------------------------------------------------------------------------------


def missing_secrets(*, key: bool, passphrase: bool) -> list[Fault]:
    """Which of these the environment lacks, where nobody can be asked for them."""
    from copytrade.adapters import key_storage

    return key_storage.missing_secrets(key=key, passphrase=passphrase)


def key_from_environment() -> SecretKey | None:
    """The key in COPYTRADE_PRIVATE_KEY, or None. Raises RefusedToStart for what is no key."""
    from copytrade.adapters import key_storage

    return key_storage.key_from_environment()


def key_from_file(name: str) -> SecretKey:
    """The key in a file, or in standard input for "-". Raises RefusedToStart."""
    from copytrade.adapters import key_storage

    return key_storage.key_from_file(name)


def key_from_prompt() -> SecretKey:
    """The key, typed without echo. Raises RefusedToStart for what is no key."""
    from copytrade.adapters import key_storage

    return key_storage.key_from_prompt()


def misfits(key: SecretKey, answers: Mapping[str, object]) -> tuple[Fault, ...]:
    """What does not belong together of a key, a wallet and a signature type."""
    from copytrade.adapters.signing import OrderSigner

    try:
        signature_type = int(str(answers["signature_type"]))
        OrderSigner(key.reveal(), funder=str(answers["my_address"]), signature_type=signature_type)
    except BadInput as error:
        return error.faults
    return ()


def new_passphrase(say: Callable[[str], None]) -> str:
    """A passphrase for a new keystore, from the environment or asked for twice. Raises RefusedToStart."""
    from copytrade.adapters import key_storage
    from copytrade.adapters.keys import terminal_prompt

    return key_storage.new_passphrase(terminal_prompt(), say)


def save_keystore(path: Path, key: SecretKey, passphrase: str) -> None:
    """Write the key, encrypted, to a new file. Raises RefusedToStart."""
    from copytrade.adapters import key_storage

    key_storage.save_keystore(path, key, passphrase)


def keyring_trouble() -> str:
    """Why no key can go into the system keyring; "" where it can."""
    from copytrade.adapters import key_storage

    return key_storage.keyring_trouble()


def save_in_keyring(wallet: str, key: SecretKey) -> None:
    """Put the key into the system keyring. Raises RefusedToStart."""
    from copytrade.adapters import key_storage

    key_storage.save_in_keyring(wallet.lower(), key)


def write_file(path: Path, content: bytes, *, over: bool) -> None:
    """Write a file of ours, whole and durably. Raises FileExistsError where it is there and not `over`; OSError."""
    from copytrade.adapters import files

    (files.write_over if over else files.write_new)(path, content)
