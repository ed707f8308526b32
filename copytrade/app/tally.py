"""What a run adds up as it goes, so that the last line of a journal tells the whole: profit, tracking, fills, trouble.

Each line of the journal carries the sums up to it, and a run goes on from the last line that it finds. So whoever looks
(`copytrade status`) reads one line, however many days there are.

    gain          what the price moves of the shares that we hold made, and for each own fill the difference between the
                  price at which it is first seen and its own: shares × (price now - price before) + fill × (price now -
                  fill's price). Deposits, payouts and the user's own trades are no profit and no loss. Fees not taken
                  off, rebates not added.
    leader_gain   the same of the leader's shares, without his fills: what holding what he held made. He may have traded
                  at better prices than those that we see, or worse.
    tracking      |want - held| in pUSD, over wanted in pUSD, both summed over the cycles

A share is worth what the positions feed says (`current_price`); where it says nothing, that token counts in no sum.
Cycles on incomplete facts are left out of gain and tracking; the next whole one makes up for them.

Not here: what the rest of a journal line is (documents.py), who writes it (wiring/running.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal, localcontext

import msgspec
from attrs import evolve, field, frozen

from copytrade.app.outcomes import Cycle, OwnFill, Result
from copytrade.domain.amounts import EXACT
from copytrade.domain.model import (
    LEFT_ALONE,
    ZERO,
    Decision,
    Mode,
    Positions,
    Side,
    Snapshot,
    TokenKey,
)

DAY_SEC = 86400
MICRO = Decimal("0.000001")
HIGHEST_FEE_RATE = Decimal("0.07")  # of shares × p × (1 - p), for a taker (API.md, Fees)


@frozen(kw_only=True)
class Said:
    """Words that a person should see, and when they were last true."""

    at: Decimal
    words: str
    token_key: TokenKey | None = None
    title: str = ""


@frozen(kw_only=True)
class Day:
    """The sums of one UTC day. Money is pUSD at the prices of our orders."""

    number: int = 0  # days since the epoch
    orders: int = 0  # accepted by the exchange
    fills: int = 0
    bought_shares: Decimal = ZERO
    bought: Decimal = ZERO
    sold_shares: Decimal = ZERO
    sold: Decimal = ZERO
    fees_at_most: Decimal = ZERO  # an estimate: makers pay nothing, takers up to HIGHEST_FEE_RATE


@frozen(kw_only=True)
class Tally:
    """All sums, as they stand after one cycle."""

    since: Decimal  # when the counting began
    run_started_at: Decimal  # when the process began that wrote this
    cycles: int = 0
    gain: Decimal = ZERO
    leader_gain: Decimal = ZERO
    gap_sum: Decimal = ZERO
    wanted_sum: Decimal = ZERO
    fees_at_most: Decimal = ZERO
    today: Day = Day()
    gap_since: Mapping[TokenKey, Decimal] = field(factory=dict)  # tokens out of the band, and since when
    last_warning: Said | None = None
    last_refusal: Said | None = None
    refused: Mapping[TokenKey, Said] = field(factory=dict)  # the last refusal of each token that took no order since
    last_fill: Said | None = None

    @property
    def tracking_error(self) -> Decimal | None:
        """The mean gap as a part of what was wanted; None while nothing was."""
        return self.gap_sum / self.wanted_sum if self.wanted_sum else None


class Counting:
    """The tally of a run, kept up to date. `previous` is the snapshot that the tally's last cycle decided on."""

    def __init__(self, tally: Tally, previous: Snapshot | None = None) -> None:
        self.tally = tally
        self._previous = previous if previous is not None and _whole(previous) else None
        self._waiting: tuple[OwnFill, ...] = ()  # fills that no whole snapshot has shown yet

    def count(self, happened: Cycle) -> Tally:
        """Add one cycle."""
        with localcontext(EXACT):
            self.tally = self._counted(happened)
        return self.tally

    def _counted(self, happened: Cycle) -> Tally:
        snapshot = happened.snapshot
        tally = _with_news(self.tally, happened)
        if not _whole(snapshot) or happened.plan.mode is not Mode.NORMAL:
            self._waiting += happened.fills
            return tally
        # What was matched as it was posted came after the snapshot: the next one shows it.
        posted = {result.order_id for result in happened.results if result.action == "place"}
        now = prices(snapshot)
        known = (*self._waiting, *(fill for fill in happened.fills if fill.order_id not in posted))
        self._waiting = tuple(fill for fill in happened.fills if fill.order_id in posted)
        gain = _by_fills(known, now)
        leader_gain = ZERO
        if self._previous is not None:
            before = prices(self._previous)
            gain += _by_moves(shares(self._previous), before, now)
            leader_gain = _by_moves(_sizes(self._previous.target), before, now)
        gap, wanted = tracking(snapshot, happened.plan.decisions, now)
        self._previous = snapshot
        return evolve(
            tally,
            gain=tally.gain + gain.quantize(MICRO),
            leader_gain=tally.leader_gain + leader_gain.quantize(MICRO),
            gap_sum=tally.gap_sum + gap.quantize(MICRO),
            wanted_sum=tally.wanted_sum + wanted.quantize(MICRO),
            gap_since=_gaps(tally.gap_since, happened.plan.decisions, snapshot),
        )


# -- what the numbers are made of -------------------------------------------------------------------------------------


def prices(snapshot: Snapshot) -> dict[TokenKey, Decimal]:
    """What a share of each token is worth by the positions feed, in pUSD; 0 only where that is the payout."""
    rows = (*snapshot.target.positions, *snapshot.mine.positions)  # ours win
    return {row.token_key: row.current_price for row in rows if row.current_price > 0 or row.redeemable}


def shares(snapshot: Snapshot) -> dict[TokenKey, Decimal]:
    """What we hold of each token: by our own fills where we have traded it, else as reported."""
    ledgers = {key: ledger for key, ledger in snapshot.ledgers.items() if not ledger.told}
    return {**_sizes(snapshot.mine), **{key: max(one.believed, ZERO) for key, one in ledgers.items()}}


def tracking(
    snapshot: Snapshot, decisions: Collection[Decision], now: Mapping[TokenKey, Decimal]
) -> tuple[Decimal, Decimal]:
    """How far from our wants we are, and what we want, both in pUSD; tokens that are left alone count in neither."""
    held, gap, wanted = shares(snapshot), ZERO, ZERO
    for one in decisions:
        price = now.get(one.token_key or "")
        if price is not None and one.reason not in LEFT_ALONE and one.token_key is not None:
            gap += abs(one.desired - held.get(one.token_key, ZERO)) * price
            wanted += one.desired * price
    return gap, wanted


def _whole(snapshot: Snapshot) -> bool:
    return snapshot.target.complete and snapshot.mine.complete and snapshot.orders_ok


def _sizes(positions: Positions) -> dict[TokenKey, Decimal]:
    return {row.token_key: row.size for row in positions.positions}


def _by_moves(
    held: Mapping[TokenKey, Decimal], before: Mapping[TokenKey, Decimal], now: Mapping[TokenKey, Decimal]
) -> Decimal:
    return sum(
        (size * (now[key] - before[key]) for key, size in held.items() if key in before and key in now), start=ZERO
    )


def _by_fills(fills: Collection[OwnFill], now: Mapping[TokenKey, Decimal]) -> Decimal:
    total = ZERO
    for fill in fills:
        edge = now.get(fill.token_key, fill.price) - fill.price
        total += fill.shares * (edge if fill.side is Side.BUY else -edge)
    return total


def _gaps(
    since: Mapping[TokenKey, Decimal], decisions: Collection[Decision], snapshot: Snapshot
) -> dict[TokenKey, Decimal]:
    band = snapshot.policy.deadband_shares
    return {
        one.token_key: since.get(one.token_key, snapshot.now)
        for one in decisions
        if one.token_key is not None and one.reason not in LEFT_ALONE and abs(one.delta) > band
    }


# -- news -------------------------------------------------------------------------------------------------------------


def _with_news(tally: Tally, happened: Cycle) -> Tally:
    """What counts in every cycle, on whole facts or not."""
    now = happened.snapshot.now
    number = int(now) // DAY_SEC
    today = tally.today if tally.today.number == number else Day(number=number)
    fee = sum((_fee_at_most(fill, happened.snapshot) for fill in happened.fills), ZERO)
    refusals = [one for one in happened.results if one.outcome == "refused"]
    return evolve(
        tally,
        cycles=tally.cycles + 1,
        fees_at_most=tally.fees_at_most + fee,
        today=_day_with(today, happened, fee),
        last_warning=Said(at=now, words=[*happened.warnings][-1]) if happened.warnings else tally.last_warning,
        last_refusal=_said(happened, refusals[-1].words, refusals[-1].token_key) if refusals else tally.last_refusal,
        refused=_refused(tally.refused, happened),
        last_fill=_last_fill(happened) or tally.last_fill,
    )


def _refused(before: Mapping[TokenKey, Said], happened: Cycle) -> dict[TokenKey, Said]:
    after = dict(before)
    for one in happened.results:
        if one.token_key is not None and one.outcome == "refused":
            after[one.token_key] = Said(at=happened.snapshot.now, words=one.words)
        elif one.token_key is not None and one.outcome == "accepted":
            after.pop(one.token_key, None)
    return after


def _day_with(day: Day, happened: Cycle, fee: Decimal) -> Day:
    bought = [fill for fill in happened.fills if fill.side is Side.BUY]
    sold = [fill for fill in happened.fills if fill.side is Side.SELL]
    return evolve(
        day,
        orders=day.orders + sum(1 for one in happened.results if one.outcome == "accepted"),
        fills=day.fills + sum(1 for fill in happened.fills if fill.shares > 0),
        bought_shares=day.bought_shares + sum((fill.shares for fill in bought), ZERO),
        bought=day.bought + sum((fill.shares * fill.price for fill in bought), ZERO),
        sold_shares=day.sold_shares + sum((fill.shares for fill in sold), ZERO),
        sold=day.sold + sum((fill.shares * fill.price for fill in sold), ZERO),
        fees_at_most=day.fees_at_most + fee,
    )


def _fee_at_most(fill: OwnFill, snapshot: Snapshot) -> Decimal:
    if snapshot.policy.maker_only:
        return ZERO
    return (fill.shares * HIGHEST_FEE_RATE * fill.price * (1 - fill.price)).quantize(MICRO)


def _last_fill(happened: Cycle) -> Said | None:
    if not happened.fills:
        return None
    last = happened.fills[-1]
    verb = "bought" if last.side is Side.BUY else "sold"
    return _said(happened, f"{verb} {last.shares} @ {last.price}", last.token_key)


def _said(happened: Cycle, words: str, token_key: TokenKey | None) -> Said:
    title = happened.titles.get(token_key or "", "")
    return Said(at=happened.snapshot.now, words=words, token_key=token_key, title=title)


# -- in the journal ---------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Notes:
    """What a journal line says beside snapshot and plan; all of it may be missing in a line of an older version."""

    cycle: int | None = None
    took_sec: Decimal | None = None
    warnings: tuple[str, ...] = ()
    fills: tuple[OwnFill, ...] = ()
    tally: Tally | None = None


@frozen(kw_only=True)
class Beside:
    """A journal line without its snapshot and plan."""

    results: tuple[Result, ...] = ()
    notes: Notes = Notes()


_decode_beside = msgspec.json.Decoder(Beside).decode


def notes_object(happened: Cycle, tally: Tally) -> dict[str, object]:
    """The notes of a line, as plain objects."""
    rows: dict[str, object] = {"cycle": happened.number, "took_sec": happened.ended_at - happened.started_at}
    if happened.warnings:
        rows["warnings"] = list(happened.warnings)
    if happened.fills:
        rows["fills"] = [_members(fill) for fill in happened.fills]
    return {**rows, "tally": _members(tally)}


def _members(record: object) -> dict[str, object]:
    """The fields of a record and of the records in it; what is None is left out."""
    members = msgspec.to_builtins(record, builtin_types=(Decimal,))
    return {name: value for name, value in members.items() if value is not None}


def read_beside(line: bytes) -> Beside:
    """Results and notes of a journal line; nothing of what an unknown version wrote in an unknown form."""
    try:
        return _decode_beside(line)
    except (msgspec.MsgspecError, ValueError, ArithmeticError):
        return Beside()
