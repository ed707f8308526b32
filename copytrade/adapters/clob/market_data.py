"""Order books and the exchange's clock: the MarketData port over HTTP. Needs no key.

Books are asked for in batches, all batches together. What is left out of the answer has no book; what makes no sense is
left out too, with a warning, so that one odd book costs one token and not a cycle.
Source: API.md "Books".
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final

import structlog

from copytrade.adapters.clob import decoding
from copytrade.adapters.http import Http, StatusError
from copytrade.app.ports import FullBook
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import TokenId

_log = structlog.get_logger(__name__)

MOST_BOOKS: Final = 500  # tokens in one request
_SHOWN = 3  # oddities that a warning spells out


class ClobMarketData:
    """The `MarketData` port."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def books(self, token_ids: Collection[TokenId]) -> Mapping[TokenId, FullBook]:
        """See the port. Ids that no book can have (combos, malformed ones) are not asked for."""
        asked = [each for each in dict.fromkeys(token_ids) if kind_of(each) not in (IdKind.COMBO, IdKind.MALFORMED)]
        chunks = [asked[start : start + MOST_BOOKS] for start in range(0, len(asked), MOST_BOOKS)]
        found: dict[TokenId, FullBook] = {}
        # All of them are waited for, so that no request is still under way when the first fault is raised.
        for answer in await asyncio.gather(*(self._chunk(chunk) for chunk in chunks), return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            found |= answer
        return found

    async def server_time(self) -> Decimal:
        """See the port."""
        return decoding.server_time(await self._http.read("GET", "/time"))

    async def _chunk(self, token_ids: Sequence[TokenId]) -> dict[TokenId, FullBook]:
        try:
            raw = await self._http.read("POST", "/books", json=[{"token_id": each} for each in token_ids])
        except StatusError as error:
            # What the single call says of one token without a book; here it can only mean all of them.
            if error.status == 404 and b"No orderbook exists" in error.body:
                return {}
            raise
        found, odd = decoding.books(raw, token_ids)
        if odd:
            _log.warning("books left out", count=len(odd), why=odd[:_SHOWN])
        return found
