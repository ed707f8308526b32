"""`copytrade doctor`: everything that a live start needs, a line each, with what to do about what is wrong.

Nothing is sent that changes anything, and nothing is written. What it calls a fault is what `copytrade run` refuses to
start for, since both judge by the same functions (app/checks.py).

Its JSON: {"copytrade": version, "dry_run": bool, "would_start": bool, "checks": [{"name", "standing", "what",
"what_to_do"}]}; standing is "ok", "warning", "fault" or "not checked"; the checks and their order are those of
`checks.NAMES`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

import typer

from copytrade import __version__
from copytrade.app.checks import Check, Standing, faults_in, no_configuration
from copytrade.app.cli._settings import DEFAULT_CONFIG, read_settings, with_flags
from copytrade.app.cli.render import WIDTH, show
from copytrade.app.reading import printable
from copytrade.app.writing import to_json
from copytrade.errors import BadInput

_SHOWN = {Standing.OK: "ok", Standing.WARNING: "warning", Standing.FAULT: "FAULT", Standing.NOT_CHECKED: "-"}
_INDENT = 25


def doctor(
    config: Annotated[
        str | None, typer.Option(help=f"The configuration file ({DEFAULT_CONFIG} where there is one).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check what a dry run needs; no key is asked for.")
    ] = False,
    keystore: Annotated[str | None, typer.Option(help="An encrypted keystore file with the signing key.")] = None,
    make_credentials: Annotated[
        bool, typer.Option("--make-credentials", help="Let the exchange make API credentials if it has none yet.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as one JSON object.")] = False,
    **flags: Any,
) -> None:
    """Check everything that a start needs, and say what to do about what is wrong. Nothing is sent, nothing is written.

    Exit codes: 0 a start would go on (warnings or not), 3 a live start would be refused, 2 wrong usage.
    """
    checks = checks_of(config, flags, dry=dry_run, keystore=keystore, make_credentials=make_credentials)
    show((answer_json(checks, dry=dry_run) if as_json else "\n".join(lines_of(checks, dry=dry_run))) + "\n")
    if faults_in(checks):
        raise typer.Exit(3)


with_flags(doctor)


def checks_of(
    config: str | None, flags: dict[str, Any], *, dry: bool, keystore: str | None, make_credentials: bool = False
) -> tuple[Check, ...]:
    """Every check. What is wrong in a flag is raised as BadInput; what is wrong in the file is a fault of its own."""
    from copytrade.wiring import checking, keys, telling

    telling.set_up_logging(level="error")
    try:
        settings = read_settings(config, flags, live=not dry)
    except BadInput as error:
        if any(fault.path.startswith("--") for fault in error.faults):
            raise
        what = "; ".join(" ".join(str(fault).split()) for fault in error.faults)
        return no_configuration(f"{error.source}: {what}", "mend it, or write a new one: copytrade init")
    signer, key = (None, None) if dry else keys.key_facts(settings, Path(keystore) if keystore else None)
    return asyncio.run(checking.examined(settings, signer, key, make_credentials=make_credentials))


def _together(checks: Sequence[Check]) -> Iterator[Check]:
    """What waits for the same cause, one after another, as one line."""
    for (standing, what), group in groupby(checks, key=lambda check: (check.standing, check.what)):
        same = list(group)
        if standing is Standing.NOT_CHECKED and len(same) > 1:
            yield Check(
                name=same[0].name,
                standing=standing,
                what=f"{what}{', so does ' if len(same) == 2 else ', so do '}{_names(same[1:])}",
            )
        else:
            yield from same


def _names(checks: Sequence[Check]) -> str:
    names = [check.name for check in checks]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def answer_json(checks: Sequence[Check], *, dry: bool) -> str:
    """The answer as one JSON object; its shape stands at the head of this module."""
    rows = [
        {"name": one.name, "standing": one.standing.value, "what": one.what, "what_to_do": one.what_to_do}
        for one in checks
    ]
    answer = {"copytrade": __version__, "dry_run": dry, "would_start": not faults_in(checks), "checks": rows}
    return to_json(answer).decode()


def lines_of(checks: Sequence[Check], *, dry: bool) -> Iterator[str]:
    """The answer for people, in 80 columns."""
    for check in _together(checks):
        head = f"{_SHOWN[check.standing]:<8} {check.name:<14}  "
        for line in check.what.splitlines():
            yield from wrap(head + printable(line), WIDTH, subsequent_indent=" " * _INDENT)
            head = " " * _INDENT
        if check.what_to_do and check.standing is not Standing.OK:
            yield from wrap(
                "-> " + printable(check.what_to_do),
                WIDTH,
                initial_indent=" " * _INDENT,
                subsequent_indent=" " * (_INDENT + 3),
            )
    faults = faults_in(checks)
    warnings = sum(1 for check in checks if check.standing is Standing.WARNING)
    waiting = sum(1 for check in checks if check.standing is Standing.NOT_CHECKED)
    start = "dry run" if dry else "live start"
    yield ""
    if faults:
        yield from wrap(f"A {start} would be refused: {', '.join(check.name for check in faults)}.", WIDTH)
    else:
        yield f"Nothing stands against a {start}."
    told = [(warnings, "warning", "warnings"), (waiting, "not checked", "not checked")]
    if any(count for count, _, _ in told):
        yield ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in told if count) + "."
