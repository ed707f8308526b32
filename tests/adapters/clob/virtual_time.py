"""An event loop whose clock a test need not wait for: when there is nothing left to do, it is the next timer's time.

    elapsed, result = run_virtually(talk())

Whatever waits by the loop's clock (`asyncio.sleep`, `asyncio.timeout`) takes no time at all and ends in the right
order. Nothing in it may talk to the network.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    """A selector that never waits: the time that it was to wait is added to the clock."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for somebody else"
            self.skipped += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.skipped


def run_virtually(main: Coroutine[Any, Any, T]) -> tuple[float, T]:
    """Run to the end; seconds that passed by the loop's clock, and the result."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        result = runner.run(main)
        return runner.get_loop().time(), result
