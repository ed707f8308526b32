"""The laws of DESIGN 4, told from the engine's own books, which nobody else in the simulation may read.

past want     no fill takes the true position past the highest (below the lowest) want that the feed told since shortly
              before its order was made, by more than the deadband and a cent
two orders    never two live orders of ours on a token
oversold      no SELL is posted above what is truly held
hands off     nothing is posted on a blacklisted token or in safe mode; no order but ours is ever cancelled
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Sequence
from decimal import Decimal

from copytrade.adapters.simulated.records import OrderStatus
from copytrade.adapters.simulated.world import World
from copytrade.app.ports import SignedOrder
from copytrade.domain.model import CENT_SHARE, ZERO, Positions, Side
from copytrade.domain.policy import Policy

# A want counts for an order from this long before it was made: one cycle, however slow its answers.
CYCLE_SEC = Decimal(180)
_REMEMBERED = 400  # answers


class Violation(Exception):
    """A law is broken; the text says which, and `token_id` where."""

    def __init__(self, words: str, token_id: str = "") -> None:
        super().__init__(words)
        self.token_id = token_id


class Oracle:
    """Knows everything. `check()` is called at every request, before and after whatever happens in it."""

    def __init__(self, world: World, policy: Policy) -> None:
        self._world = world
        self._policy = policy
        self._wallet = world.exchange.wallets[policy.my_address]
        self.ours: set[str] = set()
        self.users: set[str] = set()
        self.posted = 0
        self.fills = 0
        self.worst = ZERO  # shares past want, at the most
        self._trades_read = 0
        self._told: deque[tuple[Decimal, dict[str, Decimal]]] = deque(maxlen=_REMEMBERED)
        self._held = dict(self._wallet.shares)
        self._black = {key.split(":")[0] for key in policy.blacklist_token_keys}

    # -- what the program is told and does ---------------------------------------------------------------------------

    def told(self, positions: Positions) -> None:
        """The feed answered about the leader."""
        if positions.complete:
            self._told.append((self._world.exchange.now, {row.token_key: row.size for row in positions.positions}))

    def posts(self, orders: Sequence[SignedOrder]) -> None:
        """The program posts these now."""
        for order in orders:
            self.ours.add(order.order_id)
            self.posted += 1
            if self._key(order.token_id) in self._policy.blacklist_token_keys:
                raise Violation("an order on a blacklisted token", order.token_id)
            held = self._wallet.shares.get(order.token_id, ZERO)
            if order.side is Side.SELL and order.size > held:
                raise Violation(f"oversold: a SELL of {order.size} is posted, {held} are held", order.token_id)

    def cancels(self, order_ids: Collection[str]) -> None:
        """The program cancels these now."""
        if strange := set(order_ids) - self.ours:
            raise Violation(f"orders that are not ours are cancelled: {sorted(strange)}")

    # -- the laws ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises Violation."""
        exchange = self._world.exchange
        mine = [exchange.orders[order_id] for order_id in self._wallet.live if order_id in self.ours]
        for token_id, count in Counter(order.token_id for order in mine).items():
            if count > 1:
                raise Violation(f"two orders: {count} live orders of ours", token_id)
        for order_id in self.users:
            if exchange.orders[order_id].status is not OrderStatus.LIVE:
                raise Violation("the user's own order does not rest any more")
        if len(exchange.trades) == self._trades_read:
            return
        for trade in list(exchange.trades.values())[self._trades_read :]:
            for leg in trade.legs:
                if leg.wallet == self._wallet.address:
                    self._filled(leg.order_id, trade.token_id, leg.side, leg.size)
            if trade.taker_wallet == self._wallet.address:
                self._filled(trade.taker_order_id, trade.token_id, trade.side, trade.size)
        self._trades_read = len(exchange.trades)

    def gap(self, token_id: str) -> Decimal:
        """Shares between what is truly held and what the leader's true position makes us want."""
        leader = self._world.exchange.wallets[self._policy.target_address]
        want = self._policy.follow_ratio * leader.shares.get(token_id, ZERO)
        return self._wallet.shares.get(token_id, ZERO) - want

    def _filled(self, order_id: str, token_id: str, side: Side, size: Decimal) -> None:
        self.fills += 1
        held = self._held.get(token_id, ZERO) + (size if side is Side.BUY else -size)
        self._held[token_id] = held
        since = self._world.exchange.orders[order_id].created_at - CYCLE_SEC
        key = self._key(token_id)
        wants = [self._policy.follow_ratio * sizes.get(key, ZERO) for at, sizes in self._told if at >= since]
        past = held - max(wants) if side is Side.BUY else min(wants) - held
        self.worst = max(self.worst, past)
        if past > self._policy.deadband_shares + CENT_SHARE:
            end = max(wants) if side is Side.BUY else min(wants)
            raise Violation(f"past want: a {side.value} of {size} makes it {held}, want was never past {end}", token_id)

    def _key(self, token_id: str) -> str:
        known = self._world.exchange.market_of(token_id)
        assert known is not None, token_id
        return f"{known[0].condition_id}:{known[1]}"
