"""Write JSON whose numbers are exact: a Decimal becomes a plain number, never a float and never an exponent.

The counterpart of reading.py for whatever the program itself writes: the journal, `--json`, the state file. A cycle of
1,000 tokens writes 40,000 values, so each is looked at once and told by its exact type; only what is no such type is
asked what it is like. (20 ms for such a line, 110 ms with an isinstance for each kind.)
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from msgspec import Raw
from msgspec.json import encode


def plain(number: Decimal) -> str:
    """The digits of a finite number, without exponent and without zeros that say nothing.

    >>> [plain(Decimal(text)) for text in ("0.10", "1E+3", "100", "-0.0", "1E-9", "12345678901234.000001")]
    ['0.1', '1000', '100', '0', '0.000000001', '12345678901234.000001']
    """
    assert number.is_finite(), number
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    if text[-1] == "0" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def to_json(value: object) -> bytes:
    """`value` on one line: None, bool, int, str, Decimal, enums, paths, and mappings, sequences and sets of these.

    A text that no UTF-8 can hold (half of a surrogate pair) loses that letter: a journal line is written in any case.
    Raises TypeError for everything else, floats among it.
    """
    try:
        return encode(_plain_object(value))
    except UnicodeEncodeError:
        return encode(_without_surrogates(_plain_object(value)))


def _plain_object(value: Any) -> Any:
    """What msgspec writes in the form that we want."""
    kind = type(value)
    if kind is str or kind is bool or kind is int or value is None:
        return value
    if kind is Decimal:
        return Raw(plain(value).encode())
    if kind is dict:
        return {key if type(key) is str else str(key): _plain_object(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_plain_object(item) for item in value]
    match value:
        case Enum():
            return _plain_object(value.value)
        case str() | int():
            return value
        case Decimal():
            return Raw(plain(value).encode())
        case Mapping():
            return {str(key): _plain_object(item) for key, item in value.items()}
        case set() | frozenset():
            return [_plain_object(item) for item in sorted(value)]
        case list() | tuple():
            return [_plain_object(item) for item in value]
        case PurePath():
            return str(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no exact form in JSON")


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list():
            return [_without_surrogates(item) for item in value]
        case _:
            return value
