"""One snapshot in, one plan out: the whole decision, for the live loop, the dry run, the replay and the backtest alike.

Step 1: put together what is known of every token that we want, hold, or have an order on.
Step 2: where somebody has stopped everything, cancel all of our orders; on incomplete facts (safe mode), those that are
        expired. Nothing else then.
Step 3: share out what is left under the total cap, of the cash and of the day's spend, the largest gap first, and
        reconcile each token.
Step 4: put the actions in their fixed order: cancels before places.

`tokens_to_quote` and `tokens_to_witness` tell, from the same facts, what is still to be asked before deciding;
`considered` tells what each token was decided on.

Where to read on: desired.py, exposure.py, risk.py, limits.py, quote.py, reconcile.py, in this order; memory.py for what
is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal, localcontext
from functools import lru_cache

from attrs import frozen

from copytrade.domain.amounts import EXACT
from copytrade.domain.desired import Want, poll_of, polls_that_count, want_of
from copytrade.domain.exposure import exposure, needs_witness, settled
from copytrade.domain.ids import IdKind, is_combo_condition, kind_of
from copytrade.domain.limits import left_today
from copytrade.domain.model import (
    BUY,
    ZERO,
    Action,
    Cancel,
    Decision,
    Ledger,
    Mode,
    Order,
    OrderId,
    Plan,
    Reason,
    Snapshot,
    TokenId,
    TokenKey,
)
from copytrade.domain.policy import COPIED, Policy
from copytrade.domain.reconcile import (
    Token,
    cancel_all,
    cancel_expired,
    locked,
    reconcile_one,
    rests,
)
from copytrade.domain.records import maker
from copytrade.domain.risk import NOTHING_SPENT, Budget, cap_price, capped, counted_price, delta, ref_price

_Orders = Mapping[TokenId, tuple[Order, ...]]

new_decision = maker(Decision)


def plan(snapshot: Snapshot) -> Plan:
    """Decide. Pure: the same snapshot gives the same plan, on every machine and for ever. Raises nothing."""
    with localcontext(EXACT):
        if snapshot.stopped:
            return _stopped_plan(snapshot)
        return _safe_plan(snapshot) if safe_mode(snapshot) else _normal_plan(snapshot)


def safe_mode(snapshot: Snapshot) -> bool:
    """True when the facts are incomplete: a positions answer that is not whole, or orders that could not be read."""
    return not (snapshot.target.complete and snapshot.mine.complete and snapshot.orders_ok)


@frozen(kw_only=True)
class Considered:
    """One token of a plan with all that it was decided on, for whoever explains it. Steers nothing."""

    token: Token
    reason: Reason
    actions: tuple[Action, ...]
    budget: Budget = NOTHING_SPENT  # what was left for it, in the order of the gaps
    total: Decimal = ZERO  # pUSD that counted under the total cap by then


def considered(snapshot: Snapshot) -> tuple[Considered, ...]:
    """What `plan` decides on the same snapshot, token by token, in no order that one may trust."""
    seen: list[Considered] = []
    with localcontext(EXACT):
        if not (snapshot.stopped or safe_mode(snapshot)):
            _normal_plan(snapshot, seen)
            return tuple(seen)
        cancels = plan(snapshot).cancels
        reason = Reason.STOPPED if snapshot.stopped else Reason.SAFE_MODE
        return tuple(
            Considered(
                token=token,
                reason=reason,
                actions=tuple(
                    one for one in cancels if (one.token_key, one.token_id) == (token.token_key, token.token_id)
                ),
            )
            for token in _tokens(snapshot)
        )


def tokens_to_quote(snapshot: Snapshot) -> tuple[TokenId, ...]:
    """The token ids whose books `plan` will look at, in a fixed order; none where no gap is open, or nothing is placed.

    Books of tokens that are only held are wanted as soon as something is to be bought: they count under the total cap.
    """
    with localcontext(EXACT):
        if snapshot.stopped or safe_mode(snapshot):
            return ()
        tokens = [token for token in _tokens(snapshot) if token.token_id is not None and token.token_key is not None]
        band = snapshot.policy.deadband_shares
        open_gaps = [token for token in tokens if token.left_alone is None and abs(_uncapped_gap(token)) > band]
        wanted = {token.token_id for token in open_gaps if token.token_id}
        if any(_uncapped_gap(token) > 0 for token in open_gaps):
            wanted |= {token.token_id for token in tokens if token.token_id and _counts(token) and _takes_room(token)}
        return tuple(sorted(wanted))


def tokens_to_witness(snapshot: Snapshot) -> tuple[TokenKey, ...]:
    """The tokens whose balance at the exchange has to be asked: quiet, and feed and ledger differ (DESIGN 4)."""
    with localcontext(EXACT):
        if not snapshot.mine.complete:
            return ()
        reported = poll_of(snapshot.mine)
        ids = _tradable(token_ids(snapshot))
        _, in_doubt = orders_of_ours(snapshot)
        return tuple(
            sorted(
                key
                for key, ledger in snapshot.ledgers.items()
                if key in ids
                and needs_witness(
                    reported.get(key, ZERO),
                    ledger,
                    in_doubt=bool(in_doubt.get(ids[key])),
                    now=snapshot.now,
                    policy=snapshot.policy,
                )
            )
        )


def token_ids(snapshot: Snapshot) -> dict[TokenKey, TokenId]:
    """Every token id that the snapshot knows, from the positions and from the token map; the map wins."""
    ids = {
        position.token_key: position.token_id
        for positions in (snapshot.target, snapshot.mine)
        for position in positions.positions
        if position.token_id is not None
    }
    ids.update(snapshot.token_map)
    return ids


def _tradable(ids: Mapping[TokenKey, TokenId]) -> dict[TokenKey, TokenId]:
    """The ids that name one token: not malformed, and claimed by one key alone. Two keys with one id (fresh rows carry
    wrong outcome indices, API.md) would each quote it, and there may never be two live orders of ours on a token.
    """
    sound = {key: token_id for key, token_id in ids.items() if _kind(token_id) is not _MALFORMED}
    if len(set(sound.values())) == len(sound):
        return sound
    claims = Counter(sound.values())
    return {key: token_id for key, token_id in sound.items() if claims[token_id] == 1}


def orders_of_ours(snapshot: Snapshot) -> tuple[_Orders, _Orders]:
    """Live orders, and orders in doubt: one that is both counts as live, unless it is certainly gone."""
    listed = {order.order_id for orders in snapshot.open_orders.values() for order in orders}
    doubted = {order.order_id: order.gone for orders in snapshot.in_doubt.values() for order in orders}
    if listed.isdisjoint(doubted):
        return snapshot.open_orders, snapshot.in_doubt
    gone = {order_id for order_id, is_gone in doubted.items() if is_gone}
    return _without(snapshot.open_orders, gone), _without(snapshot.in_doubt, listed - gone)


def _without(orders: _Orders, ids: set[OrderId]) -> _Orders:
    kept = {
        token_id: tuple(order for order in of_it if order.order_id not in ids) for token_id, of_it in orders.items()
    }
    return {token_id: of_it for token_id, of_it in kept.items() if of_it}


def _uncapped_gap(token: Token) -> Decimal:
    """How far outside of the uncapped want we are for certain: the most that may have to be traded."""
    if token.uncapped_lo > token.hi:
        return token.uncapped_lo - token.hi
    return min(token.uncapped_hi - token.lo, ZERO)


def _takes_room(token: Token) -> bool:
    return token.hi > 0 or any(order.side is BUY for order in token.live)


def _counts(token: Token) -> bool:
    """Does the token count under the total cap? Blacklisted and unresolved holdings do, those left alone do not."""
    return token.left_alone is None or token.left_alone not in (Reason.COMBO, Reason.REDEEMABLE)


# -- step 1 -----------------------------------------------------------------------------------------------------------


def _tokens(snapshot: Snapshot) -> Iterator[Token]:
    """Every token that we want, hold, may hold, or have an order on, by token_key; unknown orders' tokens last.

    One after another, and not a list of them: most are decided at once, while all that they consist of is at hand.
    """
    policy, ledgers = snapshot.policy, snapshot.ledgers
    open_orders, in_doubt = orders_of_ours(snapshot)
    target = {position.token_key: position for position in snapshot.target.positions}
    mine = {position.token_key: position for position in snapshot.mine.positions}
    polls = polls_that_count(poll_of(snapshot.target), snapshot.target_history, policy)
    ids = _tradable(token_ids(snapshot))
    with_orders = {token_id for orders in (open_orders, in_doubt) for token_id in orders if orders[token_id]}

    keys = target.keys() | mine.keys()
    keys |= {key for key, token_id in ids.items() if token_id in with_orders}
    keys |= {key for key, ledger in ledgers.items() if key not in keys and ledger.believed > ZERO}
    keys |= {key for key in polls.greatest if key not in keys and want_of(key, polls, policy.follow_ratio)[1] > ZERO}
    left_alone = _left_alone(keys, ids, snapshot)
    for key in sorted(keys):
        token = Token()
        token.token_key = key
        token.token_id = token_id = ids.get(key)
        token.mine, token.target = mine.get(key), target.get(key)
        if token_id is None:
            token.book, token.live, token.doubts = None, (), ()
        else:
            token.book = snapshot.books.get(token_id)
            token.live, token.doubts = open_orders.get(token_id, ()), in_doubt.get(token_id, ())
        ledger = ledgers.get(key)
        token.left_alone = left_alone.get(key)
        _hold(token, ledger, snapshot)
        token.ref_price = ref_price(token.book, token.mine, token.target)
        bids = (*token.live, *token.doubts) if token.live or token.doubts else ()
        token.cap_price = cap_price(token.ref_price, token.mine, ledger, bids)
        _want(token, want_of(key, polls, policy.follow_ratio), policy)
        yield token
    for unknown in sorted(with_orders.difference(ids.values())):
        yield _unknown(unknown, open_orders.get(unknown, ()), in_doubt.get(unknown, ()))


def _hold(token: Token, ledger: Ledger | None, snapshot: Snapshot) -> None:
    """What we may hold of the token."""
    token.reported = reported = ZERO if token.mine is None else token.mine.size
    if settled(reported, ledger) and not token.doubts:
        token.lo = token.hi = reported
        token.unsure, token.warning = ZERO, ""
        return
    witness = snapshot.witnesses.get(token.token_key) if token.token_key is not None else None
    held = exposure(reported, ledger, token.doubts, witness, now=snapshot.now, policy=snapshot.policy)
    token.lo, token.hi, token.unsure, token.warning = held.lo, held.hi, held.unsure, held.warning


def _want(token: Token, uncapped: Want, policy: Policy) -> None:
    """What we want of it, and how far that is from what we may hold."""
    lo, hi, latest = uncapped
    token.uncapped_lo, token.uncapped_hi, token.latest = lo, hi, latest
    token.want_lo = token.want_hi = capped(lo, token.cap_price, token.hi, policy)
    if hi is not lo:
        token.want_hi = capped(hi, token.cap_price, token.hi, policy)
    token.delta = delta(token.want_lo, token.want_hi, token.lo, token.hi)


def _unknown(token_id: TokenId, live: tuple[Order, ...], doubts: tuple[Order, ...]) -> Token:
    """A token that only an order of ours knows: no wallet holds it, and its key was never learned."""
    token = Token()
    token.token_key, token.token_id, token.left_alone = None, token_id, Reason.UNRESOLVED
    token.mine = token.target = token.book = token.ref_price = token.cap_price = None
    token.live, token.doubts = live, doubts
    token.reported = token.lo = token.unsure = ZERO
    token.hi, token.warning = rests(doubts, BUY), ""
    token.uncapped_lo = token.uncapped_hi = token.latest = token.want_lo = token.want_hi = ZERO
    token.delta = delta(ZERO, ZERO, token.lo, token.hi)
    return token


_MALFORMED, _COMBO = IdKind.MALFORMED, IdKind.COMBO
_kind = lru_cache(maxsize=65536)(kind_of)


@lru_cache(maxsize=65536)
def _is_combo(key: TokenKey) -> bool:
    return is_combo_condition(key.rpartition(":")[0])


def _left_alone(keys: Set[TokenKey], ids: Mapping[TokenKey, TokenId], snapshot: Snapshot) -> dict[TokenKey, Reason]:
    """The tokens that are not traded, whatever the numbers say, with the first reason for it."""
    rows = (*snapshot.mine.positions, *snapshot.target.positions)
    reasons = dict.fromkeys(keys - ids.keys(), Reason.UNRESOLVED)
    reasons.update(dict.fromkeys([row.token_key for row in rows if row.redeemable], Reason.REDEEMABLE))
    combos = [key for key, token_id in ids.items() if _kind(token_id) is _COMBO]
    reasons.update(dict.fromkeys([*combos, *filter(_is_combo, keys)], Reason.COMBO))
    reasons.update(dict.fromkeys(snapshot.policy.blacklist_token_keys, Reason.BLACKLISTED))
    return reasons


# -- steps 2 to 4 -----------------------------------------------------------------------------------------------------


def _safe_plan(snapshot: Snapshot) -> Plan:
    tokens = list(_tokens(snapshot))
    cancels = [cancel for token in tokens for cancel in cancel_expired(token, snapshot.now, snapshot.policy)]
    return Plan(
        mode=Mode.SAFE,
        actions=_ordered(cancels),
        decisions=tuple(_decision(token, Reason.SAFE_MODE) for token in tokens),
    )


def _stopped_plan(snapshot: Snapshot) -> Plan:
    """Whatever the facts are, and however few of them there are: nothing of ours is to rest."""
    tokens = list(_tokens(snapshot))
    return Plan(
        mode=Mode.SAFE if safe_mode(snapshot) else Mode.NORMAL,
        actions=_ordered(cancel for token in tokens for cancel in cancel_all(token)),
        decisions=tuple(_decision(token, Reason.STOPPED) for token in tokens),
    )


def _normal_plan(snapshot: Snapshot, seen: list[Considered] | None = None) -> Plan:
    """`seen` takes what each token was decided on, where somebody wants to know."""
    policy = snapshot.policy
    total = ZERO  # pUSD that all tokens together count under the total cap
    actions: list[Action] = []
    decisions: list[Decision | None] = []
    waiting: list[tuple[int, Token]] = []  # the tokens with a gap or an order, and the places of their decisions
    for token in _tokens(snapshot):
        total += _counted(token, snapshot)
        if token.live or abs(token.delta) > policy.deadband_shares:
            waiting.append((len(decisions), token))
            decisions.append(None)
        else:  # nothing is to be done there, whatever the budget
            todo, reason, _ = reconcile_one(token, NOTHING_SPENT, snapshot)
            actions += todo
            if seen is not None:
                seen.append(Considered(token=token, reason=reason, actions=todo))
            decisions.append(_decision(token, reason))
    budget = Budget(notional=policy.max_notional_total - total, cash=_free_cash(snapshot), day=_left_today(snapshot))
    # The largest gap first; ties by token_key, in which the tokens come.
    for place, token in sorted(waiting, key=_worth_of_gap, reverse=True):
        todo, reason, spent = reconcile_one(token, budget, snapshot, total=total)
        actions += todo
        if seen is not None:
            seen.append(Considered(token=token, reason=reason, actions=todo, budget=budget, total=total))
        decisions[place] = _decision(token, reason)
        if spent is not NOTHING_SPENT:
            budget = budget.less(spent)
            total += spent.notional
    return Plan(
        mode=Mode.NORMAL,
        actions=_ordered(actions),
        decisions=tuple(decision for decision in decisions if decision is not None),
    )


def _counted(token: Token, snapshot: Snapshot) -> Decimal:
    """The pUSD that a token counts under the total cap: what we may hold, and what our BUYs may still bring."""
    if token.left_alone is not None:
        if not _counts(token):
            return ZERO
    elif snapshot.policy.manage_holdings == COPIED and token.not_ours(snapshot):
        return ZERO
    held = token.hi + rests(token.live, BUY) if token.live else token.hi
    if not (token.live or token.doubts) and token.strange(snapshot):
        # Were it more than what no sale is due of, it would be left alone, and count nothing.
        held = min(held, token.want_hi + snapshot.policy.deadband_shares)
    return held * counted_price(token.cap_price)


def _worth_of_gap(waiting: tuple[int, Token]) -> Decimal:
    token = waiting[1]
    return abs(token.delta) * (token.ref_price or ZERO)


def _free_cash(snapshot: Snapshot) -> Decimal | None:
    """The collateral that no BUY speaks for: not ours in the book, in doubt or gone, nor the user's own."""
    if snapshot.cash is None:
        return None
    return snapshot.cash - locked(_all_of(*orders_of_ours(snapshot), snapshot.foreign_orders))


def _left_today(snapshot: Snapshot) -> Decimal | None:
    """What the day's limit leaves if every BUY of ours that may still fill does."""
    if snapshot.policy.max_daily_spend is None:
        return None
    return left_today(snapshot.policy, snapshot.today, locked(_all_of(*orders_of_ours(snapshot))))


def _all_of(*kinds: _Orders) -> tuple[Order, ...]:
    return tuple([order for kind in kinds for orders in kind.values() for order in orders])


def _ordered(actions: Iterable[Action]) -> tuple[Action, ...]:
    def place_in_line(action: Action) -> tuple[bool, TokenKey, str]:
        order_id = action.order_id if isinstance(action, Cancel) else ""
        return not isinstance(action, Cancel), action.token_key or "", order_id

    return tuple(sorted(actions, key=place_in_line))


def _decision(token: Token, reason: Reason) -> Decision:
    return new_decision(
        token_key=token.token_key,
        token_id=token.token_id,
        want_lo=token.want_lo,
        want_hi=token.want_hi,
        desired=token.want_lo if token.want_hi is token.want_lo else token.desired,
        lo=token.lo,
        hi=token.hi,
        delta=token.delta,
        ref_price=token.ref_price,
        reason=reason,
        warning=token.warning,
    )
