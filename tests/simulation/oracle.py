"""The laws, told from the engine's own books, which nobody else in the simulation may read.

past want     no fill takes the true position past the highest (below the lowest) want since its order was made, by more
              than the deadband and a cent (DESIGN 4)
two orders    never two live orders of ours on a token, and none is sent where one rests or is still on its way
oversold      no SELL is sent above what is truly held and not offered already
not ours      with manage_holdings "copied", no SELL is sent on a token where no BUY of ours has ever filled
caps          no BUY is sent where what was paid for what is held, what our BUYs may still cost and the new order
              together cost more than a cap
the day       the BUYs of a UTC day do not cost more than max_daily_spend, whatever fills, state lost or not; a trade
              that failed has cost nothing
hands off     no order but ours is cancelled; nothing is sent on a blacklisted token
safe mode     nothing is sent in a cycle that was not told both wallets' positions and our orders in full
on hold       nothing is sent on a token for as long as a refusal that repeats asks for (60 s, doubling), nor within
              fill_grace_sec of a start on a lost state
quiet         a ledger starts anew only settle_timeout_sec after the last own fill, with no order in doubt, and on the
              word of the exchange's balance only where no order of ours rests (DESIGN 4)
never lost    an order is durably in the state before it is sent, and stays in the memory until it neither rests nor is
              on its way, and all that it filled is known

A trade that fails after it matched moves the true position with no order of ours (DESIGN 4 promises nothing then).
Until the program was told of the failure and has saved it, orders are measured against the position as if the trade
stood where that is the milder measure; orders made later are measured against the truth alone. Our trades tell it; of
an order that only a lost state knew nobody does, until the program believes what is true; what is left then counts as
the feed says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from itertools import islice

from attrs import define, field

from copytrade.adapters.simulated.records import OrderStatus, SimTrade, TradeState
from copytrade.adapters.simulated.world import World
from copytrade.app.ports import Fill, PostAnswer, PostFate, Refusal, SignedOrder, TradeStatus
from copytrade.domain.memory import Memory, Standing, ledgers
from copytrade.domain.model import CENT_SHARE, ZERO, Positions, Side
from copytrade.domain.policy import COPIED, Policy

_HOLDING = (Refusal.NOT_TRADABLE, Refusal.BALANCE, Refusal.OTHER)  # refusals that repeat
_FIRST_HOLD_SEC, _LONGEST_HOLD_SEC = Decimal(60), Decimal(3600)
_FEED_CENT = Decimal("0.0001")  # the feed's average prices have four decimals


class Violation(Exception):
    """A law is broken; the text says which, and `token_id` where."""

    def __init__(self, words: str, token_id: str = "") -> None:
        super().__init__(words)
        self.token_id = token_id


@define(kw_only=True)
class _Sent:
    """An order that was sent: what it is, and since which poll of the leader its wants count."""

    order: SignedOrder
    at: Decimal
    poll: int
    filled: Decimal = ZERO  # as the program's memory last had it


@define(kw_only=True)
class _Poll:
    sizes: dict[str, Decimal]
    saved: bool = False
    lost: bool = False  # the life that heard it ended before it was saved
    perhaps: bool = False  # it ended while it was being saved


@define(kw_only=True)
class _Failure:
    token_id: str
    side: Side
    size: Decimal
    cost: Decimal  # what it had put on (or taken off) the cost of what is held
    told: bool = False
    known_at: Decimal | None = None  # when the program had saved that it was told


@define(kw_only=True)
class _Held:
    shares: Decimal = ZERO
    cost: Decimal = ZERO


@define(kw_only=True)
class _Cycle:
    """What the program was told in the cycle that runs."""

    complete: dict[str, bool] = field(factory=dict)
    listed: bool = False

    def whole(self, *wallets: str) -> bool:
        return self.listed and all(self.complete.get(wallet, False) for wallet in wallets)


class Oracle:
    """Knows everything. `check()` is called at every request, before and after whatever happens in it."""

    def __init__(self, world: World, policy: Policy, durable: Callable[[], bytes]) -> None:
        """`durable` tells what a power cut would leave of the state file."""
        self._exchange = world.exchange
        self._policy = policy
        self._me, self._leader = policy.my_address, policy.target_address
        self._wallet = world.exchange.wallets[self._me]
        self._durable = durable
        self.sent: dict[str, _Sent] = {}
        self.worst = ZERO  # shares past want, at the most
        self.fills = 0
        self._cycle = _Cycle()
        self._polls: list[_Poll] = []
        self._open: dict[str, None] = {}  # sent, and not yet seen to be out of the memory
        self._late: set[str] = set()  # on their way
        self._trades_read = 0
        self._pending: list[SimTrade] = []
        self._failures: dict[str, _Failure] = {}
        self._costs: dict[str, Decimal] = {}  # by trade, until it is final
        self._held = {
            token_id: _Held(shares=shares, cost=shares * self._wallet.avg_prices[token_id])
            for token_id, shares in self._wallet.shares.items()
        }
        self._holds: dict[str, tuple[Decimal, Decimal]] = {}  # token -> until, step
        self._saved_holds: dict[str, tuple[Decimal, Decimal]] = {}
        self._nothing_before = ZERO
        self._keys: dict[str, str] = {}
        self._token_ids = {
            f"{market.condition_id}:{index}": outcome.token_id
            for market in world.exchange.markets.values()
            for index, outcome in enumerate(market.outcomes)
        }
        self._costs_known = True
        self._bought: set[str] = set()  # tokens where a BUY of ours has filled
        self._forgotten = False  # a state was lost: the program does not know any more what it has bought
        self._before: set[str] = set()  # orders that were sent before a state was lost
        self._days: dict[int, Decimal] = {}  # pUSD that the BUYs of each UTC day have cost
        self._saving = False
        self._memory: Memory | None = None  # as it was at the end of the cycle before

    # -- lives and cycles ---------------------------------------------------------------------------------------------

    def new_life(self, *, lost_state: bool, traces: bool) -> None:
        """The program starts from what was saved; `lost_state`: from a backup, or from nothing.

        Without `traces` (no backup, no journal) it can't tell that from its first start, if the exchange shows none.
        """
        self._memory = None
        holds = dict(self._saved_holds)
        if self._saving:  # the file may be as it was before, or after
            holds = {one: min(hold, self._holds[one]) for one, hold in holds.items() if one in self._holds}
        self._holds = {} if lost_state else holds
        for poll in self._polls:
            if lost_state or not (poll.saved or self._saving):
                poll.lost = True
            elif not poll.saved:
                poll.perhaps = True
            poll.saved = True
        self._saving = False
        for failure in self._failures.values():
            failure.told = failure.known_at is not None
        if lost_state:
            self._open.clear()
            self._forgotten = True
            self._before.update(self.sent)
            self._costs_known = False  # until the feed tells what everything has cost
            if traces:
                self._nothing_before = self._exchange.now + self._policy.fill_grace_sec

    def begin_cycle(self) -> None:
        self._cycle = _Cycle()

    def saving(self) -> None:
        """The state is about to be saved as it is now."""
        self._saving = True

    def saved(self) -> None:
        """The state is durable as it is now."""
        self._saving = False
        self._saved_holds = dict(self._holds)
        for poll in reversed(self._polls):
            if poll.saved:
                break
            poll.saved = True
        for failure in self._failures.values():
            if failure.told and failure.known_at is None:
                failure.known_at = self._exchange.now

    def end_cycle(self, memory: Memory) -> None:
        """Every order that ever left is known, or over and done with; and ledgers start anew in the quiet only."""
        before = self._memory
        if before is not None:
            self._started_in_quiet(before, memory)
        self._memory = memory
        if any(not failure.told for failure in self._failures.values()):
            self._believes(memory)
        for order_id in list(self._open):
            known = memory.orders.get(order_id)
            if known is not None:
                self.sent[order_id].filled = known.filled
                continue
            sent = self.sent[order_id]
            order = self._exchange.orders.get(order_id)
            where = sent.order.token_id
            if order_id in self._late:
                raise Violation(f"lost: {order_id[-4:]} is forgotten while it is on its way", where)
            if order is not None:
                if order.status is OrderStatus.LIVE:
                    raise Violation(f"lost: {order_id[-4:]} is forgotten while it rests", where)
                true = order.matched - self._failed(order.trade_ids)
                if true - sent.filled > CENT_SHARE and _restored(before, self._key(where)):
                    raise Violation(f"lost: {order_id[-4:]} filled {true}, known are {sent.filled}", where)
            del self._open[order_id]

    def _believes(self, memory: Memory) -> None:
        told = ledgers(memory)
        # A fill that is not known yet may make up for the failure by chance. (seed 4287)
        moving = {order.token_id for order in memory.orders.values() if order.standing is not Standing.SETTLED}
        for failure in self._failures.values():
            ledger = None if failure.token_id in moving else told.get(self._key(failure.token_id))
            held = self._wallet.shares.get(failure.token_id, ZERO)
            failure.told = failure.told or (ledger is not None and abs(ledger.believed - held) <= CENT_SHARE)

    def _started_in_quiet(self, before: Memory, after: Memory) -> None:
        for key, base in after.bases.items():
            old = before.bases.get(key)
            if old is None or base.base == old.base or not _restored(before, key):
                continue
            believed, latest, rests = old.base, ZERO, False
            for order in before.orders.values():
                if order.token_key != key:
                    continue
                now = after.orders.get(order.order_id, order)
                believed += (now.filled - order.folded) * (1 if order.side is Side.BUY else -1)
                trades = self._exchange.orders[order.order_id].trade_ids if now.unfolded or order.unfolded else ()
                latest = max([latest, *(self._exchange.trades[one].match_time for one in trades)])
                rests = rests or now.standing is Standing.OPEN
                doubted = order.standing in (Standing.INTENT, Standing.GONE) and order.order_id in after.orders
                if doubted and now.standing is order.standing:
                    raise Violation("quiet: a ledger starts anew while an order is in doubt", order.token_id)
            where = after.token_map.get(key, "")
            if self._exchange.now - latest < self._policy.settle_timeout_sec:
                raise Violation("quiet: a ledger starts anew too soon after a fill", where)
            if rests and abs(base.base - believed) > CENT_SHARE:
                raise Violation("quiet: a ledger starts anew from a balance while an order rests", where)

    # -- what the program is told ---------------------------------------------------------------------------------

    def told(self, wallet: str, positions: Positions) -> None:
        """The feed answered about a wallet."""
        complete = positions.ok and not positions.incomplete
        self._cycle.complete[wallet] = complete
        if wallet == self._me and complete and not self._costs_known:
            rows = {self._token_ids[row.token_key]: row for row in positions.positions}
            told = {token_id: row.size for token_id, row in rows.items()}
            self._costs_known = all(told.get(one, ZERO) == held for one, held in self._wallet.shares.items())
            if self._costs_known:  # and from here on the feed's averages are what was paid
                self._held = {one: _Held(shares=row.size, cost=row.size * row.avg_price) for one, row in rows.items()}
        if wallet == self._leader and complete:
            self._polls.append(_Poll(sizes={row.token_key: row.size for row in positions.positions}))

    def listed(self) -> None:
        """Our open orders were listed."""
        self._cycle.listed = True

    def told_trades(self, fills: Iterable[Fill]) -> None:
        """Our trades were listed. They tell nothing of an order that only a lost state knew."""
        if self._failures:
            for fill in fills:
                failed = fill.status is TradeStatus.FAILED and fill.trade_id in self._failures
                if failed and fill.order_id not in self._before:
                    self._failures[fill.trade_id].told = True

    def answered(self, orders: Sequence[SignedOrder], answers: Sequence[PostAnswer]) -> None:
        """A batch was answered, leg by leg."""
        for order, answer in zip(orders, answers, strict=True):
            if answer.fate is PostFate.ACCEPTED:
                self._holds.pop(order.token_id, None)
            elif answer.fate is PostFate.REFUSED and answer.refusal in _HOLDING:
                _, step = self._holds.get(order.token_id, (ZERO, _FIRST_HOLD_SEC / 2))
                step = min(2 * step, _LONGEST_HOLD_SEC)
                self._holds[order.token_id] = (self._exchange.now + step, step)

    # -- what the program does ----------------------------------------------------------------------------------------

    def posts(self, orders: Sequence[SignedOrder]) -> None:
        """The program sends these now."""
        state = self._durable()
        now = self._exchange.now
        spent: dict[str, Decimal] = {}
        for order in orders:
            where = order.token_id
            if order.order_id in self.sent:
                raise Violation(f"{order.order_id[-4:]} is sent twice", where)
            if not self._cycle.whole(self._me, self._leader):
                raise Violation("an order is sent on incomplete facts", where)
            if self._key(where) in self._policy.blacklist_token_keys:
                raise Violation("an order is sent on a blacklisted token", where)
            if now < self._holds.get(where, (ZERO, ZERO))[0] or now < self._nothing_before:
                raise Violation("an order is sent on a token on hold", where)
            if order.order_id.encode() not in state:
                raise Violation(f"lost: {order.order_id[-4:]} is sent and not durably known", where)
            if any(self.sent[one].order.token_id == where for one in (*self._live(), *self._late)):
                raise Violation(f"two orders: {order.order_id[-4:]} is sent where another one may rest", where)
            if order.side is Side.SELL:
                self._may_sell(order)
            else:
                spent[where] = spent.get(where, ZERO) + order.size * order.price
                self._may_buy(order, spent)
            self.sent[order.order_id] = _Sent(order=order, at=now, poll=len(self._polls) - 1)
            self._open[order.order_id] = None

    def sent_late(self, order_ids: Iterable[str]) -> None:
        """These are on their way, and nobody knows it."""
        self._late.update(order_ids)

    def arrived(self, order_id: str) -> None:
        self._late.discard(order_id)

    def cancels(self, order_ids: Collection[str]) -> None:
        """The program cancels these now."""
        # An intent that was saved and never sent is ours too, and the exchange has never heard of it.
        if strange := (set(order_ids) - self.sent.keys()) & self._exchange.orders.keys():
            raise Violation(f"orders that are not ours are cancelled: {sorted(strange)}")

    def _may_sell(self, order: SignedOrder) -> None:
        where = order.token_id
        held = self._wallet.shares.get(where, ZERO) + self._doubtful(where, Side.BUY, self._exchange.now)
        offered = sum((self._exchange.orders[one].rest for one in self._live_on(where, Side.SELL)), ZERO)
        if order.size > held - offered:
            raise Violation(f"oversold: a SELL of {order.size} is sent, {held} are held, {offered} offered", where)
        if self._policy.manage_holdings == COPIED and where not in self._bought:
            raise Violation("not ours: what copytrade never bought is sold", where)

    def _may_buy(self, order: SignedOrder, spent: dict[str, Decimal]) -> None:
        where, policy = order.token_id, self._policy
        if not self._costs_known or any(failure.known_at is None for failure in self._failures.values()):
            return
        costs = {token_id: self._cost(token_id) for token_id in self._held if self._counts(token_id)}
        if policy.manage_holdings == COPIED:  # what is left alone as not ours counts under no cap (DESIGN 5)
            costs = {token_id: cost for token_id, cost in costs.items() if not self.may_be_strange(token_id)}
        if where not in costs:
            costs[where] = self._cost(where)
        slack = CENT_SHARE + sum((held.shares for held in self._held.values()), ZERO) * _FEED_CENT
        cost = costs[where] + spent[where]
        if cost > policy.max_notional_per_token + slack:
            raise Violation(f"caps: {cost:.2f} pUSD of {policy.max_notional_per_token} a token are spent", where)
        total = sum(costs.values(), ZERO) + sum(spent.values(), ZERO)
        if total > policy.max_notional_total + slack:
            raise Violation(f"caps: {total:.2f} pUSD of {policy.max_notional_total} in all are spent", where)

    # -- what happens ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises Violation."""
        live = self._live()
        if len(live) > 1:
            for token_id, count in Counter(self.sent[one].order.token_id for one in live).items():
                if count > 1:
                    raise Violation(f"two orders: {count} live orders of ours", token_id)
        failing = [trade for trade in self._pending if trade.state in (TradeState.CONFIRMED, TradeState.FAILED)]
        trades = self._exchange.trades
        if not failing and len(trades) == self._trades_read:
            return
        news = [(trade.match_time, trade, False) for trade in islice(trades.values(), self._trades_read, None)]
        news += [(trade.last_update, trade, True) for trade in failing]
        self._trades_read = len(trades)
        for _, trade, final in sorted(news, key=lambda each: each[0]):
            if final:
                self._settled(trade)
            else:
                self._matched(trade)

    def gap(self, token_id: str) -> Decimal:
        """Shares between what is truly held and what the leader's true position makes us want."""
        leader = self._exchange.wallets[self._leader]
        want = self._policy.follow_ratio * leader.shares.get(token_id, ZERO)
        return self._wallet.shares.get(token_id, ZERO) - want

    def may_be_strange(self, token_id: str) -> bool:
        """May the program take this token for one that it has never bought?"""
        return self._forgotten or token_id not in self._bought

    def cost(self, token_id: str | None = None) -> Decimal:
        """pUSD paid for what is held, and offered for more: of one token, or of all that count under the total cap."""
        if token_id is not None:
            return self._cost(token_id)
        return sum((self._cost(each) for each in self._held if self._counts(each)), ZERO)

    def _matched(self, trade: SimTrade) -> None:
        for leg in trade.legs:
            if leg.wallet == self._me:
                self._filled(trade, leg.order_id, leg.side, leg.size)
        if trade.taker_wallet == self._me:
            self._filled(trade, trade.taker_order_id, trade.side, trade.size)

    def _filled(self, trade: SimTrade, order_id: str, side: Side, size: Decimal) -> None:
        held = self._held.setdefault(trade.token_id, _Held())
        before = held.cost
        if side is Side.BUY:
            self._bought.add(trade.token_id)
            self._paid(trade, size)
            held.shares, held.cost = held.shares + size, held.cost + size * trade.price
        else:
            left = held.shares - size
            held.cost = held.cost * left / held.shares if left > 0 else ZERO
            held.shares = left
        self._costs[trade.trade_id] = held.cost - before
        self._pending.append(trade)
        if order_id not in self.sent:
            raise Violation("the user's own order was met: the world is wrong", trade.token_id)
        self.fills += 1
        self._not_past_want(self.sent[order_id], side, size, held.shares)

    def _paid(self, trade: SimTrade, size: Decimal) -> None:
        day, most = int(trade.match_time // 86400), self._policy.max_daily_spend
        self._days[day] = self._days.get(day, ZERO) + size * trade.price
        if most is not None and self._days[day] > most:
            raise Violation(f"the day: its BUYs have cost {self._days[day]:.2f} pUSD of {most}", trade.token_id)

    def _not_past_want(self, sent: _Sent, side: Side, size: Decimal, held: Decimal) -> None:
        where = sent.order.token_id
        lows, highs = zip(*(self._want(where, poll) for poll in range(sent.poll, len(self._polls))), strict=True)
        if side is Side.BUY:
            end = max(lows)
            past = held - self._doubtful(where, Side.SELL, sent.at) - end
        else:
            end = min(highs)
            past = end - held - self._doubtful(where, Side.BUY, sent.at)
        self.worst = max(self.worst, past)
        if past > self._policy.deadband_shares + CENT_SHARE:
            raise Violation(f"past want: a {side.value} of {size} makes it {held}, want was never past {end}", where)

    def _want(self, token_id: str, poll: int) -> tuple[Decimal, Decimal]:
        """[want_lo, want_hi] of the cycle that heard this poll, from the polls that it could remember: the widest."""
        lows, highs = zip(*(self._wants(token_id, poll, perhaps) for perhaps in (False, True)), strict=True)
        return max(lows), min(highs)

    def _wants(self, token_id: str, poll: int, perhaps: bool) -> tuple[Decimal, Decimal]:
        policy, key = self._policy, self._key(token_id)
        most = max(policy.polls_to_grow, policy.polls_to_shrink)
        sizes = [self._polls[poll].sizes.get(key, ZERO)]
        for earlier in reversed(self._polls[:poll]):
            if len(sizes) == most:
                break
            if not earlier.lost and (perhaps or not earlier.perhaps):
                sizes.append(earlier.sizes.get(key, ZERO))
        return (
            policy.follow_ratio * min(sizes[: policy.polls_to_grow]),
            policy.follow_ratio * max(sizes[: policy.polls_to_shrink]),
        )

    def _settled(self, trade: SimTrade) -> None:
        self._pending.remove(trade)
        cost = self._costs.pop(trade.trade_id)
        if trade.state is not TradeState.FAILED:
            return
        leg, took = trade.legs[0], trade.taker_wallet == self._me
        side, order_id = (trade.side, trade.taker_order_id) if took else (leg.side, leg.order_id)
        size = leg.size
        if side is Side.BUY:
            self._days[int(trade.match_time // 86400)] -= size * trade.price
        held = self._held.setdefault(trade.token_id, _Held())
        if held.shares > 0 and (side is Side.SELL or order_id in self._before):
            # What comes back counts as what is there does. So does what goes where only a lost state knew what it had
            # cost, since the feed, the one to tell of it, takes it out at the average. (seed 8288)
            cost = (1 if side is Side.BUY else -1) * held.cost * size / held.shares
        held.shares += -size if side is Side.BUY else size
        held.cost = max(held.cost - cost, ZERO) if held.shares > 0 else ZERO
        self._failures[trade.trade_id] = _Failure(token_id=trade.token_id, side=side, size=size, cost=cost)

    def _doubtful(self, token_id: str, side: Side, made_at: Decimal) -> Decimal:
        """Shares of failed trades on `side` that an order made then may have taken for real."""
        return sum(
            (
                failure.size
                for failure in self._failures.values()
                if failure.token_id == token_id
                and failure.side is side
                and (failure.known_at is None or failure.known_at >= made_at)
            ),
            ZERO,
        )

    def _failed(self, trade_ids: Iterable[str]) -> Decimal:
        return sum((self._failures[one].size for one in trade_ids if one in self._failures), ZERO)

    def _cost(self, token_id: str) -> Decimal:
        orders = self._exchange.orders
        rests = (orders[one].rest * orders[one].price for one in self._live_on(token_id, Side.BUY))
        return self._held.get(token_id, _Held()).cost + sum(rests, ZERO)

    def _counts(self, token_id: str) -> bool:
        known = self._exchange.market_of(token_id)
        return known is not None and known[0].payouts is None

    def _live(self) -> list[str]:
        return [order_id for order_id in self._wallet.live if order_id in self.sent]

    def _live_on(self, token_id: str, side: Side) -> list[str]:
        orders = self._exchange.orders
        return [one for one in self._live() if orders[one].token_id == token_id and orders[one].side is side]

    def _key(self, token_id: str) -> str:
        key = self._keys.get(token_id)
        if key is None:
            known = self._exchange.market_of(token_id)
            assert known is not None, token_id
            key = self._keys[token_id] = f"{known[0].condition_id}:{known[1]}"
        return key


def _restored(memory: Memory | None, key: str) -> bool:
    """Was this token's ledger known to be right in this memory: no start on a lost state that it still waits for?"""
    return memory is not None and (memory.recovery is None or key in memory.recovery.restored)
