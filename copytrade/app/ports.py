"""What the program asks of the world: one Protocol for each thing outside, and the records that cross the border.

An adapter answers in these records or raises one of the `VenueError`s; it decides nothing. The simulated exchange
implements the same protocols in process, the contract tests hold both to the same behaviour.

Every read is retried inside its adapter (with jitter and a total limit); a post or a cancel is sent once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Protocol

from attrs import field, frozen

from copytrade.domain.model import OrderId, Position, Positions, Side, TokenId, TokenKey

# -- the positions feed -----------------------------------------------------------------------------------------------


class PositionsFeed(Protocol):
    """The open positions of any wallet, as the Data-API tells them."""

    async def positions(self, wallet: str) -> Positions:
        """Every open position of `wallet`, dust and redeemable ones included.

        Never raises for what the service does: no usable answer is `ok=False`; an answer that may lack rows (a page
        that failed, moved while it was read, or a walk without an end) is `incomplete=True`. `token_id` is None where
        the row has none, or has one that must not be signed. Pages of one wallet are read one after another.
        """
        ...


# -- which token is that ----------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Resolution:
    """What was learned about token keys: ids that may be traded, and why the others may not (yet)."""

    token_ids: Mapping[TokenKey, TokenId] = field(factory=dict)
    refused: Mapping[TokenKey, str] = field(factory=dict)  # in words: a mismatch, a combo, an unknown version …


class Resolver(Protocol):
    """Token keys to token ids that are safe to sign for."""

    async def resolve(self, positions: Collection[Position]) -> Resolution:
        """Look up and check the token ids of `positions` (each once, in batches). Raises nothing.

        A position's own id is checked where it can be; one that has none is asked for. A key in neither mapping is
        not known yet: ask again in a later cycle.
        """
        ...


# -- the exchange: public ---------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Level:
    """One price level of a book: `size` shares wait at `price`."""

    price: Decimal
    size: Decimal


@frozen(kw_only=True)
class FullBook:
    """A whole order book, our own orders still in it, levels in no order that one may trust."""

    token_id: TokenId
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    tick_size: Decimal | None = None
    min_order_size: Decimal | None = None
    neg_risk: bool = False
    last_trade_price: Decimal | None = None


class MarketData(Protocol):
    """Order books and the exchange's clock. Needs no key."""

    async def books(self, token_ids: Collection[TokenId]) -> Mapping[TokenId, FullBook]:
        """Many tokens, few requests (500 tokens each, together). A token without a book is absent, not an error.

        Raises Unreachable or BadAnswer when a batch as a whole gave nothing.
        """
        ...

    async def server_time(self) -> Decimal:
        """The exchange's clock, seconds since the epoch. Raises Unreachable or BadAnswer."""
        ...


# -- the exchange: our account ----------------------------------------------------------------------------------------


@frozen(kw_only=True)
class OpenOrder:
    """An order that the exchange lists (or looks up) as resting, ours or the user's own."""

    order_id: OrderId
    token_id: TokenId
    side: Side
    price: Decimal
    size: Decimal
    matched: Decimal
    ts: Decimal  # created_at, seconds


class OrderFate(Enum):
    """What a look-up by id says. UNKNOWN proves nothing for a young order, and may be all there is for a closed one."""

    LIVE = "LIVE"
    CLOSED = "CLOSED"  # matched, cancelled, expired or invalid: `matched` is final
    UNKNOWN = "UNKNOWN"


@frozen(kw_only=True)
class LookUp:
    """The answer to a look-up of one order by its id."""

    order_id: OrderId
    fate: OrderFate
    matched: Decimal = Decimal(0)


class TradeStatus(Enum):
    """PENDING may still fail; CONFIRMED and FAILED are final, and a FAILED trade never happened."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


@frozen(kw_only=True)
class Fill:
    """The part of one trade that one order of this wallet has in it (as a maker: its entry in `maker_orders`)."""

    trade_id: str
    order_id: OrderId
    token_id: TokenId
    side: Side  # of our order, never the taker's where we were the maker
    price: Decimal
    size: Decimal
    status: TradeStatus
    ts: Decimal  # match time, seconds
    maker: bool = True


@frozen(kw_only=True)
class SignedOrder:
    """An order ready to post. Its id is known already, so an intent can be made durable first."""

    order_id: OrderId
    token_id: TokenId
    side: Side
    price: Decimal
    size: Decimal
    expiration: int
    payload: Mapping[str, object] = field(repr=False)  # one element of `POST /orders`, without the owner


class Refusal(Enum):
    """Why the exchange refused, by what follows from it."""

    PRICE_MOVED = "PRICE_MOVED"  # would cross, off the tick: decided anew next cycle
    BALANCE = "BALANCE"  # not enough balance or allowance, perhaps a stale cache
    NOT_TRADABLE = "NOT_TRADABLE"  # closed, not ready, takes no orders, invalid token: will repeat
    STOPPED = "STOPPED"  # not by the exchange: the run was told to end before it was sent
    BUSY = "BUSY"  # rate limit, engine restarting, cancel-only or post-only mode: waited out
    ACCOUNT = "ACCOUNT"  # banned, closed-only, region, wrong wallet: the run stops
    CLIENT = "CLIENT"  # order version mismatch: this client must be updated; the run stops
    OTHER = "OTHER"  # anything else that is definite


class PostFate(Enum):
    """ACCEPTED: the exchange has the order. REFUSED: definitely not. UNKNOWN: look it up."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


@frozen(kw_only=True)
class PostAnswer:
    """What is known of one posted order, leg by leg."""

    order_id: OrderId
    fate: PostFate
    matched: Decimal = Decimal(0)  # shares that were filled at once
    refusal: Refusal | None = None
    words: str = ""  # the exchange's own reason, for people


@frozen(kw_only=True)
class CancelAnswer:
    """What is known of one cancelled order: `confirmed` is certainly not resting any more."""

    order_id: OrderId
    confirmed: bool
    matched: bool = False  # it was gone already, so it may have matched more than we knew
    words: str = ""


@frozen(kw_only=True)
class ToSign:
    """What the executor wants signed: a `Place` with the facts that only the execution knows."""

    token_id: TokenId
    side: Side
    price: Decimal
    size: Decimal
    tick_size: Decimal
    neg_risk: bool
    expiration: int
    post_only: bool


class Account(Protocol):
    """Our orders, fills and balances at the exchange. Needs a key."""

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """Every resting order of this wallet, the user's own included. Raises Unreachable or BadAnswer."""
        ...

    async def look_up(self, order_id: OrderId) -> LookUp:
        """One order by its id. Raises Unreachable or BadAnswer."""
        ...

    async def fills(self, *, after: Decimal) -> tuple[Fill, ...]:
        """Every fill of this wallet matched at or after `after`, oldest first. Raises Unreachable or BadAnswer."""
        ...

    async def cash(self) -> Decimal:
        """Collateral balance in pUSD, locks of resting orders not taken off. Raises Unreachable or BadAnswer."""
        ...

    async def balance(self, token_id: TokenId) -> Decimal:
        """The exchange's own balance of a token in shares, refreshed first. Raises Unreachable or BadAnswer."""
        ...

    async def refresh_cash(self) -> None:
        """Make the exchange read our collateral balance and allowance anew. Raises Unreachable or BadAnswer."""
        ...

    def sign(self, orders: Sequence[ToSign]) -> tuple[SignedOrder, ...]:
        """Sign, in order. No request is made."""
        ...

    async def post(
        self, orders: Sequence[SignedOrder], *, unless: Callable[[], bool] = lambda: False
    ) -> tuple[PostAnswer, ...]:
        """Post, in batches under the exchange's order bucket, first come first; one answer for each order, in order.

        Never raises and never posts anything twice: what is not known is `UNKNOWN`. A batch whose turn comes once
        `unless()` is true is not sent, and `REFUSED` as `STOPPED`.
        """
        ...

    async def cancel(self, order_ids: Sequence[OrderId]) -> tuple[CancelAnswer, ...]:
        """Cancel these orders and no others; one answer for each, in order. Never raises."""
        ...


# -- what is kept -----------------------------------------------------------------------------------------------------


class StateFile(Protocol):
    """One small document that survives a crash: written whole and durably, or not at all."""

    def load(self) -> bytes | None:
        """The good file's text, or None where there is none. Raises OSError."""
        ...

    def load_backup(self) -> bytes | None:
        """The previous good file's text, or None."""
        ...

    def save(self, document: bytes) -> None:
        """Replace the file durably (temp file, fsync, rename, directory fsync); keep the previous as the backup."""
        ...

    def keep_broken(self) -> str:
        """Move a file that does not parse aside, never over another; return the name it got."""
        ...

    def keep_broken_backup(self) -> str:
        """The same for the previous file: a later save would replace it."""
        ...


class Journal(Protocol):
    """One line for each cycle, in files by UTC day."""

    def append(self, now: Decimal, line: bytes) -> None:
        """Add one line (without its newline) to the file of the day of `now`. Raises OSError."""
        ...

    def exists(self) -> bool:
        """True when any line was ever written here."""
        ...


class Switch(Protocol):
    """The switch that stops everything: a person throws it, and it stays thrown until a person lifts it."""

    def thrown(self) -> bool:
        """True while nothing of ours may rest, and where that can't be told. Cheap, and never raises."""
        ...


class Clock(Protocol):
    """The time of day, and sleeping."""

    def now(self) -> Decimal:
        """Seconds since the epoch, to the millisecond."""
        ...

    async def sleep(self, seconds: Decimal) -> None:
        """Come back after about that long."""
        ...


# -- what only a check asks -------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Region:
    """Where the exchange takes us to be, and whether it takes orders from there. No network address."""

    blocked: bool
    country: str = ""  # ISO 3166-1, "" where it does not say


class Contract(Enum):
    """The three contracts that orders are settled by; each needs approvals of its own."""

    ORDINARY = "ordinary markets (Exchange V2)"
    NEG_RISK = "neg-risk markets (Neg-Risk Exchange V2)"
    V3 = "new markets (Exchange V3)"


@frozen(kw_only=True)
class Funds:
    """What the exchange has of one asset of ours, and how much of it each contract may take."""

    balance: Decimal  # pUSD, or shares
    allowances: Mapping[Contract, Decimal] = field(factory=dict)  # a contract that was not told of is absent


class Place(Protocol):
    """Where we trade from."""

    async def region(self) -> Region:
        """Raises Unreachable or BadAnswer."""
        ...


class ExchangeChecks(Protocol):
    """The exchange as a whole. Needs no key."""

    async def order_version(self) -> int:
        """Which orders it takes. Raises Unreachable or BadAnswer."""
        ...


class FeedChecks(PositionsFeed, Protocol):
    """The positions feed as a service."""

    version: int  # the one in use

    async def served_lag(self) -> Decimal | None:
        """Seconds that its answers lag behind the chain; None where it does not say. Raises nothing."""
        ...

    async def has_traded(self, wallet: str) -> bool:
        """Has this wallet ever done anything? Raises Unreachable or BadAnswer."""
        ...


class AccountChecks(Protocol):
    """The account behind a key. Nothing here places, cancels or moves anything.

    Every read raises Refused where the exchange definitely says no (banned, unauthorized), else Unreachable or
    BadAnswer.
    """

    async def has_credentials(self, *, make: bool) -> bool:
        """Are there API credentials for this key? With `make`, they are made where there are none."""
        ...

    async def closed_only(self) -> bool:
        """May the account only close what it has?"""
        ...

    async def funds(self, token_id: TokenId | None = None) -> Funds:
        """Collateral, or the shares of a token; the exchange reads its own books anew before it answers."""
        ...

    async def tier(self) -> str:
        """The name of the account's rate-limit tier, "" where the answer has none."""
        ...


# -- all of it --------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Ports:
    """Everything outside, as one cycle needs it. Without an `account` the run is dry: it sends and writes nothing."""

    feed: PositionsFeed
    resolver: Resolver
    market: MarketData
    clock: Clock
    account: Account | None = None
    state: StateFile | None = None
    journal: Journal | None = None
    switch: Switch | None = None

    def stopped(self) -> bool:
        """Has somebody stopped everything?"""
        return self.switch is not None and self.switch.thrown()
