"""One snapshot in, one plan out: the whole decision, for the live loop, the dry run, the replay and the backtest alike.

Step 1: put together what is known of every token that we want, hold, or have an order on (tokens.py).
Step 2: where somebody has stopped everything, cancel all of our orders; on incomplete facts (safe mode), those that are
        expired. Nothing else then.
Step 3: share out what is left under the total cap, of the cash and of the day's spend, the largest gap first, and
        reconcile each token.
Step 4: put the actions in their fixed order: cancels before places.

`tokens_to_quote` and `tokens_to_witness` tell, from the same facts, what is still to be asked before deciding;
`considered` tells what each token was decided on.

Where to read on: desired.py, exposure.py, risk.py, limits.py, tokens.py, quote.py, reconcile.py, in this order;
memory.py for what is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext

from attrs import frozen

from copytrade.domain.amounts import EXACT
from copytrade.domain.desired import poll_of
from copytrade.domain.exposure import needs_witness
from copytrade.domain.limits import left_today
from copytrade.domain.model import (
    BUY,
    ZERO,
    Action,
    Cancel,
    Decision,
    Mode,
    Order,
    Plan,
    Reason,
    Snapshot,
    TokenId,
    TokenKey,
)
from copytrade.domain.policy import COPIED, Policy
from copytrade.domain.reconcile import cancel_all, cancel_expired, reason_in_band, reconcile_one
from copytrade.domain.records import maker
from copytrade.domain.risk import NOTHING_SPENT, Budget, counted_price
from copytrade.domain.tokens import Memo, Orders, Token, locked, orders_of_ours, rests, token_ids, tokens, tradable

new_decision = maker(Decision)


def plan(snapshot: Snapshot, memo: Memo | None = None) -> Plan:
    """Decide. Pure: the same snapshot gives the same plan, on every machine and for ever. Raises nothing.

    With one `memo` for many of them, plans are made faster, and are the same.
    """
    with localcontext(EXACT):
        if snapshot.stopped:
            return _stopped_plan(snapshot)
        return _safe_plan(snapshot) if safe_mode(snapshot) else _normal_plan(snapshot, memo)


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
            _normal_plan(snapshot, None, seen)
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
            for token in tokens(snapshot)
        )


def tokens_to_quote(snapshot: Snapshot) -> tuple[TokenId, ...]:
    """The token ids whose books `plan` will look at, in a fixed order; none where no gap is open, or nothing is placed.

    Books of tokens that are only held are wanted as soon as something is to be bought: they count under the total cap.
    """
    with localcontext(EXACT):
        if snapshot.stopped or safe_mode(snapshot):
            return ()
        known = [token for token in tokens(snapshot) if token.token_id is not None and token.token_key is not None]
        band = snapshot.policy.deadband_shares
        open_gaps = [token for token in known if token.left_alone is None and abs(_uncapped_gap(token)) > band]
        wanted = {token.token_id for token in open_gaps if token.token_id}
        if any(_uncapped_gap(token) > 0 for token in open_gaps):
            wanted |= {token.token_id for token in known if token.token_id and _counts(token) and _takes_room(token)}
        return tuple(sorted(wanted))


def tokens_to_witness(snapshot: Snapshot) -> tuple[TokenKey, ...]:
    """The tokens whose balance at the exchange has to be asked: quiet, and feed and ledger differ (DESIGN 4)."""
    with localcontext(EXACT):
        if not snapshot.mine.complete:
            return ()
        reported = poll_of(snapshot.mine)
        ids = tradable(token_ids(snapshot))
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


# -- steps 2 to 4 -----------------------------------------------------------------------------------------------------


def _safe_plan(snapshot: Snapshot) -> Plan:
    known = list(tokens(snapshot))
    cancels = [cancel for token in known for cancel in cancel_expired(token, snapshot.now, snapshot.policy)]
    return Plan(
        mode=Mode.SAFE,
        actions=_ordered(cancels),
        decisions=tuple(_decision(token, Reason.SAFE_MODE) for token in known),
    )


def _stopped_plan(snapshot: Snapshot) -> Plan:
    """Whatever the facts are, and however few of them there are: nothing of ours is to rest."""
    known = list(tokens(snapshot))
    return Plan(
        mode=Mode.SAFE if safe_mode(snapshot) else Mode.NORMAL,
        actions=_ordered(cancel for token in known for cancel in cancel_all(token)),
        decisions=tuple(_decision(token, Reason.STOPPED) for token in known),
    )


def _normal_plan(snapshot: Snapshot, memo: Memo | None, seen: list[Considered] | None = None) -> Plan:
    """`seen` takes what each token was decided on, where somebody wants to know."""
    policy = snapshot.policy
    total = ZERO  # pUSD that all tokens together count under the total cap
    actions: list[Action] = []
    decisions: list[Decision | None] = []
    # The tokens with a gap or an order: the places of their decisions, and what they count.
    waiting: list[tuple[int, Token, Decimal]] = []
    for token in tokens(snapshot, memo):
        if token.at_rest is not None:
            total += token.at_rest.counted
            decisions.append(token.at_rest.decision)
            continue
        counted = _counted(token, policy)
        total += counted
        if token.live or (token.delta is not ZERO and abs(token.delta) > policy.deadband_shares):
            waiting.append((len(decisions), token, counted))
            decisions.append(None)
            continue
        # Nothing is to be done there, whatever the budget.
        reason = token.left_alone or reason_in_band(token, policy)
        decision = _decision(token, reason)
        decisions.append(decision)
        if seen is not None:
            seen.append(Considered(token=token, reason=reason, actions=()))
        if memo is not None:
            memo.keep(token, decision, counted, policy)
    budget = Budget(notional=policy.max_notional_total - total, cash=_free_cash(snapshot), day=_left_today(snapshot))
    # The largest gap first; ties by token_key, in which the tokens come.
    for place, token, counted in sorted(waiting, key=_worth_of_gap, reverse=True):
        todo, reason, spent = reconcile_one(token, budget, snapshot, total=total)
        actions += todo
        if seen is not None:
            seen.append(Considered(token=token, reason=reason, actions=todo, budget=budget, total=total))
        decisions[place] = decision = _decision(token, reason)
        if memo is not None and reason is Reason.RESTING and not todo:
            memo.keep(token, decision, counted, policy)
        if spent is not NOTHING_SPENT:
            budget = budget.less(spent)
            total += spent.notional
    return Plan(mode=Mode.NORMAL, actions=_ordered(actions), decisions=tuple(filter(None, decisions)))


def _counted(token: Token, policy: Policy) -> Decimal:
    """The pUSD that a token counts under the total cap: what we may hold, and what our BUYs may still bring."""
    if token.left_alone is not None and not _counts(token):
        return ZERO
    held = token.hi + rests(token.live, BUY) if token.live else token.hi
    if policy.manage_holdings == COPIED and token.strange(policy):
        if token.not_ours(policy):
            return ZERO
        if not (token.live or token.doubts):
            # Were it more than what no sale is due of, it would be left alone, and count nothing.
            held = min(held, token.want_hi + policy.deadband_shares)
    return held * counted_price(token.cap_price)


def _worth_of_gap(waiting: tuple[int, Token, Decimal]) -> Decimal:
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


def _all_of(*kinds: Orders) -> tuple[Order, ...]:
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
