"""What the positions feed says about a wallet: the truth, late; or a frozen, an older or an odd version of it.

The engine knows at once what a wallet holds. The feed answers with what it held `lag_sec` ago, with what it held when
the feed froze, or, now and then, with an answer that is older still (as replicas do that are not in step).
Source: API.md "Data-API: positions" (measured ages, 999 as an outcome index, zero-size rows).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal

from attrs import define, field, frozen

from copytrade.adapters.simulated.records import Held, Market, Wallet
from copytrade.adapters.simulated.rules import Exchange
from copytrade.domain.model import ZERO


@define(kw_only=True)
class Feed:
    """How one wallet is reported. Durations in seconds."""

    lag_sec: Decimal = ZERO
    frozen_at: Decimal | None = None  # answers stay as of then
    back_sec: Decimal = ZERO  # answers are older than the lag by this much: a feed that flipped back
    flip_chance: float = 0.0  # … and that many answers out of one are, by chance, up to `flip_sec` older
    flip_sec: Decimal = Decimal(60)
    zero_rows: bool = False  # what was sold stays listed with size 0
    without_id: set[str] = field(factory=set)  # token ids whose rows carry none
    odd_index: set[str] = field(factory=set)  # token ids whose rows say outcome index 999
    raw: Sequence[Mapping[str, object]] | None = None  # HTTP only: these rows, as they stand, and nothing else

    def freeze(self, now: Decimal) -> None:
        """From now on the answer stays what it is now."""
        self.frozen_at = now - self.lag_sec

    def thaw(self) -> None:
        """Answers go on."""
        self.frozen_at, self.back_sec = None, ZERO


@frozen(kw_only=True)
class Row:
    """One row of an answer, before it takes a shape."""

    wallet: str
    market: Market
    index: int
    size: Decimal
    avg_price: Decimal
    price: Decimal
    last_event: Decimal
    shows_id: bool = True
    shows_index: bool = True
    mergeable: bool = False  # the wallet holds the other outcome too

    @property
    def token_id(self) -> str:
        return self.market.outcomes[self.index].token_id

    @property
    def redeemable(self) -> bool:
        return self.market.payouts is not None


def rows(exchange: Exchange, wallet: Wallet, feed: Feed) -> list[Row]:
    """The rows of one answer, the most valuable first."""
    at = _as_of(exchange, feed)
    held = {
        token_id: entry for token_id in wallet.history if (entry := _held(wallet.history[token_id], at)) is not None
    }
    found = []
    for token_id, entry in held.items():
        known = exchange.market_of(token_id)
        if known is None or (entry.size == 0 and not feed.zero_rows):
            continue
        market, index = known
        others = (held.get(outcome.token_id) for outcome in market.outcomes if outcome.token_id != token_id)
        found.append(
            Row(
                wallet=wallet.address,
                market=market,
                index=index,
                size=entry.size,
                avg_price=entry.avg_price,
                price=exchange.price_of(token_id),
                last_event=entry.ts,
                shows_id=token_id not in feed.without_id,
                shows_index=token_id not in feed.odd_index,
                mergeable=any(other is not None and other.size > 0 for other in others),
            )
        )
    found.sort(key=lambda row: (-row.size * row.price, row.token_id))
    return found


def _as_of(exchange: Exchange, feed: Feed) -> Decimal:
    """The moment that this answer tells of."""
    at = exchange.now - feed.lag_sec if feed.frozen_at is None else feed.frozen_at
    at -= feed.back_sec
    if feed.flip_chance > 0 and exchange.dice is not None and exchange.dice.random() < feed.flip_chance:
        at -= Decimal(exchange.dice.randint(0, int(feed.flip_sec * 1000))).scaleb(-3)
    return at


def _held(history: list[Held], at: Decimal) -> Held | None:
    if history[-1].ts <= at:
        return history[-1]
    found = bisect_right(history, at, key=lambda held: held.ts)
    return history[found - 1] if found else None
