"""Keep under the exchange's limits, rather than bounce off them.

The exchange counts each signer's orders and cancels in two token buckets: one token for each order, `burst` at most,
`per_sec` more each second, and a batch that finds too few is refused whole (429). What we can know of its bucket is a
lower bound, and a lower bound is all that is needed:

Rule 1: our bucket is charged when a batch leaves, the exchange's some time before its answer is back.
Rule 2: while a batch is on its way, ours does not fill above `burst` less what is on its way, since the exchange's may
        be full still, and a full bucket gains nothing by waiting. So ours never shows more than the exchange's has.
Rule 3: whoever came first goes first. A batch behind a large one does not slip past it.
Rule 4: what the answers say (`Poly-RateLimit-Remaining`, a 429) only ever lowers ours: somebody else trades by this
        signer too, or our idea of the limit is too good.

Source: API.md "Limits that bind"; the exchange's page on trading rate limits.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from attrs import frozen

_MARGIN_SEC = 0.001  # for the rounding of two clocks


@frozen(kw_only=True)
class Limit:
    """A token bucket of the exchange's: `burst` tokens at most, `per_sec` more each second."""

    burst: int
    per_sec: float
    most_waited_sec: float = 5.0  # for a Retry-After; a longer one is left to a later cycle


ORDERS = Limit(burst=60, per_sec=40)  # the Standard tier, which is the tightest
# A stop has 4 s to take our orders down: it had better ask too soon than not at all.
CANCELS = Limit(burst=120, per_sec=80, most_waited_sec=1.0)
# 50 / 10 s in any window: a full burst and the refill of 10 s must fit into one.
BALANCE_UPDATES = Limit(burst=20, per_sec=3)


class Bucket:
    """Our picture of one bucket of the exchange's, full at first. For the tasks of one event loop."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._level = float(limit.burst)
        self._read_at: float | None = None  # None: not used yet, so full
        self._on_the_way = 0
        self._not_before = 0.0
        self._turn = asyncio.Lock()  # fair: first come, first served
        self._answered = asyncio.Event()

    @asynccontextmanager
    async def spend(self, cost: int, *, unless: Callable[[], bool] = lambda: False) -> AsyncIterator[bool]:
        """Wait until there is enough, then do what costs it; leave when the answer is there, or will never be.

        Yields False, and costs nothing, as soon as `unless()` says that it is not to be done any more.
        """
        assert 0 < cost <= self.limit.burst, "a batch over the burst can never succeed"
        async with self._turn:
            go = await self._wait_for(cost, unless)
            if go:
                self._level -= cost
                self._on_the_way += cost
        if not go:
            yield False
            return
        try:
            yield True
        finally:
            self._fill()
            self._on_the_way -= cost
            self._answered.set()

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Take in what an answer says of the exchange's bucket. Odd or missing headers say nothing."""
        self._fill()
        remaining = _number(headers.get("poly-ratelimit-remaining", ""))
        if remaining is not None:
            self._level = min(self._level, max(remaining, 0.0))
        if status == 429:
            self._level = 0.0
            after = _number(headers.get("retry-after", "")) or 0.0
            self._not_before = _now() + min(max(after, 0.0), self.limit.most_waited_sec)

    async def _wait_for(self, cost: int, unless: Callable[[], bool]) -> bool:
        while not unless():
            self._fill()
            wait = max(self._not_before - _now(), (cost - self._level) / self.limit.per_sec)
            if wait <= 0:
                return True
            self._answered.clear()
            with suppress(TimeoutError):
                # Where too much is on the way, time alone does not help (Rule 2): the level stands still.
                async with asyncio.timeout(wait + _MARGIN_SEC):
                    await self._answered.wait()
        return False

    def _fill(self) -> None:
        now = _now()
        gained = 0.0 if self._read_at is None else (now - self._read_at) * self.limit.per_sec
        self._read_at = now
        self._level = min(self._level + gained, float(self.limit.burst - self._on_the_way))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
