"""What the target's polls make us want (DESIGN 5, "Want")."""

import pytest

from copytrade.domain.desired import average_prices, poll_of, polls_that_count, polls_to_shrink, want_of
from copytrade.domain.model import Position, Positions
from copytrade.domain.policy import Policy
from tests.domain.notation import decision, plain, wanted
from tests.strategies import D


@pytest.mark.parametrize(
    ("world", "want"),
    [
        ("ratio 0.2, target 500", "100"),  # a snapshot without target_history is taken as it stands
        ("ratio 2, target 7.5", "15"),
        ("ratio 0.333, target 10.01", "3.33"),  # 3.33333: quantised down to 0.01 share
        ("ratio 0.2, target 0.049999", "0"),
        ("ratio 0.2, target 0.05", "0.01"),
        ("target 100, polls 50", "100"),  # growth is followed at once
        ("target 50, polls 100", "50..100"),  # shrinking only when it is confirmed
        ("target 50, polls 100 50", "50"),  # ... as it is by two polls
        ("target 50, polls 50 100", "50..100"),
        ("target 100, polls 100 50", "100"),  # a feed that flipped and is back
        ("target 40, polls 100 50", "40..50"),  # what two polls agree on at least
        ("ratio 0.2, target 50.04, polls 100.09", "10..20.01"),  # both ends quantised
        ("polls 100, target unlisted", "0..100"),  # a token that is not listed has size 0
        ("polls 100, target 0", "0..100"),  # and so has one that is listed with 0
        ("polls - -, target 100", "100"),
        ("shrink 1, target 50, polls 100", "50"),  # 1 acts at once
        ("shrink 3, target 50, polls 100 50", "50..100"),
        ("shrink 3, target 50, polls 100 50 50", "50"),
        ("shrink 3, target 50, polls 100", "50..100"),  # polls that are not there do not count
        ("grow 2, target 100, polls 50", "50..100"),  # the least of the last two
        ("grow 2, target 100, polls 50 100", "100"),
        ("grow 2, target 100, polls -", "0..100"),
        ("grow 2, target 100", "100"),
        ("grow 3, shrink 1, target 100, polls 20 50", "20..100"),
        ("grow 3, shrink 1, target 100, polls 20 50 60", "50..100"),
        ("grow 3, shrink 1, target 100, polls 50 20", "20..100"),
        ("grow 5, shrink 1, target 100, polls 10 100 100 100", "10..100"),  # polls_to_grow - 1 are remembered, if more
        ("grow 5, shrink 1, target 100, polls 10 100 100 100 100", "100"),
    ],
)
def test_want(world, want):
    assert wanted(world) == want


@pytest.mark.parametrize(
    ("world", "want"),
    [
        ("shrink 1, target 50, polls 100 | B: polls 10", "50"),  # 1 of 2 is not fewer than half
        ("shrink 1, target 50, polls 100 | B: polls 10 | C: polls 10", "A 50..100 | B 0..10 | C 0..10"),  # 1 of 3 is
        ("shrink 1, target 50, polls 100 | B: target 9, polls 10 | C: polls 10 | D: polls 10", "A 50 | B 9"),  # 2 of 4
        ("shrink 1, polls 100 | B: polls 10", "A 0..100 | B 0..10"),  # an empty answer is always doubted
        ("shrink 1, polls 100", "0..100"),
        ("shrink 1, polls 100 -", ""),  # 1 poll remembered: this one and it agree, nothing is wanted
        # any one remembered poll, not only the last; and what is doubled is how many must agree
        ("target 50, polls 100 50 50 | B: polls 10 - - | C: polls 10 - -", "A 50..100 | B 0..10 | C 0..10"),
        # 2 x polls_to_shrink - 1 are remembered: the poll with three tokens is forgotten
        ("target 50, polls 100 50 50 50 | B: polls 10 - - - | C: polls 10 - - -", "50"),
        ("target 50, polls 50 100 50 50 | B: polls 10 - - - | C: polls 10 - - -", "50"),
        ("target 50, polls 80 50 50 50", "50"),
        # as many as there are, where fewer are known than count
        ("target 50, polls 100 50 | B: polls 10 10 | C: polls 10 10", "A 50..100 | B 0..10 | C 0..10"),
        # rows of size 0 are no tokens, neither then nor now
        ("shrink 1, target 50, polls 100 | B: polls 0 | C: polls 0", "50"),
        (
            "shrink 1, target 50, polls 100 | B: target 0, polls 10 | C: target 0, polls 10",
            "A 50..100 | B 0..10 | C 0..10",
        ),
    ],
)
def test_a_poll_with_fewer_than_half_of_the_tokens_needs_twice_as_many_to_agree(world, want):
    assert wanted(world) == want


def test_a_row_of_size_0_is_no_token_of_a_poll():
    twice = Policy(polls_to_shrink=2)
    none, one, three = {"0xa:0": D(0), "0xb:0": D(0)}, {"0xa:0": D(1)}, {f"0x{name}:0": D(1) for name in "abc"}
    assert polls_to_shrink({**three, **none}, [three], twice) == 4  # 1 of 3
    assert polls_to_shrink(one, [{**three, **none}], twice) == 2  # 1 of 1
    assert polls_to_shrink(none, [one], twice) == 4
    assert polls_to_shrink(none, [none], twice) == 2
    assert polls_to_shrink(one, [], twice) == 2
    assert polls_to_shrink({"0xa:0": D(1), "0xb:0": D(1)}, [{**three, "0xd:0": D(0), "0xe:0": D(0)}], twice) == 2  # 2/3


def test_what_is_listed_with_0_is_not_held():
    rows = [
        Position(token_key=f"0x{name}:0", condition_id=f"0x{name}", outcome_index=0, size=D(size), avg_price=D("0.4"))
        for name, size in (("a", "0"), ("b", "0.000001"), ("c", "1"))
    ]
    assert poll_of(Positions(positions=tuple(rows))) == {"0xb:0": D("0.000001"), "0xc:0": D(1)}
    assert average_prices(Positions(positions=tuple(rows))) == {f"0x{name}:0": D("0.4") for name in "abc"}


@pytest.mark.parametrize(
    ("latest", "history", "want"),
    [
        ({"a": "100"}, [{"a": "100"}, {"a": "50"}], "100..100, latest 100"),
        ({"a": "50"}, [{"a": "100"}], "50..100, latest 50"),
        ({}, [{"a": "100"}], "0..100, latest 0"),
        ({}, [{"a": "0.5"}], "0..0.5, latest 0"),
        ({"a": "100"}, [], "100..100, latest 100"),
        ({"a": "33.337"}, [{"a": "44.449"}], "33.33..44.44, latest 33.33"),
        ({"b": "1"}, [{"b": "1"}], "0..0, latest 0"),  # nobody lists it
    ],
)
def test_the_three_numbers_of_a_want(latest, history, want):
    def poll(sizes):
        return {key: D(size) for key, size in sizes.items()}

    polls = polls_that_count(poll(latest), [poll(sizes) for sizes in history], Policy())
    lo, hi, now = (plain(number) for number in want_of("a", polls, D(1)))
    assert f"{lo}..{hi}, latest {now}" == want


def test_by_the_latest_poll_alone_where_growth_needs_two():
    polls = polls_that_count({"a": D(100)}, [{"a": D(50)}], Policy(polls_to_grow=2))
    assert [plain(number) for number in want_of("a", polls, D("0.5"))] == ["25", "50", "50"]
    polls = polls_that_count({"a": D("100.09")}, [{"a": D(50)}], Policy(polls_to_grow=2))
    assert [plain(number) for number in want_of("a", polls, D("0.2"))] == ["10", "20.01", "20.01"]  # in whole cents


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ("want 50..100, hold 53.01", "UNCONFIRMED"),  # 3.01 too many by this poll alone
        ("want 50..100, hold 53", "IN_BAND"),
        ("want 0..100, hold 100", "UNCONFIRMED"),
        ("want 50..100, hold 110, book 0.5/0.6", "QUOTED"),  # 10 are too many by every poll
        ("want 50..100, hold 60..63 by sales", "UNCONFIRMED"),
        ("want 50..100, hold 50..63 by sales", "IN_BAND"),  # perhaps nothing is too much, whatever the poll says
    ],
)
def test_a_decrease_that_is_not_confirmed_holds_a_sale_back(world, reason):
    assert decision(world).reason.value == reason
