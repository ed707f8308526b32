"""Worlds to start from: small ones for tests, and the building blocks of the demo (demo.py).

Ids look like the real ones and hold what the real ones promise: the token ids of a v1 market are computed from its
condition id as the conditional tokens contract does, those of a v2 market follow the layout of position ids.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random

from copytrade.adapters.simulated.records import Manners, Market, Mode, Outcome
from copytrade.adapters.simulated.rules import Exchange
from copytrade.adapters.simulated.world import Event, World
from copytrade.adapters.token_ids import ctf_token_id

LEADER = "0x" + "1ead" * 10  # whom the worlds let us follow
SOME_NAMES = ("Yes", "No")
END_DATE = "2027-12-31T12:00:00Z"

_BINARY, _NEG_RISK, _COMBO = 1, 2, 3  # modules of a position id


def condition_id_of(slug: str) -> str:
    """A condition id that is always the same for a market's name."""
    return "0x" + hashlib.sha256(slug.encode()).hexdigest()


def position_id(slug: str, outcome_index: int, module: int = _BINARY) -> str:
    """A protocol-V2 position id: module 8 bits, hash 128, then zeros, and the outcome in the last 8."""
    digest = hashlib.sha256(b"position " + slug.encode()).digest()[:16]
    return str((module << 248) | (int.from_bytes(digest, "big") << 120) | outcome_index)


def market(
    slug: str,
    *,
    version: str = "v1",
    neg_risk: bool = False,
    tick_size: str = "0.01",
    title: str = "",
    names: tuple[str, ...] = SOME_NAMES,
) -> Market:
    """A market with a full set of ids."""
    condition_id = condition_id_of(slug)
    if version == "v2":
        module = _NEG_RISK if neg_risk else _BINARY
        ids = [position_id(slug, index, module) for index in range(len(names))]
    else:
        ids = [ctf_token_id(condition_id, index, neg_risk=neg_risk) for index in range(len(names))]
    return Market(
        condition_id=condition_id,
        outcomes=tuple(Outcome(name=name, token_id=token_id) for name, token_id in zip(names, ids, strict=True)),
        version=version,
        neg_risk=neg_risk,
        tick_size=Decimal(tick_size),
        slug=slug,
        title=title or slug.replace("-", " ").capitalize(),
        end_date=END_DATE,
    )


def combo(slug: str) -> Market:
    """A combo: it has a 62-digit condition id, a position id of module 3, and no order book."""
    ids = [position_id(slug, index, _COMBO) for index in range(2)]
    return Market(
        condition_id=f"0x{int(ids[0]) >> 8:062x}",
        outcomes=tuple(Outcome(name=name, token_id=each) for name, each in zip(SOME_NAMES, ids, strict=True)),
        version="v2",
        accepting_orders=False,
        slug=slug,
        title=slug.replace("-", " ").capitalize(),
        end_date=END_DATE,
    )


def add_market(exchange: Exchange, made: Market, mid: str = "0.50", *, depth: str = "500", spread: int = 2) -> Market:
    """Open a market with two levels on each side of both books: `spread` ticks around `mid`, `depth` shares each.

    A combo gets no book.
    """
    exchange.add_market(made)
    if len(made.condition_id) < 66:
        for outcome in made.outcomes:
            exchange.close_book(outcome.token_id)
        return made
    for index, outcome in enumerate(made.outcomes):
        quote(exchange, outcome.token_id, mid if index == 0 else str(1 - Decimal(mid)), depth=depth, spread=spread)
    return made


def quote(exchange: Exchange, token_id: str, mid: str, *, depth: str = "500", spread: int = 2) -> None:
    """Move the outside book of one token around `mid`, on its tick and inside (0, 1)."""
    known = exchange.market_of(token_id)
    assert known is not None, token_id
    tick = known[0].tick_size
    bid = ((Decimal(mid) - tick * spread / 2) // tick) * tick
    ask = bid + tick * spread
    bids = [(price, Decimal(depth)) for price in (bid, bid - tick) if tick <= price <= 1 - tick]
    asks = [(price, Decimal(depth)) for price in (ask, ask + tick) if tick <= price <= 1 - tick]
    exchange.set_book(token_id, bids=bids, asks=asks)


def new_exchange(now: Decimal, *, manners: Manners | None = None, seed: int = 0) -> Exchange:
    """An exchange that began an hour ago, so that what is set up now is no news to a feed that lags.

    Set it up, then `tick(now)`.
    """
    dice = Random(seed)  # noqa: S311 - seeded on purpose: the same world lives the same life
    return Exchange(now=now - 3600, dice=dice, manners=manners or Manners())


def small_world(
    clock: Callable[[], Decimal],
    *,
    me: str,
    signer: str = "",
    signature_type: int = 0,
    leader: str = LEADER,
    tokens: int = 3,
    leader_holds: str = "100",
    mine: Mapping[int, str] | None = None,
    cash: str = "1000",
    manners: Manners | None = None,
    seed: int = 0,
) -> World:
    """`tokens` markets at 0.50, and a leader who holds YES of each of them.

    `mine` are shares of the YES of market n that I hold already; a market beyond `tokens` is made for it, which is one
    that the leader does not hold.
    """
    exchange = new_exchange(clock(), manners=manners, seed=seed)
    exchange.add_wallet(leader)
    exchange.add_wallet(me, cash=Decimal(cash), signer=signer, signature_type=signature_type)
    holdings = mine or {}
    for number in range(max([tokens, *(each + 1 for each in holdings)])):
        made = add_market(exchange, market(f"market-{number}", neg_risk=number % 3 == 1))
        yes = made.outcomes[0].token_id
        if number < tokens:
            exchange.hold(leader, yes, Decimal(leader_holds), Decimal("0.45"))
        if number in holdings:
            exchange.hold(me, yes, Decimal(holdings[number]), Decimal("0.45"))
    exchange.tick(clock())
    return World(exchange=exchange, clock=clock)


def restart(world: World, *, for_sec: Decimal, post_only_sec: Decimal = Decimal(120)) -> None:
    """The matching engine restarts: 425 to whoever trades, then so long only post-only orders and cancels (API.md)."""

    def then(mode: Mode, at: Decimal) -> None:
        def deed(exchange: Exchange) -> None:
            exchange.mode = mode

        insort(world.story, Event(at=at, deed=deed), key=lambda event: event.at)

    back = world.now() + for_sec
    world.exchange.mode = Mode.RESTARTING
    then(Mode.POST_ONLY, back)
    then(Mode.NORMAL, back + post_only_sec)


def yes_of(world: World, number: int) -> str:
    """The token id of YES of `market-{number}`."""
    return world.exchange.markets[condition_id_of(f"market-{number}")].outcomes[0].token_id
