"""Hand-written JSON: exact numbers, and every fault at its path."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.reading import FLAG, TEXT, Kind, Number, Spot, exact, number, one_of, parse, shown, unknown, whole
from copytrade.errors import BadInput

D = Decimal


def refused(raw: bytes) -> str:
    """What is said of bytes that are no document."""
    with pytest.raises(BadInput) as caught:
        parse(raw, "file.json", "nothing was done")
    return str(caught.value)


def at(raw: str, hides=lambda _: False) -> Spot:
    return Spot(value=parse(raw.encode(), "file.json"), faults=[], hides=hides)


def said(spot: Spot) -> list[str]:
    return [str(fault) for fault in spot.faults]


class TestWhatIsNoDocument:
    @pytest.mark.parametrize(
        ("raw", "says"),
        [
            (b"", "document   is empty; one JSON object is wanted"),
            (b" \n\t", "document   is empty; one JSON object is wanted"),
            (b"{", "line 1 column 2   is not JSON: "),
            (b'{"a": 1,\n "b": }', "line 2 column 7   is not JSON: "),
            (b'{"a": 01}', "line 1 column 8   is not JSON: "),
            (b"{'a': 1}", "line 1 column 2   is not JSON: "),
            (b"hello", "line 1 column 1   is not JSON: "),
            (b'{"a": "\xff"}', "byte 7   is not UTF-8 text"),
            (b"\xff\xfe{\x00}\x00", "byte 0   is not UTF-8 text"),
            (b'{"a": 1}\n{"a": 2}', "line 2 column 1   more follows after the document's end; one JSON object"),
            (b"[" * 100_000, "document   is nested too deep"),
            (b'{"a":' * 100_000, "document   is nested too deep"),
        ],
    )
    def test_is_one_fault_that_says_where(self, raw, says):
        head, fault = refused(raw).split("\n")
        assert head == "file.json: 1 fault, nothing was done"
        assert fault.startswith(f"  {says}")

    def test_is_refused_without_quoting_it(self):
        assert "5e5e5e" not in refused(b'{"private_key": "5e5e5e" oops')

    @given(st.binary(max_size=60))
    def test_never_ends_in_anything_but_a_value_or_a_refusal(self, raw):
        with suppress(BadInput):
            parse(raw, "file.json")

    def test_a_byte_order_mark_is_no_fault(self):
        assert parse(b"\xef\xbb\xbf[true]", "file.json") == [True]


class TestNumbersAreExact:
    """Money is Decimal from the JSON text on."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0.62", "0.62"),
            ("0.1", "0.1"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1e5", "100000"),
            ("1E+3", "1000"),
            ("25e-2", "0.25"),
            ("0e999999999999999999999", None),
            ("0e99", "0"),
            ("999999999999999.999999", "999999999999999.999999"),
            ("123456789012345.000000000000000000000000000000000000000000001",) * 2,
            ("1e-60", "1e-60"),
        ],
    )
    def test_as_json_numbers_and_as_texts(self, text, value):
        for raw in (text, f'"{text}"'):
            spot = at(raw)
            read = spot.read(number())
            assert read == (None if value is None else D(value))
            assert (read is None) == bool(spot.faults)

    @pytest.mark.parametrize(
        "text",
        ["1e15", "-1e15", "1e400", "1e-61", "1e-400", "1e99999999999999999999", "9" * 5000, "1." + "1" * 5000],
    )
    def test_absurd_ones_are_faults(self, text):
        for raw in (text, f'"{text}"'):
            spot = at(raw)
            assert spot.read(number()) is None
            assert "wants a number below 10^15 with at most 60 decimals" in said(spot)[0]
            assert len(said(spot)[0]) < 200

    @pytest.mark.parametrize(
        "raw",
        [
            "NaN", "Infinity", "-Infinity", '"NaN"', '"inf"', '"1_0"', '" 1"', '"1 "', '"+1"', '".5"', '"5."',
            '"0x10"', '"01"', '"\u0661"', '"1,5"', '""', "true", "false", "null", "[]", "{}", '"1\\n"',
        ],
    )  # fmt: skip
    def test_whatever_is_no_number_is_none(self, raw):
        spot = at(raw)
        assert spot.read(number()) is None
        assert said(spot)[0].endswith("wants a number")

    @given(st.decimals(allow_nan=False, allow_infinity=False, min_value=D("-1e14"), max_value=D("1e14"), places=40))
    def test_every_digit_arrives(self, value):
        assert exact(format(value, "f")) == value

    @pytest.mark.parametrize(
        ("kind", "inside", "outside"),
        [
            (number(least=0), ["0", "-0", "5"], ["-0.000001"]),
            (number(above=0), ["0.000001"], ["0", "-1"]),
            (number(above=0, below=1), ["0.001", "0.999"], ["0", "1"]),
            (number(least=0, most=1), ["0", "1"], ["-0.1", "1.1"]),
            (whole(0, 3), ["0", "3", "2.0", "2e0", '"1"'], ["4", "-1", "1.5", "1e-1", "true"]),
        ],
    )
    def test_bounds(self, kind, inside, outside):
        assert [raw for raw in inside if at(raw).read(kind) is None] == []
        assert [raw for raw in outside if at(raw).read(kind) is not None] == []


class TestTextsAndFlags:
    def test_a_number_is_no_text(self):
        assert at("5").read(TEXT) is None
        assert at("5").read(one_of("5")) is None

    def test_half_a_surrogate_pair_is_no_text(self):
        spot = at('"\\ud800"')
        assert spot.read(TEXT) is None
        assert said(spot) == ['document   got "\\ud800"   wants a text']

    def test_a_whole_pair_is(self):
        assert at('"\\ud83d\\ude00"').read(TEXT) == "\U0001f600"

    @pytest.mark.parametrize("raw", ["1", "0", '"true"', "null", '""'])
    def test_only_true_and_false_are_flags(self, raw):
        assert at(raw).read(FLAG) is None
        assert at("false").read(FLAG) is False


class TestPaths:
    def test_lead_through_objects_and_lists(self):
        spot = at('{"target": {"positions": [{}, {"size": -1}]}}')
        rows = list(spot.fields("target")["target"].fields("positions")["positions"].items())
        rows[1].fields("size").need("size", number(least=0), D(0))
        assert said(spot) == ["target.positions[1].size   got -1   wants a number, at least 0"]

    def test_odd_keys_are_quoted_and_cut(self):
        spot = at('{"a b": 1, "\\u001b[2J": 1, "' + "x" * 500 + '": 1, "": 1}')
        spot.fields("known")
        assert [line.split("   ")[0] for line in said(spot)] == [
            '"a b"', '"\\u001b[2J"', '"' + "x" * 59 + '…"', '""',
        ]  # fmt: skip

    def test_what_is_hidden_is_neither_a_value_nor_a_path(self):
        spot = at('{"secret-1": 5, "known": "secret-2"}', hides=lambda text: "secret" in text)
        spot.fields("known").get("known", number(), D(0))
        assert said(spot) == ["(not shown)   unknown key", "known   got (not shown)   wants a number"]


class TestEveryFaultAtOnce:
    def test_members(self):
        spot = at('{"size": "many", "sied": 1, "side": "HOLD", "side": "HOLD", "gone": null}')
        row = spot.fields("size", "side", "gone", "price")
        assert row.need("size", number(), D(7)) == 7
        assert row.get("side", one_of("BUY", "SELL"), "BUY") == "BUY"
        assert row.get("gone", FLAG, True) is True
        assert row.need("price", number(), D(7)) == 7
        assert said(spot) == [
            "side   got this key more than once   wants each key once",
            "sied   unknown key; did you mean size?",
            'size   got "many"   wants a number',
            'side   got "HOLD"   wants "BUY" or "SELL"',
            "price   got nothing   wants a number",
        ]

    def test_of_something_that_is_no_object_there_is_one_thing_to_say(self):
        spot = at("[1]")
        assert spot.fields("size").need("size", number(), D(7)) == 7
        assert said(spot) == ["document   got a list   wants an object"]

    def test_entries(self):
        lower = Kind("a letter", lambda spot: str(spot.value).lower())
        spot = at('{"a": 1, "A": 2, "b": "x", "b": "y", "c": null}')
        assert spot.entries(lower, number()) == {"a": 2}
        assert said(spot) == [
            'A   got the same key as "a"   wants each key once',
            "b   got this key more than once   wants each key once",
            'b   got "y"   wants a number',
        ]

    def test_the_nearest_known_key_is_named(self):
        known = ["slice_min", "slice_max", "follow_ratio"]
        assert unknown("Slice-Max", known) == "unknown key; did you mean slice_max?"
        assert unknown("zebra", known) == "unknown key"
        assert unknown("slice_max" * 100_000, known) == "unknown key"


def test_what_is_shown_fits_on_a_line_and_steers_no_terminal():
    for value in (None, True, Number("9" * 999), "\x1b]0;title\x07\n" * 99, "\u202e", [1], {"a": 1}, 5):
        assert shown(value).isprintable()
        assert len(shown(value)) < 400
