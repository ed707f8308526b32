"""What is counted while a run goes on, at a cost and a size that do not grow with its length.

A tape is silent between two records that are further apart than five polls, and than five minutes: nobody knows what
happened then. The run goes on deciding, but no price moves and nothing fills; so the result says how much of it that
is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from attrs import define, field

from copytrade.app.backtest.result import Curve, Held, Point, Summary, part
from copytrade.app.backtest.world import World
from copytrade.domain.model import ONE, ZERO, Plan, Reason, TokenKey
from copytrade.domain.policy import Policy
from copytrade.domain.records import maker

SILENT_POLLS = 5
SILENT_SEC = Decimal(300)

_REASONS = {id(reason): reason for reason in Reason}


def duration(seconds: Decimal) -> str:
    """A stretch of time for people.

    >>> duration(Decimal(54_060)), duration(Decimal(95))
    ('15 h 1 min', '1 min 35 s')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


# What the shares of one token are worth at its last price, in pUSD: ours, the leader's, what we hold too much or too
# little, the naive taker's.
Worth = tuple[Decimal, Decimal, Decimal, Decimal]

NO_WORTH: Worth = (ZERO, ZERO, ZERO, ZERO)

new_point = maker(Point)


def _total(worths: Iterable[Decimal]) -> Decimal:
    return sum(worths, ZERO)


@define(kw_only=True, eq=False)
class Meter:
    """Fed at every poll, post and fill; asked once, at the end."""

    policy: Policy
    world: World
    curve: Curve[Point] = field(factory=Curve)
    cancels: int = 0
    _polls: int = 0
    _decisions: int = 0
    _gaps: int = 0
    _reasons: Counter[int] = field(factory=Counter)  # by id: an enum's own hash and value are slow calls in Python 3.11
    _orders: int = 0
    _refused: int = 0
    _ordered: Decimal = ZERO
    _peak: Decimal | None = None
    _drawdown: Decimal = ZERO
    _gap_sum: Decimal = ZERO
    _wanted_sum: Decimal = ZERO
    _worths: dict[TokenKey, Worth] = field(factory=dict)
    _silent: Decimal = ZERO  # seconds
    _silences: int = 0
    _longest: tuple[Decimal, Decimal] = (ZERO, ZERO)  # seconds, and when it began

    def posted(self, size: Decimal, outcome: str) -> None:
        self._orders += 1
        self._ordered += size
        self._refused += outcome == "refused"

    def silence(self, since: Decimal, until: Decimal) -> None:
        """The tape has no record between these two times."""
        lasted = until - since
        if lasted > self._longest[0]:
            self._longest = (lasted, since)
        if lasted > max(SILENT_POLLS * self.world.given.poll_interval_sec, SILENT_SEC):
            self._silent += lasted
            self._silences += 1

    def silences(self) -> str | None:
        """What the run has to assume where the tape is silent, in words; None where it never is."""
        if not self._silences:
            return None
        lasted, since = self._longest
        began = datetime.fromtimestamp(int(since), UTC)
        many = "once" if self._silences == 1 else f"{self._silences:,} times, the longest"
        return (
            f"the tape is silent {many} for {duration(lasted)} from {began:%Y-%m-%d %H:%M} UTC, and tells of "
            f"{self._covered() * 100:.1f} % of its time; in a silence no price moves and nothing fills"
        )

    def _covered(self) -> Decimal:
        whole = self.world.last_at - self.world.first_at
        return (part(whole - self._silent, whole) or ZERO) if whole else ONE

    def polled(self, now: Decimal, decided: Plan) -> None:
        """One poll has been decided: where does everything stand?"""
        self._polls += 1
        self._decisions += len(decided.decisions)
        self._reasons.update([id(decision.reason) for decision in decided.decisions])
        deltas = [decision.delta for decision in decided.decisions if decision.delta is not ZERO]
        self._gaps += sum(map(self.policy.deadband_shares.__lt__, map(abs, deltas)))
        point = self._point(now)
        self._gap_sum += point.gap
        self._wanted_sum += point.wanted
        if self.curve.due():
            self.curve.add(point)

    def _point(self, now: Decimal) -> Point:
        world, ratio = self.world, self.policy.follow_ratio
        account, naive = world.account, world.naive.account
        for key in world.revalued:
            self._worths[key] = self._worth(key)
        world.revalued.clear()
        holdings, ideal, gap, copied = map(_total, zip(NO_WORTH, *self._worths.values(), strict=True))
        equity = account.cash + holdings
        if self._peak is None or equity > self._peak:
            self._peak = equity
        self._drawdown = max(self._drawdown, self._peak - equity)
        return new_point(
            at=now,
            equity=equity,
            cash=account.cash,
            ideal=account.start_cash + ratio * (world.leader.cash + ideal),
            naive=naive.cash + copied,
            gap=gap,
            wanted=ratio * ideal,
        )

    def _worth(self, key: TokenKey) -> Worth:
        world, ratio = self.world, self.policy.follow_ratio
        mark, his = world.marks.get(key), world.leader.shares.get(key)
        if mark is None:
            return NO_WORTH
        mine, naive = world.account.shares.get(key), world.naive.account.shares.get(key)
        ours, copied = mine * mark if mine else ZERO, naive * mark if naive else ZERO
        if his is None:
            return ours, ZERO, ours, copied
        worth = his * mark
        return ours, worth, abs(ratio * his - mine) * mark if mine else ratio * worth, copied

    def summary(self) -> Summary:
        """The sums, as they stand at the end of the tape."""
        world = self.world
        started_at, ended_at, marks = world.first_at, world.last_at, world.marks
        end = self._point(ended_at)
        self.curve.points.append(end)
        account, naive = world.account, world.naive.account
        leader_pnl = world.leader.equity(marks)
        ideal_pnl = self.policy.follow_ratio * leader_pnl
        pnl = end.equity - account.start_cash
        return Summary(
            started_at=started_at,
            ended_at=ended_at,
            polls=self._polls,
            decisions=self._decisions,
            start_cash=account.start_cash,
            cash=account.cash,
            holdings=end.equity - account.cash,
            equity=end.equity,
            pnl=pnl,
            bought=account.bought,
            sold=account.sold,
            payouts=account.payouts,
            fees=account.fees,
            rebates=account.rebates,
            max_drawdown=self._drawdown,
            tracking_error=part(self._gap_sum, self._wanted_sum),
            leader_pnl=leader_pnl,
            ideal_pnl=ideal_pnl,
            naive_pnl=end.naive - naive.start_cash,
            naive_fees=naive.fees,
            kept=part(pnl, ideal_pnl),
            time_in_gap=part(Decimal(self._gaps), Decimal(self._decisions)),
            orders=self._orders,
            refused=self._refused,
            cancels=self.cancels,
            fills=self.world.fill_count,
            filled_shares=self.world.filled_shares,
            ordered_shares=self._ordered,
            reasons={_REASONS[one].value: count for one, count in self._reasons.most_common()},
            unresolved=sum(1 for size in account.shares.values() if size),
            longest_silence_sec=self._longest[0],
            covered=self._covered(),
        )

    def positions(self) -> tuple[Held, ...]:
        """Every token that we traded, the most traded first."""
        rows = []
        for token in self.world.tokens.values():
            shares = self.world.account.shares.get(token.key, ZERO)
            if token.traded or shares:
                price = self.world.marks.get(token.key, ZERO)
                rows.append(
                    Held(
                        token_key=token.key,
                        title=token.title,
                        shares=shares,
                        price=price,
                        value=shares * price,
                        traded=token.traded,
                    )
                )
        return tuple(sorted(rows, key=lambda row: (-row.traded, row.token_key)))
