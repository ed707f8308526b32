"""Laws of what we may hold (DESIGN 4)."""

from decimal import Decimal

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.exposure import exposure, quiet
from copytrade.domain.model import Ledger, Order, Side
from copytrade.domain.policy import Policy
from tests.strategies import NOW, D, ledgers, orders, sizes

CENT = Decimal("0.01")
POLICY = Policy()
doubts = st.lists(orders(gone=st.booleans()), max_size=3)
maybe_ledgers = st.one_of(st.none(), ledgers())
witnesses = st.one_of(st.none(), sizes())


class TestAnIntervalOfSharesThatCanBeHeld:
    """0 <= lo <= P <= hi."""

    @given(reported=sizes(), ledger=maybe_ledgers, in_doubt=doubts, witness=witnesses)
    def test_its_ends_are_in_order_around_the_reported_size(self, reported, ledger, in_doubt, witness):
        held = exposure(reported, ledger, in_doubt, witness, now=NOW, policy=POLICY)
        assert 0 <= held.lo <= reported <= held.hi


class TestNothingIsForgotten:
    """What we believe lies inside, unless the quiet and a second witness speak for the feed."""

    @given(reported=sizes(), ledger=ledgers(), in_doubt=doubts, witness=witnesses)
    def test_the_believed_size_lies_inside(self, reported, ledger, in_doubt, witness):
        still = quiet(reported, ledger, in_doubt=bool(in_doubt), now=NOW, policy=POLICY)
        agreed = witness is not None and abs(witness - reported) <= CENT
        if still and agreed:
            return
        held = exposure(reported, ledger, in_doubt, witness, now=NOW, policy=POLICY)
        assert held.lo - CENT <= max(ledger.believed, 0)
        assert ledger.believed <= held.hi + CENT


class TestAFeedAloneNeverEndsTheDoubt:
    """However long it lasts, a difference between feed and own fills stays one until a witness agrees with the feed."""

    @given(reported=sizes(), ledger=ledgers())
    def test_without_a_witness_both_stay(self, reported, ledger):
        held = exposure(reported, ledger, now=NOW, policy=POLICY)
        if abs(reported - ledger.believed) > CENT:
            assert held.lo <= min(reported, max(ledger.believed, 0))
            assert held.hi >= max(reported, ledger.believed)


class TestOrdersInDoubtWiden:
    """hi by the rests of BUYs, lo by the rests of SELLs."""

    @given(reported=sizes(), ledger=maybe_ledgers, in_doubt=doubts, more=orders())
    def test_one_more_never_narrows(self, reported, ledger, in_doubt, more):
        before = exposure(reported, ledger, in_doubt, now=NOW, policy=POLICY)
        after = exposure(reported, ledger, [*in_doubt, more], now=NOW, policy=POLICY)
        assert after.lo <= before.lo
        assert before.hi <= after.hi

    @given(reported=sizes(), in_doubt=doubts)
    def test_by_their_rests_exactly(self, reported, in_doubt):
        held = exposure(reported, None, in_doubt, now=NOW, policy=POLICY)
        bought = sum(order.size - order.matched for order in in_doubt if order.side is Side.BUY)
        sold = sum(order.size - order.matched for order in in_doubt if order.side is Side.SELL)
        assert (held.lo, held.hi) == (max(reported - sold, 0), reported + bought)


class TestTheTruthIsInside:
    """However much of the fills the feed shows already, and whatever an order in doubt has done unseen."""

    @given(
        base=sizes(),
        fills=st.lists(st.tuples(st.sampled_from([1, -1]), sizes(most="30"), st.booleans()), max_size=6),
        shown=st.integers(0, 6),
        spare=sizes(most="10"),
    )
    def test_the_true_position_lies_inside(self, base, fills, shown, spare):
        """A fill is (side, shares, known). The feed shows the first `shown`; what is not known belongs to a doubt."""
        amounts: list[tuple[Decimal, bool]] = []  # a wallet cannot sell what it has not
        for side, size, known in fills:
            now_held = base + sum(amount for amount, _ in amounts)
            amounts.append((side * (size if side > 0 else min(size, now_held)), known))
        truth = base + sum(amount for amount, _ in amounts)
        reported = base + sum(amount for amount, _ in amounts[:shown])
        ledger = Ledger(
            base=base,
            bought=sum((amount for amount, known in amounts if known and amount > 0), D(0)),
            sold=-sum((amount for amount, known in amounts if known and amount < 0), D(0)),
            moved_at=NOW,
        )
        in_doubt = [
            Order(order_id=str(side), side=side, price=D("0.5"), size=hidden + spare)
            for side, sign in ((Side.BUY, 1), (Side.SELL, -1))
            if (hidden := sum((amount * sign for amount, known in amounts if not known and amount * sign > 0), D(0)))
        ]
        held = exposure(reported, ledger, in_doubt, now=NOW, policy=POLICY)
        assert held.lo - CENT <= truth <= held.hi + CENT


class TestTheQuietNeedsAllOfIt:
    """No own fill for settle_timeout_sec, every trade final, no order in doubt, and P = seen."""

    @given(reported=sizes(), ledger=ledgers())
    def test_each_condition_alone_breaks_it(self, reported, ledger):
        timeout = POLICY.settle_timeout_sec
        calm = evolve(ledger, moved_at=NOW - timeout, final=True, seen=reported)
        assert quiet(reported, calm, in_doubt=False, now=NOW, policy=POLICY)
        assert not quiet(reported, calm, in_doubt=True, now=NOW, policy=POLICY)
        assert not quiet(reported, evolve(calm, final=False), in_doubt=False, now=NOW, policy=POLICY)
        assert not quiet(reported, calm, in_doubt=False, now=NOW - D("0.001"), policy=POLICY)
        moved = evolve(calm, seen=reported + D("0.010001"))
        assert not quiet(reported, moved, in_doubt=False, now=NOW, policy=POLICY)
