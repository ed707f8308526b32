"""A memo changes no plan: whatever a token at rest was decided on is held against the facts again."""

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.domain.model import Positions, Reason
from copytrade.domain.plan import considered, plan
from copytrade.domain.tokens import Memo
from tests.domain.notation import snapshot


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # each of its facts
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 90, book 0.4/0.6"),
        ("want 100, hold 98, book 0.4/0.6", "want 110, hold 98, book 0.4/0.6"),
        ("want 100, hold 98, book 0.4/0.6", "want 50..100, hold 98, book 0.4/0.6"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.7"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.5/0.6"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98"),
        ("want 100, hold 98", "want 100, hold 98, book 0.4/0.6"),
        ("want 100, hold 98, price 0.5", "want 100, hold 98, price 0.6"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.6, redeemable"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.6, target redeemable"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.6, no id"),
        ("want 100, hold 98, ledger 98", "want 100, hold 98, ledger 88+20"),
        ("want 100, hold 98, ledger 98", "want 100, hold 98, ledger 98, live BUY 5 @ 0.4"),
        ("want 100, hold 98, ledger 98", "want 100, hold 98, ledger 98, doubt BUY 5 @ 0.4"),
        ("want 98, hold 98, polls 98", "want 98, hold 98, polls 120"),
        ("want 100, hold 98, book 0.4/0.6", "A: want 100, hold 98, book 0.4/0.6 | B: want 50, book 0.4/0.6"),
        ("want 100, hold 0, book 0.4/0.6, id 012", "want 100, hold 0, book 0.4/0.6"),
        # an order that rests
        ("want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 10", "want 100, hold 0, ledger 0"),
        ("want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 10", "want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 91"),
        ("want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 10", "want 0, hold 0, ledger 0, live BUY 5 @ 0.4 age 10"),
        (
            "want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 10",
            "want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 10, spend 1",
        ),
        # what is no fact of the token alone: a witness, the policy, the polls before, everything stopped
        ("hold 70, ledger 50 age 400, witness 70", "hold 70, ledger 50 age 400, witness 60"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.6, deadband 1, slice 1..25"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.6, cap 1"),
        ("want 100, polls 90, grow 2, hold 90, book 0.4/0.6", "want 100, polls 80, grow 2, hold 90, book 0.4/0.6"),
        ("want 100, polls 80, grow 2, hold 80, book 0.4/0.6", "want 100, polls 100, grow 2, hold 80, book 0.4/0.6"),
        ("want 100, polls 100, grow 2, hold 98", "want 100, polls 80, grow 2, hold 98"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.6, stopped"),
        ("want 100, hold 98, book 0.4/0.6", "want 100, hold 98, book 0.4/0.6, safe"),
        # what it leaves of the budget: 49 of 55, then 50 of 55
        (
            "A: want 98, hold 98, book 0.4/0.6, total 55 | B: want 50, book 0.4/0.6",
            "A: want 100, hold 100, book 0.4/0.6, total 55 | B: want 50, book 0.4/0.6",
        ),
        # two orders, of which one is taken down
        (
            "want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 10 #aa, live BUY 5 @ 0.4 age 9 #bb",
            "want 100, hold 0, ledger 0, live BUY 5 @ 0.4 age 9 #bb",
        ),
    ],
)
def test_what_changes_is_seen(before, after):
    one, other = snapshot(before), snapshot(after)
    if other.policy == one.policy:
        other = evolve(other, policy=one.policy)
    memo = Memo()
    for told in (one, one, other, other, one):
        assert plan(told, memo) == plan(told)
    assert plan(one) != plan(other)


@pytest.mark.parametrize(
    ("world", "taken_over"),
    [
        ("want 100, hold 98, book 0.4/0.6", True),
        ("want 100, hold 98, ledger 88+10, book 0.4/0.6", True),
        ("hold 2, redeemable", True),
        ("hold 98, redeemable", False),
        ("want 100, hold 0, ledger 0, book 0.4/0.6, live BUY 5 @ 0.4 age 10", True),
        ("want 100, hold 0, ledger 0, book 0.4/0.6, live BUY 5 @ 0.4 age 10, loss 50", False),
        ("want 100, hold 0, ledger 0, book 0.4/0.6, live BUY 5 @ 0.4 age 91", False),
        ("want 100, hold 0, book 0.4/0.6", False),
        ("want 80, hold 60..80, book 0.4/0.6", False),
        ("want 100, hold 98, ledger 98, gone BUY 5 @ 0.4", False),
        ("want 100, hold 98, polls 90, grow 2", False),
        ("live SELL 5 @ 0.4, key 0xb:0", False),
    ],
)
def test_what_is_at_rest_is_taken_over(world, taken_over):
    """Else a memo would be of no use, and no test of this page would say so."""
    told, memo = snapshot(world), Memo()
    (first,), (again,) = plan(told, memo).decisions, plan(told, memo).decisions
    assert first == again
    assert (again is first) is taken_over


def test_the_same_key_with_another_id():
    """It is another token to the exchange, and the book and the orders of the first are none of its own."""
    one = snapshot("want 100, hold 60, book 0.4/0.6")
    target, mine = (
        Positions(positions=tuple(evolve(row, token_id=None) for row in answer.positions))
        for answer in (one.target, one.mine)
    )
    one = evolve(one, target=target, mine=mine)
    other = evolve(one, token_map=dict.fromkeys(one.token_map, "99"))
    memo = Memo()
    for told in (one, other, one):
        assert plan(told, memo) == plan(told)
    assert [plan(told).decisions[0].token_id for told in (one, other)] == ["10", "99"]


def test_two_rows_of_one_token():
    """No answer that may be decided upon has them. A memo does not make more of them than a plan does."""
    one = snapshot("want 100, hold 100, polls 100")
    (row,) = one.target.positions
    memo = Memo()
    for size in (100, 50, 100):
        rows = (evolve(row, size=Decimal(size)), evolve(row, size=Decimal(0)))
        told = evolve(one, target=Positions(positions=rows))
        assert plan(told, memo) == plan(told)


def test_what_is_not_there_any_more_is_forgotten():
    memo, policy = Memo(), snapshot("").policy
    for name in "ABCDEFGH":
        plan(evolve(snapshot(f"{name}: want 100, hold 98"), policy=policy), memo)
        assert len(memo.at_rest(policy)) == 1


def test_tokens_come_by_their_keys():
    told = snapshot(" | ".join(f"{name}: want 100, hold 98" for name in "TSRQPONMLKJIHGFEDCBA"))
    assert [decision.token_id for decision in plan(told, Memo()).decisions] == [str(number) for number in range(10, 30)]


def test_what_only_our_orders_know_comes_last_by_its_id():
    orders = {str(number): snapshot("live BUY 5 @ 0.4").open_orders["10"] for number in range(20, 40)}
    orders = {token_id: (evolve(one, order_id=token_id),) for token_id, (one,) in orders.items()}
    decided = plan(evolve(snapshot("want 100, hold 98"), open_orders=orders)).decisions
    assert [decision.token_id for decision in decided] == ["10", *sorted(orders)]


def test_a_token_can_be_printed():
    """Whoever looks into a failure prints what was considered."""
    for world in ("want 100, hold 98", "hold 60..80, live BUY 5 @ 0.4", "no id, live BUY 5 @ 0.4", "hold 9, safe"):
        assert "Token(" in repr(considered(snapshot(world)))


def test_an_equal_policy_is_the_same_policy():
    """Each document is read with a policy of its own."""
    memo = Memo()
    (first,), (again,) = (plan(snapshot("want 100, hold 98"), memo).decisions for _ in range(2))
    assert again is first


def test_another_book_at_the_same_prices_changes_nothing():
    one, memo = snapshot("want 100, hold 98, book 0.4/0.6"), Memo()
    other = evolve(snapshot("want 100, hold 98, book 0.4/0.6, last 0.5"), policy=one.policy)
    (first,), (again,) = plan(one, memo).decisions, plan(other, memo).decisions
    assert again is first


def test_an_order_that_rests_is_looked_at_again_when_it_expires():
    told, memo = snapshot("want 100, hold 0, ledger 0, book 0.4/0.6, live BUY 5 @ 0.4 age 10"), Memo()
    first, last, late = (evolve(told, now=told.now + later) for later in (0, 80, 81))
    (resting,) = plan(first, memo).decisions
    assert plan(last, memo).decisions[0] is resting
    assert plan(late, memo) == plan(late)
    assert [plan(then, memo).decisions[0].reason for then in (last, late)] == [Reason.RESTING, Reason.REQUOTED]


def test_after_a_gap_the_book_of_now_is_looked_at():
    """A token that was at rest, and is not any more at another price, is quoted by the newest of its books."""
    memo, policy, said = Memo(), snapshot("cap 50").policy, []
    for book, last in (("0.4/0.6", "0.5"), ("0.2/0.3", "0.25"), ("0.2/0.3", "0.05"), ("0.2/0.3", "0.25")):
        told = evolve(snapshot(f"want 200, hold 100, cap 50, book {book}, last {last}"), policy=policy)
        assert plan(told, memo) == plan(told)
        said.append(plan(told, memo).decisions[0].reason.value)
    assert said == ["TOKEN_CAP", "QUOTED", "PRICE_GUARD", "QUOTED"]
