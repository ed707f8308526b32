"""A start on a missing or broken state, or on a backup: orders and fills may exist that we do not know.

Rule 1: a token is on hold until the exchange's own balance of it may be believed: `fill_grace_sec` after the start,
        after our last fill there, and after the last order was listed there that we do not know.
Rule 2: where the feed does not say the same as that balance yet, nobody knows what the shares have cost: they count
        under the caps as the dearest there are, until it does.
Rule 3: until its balance is known a token counts as the most that was told of it since the start, since a feed may fall
        back to before a purchase that it knew of, and an unknown BUY may have filled.

Not here: what is remembered, and of whom a token is ours (memory.py).   Read next: app/cycle.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from attrs import evolve

from copytrade.domain.amounts import equal
from copytrade.domain.desired import Poll
from copytrade.domain.memory import (
    DEAREST,
    NO_PRICES,
    Base,
    Memory,
    Recovery,
    folded,
    ledgers,
    memory_evolved,
    new_ledger,
)
from copytrade.domain.model import BUY, ZERO, Ledger, Order, TokenId, TokenKey
from copytrade.domain.policy import Policy

LONGEST_REST_SEC = Decimal(190)  # or order_ttl_sec + 60, if that is more: then an order of ours has expired by itself
LONGEST_LAG_SEC = Decimal(1200)  # a positions feed that says it is whole is not older (docs/reliability.md)
_NOTHING_TOLD = Ledger(base=ZERO)


def recovering(memory: Memory, started_at: Decimal) -> Memory:
    """The state was missing, broken or a backup: orders and fills may exist that we do not know."""
    return memory_evolved(memory, recovery=Recovery(started_at=started_at))


def strangers_listed(memory: Memory, token_ids: Iterable[TokenId], now: Decimal) -> Memory:
    """Orders that we do not know rest on these tokens. They may be ours, from before the state was lost."""
    if memory.recovery is None:
        return memory
    strangers = {**memory.recovery.strangers, **dict.fromkeys(token_ids, now)}
    return memory_evolved(memory, recovery=evolve(memory.recovery, strangers=strangers))


def unrestored_until(memory: Memory, key: TokenKey, token_id: TokenId | None, policy: Policy) -> Decimal | None:
    """The time before which the exchange's balance of a token says too little, or None where it is restored already."""
    recovery = memory.recovery
    if recovery is None or key in recovery.restored:
        return None
    until = recovery.started_at + policy.fill_grace_sec
    stranger = recovery.strangers.get(token_id or "")
    if stranger is not None:
        # A stranger may be the user's own and rest for ever, so the wait for it has an end (DESIGN 6).
        until = max(until, min(stranger + policy.fill_grace_sec, _ours_are_gone(recovery, policy)))
    base = memory.bases.get(key)
    return until if base is None else max(until, base.moved_at + policy.fill_grace_sec)


def told_meanwhile(
    memory: Memory,
    reported: Poll,
    unknown: Iterable[tuple[TokenKey, Order]],
    prices: Mapping[TokenKey, Decimal] = NO_PRICES,
    *,
    now: Decimal,
    policy: Policy,
) -> Memory:
    """What is told of tokens that wait for their balance: by the feed (`base`), and by `unknown` BUYs (`bought`), which
    may be ours, and whose fills the feed may not know.

    Once the last order of an earlier life is gone, and the feed as late after that as it may be, each answer tells of
    all that was bought before the start: then it is forgotten. (seed 7944)
    """
    recovery = memory.recovery
    if recovery is None:
        return memory
    theirs = _ours_are_gone(recovery, policy)  # from then on unknown orders are the user's own
    if now > theirs + LONGEST_LAG_SEC:
        return memory_evolved(memory, recovery=evolve(recovery, told={})) if recovery.told else memory
    told, bought, dearest = dict(recovery.told), dict[TokenKey, Decimal](), dict(prices)
    for key, order in unknown if now < theirs else ():
        if order.side is BUY:
            bought[key] = bought.get(key, ZERO) + order.size
            dearest[key] = max(dearest.get(key, ZERO), order.price)
    for key in reported.keys() | bought.keys():
        if key not in recovery.restored:
            before = told.get(key, _NOTHING_TOLD)
            told[key] = new_ledger(
                base=max(before.base, reported.get(key, ZERO)),
                bought=max(before.bought, bought.get(key, ZERO)),
                avg_price=max(before.avg_price, dearest.get(key, ZERO)),
                final=False,
                ours=False,
            )
    return memory_evolved(memory, recovery=evolve(recovery, told=told))


def fallen_back(memory: Memory, reported: Poll) -> dict[TokenKey, Ledger]:
    """The ledgers of what counts as more than feed and own fills say now, since more was told of it (`Ledger.told`).

    They are never quiet, so that nothing starts anew from them.
    """
    if memory.recovery is None or not memory.recovery.told:
        return {}
    known, found = ledgers(memory), {}
    for key, most in memory.recovery.told.items():
        size = reported.get(key, ZERO)
        own = known.get(key) or new_ledger(base=size, ours=False)
        # What the feed shows beyond our own books is no fill of an unknown order: that comes on top.
        beyond = most.bought and size > own.base + own.bought
        if beyond or most.base > max(size, own.believed):
            base, bought, sold = max(most.base, size), own.bought + most.bought, ZERO
        elif most.bought:
            base, bought, sold = own.base, own.bought + most.bought, own.sold
        else:
            continue
        found[key] = new_ledger(
            base=base,
            bought=bought,
            sold=sold,
            final=False,
            avg_price=max(most.avg_price, own.avg_price),
            ours=own.ours,
        )
    return found


def _ours_are_gone(recovery: Recovery, policy: Policy) -> Decimal:
    """The time from which on an order that we do not know is none of an earlier life: the exchange itself has taken
    those down by then, and their last fill has had the time to be told.
    """
    return recovery.started_at + max(policy.settle_timeout_sec, LONGEST_REST_SEC + policy.fill_grace_sec)


def restored(
    memory: Memory,
    balances: Mapping[TokenKey, Decimal],
    reported: Poll,
    now: Decimal,
    prices: Mapping[TokenKey, Decimal] = NO_PRICES,
) -> Memory:
    """The exchange's own balance is the ledger's new base. Trades are not added: the feed may hold them already.

    What the shares have cost is known where the feed says the same size. Else it is older than the last fill, as what
    is remembered may be, and they count as the DEAREST. (seeds 4437, 7688)
    """
    if memory.recovery is None or not balances:
        return memory
    told = ledgers(memory)
    bases: dict[TokenKey, Base] = {}
    for key, balance in balances.items():
        size, avg_price, before = reported.get(key, ZERO), DEAREST if balance else ZERO, memory.bases.get(key)
        if equal(size, balance):
            avg_price = prices.get(key, ZERO) or (before.avg_price if before is not None else ZERO)
        ours = key in told and told[key].ours
        bases[key] = Base(base=balance, moved_at=now, seen=size, avg_price=avg_price, ours=ours)
    return memory_evolved(
        memory,
        bases={**memory.bases, **bases},
        orders=folded(memory, set(balances)),
        recovery=evolve(
            memory.recovery,
            restored=memory.recovery.restored | balances.keys(),
            told={key: most for key, most in memory.recovery.told.items() if key not in balances},
        ),
    )
