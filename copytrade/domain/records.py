"""Frozen records made fast, where what goes into them was checked before.

A frozen attrs record is made by one call of `object.__setattr__` for each field, since its own `__setattr__` refuses.
For a Decision of eleven fields that is 1.14 us, and with the other records of a token more than the whole arithmetic
of deciding it. What `trusted` gives makes the same record in 0.35 us: the fields of a plain object with the same slots
are set, then its class is exchanged for the frozen one. From there on it cannot be told from any other: frozen, equal,
hashed, evolved and printed alike. No validator and no converter runs, so this is for the decision's own results; what
comes from outside, and every order that is to be placed, is made by the record's class itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from attrs import NOTHING, Factory, fields

Given = ParamSpec("Given")
Record = TypeVar("Record")


def trusted(record: Callable[Given, Record]) -> Callable[Given, Record]:
    """A function that makes records of this frozen attrs class (slotted, without weak references) unchecked.

    It takes what the class takes, by name, and has the same defaults.

    >>> from attrs import frozen
    >>> @frozen(kw_only=True, weakref_slot=False)
    ... class Pair:
    ...     one: int
    ...     other: int = 2
    >>> trusted(Pair)(one=1) == Pair(one=1), trusted(Pair)(one=1)
    (True, Pair(one=1, other=2))
    """
    assert isinstance(record, type)
    known = fields(record)
    defaults = {field.name: field.default for field in known if field.default is not NOTHING}
    assert not any(isinstance(default, Factory) for default in defaults.values()), "a factory would be shared"  # type: ignore[arg-type]
    asked = [f"{field.name}=defaults[{field.name!r}]" if field.name in defaults else field.name for field in known]
    lines = [
        f"def make(*, {', '.join(asked)}):",
        "    made = Blank()",
        *(f"    made.{field.name} = {field.name}" for field in known),
        "    made.__class__ = record",
        "    return made",
    ]
    blank = type("Blank", (), {"__slots__": tuple(field.name for field in known)})
    scope = {"Blank": blank, "record": record, "defaults": defaults}
    exec("\n".join(lines), scope)  # noqa: S102  # names of fields alone, as attrs itself makes an __init__
    return cast(Callable[Given, Record], scope["make"])
