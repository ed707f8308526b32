"""Laws of every order that is placed (DESIGN 4 and 5, steps 2 to 6)."""

from attrs import evolve
from hypothesis import given

from copytrade.domain.model import Order, Reason, Side
from copytrade.domain.plan import plan
from tests.domain.properties.facts import CENT, ZERO, placing, rest, seen
from tests.domain.strategies import absurd_snapshots, busy_snapshots
from tests.strategies import NOW, D


class TestATradeIsCertainlyDue:
    """BUY only if want_lo - hi > deadband; SELL only if lo - want_hi > deadband. Cancelled rests count as filled."""

    @given(snapshot=busy_snapshots(most=1))
    def test_the_gap_is_outside_the_band_even_if_what_is_cancelled_has_filled(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            band = snapshot.policy.deadband_shares
            if place.side is Side.BUY:
                assert token.decision.want_lo - token.worst_hi > band
            else:
                assert token.worst_lo - token.decision.want_hi > band


class TestNoFillGoesPastTheBand:
    """However an order fills, cancelled ones included: past want by no more than the deadband."""

    @given(snapshot=busy_snapshots(most=1))
    def test_what_is_placed(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            band = snapshot.policy.deadband_shares
            if place.side is Side.BUY:
                assert token.worst_hi + place.size <= token.decision.want_lo + band
            else:
                assert token.worst_lo - place.size >= min(token.decision.want_hi - band, token.worst_lo)

    @given(snapshot=busy_snapshots(most=1))
    def test_what_is_left_resting(self, snapshot):
        for token in seen(snapshot, plan(snapshot)):
            band = snapshot.policy.deadband_shares
            for order in token.staying:
                if order.side is Side.BUY:
                    assert token.decision.hi + rest([order], Side.BUY) <= token.decision.want_lo + band
                else:
                    assert token.decision.lo - rest([order], Side.SELL) >= token.decision.want_hi - band


class TestOnlyWhatIsThereIsSold:
    """Never more than lo, less foreign SELLs, less what is cancelled and may have filled."""

    @given(snapshot=busy_snapshots(most=1))
    def test_a_sale_is_covered(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            if place.side is Side.SELL:
                assert place.size <= token.worst_lo - rest(token.foreign, Side.SELL)


class TestOneActiveOrder:
    """At most one new order for each token, and none where one rests or may rest."""

    @given(snapshot=busy_snapshots(most=1))
    def test_never_a_second_one(self, snapshot):
        for token in seen(snapshot, plan(snapshot)):
            resting = [*token.staying, *(order for order in token.doubts if not order.gone)]
            assert len(token.staying) <= 1
            assert len(token.places) <= (0 if resting else 1)


class TestHandsOff:
    """A token that is left alone, blacklisted or on hold gets no order."""

    @given(snapshot=busy_snapshots(most=1))
    def test_nothing_is_placed_there(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            assert place.token_key not in snapshot.policy.blacklist_token_keys
            assert not any(row.redeemable for row in (token.mine, token.target) if row)
            assert snapshot.holds.get(place.token_key, NOW) <= NOW
            if place.side is Side.SELL and snapshot.policy.manage_holdings == "copied":
                assert snapshot.ledgers[place.token_key].ours


class TestPrices:
    """On the tick, in [tick, 1 - tick], never at or through the opposite best, never too far from the current price."""

    @given(snapshot=busy_snapshots(most=1))
    def test_on_the_tick_of_the_market(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            assert token.book is not None
            assert place.tick_size == (token.book.tick_size or snapshot.policy.tick_size)
            assert place.price % place.tick_size == 0
            assert place.tick_size <= place.price <= 1 - place.tick_size

    @given(snapshot=busy_snapshots(most=1))
    def test_what_is_post_only_rests(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            assert token.book is not None
            bid, ask = token.book.best_bid or ZERO, token.book.best_ask or D(1)
            assert bid < ask
            if place.post_only:
                assert place.price < ask if place.side is Side.BUY else place.price > bid
                # nor does a maker outbid its own side where somebody is there, but for the lowest price there is
                best = token.book.best_bid if place.side is Side.BUY else token.book.best_ask
                if best is not None and place.tick_size <= best <= 1 - place.tick_size:
                    assert place.price <= best if place.side is Side.BUY else place.price >= best
                    assert abs(place.price - best) < place.tick_size
            else:
                assert not snapshot.policy.maker_only
                assert place.price <= ask if place.side is Side.BUY else place.price >= bid

    @given(snapshot=busy_snapshots(most=1))
    def test_near_the_current_price(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            known = [row.current_price for row in (token.mine, token.target) if row and row.current_price > 0]
            if not known and token.book and token.book.last_trade_price:
                known = [token.book.last_trade_price]
            for current in known[:1]:
                excess = place.price - current if place.side is Side.BUY else current - place.price
                assert excess <= snapshot.policy.max_price_deviation


class TestSizes:
    """Of 2 decimals, at least the market's minimum, at most a slice but for what the minimum asks."""

    @given(snapshot=busy_snapshots(most=1))
    def test_two_decimals_and_no_less_than_the_minimum(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            least = token.book.min_order_size if token.book and token.book.min_order_size is not None else D(5)
            assert place.size % CENT == 0
            assert place.size >= max(least, CENT)
            if not place.post_only:
                assert place.size * place.price >= 1

    @given(snapshot=busy_snapshots(most=1))
    def test_no_more_than_a_slice(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            minimum = token.book.min_order_size if token.book and token.book.min_order_size is not None else D(5)
            least = max(minimum, CENT, ZERO if place.post_only else 1 / place.price) + CENT
            slice_max = snapshot.policy.slice_max
            if place.side is Side.SELL and token.decision.want_hi == 0:
                assert place.size < max(slice_max, least) + least  # it may be lengthened to nothing
            else:
                assert place.size <= max(slice_max, least)

    @given(snapshot=busy_snapshots(most=1))
    def test_a_sale_to_nothing_leaves_nothing_that_cannot_be_sold(self, snapshot):
        for token, place in placing(snapshot, plan(snapshot)):
            if place.side is Side.SELL and token.decision.want_hi == 0:
                least = token.book.min_order_size if token.book and token.book.min_order_size is not None else D(5)
                left = token.worst_lo - rest(token.foreign, Side.SELL) - place.size
                assert left < CENT or left >= least


class TestDoubtMakesCareful:
    """One more order whose fate is unknown never makes a larger BUY, or a larger SELL."""

    @given(snapshot=busy_snapshots(most=1))
    def test_one_more_in_doubt(self, snapshot):
        sure = evolve(snapshot, witnesses={})  # a witness is asked in the quiet only, which a doubt ends
        before = {place.side: place.size for place in plan(sure).places}
        for side, gone in ((Side.BUY, True), (Side.SELL, True), (Side.BUY, False)):
            more = Order(order_id="0xmore", side=side, price=D("0.5"), size=D("6.5"), ts=NOW, gone=gone)
            doubts = {"10": (*sure.in_doubt.get("10", ()), more)}
            for place in plan(evolve(sure, in_doubt=doubts)).places:
                # A sale to nothing may be lengthened, to all that is surely there.
                if place.side is Side.BUY:
                    assert place.size <= before.get(Side.BUY, ZERO)
                else:
                    assert place.side in before


class TestAbsurdButValid:
    """A decision that holds back is a reason, never an exception; and what is placed is a sane order all the same."""

    @given(snapshot=absurd_snapshots())
    def test_nothing_is_raised_and_orders_stay_sane(self, snapshot):
        decided = plan(snapshot)
        for token, place in placing(snapshot, decided):
            assert place.price % place.tick_size == 0
            assert place.tick_size <= place.price <= 1 - place.tick_size
            assert place.size % CENT == 0
            assert place.size > 0
            if place.side is Side.SELL:
                assert place.size <= token.worst_lo - rest(token.foreign, Side.SELL)
            else:
                assert token.worst_hi + place.size <= token.decision.want_lo + snapshot.policy.deadband_shares
        for decision in decided.decisions:
            assert ZERO <= decision.want_lo <= decision.want_hi
            assert ZERO <= decision.lo <= decision.hi


class TestReasons:
    """Each token has one reason, and it says what was done."""

    @given(snapshot=busy_snapshots(most=1))
    def test_a_reason_fits_its_actions(self, snapshot):
        for token in seen(snapshot, plan(snapshot)):
            placed = {Reason.REQUOTED} if token.cancels else {Reason.QUOTED}
            assert (token.decision.reason in (Reason.QUOTED, Reason.REQUOTED)) is bool(token.places)
            assert not token.places or token.decision.reason in placed
            assert (token.decision.reason is Reason.RESTING) <= bool(token.staying)

    @given(snapshot=busy_snapshots(most=1))
    def test_inside_the_band_and_outside_of_it(self, snapshot):
        inside = {Reason.TOKEN_CAP, Reason.IN_DOUBT, Reason.SETTLING, Reason.UNCONFIRMED, Reason.IN_BAND}
        anywhere = {Reason.BLACKLISTED, Reason.COMBO, Reason.REDEEMABLE, Reason.UNRESOLVED}
        for decision in plan(snapshot).decisions:
            if decision.reason in anywhere:
                continue
            if abs(decision.delta) <= snapshot.policy.deadband_shares:
                assert decision.reason in inside
            else:
                assert decision.reason not in (Reason.IN_BAND, Reason.UNCONFIRMED)
