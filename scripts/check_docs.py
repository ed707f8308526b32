"""Does the README tell everything that a user may meet, and is what it shows true? Run by `make check`.

Every reason, cancel reason, configuration key and command stands in it as code, every default is the one that is used,
and its Python examples print what it says that they print.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from decimal import Decimal
from pathlib import Path

from copytrade.app.cli import COMMANDS
from copytrade.app.config import KEYS
from copytrade.domain.model import CancelReason, Reason

README = Path(__file__).resolve().parents[1] / "README.md"


def faults(text: str) -> list[str]:
    """What is missing from the README, or wrong in it, a line each."""
    told = set(re.findall(r"`([^`\n]+)`", text))
    wanted = [*(one.value for one in Reason), *(one.value for one in CancelReason), *KEYS, *COMMANDS]
    found = [f"`{name}` is not explained" for name in wanted if name not in told]
    return [*found, *_wrong_defaults(text), *_wrong_examples(text)]


def _wrong_defaults(text: str) -> list[str]:
    """A row of the configuration's table holds one or more keys, and as many defaults."""
    found = []
    for names, defaults in re.findall(r"^\| (`[a-z_`, ]+`) \| ([^|]+) \|", text, re.M):
        keys = re.findall(r"`([a-z_]+)`", names)
        if not set(keys) <= KEYS.keys():  # a row of another table
            continue
        values = [value.strip() for value in defaults.split(",")]
        for name, value in zip(keys, values * len(keys) if len(values) == 1 else values, strict=True):
            default = KEYS[name].default
            match default:
                case bool():
                    wants = str(default).lower()
                case int():
                    wants = str(default)
                case Decimal():
                    wants = format(default, "f")
                case _:
                    continue
            if value != wants:
                found.append(f"`{name}`: the README says {value}, the default is {wants}")
    return found


def _wrong_examples(text: str) -> list[str]:
    found = []
    examples = re.findall(r"```python\n(.*?)```\s+prints `([^`]+)`", text, re.S)
    if text.count("```python") != len(examples):
        found.append("a Python example does not say what it prints")
    for code, said in examples:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "README.md", "exec"), {})  # noqa: S102  # our own text, which is what is checked
        if out.getvalue().strip() != said:
            found.append(f"an example prints {out.getvalue().strip()!r}, the README says {said!r}")
    return found


def main() -> int:
    """Print every fault; 1 where there is any."""
    found = faults(README.read_text(encoding="utf-8"))
    for fault in found:
        print(f"README.md: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
