"""One snapshot in, one plan out: which tokens are decided, in what order, and what is asked before (DESIGN 3, 5, 8)."""

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.domain.model import (
    Book,
    Cancel,
    CancelReason,
    Decision,
    Ledger,
    Mode,
    Order,
    Place,
    Plan,
    Position,
    Positions,
    Reason,
    Side,
    Snapshot,
)
from copytrade.domain.plan import (
    considered,
    plan,
    safe_mode,
    tokens_to_quote,
    tokens_to_witness,
)
from copytrade.domain.policy import Policy
from copytrade.domain.tokens import orders_of_ours, token_ids
from tests.domain.notation import NOW, decision, outcome, plain, snapshot, wanted


def D(text):
    return Decimal(text)


EXAMPLE = Snapshot(
    now=D(1766000000),
    policy=Policy(follow_ratio=D("0.2"), deadband_shares=D(3)),
    target=Positions(
        positions=(
            Position(
                token_key="0xc1:0",
                condition_id="0xc1",
                outcome_index=0,
                size=D(500),
                avg_price=D("0.62"),
                token_id="111",
            ),
        )
    ),
    token_map={"0xc1:0": "111"},
    books={"111": Book(best_bid=D("0.61"), best_ask=D("0.63"), tick_size=D("0.01"), min_order_size=D(5))},
    open_orders={"111": (Order(order_id="0xaa", side=Side.BUY, price=D("0.61"), size=D(10), ts=D(1765999900)),)},
    cash=D(1000),
    ledgers={"0xc1:0": Ledger(base=D(0), bought=D(10), moved_at=D(1765999950), seen=D(0))},
    witnesses={"0xc1:0": D(10)},
    in_doubt={"111": (Order(order_id="0xbb", side=Side.BUY, price=D("0.61"), size=D(10), ts=D(1765999990)),)},
    foreign_orders={"111": (Order(order_id="0xcc", side=Side.SELL, price=D("0.7"), size=D(5), ts=D(1765990000)),)},
    target_history=({"0xc1:0": D(480), "0xc2:0": D(200)},),
    holds={"0xc3:1": D(1766000060)},
)


def test_the_snapshot_of_design_8():
    """Read by hand: 100 are wanted, 0 to 20 held; one order is old, another in doubt. 0xc2:0 was listed a poll ago."""
    assert plan(EXAMPLE) == Plan(
        mode=Mode.NORMAL,
        actions=(Cancel(token_key="0xc1:0", token_id="111", order_id="0xaa", reason=CancelReason.EXPIRED),),
        decisions=(
            Decision(
                token_key="0xc1:0",
                token_id="111",
                want_lo=D(100),
                want_hi=D(100),
                desired=D(100),
                lo=D(0),
                hi=D(20),
                delta=D(80),
                ref_price=D("0.62"),
                reason=Reason.IN_DOUBT,
            ),
            Decision(
                token_key="0xc2:0",
                token_id=None,
                want_lo=D(0),
                want_hi=D(40),
                desired=D(0),
                lo=D(0),
                hi=D(0),
                delta=D(0),
                ref_price=None,
                reason=Reason.UNRESOLVED,
            ),
        ),
    )


def test_the_same_once_the_doubt_is_over():
    sure = evolve(EXAMPLE, in_doubt={}, open_orders={})
    assert plan(sure).actions == (
        Place(
            token_key="0xc1:0",
            token_id="111",
            side=Side.BUY,
            price=D("0.61"),
            size=D(25),
            tick_size=D("0.01"),
            post_only=True,
        ),
    )


@pytest.mark.parametrize(
    ("world", "what"),
    [
        # in the order of token_key, each with one reason
        ("B: want 100 | A: hold 1 | C: hold 5", "A nothing: IN_BAND | B nothing: NO_BOOK | C nothing: NO_BOOK"),
        # listed, with size 0 too; wanted by a poll that counts; believed by the ledger; with an order of ours
        ("hold 0", "nothing: IN_BAND"),
        ("target 0", "nothing: IN_BAND"),
        ("polls 100", "nothing: IN_BAND"),
        ("ledger 50", "nothing: IN_BAND"),
        ("live BUY 5 @ 0.4", "cancel live OVERSHOOT: IN_BAND"),
        ("doubt BUY 5 @ 0.4", "nothing: IN_BAND"),
        # nothing at all
        ("ledger 0", ""),
        ("ledger 5-5", ""),
        ("foreign BUY 5 @ 0.4", ""),
        ("book 0.4/0.5, on hold for 9, witness 5", ""),
        ("polls 100 - - -", ""),
    ],
)
def test_what_is_decided(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(
    ("world", "desired", "delta"),
    [
        ("want 50..100, hold 60", "50", "0"),  # the end of want nearer to P
        ("want 50..100, hold 80", "100", "0"),
        ("want 50..100, hold 75", "50", "0"),  # want_lo on a tie
        ("want 50..100, hold 75.01", "100", "0"),
        ("want 50..100, hold 40", "50", "10"),
        ("want 50..100, hold 130", "100", "-30"),
        ("want 50..100, hold 40..60", "50", "0"),  # nearer to P, which is 40
        ("want 50..100, hold 40..95 by sales", "100", "0"),
        ("want 100, hold 60..80", "100", "20"),
        ("want 100, hold 60..100", "100", "0"),
        ("want 50, hold 60..80 by sales", "50", "-10"),
        ("want 100, hold 99", "100", "1"),
    ],
)
def test_the_numbers_of_a_decision(world, desired, delta):
    found = decision(world)
    assert (plain(found.desired), plain(found.delta)) == (desired, delta)


def unknown(*orders: Order, doubts: tuple[Order, ...] = ()) -> Snapshot:
    return Snapshot(now=NOW, open_orders={"999": orders} if orders else {}, in_doubt={"999": doubts} if doubts else {})


def order(order_id: str, age: int, side: Side = Side.BUY) -> Order:
    return Order(order_id=order_id, side=side, price=D("0.5"), size=D(10), ts=NOW - age)


class TestAnOrderOnATokenThatNothingElseKnows:
    def test_is_only_expired(self):
        decided = plan(unknown(order("a", 90), order("b", 91), order("c", 1)))
        assert [(action.order_id, action.reason) for action in decided.cancels] == [("b", CancelReason.EXPIRED)]
        (each,) = decided.decisions
        assert (each.token_key, each.token_id, each.reason) == (None, "999", Reason.UNRESOLVED)
        assert (each.want_lo, each.want_hi, each.desired, each.lo, each.hi, each.delta) == (D(0),) * 6
        assert (each.ref_price, each.warning) == (None, "")

    def test_stands_behind_the_tokens_that_are_known(self):
        facts = evolve(snapshot("hold 1"), open_orders={"999": (order("a", 1),), "1": (order("b", 1),)})
        assert [each.token_id for each in plan(facts).decisions] == ["10", "1", "999"]

    def test_is_expired_in_safe_mode_too(self):
        decided = plan(evolve(unknown(order("b", 91)), orders_ok=False))
        assert [action.order_id for action in decided.cancels] == ["b"]
        assert [each.reason for each in decided.decisions] == [Reason.SAFE_MODE]

    def test_counts_under_the_total_cap_at_1_and_locks_cash(self):
        facts = snapshot("want 100, book 0.49/0.51, total 20, cash 14.9")
        rest = evolve(facts, open_orders={"999": (order("a", 1),)})
        assert [plain(place.size) for place in plan(rest).places] == ["20"]  # 20 - 10, at 0.5; 14.9 - 5, at 0.49: 20.2
        doubt = evolve(facts, in_doubt={"999": (order("a", 1),)})
        assert [plain(place.size) for place in plan(doubt).places] == ["20"]
        sale = evolve(facts, open_orders={"999": (order("a", 1, Side.SELL),)})
        assert [plain(place.size) for place in plan(sale).places] == ["25"]

    def test_widens_what_we_may_hold_of_it_while_in_doubt(self):
        (found,) = plan(unknown(doubts=(order("a", 1), order("s", 1, Side.SELL)))).decisions
        assert (found.lo, found.hi, found.delta) == (D(0), D(10), D(0))


class TestNamedRegressions:
    """Bugs that were found by reading DESIGN against the code."""

    def test_two_keys_that_claim_one_token_id_are_both_left_alone(self):
        """Each would have quoted the token: two live orders of ours on it."""
        world = "A: id 77, want 100, book 0.49/0.51 | B: id 77, want 50, book 0.49/0.51, live BUY 5 @ 0.4 age 91"
        decided = plan(snapshot(world))
        assert decided.places == ()
        assert [(each.token_key, each.token_id, each.reason) for each in decided.decisions] == [
            ("0xa:0", None, Reason.UNRESOLVED),
            ("0xb:0", None, Reason.UNRESOLVED),
            (None, "77", Reason.UNRESOLVED),
        ]
        assert [(cancel.token_key, cancel.order_id) for cancel in decided.cancels] == [(None, "live")]
        assert tokens_to_quote(snapshot(world)) == ()

    def test_a_price_next_to_0_is_no_reason_to_raise(self):
        """500 pUSD buy more shares at it than 64 digits could count in cents."""
        assert wanted(f"want 100, price 0.{'0' * 59}1") == "100"
        assert wanted(f"want 100, price 0.{'0' * 59}1, cap 0") == "0"

    def test_a_want_is_rounded_down_however_many_digits_it_has(self):
        """64 digits rounded it up first, to 1."""
        zeros, nines = "0" * 59, "9" * 60
        assert wanted(f"ratio 1.{zeros}1, target 0.{nines}") == "0.99"  # 1 - 10^-120

    def test_an_order_on_a_malformed_id_is_still_expired(self):
        """It was in no decision, and never taken down."""
        decided = plan(snapshot("id 010, want 100, live BUY 5 @ 0.4 age 91"))
        assert [cancel.order_id for cancel in decided.cancels] == ["live"]
        assert [each.token_id for each in decided.decisions] == [None, "010"]


class TestTheOrderOfActions:
    WORLD = (
        "B: want 100, book 0.49/0.51, live BUY 5 @ 0.4 age 91 #b, live BUY 5 @ 0.4 age 92 #a"
        " | A: want 100, book 0.49/0.51, live BUY 5 @ 0.4 age 91 #x | C: want 100, book 0.49/0.51"
    )

    def test_cancels_by_token_key_and_order_id_then_places_by_token_key(self):
        facts = evolve(snapshot(self.WORLD), open_orders={**snapshot(self.WORLD).open_orders, "9": (order("u", 99),)})
        actions = plan(facts).actions
        assert [
            (action.token_key, action.order_id if isinstance(action, Cancel) else "place") for action in actions
        ] == [
            (None, "u"),
            ("0xa:0", "x"),
            ("0xb:0", "a"),
            ("0xb:0", "b"),
            ("0xa:0", "place"),
            ("0xb:0", "place"),
            ("0xc:0", "place"),
        ]

    def test_a_plan_tells_them_apart(self):
        decided = plan(snapshot(self.WORLD))
        assert decided.actions == (*decided.cancels, *decided.places)
        assert len(decided.cancels) == len(decided.places) == 3


@pytest.mark.parametrize(
    ("facts", "safe"),
    [
        ({}, False),
        ({"target": Positions(ok=False)}, True),
        ({"target": Positions(incomplete=True)}, True),
        ({"mine": Positions(ok=False)}, True),
        ({"mine": Positions(incomplete=True)}, True),
        ({"orders_ok": False}, True),
    ],
)
def test_safe_mode_on_incomplete_facts(facts, safe):
    snap = Snapshot(now=NOW, **facts)
    assert safe_mode(snap) is safe
    assert plan(snap).mode is (Mode.SAFE if safe else Mode.NORMAL)


@pytest.mark.parametrize(("facts", "mode"), [({}, Mode.NORMAL), ({"orders_ok": False}, Mode.SAFE)])
def test_a_stop_takes_everything_down_whatever_the_mode_is(facts, mode):
    world = "A: want 100, book 0.49/0.51, live BUY 5 @ 0.4 #a | B: want 9, live SELL 5 @ 0.6 #b"
    decided = plan(evolve(snapshot(world), stopped=True, **facts))
    assert decided.mode is mode
    assert [cancel.order_id for cancel in decided.cancels] == ["a", "b"]
    assert not decided.places
    assert {each.reason for each in decided.decisions} == {Reason.STOPPED}
    assert tokens_to_quote(evolve(snapshot(world), stopped=True, **facts)) == ()


def test_numbers_are_computed_as_usual_in_safe_mode():
    world = "want 100, hold 60..80, book 0.49/0.51"
    usual, safe = decision(world), decision(f"safe, {world}")
    assert evolve(safe, reason=usual.reason) == usual


@pytest.mark.parametrize(
    ("world", "ids"),
    [
        ("want 100", "10"),
        ("want 0, hold 100", "10"),
        ("want 100, hold 97", ""),  # no gap is open
        ("want 100, hold 96.99", "10"),
        ("want 100, hold 103", ""),
        ("want 100, hold 103.01", "10"),
        ("want 100, hold 50..100", ""),
        ("want 50..100, hold 100", ""),
        ("want 100, safe", ""),
        ("want 100, orders unread", ""),
        ("want 100, no id", ""),
        ("want 100, blacklisted", ""),
        ("want 100, redeemable", ""),
        ("want 1000, hold 500, cap 1, price 0.9", "10"),  # whether the cap leaves room, the book will tell
        # what is held counts under the total cap as soon as something is to be bought
        ("want 100 | B: want 30, hold 30", "10 11"),
        ("want 0, hold 100 | B: want 30, hold 30", "10"),
        ("want 100 | B: want 2", "10"),
        ("want 100 | B: want 2, live BUY 5 @ 0.4", "10 11"),
        ("want 100 | B: want 2, live SELL 5 @ 0.4", "10"),
        ("want 100 | B: want 2, doubt BUY 5 @ 0.4", "10 11"),
        ("want 100 | B: hold 30, blacklisted", "10 11"),
        ("want 100 | B: hold 30, redeemable", "10"),
        ("want 100 | B: hold 30, no id", "10"),
        ("B: want 100 | A: want 100", "10 11"),  # in a fixed order
        # a band below one share, and what is held of less than one
        ("want 0.8, deadband 0.5, slice 1..25 | B: hold 0.4", "10 11"),
        ("want 0, hold 0.8, deadband 0.5, slice 1..25 | B: hold 0.4", "10"),
        ("want 0, hold 0.5, deadband 0.5, slice 1..25", ""),
    ],
)
def test_tokens_to_quote(world, ids):
    assert " ".join(tokens_to_quote(snapshot(world))) == ids


def test_a_token_of_which_only_an_order_is_known_is_not_quoted():
    facts = evolve(snapshot("want 100"), open_orders={"999": (order("a", 1),)})
    assert tokens_to_quote(facts) == ("10",)


def test_token_ids_come_from_the_map_and_from_the_positions():
    def row(key, token_id):
        return Position(token_key=key, condition_id=key[:-2], outcome_index=0, size=D(1), token_id=token_id)

    facts = Snapshot(
        now=NOW,
        target=Positions(positions=(row("0xa:0", "1"), row("0xb:0", None))),
        mine=Positions(positions=(row("0xc:0", "3"),)),
        token_map={"0xd:0": "4", "0xa:0": "1"},
    )
    assert token_ids(facts) == {"0xa:0": "1", "0xc:0": "3", "0xd:0": "4"}
    assert token_ids(evolve(facts, token_map={"0xa:0": "9"}))["0xa:0"] == "9"  # what was resolved wins over a row


def test_an_order_that_is_listed_and_in_doubt_counts_as_listed_unless_gone():
    a, b, c = order("a", 1), order("b", 1), order("c", 1)
    facts = Snapshot(now=NOW, open_orders={"1": (a, b)}, in_doubt={"1": (a, evolve(b, gone=True)), "2": (c,)})
    live, doubts = orders_of_ours(facts)
    assert live == {"1": (a,)}
    assert doubts == {"1": (evolve(b, gone=True),), "2": (c,)}


class TestWhichTokensThereAre:
    """A decision for every token that we want, hold, may hold, or have an order on, and for no other."""

    def keys(self, **facts):
        return [
            one.token_key for one in plan(Snapshot(now=NOW, policy=Policy(follow_ratio=D("0.2")), **facts)).decisions
        ]

    def row(self, key, token_id=None, size="10"):
        condition, _, index = key.partition(":")
        return Position(
            token_key=key, condition_id=condition, outcome_index=int(index), size=D(size), token_id=token_id
        )

    def test_an_empty_list_of_orders_is_none(self):
        assert self.keys(open_orders={"9": ()}, in_doubt={"8": ()}) == []

    @pytest.mark.parametrize(("believed", "there"), [("0.5", True), ("0", False)])
    def test_what_only_our_own_books_know(self, believed, there):
        assert self.keys(ledgers={"0xa:0": Ledger(base=D(believed))}) == (["0xa:0"] if there else [])

    @pytest.mark.parametrize(("size", "there"), [("4", True), ("0.05", True), ("0.04", False)])
    def test_what_only_an_earlier_poll_has_listed(self, size, there):
        assert self.keys(target_history=({"0xa:0": D(size)},)) == (["0xa:0"] if there else [])

    def test_two_keys_that_claim_one_id_do_not_touch_a_third(self):
        rows = (self.row("0xa:0", "10"), self.row("0xb:0", "10"), self.row("0xc:0", "12"))
        decided = plan(Snapshot(now=NOW, policy=Policy(), target=Positions(positions=rows))).decisions
        unresolved = [one.token_key for one in decided if one.reason is Reason.UNRESOLVED]
        assert unresolved == ["0xa:0", "0xb:0"]


class TestWhatIsAsked:
    def test_in_a_fixed_order(self):
        rows = tuple(
            Position(
                token_key=f"0x{number:x}:0", condition_id=f"0x{number:x}", outcome_index=0, size=D(100),
                token_id=str(number * 7919 % 1000),
            )
            for number in range(1, 60)
        )  # fmt: skip
        asked = tokens_to_quote(Snapshot(now=NOW, policy=Policy(), target=Positions(positions=rows)))
        assert asked == tuple(sorted(row.token_id or "" for row in rows))

    def test_nothing_of_what_lies_between_two_ends(self):
        assert tokens_to_quote(snapshot("want 50..100, hold 60, deadband 0.5, slice 0.1..25")) == ()

    def test_the_balance_of_one_share_that_nobody_lists(self):
        facts = Snapshot(now=NOW, token_map={"0xa:0": "10"}, ledgers={"0xa:0": Ledger(base=D(1), seen=D(0))})
        assert tokens_to_witness(facts) == ("0xa:0",)

    def test_each_token_of_a_safe_plan_has_its_own_cancels(self):
        facts = snapshot("A: want 9, live BUY 5 @ 0.4 age 91, safe | B: want 9, live BUY 5 @ 0.4 age 91")
        assert [[one.token_id for one in each.actions] for each in considered(facts)] == [["10"], ["11"]]
