"""Money and shares, to the last micro-dollar.

    cash + payouts still to come = start - what was bought + what was sold - fees + rebates

Every price has 4 decimals at most and every fill 2, so that a notional is a whole number of micro-dollars; fees and
rebates are rounded to one, against us. Nothing else ever moves cash, and `closes` says so.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from attrs import define, field

from copytrade.app.backtest.assumptions import Assumptions, Terms
from copytrade.domain.model import ONE, ZERO, Side, TokenKey

MICRO = Decimal("0.000001")


def taker_fee(price: Decimal, size: Decimal, terms: Terms) -> Decimal:
    """What a taker pays for `size` shares at `price`, in pUSD. (API.md, Fees)

    >>> taker_fee(Decimal("0.5"), Decimal(100), Terms(tick_size=None, min_order_size=ZERO, fee_rate=Decimal("0.07")))
    Decimal('1.750000')
    """
    risk = price * (ONE - price)
    return (size * terms.fee_rate * risk**terms.fee_exponent).quantize(MICRO, ROUND_CEILING)


def maker_rebate(price: Decimal, size: Decimal, terms: Terms, given: Assumptions) -> Decimal:
    """The part of the taker's fee that we get for having rested, in pUSD."""
    if not given.maker_rebate:
        return ZERO
    return (taker_fee(price, size, terms) * given.maker_rebate).quantize(MICRO, ROUND_FLOOR)


@define(kw_only=True)
class Account:
    """One wallet in the run. Mutable: it is the world's, and no decision sees it but through a snapshot."""

    start_cash: Decimal
    cash: Decimal = field(init=False)
    shares: dict[TokenKey, Decimal] = field(factory=dict, init=False)
    cost: dict[TokenKey, Decimal] = field(factory=dict, init=False)  # pUSD that the shares held have cost
    bought: Decimal = field(default=ZERO, init=False)
    sold: Decimal = field(default=ZERO, init=False)
    fees: Decimal = field(default=ZERO, init=False)
    rebates: Decimal = field(default=ZERO, init=False)
    payouts: Decimal = field(default=ZERO, init=False)

    def __attrs_post_init__(self) -> None:
        self.cash = self.start_cash

    def trade(
        self, key: TokenKey, side: Side, price: Decimal, size: Decimal, *, fee: Decimal = ZERO, rebate: Decimal = ZERO
    ) -> None:
        """Book one fill."""
        notional = price * size
        held = self.shares.get(key, ZERO)
        if side is Side.BUY:
            self.bought += notional
            self.cash -= notional
            self.shares[key] = held + size
            self.cost[key] = self.cost.get(key, ZERO) + notional
        else:
            assert size <= held, f"{key}: sold {size} of {held}"
            self.sold += notional
            self.cash += notional
            self.shares[key] = held - size
            self.cost[key] = self.cost[key] * (held - size) / held if held > size else ZERO
        self.fees += fee
        self.rebates += rebate
        self.cash += rebate - fee

    def redeem(self, key: TokenKey, payout: Decimal) -> Decimal:
        """The market is over: shares become cash. Returns what came of it."""
        value = self.shares.pop(key, ZERO) * payout
        self.cost.pop(key, None)
        self.payouts += value
        self.cash += value
        return value

    def avg_price(self, key: TokenKey) -> Decimal:
        """What a share that is held has cost, to six decimals as the feed tells it; 0 where nothing is held."""
        held = self.shares.get(key, ZERO)
        return (self.cost[key] / held).quantize(MICRO) if held else ZERO

    def closes(self) -> bool:
        """True when cash is exactly what the flows leave of the start."""
        flows = self.sold - self.bought - self.fees + self.rebates + self.payouts
        return self.cash == self.start_cash + flows
