"""Cycles to look at: a token for each thing that can be the matter, and as many that are fine as are wanted."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from copytrade.app.documents import decode_snapshot
from copytrade.app.outcomes import Cycle, OwnFill, Result
from copytrade.domain.model import Place, Side, Snapshot
from copytrade.domain.plan import plan

NOW = 1_766_000_000
ORDER = "0x" + "ab" * 32
LEADER, ME = "0x" + "1e" * 20, "0x" + "2f" * 20
BOOK = {"best_bid": 0.61, "best_ask": 0.63, "tick_size": 0.01, "min_order_size": 5}


def key(number: int) -> str:
    """A token key as they come: 64 hex digits."""
    return f"0x{number:02x}{'c4' * 31}:0"


def token_id(number: int) -> str:
    return str(9_000_000_000 + number)


def order(order_id: str, side: str, price: float, size: float, age: int, **more: object) -> dict[str, object]:
    return {"order_id": order_id, "side": side, "price": price, "size": size, "ts": NOW - age, **more}


# title, his size, our size, and more facts of that token
TOKENS: tuple[tuple[str, float, float, dict[str, Any]], ...] = (
    ("Will it rain in Paris tomorrow?", 500, 60, {"ledgers": {"base": 60, "bought": 20, "moved_at": NOW - 30}}),
    ("Will Northwind win the final?", 160, 0, {"open_orders": [order(ORDER, "BUY", 0.61, 25, 34, matched=5)]}),
    ("Will the bridge open in spring?", 120, 24, {}),
    ("Was the comet seen in October?", 250, 50, {"redeemable": True, "current_price": 1}),
    ("東京の気温は30度を超えますか？明日の最高気温についての質問", 400, 10, {"holds": NOW + 754}),
    ("Will \u001b[2Jthe screen be cleared?", 300, 0, {"in_doubt": [order("0xd0", "BUY", 0.6, 25, 8)]}),
    ("Will the vote pass?", 1000, 900, {}),
    ("Will oil end the year above 100?", 12_345_678, 1234.5, {}),
    ("Nobody quotes this one", 90, 0, {"book": None, "current_price": 0.3}),
    ("A token without an id", 100, 0, {"token_id": None}),
)


def facts(tokens: int = 0, **more: Any) -> Snapshot:
    """A snapshot of `TOKENS` and of `tokens` more that are in the band."""
    rows = [*TOKENS, *((f"Question number {n}", 100 + n, (100 + n) / 5, {}) for n in range(tokens))]
    whole: dict[str, Any] = {
        "now": NOW,
        "config": {"target_address": LEADER, "my_address": ME, "follow_ratio": 0.2, "max_notional_total": 4000},
        "target": {"positions": []},
        "mine": {"positions": []},
        "books": {},
        "cash": 1234.5,
    }
    for number, (title, his, mine, also) in enumerate(rows):
        row = {"token_key": key(number), "title": title, "current_price": also.get("current_price", 0.62)}
        row |= {"redeemable": also.get("redeemable", False)}
        if also.get("token_id", "") is not None:
            row["token_id"] = token_id(number)
        whole["target"]["positions"].append({**row, "size": his})
        if mine:
            whole["mine"]["positions"].append({**row, "size": mine, "avg_price": 0.6})
        if also.get("book", BOOK) is not None and number < len(TOKENS):
            whole["books"][token_id(number)] = BOOK
        for name, by in (("ledgers", key), ("holds", key), ("open_orders", token_id), ("in_doubt", token_id)):
            if name in also:
                whole.setdefault(name, {})[by(number)] = also[name]
    return decode_snapshot(json.dumps({**whole, **more}).encode())


def cycle(snapshot: Snapshot | None = None, *, warnings: tuple[str, ...] = (), number: int = 132) -> Cycle:
    """A cycle on these facts: its orders were accepted, but one that was refused, and there was one fill."""
    snapshot = snapshot or facts()
    decided = plan(snapshot)
    results = []
    for count, action in enumerate(decided.actions):
        place = isinstance(action, Place)
        refused = place and action.token_key == key(6)
        results.append(
            Result(
                action="place" if place else "cancel",
                token_key=action.token_key,
                token_id=action.token_id,
                outcome="refused" if refused else "accepted" if place else "confirmed",
                order_id=f"0x{count:02x}" + "ef" * 31 if place else getattr(action, "order_id", None),
                words="not enough balance / allowance" if refused else "",
            )
        )
    fill = OwnFill(order_id=ORDER, token_key=key(1), side=Side.BUY, price=Decimal("0.61"), shares=Decimal(5))
    titles = {row.token_key: row.title for row in (*snapshot.target.positions, *snapshot.mine.positions)}
    return Cycle(
        number=number,
        snapshot=snapshot,
        plan=decided,
        results=tuple(results),
        fills=(fill,) if snapshot.mine.complete else (),
        warnings=warnings,
        started_at=snapshot.now,
        ended_at=snapshot.now + Decimal("0.31"),
        titles=titles,
    )
