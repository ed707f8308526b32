"""What happens in the world while nobody asks it anything: the market, the leader, the user, the exchange, the feeds.

Everything here is a deed on the engine, told in words. When it happens is decided in chaos.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal

from copytrade.adapters.simulated.records import Market, Mode, NewOrder, OrderStatus
from copytrade.adapters.simulated.rules import Exchange
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.adapters.simulated.world import World
from copytrade.domain.model import CENT_SHARE, ZERO, Side
from tests.simulation.chaos import Chaos

CASH = Decimal(5000)
USER = "user"  # the API key of the user's own orders
_MOST = Decimal(500)  # shares that the leader holds of a token
_TICKS = tuple(map(Decimal, ("0.01", "0.01", "0.001", "0.005", "0.1")))


class Deeds:
    """The hands of the world. `tokens` are YES and NO of the markets that the leader may hold, in this order."""

    def __init__(self, world: World, chaos: Chaos, me: str, tokens: Iterable[str], check: Callable[[], None]) -> None:
        self.world = world
        self.tokens = tuple(tokens)
        self.check = check
        self.ours: set[str] = set()
        self._chaos = chaos
        self._me = me
        self._wallet = world.exchange.wallets[me]
        self.coarse = False  # only a few sizes, filled whole: old positions look like new ones
        self.user_trades = True
        self._mids = dict.fromkeys(self.tokens, Decimal("0.5"))

    @property
    def exchange(self) -> Exchange:
        return self.world.exchange

    def name(self, token_id: str) -> str:
        known = self.exchange.market_of(token_id)
        return f"{known[0].slug} {known[0].outcomes[known[1]].name}" if known else token_id[:8]

    # -- at any moment ------------------------------------------------------------------------------------------------

    def disturb(self) -> None:
        """Perhaps the market, the leader, the user or the exchange does something."""
        happens = self._chaos.happens
        if happens("fill", 0.09):
            self.fill()
        if happens("book", 0.008):
            self._move_book()
        if happens("leader", 0.03):
            self._move_leader()
        if happens("vanish", 0.004):
            self._vanish()
        if happens("own order", 0.006) and self.user_trades:
            self._own_order()
        if happens("closed", 0.003):
            self._close_or_open()
        if happens("tick", 0.002):
            self._change_tick()
        if happens("drained", 0.002):
            self._drain()
        if happens("resolved", 0.0002):
            self._resolve()

    def fill(self, among: Collection[str] | None = None) -> None:
        """The outside world takes one of our orders (of those in `among`), or a part of it."""
        live = [order_id for order_id in self.live() if among is None or order_id in among]
        if not live:
            return
        dice = self._chaos.dice
        order = self.exchange.orders[dice.choice(live)]
        part = Decimal(1) if self.coarse else dice.choice((Decimal(1), Decimal(1), Decimal("0.5"), Decimal("0.13")))
        size = min(max((order.rest * part).quantize(CENT_SHARE), CENT_SHARE), order.rest)
        self.tell(f"the market takes {size} of {order.side.value} {order.size} ({order.order_id[-4:]})", order.token_id)
        self.exchange.hit(order.order_id, size)

    def live(self) -> list[str]:
        """Our own resting orders, the user's left out."""
        return [order_id for order_id in self._wallet.live if order_id in self.ours]

    def tell(self, words: str, token_id: str = "") -> None:
        self._chaos.tell(words, token_id)

    def quote(self, token_id: str, *, depth: int = 500, sides: str = "both", spread: int = 2) -> None:
        """Two levels a side around the token's middle, on its tick."""
        market, _ = self._market(token_id)
        if token_id not in self.exchange.books:
            return
        tick, mid = market.tick_size, self._mids[token_id]
        bid = max((mid - tick * spread / 2) // tick * tick, tick)
        ask = min(max(bid + spread * tick, tick), 1 - tick)
        size = Decimal(depth)
        bids = [(price, size) for price in (bid, bid - tick) if price >= tick]
        asks = [(price, size) for price in (ask, ask + tick) if price <= 1 - tick]
        self.exchange.set_book(
            token_id,
            bids=bids if sides in ("both", "bids") and bid < ask else [],
            asks=asks if sides in ("both", "asks") and bid < ask else [],
        )

    def _market(self, token_id: str) -> tuple[Market, int]:
        known = self.exchange.market_of(token_id)
        assert known is not None, token_id
        return known

    def _any_token(self) -> str:
        return self._chaos.dice.choice(self.tokens)

    def _move_book(self) -> None:
        dice, token_id = self._chaos.dice, self._any_token()
        self._mids[token_id] = mid = Decimal(dice.choice((dice.randint(44, 56), dice.randint(12, 88)))) / 100
        depth = dice.choice((500, 500, 30, 7))
        sides = dice.choice(("both", "both", "both", "bids", "asks", "none"))
        if sides == "asks" and mid > Decimal("0.6"):  # so far from 0.99 that nobody meets the user's own SELL
            sides = "both"
        spread = dice.choice((2, 2, 1, 6))
        self.tell(f"the book moves to {mid}, {depth} shares a level, sides: {sides}", token_id)
        self.quote(token_id, depth=depth, sides=sides, spread=spread)

    def _move_leader(self) -> None:
        dice, token_id = self._chaos.dice, self._any_token()
        shares = self.exchange.wallets[LEADER].shares
        before = shares.get(token_id, ZERO)
        if before > 0 and dice.random() < 0.15:
            index = self.tokens.index(token_id)
            other = self.tokens[index ^ 1]
            self.tell(f"the leader flips {before} shares", token_id)
            self._lead(token_id, ZERO)
            self._lead(other, min(shares.get(other, ZERO) + before, _MOST))
            return
        if self.coarse:
            self._lead(token_id, Decimal(dice.choice((0, 50, 100, 150))))
            return
        sizes = (ZERO, before / 2, before + 50, before * 2, Decimal(100), Decimal(dice.randint(1, 400)))
        self._lead(token_id, min(dice.choice(sizes), _MOST).quantize(CENT_SHARE))

    def _lead(self, token_id: str, size: Decimal) -> None:
        self.tell(f"the leader holds {size} now", token_id)
        self.exchange.hold(LEADER, token_id, size, self._mids[token_id])

    def _vanish(self) -> None:
        live = self.live()
        if live:
            order_id = self._chaos.dice.choice(live)
            self.tell(f"the exchange takes {order_id[-4:]} down", self.exchange.orders[order_id].token_id)
            status = self._chaos.dice.choice((OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.NO_BALANCE))
            self.exchange.vanish(order_id, status)

    def _own_order(self) -> None:
        """The user trades the same wallet far from the market, where nobody meets him: that locks cash and shares."""
        dice = self._chaos.dice
        theirs = [one for one in self._wallet.live if self.exchange.orders[one].api_key == USER]
        if theirs and dice.random() < 0.6:
            order_id = dice.choice(theirs)
            self.tell("the user cancels an order of his own", self.exchange.orders[order_id].token_id)
            self.exchange.vanish(order_id)
            return
        token_id, side = self._any_token(), dice.choice((Side.BUY, Side.SELL))
        market, _ = self._market(token_id)
        free = self._wallet.free_shares(token_id) if side is Side.SELL else Decimal(200)
        size = (free * dice.choice((Decimal("0.3"), Decimal(1)))).quantize(CENT_SHARE)
        if size >= market.min_order_size and market.tick_size <= CENT_SHARE:
            price = market.tick_size if side is Side.BUY else 1 - market.tick_size
            if self.place_for_user(token_id, side, price, size):
                self.tell(f"the user places {side.value} {size} at {price}", token_id)

    def place_for_user(self, token_id: str, side: Side, price: Decimal, size: Decimal) -> bool:
        """An order of the user's own; its id is like no other."""
        new = NewOrder(
            order_id=f"0xa5e2{len(self.exchange.orders):060x}", wallet=self._me, token_id=token_id, side=side,
            price=price, size=size, expiration=int(self.exchange.now) + 10_000_000, api_key=USER,
        )  # fmt: skip
        return self.exchange.post(new).accepted

    def _close_or_open(self) -> None:
        dice, token_id = self._chaos.dice, self._any_token()
        market, _ = self._market(token_id)
        if market.payouts is not None:
            return
        if not market.accepting_orders or token_id not in self.exchange.books:
            self.tell("the market takes orders again", token_id)
            self._reopen(token_id)
        elif dice.random() < 0.3:
            self.tell("the market loses its book", token_id)
            self.exchange.close_book(token_id)
        else:
            self.tell("the market takes no orders", token_id)
            market.accepting_orders = False

    def _reopen(self, token_id: str) -> None:
        market, _ = self._market(token_id)
        market.accepting_orders = True
        if token_id not in self.exchange.books:
            self.exchange.set_book(token_id)
        self.quote(token_id)

    def _change_tick(self) -> None:
        token_id = self._any_token()
        market, _ = self._market(token_id)
        market.tick_size = self._chaos.dice.choice(_TICKS)
        self.tell(f"the tick is {market.tick_size} now", token_id)
        for outcome in market.outcomes:
            self.quote(outcome.token_id)

    def _drain(self) -> None:
        wallet, dice = self._wallet, self._chaos.dice
        if wallet.cash < CASH / 2:
            self.tell("money comes into the wallet")
            self.exchange.give(self._me, CASH - wallet.cash)
        elif wallet.cash > 0:
            left = Decimal(dice.choice((0, 3, 20)))
            self.tell(f"the wallet is drained to {left} pUSD")
            self.exchange.give(self._me, left - wallet.cash)

    def _resolve(self) -> None:
        token_id = self._any_token()
        market, index = self._market(token_id)
        if market.payouts is None and sum(one.payouts is not None for one in self.exchange.markets.values()) < 2:
            self.tell("the market is resolved", token_id)
            self.exchange.resolve(market.condition_id, (Decimal(1 - index), Decimal(index)))

    # -- between cycles ---------------------------------------------------------------------------------------------

    def between_cycles(self) -> None:
        """The feeds and the exchange change their manners, perhaps."""
        happens, dice, exchange = self._chaos.happens, self._chaos.dice, self.exchange
        manners = exchange.manners
        if happens("mode", 0.03):
            exchange.mode = dice.choice((Mode.RESTARTING, Mode.POST_ONLY, Mode.CANCEL_ONLY, Mode.DISABLED))
            self.tell(f"the exchange is in mode {exchange.mode}")
        elif exchange.mode is Mode.RESTARTING and self._chaos.some_ms(0, 10) < 4:
            exchange.mode = Mode.POST_ONLY
        elif exchange.mode is not Mode.NORMAL and self._chaos.some_ms(0, 10) < 3:
            exchange.mode = Mode.NORMAL
        if happens("late orders", 0.04):
            manners.list_orders_after = Decimal(dice.choice((0, 3, 20)))
            self.tell(f"orders are listed {manners.list_orders_after} s late")
        if happens("late trades", 0.04):
            manners.list_trades_after = Decimal(dice.choice((0, 10, 45, 60)))
            self.tell(f"trades are listed {manners.list_trades_after} s late")
        if happens("forgetful", 0.04):
            manners.forget_closed_after = dice.choice((None, ZERO, Decimal(30), Decimal(300)))
            self.tell(f"closed orders are forgotten after {manners.forget_closed_after} s")
        if happens("stale balance", 0.03):
            manners.stale_balances = dice.random() < 0.7
            self.tell(f"balances are {'cached' if manners.stale_balances else 'fresh'}")
        if happens("failed trade", 0.04):
            manners.fail_next = dice.choice((1, 1, 3))
            self.tell(f"of the next trades {manners.fail_next} will fail")
        for who, wallet in (("leader", LEADER), ("me", self._me)):
            self._disturb_feed(who, wallet)

    def _disturb_feed(self, who: str, wallet: str) -> None:
        happens, dice, feed = self._chaos.happens, self._chaos.dice, self.world.feed(wallet)
        if happens("lag", 0.05):
            feed.lag_sec = Decimal(dice.choice((0, 5, 30, 90, 300, 1200)))
            self.tell(f"the feed of {who} lags by {feed.lag_sec} s")
        if happens("flip", 0.05):
            feed.flip_chance = dice.choice((0.0, 0.2, 0.5))
            feed.flip_sec = Decimal(dice.choice((30, 120, 600)))
            self.tell(f"the feed of {who} flips back {feed.flip_chance} of the time, up to {feed.flip_sec} s")
        if feed.frozen_at is not None and self._chaos.some_ms(0, 100) < 8:
            self.tell(f"the feed of {who} thaws")
            feed.thaw()
        elif happens("freeze", 0.02):
            self.tell(f"the feed of {who} freezes")
            feed.freeze(self.exchange.now)

    # -- calm ---------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing goes wrong from here on: punctual feeds, open markets, whole books, money, no orders of the user."""
        self._chaos.calm = True
        self.tell("calm")
        exchange = self.exchange
        exchange.mode = Mode.NORMAL
        exchange.manners.stale_balances, exchange.manners.fail_next = False, 0
        for wallet in (LEADER, self._me):
            feed = self.world.feed(wallet)
            feed.thaw()
            feed.lag_sec, feed.flip_chance = ZERO, 0.0
        for order_id in list(self._wallet.live):
            if exchange.orders[order_id].api_key == USER:
                exchange.vanish(order_id)
        for token_id in self.tokens:
            if self._market(token_id)[0].payouts is None:
                self._mids[token_id] = max(min(self._mids[token_id], Decimal("0.8")), Decimal("0.2"))
                self._reopen(token_id)
        exchange.give(self._me, CASH - self._wallet.cash)
