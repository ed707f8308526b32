"""What a backtest found: the sums that a trader asks for, the curves, and on request every order, fill and decision.

Everything is plain records, exact; `frames` makes polars frames of them (the extra `frames`). Sums and curves are of
a bounded size however long the tape is: a curve that is full is thinned to half its points.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import asdict, define, field, frozen

from copytrade.app.backtest.assumptions import Assumptions, FillModel
from copytrade.domain.model import ZERO, Decision, OrderId, Side, TokenKey
from copytrade.domain.policy import Policy

if TYPE_CHECKING:
    import polars as pl

POINTS = 2000  # of a curve, at most
T = TypeVar("T")


@frozen(kw_only=True, weakref_slot=False)
class Fill:
    """One fill of ours."""

    at: Decimal
    order_id: OrderId
    token_key: TokenKey
    side: Side
    price: Decimal
    size: Decimal
    maker: bool
    fee: Decimal
    rebate: Decimal


@frozen(kw_only=True)
class OrderRecord:
    """One order of ours from its post on; `outcome` is what became of the post: accepted, refused or unknown."""

    at: Decimal
    order_id: OrderId
    token_key: TokenKey
    side: Side
    price: Decimal
    size: Decimal
    post_only: bool
    outcome: str
    words: str = ""


@frozen(kw_only=True)
class Decided:
    """One decision and when it was made."""

    at: Decimal
    decision: Decision


@frozen(kw_only=True, weakref_slot=False)
class Point:
    """Where everything stood at one poll, in pUSD."""

    at: Decimal
    equity: Decimal  # cash and shares at their last price
    cash: Decimal
    ideal: Decimal  # the same of a follower without costs and delays
    naive: Decimal  # the same of a taker who copies each trade
    gap: Decimal  # what we hold too much or too little, at the last price
    wanted: Decimal  # what the ideal follower holds


@frozen(kw_only=True)
class Held:
    """What is left of a token at the end."""

    token_key: TokenKey
    title: str
    shares: Decimal
    price: Decimal  # the last known
    value: Decimal
    traded: Decimal  # pUSD that we bought and sold of it


@frozen(kw_only=True)
class Summary:
    """The answer. Money in pUSD, times in seconds; shares of a whole from 0 to 1, None where there is no whole."""

    started_at: Decimal
    ended_at: Decimal
    polls: int
    decisions: int
    start_cash: Decimal
    cash: Decimal
    holdings: Decimal  # value of what is left, at its last price
    equity: Decimal
    pnl: Decimal
    bought: Decimal
    sold: Decimal
    payouts: Decimal
    fees: Decimal
    rebates: Decimal
    max_drawdown: Decimal  # the deepest fall from an earlier height
    tracking_error: Decimal | None  # mean gap / mean holding of the ideal follower
    leader_pnl: Decimal  # of all of his positions, at his prices
    ideal_pnl: Decimal  # follow_ratio x leader, without costs, delays and caps
    naive_pnl: Decimal  # a taker who copies each of his trades
    naive_fees: Decimal
    kept: Decimal | None  # pnl / ideal_pnl, where the ideal made a profit
    time_in_gap: Decimal | None  # part of all decisions in which a gap outside the band was open
    orders: int
    refused: int
    cancels: int
    fills: int
    filled_shares: Decimal
    ordered_shares: Decimal
    reasons: Mapping[str, int]
    unresolved: int  # tokens still held, valued at their last price
    longest_silence_sec: Decimal  # between two records of the tape, where it is longer than a poll
    covered: Decimal  # part of the time in which the tape was not silent (meter.py says when it is)


@frozen(kw_only=True)
class Result:
    """Everything that a run gives back. `orders`, `fills` and `decisions` are empty unless they were asked for."""

    tape: str
    fill_model: FillModel
    seed: int
    policy: Policy
    assumptions: Assumptions
    notes: tuple[str, ...]  # what the tape's source and the model assume, in words
    summary: Summary
    payouts: Mapping[TokenKey, Decimal]  # of every market that is over, in pUSD a share
    equity: tuple[Point, ...]
    positions: tuple[Held, ...]
    orders: tuple[OrderRecord, ...] = ()
    fills: tuple[Fill, ...] = ()
    decisions: tuple[Decided, ...] = ()

    def records(self, what: str) -> list[dict[str, Any]]:
        """`equity`, `positions`, `orders`, `fills` or `decisions` as plain dicts."""
        rows = getattr(self, what)
        if what == "decisions":
            return [{"at": row.at, **asdict(row.decision)} for row in rows]
        return [asdict(row) for row in rows]

    def frame(self, what: str) -> pl.DataFrame:
        """The same as a polars frame, numbers as floats. Needs the extra `frames`."""
        import polars as pl

        rows = [{name: _flat(value) for name, value in row.items()} for row in self.records(what)]
        return pl.DataFrame(rows, infer_schema_length=None)


def _flat(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return getattr(value, "value", value)


@define
class Curve(Generic[T]):
    """Points in time, never more than `POINTS`: when it is full every second one is dropped, and the stride doubles."""

    points: list[T] = field(factory=list)
    stride: int = 1
    _count: int = 0

    def due(self) -> bool:
        """Is the next point one that is kept?"""
        self._count += 1
        return (self._count - 1) % self.stride == 0

    def add(self, point: T) -> None:
        self.points.append(point)
        if len(self.points) >= POINTS:
            self.points = self.points[::2]
            self.stride *= 2


def part(some: Decimal, whole: Decimal) -> Decimal | None:
    """`some` of `whole`, to six decimals; None where there is no whole."""
    return (some / whole).quantize(Decimal("0.000001")) if whole > ZERO else None
