"""Whatever is read, however spoilt: a record or a documented refusal, exact numbers, and never silently other money."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mutations import mutated_json, mutated_text
from tests.conftest import SHARED
from tests.fuzz.decoders import OF_ANSWERS, OF_FILES, Decoder

ALL = OF_ANSWERS | OF_FILES
LINES = 12  # of a real table


def samples(decoder: Decoder) -> list[Any]:
    """Its own example, and the real ones that are there."""
    found = [decoder.own]
    for name, pick in decoder.real:
        path = SHARED / name
        if path.suffix == ".csv" and path.exists():
            found.append(b"".join(path.read_bytes().splitlines(keepends=True)[:LINES]))
        elif path.exists():
            found.append(pick(json.loads(path.read_bytes())))
    return found


def numbers_in(value: object) -> Iterator[object]:
    """Every number in it, however deep."""
    match value:
        case _ if attrs.has(kind := type(value)):
            for field in attrs.fields(kind):
                yield from numbers_in(getattr(value, field.name))
        case Mapping():
            for key, inner in value.items():
                yield from numbers_in(key)
                yield from numbers_in(inner)
        case list() | tuple() | set() | frozenset():
            for inner in value:
                yield from numbers_in(inner)
        case bool() | None | str() | bytes():
            return
        case int() | float() | complex() | Decimal():
            yield value


@pytest.mark.parametrize("name", [name for name, decoder in ALL.items() if decoder.real])
def test_the_real_answers_are_there(name):
    for file, _ in ALL[name].real:
        if not (SHARED / file).exists():
            pytest.skip(f"REAL ANSWERS MISSING: {file} is not in the folder shared/polymarket beside the repository")


@pytest.mark.parametrize("name", ALL)
def test_a_good_one_is_read(name):
    """Else what is changed below would be refused for another reason."""
    own = ALL[name].own
    assert ALL[name].read(own if isinstance(own, bytes) else json.dumps(own).encode()) is not None


NO_ANSWERS = [
    b"",
    b"[" * 10**5,
    b'{"a":' * 10**5,
    b"\xff\xfe\x00",
    b"[NaN]",
    b"<html>",
    b"1e99999999999999999999",
    b"null",
]


@pytest.mark.parametrize("name", ALL)
class TestASpoiltOne:
    """It is read, or refused in the documented way; no number in it is a float, or not finite."""

    @given(data=st.data())
    def test_is_read_exactly_or_refused(self, name, data):
        sample = data.draw(st.sampled_from(samples(ALL[name])))
        raw = data.draw(mutated_text(sample) if isinstance(sample, bytes) else mutated_json(sample))
        for number in numbers_in(read_or_refused(ALL[name], raw)):
            assert isinstance(number, int) or (isinstance(number, Decimal) and number.is_finite()), number

    @pytest.mark.parametrize("raw", NO_ANSWERS, ids=lambda raw: raw[:8].decode("latin-1"))
    def test_is_no_such_thing_at_all(self, name, raw):
        read_or_refused(ALL[name], raw)


def read_or_refused(decoder: Decoder, raw: bytes) -> object:
    """What was read, or None where it was refused as documented; anything else is raised."""
    try:
        return decoder.read(raw)
    except decoder.refuses as refusal:
        said = str(refusal)
    assert said, "a refusal says why"
    return None
