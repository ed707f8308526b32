"""Memory against the truth: whatever is lost, late or crashed, the truth is inside the interval that is believed.

The machine is an exchange of one token in a few lines. Its rules post, fill, cancel and expire our orders, answer
listings, look-ups and trades late or not at all, and kill the process; nobody else trades. The feed says anything that
was true at some time since the last answer that it may not fall behind (the settle timeout).
"""

from __future__ import annotations

from decimal import Decimal

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from copytrade.app.state import decode_state, encode_state, memory_of
from copytrade.domain import memory as remembering
from copytrade.domain.exposure import exposure
from copytrade.domain.memory import Evidence, Memory, OwnOrder, Sighting, Traded
from copytrade.domain.model import ZERO, Side
from copytrade.domain.policy import Policy

POLICY = Policy(target_address="0x" + "01" * 20, my_address="0x" + "02" * 20)
KEY, TOKEN = "0xc1:0", "111"
GRACE = POLICY.fill_grace_sec
START = Decimal(1_766_000_000)


@define(kw_only=True)
class TrueOrder:
    """An order as the exchange knows it."""

    order: OwnOrder
    rests: bool
    fills: list[tuple[Decimal, Decimal]] = field(factory=list)  # (when, shares)

    @property
    def matched(self) -> Decimal:
        return sum((shares for _, shares in self.fills), ZERO)


class MemoryMachine(RuleBasedStateMachine):
    """One token, an exchange that knows the truth, and a memory that is told parts of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.memory = Memory()
        self.book: dict[str, TrueOrder] = {}
        self.history: list[tuple[Decimal, Decimal]] = [(ZERO, Decimal(60))]  # (since when, shares held)
        self.number = 0

    @property
    def truth(self) -> Decimal:
        return self.history[-1][1]

    def truth_at(self, when: Decimal) -> Decimal:
        """What was held then."""
        return next(shares for since, shares in reversed(self.history) if since <= when)

    # -- the exchange ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 20, 59, 61, 95, 200]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        for one in self.book.values():
            if one.order.expiration <= self.now:
                one.rests = False

    @precondition(lambda self: any(one.rests for one in self.book.values()))
    @rule(data=st.data(), part=st.integers(1, 10))
    def somebody_takes(self, data: st.DataObject, part: int) -> None:
        one = data.draw(st.sampled_from([one for one in self.book.values() if one.rests]))
        shares = min(Decimal(part), one.order.size - one.matched)
        self.now += Decimal("0.001")
        one.fills.append((self.now, shares))
        one.rests = one.matched < one.order.size
        self.history.append((self.now, self.truth + (shares if one.order.side is Side.BUY else -shares)))

    # -- the trader -----------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.book) < 12 and not self.unsettled())
    @rule(
        side=st.sampled_from(Side),
        arrives=st.booleans(),
        answer=st.sampled_from(["clear", "lost", "crash"]),
        at_once=st.integers(0, 3),
    )
    def post(self, side: Side, arrives: bool, answer: str, at_once: int) -> None:
        if side is Side.SELL and self.truth < 10:
            return
        self.number += 1
        order = OwnOrder(
            order_id=f"0x{self.number:02x}",
            token_key=KEY,
            token_id=TOKEN,
            side=side,
            price=Decimal("0.5"),
            size=Decimal(10),
            ts=self.now,
            expiration=self.now + 190,
        )
        self.memory = remembering.intended(self.memory, [order], {KEY: self.truth})
        saved = encode_state(self.memory, POLICY)
        if arrives:
            one = self.book[order.order_id] = TrueOrder(order=order, rests=True)
            if at_once:
                one.fills.append((self.now, Decimal(at_once)))
                self.history.append((self.now, self.truth + (at_once if side is Side.BUY else -at_once)))
        if answer == "crash":
            self.memory = memory_of(decode_state(saved))
        elif answer == "clear" and arrives:
            self.memory = remembering.acknowledged(self.memory, {order.order_id: Decimal(at_once)}, self.now)
        elif answer == "clear":
            self.memory = remembering.refused(self.memory, [order.order_id])

    def unsettled(self) -> bool:
        """The third hard rule: one order of ours on a token, at all times."""
        return any(one.standing is not remembering.Standing.SETTLED for one in self.memory.orders.values())

    @precondition(lambda self: self.unsettled())
    @rule(confirmed=st.booleans(), reaches=st.booleans())
    def cancel(self, confirmed: bool, reaches: bool) -> None:
        ids = [one.order_id for one in self.memory.orders.values() if one.standing is remembering.Standing.OPEN]
        if reaches or confirmed:
            for order_id in ids:
                self.book[order_id].rests = False
        if confirmed:
            self.memory = remembering.gone(self.memory, ids, self.now)

    @rule(
        lag=st.integers(0, 59),
        knows_closed=st.booleans(),
        trades_read=st.booleans(),
        confirmed=st.booleans(),
        listing_lag=st.integers(0, 30),
    )
    def observe(self, lag: int, knows_closed: bool, trades_read: bool, confirmed: bool, listing_lag: int) -> None:
        """A cycle's answers. Trades are listed up to `lag` late, young orders up to `listing_lag`."""
        listed = {
            order_id: one.matched
            for order_id, one in self.book.items()
            if one.rests and one.order.ts + listing_lag <= self.now
        }
        looked_up = {}
        for order_id in remembering.to_look_up(self.memory, listed):
            known = self.book.get(order_id)
            if known is not None and knows_closed and not known.rests:
                looked_up[order_id] = Sighting(resting=False, matched=known.matched)
        sums = None
        if trades_read:
            sums = {}
            for order_id, one in self.book.items():
                shares = sum((shares for when, shares in one.fills if when + lag <= self.now), ZERO)
                sums[order_id] = Traded(traded=shares, confirmed=shares if confirmed else ZERO)
        evidence = Evidence(
            asked_at=self.now, listed=listed, looked_up=looked_up, trades=sums, trades_asked_at=self.now
        )
        self.memory = remembering.observed(self.memory, evidence, now=self.now, policy=POLICY)

    @rule(lag=st.integers(0, 290))
    def poll(self, lag: int) -> None:
        """The feed's answer is up to `lag` old; a witness tells the truth."""
        doubts = {KEY} if self.unsettled() else set()
        self.memory = remembering.mine_polled(
            self.memory,
            {KEY: self.truth_at(self.now - lag)},
            {KEY: self.truth},
            doubts,
            now=self.now,
            policy=POLICY,
        )

    @rule(cycles=st.integers(1, 16), lag=st.integers(0, 59), knows_closed=st.booleans(), confirmed=st.booleans())
    def cycles(self, cycles: int, lag: int, knows_closed: bool, confirmed: bool) -> None:
        """Time passes cycle by cycle, as it does in a run: what is in doubt settles, ledgers start anew."""
        for _ in range(cycles):
            self.time_passes(30)
            self.observe(lag, knows_closed, True, confirmed, 0)
            self.poll(lag)
            self.the_truth_is_inside()

    @rule()
    def crash(self) -> None:
        before = self.memory
        self.memory = memory_of(decode_state(encode_state(self.memory, POLICY)))
        assert self.memory == before

    # -- the law --------------------------------------------------------------------------------------------------

    @invariant()
    def the_truth_is_inside(self) -> None:
        """For whatever the feed may say: what is believed, and every order that is open or in doubt."""
        ledger = remembering.ledgers(self.memory).get(KEY)
        if ledger is None:
            return
        doubts = [
            one.as_order() for one in self.memory.orders.values() if one.standing is not remembering.Standing.SETTLED
        ]
        for lag in (0, 5, 30, 120, 290):
            reported = self.truth_at(self.now - lag)
            held = exposure(reported, ledger, doubts, self.truth, now=self.now, policy=POLICY)
            assert held.lo <= self.truth <= held.hi, (lag, reported, held, ledger)

    @invariant()
    def nothing_that_rests_is_forgotten(self) -> None:
        for order_id, one in self.book.items():
            assert not one.rests or order_id in self.memory.orders


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=150, stateful_step_count=50)
