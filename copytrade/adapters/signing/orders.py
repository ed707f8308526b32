"""Exact integers from exact decimals, and the JSON of an order around them.

The vendor's client computes these amounts in floats and floors the product: of the 2,001 sizes 5.00 ... 25.00 it makes
110 come out 0.01 share short (8.29 becomes 8.28). Here a size is signed as it was decided, or refused.
"""

import secrets
from collections.abc import Mapping
from decimal import Context, Decimal

from copytrade.app.ports import SignedOrder
from copytrade.domain.model import Side
from copytrade.errors import BadInput, Fault

UNIT = 1_000_000  # the exchange's unit, of shares and pUSD alike: a millionth
_CENT_SHARE = UNIT // 100
_MILLIONTH = Decimal("0.000001")
_WIDE = Context(prec=40)  # not the caller's context: that one may round
_MOST_DIGITS = 15  # before the point: more shares than there are pUSD, and far from uint256

SALT_BITS = 53  # a JSON number that every reader takes exactly


def amounts(side: Side, price: Decimal, size: Decimal, tick_size: Decimal) -> tuple[int, int]:
    """(makerAmount, takerAmount) in millionths: what we give and what we get.

    A BUY gives price × size pUSD and gets `size` shares; a SELL the reverse. Raises BadInput, with every fault at once,
    where that is not exact: a size of more than 2 decimals, a price off the tick or outside [tick, 1 - tick].

    >>> amounts(Side.BUY, Decimal("0.61"), Decimal("8.29"), Decimal("0.01"))
    (5056900, 8290000)
    >>> amounts(Side.SELL, Decimal("0.0025"), Decimal("5.01"), Decimal("0.0025"))
    (5010000, 12525)
    """
    tick, units, shares = _millionths(tick_size), _millionths(price), _millionths(size)
    faults = []
    if tick is None or not 0 < tick < UNIT:
        faults.append(Fault(path="tick_size", got=str(tick_size), wants="above 0, below 1, at most 6 decimals"))
    elif units is None or not tick <= units <= UNIT - tick or units % tick:
        wants = f"a multiple of {tick_size} from {tick_size} to {1 - tick_size}"
        faults.append(Fault(path="price", got=str(price), wants=wants))
    if shares is None or shares <= 0 or shares % _CENT_SHARE:
        faults.append(Fault(path="size", got=str(size), wants="above 0, at most 2 decimals"))
    if faults or units is None or shares is None:
        raise BadInput("order", faults, "not signed")
    collateral, lost = divmod(units * shares, UNIT)
    if lost:  # only below a tick of 0.0001, which the exchange does not have yet
        fault = Fault(path="price × size", got=f"{price} × {size}", wants="at most 6 decimals")
        raise BadInput("order", [fault], "not signed")
    return (collateral, shares) if side is Side.BUY else (shares, collateral)


def _millionths(value: Decimal) -> int | None:
    """The value in millionths, or None where that is not a whole number of a sane size."""
    if not value.is_finite() or value.adjusted() >= _MOST_DIGITS:
        return None
    whole = value.quantize(_MILLIONTH, context=_WIDE)
    return int(whole.scaleb(6, context=_WIDE)) if whole == value else None


def random_salt() -> int:
    """A new salt: what tells two equal orders of the same millisecond apart. The default of whoever signs."""
    return secrets.randbits(SALT_BITS)


def leg(signed: SignedOrder, owner: str) -> Mapping[str, object]:
    """One element of `POST /orders`: the signed order and the API key that sends it.

    The key is added as late as this since a signed order is kept and printed, and the key is a secret.
    """
    return {**signed.payload, "owner": owner}
