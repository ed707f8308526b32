"""Snapshots on which much is decided: few tokens that are wanted, held, quoted and traded most of the time.

tests/strategies.py draws whatever a document could say; most of that is left alone. Here the odd cases are rare enough
that every second snapshot has a place in it, and each draw is cheap. `absurd` then blows a snapshot up.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
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


@lru_cache(maxsize=None, typed=True)
def often(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Mostly `usual`. Kept, since building a strategy costs more than drawing from it; `typed`, since 1 is not True."""
    return st.sampled_from([usual] * (4 * len(others)) + list(others))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    deadband, slice_min, slice_max = draw(
        st.sampled_from(
            [("3", 5, 25), ("3", 5, 5), ("3", 0, 4), ("3", 6, 6), ("0", 0, 25), ("0.5", 1, 7), ("10", 20, 100)]
        )
    )
    return Policy(
        follow_ratio=draw(often(D(1), D("0.2"), D("0.333"), D(2))),
        deadband_shares=D(deadband),
        slice_min=D(slice_min),
        slice_max=D(slice_max),
        maker_only=draw(often(True, False)),
        max_notional_per_token=draw(often(D(500), D(0), D(5), D(20), D("33.3"))),
        max_notional_total=draw(often(D(2000), D(0), D(10), D(25), D("66.6"))),
        polls_to_grow=draw(often(1, 2)),
        polls_to_shrink=draw(often(2, 1, 3)),
        max_price_deviation=draw(often(D(1), D("0.1"), D(0))),
        manage_holdings=draw(often("all", "copied")),
        blacklist_token_keys=draw(often(frozenset(), frozenset({"0xb:0"}))),
    )


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Mostly a good book; empty sides, one-tick spreads, off-tick prices, crossed and locked ones as well."""
    tick = draw(st.sampled_from([*TICKS, D("0.01"), D("0.005"), D("0.0025")]))
    bid = draw(st.one_of(st.just(D("0.4")), st.integers(1, int(1 / tick) - 1).map(lambda steps: steps * tick)))
    wide = draw(often(1, 0, 2, -1, D("0.4")))
    ask = bid + wide * tick
    return Book(
        best_bid=draw(often(bid, None)),
        best_ask=draw(often(ask if 0 < ask < 1 else None, None, D("0.9995"))),
        tick_size=draw(often(tick, None)),
        min_order_size=draw(often(D(5), None, D(0), D(1), D("15"), D("5.001"))),
        last_trade_price=draw(often(None, ZERO, D("0.5"))),
    )


@st.composite
def _order(draw: st.DrawFn, order_id: str, side: Side | None = None) -> Order:
    size = draw(st.sampled_from([D(5), D("7.5"), D(20), D(25), D("23.01")]))
    return Order(
        order_id=order_id,
        side=draw(st.sampled_from(Side)) if side is None else side,
        price=draw(st.sampled_from(PRICES)),
        size=size,
        matched=draw(often(ZERO, D("2.5"), D(5))),
        ts=NOW - draw(st.sampled_from([1, 90, 91, 200])),
    )


@st.composite
def _token(draw: st.DrawFn, key: str) -> dict[str, Any]:
    row: dict[str, Any] = {"token_key": key, "condition_id": key[:-2], "outcome_index": 0, "token_id": KEYS[key]}
    facts: dict[str, Any] = {}
    shares, averages = st.sampled_from(SHARES), often(ZERO, *PRICES[:5])
    current = often(ZERO, D("0.4"), D("0.5"), D(1))
    redeemable = often(False, False, False, True)
    wanted, held = draw(shares), draw(shares)
    if draw(often(True, False)):
        facts["target"] = Position(
            **row, size=wanted, avg_price=draw(averages), current_price=draw(current), redeemable=draw(redeemable)
        )
    if draw(often(True, False)):
        facts["mine"] = Position(**row, size=held, avg_price=draw(averages), current_price=draw(current))
    if draw(st.booleans()):
        bought, sold = draw(st.sampled_from(FILLS)), draw(st.sampled_from(FILLS))
        facts["ledger"] = Ledger(
            base=draw(often(held, *SHARES[::5])),
            bought=bought,
            sold=sold,
            moved_at=max(NOW - draw(st.sampled_from(AGES)), ZERO),
            seen=draw(often(None, held, D(7))),
            final=draw(often(True, False)),
        )
        if draw(st.booleans()):
            facts["witness"] = draw(st.one_of(st.just(held), shares))
    facts["book"] = draw(often(1, None)) and draw(books())
    facts["live"] = tuple(
        draw(_order(f"{key}-live-{place}")) for place in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2])))
    )
    facts["doubts"] = tuple(
        evolve(draw(_order(f"{key}-doubt-{place}")), gone=draw(often(True, False)))
        for place in range(draw(st.sampled_from([0, 0, 0, 1])))
    )
    facts["foreign"] = (draw(_order(f"{key}-foreign")),) if draw(often(False, True)) else ()
    facts["polls"] = draw(st.sampled_from([(), (wanted,), (wanted, wanted), (SHARES[-3],), (ZERO, SHARES[-1])]))
    facts["hold"] = NOW + draw(often(0, 1, -1))
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
        cash=draw(often(None, ZERO, D(10), D("33.33"), D(1000))),
        ledgers=by_key("ledger"),
        witnesses=by_key("witness"),
        target_history=tuple(
            {key: token["polls"][place] for key, token in tokens.items() if len(token["polls"]) > place}
            for place in range(depth)
        ),
        holds=by_key("hold"),
    )


FACTORS = [D("1e-9"), D("0.001"), D(1), D("1.000000001"), D("123456.789"), D("1e9"), D("1e12")]


@st.composite
def absurd_snapshots(draw: st.DrawFn) -> Snapshot:
    """Valid all the same: sizes of a trillion or a billionth, 15 decimals, prices next to 0, nothing that fits."""
    snapshot = draw(busy_snapshots())
    factor, price = draw(st.sampled_from(FACTORS)), draw(st.sampled_from([D("1e-9"), D("0.3333333333"), D(1), D(0)]))

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
        policy=evolve(snapshot.policy, follow_ratio=draw(st.sampled_from([D("1e-9"), D("0.2"), D("1e6")]))),
        target_history=tuple({key: size * factor for key, size in poll.items()} for poll in snapshot.target_history),
        cash=draw(st.sampled_from([None, D("0.000001"), D("1e15")])),
    )
