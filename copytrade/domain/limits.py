"""The limits that a person may set: what a day may cost, what it may lose, which markets and which prices.

    max_daily_spend                  pUSD that the BUYs of a UTC day may cost, what still rests among them
    max_daily_loss                   pUSD that the copied holdings may lose in a UTC day before buying stops
    min_open_price, max_open_price   the prices that we buy at
    min_hours_to_end                 how long a market must have left
    allow_markets, deny_markets      words of titles and slugs

Rule 1: a limit stops growth and nothing else: no BUY is placed, a BUY that rests against it is taken down, and sales go
        on. (Hands off altogether is the blacklist, or the switch that stops everything.)
Rule 2: all are off unless set, and then the plan is what it always was.
Rule 3: where it can't be known whether a limit is kept, it is not: a market whose end nobody tells is not opened, nor
        one without title and slug where only some are allowed.

Not here: how a day is counted (day.py), how far a BUY is cut (reconcile.py).   Read next: day.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from copytrade.domain.model import ZERO, Position, Reason, Today
from copytrade.domain.policy import Policy

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?(.*))?")
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def none_set(policy: Policy) -> bool:
    """True where nothing here can stop growth, whatever the market and the day."""
    return (
        policy.max_daily_spend is None
        and policy.max_daily_loss is None
        and policy.min_hours_to_end is None
        and not policy.allow_markets
        and not policy.deny_markets
    )


def left_today(policy: Policy, today: Today | None, resting: Decimal) -> Decimal | None:
    """pUSD that may still be bought in this UTC day; None where no limit is set. `resting` is what our BUYs may cost
    that rest, are in doubt, or are gone with their fills unknown: they count as if they were filled.

    >>> left_today(Policy(max_daily_spend=Decimal(100)), Today(spent=Decimal(60)), Decimal(15))
    Decimal('25')
    """
    if policy.max_daily_spend is None:
        return None
    return policy.max_daily_spend - (ZERO if today is None else today.spent) - resting


def day_stops(policy: Policy, today: Today | None, left: Decimal | None) -> Reason | None:
    """Why nothing at all is bought any more in this UTC day. Below 0 left, even what rests is too much."""
    if policy.max_daily_loss is not None and today is not None and -today.result >= policy.max_daily_loss:
        return Reason.DAILY_LOSS
    return Reason.DAILY_SPEND if left is not None and left < 0 else None


def market_stops(rows: Iterable[Position | None], now: Decimal, policy: Policy) -> Reason | None:
    """Why nothing is bought of a market, as far as these rows (ours, the target's) tell what market it is."""
    if not (policy.allow_markets or policy.deny_markets or policy.min_hours_to_end is not None):
        return None
    known = [row for row in rows if row is not None]
    texts = [text.lower() for row in known for text in (row.title, row.slug) if text]
    if any(named(pattern, texts) for pattern in policy.deny_markets):
        return Reason.MARKET_DENIED
    if policy.allow_markets and not any(named(pattern, texts) for pattern in policy.allow_markets):
        return Reason.MARKET_DENIED
    if policy.min_hours_to_end is not None:
        ends = [end for row in known if (end := seconds_of(row.end_date)) is not None]
        if not ends or min(ends) - now < policy.min_hours_to_end * 3600:
            return Reason.ENDS_SOON
    return None


def named(pattern: str, texts: Iterable[str]) -> bool:
    """Does the pattern stand anywhere in one of these texts? `*` is any text, `?` any letter; all in lower case.

    >>> named("win*cup", ["will france win the world cup?"]), named("[vct]", ["[vct] finals"]), named("vct?", ["vct"])
    (True, True, False)
    """
    wild = "".join({"*": ".*", "?": "."}.get(letter) or re.escape(letter) for letter in pattern)
    return any(re.search(wild, text, re.DOTALL) for text in texts)


def price_allowed(price: Decimal, policy: Policy) -> bool:
    """May we buy at `price`? Both ends of the range are inside.

    >>> [price_allowed(Decimal(price), Policy(max_open_price=Decimal("0.9"))) for price in ("0.9", "0.91")]
    [True, False]
    """
    low, high = policy.min_open_price, policy.max_open_price
    return (low is None or price >= low) and (high is None or price <= high)


def seconds_of(text: str) -> Decimal | None:
    """The earliest moment that a date of the positions feed may mean, in seconds since the epoch; None = it says none.

    A date alone is 00:00 UTC of that day; a time without a zone is UTC.
    Source: API.md, Positions ("2026-06-30" and "2026-06-30T00:00:00Z" are both there).

    >>> seconds_of("1970-01-02"), seconds_of("1970-01-02T01:00:00Z"), seconds_of("1970-01-02T01:00:00+01:00")
    (Decimal('86400'), Decimal('90000'), Decimal('86400'))
    >>> seconds_of(""), seconds_of("soon"), seconds_of("2026-02-30")
    (None, None, None)
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] and (month, day, leap) != (2, 29, False)):
        return None
    if hour > 24 or minute > 59 or second > 60:
        return None
    offset = 0
    zone = (found[7] or "").strip().upper()
    if zone not in ("", "Z", "UTC"):
        there = _OFFSET.fullmatch(zone)
        if there is None:
            return None
        offset = (int(there[2]) * 3600 + int(there[3]) * 60) * (1 if there[1] == "+" else -1)
    return Decimal(_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset)


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to this day of the Gregorian calendar. Years are counted from March, so that the leap day
    is the last of its year."""
    if month <= 2:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
