"""A run in numbers, by the conventions of Prometheus: what is counted, what is read off each cycle, and their names.

    counters     only ever grow, from 0 at the start of the process; their names end in _total
    gauges       what the last cycle found
    a histogram  how long cycles take

`FAMILIES` is the whole of it, and docs/metrics.md tells the same. `Readings` is a value: `after(readings, seen)` gives
the next one, so that whoever is asked for it in the meantime has a whole one.

Not here: how they are served (adapters/prometheus.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from attrs import evolve, field, frozen

from copytrade import __version__
from copytrade.app.story import outside_band, rows_of, sums_of
from copytrade.app.watching import Seen, Started
from copytrade.domain.model import LEFT_ALONE, ZERO, Mode, Reason, Side

Labels = tuple[str, ...]
Series = tuple[str, Labels]  # of which family, with which values of its labels

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
BUCKETS = tuple(Decimal(text) for text in ("0.1", "0.25", "0.5", "1", "2", "4", "8", "15", "30"))  # seconds
_SIDES = tuple(side.value for side in Side)
_OUTCOMES = ("accepted", "refused", "unknown", "dropped", "dry")


@frozen(kw_only=True)
class Family:
    """One name, and what stands under it."""

    name: str
    kind: str
    help: str
    labels: Labels = ()
    known: tuple[Labels, ...] = ()  # series that are there from the start, at 0


def _family(kind: str, name: str, text: str, **labels: tuple[str, ...]) -> Family:
    """A family of no label, of one, or of the product of two."""
    known: tuple[Labels, ...] = ((),)
    for values in labels.values():
        known = tuple((*before, value) for before in known for value in values)
    return Family(name=f"copytrade_{name}", kind=kind, help=text, labels=tuple(labels), known=known)


FAMILIES = (
    _family(COUNTER, "cycles_total", "Cycles that were gone around.", mode=("normal", "safe", "stopped")),
    _family(HISTOGRAM, "cycle_duration_seconds", "How long a cycle took, its sleep not counted."),
    _family(COUNTER, "requests_total", "Requests to any service."),
    _family(COUNTER, "orders_total", "Orders that were to be placed.", side=_SIDES, outcome=_OUTCOMES),
    _family(COUNTER, "cancels_total", "Cancels that were sent.", outcome=("confirmed", "unconfirmed", "dry")),
    _family(COUNTER, "fills_total", "Fills of our orders that were learned of.", side=_SIDES),
    _family(COUNTER, "filled_shares_total", "Shares that were filled.", side=_SIDES),
    _family(COUNTER, "filled_pusd_total", "What was filled, in pUSD at our orders' prices.", side=_SIDES),
    _family(COUNTER, "fills_taken_back_total", "Fills whose trade failed; the sums above still have them."),
    _family(COUNTER, "warnings_total", "Warnings, one that stays counted in each cycle."),
    _family(COUNTER, "alerts_total", "Notifications.", outcome=("sent", "failed", "dropped")),
    _family(GAUGE, "info", "1; which version runs, live or dry.", version=(), mode=()),
    _family(GAUGE, "poll_interval_seconds", "Seconds from one cycle to the next."),
    _family(GAUGE, "last_cycle_timestamp_seconds", "When the last cycle decided, in seconds since the epoch."),
    _family(GAUGE, "safe_mode", "1 while facts are incomplete."),
    _family(GAUGE, "stopped", "1 while everything is stopped."),
    _family(GAUGE, "tokens", "Tokens by the reason of their decision.", reason=tuple(one.value for one in Reason)),
    _family(GAUGE, "tokens_outside_band", "Tokens that may be traded and are outside the deadband."),
    _family(GAUGE, "tokens_on_hold", "Tokens on which nothing is placed for a while."),
    _family(GAUGE, "gap_pusd", "The gaps of all tokens that may be traded, in pUSD."),
    _family(GAUGE, "orders_resting", "Our orders that rest, or may.", side=_SIDES),
    _family(GAUGE, "notional_pusd", "What counts under max_notional_total, in pUSD."),
    _family(GAUGE, "notional_limit_pusd", "max_notional_total."),
    _family(GAUGE, "cash_pusd", "Collateral; not there in a dry run."),
    _family(GAUGE, "cash_free_pusd", "Collateral that no resting BUY locks."),
    _family(GAUGE, "day_spent_pusd", "What BUYs have cost since 00:00 UTC, in pUSD."),
    _family(GAUGE, "day_result_pusd", "What the copied holdings have made since 00:00 UTC, in pUSD."),
    _family(GAUGE, "redeemable_positions", "Resolved positions of ours that wait to be redeemed."),
)


@frozen(kw_only=True)
class Readings:
    """All numbers at one moment."""

    counters: Mapping[Series, Decimal] = field(factory=dict)
    gauges: Mapping[Series, Decimal] = field(factory=dict)
    durations: tuple[int, ...] = (0,) * len(BUCKETS)  # cycles that took at most so long
    duration_sum: Decimal = ZERO
    cycles: int = 0


def at_start(started: Started) -> Readings:
    """Every counter at 0, and what is known before the first cycle."""
    mode = "dry" if started.dry else "live"
    return Readings(
        counters={(one.name, labels): ZERO for one in FAMILIES if one.kind == COUNTER for labels in one.known},
        gauges={
            ("copytrade_info", (__version__, mode)): Decimal(1),
            ("copytrade_poll_interval_seconds", ()): started.config.poll_interval_sec,
        },
    )


def after(readings: Readings, seen: Seen) -> Readings:
    """The numbers once this cycle is over."""
    cycle = seen.cycle
    took = max(cycle.ended_at - cycle.started_at, ZERO)
    counters = dict(readings.counters)
    for series, more in _counted(seen):
        counters[series] = counters.get(series, ZERO) + more
    return evolve(
        readings,
        counters=counters,
        # What this cycle does not tell (no cash, say) is not there: a number of last week would look like one of now.
        gauges={**{key: value for key, value in readings.gauges.items() if key[0] in _LASTING}, **dict(_read(seen))},
        durations=tuple(many + (took <= most) for many, most in zip(readings.durations, BUCKETS, strict=True)),
        duration_sum=readings.duration_sum + took,
        cycles=readings.cycles + 1,
    )


_LASTING = frozenset({"copytrade_info", "copytrade_poll_interval_seconds"})


def _counted(seen: Seen) -> Iterator[tuple[Series, Decimal]]:
    """What this cycle adds to the counters."""
    cycle = seen.cycle
    mode = "stopped" if cycle.snapshot.stopped else cycle.plan.mode.value
    yield ("copytrade_cycles_total", (mode,)), Decimal(1)
    yield ("copytrade_requests_total", ()), Decimal(seen.requests)
    yield ("copytrade_warnings_total", ()), Decimal(len(cycle.warnings))
    sides = {place.token_id: place.side.value for place in cycle.plan.places}
    for result in cycle.results:
        if result.action == "cancel":
            yield ("copytrade_cancels_total", (result.outcome,)), Decimal(1)
        else:
            yield ("copytrade_orders_total", (sides[result.token_id], result.outcome)), Decimal(1)
    for fill in cycle.fills:
        if fill.shares < 0:
            yield ("copytrade_fills_taken_back_total", ()), Decimal(1)
            continue
        side = (fill.side.value,)
        yield ("copytrade_fills_total", side), Decimal(1)
        yield ("copytrade_filled_shares_total", side), fill.shares
        yield ("copytrade_filled_pusd_total", side), fill.shares * fill.price


def _read(seen: Seen) -> Iterator[tuple[Series, Decimal]]:
    """What this cycle found."""
    cycle = seen.cycle
    snapshot, plan = cycle.snapshot, cycle.plan
    yield ("copytrade_last_cycle_timestamp_seconds", ()), snapshot.now
    yield ("copytrade_safe_mode", ()), Decimal(plan.mode is Mode.SAFE)
    yield ("copytrade_stopped", ()), Decimal(snapshot.stopped)
    reasons = Counter(one.reason for one in plan.decisions)
    for reason in Reason:
        yield ("copytrade_tokens", (reason.value,)), Decimal(reasons[reason])
    yield ("copytrade_tokens_outside_band", ()), Decimal(outside_band(plan.decisions, snapshot))
    yield ("copytrade_tokens_on_hold", ()), Decimal(sum(until > snapshot.now for until in snapshot.holds.values()))
    gaps = [abs(one.delta) * (one.ref_price or ZERO) for one in plan.decisions if one.reason not in LEFT_ALONE]
    yield ("copytrade_gap_pusd", ()), sum(gaps, ZERO)
    orders = Counter(order.side for row in rows_of(snapshot, plan, cycle.results) for order in row.orders)
    for side in Side:
        yield ("copytrade_orders_resting", (side.value,)), Decimal(orders[side])
    sums = sums_of(snapshot, plan)
    yield ("copytrade_notional_pusd", ()), sums.counted
    yield ("copytrade_notional_limit_pusd", ()), sums.cap
    if sums.cash is not None and sums.cash_free is not None:
        yield ("copytrade_cash_pusd", ()), sums.cash
        yield ("copytrade_cash_free_pusd", ()), sums.cash_free
    if snapshot.today is not None:
        yield ("copytrade_day_spent_pusd", ()), snapshot.today.spent
        yield ("copytrade_day_result_pusd", ()), snapshot.today.result
    if snapshot.mine.complete:
        waiting = sum(row.redeemable and row.size > 0 for row in snapshot.mine.positions)
        yield ("copytrade_redeemable_positions", ()), Decimal(waiting)
