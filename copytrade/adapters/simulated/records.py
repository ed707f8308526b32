"""What the simulated exchange keeps: markets, wallets, orders and trades.

These are the engine's own books, changed in place by rules.py and by nobody else; shares, prices and pUSD are exact
`Decimal`s, times `Decimal` seconds since the epoch. Addresses and condition ids are lower case throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from attrs import define, field, frozen

from copytrade.domain.model import ZERO, Side


class OrderType(StrEnum):
    """GTC and GTD rest; FOK and FAK take at once or are killed."""

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"


class OrderStatus(StrEnum):
    """What became of an order, in the exchange's words (API.md, Orders)."""

    LIVE = "LIVE"
    MATCHED = "MATCHED"
    CANCELED = "CANCELED"
    EXPIRED = "CANCELED_EXPIRED_ORDER"
    NO_BALANCE = "CANCELED_NOT_ENOUGH_BALANCE"
    RESOLVED = "CANCELED_MARKET_RESOLVED"


class TradeState(StrEnum):
    """MATCHED → MINED → CONFIRMED, or MATCHED → RETRYING → FAILED; only the two ends are final."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


class Mode(StrEnum):
    """What the exchange as a whole accepts."""

    NORMAL = "normal"
    POST_ONLY = "post-only"
    CANCEL_ONLY = "cancel-only"
    DISABLED = "disabled"
    RESTARTING = "restarting"


@frozen(kw_only=True)
class Outcome:
    """One outcome of a market, and the id under which it is traded."""

    name: str
    token_id: str


@define(kw_only=True)
class Market:
    """A market and what may be done in it. `payouts` (pUSD per share, by outcome) are known once it is resolved."""

    condition_id: str
    outcomes: tuple[Outcome, ...]
    version: str = "v1"  # "v1" (CTF tokens) or "v2" (position ids), as Gamma says it
    neg_risk: bool = False
    tick_size: Decimal = Decimal("0.01")
    min_order_size: Decimal = Decimal(5)  # shares
    ready: bool = True  # False: created, not processing orders yet
    accepting_orders: bool = True
    closed: bool = False
    archived: bool = False
    payouts: tuple[Decimal, ...] | None = None
    listed: bool = True  # False: Gamma does not know it yet
    ids_known: bool = True  # False: Gamma lists it with empty token ids
    mirror_ids: tuple[str, ...] = ()  # its ids under the other protocol, which Gamma lists too and nobody may trade
    slug: str = ""
    title: str = ""
    end_date: str = ""


@define(kw_only=True)
class OutsideBook:
    """The outside world's side of one token's book: price → shares, and what our wallets' orders add to it."""

    bids: dict[Decimal, Decimal] = field(factory=dict)
    asks: dict[Decimal, Decimal] = field(factory=dict)
    last_trade_price: Decimal | None = None
    version: int = 0  # goes up whenever anything in the token's book changes: what readers may cache by

    def side(self, side: Side) -> dict[Decimal, Decimal]:
        return self.bids if side is Side.BUY else self.asks


@frozen(kw_only=True)
class Held:
    """What a wallet held of a token from `ts` on."""

    ts: Decimal
    size: Decimal
    avg_price: Decimal


@define(kw_only=True)
class Wallet:
    """The wallet that holds money and shares (the funder), and the key that signs for it."""

    address: str
    signer: str
    signature_type: int = 0
    cash: Decimal = ZERO  # pUSD, locks of resting orders not taken off
    shares: dict[str, Decimal] = field(factory=dict)
    avg_prices: dict[str, Decimal] = field(factory=dict)
    locked_cash: Decimal = ZERO  # rest × price of its live BUYs
    locked_shares: dict[str, Decimal] = field(factory=dict)  # rests of its live SELLs
    live: dict[str, None] = field(factory=dict)  # ids of its live orders, oldest first
    history: dict[str, list[Held]] = field(factory=dict)  # what the positions feed may answer
    cached: dict[str, Decimal] = field(factory=dict)  # the exchange's stale balances, by token id, "" = cash
    banned: bool = False
    closed_only: bool = False
    unapproved: set[str] = field(factory=set)  # exchange contracts (lower case) that may take nothing of it

    def free_cash(self) -> Decimal:
        return self.cash - self.locked_cash

    def free_shares(self, token_id: str) -> Decimal:
        return self.shares.get(token_id, ZERO) - self.locked_shares.get(token_id, ZERO)


@define(kw_only=True)
class SimOrder:
    """An order that the exchange accepted."""

    order_id: str
    wallet: str
    token_id: str
    side: Side
    price: Decimal
    size: Decimal
    order_type: OrderType
    expiration: int  # as it was sent; 0 = none
    created_at: Decimal
    api_key: str = ""
    matched: Decimal = ZERO
    status: OrderStatus = OrderStatus.LIVE
    closed_at: Decimal | None = None
    trade_ids: list[str] = field(factory=list)

    @property
    def rest(self) -> Decimal:
        return self.size - self.matched


@frozen(kw_only=True)
class Leg:
    """One maker's part in a trade. `wallet` is empty for the outside world."""

    order_id: str
    wallet: str
    side: Side
    price: Decimal
    size: Decimal


@define(kw_only=True)
class SimTrade:
    """One match. `side` and `size` are the taker's, as in the exchange's own listing."""

    trade_id: str
    token_id: str
    taker_order_id: str
    taker_wallet: str  # empty: the outside world took
    side: Side
    price: Decimal
    size: Decimal
    legs: tuple[Leg, ...]
    match_time: Decimal
    listed_at: Decimal
    last_update: Decimal
    state: TradeState = TradeState.MATCHED

    def touches(self, wallet: str) -> bool:
        return self.taker_wallet == wallet or any(leg.wallet == wallet for leg in self.legs)


@frozen(kw_only=True)
class NewOrder:
    """What is asked of the exchange: one order, its signature and amounts checked already."""

    order_id: str
    wallet: str
    token_id: str
    side: Side
    price: Decimal
    size: Decimal
    order_type: OrderType = OrderType.GTD
    post_only: bool = True
    expiration: int = 0
    api_key: str = ""


@frozen(kw_only=True)
class Posted:
    """The exchange's answer to one order: accepted (`status` live, matched, unmatched), or refused with `error`."""

    order_id: str = ""
    status: str = ""
    error: str = ""
    making: Decimal = ZERO  # what the order gave so far: pUSD of a BUY, shares of a SELL
    taking: Decimal = ZERO  # what it got
    trade_ids: Sequence[str] = ()

    @property
    def accepted(self) -> bool:
        return not self.error


@define(kw_only=True)
class Bucket:
    """A token bucket: `burst` at most, `rate` a second more, and a request is served whole or not at all."""

    rate: Decimal
    burst: Decimal
    level: Decimal
    at: Decimal

    def take(self, cost: int, now: Decimal) -> bool:
        """Spend `cost`, or nothing at all (False)."""
        self._fill(now)
        if cost > self.level:
            return False
        self.level -= cost
        return True

    def wait(self, cost: int, now: Decimal) -> Decimal:
        """Seconds until it holds `cost`; 0 where it does, or never will."""
        self._fill(now)
        return max(ZERO, (cost - self.level) / self.rate) if cost <= self.burst else ZERO

    def _fill(self, now: Decimal) -> None:
        if now > self.at:
            self.level = min(self.burst, self.level + (now - self.at) * self.rate)
            self.at = now


@frozen(kw_only=True)
class Hits:
    """How the outside world comes to take resting orders: after `mean_sec` on average, `least` to `most` shares."""

    mean_sec: float
    least: Decimal = Decimal(1)
    most: Decimal = Decimal(25)


@define(kw_only=True)
class Manners:
    """How slow, forgetful and unlucky the exchange is. Durations in seconds."""

    mined_after: Decimal = Decimal(2)
    confirmed_after: Decimal = Decimal(5)  # or FAILED, where the trade fails
    fail_next: int = 0  # so many of the next trades will fail
    fail_chance: float = 0.0  # of every other trade
    list_trades_after: Decimal = ZERO
    list_orders_after: Decimal = ZERO  # a young order is in no listing and no look-up
    forget_closed_after: Decimal | None = None  # a closed order is not found any more; None: remembered for ever
    stale_balances: bool = False  # balances are cached, and refreshed only when asked to
    hits: Hits | None = None  # None: resting orders are taken only when a scenario says so
