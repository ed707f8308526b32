"""How much may still be bought: the caps on notional, the cash, and the last veto before a BUY.

Rule 1: a cap may stop growth; it never causes a sale.
Rule 2: a share counts at the greatest of the market's price, what we paid and what our orders may pay, so a falling
        price buys nothing more; a new order counts at its own price where that is higher still.
Rule 3: under the caps, every live BUY of ours counts whole, one that is cancelled in this plan too: the cancel may lose
        the race with a fill, or with a part of one. The cash that such a BUY frees serves its own token only. Of what a
        day may cost it frees nothing either: that is never exceeded, whatever fills.

Not here: who gets it first (plan.py).   Read next: tokens.py
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import frozen

from copytrade.domain.amounts import floored
from copytrade.domain.model import BUY, ONE, ZERO, Book, Ledger, Order, Position, Reason, TokenKey
from copytrade.domain.policy import Policy
from copytrade.domain.records import maker


@frozen(kw_only=True, weakref_slot=False)
class Budget:
    """What is left to be given out: pUSD under the total cap, of cash, and of what a day may cost (None = no limit)."""

    notional: Decimal
    cash: Decimal | None = None
    day: Decimal | None = None

    def less(self, spent: Budget) -> Budget:
        """What is left after a token has taken its part."""
        return new_budget(
            notional=self.notional - spent.notional,
            cash=_less(self.cash, spent.cash),
            day=_less(self.day, spent.day),
        )

    def plus_cash(self, freed: Decimal) -> Budget:
        """The same with more cash."""
        if self.cash is None or not freed:
            return self
        return new_budget(notional=self.notional, cash=self.cash + freed, day=self.day)


def _less(left: Decimal | None, spent: Decimal | None) -> Decimal | None:
    return left if left is None or spent is None else left - spent


new_budget = maker(Budget)
TWO = Decimal(2)
NOTHING_SPENT = Budget(notional=ZERO, cash=ZERO, day=ZERO)


def mid(book: Book | None) -> Decimal | None:
    """The middle of the book, or its only side, in pUSD per share; None where nobody quotes."""
    if book is None:
        return None
    bid, ask = book.best_bid, book.best_ask
    if bid is not None and ask is not None:
        return (bid + ask) / TWO
    return ask if bid is None else bid


def ref_price(book: Book | None, mine: Position | None, target: Position | None) -> Decimal | None:
    """What a share is taken to be worth: the book, else a current price, else an average price; None = unknown."""
    price = mid(book) if book is not None else None
    if price is not None:
        return price
    known = (
        mine.current_price if mine else ZERO,
        target.current_price if target else ZERO,
        mine.avg_price if mine else ZERO,
        target.avg_price if target else ZERO,
    )
    return next((price for price in known if price > 0), None)


def current_price(book: Book | None, mine: Position | None, target: Position | None) -> Decimal | None:
    """The price that a quote is held against, by somebody else than the book's two sides; None = unknown."""
    if mine is not None and mine.current_price > ZERO:
        return mine.current_price
    if target is not None and target.current_price > ZERO:
        return target.current_price
    return (book.last_trade_price or None) if book is not None else None


def cap_price(
    ref: Decimal | None, mine: Position | None, ledger: Ledger | None = None, orders: Iterable[Order] = ()
) -> Decimal | None:
    """What a share counts under the caps: the greatest of `ref`, what we paid on average, what our `orders` may pay.

    The feed's average is as late as the feed, and not there at all for what it does not list yet, so that of our own
    books counts beside it.
    """
    if ref is None:
        return None
    price = ref
    if mine is not None and mine.avg_price > price:
        price = mine.avg_price
    if ledger is not None and ledger.avg_price > price:
        price = ledger.avg_price
    for order in orders:
        if order.side is BUY and order.price > price:
            price = order.price
    return price


def counted_price(price: Decimal | None) -> Decimal:
    """The same in the sum over all tokens, where a share of unknown worth counts as 1."""
    return ONE if price is None else price


def capped(want: Decimal, price: Decimal | None, hi: Decimal, policy: Policy) -> Decimal:
    """One end of want, in whole cents, under `max_notional_per_token`: growth stops there, and what is held stays.

    >>> capped(Decimal(1000), Decimal("0.8"), Decimal(0), Policy(max_notional_per_token=Decimal(500)))
    Decimal('625.00')
    >>> capped(Decimal(1000), Decimal("0.8"), Decimal(700), Policy(max_notional_per_token=Decimal(500)))
    Decimal('700.00')
    """
    if not price:  # unknown: nothing will be bought without a price
        return want
    if want <= hi or want * price <= policy.max_notional_per_token:  # the same as below without the division
        return want
    return min(want, floored(max(policy.max_notional_per_token / price, hi)))


def risk_check(
    token_key: TokenKey,
    desired_shares: Decimal,
    my_shares: Decimal,
    ref_price: Decimal,
    *,
    total_notional: Decimal = ZERO,
    policy: Policy,
) -> tuple[bool, Reason | None]:
    """The last veto: may the holding go from `my_shares` to `desired_shares` at `ref_price` pUSD a share?

    `total_notional` is what all tokens together count before that, in pUSD. What reduces is stopped by the blacklist
    alone. The answer is (True, None), or (False, why).

    >>> risk_check("0xc1:0", Decimal(900), Decimal(0), Decimal("0.6"), policy=Policy())
    (False, <Reason.TOKEN_CAP: 'TOKEN_CAP'>)
    """
    if token_key in policy.blacklist_token_keys:
        return False, Reason.BLACKLISTED
    if desired_shares <= my_shares:
        return True, None
    if desired_shares * ref_price > policy.max_notional_per_token:
        return False, Reason.TOKEN_CAP
    if total_notional + (desired_shares - my_shares) * ref_price > policy.max_notional_total:
        return False, Reason.TOTAL_CAP
    return True, None


def delta(want_lo: Decimal, want_hi: Decimal, lo: Decimal, hi: Decimal) -> Decimal:
    """Shares that are certainly missing (> 0) or certainly too many (< 0) of `lo` to `hi`; 0 while we cannot be sure.

    >>> delta(Decimal(100), Decimal(100), Decimal(60), Decimal(80))
    Decimal('20')
    """
    if want_lo > hi:
        return want_lo - hi
    if want_hi < lo:
        return want_hi - lo
    return ZERO
