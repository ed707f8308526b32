"""Where an older revision of the program, which is measured beside this one, keeps what a case leans on."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def running() -> Any:
    """The module that opens a run: the composition root was one file once."""
    as_package = getattr(find_spec("copytrade.wiring"), "submodule_search_locations", None) is not None
    return import_module("copytrade.wiring.running" if as_package else "copytrade.wiring")
