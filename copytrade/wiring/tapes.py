"""Tapes for backtests: what a recording asks, and how tapes and journals are opened and written."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from copytrade.adapters.clob import ClobMarketData
from copytrade.adapters.data_api import DataApi
from copytrade.adapters.http import RequestCount
from copytrade.adapters.resolver import MarketResolver
from copytrade.adapters.system_clock import SystemClock
from copytrade.adapters.tapes import open_journal, open_tape, write_tape
from copytrade.adapters.tapes.recording import Services, record, record_history
from copytrade.wiring.services import connections

__all__ = ["open_journal", "open_tape", "record", "record_history", "tape_services", "write_tape"]


@contextlib.asynccontextmanager
async def tape_services(
    *, data_api_url: str, gamma_api_url: str, clob_url: str, version: int = 2
) -> AsyncIterator[Services]:
    """What a recording asks, without a key. Raises BadInput."""
    async with contextlib.AsyncExitStack() as stack:
        data, gamma, clob = connections(stack, data_api_url, gamma_api_url, clob_url, RequestCount())
        yield Services(
            data=data,
            feed=DataApi(data, version=version),
            market=ClobMarketData(clob),
            resolver=MarketResolver(gamma, clob),
            clob=clob,
            clock=SystemClock(),
            version=version,
        )
