"""Our own journals, in two ways: as a tape for new questions, and as they are, to be lived through again.

    read_journals   what the leader held and what the books showed, cycle by cycle: follow him by another policy
    read_cycles     every line whole, for app/backtest/parity.py

A journal keeps the best prices of a book and no sizes, so behind each price there is taken to be enough. A position
that became redeemable tells the payout of its market by its current price, where that is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from copytrade.adapters.journal_file import read_lines
from copytrade.adapters.tapes.lines import NOT_JSON
from copytrade.app.backtest.parity import Outcome, Placed, Recorded
from copytrade.app.backtest.tape import NOTHING_RUN, Beat, BookSeen, Event, LeaderHeld, Resolved, Tape, TokenListed
from copytrade.app.documents import decode_snapshot
from copytrade.domain.model import ONE, ZERO, Position, Side, Snapshot, TokenKey
from copytrade.errors import BadInput, Fault

ENOUGH = Decimal(10**9)  # shares behind a price of a journal
NOTES = ("books are the best prices that a run saw; behind each of them there is taken to be enough",)


class _Action(msgspec.Struct):
    type: str
    token_key: str | None = None
    side: Side | None = None
    price: Decimal | None = None
    size: Decimal | None = None


class _Plan(msgspec.Struct):
    actions: list[_Action]


class _Result(msgspec.Struct):
    action: str
    outcome: str
    token_key: str | None = None
    order_id: str | None = None


class _Line(msgspec.Struct):
    plan: msgspec.Raw
    results: list[_Result] = []


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_plan = msgspec.json.Decoder(_Plan).decode


def read_cycles(paths: Iterable[str | Path]) -> Iterator[Recorded]:
    """Every cycle of these journal files, in the order of the files. Raises BadInput with file and line, and OSError.

    A line that was cut short by a crash is a fault here: what is to be compared has to be whole.
    """
    for path in map(Path, paths):
        for number, raw in enumerate(read_lines(path, report=partial(_torn, path)), 1):
            where = f"{path}: line {number}"
            try:
                line = _decode_line(raw)
                actions = _decode_plan(line.plan).actions
            except NOT_JSON as error:
                fault = Fault(path=where, got=str(error), wants="a line of a journal")
                raise BadInput(str(path), [fault], NOTHING_RUN) from None
            yield Recorded(
                where=where,
                snapshot=decode_snapshot(raw, source=where),
                plan=bytes(line.plan),
                places={
                    action.token_key: Placed(side=action.side, price=action.price, size=action.size)
                    for action in actions
                    if action.type == "place" and action.token_key and action.side and action.price and action.size
                },
                results=tuple(
                    Outcome(action=one.action, token_key=one.token_key, order_id=one.order_id, outcome=one.outcome)
                    for one in line.results
                ),
            )


def _torn(path: Path, words: str) -> None:
    raise BadInput(str(path), [Fault(path="a line", got=words, wants="whole lines")], NOTHING_RUN)


def read_journals(paths: Sequence[Path], *, name: str) -> Tape:
    """The tape in these journal files, oldest first. Raises BadInput with file and line, and OSError."""
    return Tape(name=name, open_=partial(_records, tuple(sorted(paths))), place="line", notes=NOTES)


def _records(paths: Sequence[Path]) -> Iterator[tuple[int, Event]]:
    told = _Told()
    number = 0
    for path in paths:
        for raw in read_lines(path, report=partial(_torn, path)):
            number += 1
            for event in told.news(decode_snapshot(raw, source=f"{path}: line {number}")):
                yield number, event


class _Told:
    """What the tape has said so far, so that only news are written."""

    def __init__(self) -> None:
        self._listed: dict[TokenKey, tuple[Any, ...]] = {}
        self._held: dict[TokenKey, tuple[Decimal, Decimal]] = {}
        self._tops: dict[TokenKey, tuple[Any, ...]] = {}
        self._over: set[TokenKey] = set()

    def news(self, facts: Snapshot) -> Iterator[Event]:
        at = facts.now
        yield Beat(at=at)
        ids = {row.token_key: row.token_id for row in facts.target.positions if row.token_id is not None}
        ids.update(facts.token_map)
        rows = {row.token_key: row for row in (*facts.mine.positions, *facts.target.positions)}
        for key, token_id in sorted(ids.items()):
            book = facts.books.get(token_id)
            terms = (token_id, book.tick_size, book.min_order_size) if book else (token_id, None, None)
            if key not in self._listed or (book is not None and self._listed[key] != terms):
                self._listed[key] = terms
                row = rows.get(key)
                yield TokenListed(
                    at=at,
                    token_key=key,
                    token_id=token_id,
                    title=row.title if row else "",
                    slug=row.slug if row else "",
                    end_date=row.end_date if row else "",
                    tick_size=terms[1],
                    min_order_size=terms[2],
                )
        for key, token_id in sorted(ids.items()):
            book = facts.books.get(token_id)
            if book is not None and self._tops.get(key) != (book.best_bid, book.best_ask):
                self._tops[key] = (book.best_bid, book.best_ask)
                yield BookSeen(
                    at=at,
                    token_key=key,
                    bids=((book.best_bid, ENOUGH),) if book.best_bid is not None else (),
                    asks=((book.best_ask, ENOUGH),) if book.best_ask is not None else (),
                )
        if facts.target.complete:
            yield from self._leader(at, {row.token_key: row for row in facts.target.positions if row.token_key in ids})
        for row in (*facts.target.positions, *facts.mine.positions):
            if row.redeemable and row.token_key in self._listed and row.token_key not in self._over:
                self._over.add(row.token_key)
                payout = row.current_price if row.current_price in (ZERO, ONE) else None
                yield Resolved(at=at, token_key=row.token_key, payout=payout)

    def _leader(self, at: Decimal, rows: dict[TokenKey, Position]) -> Iterator[Event]:
        for key, row in sorted(rows.items()):
            if self._held.get(key) != (row.size, row.avg_price):
                self._held[key] = (row.size, row.avg_price)
                yield LeaderHeld(at=at, token_key=key, size=row.size, avg_price=row.avg_price)
        for key in sorted(self._held.keys() - rows.keys()):
            del self._held[key]
            yield LeaderHeld(at=at, token_key=key, size=ZERO)
