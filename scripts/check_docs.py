"""Do the README and the pages of docs/ tell everything that a user may meet, and is what they show true?

Run by `make check`. Every reason, cancel reason, configuration key and command stands in each README as code, and each
reason and key has its own heading in docs/; every default is the one that is used; every example of a
configuration is one that `copytrade run` would take; Python examples run, and print what the page says that they print.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from copytrade.app.cli import COMMANDS
from copytrade.app.config import KEYS, read_config
from copytrade.domain.model import CancelReason, Reason
from copytrade.errors import BadInput

READMES = ("README.md", "README.zh.md")
ROOT = Path(__file__).resolve().parents[1]
REASONS = [one.value for one in Reason]
CANCEL_REASONS = [one.value for one in CancelReason]
WALLETS = {"target_address": "0x" + "a" * 40, "my_address": "0x" + "b" * 40}


def faults() -> Iterator[str]:
    """What is missing from a page, or wrong on it, a line each."""
    reasons, configuration = _text("docs/reasons.md"), _text("docs/configuration.md")
    for readme in READMES:
        text = _text(readme)
        yield from _missing(readme, _code(text), [*REASONS, *CANCEL_REASONS, *KEYS, *COMMANDS])
        yield from _wrong_table(readme, text)
    yield from _missing("docs/reasons.md", _headings(reasons), REASONS)
    yield from _missing("docs/reasons.md", _code(reasons), CANCEL_REASONS)
    yield from _missing("docs/configuration.md", _headings(configuration), KEYS)
    yield from _wrong_sections(configuration)
    for page in ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))):
        yield from _wrong_examples(page, _text(page))


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def _code(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def _headings(text: str) -> set[str]:
    return set(re.findall(r"^### `([^`\n]+)`$", text, re.M))


def _missing(page: str, told: set[str], wanted: Iterable[str]) -> Iterator[str]:
    yield from (f"{page}: `{name}` is not explained" for name in wanted if name not in told)


def _written(default: object) -> str | None:
    """A default as a person writes it; None where it has no short form, so that none is compared."""
    match default:
        case bool():
            return str(default).lower()
        case int() | Decimal():
            return format(default, "f") if isinstance(default, Decimal) else str(default)
        case _:
            return None


def _wrong_table(page: str, readme: str) -> Iterator[str]:
    """A row of the configuration's table holds one or more keys, and as many defaults."""
    for names, defaults in re.findall(r"^\| (`[a-z_`, ]+`) \| ([^|]+) \|", readme, re.M):
        keys = re.findall(r"`([a-z_]+)`", names)
        if not set(keys) <= KEYS.keys():  # a row of another table
            continue
        values = [value.strip() for value in defaults.split(",")]
        for name, value in zip(keys, values * len(keys) if len(values) == 1 else values, strict=True):
            yield from _wrong_default(page, name, value)


def _wrong_default(page: str, name: str, said: str) -> Iterator[str]:
    wants = _written(KEYS[name].default)
    if wants is not None and said != wants:
        yield f"{page}: `{name}` is said to be {said} by default, it is {wants}"


def _wrong_sections(configuration: str) -> Iterator[str]:
    """Each key's section tells its default, and has an example that would be taken."""
    for name, section in re.findall(r"^### `([a-z_]+)`$(.*?)(?=^##|\Z)", configuration, re.M | re.S):
        if name not in KEYS:
            yield f"docs/configuration.md: there is no key `{name}`"
            continue
        said = re.match(r"\s*Default `?([^\s`:,]+?)[.:,`]?\s", section)
        if said:
            yield from _wrong_default("docs/configuration.md", name, said.group(1).rstrip("."))
        elif _written(KEYS[name].default) is not None:
            yield f"docs/configuration.md: `{name}` does not tell its default"
        examples = re.findall(r"```json\n(.*?)```", section, re.S)
        if not examples or not any(name in json.loads(example) for example in examples):
            yield f"docs/configuration.md: `{name}` has no example"
    for example in re.findall(r"```json\n(.*?)```", configuration, re.S):
        whole = {**WALLETS, **json.loads(example)}
        try:
            read_config(json.dumps(whole).encode(), {}, source=example.strip())
        except BadInput as error:
            yield f"docs/configuration.md: {error}"


def _wrong_examples(page: str, text: str) -> Iterator[str]:
    """Every Python example runs; one that is followed by "prints `…`" prints just that."""
    for code, said in re.findall(r"```python\n(.*?)```(?:\s+prints `([^`]+)`)?", text, re.S):
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(code, page, "exec"), {})  # noqa: S102  # our own text, which is what is checked
        except Exception as error:  # noqa: BLE001  # whatever it is, the example is wrong
            yield f"{page}: an example fails with {type(error).__name__}: {error}"
            continue
        if said and out.getvalue().strip() != said:
            yield f"{page}: an example prints {out.getvalue().strip()!r}, the page says {said!r}"


def main() -> int:
    """Print every fault; 1 where there is any."""
    found = list(faults())
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
