"""What we may truly hold of a token, as an interval, from a feed that lags and orders whose fate is not known.

The positions feed is seconds to minutes late and may flip back to an older answer; a post can time out and still have
reached the book. Believing any single number buys the same gap twice some day. So holdings are `[lo, hi]`: what is
bought is measured against `hi`, what is sold against `lo`.

`P` is the reported size, `L = base + bought - sold` what we believe (the ledger). Sizes within 0.01 are equal.
    settled       P = L                              => P..P
    on its way    base - sold <= P <= base + bought  => P and L
    unexplained   somebody else moved it             => P - sold, P + bought and L
    quiet         nothing of ours moved for settle_timeout_sec, all of it final, P as it was in the answer before:
                  P = L, or the exchange's own balance says P too   => P..P, and the ledger may start anew from P
                  otherwise                                         => P, L and that balance, with a warning
Each row is a hull: the least and the greatest of what is named. Then orders in doubt widen it by their rests, and
`lo` is never below 0.

Where two sources agree to within 0.01 and P is the greater, the difference is `unsure`: a fill of a cent may not have
reached the feed yet, and a SELL of a cent more than is held is refused. So a SELL leaves it out (seeds 11245, 12746).

Not here: how the ledger is kept (memory.py).   Read next: risk.py
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from copytrade.domain.amounts import CENT, equal
from copytrade.domain.model import BUY, ZERO, Exposure, Ledger, Order
from copytrade.domain.policy import Policy


def quiet(reported: Decimal, ledger: Ledger, *, in_doubt: bool, now: Decimal, policy: Policy) -> bool:
    """True when nothing of ours can be on its way any more, so that a lasting difference is not a matter of lag."""
    return (
        ledger.final
        and not in_doubt
        and (not ledger.moved_at or now - ledger.moved_at >= policy.settle_timeout_sec)  # 0 = long ago
        and (ledger.seen is None or equal(reported, ledger.seen))
    )


def needs_witness(reported: Decimal, ledger: Ledger | None, *, in_doubt: bool, now: Decimal, policy: Policy) -> bool:
    """True when the feed and the ledger still differ in the quiet: the exchange's own balance has to be asked."""
    return (
        ledger is not None
        and not equal(reported, ledger.believed)
        and quiet(reported, ledger, in_doubt=in_doubt, now=now, policy=policy)
    )


def restarts_from(
    reported: Decimal, ledger: Ledger, witness: Decimal | None, *, in_doubt: bool, now: Decimal, policy: Policy
) -> Decimal | None:
    """The `base` from which the ledger may start anew with empty sums, P: it is quiet, and P is agreed on. Else None.

    Where what agrees differs by a cent it is the lesser, since a cent too many could be sold and is not there.
    """
    agreed = _agreed(reported, ledger, witness)
    return agreed if quiet(reported, ledger, in_doubt=in_doubt, now=now, policy=policy) else None


def _agreed(reported: Decimal, ledger: Ledger, witness: Decimal | None) -> Decimal | None:
    """The lesser of P and what says the same: our own fills, else the exchange's own balance."""
    for told in (ledger.believed, witness):
        if told is not None and equal(reported, told):
            return min(reported, told)
    return None


def settled(reported: Decimal, ledger: Ledger | None) -> bool:
    """True where feed and ledger say the very same, as mostly: without orders in doubt, `lo = hi = P`."""
    return ledger is None or ledger.base + ledger.bought - ledger.sold == reported


def exposure(
    reported: Decimal,
    ledger: Ledger | None,
    doubts: Sequence[Order] = (),
    witness: Decimal | None = None,
    *,
    now: Decimal,
    policy: Policy,
) -> Exposure:
    """The interval of shares that we may hold, given the reported size and everything of ours that may move it.

    >>> bought_twenty = Ledger(base=Decimal(60), bought=Decimal(20), moved_at=Decimal(990))
    >>> held = exposure(Decimal(60), bought_twenty, now=Decimal(1000), policy=Policy())
    >>> f"{held.lo}..{held.hi}"
    '60..80'
    """
    lo, hi, unsure, warning = _hull(reported, ledger, bool(doubts), witness, now, policy)
    for order in doubts:
        if order.side is BUY:
            hi += order.rest
        else:
            lo -= order.rest
    return Exposure(lo=max(lo, ZERO), hi=hi, unsure=unsure, warning=warning)  # hi >= reported >= 0


def _hull(
    reported: Decimal, ledger: Ledger | None, in_doubt: bool, witness: Decimal | None, now: Decimal, policy: Policy
) -> tuple[Decimal, Decimal, Decimal, str]:
    """`lo`, `hi`, what of `lo` is unsure, and a warning, without the orders in doubt."""
    if ledger is None:
        return reported, reported, ZERO, ""
    believed = ledger.believed
    if equal(reported, believed):
        return reported, reported, max(reported - believed, ZERO), ""
    if quiet(reported, ledger, in_doubt=in_doubt, now=now, policy=policy):
        told = [reported, believed]
        if witness is None:
            said = "the exchange's own balance is not to be had"
        elif equal(witness, reported):
            return reported, reported, max(reported - witness, ZERO), ""
        else:
            told.append(witness)
            said = f"the exchange's own balance is {witness}"
        return min(told), max(told), ZERO, f"the positions feed says {reported}, own fills say {believed}, {said}"
    if ledger.base - ledger.sold - CENT <= reported <= ledger.base + ledger.bought + CENT:
        return min(reported, believed), max(reported, believed), ZERO, ""
    told = [reported - ledger.sold, reported + ledger.bought, believed]
    return min(told), max(told), ZERO, ""
