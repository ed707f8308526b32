"""The world of `copytrade demo`: a leader whose book changes while you watch, within about forty seconds.

    at once   five open positions: two ordinary markets (one row without its token id, as happens), one neg-risk, one of
              protocol V2, and one that is resolved and only waits to be redeemed
    10 s      the leader grows a position
    16 s      … opens a new one
    22 s      … and leaves one entirely
    between   prices move a little; the outside world takes resting orders now and then, often only a part of one

Both wallets are reported some seconds late, and trades settle in their own time, as in production. Settings that make
it fit are `SETTINGS`; everything else is the defaults'.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from copytrade.adapters.simulated.feed import Feed
from copytrade.adapters.simulated.records import Hits, Manners, Market
from copytrade.adapters.simulated.rules import Exchange
from copytrade.adapters.simulated.scenario import LEADER, add_market, market, new_exchange, quote
from copytrade.adapters.simulated.world import Event, World

DEMO_SEC: Final = 40
ROUND_SEC: Final = 60
SETTINGS: Final = {
    "follow_ratio": Decimal("0.2"),
    "poll_interval_sec": Decimal(2),
    "order_ttl_sec": Decimal(10),
    "fill_grace_sec": Decimal(6),
    "settle_timeout_sec": Decimal(70),
}
"""Configuration keys under which the story fits into `DEMO_SEC`."""

_LEADER_LAG_SEC, _MY_LAG_SEC = Decimal(2), Decimal(4)
_HITS = Hits(mean_sec=2.5, least=Decimal(4), most=Decimal(20))

_RAIN = market("rain-in-lisbon-on-friday", title="Will it rain in Lisbon on Friday?")
_FINAL = market("northwind-win-the-final", title="Will Northwind win the final?", neg_risk=True)
_LAUNCH = market("probe-launches-this-year", title="Will the probe launch this year?", tick_size="0.001")
_BRIDGE = market("bridge-opens-in-spring", title="Will the bridge open in spring?", version="v2")
_RATES = market("rates-cut-in-december", title="Will rates be cut in December?")
_RESOLVED = market("comet-seen-in-october", title="Was the comet seen in October?")


def demo_world(
    clock: Callable[[], Decimal], *, me: str, signer: str = "", signature_type: int = 0, seed: int = 7
) -> World:
    """The demo's world. The leader is `scenario.LEADER`; I am `me`, with 400 pUSD and no shares."""
    start = clock()
    manners = Manners(hits=_HITS, list_trades_after=Decimal(1))
    exchange = new_exchange(start, manners=manners, seed=seed)
    exchange.add_wallet(LEADER)
    exchange.add_wallet(me, cash=Decimal(400), signer=signer, signature_type=signature_type)
    for made, mid, size in (
        (_RAIN, "0.62", 150),
        (_FINAL, "0.31", 160),
        (_LAUNCH, "0.904", 60),
        (_BRIDGE, "0.44", 120),
        (_RESOLVED, "0.97", 250),
    ):
        add_market(exchange, made, mid)
        exchange.hold(LEADER, _yes(made), Decimal(size), Decimal(mid) - Decimal("0.03"))
    add_market(exchange, _RATES, "0.27")
    exchange.resolve(_RESOLVED.condition_id, [Decimal(1), Decimal(0)])
    exchange.tick(start)
    feeds = {
        LEADER: Feed(lag_sec=_LEADER_LAG_SEC, without_id={_yes(_LAUNCH)}),
        me.lower(): Feed(lag_sec=_MY_LAG_SEC),
    }
    return World(exchange=exchange, clock=clock, feeds=feeds, story=_story(start))


def practice_world(
    clock: Callable[[], Decimal], *, me: str, signer: str = "", signature_type: int = 0, seed: int = 7
) -> World:
    """The demo's world without an end: once its story is told, the leader goes on trading, in rounds of a minute.

    The account is one that has been used before: it has API credentials.
    """
    world = demo_world(clock, me=me, signer=signer, signature_type=signature_type, seed=seed)
    world.made_keys.add((signer or me).lower())
    _go_on(world, world.exchange.now + DEMO_SEC)
    return world


def _go_on(world: World, start: Decimal) -> None:
    """Append one round of the leader's, whose end appends the next."""

    def event(second: int, deed: Callable[[Exchange], object], words: str = "") -> Event:
        return Event(at=start + second, deed=deed, words=words)

    world.story += [
        event(5, _moves(_FINAL, "0.33")),
        event(10, _holds(_FINAL, 140), f"the leader opens a position of 140 shares: {_FINAL.title}"),
        event(18, _moves(_RAIN, "0.64")),
        event(25, _holds(_RAIN, 180), f"the leader cuts a position down to 180 shares: {_RAIN.title}"),
        event(33, _moves(_RATES, "0.27")),
        event(40, _holds(_RAIN, 260), f"the leader grows a position to 260 shares: {_RAIN.title}"),
        event(48, _moves(_FINAL, "0.32")),
        event(55, _holds(_FINAL, 0), f"the leader leaves a position of 140 shares: {_FINAL.title}"),
        event(ROUND_SEC, lambda _: _go_on(world, start + ROUND_SEC)),
    ]


def _story(start: Decimal) -> list[Event]:
    def event(second: int, deed: Callable[[Exchange], object], words: str = "") -> Event:
        return Event(at=start + second, deed=deed, words=words)

    return [
        event(6, _moves(_RAIN, "0.63")),
        event(10, _holds(_RAIN, 260), f"the leader grows a position to 260 shares: {_RAIN.title}"),
        event(13, _moves(_BRIDGE, "0.43")),
        event(16, _holds(_RATES, 120), f"the leader opens a position of 120 shares: {_RATES.title}"),
        event(19, _moves(_FINAL, "0.32")),
        event(22, _holds(_FINAL, 0), f"the leader leaves a position of 160 shares: {_FINAL.title}"),
        event(27, _moves(_RATES, "0.28")),
        event(32, _moves(_RAIN, "0.62")),
    ]


def _holds(made: Market, size: int) -> Callable[[Exchange], object]:
    token_id = _yes(made)
    return lambda exchange: exchange.hold(LEADER, token_id, Decimal(size), exchange.price_of(token_id))


def _moves(made: Market, mid: str) -> Callable[[Exchange], object]:
    return lambda exchange: quote(exchange, _yes(made), mid)


def _yes(made: Market) -> str:
    return made.outcomes[0].token_id
