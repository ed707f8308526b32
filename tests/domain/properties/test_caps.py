"""Laws of the caps and the cash (DESIGN 5, "Caps only stop growth")."""

from decimal import Decimal

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.domain.model import Reason, Side
from copytrade.domain.plan import plan
from copytrade.domain.policy import Policy
from copytrade.domain.risk import capped, risk_check
from tests.domain.properties.facts import ZERO, locked, placing, rest, seen
from tests.domain.strategies import busy_snapshots
from tests.strategies import D, prices, sizes

CENT = Decimal("0.01")
caps = st.sampled_from([D(0), D(5), D("33.3"), D(500)])


def limited(cap):
    return Policy(max_notional_per_token=cap)


class TestCapsOnlyStopGrowth:
    """A cap never causes a sale."""

    @given(want=sizes(), price=prices(), hi=sizes(), cap=caps)
    def test_capping_never_goes_below_what_is_held_or_wanted(self, want, price, hi, cap):
        answer = capped(want.quantize(CENT), price, hi, limited(cap))
        assert answer <= want.quantize(CENT)
        assert answer > min(want.quantize(CENT), hi) - CENT
        assert answer % CENT == 0

    @given(want=sizes(), price=prices(), hi=sizes(), cap=caps)
    def test_growth_stops_at_the_cap_and_not_before(self, want, price, hi, cap):
        answer = capped(want.quantize(CENT), price, hi, limited(cap))
        assert answer <= hi or answer * price <= cap
        if answer < want.quantize(CENT):
            assert (answer + CENT) * price > cap

    @given(snapshot=busy_snapshots())
    def test_what_is_sold_would_be_sold_without_any_cap(self, snapshot):
        free = evolve(
            snapshot, policy=evolve(snapshot.policy, max_notional_per_token=D(10**9), max_notional_total=D(10**9))
        )
        sales = [place for place in plan(snapshot).places if place.side is Side.SELL]
        assert sales == [place for place in plan(free).places if place.side is Side.SELL]


class TestWhatIsBoughtFits:
    """The token's cap, the total cap, and the cash, each summed up anew from the plan."""

    @given(snapshot=busy_snapshots())
    def test_under_the_cap_of_the_token(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            if place.side is Side.BUY:
                notional = (token.decision.hi + place.size) * token.counted_price
                assert notional <= snapshot.policy.max_notional_per_token

    @given(snapshot=busy_snapshots())
    def test_under_the_total_cap(self, snapshot):
        decided = plan(snapshot)
        if not any(place.side is Side.BUY for place in decided.places):
            return
        before = after = careful = ZERO
        for token in seen(snapshot, decided):
            if token.decision.reason in (Reason.REDEEMABLE, Reason.COMBO, Reason.NOT_OURS):
                continue
            ledger = snapshot.ledgers.get(token.decision.token_key or "")
            strange = snapshot.policy.manage_holdings == "copied" and (ledger is None or not ledger.ours)
            band, hi = snapshot.policy.deadband_shares, token.decision.hi
            if strange and token.decision.delta < -band:
                continue  # NOT_OURS, whatever the reason says
            if strange and not (token.staying or token.cancelled or token.doubts):
                hi = min(hi, token.decision.want_hi + band)  # beyond that it would be
            price, freed = token.counted_price, rest(token.cancelled, Side.BUY)
            bought = sum((place.size for place in token.places if place.side is Side.BUY), ZERO)
            kept = hi + rest(token.staying, Side.BUY)
            before += (kept + freed) * price
            after += (kept + bought) * price
            careful += (kept + max(bought, freed)) * price
        assert after <= snapshot.policy.max_notional_total
        # A cancelled BUY may still lose its race with a fill: what it frees serves its own token only.
        assert careful <= max(snapshot.policy.max_notional_total, before)

    @given(snapshot=busy_snapshots())
    def test_within_the_cash(self, snapshot):
        decided = plan(snapshot)
        if snapshot.cash is None or not any(place.side is Side.BUY for place in decided.places):
            return
        before = after = careful = sum((locked(orders) for orders in snapshot.foreign_orders.values()), ZERO)
        for token in seen(snapshot, decided):
            bought = sum((place.size * place.price for place in token.places if place.side is Side.BUY), ZERO)
            kept, freed = locked(token.staying) + locked(token.doubts), locked(token.cancelled)
            before += kept + freed
            after += kept + bought
            careful += kept + max(bought, freed)
        assert after <= snapshot.cash
        assert careful <= max(snapshot.cash, before)


class TestTheLastVeto:
    """risk_check: blacklist, per token, total; what reduces is stopped by the blacklist alone."""

    @given(snapshot=busy_snapshots())
    def test_every_order_that_is_sent_would_pass_it(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            sign = 1 if place.side is Side.BUY else -1
            held = token.decision.hi
            answer = risk_check(
                place.token_key, held + sign * place.size, held, token.counted_price, policy=snapshot.policy
            )
            assert answer == (True, None)

    @given(desired=sizes(), mine=sizes(), price=prices(), total=sizes(), cap=caps)
    def test_a_reduction_always_passes(self, desired, mine, price, total, cap):
        policy = Policy(max_notional_per_token=cap, max_notional_total=ZERO)
        least, most = min(desired, mine), max(desired, mine)
        assert risk_check("0xa:0", least, most, price, total_notional=total, policy=policy) == (True, None)
