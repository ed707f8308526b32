"""The target's positions, polled again and again, turned into the shares that we want.

Rule 1: growth is followed at once (`polls_to_grow`), shrinking only when it is confirmed (`polls_to_shrink`), because
        a feed that flips back to an older or shorter answer must not make us sell. So a want is an interval.
Rule 2: a token that a complete poll does not list has size 0 there; a poll that is not remembered does not count.
Rule 3: a poll that lists fewer than half as many tokens as any remembered one is doubted: twice as many must agree.

Not here: what we hold (exposure.py), the caps (risk.py).   Read next: exposure.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from attrs import frozen

from copytrade.domain.amounts import floored
from copytrade.domain.model import ZERO, Positions, TokenKey
from copytrade.domain.policy import Policy

Poll = Mapping[TokenKey, Decimal]  # shares of each token that one complete answer listed


# The shares that we want to hold: at least, at most, and by this poll alone, unconfirmed.
Want = tuple[Decimal, Decimal, Decimal]

NEVER_LISTED = Decimal(-1)  # less than any size
NOTHING_WANTED: Want = (ZERO, ZERO, ZERO)


def poll_of(positions: Positions) -> dict[TokenKey, Decimal]:
    """The sizes of one answer, as they are remembered: what is listed with 0 is not held."""
    return {position.token_key: position.size for position in positions.positions if position.size > ZERO}


def average_prices(positions: Positions) -> dict[TokenKey, Decimal]:
    """What one answer says that a share of each position has cost, in pUSD; 0 = unknown."""
    return {position.token_key: position.avg_price for position in positions.positions}


def polls_to_shrink(latest: Poll, remembered: Sequence[Poll], policy: Policy) -> int:
    """How many polls must agree on a decrease: twice as many when the latest lists suspiciously few tokens."""
    held = _listed(latest)
    doubted = any(2 * held < len(poll) and 2 * held < _listed(poll) for poll in remembered)
    return policy.polls_to_shrink * (2 if doubted else 1)


def _listed(poll: Poll) -> int:
    return sum(map(ZERO.__lt__, poll.values()))


@frozen(kw_only=True)
class Polls:
    """The polls that count, as far as they differ: `greatest` is of each token that any of them lists."""

    latest: Poll
    greatest: Poll  # of the last polls_to_shrink
    grow: tuple[Poll, ...]  # of the last polls_to_grow, those that say something else than the latest


def polls_that_count(latest: Poll, history: Sequence[Poll], policy: Policy) -> Polls:
    """The part of `latest` and the polls before it, oldest first, that what is wanted depends on."""
    remembered = history[len(history) - min(len(history), policy.polls_remembered) :]
    polls = [*remembered, latest]
    greatest = dict(latest)
    for poll in polls[-polls_to_shrink(latest, remembered, policy) : -1]:
        if poll == latest:  # as mostly: a leader rarely trades between two polls
            continue
        for key, size in poll.items():
            if size > greatest.get(key, NEVER_LISTED):
                greatest[key] = size
    grow = tuple(poll for poll in polls[-policy.polls_to_grow : -1] if poll != latest)
    return Polls(latest=latest, greatest=greatest, grow=grow)


def want_of(key: TokenKey, polls: Polls, ratio: Decimal) -> Want:
    """What we want of one token. Where the polls agree, the three are one and the same number.

    >>> polls = polls_that_count({"0xc1:0": Decimal(100)}, [{"0xc1:0": Decimal(160)}], Policy())
    >>> at_least, at_most, latest = want_of("0xc1:0", polls, Decimal("0.5"))
    >>> f"{at_least}..{at_most}, latest {latest}"
    '50.00..80.00, latest 50.00'
    """
    most = polls.greatest.get(key)
    if most is None:
        return NOTHING_WANTED
    now = least = polls.latest.get(key, ZERO)
    for poll in polls.grow:
        least = min(least, poll.get(key, ZERO))
    # Both windows end with this poll, so least <= now <= most.
    low = floored(ratio * least)
    high = low if most == least else floored(ratio * most)
    return low, high, low if now == least else floored(ratio * now)
