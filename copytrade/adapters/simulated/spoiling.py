"""Right answers with something wrong in their rows: what the row faults of faults.py do to an answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from attrs import evolve

from copytrade.adapters.simulated.faults import Kind
from copytrade.adapters.simulated.handlers import ENDLESS, V1_DEFAULT, V1_MOST, Answer, Ask

_IDS: Final = {"token_id", "asset", "id"}
_SIZES: Final = {"current_size", "size", "original_size"}


def spoiled(given: Answer, kind: Kind, ask: Ask) -> Answer:
    """The right answer with something wrong in its rows."""
    content = given.content
    rows = content if isinstance(content, list) else content.get("data")
    if given.status != 200 or not isinstance(rows, list):
        return given
    if kind is Kind.ENDLESS:
        return evolve(given, content=_endless(content, rows, ask))
    bad = list(rows)
    if kind is Kind.NO_IDS:
        bad = [{key: value for key, value in row.items() if key not in _IDS} for row in rows]
    elif kind is Kind.DUPLICATES:
        bad = [*rows, *rows[:1]]
    elif kind in (Kind.NOT_A_NUMBER, Kind.NEGATIVE) and rows:
        bad[0] = {key: _bad_size(value, kind) if key in _SIZES else value for key, value in rows[0].items()}
    return evolve(given, content=bad if isinstance(content, list) else {**content, "data": bad})


def _bad_size(value: object, kind: Kind) -> object:
    bad = Decimal("NaN") if kind is Kind.NOT_A_NUMBER else -abs(Decimal(str(value))) - 1
    return bad if isinstance(value, Decimal) else str(bad)


def _endless(content: Any, rows: list[Any], ask: Ask) -> Any:
    """There is always one more page: empty ones behind a new cursor, or full ones where an offset leads on."""
    if isinstance(content, list):
        limit = min(ask.number("limit", V1_DEFAULT), V1_MOST)
        offset = ask.number("offset", 0)
        row = rows[0] if rows else {"asset": "1", "conditionId": "0x1", "size": 1, "outcomeIndex": 0}
        return [{**row, "conditionId": f"0x{offset + number:064x}", "asset": ""} for number in range(limit)]
    seen = ask.one("cursor") or ask.one("next_cursor") or ""
    number = int(seen.removeprefix(ENDLESS)) + 1 if seen.startswith(ENDLESS) else 1
    following = f"{ENDLESS}{number}"
    if "pagination" in content:
        pagination = {**content["pagination"], "has_more": True, "next_cursor": following}
        return {**content, "pagination": pagination}
    return {**content, "next_cursor": following}
