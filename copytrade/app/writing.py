"""Write JSON whose numbers are exact: a Decimal becomes a plain number, never a float and never an exponent.

The counterpart of reading.py for whatever the program itself writes: the journal, `--json`, the state file.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath


def plain(number: Decimal) -> str:
    """The digits of a finite number, without exponent and without zeros that say nothing.

    >>> [plain(Decimal(text)) for text in ("0.10", "1E+3", "100", "-0.0", "1E-9", "12345678901234.000001")]
    ['0.1', '1000', '100', '0', '0.000000001', '12345678901234.000001']
    """
    assert number.is_finite(), number
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if number else "0"


def to_json(value: object) -> bytes:
    """`value` on one line: None, bool, int, str, Decimal, enums, paths, and mappings, sequences and sets of these.

    A text that no UTF-8 can hold (half of a surrogate pair) loses that letter: a journal line is written in any case.
    Raises TypeError for everything else, floats among it.
    """
    from msgspec.json import encode  # here, since most commands that read never write

    try:
        return encode(_plain_object(value, strict=True))
    except UnicodeEncodeError:
        return encode(_plain_object(value, strict=False))


def _plain_object(value: object, *, strict: bool) -> object:
    from msgspec import Raw

    match value:
        case Enum():
            return _plain_object(value.value, strict=strict)
        case None | bool() | int():
            return value
        case str():
            return value if strict else value.encode(errors="replace").decode()
        case Decimal():
            return Raw(plain(value).encode())
        case Mapping():
            return {
                _plain_object(str(key), strict=strict): _plain_object(item, strict=strict)
                for key, item in value.items()
            }
        case set() | frozenset():
            return [_plain_object(item, strict=strict) for item in sorted(value)]
        case list() | tuple():
            return [_plain_object(item, strict=strict) for item in value]
        case PurePath():
            return str(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no exact form in JSON")
