"""`copytrade init`: ask what a configuration needs, check each answer as it is given, and write it.

Every answer can be a flag instead; without a terminal nothing is asked, and what is missing is named, all at once. The
key goes into an encrypted keystore or the system keyring, never into the configuration and never through an argument.

Not here: which questions there are and what makes a good answer (app/setup.py), where keys go (wiring.py).
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from copytrade.app import setup
from copytrade.app.cli._settings import DEFAULT_CONFIG, given_flags, with_flags
from copytrade.app.cli.render import WIDTH
from copytrade.app.config import KEYS, looks_secret
from copytrade.app.reading import NOT_SHOWN
from copytrade.app.setup import NOTHING_WRITTEN, QUESTIONS, Question
from copytrade.errors import BadInput, Fault, RefusedToStart

if TYPE_CHECKING:
    from copytrade.wiring import SecretKey

DEFAULT_KEYSTORE = "copytrade_keystore.json"
KEYSTORE, KEYRING, NONE = "keystore", "keyring", "none"
_PLACES = (
    f"  {KEYSTORE}  an encrypted file beside the configuration; each start asks for its",
    "            passphrase",
    f"  {KEYRING}   the system's own keyring",
    f"  {NONE}      nowhere: for dry runs, or where COPYTRADE_PRIVATE_KEY is set",
)
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
    interactive = sys.stdin is not None and sys.stdin.isatty()
    path = Path(config)
    answers = given_flags(flags)
    _refuse_secrets({"--config": config, "--key-in": key_in, "--key-file": key_file, "--keystore": keystore})
    key = KEYSTORE if keystore is not None and key_in is None else key_in
    _check(path, force, key, key_file, answers, interactive)
    try:
        _write(path, force, key, key_file, Path(keystore) if keystore else path.with_name(DEFAULT_KEYSTORE), answers)
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


def _check(
    path: Path, force: bool, key: str | None, key_file: str | None, answers: Mapping[str, Any], interactive: bool
) -> None:
    """Raise BadInput for everything that is wrong, and, where nobody can be asked, for all that is missing."""
    needed: Collection[str] = ()
    faults: list[Fault] = []
    if not interactive:
        needed = setup.ADDRESSES if key == NONE else (*setup.ADDRESSES, "signature_type")
    faults += setup.faults_of(answers, needed=needed)
    if key not in (None, KEYSTORE, KEYRING, NONE):
        faults.append(Fault(path="--key-in", got=key or '""', wants=f"{KEYSTORE}, {KEYRING} or {NONE}"))
    if key == NONE and key_file is not None:
        faults.append(Fault(path="--key-file", got=key_file, wants=f"no key file with --key-in {NONE}"))
    if not interactive:
        faults += _missing(path, force, key, key_file)
    if faults:
        head = "the command line" if interactive else "the command line (there is no terminal to ask at)"
        raise BadInput(head, faults, NOTHING_WRITTEN)


def _missing(path: Path, force: bool, key: str | None, key_file: str | None) -> list[Fault]:
    from copytrade import wiring

    faults = []
    if key is None:
        wants = f"{KEYSTORE}, {KEYRING} or {NONE} (for dry runs only)"
        faults.append(Fault(path="--key-in", got="nothing", wants=wants))
    wanted = key in (KEYSTORE, KEYRING) and key_file is None
    faults += wiring.missing_secrets(key=wanted, passphrase=key == KEYSTORE)
    if path.exists() and not force:
        wants = "a name that is free, or --force to write over it"
        faults.append(Fault(path="--config", got=f"{path}, which is there already", wants=wants))
    return faults


def _write(
    path: Path, force: bool, key: str | None, key_file: str | None, keystore: Path, answers: dict[str, Any]
) -> None:
    """Ask for what is missing, then write: the key first, since a configuration without it helps nobody."""
    from copytrade import wiring

    if sys.stdin.isatty():
        _greet(path)
        force = _may_write(path, force)
        key = _ask(answers, key)
        if key == KEYSTORE and keystore.exists():
            raise RefusedToStart(
                f"{keystore} is there already, and a keystore is never written over. To go on using its key, take "
                f"--key-in {NONE}; to make another one, name it with --keystore. {NOTHING_WRITTEN.capitalize()}."
            )
    secret = None if key == NONE else _fitting_key(key_file, answers)
    written = setup.document_of(answers, path.absolute().parent)
    if secret is not None and key == KEYSTORE:
        wiring.save_keystore(keystore, secret, wiring.new_passphrase(print))
    elif secret is not None:
        wiring.save_in_keyring(str(answers["my_address"]), secret)
    try:
        wiring.write_file(path, written, over=force)
    except FileExistsError:
        raise RefusedToStart(f"{path} has come to be there in the meantime, and is left as it is.") from None
    except OSError as error:
        raise RefusedToStart(f"{path} cannot be written ({error.strerror or type(error).__name__}).") from None
    _say_what_next(path, keystore if key == KEYSTORE else None, secret, answers)


# -- asking -----------------------------------------------------------------------------------------------------------


def _greet(path: Path) -> None:
    print(f"This writes {path}. Each answer is checked as it is given.")
    print("Ctrl-C leaves everything as it is. [What stands in brackets] is taken when you")
    print("just press Enter.")


def _may_write(path: Path, force: bool) -> bool:
    if force or not path.exists():
        return force
    print(f"\n{path} is there already.")
    if input("  Write over it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise RefusedToStart(f"{NOTHING_WRITTEN.capitalize()}.")
    return True


def _ask(answers: dict[str, Any], key: str | None) -> str:
    """Ask every question that no flag has answered, and where the key goes, which is given back."""
    for question in QUESTIONS:
        if question.key == "signature_type":
            key = key or _ask_place()
        if question.key not in answers:
            answer = _answer_to(question, answers, optional=key == NONE and question.key == "signature_type")
            if answer:
                answers[question.key] = answer
    assert key is not None, "it was asked for before the signature type"
    return key


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


def _ask_place() -> str:
    from copytrade import wiring

    trouble = wiring.keyring_trouble()
    print("\nWhere shall the signing key be kept?")
    for line in _PLACES:
        print(f"  {KEYRING}   not to be had: {trouble}" if trouble and line.startswith(f"  {KEYRING}") else line)
    while True:
        answer = input(f"  Kept in [{KEYSTORE}]: ").strip().lower() or KEYSTORE
        if answer == KEYRING and trouble:
            print(f"  That is not to be had: {trouble}.")
        elif answer in (KEYSTORE, KEYRING, NONE):
            return answer
        else:
            print(f"  That will not do. It wants {KEYSTORE}, {KEYRING} or {NONE}.")


def _fitting_key(key_file: str | None, answers: dict[str, Any]) -> SecretKey:
    """The signing key, once it fits wallet and signature type; where a person can mend them, they are asked again."""
    from copytrade import wiring

    flags = {name: answers[name] for name in _WALLET if name in answers}
    secret = wiring.key_from_environment() or (wiring.key_from_file(key_file) if key_file else None)
    given = secret is not None
    while True:
        secret = secret or _typed_key()
        print(f"  The key's own address is {secret.address}.")
        faults = wiring.misfits(secret, answers)
        if not faults:
            return secret
        if not sys.stdin.isatty():
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
    from copytrade import wiring

    print("\nThe key that signs for this wallet: 64 hexadecimal digits, as wallets export it.")
    while True:
        try:
            return wiring.key_from_prompt()
        except RefusedToStart as error:
            _say(str(error))


# -- the end ----------------------------------------------------------------------------------------------------------


def _say_what_next(path: Path, keystore: Path | None, secret: SecretKey | None, answers: Mapping[str, Any]) -> None:
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
