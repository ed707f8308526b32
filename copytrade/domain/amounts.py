"""Exact arithmetic in shares and pUSD: the context that every decision runs in, and rounding to a step.

A document's numbers have at most 15 digits before the point and 60 behind it. With 160 digits kept, sums and products
of two of them are exact, and a quotient, which is only ever used rounded down, is never so close below a step that it
would be taken for it. `plan` enters `EXACT` itself, so that a caller's own context changes nothing.
"""

from __future__ import annotations

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)

EXACT = Context(
    prec=160,
    rounding=ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)

CENT = Decimal("0.01")


def floored(amount: Decimal, step: Decimal = CENT) -> Decimal:
    """The greatest multiple of `step` that is at most `amount`, in the decimals of `step`.

    >>> floored(Decimal("19.999999"))
    Decimal('19.99')
    >>> floored(Decimal("-0.001"))
    Decimal('-0.01')
    """
    if step is CENT:  # one rounding, instead of a division, a product and a comparison
        return amount.quantize(CENT, ROUND_FLOOR)
    whole = amount // step * step
    return whole if whole <= amount else whole - step


def ceiled(amount: Decimal, step: Decimal = CENT) -> Decimal:
    """The least multiple of `step` that is at least `amount`, in the decimals of `step`.

    >>> ceiled(Decimal("1.61290322"))
    Decimal('1.62')
    """
    if step is CENT:
        return amount.quantize(CENT, ROUND_CEILING)
    whole = amount // step * step
    return whole if whole >= amount else whole + step


def clamped(amount: Decimal, least: Decimal, most: Decimal) -> Decimal:
    """`amount`, or the bound that it is beyond; `most` wins.

    >>> [clamped(Decimal(amount), Decimal(5), Decimal(25)) for amount in (3, 7, 30)]
    [Decimal('5'), Decimal('7'), Decimal('25')]
    """
    if amount < least:
        amount = least
    return most if most < amount else amount


def equal(one: Decimal, other: Decimal) -> bool:
    """Sizes within 0.01 share are equal: fills come out up to a cent short (API.md, Orders).

    >>> equal(Decimal("10"), Decimal("9.99")), equal(Decimal("10"), Decimal("9.989"))
    (True, False)
    """
    return abs(one - other) <= CENT
