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
from copytrade.domain.records import maker

Poll = Mapping[TokenKey, Decimal]  # shares of each token that one complete answer listed


@frozen(kw_only=True, weakref_slot=False)
class Want:
    """The shares that we want to hold: at least `lo`, at most `hi`; `latest` by this poll alone, unconfirmed."""

    lo: Decimal
    hi: Decimal
    latest: Decimal


new_want = maker(Want)
NOTHING_WANTED = Want(lo=ZERO, hi=ZERO, latest=ZERO)


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


def wants(latest: Poll, history: Sequence[Poll], policy: Policy) -> dict[TokenKey, Want]:
    """What we want of every token that the polls which count list. `history` is oldest first, without `latest`.

    >>> half = Policy(follow_ratio=Decimal("0.5"))
    >>> want = wants({"0xc1:0": Decimal(100)}, [{"0xc1:0": Decimal(160)}], half)["0xc1:0"]
    >>> f"{want.lo}..{want.hi}, latest {want.latest}"
    '50.00..80.00, latest 50.00'
    """
    polls = polls_that_count(latest, history, policy)
    return {key: want_of(key, polls, policy.follow_ratio) for key in polls.greatest}


@frozen(kw_only=True)
class Polls:
    """The polls that count, as far as they differ: `greatest` is of each token that any of them lists."""

    latest: Poll
    greatest: Poll  # of the last polls_to_shrink
    grow: tuple[Poll, ...]  # of the last polls_to_grow, those that say something else than the latest


def polls_that_count(latest: Poll, history: Sequence[Poll], policy: Policy) -> Polls:
    """What `want_of` needs to know of the target's polls."""
    remembered = history[len(history) - min(len(history), policy.polls_remembered) :]
    polls = [*remembered, latest]
    greatest = dict(latest)
    for poll in polls[-polls_to_shrink(latest, remembered, policy) : -1]:
        for key, size in poll.items():
            if key not in greatest or size > greatest[key]:
                greatest[key] = size
    grow = tuple(poll for poll in polls[-policy.polls_to_grow : -1] if poll != latest)
    return Polls(latest=latest, greatest=greatest, grow=grow)


def want_of(key: TokenKey, polls: Polls, ratio: Decimal) -> Want:
    """What we want of one token. Where the polls agree, the three are one and the same object."""
    most = polls.greatest.get(key)
    if most is None:
        return NOTHING_WANTED
    now = least = polls.latest.get(key, ZERO)
    for poll in polls.grow:
        least = min(least, poll.get(key, ZERO))
    # Both windows end with this poll, so least <= now <= most.
    low = floored(ratio * least)
    high = low if most == least else floored(ratio * most)
    return new_want(lo=low, hi=high, latest=low if now == least else floored(ratio * now))
