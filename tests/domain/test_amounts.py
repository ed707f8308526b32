"""Exact arithmetic: rounding to a step, and sizes that count as equal (DESIGN 1, 4)."""

from decimal import Decimal, localcontext

import pytest

from copytrade.domain.amounts import CENT, EXACT, ceiled, equal, floored
from tests.domain.notation import plain


@pytest.mark.parametrize(
    ("amount", "step", "below", "above"),
    [
        ("19.999999", "0.01", "19.99", "20.00"),
        ("20", "0.01", "20", "20"),
        ("8.29", "0.01", "8.29", "8.29"),  # where a float loses a cent (API.md, Traps)
        ("0.004", "0.01", "0", "0.01"),
        ("0", "0.01", "0", "0"),
        ("-0.001", "0.01", "-0.01", "0"),
        ("-0.02", "0.01", "-0.02", "-0.02"),
        ("0.6137", "0.0025", "0.6125", "0.6150"),
        ("0.61", "0.001", "0.61", "0.61"),
        ("0.55", "0.1", "0.5", "0.6"),
        ("123456789012345.999999", "0.01", "123456789012345.99", "123456789012346"),
    ],
)
def test_rounding_to_a_step(amount, step, below, above):
    assert floored(Decimal(amount), Decimal(step)) == Decimal(below)
    assert ceiled(Decimal(amount), Decimal(step)) == Decimal(above)


def test_a_step_is_a_cent_of_a_share_where_none_is_named():
    assert plain(CENT) == "0.01"
    assert floored(Decimal("1.239")) == Decimal("1.23")
    assert ceiled(Decimal("1.231")) == Decimal("1.24")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10", "10.01", True),
        ("10.01", "10", True),
        ("10", "10.010001", False),
        ("10", "9.99", True),
        ("10", "9.989999", False),
        ("0", "0.01", True),
    ],
)
def test_sizes_within_a_cent_are_equal(one, other, same):
    assert equal(Decimal(one), Decimal(other)) is same


def test_the_context_of_a_decision_keeps_all_digits_of_two_numbers_of_a_document():
    """15 digits before the point and 60 behind it, each."""
    longest = Decimal("9" * 15 + "." + "9" * 60)
    product = EXACT.multiply(longest, longest)
    assert product == Decimal((10**75 - 1) ** 2).scaleb(-120, context=EXACT)
    assert EXACT.subtract(EXACT.add(product, longest), longest) == product
    with localcontext(EXACT):
        assert floored(longest / Decimal("1e-60")) == longest.scaleb(60)  # the greatest quotient there is
