"""The day's books among what is remembered: marked in each complete cycle, counted anew after a start on a lost state.

Fills are booked where they are learned (memory.py). What a lost state knew of the day is gone. So, where a limit asks
for it, the trades of the day are read again, and counted with what unknown BUYs of this wallet may still cost: those of
an earlier life of ours are among them. That goes on until no such order can rest any more; until it was done once, the
day counts as used up.

Not here: how the books are kept (day.py).   Read next: app/cycle.py
"""

from __future__ import annotations

from decimal import Decimal

from attrs import evolve

from copytrade.domain.day import DAY_SEC, marked, prices_of
from copytrade.domain.memory import Memory
from copytrade.domain.model import Snapshot, Today
from copytrade.domain.policy import Policy


def day_marked(memory: Memory, snapshot: Snapshot) -> Memory:
    """The day's books take in what the copied holdings of this snapshot are worth now."""
    held = {key: ledger.believed for key, ledger in snapshot.ledgers.items()}
    return evolve(memory, day=marked(memory.day, held, prices_of(snapshot), snapshot.now))


def counted_from(memory: Memory, now: Decimal, policy: Policy) -> Decimal | None:
    """The time from which on our trades have to be read and counted again; None where the books are good."""
    recovery = memory.recovery
    if policy.max_daily_spend is None or recovery is None:
        return None
    start = now - now % DAY_SEC
    until = recovery.started_at + policy.settle_timeout_sec  # no order of an earlier life rests longer (DESIGN 6)
    return start if recovery.counted_at < until and start < until else None


def day_counted(memory: Memory, spent: Decimal, now: Decimal) -> Memory:
    """So much the day has cost by our trades, or may have. What the books have of it already is not less."""
    assert memory.recovery is not None, "nothing is counted but after a start on a lost state"
    day = memory.day.at(now)
    return evolve(
        memory,
        day=evolve(day, spent=max(day.spent, spent)),
        recovery=evolve(memory.recovery, counted_at=now),
    )


def today(memory: Memory, now: Decimal, policy: Policy) -> Today:
    """What a snapshot of `now` says of its day."""
    told = memory.day.today(now)
    never = memory.recovery is not None and memory.recovery.counted_at == 0
    if never and policy.max_daily_spend is not None and counted_from(memory, now, policy) is not None:
        return evolve(told, spent=max(told.spent, policy.max_daily_spend))
    return told
