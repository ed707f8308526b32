"""Laws of what is wanted (DESIGN 5, "Want")."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.desired import polls_that_count, want_of
from copytrade.domain.policy import Policy
from tests.strategies import D, sizes

TOKENS = ["0xa:0", "0xb:0", "0xc:0", "0xd:0", "0xe:0"]
CENT = Decimal("0.01")

polls = st.dictionaries(st.sampled_from(TOKENS), sizes(), max_size=5)
histories = st.lists(polls, max_size=6)
policies = st.builds(
    Policy,
    follow_ratio=st.sampled_from([D(1), D("0.2"), D("0.333"), D("1.5")]),
    polls_to_grow=st.integers(1, 4),
    polls_to_shrink=st.integers(1, 3),
)


def followed(policy, size):
    """follow_ratio of it, quantised down to 0.01 share."""
    return (policy.follow_ratio * size).quantize(CENT, rounding="ROUND_FLOOR")


def wants(latest, history, policy):
    """Of every token: at least, at most, and by the latest poll alone."""
    counting = polls_that_count(latest, history, policy)
    return {key: want_of(key, counting, policy.follow_ratio) for key in TOKENS}


class TestAWantIsAnInterval:
    """want_lo <= latest <= want_hi, each of 0.01 share, none below 0."""

    @given(latest=polls, history=histories, policy=policies)
    def test_its_ends_are_in_order_and_quantised(self, latest, history, policy):
        for lo, hi, now in wants(latest, history, policy).values():
            assert 0 <= lo <= now <= hi
            assert all(end % CENT == 0 for end in (lo, now, hi))


class TestGrowthIsFollowedAtOnce:
    """want_lo = follow_ratio x the least size of the last polls_to_grow, whatever came before."""

    @given(latest=polls, history=histories, policy=policies)
    def test_lo_is_the_least_of_the_polls_that_count(self, latest, history, policy):
        window = [*history, latest][-policy.polls_to_grow :]
        for key, (lo, _, now) in wants(latest, history, policy).items():
            assert lo == min(followed(policy, poll.get(key, D(0))) for poll in window)
            assert now == followed(policy, latest.get(key, D(0)))


class TestShrinkingIsConfirmed:
    """want_hi = follow_ratio x the greatest size of the last polls_to_shrink (twice as many for a poll in doubt)."""

    @given(latest=polls, history=histories, policy=policies)
    def test_hi_is_the_greatest_of_the_polls_that_count(self, latest, history, policy):
        remembered = history[-max(2 * policy.polls_to_shrink - 1, policy.polls_to_grow - 1) :]
        lengths = [sum(size > 0 for size in poll.values()) for poll in [latest, *remembered]]
        count = policy.polls_to_shrink * (2 if any(lengths[0] < length / 2 for length in lengths[1:]) else 1)
        window = [*history, latest][-count:]
        answer = wants(latest, history, policy)
        for key, (_, hi, _) in answer.items():
            assert hi == max(followed(policy, poll.get(key, D(0))) for poll in window)

    @given(before=polls, latest=polls, policy=policies.filter(lambda policy: policy.polls_to_shrink > 1))
    def test_a_feed_that_flips_back_sells_nothing(self, before, latest, policy):
        answer = wants(latest, [before], policy)
        for key, size in before.items():
            assert answer[key][1] >= followed(policy, size)


class TestOlderPollsDoNotCount:
    """The loop remembers 2 x polls_to_shrink - 1 polls, or polls_to_grow - 1 if that is more."""

    @given(older=histories, latest=polls, history=histories, policy=policies)
    def test_what_is_not_remembered_changes_nothing(self, older, latest, history, policy):
        needed = max(2 * policy.polls_to_shrink - 1, policy.polls_to_grow - 1)
        kept = history[-needed:]
        if len(kept) == needed:
            assert wants(latest, [*older, *kept], policy) == wants(latest, kept, policy)
