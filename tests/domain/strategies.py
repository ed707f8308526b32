"""Snapshots on which much is decided: few tokens that are wanted, held, quoted and traded most of the time.

tests/strategies.py draws whatever a document could say; most of that is left alone. Here the odd cases are rare enough
that every second snapshot has a place in it, and each draw is cheap. `absurd` then blows a snapshot up.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from math import gcd, prod
from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from copytrade.domain.model import Book, Ledger, Order, Position, Positions, Side, Snapshot
from copytrade.domain.policy import Policy
from tests.strategies import NOW, TICKS, D

KEYS = {"0xa:0": "10", "0xb:0": "11", "0xc:0": "12"}
ZERO = Decimal(0)

SHARES = [
    *(
        D(text)
        for text in ("0", "0", "0.01", "1", "3", "4.99", "5", "5.01", "7", "9.99", "10", "12.345678", "20", "25")
    ),
    *(
        D(text)
        for text in ("25.005", "27", "29.99", "30", "33", "50", "80", "96.99", "97", "100", "103", "103.01", "400")
    ),
]
FILLS = [D(text) for text in ("0", "0", "0.005", "3", "5", "10.5", "20", "40")]
AGES = [0, 1, 60, 90, 91, 299, 300, 10**6]
PRICES = [D(text) for text in ("0.004", "0.01", "0.02", "0.3", "0.49", "0.5", "0.51", "0.6155", "0.9", "0.99", "0.999")]


def often(usual: Any, *others: Any) -> list[Any]:
    """Choices that are `usual` mostly."""
    return [usual] * (4 * len(others)) + list(others)


@cache
def _scattered(count: int) -> st.SearchStrategy[int]:
    """Any number below `count`. Hypothesis favours small ones: they are scattered, but for 0, to which it shrinks."""
    stride = next(stride for stride in range(count * 5 // 8, 2 * count) if gcd(stride, count) == 1)
    return st.integers(0, count - 1).map(lambda number: number * stride % count)


def pick(draw: st.DrawFn, *choices: Sequence[Any]) -> list[Any]:
    """One of each: all of them in a single draw, since a draw is what costs. They shrink to the first of each."""
    number = draw(_scattered(prod(len(several) for several in choices)))
    picked = []
    for several in choices:
        number, place = divmod(number, len(several))
        picked.append(several[place])
    return picked


BANDS = [("3", 5, 25), ("3", 5, 5), ("3", 0, 4), ("3", 6, 6), ("0", 0, 25), ("0.5", 1, 7), ("10", 20, 100)]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    (deadband, slice_min, slice_max), ratio, maker_only, blacklist, deviation, managed = pick(
        draw,
        BANDS,
        often(D(1), D("0.2"), D("0.333"), D(2)),
        often(True, False),
        often(frozenset(), frozenset({"0xb:0"})),
        [D(1), D(1), D("0.1"), D(0)],
        often("all", "copied"),
    )
    per_token, total, grow, shrink = pick(
        draw,
        often(D(500), D(0), D(5), D(20), D("33.3")),
        often(D(2000), D(0), D(10), D(25), D("66.6")),
        often(1, 2),
        often(2, 1, 3),
    )
    return Policy(
        follow_ratio=ratio,
        deadband_shares=D(deadband),
        slice_min=D(slice_min),
        slice_max=D(slice_max),
        maker_only=maker_only,
        max_notional_per_token=per_token,
        max_notional_total=total,
        polls_to_grow=grow,
        polls_to_shrink=shrink,
        max_price_deviation=deviation,
        manage_holdings=managed,
        blacklist_token_keys=blacklist,
    )


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Mostly a good book; empty sides, one-tick spreads, off-tick prices, crossed and locked ones as well."""
    tick, place, wide, no_bid, no_ask, told = pick(
        draw,
        [D("0.01"), *TICKS, D("0.005"), D("0.0025")],
        [D("0.4"), D("0.4"), D(0), D("0.01"), D("0.27"), D("0.5"), D("0.77"), D("0.985"), D(1)],
        often(D(1), D(0), D(2), D(-1), D("0.4"), D(60)),
        often(False, True),
        often(False, True),
        often(True, False),
    )
    least, last = pick(draw, often(D(5), None, D(0), D(1), D("15"), D("5.001")), often(None, ZERO, D("0.5")))
    steps = int(place / tick)
    bid = min(max(steps, 1), int(1 / tick) - 1) * tick
    ask = bid + wide * tick
    return Book(
        best_bid=None if no_bid else bid,
        best_ask=ask if 0 < ask < 1 and not no_ask else None,
        tick_size=tick if told else None,
        min_order_size=least,
        last_trade_price=last,
    )


def _order(draw: st.DrawFn, order_id: str) -> Order:
    side, price, size, matched, age = pick(
        draw,
        list(Side),
        PRICES,
        [D(5), D("7.5"), D(20), D(25), D("23.01")],
        often(ZERO, D("2.5"), D(5)),
        [1, 90, 91, 200],
    )
    return Order(order_id=order_id, side=side, price=price, size=size, matched=matched, ts=NOW - age)


@st.composite
def _token(draw: st.DrawFn, key: str) -> dict[str, Any]:
    row: dict[str, Any] = {"token_key": key, "condition_id": key[:-2], "outcome_index": 0, "token_id": KEYS[key]}
    facts: dict[str, Any] = {}
    averages, current = often(ZERO, *PRICES[:5]), often(ZERO, D("0.4"), D("0.5"), D(1))
    wanted, held, targeted, listed, redeemable = pick(
        draw, SHARES, SHARES, often(True, False), often(True, False), often(False, False, False, True)
    )
    paid, costs, known, current_price = pick(draw, averages, averages, current, current)
    if targeted:
        facts["target"] = Position(**row, size=wanted, avg_price=paid, current_price=known, redeemable=redeemable)
    if listed:
        facts["mine"] = Position(**row, size=held, avg_price=costs, current_price=current_price)
    with_ledger, with_witness, with_book, lives, doubts, foreign, hold, polls = pick(
        draw,
        [False, True],
        [False, True],
        often(True, False),
        [0, 0, 0, 1, 1, 2],
        [0, 0, 0, 1],
        often(0, 1),
        often(0, 1, -1),
        [(), (wanted,), (wanted, wanted), (SHARES[-3],), (ZERO, SHARES[-1])],
    )
    if with_ledger:
        base, bought, sold, age, seen, final, ours = pick(
            draw, often(held, *SHARES[::5]), FILLS, FILLS, AGES, often(None, held, D(7)), often(True, False),
            often(True, False),
        )  # fmt: skip
        moved_at = max(NOW - age, ZERO)
        facts["ledger"] = Ledger(
            base=base, bought=bought, sold=sold, moved_at=moved_at, seen=seen, final=final, ours=ours
        )
        if with_witness:
            (facts["witness"],) = pick(draw, [*[held] * len(SHARES), *SHARES])
    facts["book"] = draw(books()) if with_book else None
    facts["live"] = tuple(_order(draw, f"{key}-live-{place}") for place in range(lives))
    facts["doubts"] = tuple(
        evolve(_order(draw, f"{key}-doubt-{place}"), gone=pick(draw, often(True, False))[0]) for place in range(doubts)
    )
    facts["foreign"] = tuple(_order(draw, f"{key}-foreign-{place}") for place in range(foreign))
    facts["polls"], facts["hold"] = polls, NOW + hold
    return facts


@st.composite
def busy_snapshots(draw: st.DrawFn, *, most: int = 3) -> Snapshot:
    """One to three tokens (`most`), never in safe mode."""
    keys = list(KEYS)[: draw(st.sampled_from([count for count in (1, 1, 1, 2, 2, 3) if count <= most]))]
    tokens = {key: draw(_token(key)) for key in keys}

    def by_key(fact: str) -> dict[str, Any]:
        return {key: token[fact] for key, token in tokens.items() if fact in token}

    def by_id(fact: str) -> dict[str, Any]:
        return {KEYS[key]: token[fact] for key, token in tokens.items() if token[fact]}

    depth = max(len(token["polls"]) for token in tokens.values())
    return Snapshot(
        now=NOW,
        policy=draw(policies()),
        target=Positions(positions=tuple(by_key("target").values())),
        mine=Positions(positions=tuple(by_key("mine").values())),
        token_map={key: KEYS[key] for key in keys},
        books=by_id("book"),
        open_orders=by_id("live"),
        in_doubt=by_id("doubts"),
        foreign_orders=by_id("foreign"),
        cash=pick(draw, [None, None, None, D(10), D("33.33"), ZERO, D(1000)])[0],
        ledgers=by_key("ledger"),
        witnesses=by_key("witness"),
        target_history=tuple(
            {key: token["polls"][place] for key, token in tokens.items() if len(token["polls"]) > place}
            for place in range(depth)
        ),
        holds=by_key("hold"),
    )


FACTORS = [D("1e-50"), D("1e-9"), D("0.001"), D(1), D("1.000000001"), D("123456.789"), D("1e9"), D("1e12")]


@st.composite
def absurd_snapshots(draw: st.DrawFn) -> Snapshot:
    """Valid all the same: sizes of a trillion or a billionth, 15 decimals, prices next to 0, nothing that fits."""
    snapshot = draw(busy_snapshots())
    factor, price = (
        draw(st.sampled_from(FACTORS)),
        draw(st.sampled_from([D("1e-60"), D("1e-9"), D("0.3333333333"), D(1), D(0)])),
    )

    def blown(positions: Positions) -> Positions:
        return evolve(
            positions,
            positions=tuple(
                evolve(row, size=row.size * factor, current_price=price, avg_price=price * row.avg_price)
                for row in positions.positions
            ),
        )

    return evolve(
        snapshot,
        target=blown(snapshot.target) if draw(st.booleans()) else snapshot.target,
        mine=blown(snapshot.mine) if draw(st.booleans()) else snapshot.mine,
        books={
            token_id: evolve(
                book,
                min_order_size=draw(st.sampled_from([ZERO, D("1e-9"), D("5.0000001"), D("1e9")])),
                tick_size=draw(st.sampled_from([book.tick_size, D("0.000001"), D("0.5")])),
                best_bid=book.best_bid and draw(st.sampled_from([book.best_bid, D("1e-9"), D("0.999999999")])),
            )
            for token_id, book in snapshot.books.items()
        },
        ledgers={
            key: evolve(ledger, base=ledger.base * factor, bought=ledger.bought * factor)
            for key, ledger in snapshot.ledgers.items()
        },
        policy=evolve(snapshot.policy, follow_ratio=draw(st.sampled_from([D("1e-60"), D("1e-9"), D("0.2"), D("1e6")]))),
        target_history=tuple({key: size * factor for key, size in poll.items()} for poll in snapshot.target_history),
        cash=draw(st.sampled_from([None, D("0.000001"), D("1e15")])),
    )
