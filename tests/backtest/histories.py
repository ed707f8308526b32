"""Random histories, small and wild: markets that resolve or just end, books with empty sides, a leader who jumps about.

Drawn by a seeded generator rather than by strategies: a history has hundreds of numbers, and what is of interest is
the whole of it. Hypothesis draws the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from copytrade.app.backtest.assumptions import Assumptions
from copytrade.app.backtest.tape import (
    BookSeen,
    Event,
    LeaderHeld,
    Levels,
    PriceSeen,
    Resolved,
    Tape,
    TokenListed,
    Traded,
)
from copytrade.domain.model import Side
from copytrade.domain.policy import Policy

START = 1766000000
CENT = Decimal("0.01")


def history(
    seed: int, *, polls: int = 16, tokens: int = 3, has_trades: bool | None = None, start: int | None = None
) -> Tape:
    """It begins at a multiple of every poll interval, or somewhat later."""
    dice = Random(seed)
    start = START + seed % 4 * 3 if start is None else start
    trades = dice.random() < 0.5 if has_trades is None else has_trades
    return Tape.of(_events(dice, polls, tokens, trades, start), name=f"history {seed}", has_trades=trades)


def world(seed: int) -> Assumptions:
    dice = Random(seed + 1)
    return Assumptions(
        poll_interval_sec=Decimal(dice.choice([10, 20, 200])),
        feed_lag_sec=Decimal(dice.choice([0, 5, 65])),
        latency_sec=Decimal(dice.choice(["0", "0.5", "7"])),
        refusal_rate=Decimal(dice.choice(["0", "0.2"])),
        lost_answer_rate=Decimal(dice.choice(["0", "0.3"])),
        start_cash=Decimal(dice.choice([20, 1000])),
        maker_rebate=Decimal(dice.choice(["0", "0.25"])),
    )


def policy(seed: int) -> Policy:
    dice = Random(seed + 2)
    return Policy(
        follow_ratio=Decimal(dice.choice(["0.2", "1"])),
        maker_only=dice.random() < 0.7,
        order_ttl_sec=Decimal(dice.choice([30, 90, 240])),
        max_notional_total=Decimal(dice.choice([50, 2000])),
        max_daily_spend=dice.choice([None, None, Decimal(15)]),
        max_daily_loss=dice.choice([None, None, Decimal(2)]),
        max_open_price=dice.choice([None, None, Decimal("0.6")]),
    )


def _levels(dice: Random, mid: int, step: int) -> Levels:
    if dice.random() < 0.08:
        return ()
    prices = [mid + step * away for away in range(1, dice.choice((2, 4)))]
    return tuple((price * CENT, Decimal(dice.randrange(1, 60))) for price in prices if 0 < price < 100)


def _events(dice: Random, polls: int, tokens: int, trades: bool, start: int) -> Iterator[Event]:
    keys = [f"0xc{number}:{number % 2}" for number in range(tokens)]
    mids = {key: dice.randrange(5, 95) for key in keys}
    priced = {key: dice.random() < 0.25 for key in keys}
    open_ = set(keys)
    at = Decimal(start)
    for number, key in enumerate(keys):
        yield TokenListed(at=at, token_key=key, token_id=str(100 + number), tick_size=CENT, min_order_size=Decimal(5))
    for _ in range(polls):
        for _ in range(dice.randrange(1, 4)):
            at += dice.randrange(0, 9)
            key = dice.choice(keys)
            if key not in open_:
                continue
            mids[key] = min(max(mids[key] + dice.choice((-3, -1, 0, 0, 1, 3)), 2), 98)
            mid = mids[key]
            if priced[key]:
                yield PriceSeen(at=at, token_key=key, price=mid * CENT)
            else:
                yield BookSeen(at=at, token_key=key, bids=_levels(dice, mid, -1), asks=_levels(dice, mid, 1))
            if trades and dice.random() < 0.6:
                yield Traded(
                    at=at,
                    token_key=key,
                    price=min(max(mid + dice.choice((-2, -1, 1, 2)), 1), 99) * CENT,
                    size=Decimal(dice.randrange(1, 5000)) * CENT,
                    taker=dice.choice((Side.BUY, Side.SELL, None)),
                )
            if dice.random() < 0.4:
                size = dice.choice((0, dice.randrange(0, 300), Decimal("33.333333")))
                yield LeaderHeld(at=at, token_key=key, size=Decimal(size), avg_price=mid * CENT)
            if dice.random() < 0.02:
                open_.discard(key)
                yield Resolved(at=at, token_key=key, payout=dice.choice((Decimal(0), Decimal(1), Decimal("0.5"), None)))
        at += dice.choice((0, 7, 20, 31))
    at += 400
    for key in keys:
        if key in open_ and dice.random() < 0.7:
            yield Resolved(at=at, token_key=key, payout=Decimal(dice.choice((0, 1))))
