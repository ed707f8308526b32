"""JSON that is written exactly: against a plain way of writing it, whatever the value."""

import re
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from copytrade.app.writing import plain, to_json
from copytrade.domain.model import Reason


class Words(StrEnum):  # an enum that is a text, too
    ONE = "one"


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=5),
    DECIMALS,
    st.sampled_from([*Reason, Words.ONE, PurePosixPath("a/b"), Decimal("1E+3"), Decimal("-0.0"), Decimal("0.10")]),
    st.frozensets(st.text(max_size=3), max_size=3),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=4), inner, max_size=4),
        st.dictionaries(st.text(max_size=4), inner, max_size=4).map(MappingProxyType),
    ),
    max_leaves=12,
)


def by_the_letter(value: object) -> str:
    """The same document, put together letter by letter."""
    match value:
        case Enum():
            return by_the_letter(value.value)
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case str():
            return msgspec.json.encode(value).decode()
        case Decimal():
            text = format(value, "f")
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return text if value else "0"
        case dict() | MappingProxyType():
            members = (f"{by_the_letter(key)}:{by_the_letter(item)}" for key, item in value.items())
            return "{" + ",".join(members) + "}"
        case frozenset():
            return by_the_letter(sorted(value))
        case list() | tuple():
            return "[" + ",".join(by_the_letter(item) for item in value) + "]"
        case _:
            return by_the_letter(str(value))


@given(VALUES)
@example({"a": [Decimal("1E-9"), Decimal("12345678901234.000001"), Decimal("100")], "b": ({}, [], None)})
def test_every_value_is_written_as_it_is_by_the_letter(value):
    assert to_json(value).decode() == by_the_letter(value)


@given(DECIMALS)
@example(Decimal("1E+14"))
@example(Decimal("-0E-7"))
def test_a_number_has_neither_exponent_nor_idle_zeros_and_is_the_same_number(number):
    text = plain(number)
    assert Decimal(text) == number
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", text)
    assert text != "-0"


def test_half_a_letter_is_lost_and_nothing_else():
    assert to_json({"a\ud83d": ["b\ude00", Decimal("0.10")]}) == b'{"a?":["b?",0.1]}'


@pytest.mark.parametrize("value", [1.5, {"a": [b"bytes"]}, object(), {"a": {1.0: 2}.keys()}])
def test_what_has_no_exact_form_is_refused(value):
    with pytest.raises(TypeError, match="has no exact form in JSON"):
        to_json(value)
