"""The configuration at the command line: one flag for each of its keys, and the file that they win over.

`run`, `doctor` and `init` share it, so that what one of them accepts no other refuses.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import frozen

from copytrade.app.config import KEYS, NOTHING_STARTED, Config, paths_in, read_config
from copytrade.app.reading import FLAG
from copytrade.errors import BadInput, Fault

DEFAULT_CONFIG = "copytrade_config.json"


def with_flags(command: Callable[..., None]) -> None:
    """Give `command` one option for each key of the configuration, in place of its `**flags`."""
    signature = inspect.signature(command, eval_str=True)
    parameters = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    for key in KEYS.values():
        if key.kind is FLAG:
            option = typer.Option(f"{key.flag}/--no-{key.flag[2:]}", help=key.help, show_default=False)
            kind: Any = bool | None
        else:
            option = typer.Option(key.flag, help=key.help, show_default=False)
            kind = list[str] | None if key.many else str | None
        parameters.append(
            inspect.Parameter(
                key.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
            )
        )
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {one.name: one.annotation for one in parameters}


def given_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags that were given, by the names of their keys."""
    return {name: value for name, value in flags.items() if value not in (None, [])}


def read_settings(config: str | None, flags: dict[str, Any], *, live: bool) -> Config:
    """The settings from file and flags. Raises BadInput with every fault."""
    path = Path(config or DEFAULT_CONFIG)
    raw = None
    if config is not None or path.exists():
        try:
            raw = path.read_bytes()
        except OSError as error:
            fault = Fault(path="--config", got=error.strerror or "nothing", wants="a file that can be read")
            raise BadInput(str(path), [fault], NOTHING_STARTED) from None
    return read_config(raw, given_flags(flags), source="the command line" if raw is None else str(path), live=live)


@frozen(kw_only=True)
class Places:
    """Where a run keeps what it remembers."""

    state_path: Path
    journal_dir: Path


def places_of(config: str | None, state: str | None, journal_dir: str | None, *, consequence: str) -> Places:
    """The places of a run, for a command that only looks: from flags, else from the configuration, else beside it.

    Of the configuration only these two keys have to be right. Raises BadInput.
    """
    path = Path(config or DEFAULT_CONFIG)
    if config is not None or path.exists():
        try:
            raw = path.read_bytes()
        except OSError as error:
            fault = Fault(path="--config", got=error.strerror or "nothing", wants="a file that can be read")
            raise BadInput(str(path), [fault], consequence) from None
        told, beside = paths_in(raw, source=str(path), consequence=consequence), path.parent
    else:
        told, beside = {}, Path(state or "").parent
    return Places(
        state_path=Path(state) if state is not None else told.get("state_path", beside / "state.json"),
        journal_dir=Path(journal_dir) if journal_dir is not None else told.get("journal_dir", beside / "journal"),
    )
