"""Memory and exposure against the truth: no fill is counted twice, none is forgotten, and what is held lies inside.

The machine is an exchange of one token in a few lines. Its rules post, fill, cancel and expire our orders, answer
listings slowly, look-ups not always and trades late, show old positions for as long as they like, and kill the process;
nobody else trades. Two laws. What the ledger believes differs from the truth by no more than our unsettled orders may
still explain; that one needs no feed and no witness. And whatever the feed says, and whenever the exchange's own
balance is asked, the truth lies in the interval that is traded against, but for what a listed order filled since.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from copytrade.app.state import decode_state, encode_state, memory_of
from copytrade.domain import memory as remembering
from copytrade.domain.amounts import CENT
from copytrade.domain.exposure import exposure
from copytrade.domain.memory import Evidence, Memory, OwnOrder, Sighting, Standing, Traded
from copytrade.domain.model import ZERO, Exposure, Order, Side
from copytrade.domain.policy import Policy

POLICY = Policy(target_address="0x" + "01" * 20, my_address="0x" + "02" * 20)
KEY, TOKEN = "0xc1:0", "111"
GRACE = POLICY.fill_grace_sec
START = Decimal(1_766_000_000)
LAGS = [0, 0, 0, 5, 40, 120, 290, 310, 1200]  # seconds: shorter and longer than the quiet


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
        self.asked_at = START  # when the latest listing was asked for

    @property
    def truth(self) -> Decimal:
        return self.history[-1][1]

    def truth_at(self, when: Decimal) -> Decimal:
        """What was held then."""
        return next(shares for since, shares in reversed(self.history) if since <= when)

    # -- the exchange ---------------------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        self.now += seconds
        for one in self.book.values():
            if one.order.expiration <= self.now:
                one.rests = False

    def take(self, one: TrueOrder, most: Decimal) -> None:
        """Somebody takes so many shares of a resting order, or what is left of it."""
        shares = min(most, one.order.size - one.matched)
        self.now += Decimal("0.001")
        one.fills.append((self.now, shares))
        one.rests = one.matched < one.order.size
        self.history.append((self.now, self.truth + (shares if one.order.side is Side.BUY else -shares)))

    @rule(seconds=st.sampled_from([1, 5, 20, 59, 61, 95, 310]))
    def time_passes(self, seconds: int) -> None:
        self.wait(seconds)

    @rule(part=st.integers(1, 10))
    def somebody_takes(self, part: int) -> None:
        for one in [one for one in self.book.values() if one.rests]:
            self.take(one, Decimal(part))

    # -- the trader -----------------------------------------------------------------------------------------------

    def unsettled(self) -> list[OwnOrder]:
        """The third hard rule: one order of ours on a token, at all times."""
        return [one for one in self.memory.orders.values() if one.standing is not Standing.SETTLED]

    @precondition(lambda self: not self.unsettled())
    @rule(
        side=st.sampled_from([Side.BUY, Side.BUY, Side.SELL]),
        arrives=st.sampled_from([True, True, True, False]),
        answer=st.sampled_from(["clear", "lost", "crash"]),
        at_once=st.integers(0, 3),
        life=st.sampled_from([190, 400]),  # longer than the quiet, too: then a ledger starts anew under a resting order
    )
    def post(self, side: Side, arrives: bool, answer: str, at_once: int, life: int) -> None:
        side = Side.BUY if self.truth < 10 else side
        self.number += 1
        order = OwnOrder(
            order_id=f"0x{self.number:02x}",
            token_key=KEY,
            token_id=TOKEN,
            side=side,
            price=Decimal("0.5"),
            size=Decimal(10),
            ts=self.now,
            expiration=self.now + life,
        )
        self.memory = remembering.intended(self.memory, [order], {KEY: self.truth})
        saved = encode_state(self.memory, POLICY)
        if arrives:
            self.book[order.order_id] = TrueOrder(order=order, rests=True)
            if at_once:
                self.take(self.book[order.order_id], Decimal(at_once))
        if answer == "crash":
            self.memory = memory_of(decode_state(saved))
        elif answer == "clear" and arrives:
            self.memory = remembering.acknowledged(self.memory, {order.order_id: Decimal(at_once)}, self.now)
        elif answer == "clear":
            self.memory = remembering.refused(self.memory, [order.order_id])

    @rule(confirmed=st.booleans(), reaches=st.booleans())
    def cancel(self, confirmed: bool, reaches: bool) -> None:
        ids = [one.order_id for one in self.memory.orders.values() if one.standing is Standing.OPEN]
        if reaches or confirmed:
            for order_id in ids:
                self.book[order_id].rests = False
        if confirmed:
            self.memory = remembering.gone(self.memory, ids, self.now)

    @rule(
        lag=st.integers(0, 59),
        finds=st.sampled_from([True, False, False]),
        took=st.sampled_from([0, 0, 25]),
        filled_meanwhile=st.integers(0, 10),
        hidden=st.integers(0, 59),
        confirmed=st.booleans(),
    )
    def observe(self, lag: int, finds: bool, took: int, filled_meanwhile: int, hidden: int, confirmed: bool) -> None:
        """A cycle's answers. The listing takes a while and shows the end of it; it may not have orders younger than
        `hidden`. Trades are listed `lag` late, and read from the time on that the memory asks for.
        """
        asked_at = self.asked_at = self.now
        self.wait(took)
        for one in [one for one in self.book.values() if one.rests] if took and filled_meanwhile else []:
            self.take(one, Decimal(filled_meanwhile))
        listed = {
            order_id: one.matched
            for order_id, one in self.book.items()
            if one.rests and one.order.ts + hidden <= asked_at
        }
        looked_up = {
            order_id: Sighting(resting=self.book[order_id].rests, matched=self.book[order_id].matched)
            for order_id in remembering.to_look_up(self.memory, listed)
            if finds and order_id in self.book
        }
        after = remembering.trades_wanted_after(self.memory, listed)
        sums = None
        if after is not None:
            sums = {}
            for order_id, one in self.book.items():
                shares = sum((shares for when, shares in one.fills if after - 60 <= when <= self.now - lag), ZERO)
                if shares:
                    sums[order_id] = Traded(traded=shares, confirmed=shares if confirmed else ZERO)
        evidence = Evidence(
            asked_at=asked_at, listed=listed, looked_up=looked_up, trades=sums, trades_asked_at=self.now
        )
        before = self.memory
        self.memory = remembering.observed(before, evidence, now=self.now, policy=POLICY)
        for order_id, known in before.orders.items():
            after_it = self.memory.orders.get(order_id)
            if known.standing in (Standing.INTENT, Standing.OPEN) and asked_at - known.ts < GRACE:
                assert after_it is None or after_it.standing is not Standing.GONE, "not found proves nothing yet"

    @rule(lag=st.sampled_from(LAGS), filled_meanwhile=st.sampled_from([0, 0, 3, 10]), answers=st.booleans())
    def poll(self, lag: int, filled_meanwhile: int = 0, answers: bool = True) -> None:
        """The feed's answer is `lag` old, so it goes back and forth. The witness tells the truth, where it `answers`
        at all, and is asked after the listing was read.
        """
        if filled_meanwhile:
            self.somebody_takes(filled_meanwhile)
        reported, witness = self.truth_at(self.now - lag), self.truth if answers else None
        live, in_doubt = remembering.live_and_in_doubt(self.memory, self.asked_at)
        doubts, ledger = in_doubt.get(TOKEN, ()), remembering.ledgers(self.memory).get(KEY)
        if ledger is not None:  # before our first order the feed is all that we know, and it is told at its word
            held = exposure(reported, ledger, doubts, witness, now=self.now, policy=POLICY)
            self.the_truth_is_inside(held, live.get(TOKEN, ()))
        self.memory = remembering.mine_polled(
            self.memory,
            {KEY: reported},
            {} if witness is None else {KEY: witness},
            {KEY} if doubts else set(),
            now=self.now,
            policy=POLICY,
        )

    def the_truth_is_inside(self, held: Exposure, live: Sequence[Order]) -> None:
        """DESIGN 4. What a listed order filled after its listing is not known to anybody; only one may rest anyway."""
        least = held.lo - sum((order.rest for order in live if order.side is Side.SELL), ZERO)
        most = held.hi + sum((order.rest for order in live if order.side is Side.BUY), ZERO)
        assert least - CENT <= self.truth <= most + CENT, (least, self.truth, most, held, live)

    @rule(cycles=st.integers(4, 14), lag=st.integers(0, 59), finds=st.booleans())
    def quiet_cycles(self, cycles: int, lag: int, finds: bool) -> None:
        """Nothing new happens for a while: what is in doubt settles, and ledgers start anew."""
        for _ in range(cycles):
            self.wait(30)
            self.observe(lag, finds, 0, 0, 0, True)
            self.poll(0)
            self.the_ledger_explains_the_truth()

    @rule(
        data=st.data(),
        cycles=st.integers(1, 8),
        lag=st.integers(0, 59),
        finds=st.booleans(),
        seconds=st.sampled_from([1, 20, 30, 61]),
    )
    def live(self, data: st.DataObject, cycles: int, lag: int, finds: bool, seconds: int) -> None:
        """A run as it is: cycle after cycle, with an order on its way as often as not."""
        for _ in range(cycles):
            part, took = data.draw(st.sampled_from([0, 3, 10])), data.draw(st.sampled_from([0, 0, 25]))
            if not self.unsettled():
                self.post(
                    data.draw(st.sampled_from(Side)),
                    data.draw(st.booleans()),
                    data.draw(st.sampled_from(["clear", "lost", "crash"])),
                    data.draw(st.integers(0, 3)),
                    data.draw(st.sampled_from([190, 400])),
                )
            self.wait(seconds)
            if part:
                self.somebody_takes(part)
            self.observe(lag, finds, took, part, 0, data.draw(st.booleans()))
            self.the_ledger_explains_the_truth()
            self.poll(data.draw(st.sampled_from([0, 0, 290, 1200])), data.draw(st.sampled_from([0, 0, 3])))
            self.the_ledger_explains_the_truth()

    @rule()
    def crash(self) -> None:
        before = self.memory
        self.memory = memory_of(decode_state(encode_state(self.memory, POLICY)))
        assert self.memory == before

    # -- the laws -------------------------------------------------------------------------------------------------

    @invariant()
    def the_ledger_explains_the_truth(self) -> None:
        """What is believed and what is true differ by the rests of our unsettled orders at most: to the share."""
        ledger = remembering.ledgers(self.memory).get(KEY)
        if ledger is None:
            return
        rests = [(one.side, one.size - one.filled) for one in self.unsettled()]
        most = ledger.believed + sum((rest for side, rest in rests if side is Side.BUY), ZERO)
        least = ledger.believed - sum((rest for side, rest in rests if side is Side.SELL), ZERO)
        assert least <= self.truth <= most, (least, self.truth, most, ledger)

    @invariant()
    def what_rests_is_known_to(self) -> None:
        for order_id, one in self.book.items():
            if one.rests:
                assert self.memory.orders[order_id].may_rest


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=200, stateful_step_count=40)
