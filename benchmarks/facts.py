"""Facts for measuring, of any number of tokens and always the same ones: snapshots, memories, answers of services.

Ids are as long as the real ones, prices and sizes as crooked. In a snapshot every part is on: of 100 tokens about

    46 are in the band        15 have an order resting     12 are to be bought, 3 to be sold
     6 are to be requoted      4 have an order in doubt     3 have one that is gone
     3 shrink, unconfirmed     4 wait for the feed          4 are blacklisted, redeemable, unresolved or on hold

nearly all have a ledger, one in ten an order of the user's own, and caps and cash run out before all is bought.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from functools import lru_cache
from random import Random

import msgspec
from attrs import evolve

from copytrade.adapters.token_ids import ctf_token_id
from copytrade.domain.memory import Base, Hold, Memory, OwnOrder, Standing
from copytrade.domain.model import Book, Ledger, Order, Position, Positions, Side, Snapshot
from copytrade.domain.policy import Policy

D = Decimal
NOW = D("1766000000.123")
LEADER, ME = "0x" + "1ead" * 10, "0x" + "ab" * 20
CENT = D("0.01")
KEY = "0x" + "5a" * 32  # signs for play money only
ADDRESS = "0xa8049bB68181799124F98E467DD749e120abFA64"  # of that key

# So many tokens of 100, by what is to be found about them; an even mix, so that ten tokens are like five thousand.
_KINDS = (
    ["band"] * 46 + ["resting"] * 15 + ["buy"] * 12 + ["sell"] * 3 + ["requote"] * 6 + ["doubt"] * 4 + ["gone"] * 3
    + ["unconfirmed"] * 3 + ["settling"] * 4 + ["blacklisted", "redeemable", "unresolved", "hold"]
)  # fmt: skip


@lru_cache(maxsize=8192)
def condition_id(number: int) -> str:
    return "0x" + hashlib.sha256(b"condition %d" % number).hexdigest()


@lru_cache(maxsize=8192)
def token_id(number: int) -> str:
    """Shaped like a CTF id; `real_token_id` is the one that belongs to the condition, at 0.3 ms each."""
    return str(int.from_bytes(hashlib.sha256(b"token %d" % number).digest(), "big"))


@lru_cache(maxsize=8192)
def real_token_id(number: int) -> str:
    return ctf_token_id(condition_id(number), 0, neg_risk=number % 3 == 1)


def order_id(number: int, which: str = "") -> str:
    return "0x" + hashlib.sha256(f"order {number} {which}".encode()).hexdigest()


def _order(dice: Random, number: int, which: str, side: Side, price: Decimal, age: int, *, gone: bool = False) -> Order:
    size = D(dice.randrange(500, 2500)) * CENT
    return Order(
        order_id=order_id(number, which),
        side=side,
        price=price,
        size=size,
        matched=size / 4 // CENT * CENT if dice.random() < 0.3 else D(0),
        ts=NOW - age,
        gone=gone,
    )


def snapshot(tokens: int) -> Snapshot:
    """Of so many tokens, with every part on."""
    dice = Random(tokens)  # noqa: S311  # dice of a game
    ratio = D("0.2")
    target, mine, books, live, doubts, foreign, ledgers = [], [], {}, {}, {}, {}, {}
    token_map, witnesses, holds, blacklist = {}, {}, {}, set()
    polls: list[dict[str, Decimal]] = [{}, {}, {}]
    kinds = _KINDS[:]
    dice.shuffle(kinds)
    for number in range(tokens):
        kind = kinds[number % len(kinds)]
        key, its_id = f"{condition_id(number)}:0", token_id(number)
        wanted = D(dice.randrange(8_000_000, 60_000_000)) / 1_000_000
        held = {"buy": wanted - 40, "resting": wanted - 30, "requote": wanted - 60, "settling": wanted - 20,
                "doubt": wanted - 25, "gone": wanted - 35, "sell": wanted + 30, "unconfirmed": wanted + 20}.get(
            kind, wanted + D(dice.randrange(-250, 250)) * CENT
        )  # fmt: skip
        held = max(held, D(0)).quantize(CENT)
        price = D(dice.randrange(6, 94)) * CENT
        row = Position(
            token_key=key,
            condition_id=condition_id(number),
            outcome_index=0,
            size=held,
            avg_price=price - CENT,
            token_id=None if kind == "unresolved" else its_id,
            current_price=price,
            redeemable=kind == "redeemable",
            slug=f"market-{number}",
            title=f"Will it happen, {number}?",
            end_date="2027-12-31",
        )
        his = (wanted / ratio).quantize(D("0.000001"))
        target.append(evolve(row, size=his, avg_price=price + CENT))
        if held:
            mine.append(row)
        if kind != "unresolved":
            token_map[key] = its_id
        earlier = his + 150 if kind == "unconfirmed" else his
        for poll in polls:
            poll[key] = earlier
        books[its_id] = Book(
            best_bid=price - CENT, best_ask=price + CENT, tick_size=CENT, min_order_size=D(5), last_trade_price=price
        )
        if kind in ("resting", "requote"):
            age = 200 if kind == "requote" else 30
            live[its_id] = (_order(dice, number, "live", Side.BUY, price - CENT, age),)
        if kind in ("doubt", "gone"):
            doubts[its_id] = (_order(dice, number, "doubt", Side.BUY, price - CENT, 40, gone=kind == "gone"),)
        if dice.random() < 0.1:
            foreign[its_id] = (_order(dice, number, "foreign", Side.SELL, price + 2 * CENT, 5000),)
        if kind == "settling":
            ledgers[key] = Ledger(base=held, bought=D(20), moved_at=NOW - 40, seen=held)
        elif kind != "buy":
            ledgers[key] = Ledger(base=held, moved_at=NOW - 4000, seen=held)
        if kind == "blacklisted":
            blacklist.add(key)
        if kind == "hold":
            holds[key] = NOW + 50
        if number % 50 == 7:
            witnesses[key] = held
    notional = sum((row.size * row.current_price for row in mine), D(0))
    policy = Policy(
        target_address=LEADER,
        my_address=ME,
        follow_ratio=ratio,
        max_notional_total=notional + D("3.5") * tokens,
        blacklist_token_keys=frozenset(blacklist),
    )
    return Snapshot(
        now=NOW,
        policy=policy,
        target=Positions(positions=tuple(target)),
        mine=Positions(positions=tuple(mine)),
        token_map=token_map,
        books=books,
        open_orders=live,
        in_doubt=doubts,
        foreign_orders=foreign,
        cash=D(8 * tokens) + D("100.5"),
        ledgers=ledgers,
        witnesses=witnesses,
        target_history=tuple(polls),
        holds=holds,
    )


def memory(tokens: int) -> Memory:
    """What a run remembers of so many tokens: ids, ledgers, three polls, and an order on every second one."""
    seen = snapshot(tokens)
    keys = list(seen.token_map)
    orders = {}
    standings = (Standing.OPEN, Standing.INTENT, Standing.GONE, Standing.SETTLED)
    for number, key in enumerate(keys[::2]):
        own = OwnOrder(
            order_id=order_id(number, "own"),
            token_key=key,
            token_id=seen.token_map[key],
            side=Side.BUY,
            price=D("0.43"),
            size=D("24.87"),
            ts=NOW - 30,
            expiration=D(1_766_000_190),
            standing=standings[number % len(standings)],
            matched=D("4.5"),
            seen_at=NOW,
        )
        orders[own.order_id] = own
    return Memory(
        token_map=dict(seen.token_map),
        orders=orders,
        bases={key: Base(base=D("12.345678"), moved_at=NOW - 4000, seen=D("12.345678")) for key in keys},
        polls=seen.target_history,
        holds={key: Hold(until=NOW + 60) for key in keys[::100]},
        last_sync_ts=NOW,
    )


# -- answers of services ----------------------------------------------------------------------------------------------


def positions_page(rows: int) -> bytes:
    """One page of `GET /v2/positions`."""
    dice = Random(rows)  # noqa: S311  # dice of a game
    data = [
        {
            "proxy_wallet": LEADER, "token_id": real_token_id(number), "condition_id": condition_id(number),
            "current_size": dice.randrange(10**6, 10**9) / 10**6, "avg_price": dice.randrange(10, 990) / 1000,
            "current_price": dice.randrange(10, 990) / 1000, "current_value": 12.5, "status": "OPEN",
            "redeemable": False, "mergeable": False, "negative_risk": number % 3 == 1, "archived": False,
            "title": f"Will it happen, {number}?", "slug": f"market-{number}", "outcome": "Yes", "outcome_index": 0,
            "opposite_token_id": token_id(number), "event_id": str(number), "event_slug": f"event-{number}",
            "end_date": "2027-12-31", "initial_value": 100.1, "cash_pnl": -3.25, "percent_pnl": -0.7,
            "total_bought": 500.25, "realized_pnl": 0, "last_event_at": "2026-11-02T10:11:12Z",
        }
        for number in range(rows)
    ]  # fmt: skip
    end = {"limit": 1000, "offset": 0, "has_more": False, "next_cursor": None}
    return msgspec.json.encode({"data": data, "pagination": end})


def books_answer(books: int, levels: int = 20) -> bytes:
    """The answer of `POST /books`: so many levels on each side of each book."""
    dice = Random(books)  # noqa: S311  # dice of a game

    def side(mid: int, step: int) -> list[dict[str, str]]:
        places = [mid + step * place for place in range(levels, 0, -1)]
        return [
            {"price": f"0.{place:03}", "size": f"{dice.randrange(100, 10**7) / 100:.2f}"}
            for place in places
            if 0 < place < 1000
        ]

    return msgspec.json.encode(
        [
            {
                "market": condition_id(number), "asset_id": token_id(number), "timestamp": "1766000000123",
                "hash": "e1c4c1b7ee5f6d5f4e2fd0bc3b9d9a6a1f1e5a3d", "bids": side(mid - 1, -1), "asks": side(mid, 1),
                "min_order_size": "5", "tick_size": "0.001", "neg_risk": number % 3 == 1, "last_trade_price": "0.500",
            }
            for number in range(books)
            if (mid := dice.randrange(50, 950))
        ]
    )  # fmt: skip


def orders_page(rows: int) -> bytes:
    """One page of `GET /data/orders`."""
    data = [
        {
            "id": order_id(number), "status": "LIVE", "owner": "7f1d2f4e-0000-4000-8000-00000000c0de",
            "maker_address": ME, "market": condition_id(number), "asset_id": token_id(number), "side": "BUY",
            "original_size": "24.87", "size_matched": "4.5", "price": "0.43", "outcome": "Yes",
            "expiration": "1766000190", "order_type": "GTD", "associate_trades": [], "created_at": 1_765_999_970,
        }
        for number in range(rows)
    ]  # fmt: skip
    return msgspec.json.encode({"data": data, "next_cursor": "LTE=", "limit": 500, "count": rows})
