"""Hypothesis strategies for every record a decision is made of: small, realistic, and fond of the borders.

Few tokens and few distinct numbers, so that things meet: sizes around the deadband, the minimum size and the
cent of a share; prices on the tick and at its ends; orders just young enough and just too old; ledgers in every state.

    @given(snapshot=snapshots())                      anything that decode_snapshot could give
    @given(snapshot=snapshots(policies(maker_only=st.just(False))))
    @given(order=orders(NOW, sides=st.just(Side.BUY)))

Strategies are cached where they can be: to build one anew for each draw costs more than the draw.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

from copytrade.domain.model import Book, Ledger, Order, Position, Positions, Side, Snapshot, Today, TokenId, TokenKey
from copytrade.domain.policy import Policy

NOW = Decimal(1766000000)
TARGET = "0x" + "a1" * 20
MINE = "0x" + "b2" * 20

# token_key -> token_id: two outcomes of one market, two markets more, and an id as long as real ones are.
TOKENS: dict[TokenKey, TokenId] = {
    "0xc1:0": "111",
    "0xc1:1": "112",
    "0xc2:0": "221",
    "0x" + "d4" * 32 + ":1": "69515744437473089728151261939146426925489297565662421305942992110046228478629",
}
COMBO_KEY: TokenKey = "0x0399f3c9aa7360ee8fd03463733e451b460000000000000000000000000000:0"
COMBO_ID: TokenId = "1628948707922995775031622509772078765406110626872621424817699628095377506304"
UNKNOWN_ID: TokenId = "999"  # an asset id that nothing else in a snapshot knows

TICKS = (Decimal("0.1"), Decimal("0.01"), Decimal("0.001"), Decimal("0.0001"))


def D(text: str | int) -> Decimal:
    """An exact number, short enough for a table."""
    return Decimal(text)


@cache
def sizes(*, least: str = "0", most: str = "200") -> st.SearchStrategy[Decimal]:
    """Shares: whole ones, cents, the feed's six decimals; the borders of the rules more often than others."""
    low, high = Decimal(least), Decimal(most)
    borders = ("0", "0.01", "0.02", "1", "2.99", "3", "3.01", "4.99", "5", "5.01", "6", "8", "25", "100", "100.000001")
    inside = [D(border) for border in borders if low <= D(border) <= high] or [low]

    def on(step: Decimal) -> st.SearchStrategy[Decimal]:  # st.decimals is many times slower than whole steps
        return st.integers(int(low / step), int(high / step)).map(lambda steps: max(steps * step, low))

    return st.one_of(st.sampled_from(inside), on(D(1)), on(D("0.01")), on(D("0.000001")))


@cache
def prices(tick: Decimal | None = None) -> st.SearchStrategy[Decimal]:
    """Prices inside (0, 1) on `tick`, its two ends included; without one, on any tick."""
    if tick is None:
        return st.sampled_from(TICKS).flatmap(prices)
    return st.integers(1, int(1 / tick) - 1).map(lambda steps: steps * tick)


@cache
def times(*, before: int = 600, now: Decimal = NOW) -> st.SearchStrategy[Decimal]:
    """Moments up to `before` seconds ago, the ttl's and the graces' borders among them."""
    ages = st.sampled_from([0, 1, 59, 60, 61, 89, 90, 91, 299, 300, 301]).filter(lambda age: age <= before)
    return st.one_of(ages, st.integers(0, before)).map(lambda age: now - age)


def policies(**given: st.SearchStrategy[Any]) -> st.SearchStrategy[Policy]:
    """Policies that keep the rules; what is `given` by name is drawn from there."""
    return _policies(given)


_OTHER_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "follow_ratio": st.sampled_from([D("0.01"), D("0.2"), D("0.333"), D(1), D(2)]),
    "order_ttl_sec": st.sampled_from([D(30), D(90)]),
    "tick_size": st.sampled_from(TICKS),
    "maker_only": st.booleans(),
    "max_notional_per_token": st.sampled_from([D(0), D(5), D(50), D(500)]),
    "max_notional_total": st.sampled_from([D(0), D(20), D(200), D(2000)]),
    "blacklist_token_keys": st.frozensets(st.sampled_from(list(TOKENS)), max_size=1),
    "polls_to_grow": st.integers(1, 2),
    "polls_to_shrink": st.integers(1, 3),
    "settle_timeout_sec": st.sampled_from([D(150), D(300)]),
    "fill_grace_sec": st.sampled_from([D(0), D(60)]),
    "max_price_deviation": st.sampled_from([D(0), D("0.10"), D(1)]),
    "manage_holdings": st.sampled_from(["all", "copied"]),
    "max_daily_spend": st.sampled_from([None, None, None, D(0), D(20), D("33.3")]),
    "max_daily_loss": st.sampled_from([None, None, None, D(10)]),
    "min_open_price": st.sampled_from([None, None, None, D("0.1")]),
    "max_open_price": st.sampled_from([None, None, None, D("0.9")]),
    "min_hours_to_end": st.sampled_from([None, None, None, D(24)]),
    "allow_markets": st.sampled_from([(), (), (), ("paris",)]),
    "deny_markets": st.sampled_from([(), (), (), ("quotes",)]),
}


@st.composite
def _policies(draw: st.DrawFn, given: dict[str, st.SearchStrategy[Any]]) -> Policy:
    deadband = draw(given.get("deadband_shares", st.sampled_from([D(0), D("0.5"), D(3), D(10)])))
    slice_min = draw(given.get("slice_min", st.sampled_from([D(0), deadband, 2 * deadband])))
    settings: dict[str, Any] = {
        "target_address": TARGET,
        "my_address": MINE,
        "deadband_shares": deadband,
        "slice_min": slice_min,
        "slice_max": draw(given.get("slice_max", st.sampled_from([max(slice_min, D(5)), max(slice_min, D(25))]))),
    }
    settings |= {name: draw(given.get(name, other)) for name, other in _OTHER_SETTINGS.items()}
    return Policy(**settings)


@cache
def books() -> st.SearchStrategy[Book]:
    """Books of every kind: good ones mostly, one-sided, empty, locked and crossed ones too."""
    return _books()


@st.composite
def _books(draw: st.DrawFn) -> Book:
    tick = draw(st.sampled_from(TICKS))
    bid, ask = draw(prices(tick)), draw(prices(tick))
    if draw(st.integers(0, 9)):  # nine of ten are not crossed
        bid, ask = min(bid, ask), max(bid, ask)
    return Book(
        best_bid=draw(st.sampled_from([bid, bid, bid, None])),
        best_ask=draw(st.sampled_from([ask, ask, ask, None])),
        tick_size=draw(st.sampled_from([tick, tick, None])),
        min_order_size=draw(st.sampled_from([D(5), D(15), D("0.01"), D(0), None])),
        last_trade_price=draw(st.one_of(st.none(), st.just(D(0)), prices(tick))),
    )


def orders(
    now: Decimal = NOW,
    *,
    sides: st.SearchStrategy[Side] | None = None,
    gone: st.SearchStrategy[bool] | None = None,
    order_ids: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Order]:
    """Orders of any age, unmatched, partly matched and matched through."""
    return _orders(
        now,
        st.sampled_from(Side) if sides is None else sides,
        st.just(False) if gone is None else gone,
        st.integers(1, 2**32).map(hex) if order_ids is None else order_ids,
    )


@st.composite
def _orders(
    draw: st.DrawFn,
    now: Decimal,
    sides: st.SearchStrategy[Side],
    gone: st.SearchStrategy[bool],
    order_ids: st.SearchStrategy[str],
) -> Order:
    size = draw(sizes(least="0.01", most="50"))
    return Order(
        order_id=draw(order_ids),
        side=draw(sides),
        price=draw(prices()),
        size=size,
        matched=draw(st.one_of(st.just(D(0)), st.just(size), sizes(most="50").map(lambda part: min(part, size)))),
        ts=draw(times(now=now)),
        gone=draw(gone),
    )


@cache
def ledgers(now: Decimal = NOW) -> st.SearchStrategy[Ledger]:
    """Ledgers of every state: untouched, in motion, quiet, not final, sold below what was ever there."""
    return st.builds(
        Ledger,
        base=sizes(),
        bought=st.one_of(st.just(D(0)), sizes(most="50")),
        sold=st.one_of(st.just(D(0)), sizes(most="50")),
        moved_at=st.one_of(st.just(D(0)), times(now=now)),
        seen=st.one_of(st.none(), sizes()),
        final=st.booleans(),
    )


@cache
def positions_of(
    token_key: TokenKey, *, held: st.SearchStrategy[Decimal] | None = None, token_id: TokenId | None = None
) -> st.SearchStrategy[Position]:
    """What one wallet may report of one outcome; its token id may be missing."""
    condition_id, _, outcome_index = token_key.rpartition(":")
    return st.builds(
        Position,
        token_key=st.just(token_key),
        condition_id=st.just(condition_id),
        outcome_index=st.just(int(outcome_index)),
        size=sizes(most="1000") if held is None else held,
        avg_price=st.one_of(st.just(D(0)), prices()),
        token_id=st.sampled_from([None, token_id]),
        current_price=st.one_of(st.just(D(0)), st.just(D(1)), prices()),
        redeemable=st.sampled_from([False, False, False, True]),
        slug=st.sampled_from(["", "rain-in-paris"]),
        title=st.sampled_from(["", "Will it rain in Paris?", 'Odd "quotes" \\ and \u00fcml\u00e4uts']),
        end_date=st.sampled_from(["", "2025-12-18", "2026-12-31", "2026-12-31T00:00:00Z"]),
    )


def answers(token_ids: dict[TokenKey, TokenId], *, complete: bool | None = None) -> st.SearchStrategy[Positions]:
    """One answer of the positions feed about some of these tokens; `complete` leaves the broken answers out."""
    good = st.just(True) if complete else st.sampled_from([True] * 9 + [False])
    rows = st.lists(st.sampled_from(sorted(token_ids)), unique=True, max_size=len(token_ids)).flatmap(
        lambda keys: st.tuples(*(positions_of(key, token_id=token_ids[key]) for key in keys))
    )
    return st.builds(Positions, ok=good, incomplete=good.map(lambda value: not value), positions=rows)


_TODAYS = st.builds(Today, spent=sizes(), result=sizes().map(lambda size: 50 - size))


def snapshots(
    policy: st.SearchStrategy[Policy] | None = None, *, complete: bool = False
) -> st.SearchStrategy[Snapshot]:
    """Snapshots that a document could give; with `complete`, only such as are not in safe mode.

    They keep the rules of the document: an order id stands once, token_map holds what the positions say.
    """
    return _snapshots(policies() if policy is None else policy, complete)


@st.composite
def _snapshots(draw: st.DrawFn, policy: st.SearchStrategy[Policy], complete: bool) -> Snapshot:
    known = draw(st.sets(st.sampled_from([*TOKENS, COMBO_KEY]), min_size=1))
    ids = {**TOKENS, COMBO_KEY: COMBO_ID}
    everything = {key: ids[key] for key in sorted(known)}
    target, mine = draw(answers(everything, complete=complete)), draw(answers(everything, complete=complete))
    said = {row.token_key: row.token_id for answer in (target, mine) for row in answer.positions if row.token_id}
    mapped = draw(st.sets(st.sampled_from(sorted(everything))))
    token_ids = [*sorted(everything.values()), UNKNOWN_ID]
    numbers = iter(range(1, 10_000))

    def some_orders(gone: st.SearchStrategy[bool], most: int) -> dict[TokenId, tuple[Order, ...]]:
        on = draw(st.lists(st.sampled_from(token_ids), unique=True, max_size=3))
        ids_of_orders = st.builds(lambda: hex(next(numbers)))
        listed = st.lists(orders(gone=gone, order_ids=ids_of_orders), min_size=1, max_size=most)
        return {token_id: tuple(draw(listed)) for token_id in on}

    def per_key(values: st.SearchStrategy[Any]) -> dict[TokenKey, Any]:
        return draw(st.dictionaries(st.sampled_from(sorted(everything)), values, max_size=3))

    return Snapshot(
        now=NOW,
        policy=draw(policy),
        target=target,
        mine=mine,
        token_map={key: ids[key] for key in sorted(mapped | set(said))},
        books=draw(st.dictionaries(st.sampled_from(token_ids), books())),
        orders_ok=True if complete else draw(st.sampled_from([True] * 9 + [False])),
        open_orders=some_orders(st.just(False), 2),
        in_doubt=some_orders(st.booleans(), 2),
        foreign_orders=some_orders(st.just(False), 1),
        cash=draw(st.one_of(st.none(), sizes(most="1000"))),
        ledgers=per_key(ledgers()),
        witnesses=per_key(sizes()),
        target_history=tuple(per_key(sizes(most="1000")) for _ in range(draw(st.integers(0, 3)))),
        holds=per_key(times(now=NOW + 120)),
        today=draw(st.one_of(st.none(), _TODAYS)),
        stopped=draw(st.sampled_from([False] * 19 + [not complete])),
    )
