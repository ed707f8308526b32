"""Laws of whole plans: one answer for ever, safe mode, cancels, and what is asked before (DESIGN 2, 3, 5)."""

import decimal
import random

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.model import Cancel, CancelReason, Mode, Reason, Side
from copytrade.domain.plan import plan, tokens_to_quote, tokens_to_witness
from tests.domain.properties.facts import rest, seen
from tests.domain.strategies import busy_snapshots
from tests.strategies import NOW, snapshots


def shuffled(snapshot, seed):
    """The same facts, every mapping and every list in another order."""
    dice = random.Random(seed)

    def mixed(items):
        return tuple(dice.sample(list(items), len(items)))

    def mapping(facts):
        return dict(mixed(facts.items()))

    def orders(facts):
        return {token_id: mixed(of_it) for token_id, of_it in mapping(facts).items()}

    return evolve(
        snapshot,
        target=evolve(snapshot.target, positions=mixed(snapshot.target.positions)),
        mine=evolve(snapshot.mine, positions=mixed(snapshot.mine.positions)),
        token_map=mapping(snapshot.token_map),
        books=mapping(snapshot.books),
        open_orders=orders(snapshot.open_orders),
        in_doubt=orders(snapshot.in_doubt),
        foreign_orders=orders(snapshot.foreign_orders),
        ledgers=mapping(snapshot.ledgers),
        witnesses=mapping(snapshot.witnesses),
        target_history=tuple(mapping(poll) for poll in snapshot.target_history),
        holds=mapping(snapshot.holds),
    )


class TestTheSameSnapshotGivesTheSamePlan:
    """For ever, on every machine."""

    @given(snapshot=st.one_of(busy_snapshots(), snapshots()), seed=st.integers(0, 9))
    def test_in_whatever_order_its_facts_stand(self, snapshot, seed):
        assert plan(shuffled(snapshot, seed)) == plan(snapshot)
        assert tokens_to_quote(shuffled(snapshot, seed)) == tokens_to_quote(snapshot)
        assert tokens_to_witness(shuffled(snapshot, seed)) == tokens_to_witness(snapshot)

    @given(snapshot=busy_snapshots())
    def test_in_whatever_decimal_context_it_is_asked(self, snapshot):
        usual = plan(snapshot), tokens_to_quote(snapshot), tokens_to_witness(snapshot)
        with decimal.localcontext(decimal.Context(prec=2, rounding=decimal.ROUND_UP)) as context:
            assert (plan(snapshot), tokens_to_quote(snapshot), tokens_to_witness(snapshot)) == usual
            assert context.prec == 2


class TestCancelsComeFirst:
    """Cancels by (token_key, order_id), then places by token_key."""

    @given(snapshot=busy_snapshots())
    def test_the_order_of_actions(self, snapshot):
        actions = plan(snapshot).actions
        lines = [
            (0, action.token_key or "", action.order_id) if isinstance(action, Cancel) else (1, action.token_key, "")
            for action in actions
        ]
        assert lines == sorted(lines)
        assert len(set(lines)) == len(lines)
        ours = {order.order_id for orders in snapshot.open_orders.values() for order in orders}
        assert {action.order_id for action in actions if isinstance(action, Cancel)} <= ours


class TestNoStaleOrderSurvives:
    """Expired, on the wrong side, second, left alone, overshooting: taken down, whatever book and caps say."""

    @given(snapshot=busy_snapshots())
    def test_what_stays_is_young_and_right(self, snapshot):
        band = snapshot.policy.deadband_shares
        for token in seen(snapshot, plan(snapshot)):
            delta = token.decision.delta
            for order in token.staying:
                assert NOW - order.ts <= snapshot.policy.order_ttl_sec
                assert abs(delta) > band
                assert (order.side is Side.BUY) is (delta > 0)
                assert rest([order], order.side) <= abs(delta) + band
                assert order.ts == max(other.ts for other in token.live)
                assert token.decision.reason in (Reason.RESTING, Reason.IN_DOUBT)

    @given(snapshot=busy_snapshots())
    def test_what_goes_has_its_reason(self, snapshot):
        band = snapshot.policy.deadband_shares
        for token in seen(snapshot, plan(snapshot)):
            reasons = {cancel.order_id: cancel.reason for cancel in token.cancels}
            for order in token.cancelled:
                old = NOW - order.ts > snapshot.policy.order_ttl_sec
                assert old is (reasons[order.order_id] is CancelReason.EXPIRED)
                if reasons[order.order_id] is CancelReason.OVERSHOOT:
                    gap = abs(token.decision.delta)
                    assert gap <= band or rest([order], order.side) > gap + band

    @given(snapshot=busy_snapshots())
    def test_a_missing_book_changes_no_cancel(self, snapshot):
        """But for the caps, which the book's price moves."""
        free = evolve(snapshot, policy=evolve(snapshot.policy, max_notional_per_token=decimal.Decimal(10**12)))
        assert plan(evolve(free, books={})).cancels == plan(free).cancels


class TestSafeMode:
    """A cycle on incomplete facts may cancel expired orders, and nothing else."""

    @given(snapshot=busy_snapshots(), broken=st.sampled_from(["target", "mine", "incomplete", "orders"]))
    def test_only_what_is_expired_is_cancelled(self, snapshot, broken):
        unsafe = evolve(
            snapshot,
            target=evolve(snapshot.target, ok=broken != "target", incomplete=broken == "incomplete"),
            mine=evolve(snapshot.mine, ok=broken != "mine"),
            orders_ok=broken != "orders",
        )
        decided = plan(unsafe)
        assert decided.mode is Mode.SAFE
        assert decided.places == ()
        assert {each.reason for each in decided.decisions} <= {Reason.SAFE_MODE}
        gone = {order.order_id for orders in snapshot.in_doubt.values() for order in orders if order.gone}
        old = {
            order.order_id
            for orders in snapshot.open_orders.values()
            for order in orders
            if NOW - order.ts > snapshot.policy.order_ttl_sec and order.order_id not in gone
        }
        assert {cancel.order_id for cancel in decided.cancels} == old
        assert {cancel.reason for cancel in decided.cancels} <= {CancelReason.EXPIRED}
        assert tokens_to_quote(unsafe) == ()


class TestWhatIsDecided:
    """A decision for every token in desired, held, and with own orders: each once, in a fixed order."""

    @given(snapshot=st.one_of(busy_snapshots(), snapshots()))
    def test_no_token_is_left_out_or_decided_twice(self, snapshot):
        decided = plan(snapshot)
        keys = [each.token_key for each in decided.decisions if each.token_key is not None]
        assert keys == sorted(set(keys))
        listed = {row.token_key for answer in (snapshot.target, snapshot.mine) for row in answer.positions}
        assert listed <= set(keys)
        ids = {each.token_id for each in decided.decisions}
        assert {token_id for token_id, orders in snapshot.open_orders.items() if orders} <= ids | {
            token_id
            for token_id, orders in snapshot.open_orders.items()
            if all(
                any(order.order_id == other.order_id for other in snapshot.in_doubt.get(token_id, ()))
                for order in orders
            )
        }

    @given(snapshot=busy_snapshots())
    def test_every_number_fits(self, snapshot):
        for each in plan(snapshot).decisions:
            assert 0 <= each.want_lo <= each.want_hi
            assert 0 <= each.lo <= each.hi
            assert each.desired in (each.want_lo, each.want_hi)
            if each.delta > 0:
                assert each.delta == each.want_lo - each.hi
            elif each.delta < 0:
                assert each.delta == each.want_hi - each.lo
            else:
                assert each.want_lo <= each.hi
                assert each.want_hi >= each.lo


class TestWhatIsAskedBefore:
    """The books of tokens_to_quote, and no others, decide the actions."""

    @given(snapshot=busy_snapshots())
    def test_every_token_that_gets_an_order_is_quoted(self, snapshot):
        assert {place.token_id for place in plan(snapshot).places} <= set(tokens_to_quote(snapshot))

    @given(snapshot=busy_snapshots())
    def test_the_other_books_change_no_action(self, snapshot):
        asked = {
            token_id: snapshot.books[token_id] for token_id in tokens_to_quote(snapshot) if token_id in snapshot.books
        }
        few, all_of_them = plan(evolve(snapshot, books=asked)), plan(snapshot)
        assert few.places == all_of_them.places
        assert [cancel.order_id for cancel in few.cancels] == [cancel.order_id for cancel in all_of_them.cancels]

    @given(snapshot=busy_snapshots())
    def test_what_is_asked_does_not_hang_on_the_books_that_are_there(self, snapshot):
        assert tokens_to_quote(evolve(snapshot, books={})) == tokens_to_quote(snapshot)

    @given(snapshot=busy_snapshots())
    def test_a_witness_is_asked_only_where_it_can_decide(self, snapshot):
        bare = evolve(snapshot, witnesses={})
        warned = {each.token_key for each in plan(bare).decisions if each.warning}
        assert set(tokens_to_witness(bare)) & {each.token_key for each in plan(bare).decisions} == warned
