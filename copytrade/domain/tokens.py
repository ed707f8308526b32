"""Everything that is known of one token, put together for the decision about it.

Step 1: which tokens there are: all that we want, hold, may hold, or have an order on.
Step 2: the facts of each, out of the snapshot's mappings.
Step 3: the numbers that follow: what we may hold, what we want, what a share counts, how far that is apart.

A token is *at rest* when nothing is to be done on it, and nothing but a change of its facts can alter that: it is
inside the band, or an order of ours rests there that is still good until it expires. Neither the time nor what other
tokens take of the budget matters to it. A `Memo` keeps such tokens from plan to plan, so that a token whose facts are
what they were is neither put together nor decided again. That is for speed alone, where plans are made by the hundred
thousand (backtests): with a memo and without it, plans are equal.

Not here: what is done about it (reconcile.py), and in which order (plan.py).   Read next: quote.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from functools import lru_cache
from typing import Any

from attrs import define, frozen

from copytrade.domain.desired import poll_of, polls_that_count, want_of
from copytrade.domain.exposure import exposure, settled
from copytrade.domain.ids import IdKind, is_combo_condition, kind_of
from copytrade.domain.limits import none_set
from copytrade.domain.model import (
    BUY,
    ZERO,
    Book,
    Decision,
    Ledger,
    Order,
    OrderId,
    Position,
    Reason,
    Side,
    Snapshot,
    TokenId,
    TokenKey,
)
from copytrade.domain.policy import COPIED, Policy
from copytrade.domain.records import maker
from copytrade.domain.risk import cap_price, capped, delta, ref_price

Orders = Mapping[TokenId, tuple[Order, ...]]
Ids = dict[TokenKey, TokenId]


@define(init=False, eq=False)
class Token:
    """What is known of one token when it is decided upon; what few tokens need is asked of the snapshot.

    Not frozen, since it is put together number by number: made at once, it would cost more than most of its numbers.
    Whoever it is handed out to only reads it.
    """

    token_key: TokenKey | None  # None: nothing but a live order of ours knows the token
    token_id: TokenId | None
    left_alone: Reason | None  # BLACKLISTED, COMBO, REDEEMABLE or UNRESOLVED: whatever the numbers say
    mine: Position | None  # as the positions feed reports it
    target: Position | None
    ledger: Ledger | None
    book: Book | None
    live: tuple[Order, ...]
    doubts: tuple[Order, ...]
    uncapped_lo: Decimal  # want before any cap
    uncapped_hi: Decimal
    latest: Decimal  # by this poll alone, unconfirmed and before any cap
    want_lo: Decimal  # under the token's cap
    want_hi: Decimal
    reported: Decimal  # shares, by the positions feed
    lo: Decimal  # what we may hold (exposure.py)
    hi: Decimal
    unsure: Decimal
    warning: str
    delta: Decimal  # how far all that we may hold is outside of want under the cap
    ref_price: Decimal | None
    cap_price: Decimal | None

    facts: tuple[object, ...]  # all that a snapshot says of it, but for the book
    steady: bool  # they and the book alone say what we hold and want
    at_rest: AtRest | None  # None: to be decided

    @property
    def desired(self) -> Decimal:
        """The end of want that is nearer to the reported size, `want_lo` on a tie."""
        to_lo, to_hi = abs(self.reported - self.want_lo), abs(self.reported - self.want_hi)
        return self.want_hi if to_hi < to_lo else self.want_lo

    @property
    def may_rest(self) -> bool:
        """True while an order in doubt may still be in the book."""
        return bool(self.doubts) and any(not order.gone for order in self.doubts)

    def strange(self, policy: Policy) -> bool:
        """True where `manage_holdings` keeps us from selling, since we have never traded it, as far as is known."""
        if policy.manage_holdings != COPIED or self.left_alone is not None:
            return False
        return self.ledger is None or not self.ledger.ours

    def not_ours(self, policy: Policy) -> bool:
        """True where a sale would be due, and is kept from us."""
        return self.delta < -policy.deadband_shares and self.strange(policy)


@frozen(kw_only=True, weakref_slot=False)
class AtRest:
    """What was decided on a token, and how long that stands at the latest."""

    decision: Decision
    counted: Decimal  # pUSD under the total cap
    until: Decimal | None  # None = as long as its facts are what they were


new_at_rest = maker(AtRest)


def rests(orders: tuple[Order, ...], side: Side) -> Decimal:
    """The shares of these orders on `side` that are not matched yet."""
    total = ZERO
    for order in orders:
        if order.side is side:
            total += order.rest
    return total


def locked(orders: tuple[Order, ...]) -> Decimal:
    """The pUSD that these orders keep from being spent twice: rest x price of the BUYs."""
    total = ZERO
    for order in orders:
        if order.side is BUY:
            total += order.rest * order.price
    return total


class Memo:
    """The tokens that earlier plans found at rest. It changes no plan, only how long one takes.

    One memo may serve any plans, of whatever snapshots: all that it keeps is held against the facts before it is used.
    Facts are the same when they are equal, so a number may come out with other zeros behind it: 0.5, where it is 0.50.
    All that it does is for `tokens` and `plan` to ask; whoever hands it to them only makes it, and keeps it.
    """

    def __init__(self) -> None:
        self._policy: Policy | None = None
        self._at_rest: dict[TokenKey, Token] = {}
        self._ids: tuple[Ids, Ids] = {}, {}
        self._line: tuple[Set[TokenKey], list[TokenKey]] = set(), []

    def at_rest(self, policy: Policy) -> dict[TokenKey, Token]:
        """The tokens at rest under this policy, by their keys."""
        if policy is not self._policy and policy != self._policy:
            self._policy, self._at_rest = policy, {}
        return self._at_rest

    def keep(self, token: Token, decision: Decision, counted: Decimal, policy: Policy) -> None:
        """This was decided, and nothing is to be done: the token is at rest if nothing else has a say in that."""
        if not token.steady or token.token_key is None:
            return
        until = None
        if token.live:
            if not none_set(policy):
                return
            until = token.live[0].ts + policy.order_ttl_sec  # of two, one would have to go
        token.at_rest = new_at_rest(decision=decision, counted=counted, until=until)
        self.at_rest(policy)[token.token_key] = token

    def tradable(self, ids: Ids) -> Ids:
        """Those of the ids that name one token."""
        if ids != self._ids[0]:
            self._ids = ids, tradable(ids)
        return self._ids[1]

    def in_line(self, keys: Set[TokenKey]) -> list[TokenKey]:
        """The keys in their order. What is not among them is forgotten, or a memo would grow for ever."""
        if keys != self._line[0]:
            self._line = keys, sorted(keys)
            self._at_rest = {key: token for key, token in self._at_rest.items() if key in keys}
        return self._line[1]


# -- which tokens -----------------------------------------------------------------------------------------------------


def token_ids(snapshot: Snapshot) -> Ids:
    """Every token id that the snapshot knows, from the positions and from the token map; the map wins."""
    told = snapshot.token_map
    ids = dict(told)
    for position in (*snapshot.target.positions, *snapshot.mine.positions):
        if position.token_key not in told and position.token_id is not None:
            ids[position.token_key] = position.token_id
    return ids


def tradable(ids: Ids) -> Ids:
    """The ids that name one token: not malformed, and claimed by one key alone. Two keys with one id (fresh rows carry
    wrong outcome indices, API.md) would each quote it, and there may never be two live orders of ours on a token.
    """
    sound = {key: token_id for key, token_id in ids.items() if _kind(token_id) is not _MALFORMED}
    if len(set(sound.values())) == len(sound):
        return sound
    claims = Counter(sound.values())
    return {key: token_id for key, token_id in sound.items() if claims[token_id] == 1}


def orders_of_ours(snapshot: Snapshot) -> tuple[Orders, Orders]:
    """Live orders, and orders in doubt: one that is both counts as live, unless it is certainly gone."""
    listed = {order.order_id for orders in snapshot.open_orders.values() for order in orders}
    doubted = {order.order_id: order.gone for orders in snapshot.in_doubt.values() for order in orders}
    if listed.isdisjoint(doubted):
        return snapshot.open_orders, snapshot.in_doubt
    gone = {order_id for order_id, is_gone in doubted.items() if is_gone}
    return _without(snapshot.open_orders, gone), _without(snapshot.in_doubt, listed - gone)


def _without(orders: Orders, ids: set[OrderId]) -> Orders:
    kept = {
        token_id: tuple(order for order in of_it if order.order_id not in ids) for token_id, of_it in orders.items()
    }
    return {token_id: of_it for token_id, of_it in kept.items() if of_it}


# -- what is known of each --------------------------------------------------------------------------------------------


def tokens(snapshot: Snapshot, memo: Memo | None = None) -> Iterator[Token]:
    """Every token that we want, hold, may hold, or have an order on, by token_key; unknown orders' tokens last.

    One after another, and not a list of them: most are decided at once, while all that they consist of is at hand. With
    a `memo`, what is at rest still comes as it was.
    """
    now, policy, ledgers = snapshot.now, snapshot.policy, snapshot.ledgers
    open_orders, in_doubt = orders_of_ours(snapshot)
    target = {position.token_key: position for position in snapshot.target.positions}
    mine = {position.token_key: position for position in snapshot.mine.positions}
    polls = polls_that_count(poll_of(snapshot.target), snapshot.target_history, policy)
    ids = token_ids(snapshot)
    ids = tradable(ids) if memo is None else memo.tradable(ids)
    with_orders = {token_id for orders in (open_orders, in_doubt) for token_id in orders if orders[token_id]}

    keys = target.keys() | mine.keys()
    keys |= {key for key in ids.keys() - keys if ids[key] in with_orders}
    keys |= {key for key in ledgers.keys() - keys if ledgers[key].believed > ZERO}
    keys |= {key for key in polls.greatest.keys() - keys if want_of(key, polls, policy.follow_ratio)[1] > ZERO}
    line = sorted(keys) if memo is None else memo.in_line(keys)
    its_id: list[Any] = list(map(ids.get, line))  # None, which is no key of the mappings below, where it has none
    facts_of_each = zip(
        its_id,
        map(mine.get, line),
        map(target.get, line),
        map(ledgers.get, line),
        map(polls.greatest.get, line),
        map(polls.latest.get, line),
        map(open_orders.get, its_id),
        map(in_doubt.get, its_id),
        strict=True,
    )
    books = map(snapshot.books.get, its_id)
    alike = not polls.grow  # else what we want depends on more polls than on those among the facts
    at_rest = {} if memo is None or not alike else memo.at_rest(policy)
    for key, facts, book in zip(line, facts_of_each, books, strict=True):
        known = at_rest.get(key)
        if known is not None and known.facts == facts and _same_prices(known.book, book) and _still(known, now):
            yield known
            continue
        token = Token()
        token.token_key, token.facts, token.book, token.at_rest = key, facts, book, None
        token.token_id, token.mine, token.target, token.ledger, _, _, live, doubts = facts
        token.live, token.doubts = live or (), doubts or ()
        token.left_alone = _left_alone(token, policy)
        token.steady = _hold(token, snapshot) and alike
        token.uncapped_lo, token.uncapped_hi, token.latest = want_of(key, polls, policy.follow_ratio)
        _price(token, policy)
        yield token
    for unknown in sorted(with_orders.difference(ids.values())):
        yield _unknown(unknown, open_orders.get(unknown, ()), in_doubt.get(unknown, ()))


def _same_prices(one: Book | None, other: Book | None) -> bool:
    """Nothing else of a book matters to a token at rest."""
    if one is None or other is None:
        return one is other
    return one is other or (one.best_bid == other.best_bid and one.best_ask == other.best_ask)


def _still(token: Token, now: Decimal) -> bool:
    return token.at_rest is not None and (token.at_rest.until is None or now <= token.at_rest.until)


def _left_alone(token: Token, policy: Policy) -> Reason | None:
    """Why the token is not traded, whatever the numbers say; the first reason for it."""
    key, token_id, mine, target = token.token_key, token.token_id, token.mine, token.target
    if key in policy.blacklist_token_keys:
        return Reason.BLACKLISTED
    if _is_combo(key) or (token_id is not None and _kind(token_id) is _COMBO):
        return Reason.COMBO
    if (mine is not None and mine.redeemable) or (target is not None and target.redeemable):
        return Reason.REDEEMABLE
    return Reason.UNRESOLVED if token_id is None else None


_MALFORMED, _COMBO = IdKind.MALFORMED, IdKind.COMBO
_kind = lru_cache(maxsize=65536)(kind_of)


@lru_cache(maxsize=65536)
def _is_combo(key: TokenKey) -> bool:
    return is_combo_condition(key.rpartition(":")[0])


def _hold(token: Token, snapshot: Snapshot) -> bool:
    """What we may hold of the token. True where neither the time nor a witness has a say in it."""
    token.reported = reported = ZERO if token.mine is None else token.mine.size
    if settled(reported, token.ledger) and not token.doubts:
        token.lo = token.hi = reported
        token.unsure, token.warning = ZERO, ""
        return True
    witness = snapshot.witnesses.get(token.token_key) if token.token_key is not None else None
    held = exposure(reported, token.ledger, token.doubts, witness, now=snapshot.now, policy=snapshot.policy)
    token.lo, token.hi, token.unsure, token.warning = held.lo, held.hi, held.unsure, held.warning
    return False


def _price(token: Token, policy: Policy) -> None:
    """What a share is worth, what we want at that price, and how far that is from what we may hold."""
    orders = (*token.live, *token.doubts) if token.live or token.doubts else ()
    token.ref_price = ref_price(token.book, token.mine, token.target)
    token.cap_price = price = cap_price(token.ref_price, token.mine, token.ledger, orders)
    lo, hi = token.uncapped_lo, token.uncapped_hi
    token.want_lo = token.want_hi = capped(lo, price, token.hi, policy)
    if hi is not lo:
        token.want_hi = capped(hi, price, token.hi, policy)
    token.delta = delta(token.want_lo, token.want_hi, token.lo, token.hi)


def _unknown(token_id: TokenId, live: tuple[Order, ...], doubts: tuple[Order, ...]) -> Token:
    """A token that only an order of ours knows: no wallet holds it, and its key was never learned."""
    token = Token()
    token.token_key, token.token_id, token.left_alone = None, token_id, Reason.UNRESOLVED
    token.mine = token.target = token.ledger = token.book = token.ref_price = token.cap_price = None
    token.live, token.doubts, token.facts, token.steady, token.at_rest = live, doubts, (), False, None
    token.reported = token.lo = token.unsure = ZERO
    token.hi, token.warning = rests(doubts, BUY), ""
    token.uncapped_lo = token.uncapped_hi = token.latest = token.want_lo = token.want_hi = ZERO
    token.delta = delta(ZERO, ZERO, token.lo, token.hi)
    return token
