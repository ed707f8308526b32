"""Laws of a memo (domain/tokens.py): it goes through everything that may change, and no plan is another one."""

from random import Random

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.plan import plan
from copytrade.domain.tokens import Memo
from tests.domain.strategies import busy_snapshots
from tests.strategies import snapshots

MAPPINGS = ("token_map", "books", "open_orders", "in_doubt", "foreign_orders", "ledgers", "witnesses", "holds")
OTHERS = ("now", "orders_ok", "cash", "target_history", "today", "stopped")


def mixed(one, other, dice):
    """Each fact from the one or the other: rows and entries one by one."""

    def entries(name):
        ours, theirs = getattr(one, name), getattr(other, name)
        keys = sorted(ours.keys() | theirs.keys())
        return {key: source[key] for key in keys if key in (source := dice.choice((ours, theirs)))}

    def rows(ours, theirs):
        mine, his = ({row.token_key: row for row in answer.positions} for answer in (ours, theirs))
        keys = sorted(mine.keys() | his.keys())
        kept = [source[key] for key in keys if key in (source := dice.choice((mine, his)))]
        return evolve(ours, positions=tuple(kept))

    return evolve(
        one,
        target=rows(one.target, other.target),
        mine=rows(one.mine, other.mine),
        **{name: entries(name) for name in MAPPINGS},
        **{name: getattr(dice.choice((one, other)), name) for name in OTHERS},
    )


class TestAMemoChangesNoPlan:
    """Facts change a few at a time, back and forth, and the same memo goes through all of it."""

    @given(one=busy_snapshots(), other=busy_snapshots(), seed=st.integers(0, 99))
    def test_while_facts_change(self, one, other, seed):
        dice, memo, told = Random(seed), Memo(), one
        for step in range(6):
            assert plan(told, memo) == plan(told)
            told = mixed(told, (one, other)[step % 2], dice)

    @given(one=busy_snapshots(), other=busy_snapshots(), seed=st.integers(0, 99))
    def test_under_another_policy(self, one, other, seed):
        memo = Memo()
        for told in (one, evolve(one, policy=other.policy), mixed(one, other, Random(seed)), one):
            assert plan(told, memo) == plan(told)

    @given(one=st.one_of(busy_snapshots(), snapshots()), other=snapshots())
    def test_on_snapshots_that_have_nothing_in_common(self, one, other):
        memo = Memo()
        for told in (one, other, one):
            assert plan(told, memo) == plan(told)
