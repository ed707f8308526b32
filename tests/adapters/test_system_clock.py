"""The clock of this machine."""

import asyncio
import time
from decimal import Decimal

import pytest

from copytrade.adapters.system_clock import SystemClock
from copytrade.app.ports import Clock


@pytest.mark.parametrize(
    ("nanoseconds", "seconds"),
    [
        (1_766_000_000_123_999_999, "1766000000.123"),  # cut, not rounded; a float could not even hold it
        (1_766_000_000_000_000_000, "1766000000.000"),
        (999_999, "0.000"),
    ],
)
def test_now_is_exact_to_the_millisecond(monkeypatch, nanoseconds, seconds):
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
    clock: Clock = SystemClock()
    assert str(clock.now()) == seconds


def test_sleeping_comes_back_and_a_past_time_is_no_error():
    async def some() -> None:
        await SystemClock().sleep(Decimal("0.001"))
        await SystemClock().sleep(Decimal(-5))

    asyncio.run(some())


def test_sleeping_lets_others_work():
    async def both() -> list[str]:
        said: list[str] = []

        async def other() -> None:
            said.append("other")

        task = asyncio.create_task(other())
        await SystemClock().sleep(Decimal(0))
        said.append("mine")
        await task
        return said

    assert asyncio.run(both()) == ["other", "mine"]
