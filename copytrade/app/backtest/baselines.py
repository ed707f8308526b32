"""What a run is held against: the leader himself, an ideal follower, and a taker who copies each trade.

    leader   his own positions at his own prices. What he held when the tape begins counts from its first price on.
    ideal    follow_ratio x leader: no cost, no delay, no cap, no minimum size. The most that following could give.
    naive    copies each change of the leader's holding as soon as the feed shows it, at the other side's price,
             through as many levels as it takes and with the taker's fee; what is worth less than 1 pUSD is not sent.

A change's price is the tape's if it says one; else it follows from the average prices before and after; else it is
the last known price.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from attrs import define, field

from copytrade.app.backtest.accounting import MICRO, Account, taker_fee
from copytrade.app.backtest.assumptions import Terms
from copytrade.app.backtest.tape import LeaderHeld, Levels
from copytrade.domain.amounts import floored
from copytrade.domain.model import ONE, ZERO, Side, TokenKey

LEAST_NOTIONAL = ONE  # pUSD of a marketable order (API.md, Orders)


def change_price(event: LeaderHeld, size_before: Decimal, avg_before: Decimal, mark: Decimal | None) -> Decimal | None:
    """At which price the leader's holding changed; None where nothing tells.

    >>> bought = LeaderHeld(at=ZERO, token_key="0xc1:0", size=Decimal(30), avg_price=Decimal("0.5"))
    >>> change_price(bought, Decimal(10), Decimal("0.3"), None)
    Decimal('0.600000')
    """
    if event.price is not None:
        return event.price
    added = event.size - size_before
    if added > 0 and event.avg_price > 0 and (size_before == 0 or avg_before > 0):
        paid = (event.size * event.avg_price - size_before * avg_before) / added
        # Averages are rounded, and some sources revise them: a price outside of (0, 1) was not paid.
        if ZERO < paid < ONE:
            return paid.quantize(MICRO)
    return mark if mark is not None else (event.avg_price or None)


@define
class Paper:
    """A wallet without limits that trades at the leader's prices: his own, in pUSD."""

    cash: Decimal = ZERO
    shares: dict[TokenKey, Decimal] = field(factory=dict)
    _unpriced: dict[TokenKey, Decimal] = field(factory=dict)  # held before any price of it was known

    def moved(self, key: TokenKey, delta: Decimal, price: Decimal | None) -> None:
        self.shares[key] = self.shares.get(key, ZERO) + delta
        if price is None:
            self._unpriced[key] = self._unpriced.get(key, ZERO) + delta
        else:
            self.cash -= delta * price

    def priced(self, key: TokenKey, mark: Decimal) -> None:
        """The first price of a token: what was held without one counts from here."""
        if self._unpriced:
            delta = self._unpriced.pop(key, ZERO)
            self.cash -= delta * mark

    def redeem(self, key: TokenKey, payout: Decimal) -> None:
        self.priced(key, payout)
        self.cash += self.shares.pop(key, ZERO) * payout

    def equity(self, marks: Mapping[TokenKey, Decimal]) -> Decimal:
        """What it made so far: it began with nothing. What has no price yet counts nothing."""
        total = self.cash
        for key, size in self.shares.items():
            mark = marks.get(key)
            if mark is not None:
                total += size * mark
        return total


@define(kw_only=True)
class Naive:
    """The taker who copies each trade. It has our cash, our fees and our delays."""

    account: Account
    ratio: Decimal
    delay: Decimal  # seconds from the leader's change to the copy's arrival
    due: deque[tuple[Decimal, TokenKey, Decimal]] = field(factory=deque)

    def saw(self, at: Decimal, key: TokenKey, delta: Decimal) -> None:
        self.due.append((at + self.delay, key, delta))

    def trade(self, key: TokenKey, delta: Decimal, bids: Levels, asks: Levels, terms: Terms) -> None:
        """Take what the book gives for `ratio` x `delta`."""
        side = Side.BUY if delta > 0 else Side.SELL
        left = floored(abs(delta) * self.ratio)
        if side is Side.SELL:
            left = min(left, self.account.shares.get(key, ZERO))
        levels = asks if side is Side.BUY else bids
        if not levels or left * levels[0][0] < LEAST_NOTIONAL:
            return
        for price, size in levels:
            take = min(left, floored(size))
            if side is Side.BUY:
                take = min(take, floored(max(self.account.cash, ZERO) / (price + terms.fee_rate)))
            if take <= 0:
                break
            self.account.trade(key, side, price, take, fee=taker_fee(price, take, terms))
            left -= take

    def redeem(self, key: TokenKey, payout: Decimal) -> None:
        self.account.redeem(key, payout)
