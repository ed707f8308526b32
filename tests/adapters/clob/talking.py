"""One account of a throwaway key, and a way to let it talk to a scripted exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from copytrade.adapters.clob import CANCELS, ORDERS, ClobAccount, ClobHttp, Limit
from copytrade.adapters.signing import OrderSigner
from copytrade.adapters.system_clock import SystemClock
from copytrade.app.ports import SignedOrder, ToSign
from copytrade.domain.model import Side
from tests.adapters.loopback import Loopback

T = TypeVar("T")

KEY = "0x" + "11" * 32
WALLET = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"  # the address of KEY
CREDENTIALS = {"apiKey": "key-1", "secret": "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "passphrase": "phrase-phrase"}


@cache
def signer() -> OrderSigner:
    return OrderSigner(KEY, funder=WALLET, signature_type=0)


def ask(
    server: Loopback,
    question: Callable[[ClobAccount], Awaitable[T]],
    *,
    orders: Limit = ORDERS,
    cancels: Limit = CANCELS,
    timeout_sec: float = 2,
    **how: Any,
) -> T:
    """Run `question(account)` with an account of its own, whose reads are not tried again."""

    async def talk() -> T:
        async with ClobHttp(server.url, timeout_sec=timeout_sec, attempts=1, **how) as http:
            assert isinstance(http, ClobHttp)
            return await question(ClobAccount(http, signer(), SystemClock(), orders=orders, cancels=cancels))

    return asyncio.run(talk())


def sign(account: ClobAccount, count: int = 1) -> Sequence[SignedOrder]:
    """So many orders, each with an id of its own."""
    one = ToSign(
        token_id="111",
        side=Side.BUY,
        price=Decimal("0.61"),
        size=Decimal(10),
        tick_size=Decimal("0.01"),
        neg_risk=False,
        expiration=1_900_000_000,
        post_only=True,
    )
    return account.sign([one] * count)


async def arrived(server: Loopback, route: str, count: int) -> None:
    """Come back when so many requests have arrived, answered or not."""
    async with asyncio.timeout(30):
        while len(server.asked(route)) < count:  # noqa: ASYNC110  # the server is in another thread and loop
            await asyncio.sleep(0.005)
