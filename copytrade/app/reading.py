"""Read JSON that a person wrote, exactly, and say everything that is wrong with it at once.

`parse` turns bytes into plain objects and loses nothing: a number keeps its text (`Number`), an object knows which of
its keys stood there twice. A `Spot` is one place in the document, its path and what stands there. A `Kind` says what
may stand at a place and what becomes of it; reading a spot by a kind gives the value, or records a `Fault` and gives
None. Nothing stops at the first fault: where a value is wrong a stand-in takes its place, and whoever owns the list of
faults refuses the document in the end.

    faults: list[Fault] = []
    row = Spot(value=parse(raw, "file.json"), faults=faults).fields("size", "side")
    size, side = row.need("size", number(least=0), ZERO), row.get("side", one_of("BUY", "SELL"), "BUY")
    if faults: raise BadInput("file.json", faults)

Why json and not msgspec: msgspec rounds no number, but it forgets that a key stood there twice, stops at the first NaN
and at integers of more than a few hundred digits, and its errors have no path before a type is known.

Not here: what a snapshot (documents.py) or a configuration (config.py) holds.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Generic, TypeVar

from attrs import frozen

from copytrade.domain.records import maker
from copytrade.errors import BadInput, Fault

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

LIMIT = Decimal(10) ** 15  # numbers are smaller than this, whatever they count: pUSD, shares, seconds
DECIMALS = 60  # and have at most so many decimals; more is an accident, and a trap for whoever computes with it
_SHORT = 16  # characters, so fewer than LIMIT has
NOT_SHOWN = "(not shown)"
_LONGEST_SHOWN = 60

# The grammar of JSON. [0-9], not \d, which takes the digits of other scripts; Decimal alone would take "1_0" and " 1".
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_:-]{1,100}")


# -- from bytes to plain objects --------------------------------------------------------------------------------------


class Number(str):
    """The text of a JSON number as it stands in the document: nothing rounded, `1e400` and `NaN` not judged yet."""

    __slots__ = ()


class Object(dict[str, object]):
    """A JSON object that remembers which of its keys stood there more than once (the last one won)."""

    repeated: tuple[str, ...] = ()


class _Missing:
    """What stands where nothing stands."""


MISSING = _Missing()


def parse(raw: bytes, source: str, consequence: str = "") -> object:
    """The document as None, bool, `Number`, str, list and `Object`. A byte order mark is allowed.

    Raises BadInput for whatever is no JSON text: bytes that are not UTF-8, a document that is empty, cut off, nested
    too deep, or followed by another. The faults quote nothing of the document, which may hold a secret.
    """

    def refuse(path: str, wants: str) -> BadInput:
        return BadInput(source, [Fault(path=path, got="", wants=wants)], consequence)

    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"byte {error.start}", "is not UTF-8 text") from None
    if not text.strip():
        raise refuse("document", "is empty; one JSON object is wanted")
    try:
        return json.loads(
            text, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=_object_of
        )
    except json.JSONDecodeError as error:
        words = f"is not JSON: {error.msg}"
        if error.msg == "Extra data":
            words = "more follows after the document's end; one JSON object is wanted (of a journal, one line)"
        raise refuse(f"line {error.lineno} column {error.colno}", words) from None
    except RecursionError:
        raise refuse("document", "is nested too deep") from None


def _object_of(pairs: list[tuple[str, object]]) -> Object:
    found = Object(pairs)
    if len(found) != len(pairs):
        found.repeated = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    return found


# -- places -----------------------------------------------------------------------------------------------------------


def shown(value: object) -> str:
    """What stands at a place, in a few words that are safe for a terminal: cut short, and without control characters.

    >>> shown(Number("1e400")), shown(True), shown("a\\x1b[2J"), shown([1]), shown(None)
    ('1e400', 'true', '"a\\\\u001b[2J"', 'a list', 'null')
    """
    match value:
        case _Missing():
            return "nothing"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Number():
            return _short(value)
        case str():
            return f'"{printable(_short(value))}"'
        case list():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return _short(str(value))


def printable(text: str) -> str:
    """`text` without anything that could steer a terminal or break a line."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _hides_nothing(_: str) -> bool:
    return False


@frozen(kw_only=True, weakref_slot=False)
class Spot:
    """One place in a document. All spots of a document share one list of faults.

    A document of 1,000 tokens has 80,000 places and, as a rule, no fault: a path is put together when it is asked for.
    """

    value: object
    faults: list[Fault]
    start: str = ""  # the path of a place that is under no other
    hides: Callable[[str], bool] = _hides_nothing  # is this text, a value or a key, too secret to quote?
    above: Spot | None = None
    step: str | int = ""  # from the place above to this one

    @property
    def path(self) -> str:
        """Where this is, in the words of the document: `target.positions[3].size`."""
        if self.above is None:
            return self.start
        above, step = self.above.path, self.step
        if isinstance(step, int):
            return f"{above}[{step}]"
        name = step if _PLAIN_KEY.fullmatch(step) and not self.hides(step) else self.show(step)
        return f"{above}.{name}" if above else name

    @property
    def left_out(self) -> bool:
        """Nothing stands here, or null."""
        return self.value is None or self.value is MISSING

    def show(self, value: object) -> str:
        """`shown`, unless that would tell a secret."""
        return NOT_SHOWN if isinstance(value, str) and self.hides(value) else shown(value)

    def fault(self, wants: str, *, got: str | None = None) -> None:
        """Record that something else is wanted here."""
        got = self.show(self.value) if got is None else got
        self.faults.append(Fault(path=self.path or "document", got=got, wants=wants))

    def under(self, step: str | int, value: object) -> Spot:
        """The spot below this one: a key of an object, or the index of an item."""
        return _new_spot(value=value, faults=self.faults, hides=self.hides, above=self, step=step)

    def read(self, kind: Kind[T]) -> T | None:
        """What stands here as `kind` has it; None when it is something else, which is a fault then."""
        before = len(self.faults)
        found = kind.convert(self)
        if found is None and len(self.faults) == before:
            self.fault(kind.wants)
        return found

    def fields(self, *known: str) -> Fields:
        """The members of the object that stands here. Keys that are not `known` are faults, so are repeated ones."""
        return Fields(self, known)

    def items(self) -> Iterator[Spot]:
        """The items of the list that stands here."""
        if not isinstance(self.value, list):
            self.fault("a list")
            return
        for index, item in enumerate(self.value):
            yield self.under(index, item)

    def entries(self, key: Kind[K], value: Kind[V]) -> dict[K, V]:
        """The object that stands here as a mapping. An entry that is null is left out; two keys that read the same
        (in lower case, say) are a fault."""
        if not isinstance(self.value, dict):
            self.fault("an object")
            return {}
        found: dict[K, V] = {}
        names: dict[K, str] = {}
        for name, item in self.value.items():
            spot = self.under(name, item)
            if name in getattr(self.value, "repeated", ()):
                spot.fault("each key once", got="this key more than once")
            read_key = _new_spot(value=name, faults=self.faults, hides=self.hides, above=self, step=name).read(key)
            if read_key is not None and names.setdefault(read_key, name) != name:
                spot.fault("each key once", got=f"the same key as {self.show(names[read_key])}")
            read_value = None if item is None else spot.read(value)
            if read_key is not None and read_value is not None:
                found[read_key] = read_value
        return found


_new_spot = maker(Spot)


class Fields:
    """The members of one object, taken by name."""

    def __init__(self, spot: Spot, known: Collection[str]) -> None:
        self.spot = spot
        self._members: Mapping[str, object] = {}
        if not isinstance(spot.value, dict):
            spot.fault("an object")
            return
        self._members = spot.value
        for key in getattr(spot.value, "repeated", ()):
            spot.under(key, None).fault("each key once", got="this key more than once")
        for key in spot.value:
            if key not in known:
                spot.under(key, None).fault(unknown(key, known), got="")

    def __getitem__(self, name: str) -> Spot:
        return self.spot.under(name, self._members.get(name, MISSING))

    def __contains__(self, name: str) -> bool:
        """Does anything but null stand under this name?"""
        return self._members.get(name) is not None

    def get(self, name: str, kind: Kind[T], default: T) -> T:
        """An optional member: `default` when it is left out or null, and as a stand-in when it is wrong."""
        if name not in self:
            return default
        found = self[name].read(kind)
        return default if found is None else found

    def find(self, name: str, kind: Kind[T]) -> T | None:
        """An optional member without a default: None when it is left out, null or wrong."""
        return self[name].read(kind) if name in self else None

    def need(self, name: str, kind: Kind[T], stand_in: T) -> T:
        """A member that must be there: `stand_in` when it is not, or is wrong."""
        if name not in self:
            # Of something that is no object, that is all there is to say.
            if isinstance(self.spot.value, dict):
                self[name].fault(kind.wants)
            return stand_in
        return self.get(name, kind, stand_in)


def unknown(key: str, known: Collection[str]) -> str:
    """What to say of a key that nobody knows: the nearest known one, where one is near.

    >>> unknown("slize_max", ["slice_min", "slice_max"])
    'unknown key; did you mean slice_max?'
    """
    if len(key) > _LONGEST_SHOWN:  # difflib is quadratic
        return "unknown key"
    from difflib import get_close_matches

    near = get_close_matches(key.lower().replace("-", "_"), list(known), n=1)
    return f"unknown key; did you mean {near[0]}?" if near else "unknown key"


# -- kinds ------------------------------------------------------------------------------------------------------------


@frozen
class Kind(Generic[T]):
    """What may stand at a place: `wants` says it in words, `convert` gives the value, or None when it is not that.

    A `convert` that has more to say than `wants` records its own faults and returns None.
    """

    wants: str
    convert: Callable[[Spot], T | None]


def exact(text: str) -> Decimal | None:
    """The number that `text` spells in JSON's way, exactly; None for any other text, and for absurd numbers.

    >>> exact("0.62"), exact("1e3"), exact("-0.0"), exact("NaN"), exact("1_0"), exact("1e400"), exact("1e-400")
    (Decimal('0.62'), Decimal('1000'), Decimal('0'), None, None, None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    if len(text) < _SHORT and "e" not in text and "E" not in text:  # nearly all; what follows takes twice as long
        return Decimal(text) or Decimal(0)
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent of more digits than a Decimal can have
        return None
    if not value:
        return Decimal(0)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    # `adjusted` first: it is cheap, where the digits of 1e999999 are not.
    if not -DECIMALS <= value.adjusted() < 15 or exponent < -DECIMALS:
        return None
    return value if exponent <= 0 else Decimal(int(value))


def _number_at(spot: Spot) -> Decimal | None:
    """A JSON number, or a text that spells one. (True is no number, whatever Python thinks.)"""
    if not isinstance(spot.value, str):
        return None
    found = exact(spot.value)
    if found is None and _NUMBER.fullmatch(spot.value):
        spot.fault(f"a number below 10^15 with at most {DECIMALS} decimals")
    return found


def number(
    *,
    least: Decimal | int | None = None,
    most: Decimal | int | None = None,
    above: Decimal | int | None = None,
    below: Decimal | int | None = None,
) -> Kind[Decimal]:
    """An exact number inside these bounds (`least` and `most` are inside, `above` and `below` outside).

    >>> number(above=0, below=1).wants, number(least=0).wants, number(least=0, most=1).wants
    ('a number above 0 and below 1', 'a number, at least 0', 'a number from 0 to 1')
    """

    low, high, over, under = (None if bound is None else Decimal(bound) for bound in (least, most, above, below))

    def convert(spot: Spot) -> Decimal | None:
        found = _number_at(spot)
        if (
            found is None
            or (low is not None and found < low)
            or (high is not None and found > high)
            or (over is not None and found <= over)
            or (under is not None and found >= under)
        ):
            return None
        return found

    bounds = [
        f"{word} {bound}"
        for word, bound in (("at least", least), ("above", above), ("below", below), ("at most", most))
        if bound is not None
    ]
    if least is not None and most is not None:
        return Kind(f"a number from {least} to {most}", convert)
    joined = " and ".join(bounds)
    return Kind(f"a number, {joined}" if least is not None else f"a number {joined}".rstrip(), convert)


def whole(least: int, most: int) -> Kind[int]:
    """A whole number from `least` to `most`; 5.0 and 5e0 are whole too."""

    def convert(spot: Spot) -> int | None:
        found = _number_at(spot)
        return int(found) if found is not None and found == int(found) and least <= found <= most else None

    return Kind(f"a whole number from {least} to {most}", convert)


def one_of(*texts: str) -> Kind[str]:
    """One of these texts, spelt just so."""

    def convert(spot: Spot) -> str | None:
        return spot.value if isinstance(spot.value, str) and _is_text(spot.value) and spot.value in texts else None

    return Kind(" or ".join(f'"{text}"' for text in texts), convert)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def text_at(spot: Spot) -> str | None:
    """The text at a place, for kinds that look closer; None when there is none, or one that cannot be written."""
    if not (isinstance(spot.value, str) and _is_text(spot.value)):
        return None
    try:
        spot.value.encode()
    except UnicodeEncodeError:
        return None  # half of a surrogate pair: nobody could write it down again
    return str(spot.value)


def _flag_at(spot: Spot) -> bool | None:
    return spot.value if isinstance(spot.value, bool) else None


TEXT = Kind[str]("a text", text_at)
FLAG = Kind[bool]("true or false", _flag_at)
