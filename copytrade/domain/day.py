"""What a UTC day has cost and made so far, as the daily limits count it.

    spent    what our BUYs have cost: shares x the price of our order, booked when we learn of the fill
    result   what the copied holdings (tokens that we have traded) have made (> 0) or lost (< 0)

The result is kept as bookkeepers do, by marking to market. A token stands in the books at its last known price.
    a fill at p        result += shares bought x (price in the books - p); a sale counts as bought shares < 0
    a new price q      result += shares held x (q - price in the books); from now on it stands there at q
Added up that is what the sales have brought, less what the purchases have cost, plus what the holdings are worth more
than at the day's first complete cycle: realised and unrealised together.

Rule 1: money and shares that come or go by another hand (a deposit, a withdrawal, the user's own trade, a redemption)
        are no fill of ours and change no price. So they can neither hide a loss nor fake one.
Rule 2: a price that is not known changes nothing: the last known one stands, or what we paid. A resolved outcome is
        worth what the feed says, 0 too.
Rule 3: a day begins at 00:00 UTC of the cycle's own time, with nothing spent, no result and no prices. A clock that is
        set back by less than a day begins none.
Rule 4: a trade that failed gives its result back, and nothing of what was spent: the limit errs to the safe side.

Fees and rebates are not counted.   Not here: what follows from it (limits.py).   Read next: memory.py
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from attrs import evolve, field, frozen

from copytrade.domain.model import ZERO, Book, Position, Side, Snapshot, Today, TokenKey, finite, not_negative
from copytrade.domain.risk import mid

DAY_SEC = Decimal(86400)


@frozen(kw_only=True)
class Day:
    """One UTC day's books."""

    start: Decimal = field(default=ZERO, validator=not_negative)  # 00:00 UTC; 0 = no day yet
    spent: Decimal = field(default=ZERO, validator=not_negative)  # pUSD
    result: Decimal = field(default=ZERO, validator=finite)  # pUSD, below 0 is a loss
    prices: Mapping[TokenKey, Decimal] = field(factory=dict)  # at which each copied holding stands in the books

    def at(self, now: Decimal) -> Day:
        """The books of the day that `now` is in: these, or new ones."""
        start = now - now % DAY_SEC
        return self if ZERO <= self.start - start <= DAY_SEC else Day(start=start)

    def today(self, now: Decimal) -> Today:
        """What a snapshot of `now` says of its day."""
        day = self.at(now)
        return Today(spent=day.spent, result=day.result)


def filled(day: Day, key: TokenKey, side: Side, price: Decimal, shares: Decimal, now: Decimal) -> Day:
    """We learned at `now` of a fill of ours; shares < 0 take one back.

    >>> books = Day(prices={"0xc1:0": Decimal("0.5")})
    >>> filled(books, "0xc1:0", Side.SELL, Decimal("0.6"), Decimal(10), Decimal(50)).result
    Decimal('1.0')
    """
    day = day.at(now)
    stands_at = day.prices.get(key, price)
    bought = shares if side is Side.BUY else -shares
    return evolve(
        day,
        spent=day.spent + (max(shares, ZERO) * price if side is Side.BUY else ZERO),
        result=day.result + bought * (stands_at - price),
        prices={**day.prices, key: stands_at},
    )


def marked(day: Day, held: Mapping[TokenKey, Decimal], prices: Mapping[TokenKey, Decimal], now: Decimal) -> Day:
    """Put what is `held` (shares) into the books at today's `prices`; what is not held any more leaves them.

    >>> books = marked(Day(), {"0xc1:0": Decimal(100)}, {"0xc1:0": Decimal("0.5")}, Decimal(40))
    >>> marked(books, {"0xc1:0": Decimal(100)}, {"0xc1:0": Decimal("0.4")}, Decimal(60)).result
    Decimal('-10.0')
    """
    day = day.at(now)
    result, kept = day.result, {}
    for key, shares in held.items():
        before = day.prices.get(key)
        price = prices.get(key, before)
        if price is None or shares <= ZERO:
            continue
        if before is not None and price is not before:
            result += shares * (price - before)
        kept[key] = price
    return day if (result, kept) == (day.result, day.prices) else evolve(day, result=result, prices=kept)


def prices_of(snapshot: Snapshot) -> dict[TokenKey, Decimal]:
    """The price of every copied token that anybody tells one of: the feed, the last trade, the middle of the book."""
    mine = {row.token_key: row for row in snapshot.mine.positions}
    target = {row.token_key: row for row in snapshot.target.positions}
    books, ids = snapshot.books, snapshot.token_map
    found = {key: _price(books.get(ids.get(key, "")), mine.get(key), target.get(key)) for key in snapshot.ledgers}
    return {key: price for key, price in found.items() if price is not None}


def _price(book: Book | None, mine: Position | None, target: Position | None) -> Decimal | None:
    for row in (mine, target):
        if row is not None and (row.current_price or row.redeemable):
            return row.current_price
    return mid(book) if book is None or not book.last_trade_price else book.last_trade_price
