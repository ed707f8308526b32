"""The records that a decision is made of, and the records that a decision is.

A `Snapshot` holds every fact that one decision may use, the time among them; a `Plan` holds everything that was
decided. Both are values: nothing here reads a clock, a file or a network, and a record that makes no sense cannot be
built. Shares, prices and pUSD are `Decimal`; times are `Decimal` seconds since the epoch.

Not here: the settings (policy.py), what is remembered between cycles (memory.py).   Read next: plan.py
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum

from attrs import Attribute, field, frozen

from copytrade.domain.policy import Policy

TokenKey = str  # "{condition_id}:{outcome_index}", lower case: our internal key of an outcome
TokenId = str  # the exchange's asset id of that outcome, a canonical decimal string
OrderId = str  # the EIP-712 hash of the order, "0x…"

ZERO = Decimal(0)
ONE = Decimal(1)
CENT_SHARE = Decimal("0.01")  # sizes have two decimals at the exchange, and sizes within it are equal


class Side(Enum):
    """BUY takes shares for pUSD, SELL gives them."""

    BUY = "BUY"
    SELL = "SELL"


# The members as plain names, for what asks for each order's side: through the class it takes 70 ns in Python 3.11.
BUY, SELL = Side.BUY, Side.SELL


def not_negative(_: object, attribute: Attribute[Decimal], value: Decimal | None) -> None:
    if value is not None and not (value.is_finite() and value >= ZERO):
        raise ValueError(f"{attribute.name} must be finite and not negative, got {value}")


def a_price(_: object, attribute: Attribute[Decimal], value: Decimal | None) -> None:
    if value is not None and not (value.is_finite() and ZERO < value < ONE):
        raise ValueError(f"{attribute.name} must be inside (0, 1), got {value}")


def positive(_: object, attribute: Attribute[Decimal], value: Decimal) -> None:
    if not (value.is_finite() and value > ZERO):
        raise ValueError(f"{attribute.name} must be finite and above 0, got {value}")


def finite(_: object, attribute: Attribute[Decimal], value: Decimal) -> None:
    if not value.is_finite():
        raise ValueError(f"{attribute.name} must be finite, got {value}")


@frozen(kw_only=True)
class Position:
    """One outcome that a wallet holds, as the positions feed reports it."""

    token_key: TokenKey
    condition_id: str
    outcome_index: int
    size: Decimal = field(validator=not_negative)  # shares
    avg_price: Decimal = field(default=ZERO, validator=not_negative)  # pUSD per share, 0 = unknown
    token_id: TokenId | None = None  # the feed may lack it
    current_price: Decimal = field(default=ZERO, validator=not_negative)  # pUSD per share, 0 = unknown
    redeemable: bool = False  # resolved, not yet redeemed
    slug: str = ""
    title: str = ""
    end_date: str = ""


@frozen(kw_only=True)
class Positions:
    """One answer of the positions feed. Only one that is `ok` and not `incomplete` may be decided upon.

    Such a one has each token once: adapters and documents see to that.
    """

    ok: bool = True
    incomplete: bool = False
    positions: tuple[Position, ...] = ()

    @property
    def complete(self) -> bool:
        return self.ok and not self.incomplete


@frozen(kw_only=True, weakref_slot=False)
class Book:
    """The top of an order book without our own resting orders. A side that is None is empty."""

    best_bid: Decimal | None = field(default=None, validator=a_price)
    best_ask: Decimal | None = field(default=None, validator=a_price)
    tick_size: Decimal | None = field(default=None, validator=a_price)
    min_order_size: Decimal | None = field(default=None, validator=not_negative)  # shares
    last_trade_price: Decimal | None = field(default=None, validator=not_negative)  # 0 = unknown


@frozen(kw_only=True, weakref_slot=False)
class Order:
    """An order of ours (or, among the foreign ones, of the user's own), as far as we know it."""

    order_id: OrderId
    side: Side
    price: Decimal = field(validator=a_price)
    size: Decimal = field(validator=positive)  # shares
    matched: Decimal = field(default=ZERO, validator=not_negative)  # shares, at most `size`
    ts: Decimal = field(default=ZERO, validator=not_negative)  # when it was posted
    gone: bool = False  # certainly not resting any more, its final matched size unknown

    @matched.validator
    def _within_size(self, _: Attribute[Decimal], value: Decimal) -> None:
        if value > self.size:
            raise ValueError(f"matched must be at most size {self.size}, got {value}")

    @property
    def rest(self) -> Decimal:
        """Shares that are not matched yet."""
        return self.size - self.matched


@frozen(kw_only=True, weakref_slot=False)
class Ledger:
    """What we believe that our own trading did to one token since the last quiet moment."""

    base: Decimal = field(validator=not_negative)  # shares that were reported at the last quiet moment
    bought: Decimal = field(default=ZERO, validator=not_negative)  # shares, own fills since then
    sold: Decimal = field(default=ZERO, validator=not_negative)
    moved_at: Decimal = field(default=ZERO, validator=not_negative)  # when we learned the last fill; 0 = long ago
    seen: Decimal | None = field(default=None, validator=not_negative)  # size in the previous answer; None = as now
    final: bool = True  # every trade in the sums is CONFIRMED or FAILED
    avg_price: Decimal = field(
        default=ZERO, validator=not_negative
    )  # pUSD a share of base and bought cost; 0 = unknown
    ours: bool = True  # copytrade has traded it; False: an order of ours has filled nothing, or its state was lost

    @property
    def believed(self) -> Decimal:
        """Shares that we hold if every fill that we know of stands (L of DESIGN 4)."""
        return self.base + self.bought - self.sold

    @property
    def told(self) -> bool:
        """True of what was only told after a start on a lost state, and is no book of ours: a fill leaves its time."""
        return not self.final and not self.moved_at


@frozen(kw_only=True)
class Today:
    """What the UTC day of `now` has cost and made so far. How both are counted stands in day.py."""

    spent: Decimal = field(default=ZERO, validator=not_negative)  # pUSD that our BUYs have cost
    result: Decimal = field(default=ZERO, validator=finite)  # pUSD that the copied holdings have made; < 0 is a loss


@frozen(kw_only=True)
class Snapshot:
    """Every fact that one decision may use. The same snapshot gives the same plan for ever."""

    now: Decimal
    policy: Policy = field(factory=Policy)
    target: Positions = field(factory=Positions)
    mine: Positions = field(factory=Positions)
    token_map: Mapping[TokenKey, TokenId] = field(factory=dict)  # the positions' own token ids included
    books: Mapping[TokenId, Book] = field(factory=dict)  # a token without a book is absent
    orders_ok: bool = True  # False: my open orders could not be read
    open_orders: Mapping[TokenId, tuple[Order, ...]] = field(factory=dict)  # live orders of ours
    in_doubt: Mapping[TokenId, tuple[Order, ...]] = field(factory=dict)
    foreign_orders: Mapping[TokenId, tuple[Order, ...]] = field(factory=dict)  # the user's own on this wallet
    cash: Decimal | None = field(default=None, validator=not_negative)  # pUSD; None = not limited
    ledgers: Mapping[TokenKey, Ledger] = field(factory=dict)
    witnesses: Mapping[TokenKey, Decimal] = field(factory=dict)  # shares, the exchange's own balance
    target_history: tuple[Mapping[TokenKey, Decimal], ...] = ()  # sizes of earlier complete polls, oldest first
    holds: Mapping[TokenKey, Decimal] = field(factory=dict)  # the time from which orders are placed again
    today: Today | None = None  # None = nothing spent and nothing lost
    stopped: bool = False  # somebody has stopped everything, until he lifts it


@frozen(kw_only=True, weakref_slot=False)
class Exposure:
    """What we may truly hold of a token right now: at least `lo`, at most `hi` shares."""

    lo: Decimal
    hi: Decimal
    unsure: Decimal = ZERO  # shares of `lo`, a cent at most, that one of two sources that agree does not have
    warning: str = ""  # what a person should look at; never steers an action


class CancelReason(Enum):
    """Why an order of ours is taken down. The first that applies is given."""

    STOPPED = "STOPPED"  # somebody has stopped everything
    EXPIRED = "EXPIRED"  # older than order_ttl_sec
    WRONG_SIDE = "WRONG_SIDE"  # it would widen the gap
    SECOND_ORDER = "SECOND_ORDER"  # a newer one of ours rests on the token
    BLACKLISTED = "BLACKLISTED"  # hands off this token
    LEFT_ALONE = "LEFT_ALONE"  # resolved, a combo, or not ours to sell
    LIMIT = "LIMIT"  # a BUY that a limit forbids now
    OVERSHOOT = "OVERSHOOT"  # filled, it would go past the band


class Reason(Enum):
    """Why a token got its actions, or none: the first that applies. Each is explained in the README."""

    STOPPED = "STOPPED"  # somebody has stopped everything: our orders are cancelled, none is placed
    SAFE_MODE = "SAFE_MODE"  # the facts are incomplete: only expired orders are cancelled
    BLACKLISTED = "BLACKLISTED"  # hands off, by configuration
    COMBO = "COMBO"  # a combo has no order book
    REDEEMABLE = "REDEEMABLE"  # resolved: to be redeemed, not traded
    UNRESOLVED = "UNRESOLVED"  # its token id is not known (yet)
    IN_DOUBT = "IN_DOUBT"  # an order of ours may still rest there, its fate is being looked up
    RESTING = "RESTING"  # an order of ours rests there and is still good
    REQUOTED = "REQUOTED"  # taken down and placed anew
    QUOTED = "QUOTED"  # a new order
    ON_HOLD = "ON_HOLD"  # refusals that repeat, or a start on a lost state: orders again from a known time on
    NOT_OURS = "NOT_OURS"  # a sale would be due of what copytrade did not buy
    MARKET_DENIED = "MARKET_DENIED"  # allow_markets or deny_markets stops growth
    ENDS_SOON = "ENDS_SOON"  # min_hours_to_end stops growth
    DAILY_LOSS = "DAILY_LOSS"  # max_daily_loss stops growth
    TOKEN_CAP = "TOKEN_CAP"  # max_notional_per_token stops growth
    TOTAL_CAP = "TOTAL_CAP"  # max_notional_total stops growth
    DAILY_SPEND = "DAILY_SPEND"  # max_daily_spend stops growth
    NO_CASH = "NO_CASH"  # the collateral is spoken for
    NO_BOOK = "NO_BOOK"  # nobody quotes
    CROSSED_BOOK = "CROSSED_BOOK"  # bid at or above ask: not to be believed
    NO_ROOM = "NO_ROOM"  # no price on the tick that would rest
    PRICE_RANGE = "PRICE_RANGE"  # outside of min_open_price to max_open_price nothing is bought
    PRICE_GUARD = "PRICE_GUARD"  # the book is too far from the current price
    DUST = "DUST"  # the gap is smaller than the exchange's minimum order
    SETTLING = "SETTLING"  # a gap that may be closed already: waiting until we know
    UNCONFIRMED = "UNCONFIRMED"  # the target's decrease has to be seen again before we sell
    IN_BAND = "IN_BAND"  # the gap is inside the deadband


# Tokens that are not traded, whatever the numbers say.
LEFT_ALONE = frozenset({Reason.BLACKLISTED, Reason.COMBO, Reason.REDEEMABLE, Reason.UNRESOLVED, Reason.NOT_OURS})


@frozen(kw_only=True, weakref_slot=False)
class Cancel:
    """Take this order of ours down."""

    token_key: TokenKey | None
    token_id: TokenId
    order_id: OrderId
    reason: CancelReason


@frozen(kw_only=True, weakref_slot=False)
class Place:
    """An order that we want resting. It says what; the executor does it."""

    token_key: TokenKey
    token_id: TokenId
    side: Side
    price: Decimal = field(validator=a_price)  # pUSD per share, on the market's tick
    size: Decimal = field(validator=positive)  # shares, 2 decimals at most
    tick_size: Decimal = field(validator=a_price)  # the market's tick, which the signed amounts must fit
    post_only: bool = True


Action = Cancel | Place


@frozen(kw_only=True, weakref_slot=False)
class Decision:
    """What was found about one token, and why it got its actions or none. Facts for people: never steers an action."""

    token_key: TokenKey | None  # None: a live order of ours on a token that nothing else knows
    token_id: TokenId | None
    want_lo: Decimal
    want_hi: Decimal
    desired: Decimal  # the end of want that is nearer to the reported size
    lo: Decimal
    hi: Decimal
    delta: Decimal
    ref_price: Decimal | None
    reason: Reason
    warning: str = ""


class Mode(Enum):
    """NORMAL, or SAFE: a cycle on incomplete facts that cancels expired orders and does nothing else."""

    NORMAL = "normal"
    SAFE = "safe"


@frozen(kw_only=True)
class Plan:
    """The whole answer to a snapshot: cancels first, then places, each in a fixed order, and every reason."""

    mode: Mode
    actions: tuple[Action, ...]
    decisions: tuple[Decision, ...]

    @property
    def cancels(self) -> tuple[Cancel, ...]:
        return tuple(action for action in self.actions if isinstance(action, Cancel))

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(action for action in self.actions if isinstance(action, Place))
