"""What `copytrade init` asks, what makes a good answer, and the configuration that comes of it. Pure.

Rule 1: the configuration's own reader (config.py) is the judge of every answer, so what is written here always passes.
Rule 2: an address with a wrong checksum (EIP-55) is refused, and its right spelling is not offered: the checksum was
        wrong because a letter is, and no spelling mends that. Whoever is sure of every letter writes it in lower case.
Rule 3: the key is no answer. It is not in the document, and this module never sees it.

Not here: terminals and prompts (cli/init.py), keystores and files (wiring/keys.py).
Source: API.md "Which client" (signature types).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from attrs import frozen

from copytrade.app.config import KEYS, Config, read_config
from copytrade.app.kinds import ADDRESS
from copytrade.app.reading import Spot
from copytrade.app.writing import to_json
from copytrade.errors import BadInput, Fault

NOTHING_WRITTEN = "nothing was written"
ADDRESSES = ("target_address", "my_address")
PATHS = ("state_path", "journal_dir", "alert_urls_path")
_NOBODY = "0x" + "0" * 40
_BAD_CHECKSUM = (
    "an address as it was copied: the checksum in its capitals is wrong, so a letter or a digit of it is. Copy it "
    "again; if you are sure of every letter, write it in lower case"
)


@frozen(kw_only=True)
class Question:
    """One thing that is asked: `why` stands above it, a line each; without a `default` an answer is needed."""

    key: str
    asks: str
    why: tuple[str, ...]
    default: str = ""


SIGNATURE_TYPES = (
    "3  made on polymarket.com on 2026-05-04 or later, in any way (deposit wallet)",
    "1  made there before that date, with an e-mail address (proxy wallet)",
    "2  made there before that date, by connecting a browser wallet (safe)",
    "0  no account there: the signing key's own address holds the money (EOA)",
)

QUESTIONS = (
    Question(
        key="target_address",
        asks="Wallet to follow",
        why=("Whose positions shall be copied? The address is on the leader's profile page.",),
    ),
    Question(
        key="my_address",
        asks="Your wallet",
        why=(
            "Which wallet holds your pUSD and your shares? It is the address on your own",
            "profile page at polymarket.com, and not the address of the key that signs,",
            "unless you have no account there.",
        ),
    ),
    Question(
        key="signature_type",
        asks="Signature type (0 to 3)",
        why=(
            "What kind of wallet is yours? It depends on when and how the account was made:",
            *(f"  {line}" for line in SIGNATURE_TYPES),
            "With the wrong one the exchange refuses every order, so there is no default.",
        ),
    ),
    Question(
        key="follow_ratio",
        asks="Share of each position",
        why=("How much of each of the leader's positions do you want? 0.2 is a fifth.",),
        default=str(KEYS["follow_ratio"].default),
    ),
    Question(
        key="max_notional_per_token",
        asks="Most in one outcome, in pUSD",
        why=("Beyond these two amounts nothing more is bought. A cap never causes a sale.",),
        default=str(KEYS["max_notional_per_token"].default),
    ),
    Question(
        key="max_notional_total",
        asks="Most in all of them together, in pUSD",
        why=(),
        default=str(KEYS["max_notional_total"].default),
    ),
)


def faults_of(answers: Mapping[str, object], *, needed: Collection[str] = ()) -> list[Fault]:
    """Everything that is wrong with these answers, by flag; and, of those `needed`, what is missing."""
    faults = []
    odd = set()
    for name in ADDRESSES:
        text = answers.get(name)
        if isinstance(text, str) and (wants := _wrong_address(text)):
            faults.append(Fault(path=KEYS[name].flag, got=Spot(value=text, faults=[]).show(text), wants=wants))
            odd.add(KEYS[name].flag)
    try:
        read_config(None, answers, source="the answers")
    except BadInput as error:
        faults += [
            fault
            for fault in error.faults
            if fault.path not in odd and not (fault.path in ADDRESSES and fault.got == "nothing")  # which may come yet
        ]
    for name in needed:
        if name not in answers:
            key = KEYS[name]
            faults.append(Fault(path=key.flag, got="nothing", wants=f"{key.kind.wants} ({key.help.rstrip('.')})"))
    return faults


def wrong_with(name: str, text: str, others: Mapping[str, object]) -> str:
    """What one answer should be instead, in words; "" where it is good beside the `others`."""
    before = faults_of(others)
    found = [fault for fault in faults_of({**others, name: text}) if fault not in before]
    return found[0].wants if found else ""


def _wrong_address(text: str) -> str:
    """What is wrong with an address beyond its form; "" where nothing is, or where its form is wrong already.

    >>> _wrong_address("0x52908400098527886E0F7030069857D2E4169EE7"), _wrong_address("0x" + "ab" * 20)
    ('', '')
    >>> _wrong_address("0x52908400098527886e0F7030069857D2E4169EE7").split(":")[0]
    'an address as it was copied'
    """
    from eth_utils.address import is_checksum_address  # here: keccak takes its time to import

    faults: list[Fault] = []
    if Spot(value=text, faults=faults).read(ADDRESS) is None:
        return ""
    if text.lower() == _NOBODY:
        return "a wallet: nobody has this address"
    digits = text[2:]
    told = digits.lower() != digits and digits.upper() != digits
    return _BAD_CHECKSUM if told and not is_checksum_address("0x" + digits) else ""


def spelt(address: str) -> str:
    """The address with its checksum, as the exchange's pages show it: for comparing."""
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(address))


def document_of(answers: Mapping[str, object], folder: Path) -> bytes:
    """The configuration file, for `folder`: what was answered, in the order of the documentation, and nothing else.

    Paths that were given as flags are relative to where we are, those in a file to the file. Raises BadInput.
    """
    config = read_config(None, answers, source="the answers")
    lines = [f'  "{name}": {to_json(_as_written(name, config, folder)).decode()}' for name in KEYS if name in answers]
    written = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    read_config(written, {}, source=str(folder / "the configuration"), live="signature_type" in answers)
    return written


def _as_written(name: str, config: Config, folder: Path) -> object:
    value = getattr(config.policy if KEYS[name].deciding else config, name)
    if name in ADDRESSES:
        return spelt(value)
    if name in PATHS:
        return Path(os.path.relpath(value, folder)) if not value.is_absolute() else value
    return value
