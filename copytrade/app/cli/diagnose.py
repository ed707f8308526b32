"""`copytrade diagnose`: one archive for a bug report, without secrets, listed before it is written.

Versions, the configuration, the state, the last days of the journal, and what `doctor` says. With a key (from where a
run would take it) doctor checks the account, too, and the key and its API credentials are looked for by value.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from copytrade.app.cli._settings import DEFAULT_CONFIG, read_settings, with_flags
from copytrade.app.cli._version import version_text
from copytrade.app.cli.doctor import answer_json, checks_of, lines_of
from copytrade.app.config import Config
from copytrade.app.diagnosis import Entry, listing, settings_of, with_readme
from copytrade.app.reading import printable
from copytrade.errors import BadInput, Fault, RefusedToStart

NOTHING_WRITTEN = "nothing was written"


def diagnose(
    config: Annotated[
        str | None, typer.Option(help=f"The configuration file ({DEFAULT_CONFIG} where there is one).")
    ] = None,
    keystore: Annotated[str | None, typer.Option(help="An encrypted keystore file with the signing key.")] = None,
    days: Annotated[int, typer.Option(min=0, max=366, help="How many days of the journal.")] = 2,
    output: Annotated[
        str | None, typer.Option(help="The archive to write (copytrade-diagnosis-TIME.tar.gz in this folder).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it without asking.")] = False,
    **flags: Any,
) -> None:
    """Gather an archive for a bug report: versions, configuration, state, journal, doctor's answer. No secret is in it.

    What it would hold is listed first, then it asks. A key is used if there is one, and never stored. Exit codes: 0
    written, 2 wrong usage, 3 not written.

    \b
    copytrade diagnose
    copytrade diagnose --days 1 --output report.tar.gz --yes
    """
    from copytrade.wiring import checking, keys

    now = datetime.now(UTC)
    path = Path(output or f"copytrade-diagnosis-{now:%Y%m%d-%H%M%S}.tar.gz")
    _check(path, yes)
    settings, wrong = _settings(config, flags)
    checking.hide_known_secrets(settings)
    # Before the key is taken out of the environment: the names of what is set there are told.
    entries = [checking.versions_entry(version_text())]
    with_key = keystore is not None or keys.key_is_given()
    checks = checks_of(config, flags, dry=not with_key, keystore=keystore)
    # Every secret is known from here on: the key and what is derived from it, too.
    if settings is None:
        about = "what is wrong with the configuration, which is left out itself"
        entries.append(checking.clean_entry("configuration.txt", f"{wrong}\n".encode(), about))
    else:
        entries.append(
            checking.clean_entry("configuration.json", settings_of(settings), "every setting, as it is used")
        )
        entries += checking.kept_entries(settings, days=days, today=now.date())
    screen = "\n".join(lines_of(checks, dry=not with_key)) + "\n"
    whose = "" if with_key else ", without a key"
    entries.append(checking.clean_entry("doctor.txt", screen.encode(), f"what doctor says{whose}"))
    answer = answer_json(checks, dry=not with_key)
    entries.append(checking.clean_entry("doctor.json", f"{answer}\n".encode(), "the same as JSON"))
    _write(path, with_readme(entries), yes)


with_flags(diagnose)


def _settings(config: str | None, flags: dict[str, Any]) -> tuple[Config | None, str]:
    """The settings, or what is wrong with the file, which is worth a report. Raises BadInput for a wrong flag."""
    try:
        return read_settings(config, flags, live=False), ""
    except BadInput as error:
        if any(fault.path.startswith("--") for fault in error.faults):
            raise
        return None, str(error)


def _check(path: Path, yes: bool) -> None:
    """Raise BadInput before anything is gathered."""
    faults = []
    if not path.name.endswith((".tar.gz", ".tgz")):
        faults.append(Fault(path="--output", got=printable(str(path)), wants="a name that ends in .tar.gz"))
    elif path.exists():
        faults.append(Fault(path="--output", got=f"{path}, which is there already", wants="a name that is free"))
    elif not path.parent.is_dir():
        faults.append(Fault(path="--output", got=f"{path.parent}, which is no folder", wants="a folder that is there"))
    if not yes and not _at_a_terminal():
        wants = "--yes, since there is no terminal to ask at: it lists what the archive holds, and writes it"
        faults.append(Fault(path="--yes", got="nothing", wants=wants))
    if faults:
        raise BadInput("the command line", faults, NOTHING_WRITTEN)


def _write(path: Path, entries: tuple[Entry, ...], yes: bool) -> None:
    from copytrade.wiring import checking

    for line in listing(entries, str(path)):
        print(line)
    if not yes:
        try:
            answer = input("\nWrite it? [y/N] ").strip().lower()
        except EOFError:
            answer = ""
        if answer not in ("y", "yes"):
            raise RefusedToStart(f"{NOTHING_WRITTEN.capitalize()}.")
    try:
        checking.write_diagnosis(path, entries)
    except FileExistsError:
        raise RefusedToStart(f"{path} has come to be there in the meantime: {NOTHING_WRITTEN}.") from None
    except OSError as error:
        raise RefusedToStart(f"{path} cannot be written ({error.strerror or type(error).__name__}).") from None
    print(f"\nWritten: {path}")


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
