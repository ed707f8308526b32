"""A start on a lost state, row by row: until when a token is on hold, and what it counts until its balance is known."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.domain import lost_state
from copytrade.domain.memory import Base, Memory, OwnOrder, Recovery
from copytrade.domain.model import Ledger, Order, Side
from tests.domain.remembered import KEY, NOW, POLICY, SETTLED, TOKEN, D, memory_of, own


def order_of(side: str, size: int, matched: int) -> Order:
    """An order that we do not know, at 0.5."""
    return Order(order_id="0xff", side=Side[side], price=D("0.5"), size=D(size), matched=D(matched), ts=NOW - 50)


def own_fill(side: Side, shares: Decimal) -> OwnOrder:
    return own(SETTLED, order_id=side.value, side=side, size=shares, matched=shares, confirmed=shares)


class TestAStartOnALostState:
    """DESIGN 6: a token is on hold until the exchange's own balance of it may be believed."""

    START = NOW - 40

    @pytest.mark.parametrize(
        ("recovery", "base", "until"),
        [
            (None, None, None),
            (Recovery(started_at=START), None, START + 60),
            (Recovery(started_at=START, restored=frozenset({KEY})), None, None),
            (Recovery(started_at=START, restored=frozenset({"0xc2:0"})), None, START + 60),
            (Recovery(started_at=START, strangers={TOKEN: NOW}), None, NOW + 60),
            (Recovery(started_at=START, strangers={"112": NOW}), None, START + 60),
            (Recovery(started_at=START, strangers={TOKEN: START - 500}), None, START + 60),
            # a stranger may be the user's own and rest for ever: the wait has an end
            (Recovery(started_at=START, strangers={TOKEN: START + 239}), None, START + 299),
            (Recovery(started_at=START), Base(base=D(1), moved_at=NOW), NOW + 60),
            (Recovery(started_at=START), Base(base=D(1), moved_at=START - 500), START + 60),
        ],
    )
    def test_until_when(self, recovery, base, until):
        memory = Memory(recovery=recovery, bases={} if base is None else {KEY: base})
        assert lost_state.unrestored_until(memory, KEY, TOKEN, POLICY) == until

    @pytest.mark.parametrize(
        ("settle", "listed_at", "until"),
        [(150, 189, 249), (150, 190, 250), (150, 9000, 250), (300, 9000, 300), (5000, 9000, 5000), (5000, 900, 960)],
    )
    def test_the_wait_for_a_stranger_ends(self, settle, listed_at, until):
        """Not before the exchange itself has taken down whatever was ours: 190 s, and 60 s for its last fill."""
        memory = Memory(recovery=Recovery(started_at=self.START, strangers={TOKEN: self.START + listed_at}))
        policy = evolve(POLICY, settle_timeout_sec=D(settle))
        assert lost_state.unrestored_until(memory, KEY, TOKEN, policy) == self.START + until

    def test_strangers_are_remembered_with_the_last_time_that_they_were_listed(self):
        memory = lost_state.recovering(Memory(), self.START)
        memory = lost_state.strangers_listed(memory, [TOKEN, "112"], NOW - 20)
        memory = lost_state.strangers_listed(memory, [TOKEN], NOW)
        assert memory.recovery == Recovery(started_at=self.START, strangers={TOKEN: NOW, "112": NOW - 20})
        assert lost_state.strangers_listed(Memory(), [TOKEN], NOW) == Memory()

    def test_the_exchange_s_balance_is_the_new_base_and_trades_are_not_added(self):
        memory = memory_of(
            own(SETTLED, matched=4), own(SETTLED, order_id="0xbb", token_key="0xc2:0", matched=3),
            recovery=Recovery(started_at=self.START, restored=frozenset({"0xc9:0"})),
        )  # fmt: skip
        after = lost_state.restored(memory, {KEY: D(33)}, {KEY: D("33.01")}, NOW, {KEY: D("0.7")})
        assert after.bases[KEY] == Base(base=D(33), moved_at=NOW, seen=D("33.01"), avg_price=D("0.7"))
        assert after.bases["0xc2:0"] == memory.bases["0xc2:0"]
        assert list(after.orders) == ["0xbb"]
        assert after.recovery is not None
        assert after.recovery.restored == {KEY, "0xc9:0"}

    @pytest.mark.parametrize(
        ("balance", "reported", "told", "remembered", "cost"),
        [
            (33, 33, "0.7", None, "0.7"),  # the feed knows of every fill
            (33, 33, "0.7", "0.2", "0.7"),  # better than a backup, which may be of yesterday
            (33, 33, None, "0.2", "0.2"),
            (33, 33, None, None, "0"),
            (33, 30, "0.7", "0.2", "1"),  # the feed does not know of the last fill, nor does a backup: the dearest
            (33, 36, "0.7", "0.2", "1"),
            (33, 0, None, None, "1"),
            (0, 30, "0.7", "0.2", "0"),  # nothing is there that could have cost anything
            (0, 0, None, "0.2", "0.2"),
        ],
    )
    def test_what_the_shares_cost_is_known_where_the_feed_agrees(self, balance, reported, told, remembered, cost):
        memory = memory_of(recovery=Recovery(started_at=self.START))
        if remembered is not None:
            memory = evolve(memory, bases={KEY: Base(base=D(3), avg_price=D(remembered))})
        prices = {} if told is None else {KEY: D(told)}
        after = lost_state.restored(memory, {KEY: D(balance)}, {KEY: D(reported)}, NOW, prices)
        assert (after.bases[KEY].base, after.bases[KEY].seen, after.bases[KEY].avg_price) == (
            balance,
            reported,
            D(cost),
        )

    @pytest.mark.parametrize("before", [None, Base(base=D(3)), Base(base=D(3), ours=False)])
    def test_a_balance_does_not_say_that_we_have_traded(self, before):
        memory = memory_of(recovery=Recovery(started_at=self.START))
        if before is not None:
            memory = evolve(memory, bases={KEY: before})
        after = lost_state.restored(memory, {KEY: D(33)}, {}, NOW)
        assert after.bases[KEY].ours is (before is not None and before.ours)
        assert after.bases[KEY].seen == 0

    def test_one_share_that_nobody_lists_is_one_more_than_is_listed(self):
        memory = memory_of(recovery=Recovery(started_at=self.START))
        assert lost_state.restored(memory, {KEY: D(1)}, {}, NOW).bases[KEY].avg_price == 1

    def test_nothing_to_restore(self):
        memory = memory_of(recovery=Recovery(started_at=self.START))
        assert lost_state.restored(memory, {}, {}, NOW) is memory
        assert lost_state.restored(Memory(), {KEY: D(1)}, {}, NOW) == Memory()


class TestWhatIsToldMeanwhile:
    """Until a token is restored, the most that was told of it counts: by the feed, and on top of it by unknown BUYs.

    The start was 40 s ago. For 300 s unknown orders may be ours, and 1200 s more the feed may know nothing of them.
    """

    START = NOW - 40

    def told(self, memory=None, reported=None, unknown=(), prices=None, **changes):
        memory = memory or memory_of(recovery=Recovery(started_at=self.START))
        changes = {"now": NOW, "policy": POLICY, **changes}
        return lost_state.told_meanwhile(memory, reported or {}, unknown, prices or {}, **changes)

    def shares_of(self, memory):
        return {key: (one.base, one.bought, one.avg_price) for key, one in memory.recovery.told.items()}

    def test_it_is_the_most_of_all_cycles_at_the_dearest_of_all_prices(self):
        memory = self.told(reported={KEY: D(30), "0xc2:0": D(5)}, prices={KEY: D("0.4"), "0xc2:0": D("0.1")})
        memory = self.told(memory, reported={KEY: D(20), "0xc2:0": D(5)}, prices={KEY: D("0.6")})
        memory = self.told(memory, reported={KEY: D(20), "0xc3:0": D(1)}, prices={KEY: D("0.5")})
        assert self.shares_of(memory) == {
            KEY: (D(30), D(0), D("0.6")), "0xc2:0": (D(5), D(0), D("0.1")), "0xc3:0": (D(1), D(0), D(0)),
        }  # fmt: skip
        assert not any(ledger.final or ledger.ours for ledger in memory.recovery.told.values())

    @pytest.mark.parametrize(
        ("order", "reported", "bought", "price"),
        [
            (order_of("BUY", 20, 0), 0, 20, "0.5"),
            (order_of("BUY", 20, 15), 0, 20, "0.5"),  # the feed may not know of the 15
            (order_of("BUY", 20, 15), 7, 20, "0.5"),
            (order_of("SELL", 20, 15), 7, 0, "0.3"),
        ],
    )
    def test_an_unknown_buy_may_have_filled(self, order, reported, bought, price):
        sizes, prices = ({KEY: D(reported)}, {KEY: D("0.3")}) if reported else ({}, {})
        memory = self.told(reported=sizes, unknown=[(KEY, order)], prices=prices)
        assert self.shares_of(memory) == {KEY: (D(reported), D(bought), D(price))}
        later = self.told(memory, reported={KEY: D(1)})
        assert self.shares_of(later) == {KEY: (max(D(reported), D(1)), D(bought), D(price))}

    def test_two_unknown_buys_add_up_at_the_dearer_price(self):
        cheap = evolve(order_of("BUY", 4, 0), price=D("0.2"))
        memory = self.told(unknown=[(KEY, order_of("BUY", 20, 0)), (KEY, cheap)])
        assert self.shares_of(memory) == {KEY: (D(0), D(24), D("0.5"))}

    @pytest.mark.parametrize(
        ("settle", "age", "counts"), [(300, 299, True), (300, 300, False), (150, 249, True), (150, 250, False)]
    )
    def test_an_unknown_buy_counts_as_long_as_it_may_be_ours(self, settle, age, counts):
        policy = evolve(POLICY, settle_timeout_sec=D(settle))
        memory = self.told(unknown=[(KEY, order_of("BUY", 20, 0))], now=self.START + age, policy=policy)
        assert bool(memory.recovery.told) is counts

    def test_what_is_restored_is_known(self):
        memory = memory_of(recovery=Recovery(started_at=self.START, restored=frozenset({KEY})))
        assert self.told(memory, reported={KEY: D(30), "0xc2:0": D(5)}).recovery.told.keys() == {"0xc2:0"}
        memory = self.told(reported={KEY: D(30), "0xc2:0": D(5)})
        after = lost_state.restored(memory, {KEY: D(7)}, {}, NOW)
        assert after.recovery is not None
        assert after.recovery.told.keys() == {"0xc2:0"}

    @pytest.mark.parametrize(
        ("settle", "age", "kept"), [(300, 1500, True), (300, 1501, False), (150, 1450, True), (150, 1451, False)]
    )
    def test_it_ends_when_no_answer_is_so_old_any_more(self, settle, age, kept):
        memory, policy = self.told(reported={KEY: D(30)}), evolve(POLICY, settle_timeout_sec=D(settle))
        later = self.told(memory, reported={"0xc2:0": D(5)}, now=self.START + age, policy=policy)
        assert later.recovery.told.keys() == ({KEY, "0xc2:0"} if kept else set())
        assert later.recovery.started_at == self.START
        if not kept:
            assert self.told(later, reported={KEY: D(5)}, now=self.START + age, policy=policy) is later

    def test_nothing_was_lost(self):
        memory = memory_of()
        assert self.told(memory, reported={KEY: D(30)}) is memory
        assert lost_state.fallen_back(memory, {}) == {}

    @pytest.mark.parametrize(
        ("fed", "unknown", "reported", "own", "most"),
        [
            (30, 0, 30, None, None),
            (30, 0, 31, None, None),
            (30, 0, 30, "10", None),  # nothing has fallen back, and nobody knows of an order
            (30, 0, "29.99", None, "30"),
            (30, 0, 0, None, "30"),
            (30, 0, 10, "30", None),  # own books say as much
            (30, 0, 10, "29", "30"),
            (30, 0, 10, "10+20", None),
            (30, 0, 10, "5+20", "30+20"),  # more was there than own fills account for: it may lack them
            (30, 0, 10, "40-15", "30"),
            (0, 20, 0, None, "0+20"),
            (10, 20, 10, None, "10+20"),
            (10, 20, 0, None, "10+20"),  # the feed showed the 10 before it fell back
            (0, 20, 0, "0+10", "0+30"),  # own fills that the feed does not show, and what nobody knows
            (0, 5, 0, "10", "10+5"),
            (30, 5, 30, "40-15", "40+5-15"),
            (24, 15, 24, "10", "24+15"),  # what the feed shows beyond own books comes on top
            (24, 15, 24, "10+14", "10+29"),
            (24, 15, 24, "10+13", "24+28"),
            (24, 15, 26, "10", "26+15"),
        ],
    )
    def test_it_counts_where_feed_and_own_fills_say_less(self, fed, unknown, reported, own, most):
        order = order_of("BUY", unknown, 0) if unknown else order_of("SELL", 1, 0)
        memory = self.told(reported={KEY: D(fed)} if fed else {}, unknown=[(KEY, order)], prices={KEY: D("0.4")})
        if own is not None:
            base, bought, sold = self.parts(own)
            sides = ((Side.BUY, bought), (Side.SELL, sold))
            fills = [own_fill(side, shares) for side, shares in sides if shares]
            memory = evolve(
                memory, orders={fill.order_id: fill for fill in fills},
                bases={KEY: Base(base=base, avg_price=D("0.3"), moved_at=NOW)},
            )  # fmt: skip
        fallen = lost_state.fallen_back(memory, {KEY: D(reported)} if reported else {})
        if most is None:
            assert fallen == {}
            return
        base, bought, sold = self.parts(most)
        price = D("0.5") if unknown else D("0.4")
        told = Ledger(base=base, bought=bought, sold=sold, avg_price=price, final=False, ours=own is not None)
        assert fallen == {KEY: told}
        assert told.told

    def parts(self, words: str) -> tuple[Decimal, Decimal, Decimal]:
        """`base+bought-sold`"""
        rest, _, sold = words.partition("-")
        base, _, bought = rest.partition("+")
        return D(base), D(bought or 0), D(sold or 0)

    def test_it_never_counts_less_than_our_own_books(self):
        memory = self.told(unknown=[(KEY, order_of("BUY", 25, 0))])
        memory = evolve(memory, bases={KEY: Base(base=D(20), avg_price=D("0.79"))})
        assert lost_state.fallen_back(memory, {})[KEY].avg_price == D("0.79")
        memory = evolve(memory, bases={KEY: Base(base=D(20), avg_price=D("0.79"), ours=False)})
        assert not lost_state.fallen_back(memory, {})[KEY].ours

    @pytest.mark.parametrize(
        ("ledger", "told"),
        [
            (Ledger(base=D(1), final=False), True),
            (Ledger(base=D(1), final=False, moved_at=NOW), False),
            (Ledger(base=D(1)), False),
        ],
    )
    def test_it_is_no_book_of_ours(self, ledger, told):
        assert ledger.told is told
