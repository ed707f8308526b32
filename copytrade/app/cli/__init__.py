"""The command line: which commands there are, and how a run ends.

One file a command. Help texts stand in the table below, so that `copytrade --help` imports no command: nobody should
wait for a signing library to read what the commands are called. A command's module is imported when it is called.

How a run ends: 0 done or stopped on request, 2 wrong usage or input, 3 refused, 1 anything unexpected, 130 interrupted.
Errors that we raise on purpose are a text for the person at the terminal; anything else is a bug, with its traceback.

Not here: what the commands do (plan.py, run.py, ...), what they print (render.py).
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core
from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from copytrade.app.cli._examples import EXAMPLES, FIRST_STEPS, ROOT_EPILOG, epilog_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from copytrade.errors import CopytradeError

# name -> (where its function is, what it does in at most 65 characters). The order is the order of the help.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("copytrade.app.cli.demo:demo", "Watch it copy a wallet, on an embedded exchange, without a key."),
    "init": ("copytrade.app.cli.init:init", "Write a configuration; asks, and checks each answer."),
    "doctor": ("copytrade.app.cli.doctor:doctor", "Check everything that a start needs; say what to do."),
    "run": ("copytrade.app.cli.run:run", "Follow a wallet, live or dry, until it is stopped."),
    "stop": ("copytrade.app.cli.stop:stop", "Take all orders down and place none, until it is lifted."),
    "status": ("copytrade.app.cli.status:status", "Say how a run stands, without touching it."),
    "explain": ("copytrade.app.cli.explain:explain", "Say why a token was, or was not, traded, with the numbers."),
    "plan": ("copytrade.app.cli.plan:plan", "Say what one snapshot file leads to, and why; send nothing."),
    "backtest": ("copytrade.app.cli.backtest:backtest", "Say what following would have made, on a recorded history."),
    "record": ("copytrade.app.cli.record:record", "Write a wallet's positions and books, or its past, to a tape."),
    "diagnose": ("copytrade.app.cli.diagnose:diagnose", "Gather an archive for a bug report, without secrets."),
}

# Help is plain text: it is the same on every terminal, and rich (a third of the start-up time) stays unimported.
_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}
_HELP_NAMES = {"help_option_names": ["-h", "--help"]}


def load(name: str) -> Any:
    """The command `name` as typer runs it, its module imported. Raises KeyError for a name that is not in COMMANDS."""
    where, summary = COMMANDS[name]
    module, function = where.split(":")
    app = typer.Typer(**_PLAIN, context_settings=_HELP_NAMES, add_completion=False)
    examples = EXAMPLES.get(name, ())
    app.command(name, short_help=summary, epilog=epilog_of(examples) if examples else None)(
        getattr(import_module(module), function)
    )
    return get_command(app)


class _AsItIs(RuntimeParam):
    """A text, a flag or a list of texts: there is nothing to check."""

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ARG002  # as typer calls it
        return list(value) if param.multiple else value


def _reading(descriptor: TypeDescriptor) -> RuntimeParam:
    """How typer reads one option. It would import pydantic to look at a text: 0.1 s of the 0.2 s of a `plan`."""
    if descriptor.annotation in (str, bool, list[str]):
        return _AsItIs(annotation=descriptor.annotation, parameter_info=descriptor.parameter_info)
    return build_runtime_param(descriptor)


typer.core.build_runtime_param = _reading  # type: ignore[attr-defined]  # the one place where it makes them


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and summary, and imports one only to run it.

    While help is printed and names are completed, a command is a placeholder; `resolve_command` is where typer asks for
    the one that was really meant.
    """

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, (_, summary) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=summary, rich_markup_mode=None))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else placeholder, rest


app = typer.Typer(
    cls=LazyGroup,
    **_PLAIN,
    no_args_is_help=True,
    context_settings=_HELP_NAMES,
    epilog=f"{epilog_of(FIRST_STEPS, 'First steps:')}\n\n{ROOT_EPILOG}",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from copytrade.app.cli._version import version_text

        print(f"copytrade {version_text()}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and the commit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Copy what a Polymarket wallet holds, by position targeting: small resting orders, never a replayed trade."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line (`sys.argv` where `args` is left out) and exit with one of the codes above."""
    try:
        get_command(app)(args, prog_name="copytrade")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from copytrade.errors import CopytradeError  # here, since the help needs none of it

        if not isinstance(error, CopytradeError):
            raise
        print(error, file=sys.stderr)
        sys.exit(exit_code(error))


def exit_code(error: CopytradeError) -> int:
    """What a run ends with that this error has ended."""
    from copytrade.errors import BadInput, RefusedToStart

    match error:
        case BadInput():
            return 2
        case RefusedToStart():
            return 3
        case _:
            return 1
