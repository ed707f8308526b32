"""When cycles run, and how a run ends.

A cycle starts at every multiple of the poll interval (no drift), a little later by chance (nobody polls in step with
us). A stop wakes the sleep at once; what is being executed is finished, but nothing more is posted; what is only being
asked for is let go. Then our own orders are taken down (`on_stop`), again and again until the exchange confirms each,
and the memory is saved. All that takes 10 s at most; an order that could not be confirmed as gone is told, and expires
by itself.

The switch that stops everything (ports.py, `Switch`) is looked at twice a second. Once it is thrown, the sleep and the
questions of a cycle are broken off in the same way, and our orders are taken down. But the run goes on: its cycles are
stopped ones, which place nothing, until the switch is lifted.

Not here: what a cycle does (cycle.py), signals and screens (cli/run.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, TypeVar

from attrs import frozen

from copytrade.app.cycle import Trader
from copytrade.app.outcomes import Cycle
from copytrade.app.ports import Clock
from copytrade.domain.model import OrderId

FINISH_SEC = 4.0  # for the action in hand once a stop was asked for
CANCEL_SEC = 4.0  # for taking our orders down
RETRY_CANCEL_SEC = 0.5  # between two tries of that
LOOK_SEC = 0.5  # between two looks at the switch
AGAIN_SEC = Decimal(5)  # between two cycles while it is thrown and an order of ours may rest still

T = TypeVar("T")


@frozen(kw_only=True)
class Ending:
    """How a run ended: cycles done, ids of our orders that may still rest, and why the state is not saved, if so."""

    cycles: int
    may_rest: tuple[OrderId, ...] = ()
    not_saved: str = ""


async def follow(
    trader: Trader,
    *,
    clock: Clock,
    stop: asyncio.Event,
    poll_interval_sec: Decimal,
    watch: Callable[[Cycle], None],
    jitter: Callable[[], Decimal],
    once: bool = False,
    cancel_on_stop: bool = True,
) -> Ending:
    """Run cycles until `stop` is set (or one, with `once`); then take our orders down if `cancel_on_stop`.

    `jitter` gives the seconds by which a cycle starts late. With `once`, resting orders stay, since nothing was
    stopped. Raises what ends a run, after taking our orders down: AccountRefused, NotApproved, and bugs.
    """
    cycles = 0
    trader.leaving = stop.is_set
    thrown = asyncio.Event()  # the switch was thrown, and nothing was done about it yet
    looking = None if trader.switch is None else asyncio.ensure_future(_look(trader, thrown))
    try:
        while not stop.is_set():
            if trader.stopped():
                thrown.clear()
                await _take_down(trader)
            cycle = await unless(trader.cycle(), stop, thrown, in_hand=lambda: trader.executing)
            if cycle is not None:
                cycles += 1
                watch(cycle)
            if once and (cycle is not None or stop.is_set()):
                return Ending(cycles=cycles, not_saved=trader.not_saved)
            pause = _until_next(clock.now(), poll_interval_sec) + jitter()
            if trader.stopped() and trader.may_rest():
                pause = min(pause, AGAIN_SEC)
            await unless(clock.sleep(pause), stop, thrown)
    except BaseException:
        if cancel_on_stop:
            await _take_down(trader)
        raise
    finally:
        if looking is not None:
            looking.cancel()
    may_rest = await _take_down(trader) if cancel_on_stop else ()
    return Ending(cycles=cycles, may_rest=may_rest, not_saved=trader.not_saved)


def _until_next(now: Decimal, interval: Decimal) -> Decimal:
    """Seconds until the next multiple of the interval.

    >>> _until_next(Decimal("1766000003.5"), Decimal(20))
    Decimal('16.5')
    """
    return interval - now % interval


async def _look(trader: Trader, thrown: asyncio.Event) -> None:
    """Set `thrown` each time that the switch is."""
    before = trader.stopped()
    while True:
        await asyncio.sleep(LOOK_SEC)
        now = trader.stopped()
        if now and not before:
            thrown.set()
        before = now


async def unless(
    work: Coroutine[Any, Any, T], *events: asyncio.Event, in_hand: Callable[[], bool] = lambda: False
) -> T | None:
    """The result of `work`, or None where one of `events` came first. What is in hand then has `FINISH_SEC` left."""
    task = asyncio.ensure_future(work)
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait({task, *waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and in_hand():
            await asyncio.wait({task}, timeout=FINISH_SEC)
        if task.done():
            return task.result()
        return None
    finally:
        for one in (task, *waiting):
            if not one.done():
                one.cancel()
        await asyncio.gather(task, *waiting, return_exceptions=True)


async def _take_down(trader: Trader) -> tuple[OrderId, ...]:
    """Cancel every order of ours that may rest, until none is left or the time is up; the rest by id."""
    rest: tuple[OrderId, ...] = trader.may_rest()
    try:
        async with asyncio.timeout(CANCEL_SEC):
            while rest:
                rest = await trader.cancel_all()
                if rest:
                    # A post that was in the air may only arrive now: "not found" proves nothing yet.
                    await asyncio.sleep(RETRY_CANCEL_SEC)
    except TimeoutError:
        pass
    return trader.may_rest()
