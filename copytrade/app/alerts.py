"""What of a run is worth a message to a person who is not looking, as short lines of words.

    start, stop      with what the run found, or why it ended
    fill             each own fill
    exit             a position that our sales have closed, or whose market is resolved
    limit            everything was stopped, or lifted; a day's limit is reached
    safe_mode        incomplete facts for longer than `alert_after_sec`, and when that is over
    stale_feed       own fills that the positions feed does not show for so long
    warning          a warning that holds for so long
    refusal          a token whose orders were refused three times in a row
    account          the exchange refuses the account, and the run has ended
    summary          the day's sums, with the first cycle after 00:00 UTC

Each trouble is told once, and told again only after it was over. Everything here is a function of the cycles.

Not here: how messages are gathered, limited and sent (adapters/notifying.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum

from attrs import evolve, frozen

from copytrade.app.cli.render import shown, why_safe
from copytrade.app.cycle import STOPPED
from copytrade.app.folding import OVER_AFTER
from copytrade.app.outcomes import AccountRefused, Cycle, OwnFill
from copytrade.app.story import outside_band
from copytrade.app.watching import Seen, Started, Stopped
from copytrade.domain.amounts import CENT, equal
from copytrade.domain.day import DAY_SEC
from copytrade.domain.desired import poll_of
from copytrade.domain.model import ZERO, Mode, Reason, Side, Snapshot, TokenKey

REPEATS = 3  # refusals in a row


class Kind(Enum):
    """What a message is about; the words of `alert_on`."""

    START = "start"
    STOP = "stop"
    FILL = "fill"
    EXIT = "exit"
    LIMIT = "limit"
    SAFE_MODE = "safe_mode"
    STALE_FEED = "stale_feed"
    WARNING = "warning"
    REFUSAL = "refusal"
    ACCOUNT = "account"
    SUMMARY = "summary"


class Weight(Enum):
    """How much it matters: news, something to look at, something to do now."""

    INFO = 0
    WARNING = 1
    FAILURE = 2


@frozen(kw_only=True)
class Alert:
    """One line for a person."""

    at: Decimal
    kind: Kind
    words: str
    weight: Weight = Weight.INFO


@frozen(kw_only=True)
class _Day:
    """What a day's summary tells."""

    start: Decimal
    since: Decimal  # the first cycle that was counted
    fills: int = 0
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    refused: int = 0
    safe_sec: Decimal = ZERO
    cycles: int = 0


class Alerts:
    """The watcher that makes messages of a run, and hands each to `send`."""

    def __init__(self, send: Callable[[Alert], None], *, on: frozenset[Kind], after_sec: Decimal) -> None:
        """`on` are the kinds that are wanted; `after_sec` is how long a trouble must last."""
        self._send = send
        self._on = on
        self._after_sec = after_sec
        self._lasting = _Lasting(after_sec)
        self._held: dict[TokenKey, Decimal] = {}
        self._sold: set[TokenKey] = set()
        self._resolved: frozenset[TokenKey] | None = None  # None: not known yet, so that no start tells of old ones
        self._refused: dict[TokenKey, int] = {}
        self._stopped = False
        self._limits: set[tuple[Decimal, Reason]] = set()
        self._titles: dict[TokenKey, str] = {}
        self._day: _Day | None = None
        self._last: Cycle | None = None
        self._name = ""
        self.ended = False  # the end was told, or the beginning never came

    def on_start(self, started: Started) -> None:
        policy = started.config.policy
        self._name = "dry run" if started.dry else "live run"
        words = f"{self._name} started: {policy.follow_ratio} of {policy.target_address} for {policy.my_address}"
        self._tell(started.at, Kind.START, words)
        for note in started.notes:
            self._tell(started.at, Kind.START, note, Weight.WARNING)

    def on_cycle(self, seen: Seen) -> None:
        cycle = seen.cycle
        self._titles.update(cycle.titles)
        self._count(cycle)
        for tell in (self._fills, self._exits, self._limits_of, self._troubles, self._refusals):
            for alert in tell(cycle):
                self._tell(alert.at, alert.kind, alert.words, alert.weight)
        self._last = cycle

    def on_stop(self, stopped: Stopped) -> None:
        self.ended = True
        ending, error = stopped.ending, stopped.error
        if ending is None:
            account = isinstance(error, AccountRefused)
            kind = Kind.ACCOUNT if account else Kind.STOP
            self._tell(stopped.at, kind, f"the run has ended: {_first_line(error)}", Weight.FAILURE)
            return
        self._tell(stopped.at, Kind.STOP, f"the {self._name} was stopped after {_many(ending.cycles, 'cycle')}")
        if ending.may_rest:
            many = _many(len(ending.may_rest), "order")
            words = f"{many} could not be confirmed as cancelled; what rests expires within minutes"
            self._tell(stopped.at, Kind.STOP, words, Weight.WARNING)
        if ending.not_saved:
            self._tell(stopped.at, Kind.STOP, f"the state is not saved: {ending.not_saved}", Weight.FAILURE)

    def not_started(self, at: Decimal, error: BaseException) -> None:
        """The run was refused before it began."""
        self.ended = True
        self._tell(at, Kind.STOP, f"a start was refused: {_first_line(error)}", Weight.FAILURE)

    def _tell(self, at: Decimal, kind: Kind, words: str, weight: Weight = Weight.INFO) -> None:
        if kind in self._on:
            self._send(Alert(at=at, kind=kind, words=words, weight=weight))

    # -- what happened ------------------------------------------------------------------------------------------------

    def _fills(self, cycle: Cycle) -> Iterator[Alert]:
        for fill in cycle.fills:
            if fill.side is Side.SELL:
                self._sold.add(fill.token_key)
            back = fill.shares < 0
            weight = Weight.WARNING if back else Weight.INFO
            yield self._alert(cycle, Kind.FILL, f"{_of(fill)}: {self._title(fill.token_key)}", weight)

    def _exits(self, cycle: Cycle) -> Iterator[Alert]:
        """Positions that were held in the last whole cycle and are not any more, and that we have sold of."""
        if cycle.plan.mode is not Mode.NORMAL:
            return
        held = {one.token_key: one.hi for one in cycle.plan.decisions if one.token_key is not None and one.hi > CENT}
        for key in self._held.keys() - held.keys():
            if key in self._sold:
                self._sold.discard(key)
                yield self._alert(cycle, Kind.EXIT, f"position closed: {self._title(key)}")
        self._held = held
        rows = {row.token_key: row for row in cycle.snapshot.mine.positions if row.redeemable and row.size > 0}
        for key in sorted(rows.keys() - (rows.keys() if self._resolved is None else self._resolved)):
            worth = shown(rows[key].size * rows[key].current_price)
            words = f"resolved: {shown(rows[key].size)} shares are worth {worth} pUSD, to be redeemed by you"
            yield self._alert(cycle, Kind.EXIT, f"{words}: {self._title(key)}")
        self._resolved = frozenset(rows)

    def _limits_of(self, cycle: Cycle) -> Iterator[Alert]:
        snapshot = cycle.snapshot
        if snapshot.stopped is not self._stopped:
            words = "everything is stopped: nothing is placed" if snapshot.stopped else "the stop was lifted"
            self._stopped = snapshot.stopped
            yield self._alert(cycle, Kind.LIMIT, words, Weight.WARNING)
        today = snapshot.now - snapshot.now % DAY_SEC
        self._limits = {told for told in self._limits if told[0] == today}
        reasons = {one.reason for one in cycle.plan.decisions}
        for reason in (Reason.DAILY_LOSS, Reason.DAILY_SPEND):
            if reason in reasons and (today, reason) not in self._limits and snapshot.today is not None:
                self._limits.add((today, reason))
                if reason is Reason.DAILY_LOSS:
                    words = f"the day's loss is {shown(-snapshot.today.result)} pUSD: nothing is bought (DAILY_LOSS)"
                else:
                    words = (
                        f"the day's BUYs have cost {shown(snapshot.today.spent)} pUSD: DAILY_SPEND holds the next back"
                    )
                yield self._alert(cycle, Kind.LIMIT, words, Weight.WARNING)

    def _refusals(self, cycle: Cycle) -> Iterator[Alert]:
        for result in cycle.results:
            key = result.token_key
            if result.action != "place" or key is None:
                continue
            if result.outcome == "accepted":
                self._refused.pop(key, None)
            elif result.outcome == "refused":
                self._refused[key] = self._refused.get(key, 0) + 1
                if self._refused[key] == REPEATS:
                    words = f"refused {REPEATS} times in a row: {self._title(key)}: {result.words}"
                    yield self._alert(cycle, Kind.REFUSAL, words, Weight.WARNING)

    # -- what lasts ---------------------------------------------------------------------------------------------------

    def _troubles(self, cycle: Cycle) -> Iterator[Alert]:
        """Safe mode, a feed that does not follow, warnings: told once they have lasted, and when they are over."""
        snapshot = cycle.snapshot
        now: dict[tuple[Kind, str], str] = {}
        if why := why_safe(snapshot):
            now[Kind.SAFE_MODE, ""] = f"safe mode: {' and '.join(why)}; only expired orders are cancelled"
        if stale := _not_shown(snapshot):
            words = f"the positions feed does not show what we have traded, on {_many(stale, 'token')}"
            now[Kind.STALE_FEED, ""] = words
        told = {STOPPED, *(f"{one.token_key}: {one.warning}" for one in cycle.plan.decisions)}  # told otherwise
        now |= {(Kind.WARNING, words): words for words in cycle.warnings if words not in told}
        for (kind, _), words, since, over in self._lasting.take(now, snapshot.now):
            minutes = int((snapshot.now - since) / 60)
            if not over:
                yield self._alert(cycle, kind, f"for {minutes} min: {words}", Weight.WARNING)
            elif kind is not Kind.WARNING:
                yield self._alert(cycle, kind, f"over, after {minutes} min: {words.partition(':')[0]}")

    # -- the day ------------------------------------------------------------------------------------------------------

    def _count(self, cycle: Cycle) -> None:
        """Add to the day's sums; with a new day, tell those of the old one first."""
        now = cycle.snapshot.now
        start = now - now % DAY_SEC
        if self._day is None or self._day.start != start:
            if self._day is not None and self._last is not None and start > self._day.start:
                self._tell(now, Kind.SUMMARY, self._summary(self._day, self._last))
            self._day = _Day(start=start, since=now)
        day = self._day
        amounts = {
            side: sum((fill.shares * fill.price for fill in cycle.fills if fill.side is side), ZERO) for side in Side
        }
        safe = cycle.plan.mode is Mode.SAFE and self._last is not None
        self._day = evolve(
            day,
            fills=day.fills + len(cycle.fills),
            bought=day.bought + amounts[Side.BUY],
            sold=day.sold + amounts[Side.SELL],
            refused=day.refused + sum(one.outcome == "refused" for one in cycle.results),
            safe_sec=day.safe_sec + (now - self._last.snapshot.now if safe and self._last is not None else ZERO),
            cycles=day.cycles + 1,
        )

    def _summary(self, day: _Day, last: Cycle) -> str:
        snapshot = last.snapshot
        date = datetime.fromtimestamp(int(day.start), UTC).strftime("%Y-%m-%d")
        since = "" if day.since - day.start < 3600 else f" since {_clock(day.since)}"
        made = "" if snapshot.today is None else f", the day made {shown(snapshot.today.result)} pUSD"
        cash = "" if snapshot.cash is None else f", cash {shown(snapshot.cash)}"
        refused = f", {_many(day.refused, 'refusal')}" if day.refused else ""
        safe = f", safe mode for {int(day.safe_sec / 60)} min" if day.safe_sec >= 60 else ""
        held = sum(1 for row in snapshot.mine.positions if row.size > CENT)
        return (
            f"{date}{since}: {_many(day.fills, 'fill')}, "
            f"bought {shown(day.bought)}, sold {shown(day.sold)} pUSD{made}; "
            f"{_many(held, 'position')}, {_many(outside_band(last.plan.decisions, snapshot), 'gap')} open{cash}; "
            f"{_many(day.cycles, 'cycle')}{refused}{safe}"
        )

    def _alert(self, cycle: Cycle, kind: Kind, words: str, weight: Weight = Weight.INFO) -> Alert:
        return Alert(at=cycle.snapshot.now, kind=kind, words=words, weight=weight)

    def _title(self, key: TokenKey) -> str:
        return self._titles.get(key) or key


class _Lasting:
    """Troubles that hold from cycle to cycle: each told once when it has lasted, and when it has gone for good."""

    def __init__(self, after_sec: Decimal) -> None:
        self._after_sec = after_sec
        self._known: dict[tuple[Kind, str], tuple[Decimal, str, bool, int]] = {}  # since, words, told, cycles without

    def take(
        self, present: dict[tuple[Kind, str], str], now: Decimal
    ) -> Iterator[tuple[tuple[Kind, str], str, Decimal, bool]]:
        """What is present in this cycle; gives (what, words, since, is it over) of what is to be told."""
        for what, words in present.items():
            since, _, told, _ = self._known.get(what, (now, words, False, 0))
            if not told and now - since >= self._after_sec:
                yield what, words, since, False
                told = True
            self._known[what] = since, words, told, 0
        for what in self._known.keys() - present.keys():
            since, words, told, missing = self._known[what]
            if missing + 1 < OVER_AFTER:
                self._known[what] = since, words, told, missing + 1
                continue
            del self._known[what]
            if told:
                yield what, words, since, True


def _not_shown(snapshot: Snapshot) -> int:
    """On how many tokens the feed and our own fills differ. For a while that is just its lag."""
    if not snapshot.mine.complete:
        return 0
    reported = poll_of(snapshot.mine)
    ledgers = {key: ledger for key, ledger in snapshot.ledgers.items() if not ledger.told}
    return sum(not equal(reported.get(key, ZERO), one.believed) for key, one in ledgers.items())


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _of(fill: OwnFill) -> str:
    verb = "bought" if fill.side is Side.BUY else "sold"
    words = f"{verb} {shown(abs(fill.shares))} @ {fill.price}, {shown(abs(fill.shares) * fill.price)} pUSD"
    return f"TAKEN BACK, its trade failed: {words}" if fill.shares < 0 else words


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return (
        name if not lines else lines[0] if name.endswith(("Refused", "Approved", "ToStart")) else f"{name}: {lines[0]}"
    )


def _clock(seconds: Decimal) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%H:%M:%S UTC")
