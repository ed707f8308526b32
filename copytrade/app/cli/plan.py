"""`copytrade plan`: decide once more on what a snapshot file holds, offline, and say why.

The answer depends on nothing but the file (and on the clock, where the file leaves `now` out). A whole line of the
journal is a snapshot too, so every decision that a run has made can be made again.
"""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from copytrade.app.cli.render import plan_lines, show
from copytrade.app.documents import decode_snapshot, encode_plan
from copytrade.domain import plan as deciding
from copytrade.errors import BadInput, Fault

NOTHING_DECIDED = "nothing was decided"
STANDARD_INPUT = "-"


def plan(
    snapshot: Annotated[str, typer.Option(help="The snapshot file, or - for standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON object.")] = False,
    explain: Annotated[
        str | None, typer.Option(help="Say of one token why: its key or the beginning, or a part of its title.")
    ] = None,
) -> None:
    """Decide on one snapshot file (or one line of the journal) and say why; nothing is sent.

    Exit codes: 0 decided, 2 the file is not a snapshot; then every fault is named by its path in the document.
    """
    raw, source = _read(snapshot)
    facts = decode_snapshot(raw, now=Decimal(time.time_ns() // 1_000_000) / 1000, source=source)
    if explain is not None:
        from copytrade.app.cli.explain import explain_one

        show(explain_one(facts, explain))
        return
    decided = deciding.plan(facts)
    show(encode_plan(decided).decode() + "\n" if as_json else "\n".join([*plan_lines(facts, decided), ""]))


def _read(snapshot: str) -> tuple[bytes, str]:
    """The document's text, and what it is called in messages. Raises BadInput."""
    try:
        if snapshot == STANDARD_INPUT:
            return (sys.stdin.buffer.read() if sys.stdin else b""), "standard input"
        return Path(snapshot).read_bytes(), snapshot
    except (OSError, ValueError) as error:
        got = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        fault = Fault(path="--snapshot", got=got, wants="a file that can be read, or - for standard input")
        raise BadInput(snapshot, [fault], NOTHING_DECIDED) from None
