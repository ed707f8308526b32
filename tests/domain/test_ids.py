"""What an outcome id is, by its shape (API.md, Two kinds of market)."""

import pytest

from copytrade.domain.ids import IdKind, is_canonical, is_combo_condition, kind_of

HASH = int("99f3c9aa7360ee8fd03463733e451b46", 16)


def position_id(module: int, *, reserved: int = 0) -> str:
    """module 8 bits | hash 128 | arity 16 | reserved 64 | chain 16 | condition 16 | outcome 8"""
    return str(module << 248 | HASH << 120 | 2 << 104 | reserved << 40 | 137 << 24 | 1)


@pytest.mark.parametrize(
    ("token_id", "kind"),
    [
        (position_id(0), IdKind.CTF),
        (position_id(1), IdKind.V2_BINARY),
        (position_id(2), IdKind.V2_NEG_RISK),
        (position_id(3), IdKind.COMBO),
        (position_id(4), IdKind.CTF),
        (position_id(255), IdKind.CTF),
        (position_id(1, reserved=1), IdKind.CTF),  # the lowest of the reserved bits, and the highest
        (position_id(3, reserved=1 << 63), IdKind.CTF),
        (str(1 << 248 | 1 << 104), IdKind.V2_BINARY),  # the bits on either side of them
        (str(1 << 248 | 1 << 39), IdKind.V2_BINARY),
        ("0", IdKind.CTF),
        (str(2**256 - 1), IdKind.CTF),
        (str(2**256), IdKind.MALFORMED),
        ("1" + "0" * 78, IdKind.MALFORMED),
        ("9" * 5000, IdKind.MALFORMED),  # longer than int() reads
        ("0" + position_id(1), IdKind.MALFORMED),
        (hex(HASH), IdKind.MALFORMED),
    ],
)
def test_kinds(token_id, kind):
    assert kind_of(token_id) is kind
    assert is_canonical(token_id) is (kind is not IdKind.MALFORMED)


@pytest.mark.parametrize(
    ("condition_id", "combo"),
    [
        ("0x03" + "a" * 60, True),
        ("0X03" + "A" * 60, True),
        ("0x00" + "a" * 60, True),
        ("0x01" + "a" * 60, False),  # a market's, by its module byte
        ("0x02" + "a" * 60, False),
        ("0x03" + "a" * 62, False),
        ("0x03" + "a" * 59, False),
        ("0x03" + "g" * 60, False),
    ],
)
def test_combos(condition_id, combo):
    assert is_combo_condition(condition_id) is combo
