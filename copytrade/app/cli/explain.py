"""`copytrade explain TOKEN`: why a token was, or was not, traded in the last cycles, in sentences with the numbers.

Every cycle is decided once more from its line of the journal, offline, and the rule that decided is told. The run that
writes the journal is not touched.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade.app.cli._settings import DEFAULT_CONFIG, Places, places_of
from copytrade.app.cli.render import short, show
from copytrade.app.reading import printable
from copytrade.errors import BadInput, Fault

if TYPE_CHECKING:
    from copytrade.app.explaining import Explanation, Names
    from copytrade.app.tally import Beside
    from copytrade.domain.model import Snapshot, TokenKey

NOTHING_EXPLAINED = "nothing was explained"
MOST_NAMED = 10


def explain(
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="A token key or its beginning, or a part of its title or slug.")
    ],
    cycles: Annotated[int, typer.Option(min=1, help="How many of the last cycles.")] = 20,
    config: Annotated[
        str | None, typer.Option(help=f"The configuration file ({DEFAULT_CONFIG} where there is one).")
    ] = None,
    state: Annotated[str | None, typer.Option(help="The state file, where it is not the configuration's.")] = None,
    journal_dir: Annotated[str | None, typer.Option(help="The journal, where it is not the configuration's.")] = None,
) -> None:
    """Say why a token was, or was not, traded in the last cycles, newest first, with the numbers that decided.

    Cycles in a row that say the same are told once. Exit codes: 0 explained, 2 wrong usage, no journal, or no such
    token.
    """
    places = places_of(config, state, journal_dir, consequence=NOTHING_EXPLAINED)
    read = _read(_lines(places, cycles))
    from copytrade.app.explaining import Names, folded

    names = Names.of(snapshot for snapshot, _ in read)
    key = chosen(token, names)
    title = printable(names.titles[key])
    show("\n".join([f"{title or short(key)}", f"{key}", "", *paragraphs(folded(_explained(read, key)))]) + "\n")


def _lines(places: Places, most: int) -> list[bytes]:
    from copytrade.wiring import looking

    try:
        lines = looking.last_lines(places.journal_dir, most)
    except OSError as error:
        fault = Fault(path=str(places.journal_dir), got=error.strerror or "nothing", wants="a folder that can be read")
        raise BadInput("the journal", [fault], NOTHING_EXPLAINED) from None
    if not lines:
        fault = Fault(
            path="the journal",
            got=f"no line in {places.journal_dir}",
            wants="what a live run has written (a dry run writes nothing); name it with --config or --journal-dir",
        )
        raise BadInput("the command line", [fault], NOTHING_EXPLAINED)
    return lines


def _read(lines: Iterable[bytes]) -> list[tuple[Snapshot, Beside]]:
    """What the lines hold; one of another version, or that is not ours, is passed over."""
    from copytrade.app.documents import decode_snapshot
    from copytrade.app.tally import read_beside

    read = []
    for line in lines:
        with contextlib.suppress(BadInput):
            read.append((decode_snapshot(line, source="a journal line"), read_beside(line)))
    return read


def _explained(read: Iterable[tuple[Snapshot, Beside]], key: TokenKey) -> Iterator[Explanation]:
    from copytrade.app.explaining import explain as explained

    for snapshot, beside in read:
        yield explained(snapshot, key, beside.results, beside.notes.fills, beside.notes.warnings)


def chosen(asked: str, names: Names) -> TokenKey:
    """The one token that is meant. Raises BadInput: none, with the nearest; or several, with what they are."""
    found = names.find(asked)
    if len(found) == 1:
        return found[0]
    if not found:
        nearest = _listed(names.nearest(asked), names)
        wants = "a token that he or we hold, or have traded" + (f"; the nearest are{nearest}" if nearest else "")
        fault = Fault(path="TOKEN", got=printable(asked), wants=wants)
    else:
        got = f"{printable(asked)}, which is {len(found)} tokens"
        fault = Fault(path="TOKEN", got=got, wants=f"one of{_listed(found, names)}")
    raise BadInput("the command line", [fault], NOTHING_EXPLAINED)


def _listed(keys: list[TokenKey], names: Names) -> str:
    lines = [f"\n      {_named(key, names)}" for key in keys[:MOST_NAMED]]
    more = f"\n      … and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return "".join(lines) + more


def _named(key: TokenKey, names: Names) -> str:
    title = printable(names.titles[key])
    return f"{key[:14]}…:{key.rpartition(':')[2]} {title}".rstrip() if len(key) > 20 else f"{key} {title}".rstrip()


def explain_one(snapshot: Snapshot, asked: str) -> str:
    """What `copytrade plan --explain` prints of one snapshot. Raises BadInput."""
    from copytrade.app.explaining import Names
    from copytrade.app.explaining import explain as explained

    names = Names.of([snapshot])
    key = chosen(asked, names)
    head = [printable(names.titles[key]) or short(key), key, ""]
    return "\n".join([*head, *paragraphs([explained(snapshot, key)])]) + "\n"


def paragraphs(explanations: Iterable[Explanation]) -> Iterator[str]:
    """Each with its times, then a line for each sentence."""
    from copytrade.app.sentences import clock

    width = max(shutil.get_terminal_size((80, 24)).columns, 40)
    for one in explanations:
        reason = one.reason.value if one.reason is not None else "UNKNOWN"
        if one.cycles > 1:
            yield f"{clock(one.since)} to {clock(one.until)}  {one.cycles} cycles  {reason}"
        else:
            yield f"{clock(one.until)}  {reason}"
        for sentence in one.sentences:
            text = printable(sentence).removeprefix(f"{reason}: ")
            yield from wrap(text, width, initial_indent="  ", subsequent_indent="    ")
        yield ""
