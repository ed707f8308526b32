"""Orders of ours and memories of them, for the tables of what is remembered.

Times are seconds around NOW, sizes shares. An order is a BUY of 10 at 0.5, signed 100 s ago, that expires in 90 s,
unless a row says otherwise. `fill_grace_sec` is 60.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from copytrade.domain.memory import Base, Memory, OwnOrder, Standing
from copytrade.domain.model import Side
from copytrade.domain.policy import Policy

D = Decimal
NOW, KEY, TOKEN = D(10_000), "0xc1:0", "111"
POLICY = Policy()
INTENT, OPEN, GONE, SETTLED = Standing


def own(standing: Standing = OPEN, **changes: Any) -> OwnOrder:
    numbers = {name: D(str(value)) if type(value) in (int, float) else value for name, value in changes.items()}
    given: dict[str, Any] = {
        "order_id": "0xaa", "token_key": KEY, "token_id": TOKEN, "side": Side.BUY, "price": D("0.5"), "size": D(10),
        "ts": NOW - 100, "expiration": NOW + 90, **numbers,
    }  # fmt: skip
    return OwnOrder(standing=standing, **given)


def memory_of(*orders: OwnOrder, base: Base | None = None, **changes: Any) -> Memory:
    bases = {order.token_key: Base(base=D(20)) for order in orders} if base is None else {KEY: base}
    return Memory(orders={order.order_id: order for order in orders}, bases=bases, **changes)
