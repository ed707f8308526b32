"""What is in the archive of `copytrade diagnose`, and how a person is told so before it is written. Pure.

Not here: what is read and how secrets are taken out (adapters/diagnosing.py), asking (cli/diagnose.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import field, frozen

from copytrade.app.config import KEYS, Config
from copytrade.app.writing import to_json

README = "README.txt"
_LEFT_OUT = (
    "Not in it: signing keys, keystores, API credentials, passphrases, addresses of",
    "alerts, the environment's values. Those that are known here were looked for by",
    "value in every file, whatever stood around them.",
    "In it: wallet addresses, positions, orders, amounts. They are public data of the",
    "exchange, but they tell which wallet is yours. Look through the files before you",
    "send them to anybody.",
)


@frozen(kw_only=True)
class Entry:
    """One file of the archive."""

    name: str
    content: bytes = field(repr=False)
    about: str  # in a few words, for people
    hidden: int = 0  # places where a secret was taken out


def settings_of(config: Config) -> bytes:
    """Every setting as it is used, the defaults too, one a line. None of them is a secret (config.py sees to that)."""
    values = {name: getattr(config.policy if key.deciding else config, name) for name, key in KEYS.items()}
    return lines_of(values)


def lines_of(values: Mapping[str, object]) -> bytes:
    """A JSON object with a line for each member."""
    rows = [f"  {to_json(name).decode()}: {to_json(value).decode()}" for name, value in values.items()]
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def with_readme(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries, and first of all a text that says what they are."""
    text = "\n".join([
        "What copytrade diagnose gathered for a bug report.", "",
        *(f"{entry.name}: {entry.about}" for entry in entries), "", *_LEFT_OUT, "",
    ])  # fmt: skip
    return (Entry(name=README, content=text.encode(), about="what this is"), *entries)


def listing(entries: Sequence[Entry], path: str) -> Iterator[str]:
    """What a person sees before anything is written."""
    yield f"{path} would hold:"
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        yield f"  {entry.name:<{width}}  {_size(len(entry.content)):>9}  {entry.about}"
    yield ""
    yield from _LEFT_OUT
    hidden = sum(entry.hidden for entry in entries)
    if hidden:
        yield f"Hidden in {_names(entries)}: {hidden} {'place' if hidden == 1 else 'places'} that held a secret."


def _names(entries: Sequence[Entry]) -> str:
    return ", ".join(entry.name for entry in entries if entry.hidden)


def _size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:,.1f} kB"
