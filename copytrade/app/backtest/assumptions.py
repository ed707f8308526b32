"""Everything that a backtest has to assume, in one record that its result carries and its report shows.

The defaults are what API.md reports of the exchange (2026): positions that are some 5 s old, an answer within half a
second, no fee for makers, 7 % x p (1 - p) for takers at the upper end, orders of 5 shares at least.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum

from attrs import field, fields, frozen

from copytrade.domain.model import ONE, ZERO


class FillModel(Enum):
    """Whom a trade at our price serves first. The truth lies between the two ends."""

    OPTIMISTIC = "optimistic"  # us: we stand at the front, and every share that leaves our level was traded
    SHARE = "share"  # everybody by size: we get our share of what left the level
    PESSIMISTIC = "pessimistic"  # everybody else: only what is proved to have gone through the whole queue


ASSUMED_OF = {
    FillModel.OPTIMISTIC: "we stand first at our price; whatever leaves that level was traded with us first",
    FillModel.SHARE: "what leaves our level was traded, and is shared out by size between us and the others there",
    FillModel.PESSIMISTIC: "we stand last at our price; we are filled by trades that used up all that was there before "
    "us, and by a market that went through our price",
}


@frozen(kw_only=True)
class Assumptions:
    """The world that the run is put into. Durations in seconds, rates from 0 to 1, money in pUSD."""

    poll_interval_sec: Decimal = Decimal(20)
    feed_lag_sec: Decimal = Decimal(5)  # how old an answer of the positions feed is, the leader's and our own
    latency_sec: Decimal = Decimal("0.5")  # from the facts of a decision to its orders' arrival
    refusal_rate: Decimal = ZERO  # of posts, refused for a passing reason
    lost_answer_rate: Decimal = ZERO  # of posts and cancels; half of those arrived all the same
    start_cash: Decimal = Decimal(1000)
    taker_fee_rate: Decimal = Decimal("0.07")  # where the tape does not say: shares x rate x (p (1 - p)) ^ exponent
    taker_fee_exponent: Decimal = ONE
    maker_rebate: Decimal = ZERO  # the part of the taker's fee that its maker gets
    assumed_spread: Decimal = Decimal("0.02")  # between bid and ask, where the tape has prices and no books
    min_order_size: Decimal = Decimal(5)  # where the tape does not say

    def __attrs_post_init__(self) -> None:
        for name, got, wants in faults(self):
            raise ValueError(f"{name}: got {got}, wants {wants}")


def faults(given: Assumptions) -> Iterator[tuple[str, str, str]]:
    """Yield (name, got, wants) for everything in `given` that cannot be."""
    for attribute in fields(Assumptions):
        value: Decimal = getattr(given, attribute.name)
        if not (value.is_finite() and value >= 0):
            yield attribute.name, str(value), "a finite number that is not negative"
            return
        if attribute.name in ("refusal_rate", "lost_answer_rate", "maker_rebate", "assumed_spread") and value > 1:
            yield attribute.name, str(value), "a number from 0 to 1"
    if given.poll_interval_sec <= 0:
        yield "poll_interval_sec", str(given.poll_interval_sec), "a number above 0"
    elif given.latency_sec >= given.poll_interval_sec:
        yield "latency_sec", str(given.latency_sec), f"less than poll_interval_sec, which is {given.poll_interval_sec}"


@frozen(kw_only=True)
class Terms:
    """What trading one token costs and demands, by the tape or, where that is silent, by the assumptions."""

    tick_size: Decimal | None
    min_order_size: Decimal
    fee_rate: Decimal
    fee_exponent: Decimal = field(default=ONE)
