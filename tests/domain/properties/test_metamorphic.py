"""What must not matter: names, units, company, and which side of the book is up."""

from decimal import Decimal

from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from copytrade.domain.model import Book, Cancel, Order, Place, Position, Reason, Side
from copytrade.domain.plan import plan
from copytrade.domain.policy import Policy
from copytrade.domain.quote import quote
from tests.domain.strategies import KEYS, books, busy_snapshots
from tests.strategies import D

FREE = Decimal(10**12)
ONE = Decimal(1)


def unlimited(snapshot):
    """The same without caps, and with all the cash in the world: each token on its own."""
    policy = evolve(snapshot.policy, max_notional_per_token=FREE, max_notional_total=FREE)
    return evolve(snapshot, policy=policy, cash=None)


def answers(decided):
    """Actions and numbers by token."""
    return {
        each.token_key: (
            each,
            [action for action in decided.actions if action.token_key == each.token_key],
        )
        for each in decided.decisions
    }


class TestCompany:
    """Where no cap binds, each token is decided alone."""

    @given(snapshot=busy_snapshots())
    def test_an_unrelated_token_changes_nothing_for_the_others(self, snapshot):
        free = unlimited(snapshot)
        row = Position(token_key="0xf:0", condition_id="0xf", outcome_index=0, size=D(7), token_id="77")
        policy = free.policy
        there = evolve(row, size=(D(7) * policy.follow_ratio).quantize(D("0.01"), rounding="ROUND_FLOOR"))
        joined = evolve(
            free,
            target=evolve(free.target, positions=(*free.target.positions, row)),
            mine=evolve(free.mine, positions=(there, *free.mine.positions)),
            target_history=tuple({**poll, "0xf:0": D(7)} for poll in free.target_history),
        )

        # One token more on each list may end the doubt about a short poll: that is not "unrelated".
        def lengths(facts):
            polls = [[row.size for row in facts.target.positions], *(poll.values() for poll in facts.target_history)]
            return [sum(size > 0 for size in poll) for poll in polls]

        def doubted(facts):
            latest, *earlier = lengths(facts)
            earlier = earlier[-facts.policy.polls_remembered :]
            return any(2 * latest < length for length in earlier)

        assume(doubted(joined) == doubted(free))
        company = answers(plan(joined))
        assert company.pop("0xf:0")[0].reason is Reason.IN_BAND
        assert company == answers(plan(free))

    @given(snapshot=busy_snapshots())
    def test_each_token_alone_gets_what_it_gets_among_others(self, snapshot):
        free = evolve(unlimited(snapshot), target_history=())
        together = answers(plan(free))
        for key, answer in together.items():
            token_id = KEYS[key]
            alone = evolve(
                free,
                target=evolve(free.target, positions=tuple(x for x in free.target.positions if x.token_key == key)),
                mine=evolve(free.mine, positions=tuple(x for x in free.mine.positions if x.token_key == key)),
                open_orders={token_id: free.open_orders.get(token_id, ())},
                in_doubt={token_id: free.in_doubt.get(token_id, ())},
            )
            assert answers(plan(alone))[key] == answer


class TestNames:
    """A token's key has no say, but in a tie for the budget."""

    @given(snapshot=busy_snapshots(), order=st.permutations(sorted(KEYS)))
    def test_renamed_tokens_get_the_same(self, snapshot, order):
        free = unlimited(snapshot)
        new = dict(zip(sorted(KEYS), order, strict=True))

        def renamed(positions):
            rows = tuple(evolve(row, token_key=new[row.token_key]) for row in positions.positions)
            return evolve(positions, positions=rows)

        def keyed(facts):
            return {new[key]: value for key, value in facts.items()}

        other = evolve(
            free,
            target=renamed(free.target),
            mine=renamed(free.mine),
            token_map=keyed(free.token_map),
            ledgers=keyed(free.ledgers),
            witnesses=keyed(free.witnesses),
            target_history=tuple(keyed(poll) for poll in free.target_history),
            holds=keyed(free.holds),
            policy=evolve(
                free.policy, blacklist_token_keys=frozenset(new[key] for key in free.policy.blacklist_token_keys)
            ),
        )
        usual = answers(plan(free))
        for key, (decision, actions) in answers(plan(other)).items():
            old = next(name for name in new if new[name] == key)
            assert evolve(decision, token_key=old) == usual[old][0]
            assert [evolve(action, token_key=old) for action in actions] == usual[old][1]


class TestUnits:
    """Ten times all sizes gives ten times the orders."""

    @given(snapshot=busy_snapshots(), factor=st.sampled_from([D(2), D(10), D(1000)]))
    def test_scaled(self, snapshot, factor):
        free = unlimited(snapshot)
        policy = evolve(free.policy, follow_ratio=D(1), maker_only=True)

        def whole(number, by=ONE):
            return number.quantize(ONE) * by  # whole shares, which neither a cent nor a rounding can tell apart

        def scaled_order(order, by):
            return evolve(order, size=whole(order.size, by), matched=whole(order.matched, by))

        def scaled(by):
            def rows(positions):
                return evolve(
                    positions, positions=tuple(evolve(row, size=whole(row.size, by)) for row in positions.positions)
                )

            def orders(facts):
                return {key: tuple(scaled_order(order, by) for order in of_it) for key, of_it in facts.items()}

            return evolve(
                free,
                target=rows(free.target),
                mine=rows(free.mine),
                books={
                    key: evolve(book, min_order_size=max(whole(book.min_order_size or D(5)), ONE) * by)
                    for key, book in free.books.items()
                },
                open_orders=orders(free.open_orders),
                in_doubt=orders(free.in_doubt),
                foreign_orders=orders(free.foreign_orders),
                ledgers={
                    key: evolve(
                        ledger,
                        base=whole(ledger.base, by),
                        bought=whole(ledger.bought, by),
                        sold=whole(ledger.sold, by),
                        seen=None if ledger.seen is None else whole(ledger.seen, by),
                    )
                    for key, ledger in free.ledgers.items()
                },
                witnesses={key: whole(size, by) for key, size in free.witnesses.items()},
                target_history=tuple(
                    {key: whole(size, by) for key, size in poll.items()} for poll in free.target_history
                ),
                policy=evolve(
                    policy,
                    deadband_shares=policy.deadband_shares * by,
                    slice_min=policy.slice_min * by,
                    slice_max=policy.slice_max * by,
                ),
            )

        small, large = plan(scaled(ONE)), plan(scaled(factor))
        assert [each.reason for each in small.decisions] == [each.reason for each in large.decisions]
        assert [
            action if isinstance(action, Cancel) else evolve(action, size=action.size * factor)
            for action in small.actions
        ] == list(large.actions)


class TestTheOtherOutcome:
    """Buying at p is selling the other outcome at 1 - p: quotes are the mirror of each other."""

    @given(book=books(), maker_only=st.booleans())
    def test_quotes_mirror_each_other(self, book, maker_only):
        policy = Policy(maker_only=maker_only, tick_size=D("0.01"))
        mirrored = Book(
            best_bid=None if book.best_ask is None else 1 - book.best_ask,
            best_ask=None if book.best_bid is None else 1 - book.best_bid,
            tick_size=book.tick_size,
        )
        buy, sell = quote(Side.BUY, book, policy), quote(Side.SELL, mirrored, policy)
        if isinstance(buy, Reason) or isinstance(sell, Reason):
            assert buy is sell
        else:
            assert (sell.price, sell.post_only) == (1 - buy.price, buy.post_only)


class TestARequoteEndsSomewhere:
    """What a plan places is what the next plan leaves alone, while nothing else moves."""

    @given(snapshot=busy_snapshots(most=1))
    def test_an_order_that_was_just_placed_stays(self, snapshot):
        first = plan(snapshot)
        assume(not any(isinstance(action, Cancel) for action in first.actions))
        placed = {
            place.token_id: (
                Order(
                    order_id=f"{place.token_key}-new",
                    side=place.side,
                    price=place.price,
                    size=place.size,
                    ts=snapshot.now,
                ),
            )
            for place in first.actions
            if isinstance(place, Place)
        }
        again = plan(evolve(snapshot, open_orders={**snapshot.open_orders, **placed}))
        assert again.cancels == ()
        assert not {place.token_id for place in again.places} & placed.keys()
