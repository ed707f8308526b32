"""`copytrade init`: ask what a configuration needs, check each answer as it is given, and write it.

Every answer can be a flag instead; without a terminal nothing is asked, and what is missing is named, all at once. The
key goes into an encrypted keystore or the system keyring, never into the configuration and never through an argument.

Not here: which questions there are and what makes a good answer (app/setup.py), where keys go (wiring/keys.py).
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer
from attrs import evolve, frozen

from copytrade.app import setup
from copytrade.app.cli._settings import DEFAULT_CONFIG, given_flags, with_flags
from copytrade.app.cli.render import WIDTH
from copytrade.app.config import KEYS, looks_secret
from copytrade.app.reading import NOT_SHOWN
from copytrade.app.setup import NOTHING_WRITTEN, QUESTIONS, Question
from copytrade.errors import BadInput, Fault, RefusedToStart

if TYPE_CHECKING:
    from copytrade.wiring.keys import SecretKey

DEFAULT_KEYSTORE = "copytrade_keystore.json"
KEYSTORE, KEYRING, NONE = "keystore", "keyring", "none"
_PLACES = (
    f"  {KEYSTORE}  an encrypted file beside the configuration; each start asks for its",
    "            passphrase",
    f"  {KEYRING}   the system's own keyring",
    f"  {NONE}      nowhere: for dry runs, or where COPYTRADE_PRIVATE_KEY is set",
)
TRIES = 5
_WALLET = ("my_address", "signature_type")  # what has to fit the key


def init(
    config: Annotated[str, typer.Option(help="The file to write.")] = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Write over a configuration that is there.")] = False,
    key_in: Annotated[
        str | None, typer.Option(help=f"Where the signing key is kept: {KEYSTORE}, {KEYRING} or {NONE}.")
    ] = None,
    key_file: Annotated[
        str | None, typer.Option(help="Read the signing key from this file (- for standard input).")
    ] = None,
    keystore: Annotated[
        str | None, typer.Option(help=f"The keystore to write ({DEFAULT_KEYSTORE} beside the configuration).")
    ] = None,
    **flags: Any,
) -> None:
    """Write a configuration: asks for what it needs, or takes flags; the key goes into a keystore, never into the file.

    The signing key is typed without echo, or read from COPYTRADE_PRIVATE_KEY or --key-file. Without a terminal nothing
    is asked. Exit codes: 0 written, 2 something is missing or wrong, 3 refused; nothing is half written.
    """
    _refuse_secrets({"--config": config, "--key-in": key_in, "--key-file": key_file, "--keystore": keystore})
    path = Path(config)
    wanted = _Wanted(
        path=path,
        force=force,
        place=KEYSTORE if keystore is not None and key_in is None else key_in,
        key_file=key_file,
        keystore=Path(keystore) if keystore else path.with_name(DEFAULT_KEYSTORE),
    )
    answers = given_flags(flags)
    _check(wanted, answers)
    try:
        _write(wanted, answers)
    except EOFError:
        raise RefusedToStart(f"\nThe input ended in the middle of the questions: {NOTHING_WRITTEN}.") from None


with_flags(init)


def _refuse_secrets(values: Mapping[str, str | None]) -> None:
    """A key that was given as an argument is refused before anything quotes it."""
    wants = "no secret in an argument, which everybody on this machine can read: it is asked for, without echo"
    faults = [
        Fault(path=flag, got=NOT_SHOWN, wants=wants) for flag, value in values.items() if value and looks_secret(value)
    ]
    if faults:
        raise BadInput("the command line", faults, NOTHING_WRITTEN)


@frozen(kw_only=True)
class _Wanted:
    """What was asked for, beside the settings."""

    path: Path
    force: bool
    place: str | None  # where the key goes; None: it was not said
    key_file: str | None
    keystore: Path

    def used_keystore(self) -> Fault | None:
        """A keystore that is there already is never written over: it may be the only copy of a key."""
        if self.place != KEYSTORE or not self.keystore.exists():
            return None
        wants = f"a name that is free (to go on using the key in it, take --key-in {NONE})"
        return Fault(path="--keystore", got=f"{self.keystore}, which is there already", wants=wants)


def _interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _check(wanted: _Wanted, answers: Mapping[str, Any]) -> None:
    """Raise BadInput for everything that is wrong, and, where nobody can be asked, for all that is missing."""
    from copytrade.wiring import keys

    needed: Collection[str] = ()
    if not _interactive():
        needed = setup.ADDRESSES if wanted.place == NONE else (*setup.ADDRESSES, "signature_type")
    faults = setup.faults_of(answers, needed=needed)
    if wanted.place not in (None, KEYSTORE, KEYRING, NONE):
        wants = f"{KEYSTORE}, {KEYRING} or {NONE}"
        faults.append(Fault(path="--key-in", got=wanted.place or '""', wants=wants))
    if wanted.key_file is not None:
        if wanted.place == NONE:
            faults.append(Fault(path="--key-file", got=wanted.key_file, wants=f"no key file with --key-in {NONE}"))
        elif not keys.missing_secrets(key=True, passphrase=False):
            wants = "one signing key: the environment has one, too, and which of them is meant is never guessed"
            faults.append(Fault(path="--key-file", got=wanted.key_file, wants=wants))
    if (used := wanted.used_keystore()) is not None:
        faults.append(used)
    if not _interactive():
        faults += _missing(wanted)
    if faults:
        head = "the command line" if _interactive() else "the command line (there is no terminal to ask at)"
        raise BadInput(head, faults, NOTHING_WRITTEN)


def _missing(wanted: _Wanted) -> list[Fault]:
    from copytrade.wiring import keys

    faults = []
    if wanted.place is None:
        wants = f"{KEYSTORE}, {KEYRING} or {NONE} (for dry runs only)"
        faults.append(Fault(path="--key-in", got="nothing", wants=wants))
    needs_key = wanted.place in (KEYSTORE, KEYRING) and wanted.key_file is None
    faults += keys.missing_secrets(key=needs_key, passphrase=wanted.place == KEYSTORE)
    if wanted.path.exists() and not wanted.force:
        wants = "a name that is free, or --force to write over it"
        faults.append(Fault(path="--config", got=f"{wanted.path}, which is there already", wants=wants))
    return faults


def _write(wanted: _Wanted, answers: dict[str, Any]) -> None:
    """Ask for what is missing, then write: the key first, since a configuration without it helps nobody."""
    from copytrade.wiring import keys

    if _interactive():
        _greet(wanted.path)
        wanted = evolve(wanted, force=_may_write(wanted))
        wanted = evolve(wanted, place=_ask(answers, wanted))
    secret = None if wanted.place == NONE else _fitting_key(wanted.key_file, answers)
    written = setup.document_of(answers, wanted.path.absolute().parent)
    if secret is not None and wanted.place == KEYSTORE:
        keys.save_keystore(wanted.keystore, secret, keys.new_passphrase(print))
    elif secret is not None:
        keys.save_in_keyring(str(answers["my_address"]), secret)
    try:
        keys.write_file(wanted.path, written, over=wanted.force)
    except FileExistsError:
        raise RefusedToStart(f"{wanted.path} has come to be there in the meantime, and is left as it is.") from None
    except OSError as error:
        raise RefusedToStart(f"{wanted.path} cannot be written ({error.strerror or type(error).__name__}).") from None
    _say_what_next(wanted, secret, answers)


# -- asking -----------------------------------------------------------------------------------------------------------


def _greet(path: Path) -> None:
    print(f"This writes {path}. Each answer is checked as it is given.")
    print("Ctrl-C leaves everything as it is. [What stands in brackets] is taken when you")
    print("just press Enter.")


def _may_write(wanted: _Wanted) -> bool:
    if wanted.force or not wanted.path.exists():
        return wanted.force
    print(f"\n{wanted.path} is there already.")
    if input("  Write over it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise RefusedToStart(f"{NOTHING_WRITTEN.capitalize()}.")
    return True


def _ask(answers: dict[str, Any], wanted: _Wanted) -> str:
    """Ask every question that no flag has answered, and where the key goes, which is given back."""
    place = wanted.place
    for question in QUESTIONS:
        if question.key == "signature_type":
            place = place or _ask_place(wanted)
        if question.key not in answers:
            answer = _answer_to(question, answers, optional=place == NONE and question.key == "signature_type")
            if answer:
                answers[question.key] = answer
    assert place is not None, "it was asked for before the signature type"
    return place


def _answer_to(question: Question, answers: Mapping[str, Any], *, optional: bool = False, default: str = "") -> str:
    """A good answer; "" only for an optional question."""
    default = default or question.default
    for number, line in enumerate(question.why):
        print(f"\n{line}" if number == 0 else line)
    if optional:
        print("A dry run needs none: just press Enter.")
    shown = f" [{default}]" if default else ""
    while True:
        answer = input(f"  {question.asks}{shown}: ").strip() or default
        if not answer and optional:
            return ""
        wants = setup.wrong_with(question.key, answer, answers) if answer else KEYS[question.key].kind.wants
        if not wants:
            if question.key in setup.ADDRESSES and answer == answer.lower():
                print(f"  With its checksum, to compare: {setup.spelt(answer)}")
            return answer
        _say(f"That will not do. It wants {wants}.")


def _ask_place(wanted: _Wanted) -> str:
    from copytrade.wiring import keys

    trouble = keys.keyring_trouble()
    print("\nWhere shall the signing key be kept?")
    for line in _PLACES:
        print(f"  {KEYRING}   not to be had: {trouble}" if trouble and line.startswith(f"  {KEYRING}") else line)
    while True:
        answer = input(f"  Kept in [{KEYSTORE}]: ").strip().lower() or KEYSTORE
        used = evolve(wanted, place=answer).used_keystore()
        if answer == KEYRING and trouble:
            print(f"  That is not to be had: {trouble}.")
        elif used is not None:
            _say(f"There is {used.got}, and a keystore is never written over: name another one with --keystore.")
        elif answer in (KEYSTORE, KEYRING, NONE):
            return answer
        else:
            print(f"  That will not do. It wants {KEYSTORE}, {KEYRING} or {NONE}.")


def _fitting_key(key_file: str | None, answers: dict[str, Any]) -> SecretKey:
    """The signing key, once it fits wallet and signature type; where a person can mend them, they are asked again."""
    from copytrade.wiring import keys

    flags = {name: answers[name] for name in _WALLET if name in answers}
    secret = keys.key_from_environment() or (keys.key_from_file(key_file) if key_file else None)
    given = secret is not None
    while True:
        secret = secret or _typed_key()
        print(f"  The key's own address is {secret.address}.")
        faults = keys.misfits(secret, answers)
        if not faults:
            return secret
        if not _interactive():
            raise BadInput("the key and the wallet do not belong together", faults, NOTHING_WRITTEN)
        for fault in faults:
            _say(f"These do not belong together. {fault.path} {fault.got}: it wants {fault.wants}.")
        print("  Once more, then; Enter keeps an answer.")
        for question in QUESTIONS:
            if question.key in _WALLET:
                others = {name: value for name, value in answers.items() if name != question.key}
                answers[question.key] = _answer_to(question, others, default=str(flags[question.key]))
                flags[question.key] = answers[question.key]
        if not given:
            secret = None


def _typed_key() -> SecretKey:
    from copytrade.wiring import keys

    print("\nThe key that signs for this wallet: 64 hexadecimal digits, as wallets export it.")
    for tries_left in range(TRIES - 1, -1, -1):
        try:
            return keys.key_from_prompt()
        except RefusedToStart as error:
            if not tries_left:
                raise
            _say(str(error))
    raise AssertionError("the last try returns or raises")


# -- the end ----------------------------------------------------------------------------------------------------------


def _say_what_next(wanted: _Wanted, secret: SecretKey | None, answers: Mapping[str, Any]) -> None:
    path, keystore = wanted.path, wanted.keystore if wanted.place == KEYSTORE else None
    named = "" if path == Path(DEFAULT_CONFIG) else f" --config {path}"
    opened = f" --keystore {keystore}" if keystore else ""
    print(f"\nWritten: {path}, the settings; no secret is in it")
    if keystore is not None:
        print(f"         {keystore}, the key, encrypted. Keep its passphrase:")
        print("         without it nobody can open the file, you included")
    elif secret is not None:
        print(f"         the key is in the system keyring, for {answers['my_address']}")
    dry = " --dry-run" if secret is None else ""
    print("\nWhat next:")
    steps = [
        (f"copytrade doctor{named}{opened}{dry}", "checks what a start needs, and says what to do"),
        (f"copytrade run{named} --dry-run", "decides and shows; sends nothing"),
    ]
    if secret is not None:
        steps.append((f"copytrade run{named}{opened}", "trades"))
    for command, what in steps:
        print(f"  {command}")
        print(f"      {what}")


def _say(text: str) -> None:
    for line in wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  "):
        print(line)
