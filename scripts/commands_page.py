"""docs/commands.md from what each command says of itself: `--write` makes it anew, else it is only compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from copytrade.app.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "commands.md"
WIDTH = "100"

OPENING = """# Every command

What each command says of itself (`copytrade COMMAND --help`). Options that are configuration keys are
explained in [Configuration](configuration.md). How a command ends: 0 done or stopped on request, 2 wrong usage,
configuration or input, 3 refused to start or to go on, 1 anything unexpected, 130 interrupted.
"""


def page() -> str:
    """The page as it should be."""
    parts = [OPENING, _section("copytrade", []), *(_section(f"copytrade {name}", [name]) for name in COMMANDS)]
    return "\n".join(parts)


def _section(title: str, command: list[str]) -> str:
    plain = {**os.environ, "COLUMNS": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}
    asked = [sys.executable, "-m", "copytrade", *command, "--help"]
    said = subprocess.run(asked, env=plain, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = "\n".join(line.rstrip() for line in said.strip().splitlines())
    return f"## `{title}`\n\n```text\n{lines}\n```\n"


def main() -> int:
    """1 where the page is not what the commands say."""
    wanted = page()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    print("docs/commands.md is not what the commands say of themselves; make it anew with: make docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
