"""A tape for measuring: 50 tokens, 2,000 polls, prices that wander, a leader who moves, trades that fill our orders."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from copytrade.app.backtest.tape import BookSeen, Event, LeaderHeld, Tape, TokenListed, Traded
from copytrade.domain.model import Side

INTERVAL = 20
TICK = Decimal("0.01")


def market_tape(
    *, tokens: int = 50, polls: int = 2000, seed: int = 1, changes: float = 0.02, in_memory: bool = True
) -> Tape:
    """One book a token and poll, some trades, and a leader who changes so much of his holdings at each poll."""

    def events() -> Iterator[Event]:
        dice = Random(seed)  # noqa: S311  # dice of a game
        keys = [f"0x{number:064x}:0" for number in range(1, tokens + 1)]
        mids = {key: dice.randrange(20, 80) for key in keys}
        for number, key in enumerate(keys, 1):
            yield TokenListed(
                at=Decimal(0), token_key=key, token_id=str(number), tick_size=TICK, min_order_size=Decimal(5)
            )
        for poll in range(polls):
            at = Decimal(poll * INTERVAL)
            for key in keys:
                if dice.random() < 0.3:
                    mids[key] = min(max(mids[key] + dice.choice((-1, 1)), 3), 97)
                mid = mids[key]
                bids = tuple(
                    ((mid - down) * TICK, Decimal(dice.randrange(10, 500))) for down in (1, 2, 3) if mid > down
                )
                asks = tuple(
                    ((mid + up) * TICK, Decimal(dice.randrange(10, 500))) for up in (1, 2, 3) if mid + up < 100
                )
                yield BookSeen(at=at, token_key=key, bids=bids, asks=asks)
                if dice.random() < 0.2:
                    side = dice.choice((Side.BUY, Side.SELL))
                    price = asks[0][0] if side is Side.BUY else bids[0][0]
                    yield Traded(at=at, token_key=key, price=price, size=Decimal(dice.randrange(5, 400)), taker=side)
                if poll == 0 or dice.random() < changes:
                    yield LeaderHeld(
                        at=at,
                        token_key=key,
                        size=Decimal(dice.randrange(0, 300)),
                        avg_price=mid * TICK,
                        price=mid * TICK,
                    )

    if in_memory:
        return Tape.of(events(), name="benchmark", has_trades=True)
    return Tape(name="benchmark", open_=lambda: enumerate(events(), 1), has_trades=True)
