"""Amounts: the integers that are signed are exactly the shares and the price that were decided."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from py_clob_client_v2.order_builder.builder import ROUNDING_CONFIG, OrderBuilder
from py_clob_client_v2.signer import Signer

from copytrade.adapters.signing import amounts
from copytrade.domain.model import Side
from copytrade.errors import BadInput
from tests.adapters.signing_cases import KEY

TICKS = [Decimal(text) for text in ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")]


def exact(price: Decimal, size: Decimal) -> tuple[int, int]:
    """(pUSD, shares) in millionths, by fractions, which lose nothing."""
    collateral, shares = Fraction(price) * Fraction(size) * 10**6, Fraction(size) * 10**6
    assert collateral.denominator == 1
    assert shares.denominator == 1
    return int(collateral), int(shares)


@st.composite
def quotes(draw: st.DrawFn) -> tuple[Decimal, Decimal, Decimal]:
    """(price on the tick, size with two decimals, tick)"""
    tick = draw(st.sampled_from(TICKS))
    price = draw(st.integers(1, int(1 / tick) - 1)) * tick
    return price, Decimal(draw(st.integers(1, 10**12))) / 100, tick


class TestAmountsAreExact:
    """API.md "It loses a cent": the integers signed are exactly price × size and size."""

    @pytest.mark.parametrize("tick", TICKS, ids=str)
    def test_every_size_of_a_slice_at_several_prices(self, tick):
        for price in {tick, 3 * tick, 1 - tick, 1 - 3 * tick, int(Decimal("0.61") / tick) * tick}:
            for cents in range(500, 2501):
                size = Decimal(cents) / 100
                collateral, shares = exact(price, size)
                assert amounts(Side.BUY, price, size, tick) == (collateral, shares)
                assert amounts(Side.SELL, price, size, tick) == (shares, collateral)

    @given(quotes())
    @example((Decimal("0.61"), Decimal("8.29"), Decimal("0.01")))
    def test_every_quote(self, quote):
        price, size, tick = quote
        collateral, shares = exact(price, size)
        assert amounts(Side.BUY, price, size, tick) == (collateral, shares)
        assert amounts(Side.SELL, price, size, tick) == (shares, collateral)

    @given(quotes(), st.integers(1, 12))
    def test_the_callers_decimal_context_changes_nothing(self, quote, precision):
        price, size, tick = quote
        expected = amounts(Side.BUY, price, size, tick)
        with localcontext(prec=precision):
            assert amounts(Side.BUY, price, size, tick) == expected

    @given(quotes(), st.integers(1, 999_999))
    def test_a_price_between_two_ticks_is_refused(self, quote, units):
        _, size, tick = quote
        off = Decimal(units) / 10**6
        if off % tick == 0:
            assert amounts(Side.BUY, off, size, tick)
        else:
            with pytest.raises(BadInput, match="price"):
                amounts(Side.BUY, off, size, tick)

    def test_why_not_the_vendors(self):
        """If this fails the vendor has mended its rounding, and the reason for ours is history."""
        vendor = OrderBuilder(Signer(KEY, 137))
        _, _, shares = vendor.get_order_amounts("BUY", 8.29, 0.61, ROUNDING_CONFIG["0.01"])
        assert shares == 8_280_000
        short = 0
        for cents in range(500, 2501):
            _, _, shares = vendor.get_order_amounts("BUY", cents / 100, 0.61, ROUNDING_CONFIG["0.01"])
            short += shares == cents * 10_000 - 10_000
        assert short == 110

    @pytest.mark.parametrize(
        ("price", "size", "tick", "at"),
        [
            ("0.61", "8.295", "0.01", "size"),
            ("0.61", "0", "0.01", "size"),
            ("0.61", "-5", "0.01", "size"),
            ("0.61", "NaN", "0.01", "size"),
            ("0.61", "Infinity", "0.01", "size"),
            ("0.61", "1E+999999", "0.01", "size"),
            ("0.61", "1E-999999", "0.01", "size"),
            ("0.61", "5.0000000000000000000000000000000000000000000001", "0.01", "size"),
            ("0.615", "5", "0.01", "price"),
            ("0.0025", "5", "0.005", "price"),
            ("0", "5", "0.01", "price"),
            ("1", "5", "0.01", "price"),
            ("0.995", "5", "0.01", "price"),
            ("NaN", "5", "0.01", "price"),
            ("1E-999999", "5", "0.01", "price"),
            ("0.61", "5", "0", "tick_size"),
            ("0.61", "5", "1", "tick_size"),
            ("0.61", "5", "0.0000001", "tick_size"),
            ("0.00001", "5.01", "0.00001", "price × size"),
        ],
    )
    def test_what_is_not_exact_is_refused(self, price, size, tick, at):
        with pytest.raises(BadInput) as refused:
            amounts(Side.BUY, Decimal(price), Decimal(size), Decimal(tick))
        assert [fault.path for fault in refused.value.faults] == [at]

    def test_every_fault_at_once(self):
        with pytest.raises(BadInput) as refused:
            amounts(Side.SELL, Decimal("0.615"), Decimal("8.295"), Decimal("0.01"))
        assert str(refused.value) == (
            "order: 2 faults, not signed\n"
            "  price   got 0.615   wants a multiple of 0.01 from 0.01 to 0.99\n"
            "  size   got 8.295   wants above 0, at most 2 decimals"
        )
