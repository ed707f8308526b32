"""The clock of this machine."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

_NS_PER_MS = 1_000_000


class SystemClock:
    """The `Clock` port."""

    def now(self) -> Decimal:
        """Seconds since the epoch with exactly three decimals, cut, not rounded: never ahead of the true time."""
        return Decimal(time.time_ns() // _NS_PER_MS).scaleb(-3)

    async def sleep(self, seconds: Decimal) -> None:
        """Come back after about that long; nothing to wait for (0 or less) only gives way to the others."""
        await asyncio.sleep(float(max(seconds, Decimal(0))))  # a float is good enough to wait by
