"""Laws of the limits: they stop growth and nothing else, and what a day may cost is never exceeded, whatever fills."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.limits import market_stops, price_allowed
from copytrade.domain.model import Cancel, CancelReason, Reason, Side, Today
from copytrade.domain.plan import plan, tokens_to_quote
from tests.domain.properties.facts import ZERO, locked, seen
from tests.domain.strategies import busy_snapshots, often, pick
from tests.strategies import D

LIMITS = {Reason.MARKET_DENIED, Reason.ENDS_SOON, Reason.DAILY_LOSS, Reason.DAILY_SPEND, Reason.PRICE_RANGE}


@st.composite
def limited(draw):
    """A busy snapshot under one or more limits, most of which bind."""
    snapshot = draw(busy_snapshots())
    spend, loss, low, high, hours = pick(
        draw,
        [None, ZERO, D(5), D("12.3"), D(40)],
        often(None, D(10)),
        often(None, D("0.3")),
        often(None, D("0.5"), D("0.9")),
        often(None, D(24)),
    )
    deny, allow, spent, result, end, title = pick(
        draw,
        often((), ("rain",)),
        often((), ("rain",)),
        [ZERO, D(3), D(12), D(50)],
        [ZERO, D("-9.99"), D(-10), D(20)],
        ["", "2025-12-18", "2026-12-31"],
        ["", "Will it rain?", "Will it snow?"],
    )
    policy = evolve(
        snapshot.policy,
        max_daily_spend=spend,
        max_daily_loss=loss,
        min_open_price=low,
        max_open_price=high,
        min_hours_to_end=hours,
        allow_markets=allow,
        deny_markets=deny,
    )

    def told(positions):
        return evolve(positions, positions=tuple(evolve(row, title=title, end_date=end) for row in positions.positions))

    return evolve(
        snapshot,
        policy=policy,
        target=told(snapshot.target),
        mine=told(snapshot.mine),
        today=Today(spent=spent, result=result),
    )


def without_limits(snapshot):
    off = dict.fromkeys(
        ["max_daily_spend", "max_daily_loss", "min_open_price", "max_open_price", "min_hours_to_end"]
    )  # fmt: skip
    return evolve(snapshot, policy=evolve(snapshot.policy, **off, allow_markets=(), deny_markets=()))


class TestLimitsOnlyStopGrowth:
    """A limit never causes a sale, never holds one back, and never makes a BUY larger than it would be."""

    @given(snapshot=limited())
    def test_sales_are_the_same_with_and_without(self, snapshot):
        sales = [place for place in plan(snapshot).places if place.side is Side.SELL]
        assert sales == [place for place in plan(without_limits(snapshot)).places if place.side is Side.SELL]

    @given(snapshot=limited())
    def test_what_is_cancelled_for_a_limit_is_a_buy(self, snapshot):
        buys = {
            order.order_id for orders in snapshot.open_orders.values() for order in orders if order.side is Side.BUY
        }
        for cancel in plan(snapshot).cancels:
            assert cancel.reason is not CancelReason.LIMIT or cancel.order_id in buys

    @given(snapshot=limited())
    def test_every_cancel_that_is_due_without_limits_is_due_with_them(self, snapshot):
        def ids(decided):
            return {cancel.order_id for cancel in decided.cancels}

        assert ids(plan(snapshot)) >= ids(plan(without_limits(snapshot)))

    @given(snapshot=limited())
    def test_want_and_hold_know_no_limit(self, snapshot):
        def numbers(decided):
            return [(each.want_lo, each.want_hi, each.lo, each.hi, each.delta) for each in decided.decisions]

        assert numbers(plan(snapshot)) == numbers(plan(without_limits(snapshot)))

    @given(snapshot=limited())
    def test_a_token_whose_reason_is_a_limit_gets_no_order(self, snapshot):
        for token in seen(snapshot, plan(snapshot)):
            if token.decision.reason in LIMITS:
                assert token.places == ()
                assert token.decision.delta > snapshot.policy.deadband_shares


class TestOffUnlessSet:
    """Facts about the day change nothing while no limit asks for them."""

    @given(snapshot=limited())
    def test_the_day_has_no_say(self, snapshot):
        free = without_limits(snapshot)
        assert plan(free) == plan(evolve(free, today=None))


class TestADayCostsNoMoreThanItMay:
    """What was spent, what may still fill, and what is placed now: together within the limit, or nothing is placed."""

    @given(snapshot=limited())
    def test_even_if_everything_fills(self, snapshot):
        most = snapshot.policy.max_daily_spend
        decided = plan(snapshot)
        placed = sum((place.size * place.price for place in decided.places if place.side is Side.BUY), ZERO)
        if most is None or not placed:
            return
        # What is cancelled may have filled before the cancel came: it counts, too.
        resting = sum((locked((*token.live, *token.doubts)) for token in seen(snapshot, decided)), ZERO)
        assert snapshot.today.spent + resting + placed <= most

    @given(snapshot=limited())
    def test_what_goes_on_resting_fits_as_well(self, snapshot):
        most = snapshot.policy.max_daily_spend
        if most is None:
            return
        tokens = seen(snapshot, plan(snapshot))
        resting = sum((locked((*token.staying, *token.doubts)) for token in tokens), ZERO)
        in_doubt = sum((locked(token.doubts) for token in tokens), ZERO)
        # An order in doubt can't be cancelled, so it alone may be more than a limit that was lowered.
        assert resting == in_doubt or snapshot.today.spent + resting <= most


class TestEveryBuyIsAllowed:
    """No BUY is placed, or goes on resting, that the limits forbid."""

    @given(snapshot=limited())
    def test_by_its_price_and_its_market(self, snapshot):
        policy = snapshot.policy
        lost = policy.max_daily_loss is not None and -snapshot.today.result >= policy.max_daily_loss
        for token in seen(snapshot, plan(snapshot)):
            bought = [place.price for place in token.places if place.side is Side.BUY]
            bought += [order.price for order in token.staying if order.side is Side.BUY]
            for price in bought:
                assert price_allowed(price, policy)
                assert market_stops((token.mine, token.target), snapshot.now, policy) is None
                assert not lost


class TestStopped:
    """Stopped: every live order of ours is cancelled, none is placed, and no book is asked for."""

    @given(snapshot=limited(), ok=st.booleans())
    def test_whatever_the_facts_are(self, snapshot, ok):
        snapshot = evolve(snapshot, stopped=True, orders_ok=ok, target=evolve(snapshot.target, ok=ok))
        decided = plan(snapshot)
        live = {order.order_id for token in seen(snapshot, decided) for order in token.live}
        assert {action.order_id for action in decided.actions if isinstance(action, Cancel)} == live
        assert decided.places == ()
        assert {each.reason for each in decided.decisions} <= {Reason.STOPPED}
        assert {cancel.reason for cancel in decided.cancels} <= {CancelReason.STOPPED}
        assert tokens_to_quote(snapshot) == ()
