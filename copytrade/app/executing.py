"""Execute: cancels first, then the places in one batch. It may drop an action, and never invents one.

    cancel      a token whose cancel was not confirmed, or whose order matched in the meantime, gets no order now
    sign        which fixes an order's id
    intend      the ids go to the disk; where they can't be written, nothing is posted
    post        once; what gets no clear answer stays an intent, in doubt, and is looked up by the next cycle
    record      each answer, as what became of the action and as what is remembered of the order

Not here: what is to be done (domain/plan.py), how an answer is read (adapters).   Read next: loop.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from decimal import Decimal
from functools import partial

from copytrade.app.notebook import Notebook
from copytrade.app.outcomes import (
    AccountRefused,
    Result,
    fatal,
    intent,
    largest_first,
    new_fills,
    result_of,
    result_of_cancel,
)
from copytrade.app.ports import (
    Account,
    CancelAnswer,
    Clock,
    FullBook,
    PostAnswer,
    PostFate,
    Refusal,
    SignedOrder,
    ToSign,
)
from copytrade.domain import memory as remembering
from copytrade.domain.desired import average_prices, poll_of
from copytrade.domain.model import ZERO, Cancel, OrderId, Place, Plan, Reason, Side, Snapshot, TokenId
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput

# The exchange refuses a GTD order that expires less than 180 s ahead, and takes a minute off (API.md, Orders).
LEAST_LIFE_SEC = 180
TAKEN_OFF_SEC = 60
SKEW_MARGIN_SEC = 10  # between our clock and the exchange's
BROKEN_OFF = "the run was stopped before it was answered"
CASH_REFRESH_SEC = 60  # while there is no cash, the exchange is told so often to look again


class Executor:
    """Sends what was planned to one account. What it learns is in the notebook at once, before the next request."""

    def __init__(
        self, account: Account, clock: Clock, policy: Policy, notebook: Notebook, *, stopped: Callable[[], bool]
    ) -> None:
        self._account = account
        self._clock = clock
        self._policy = policy
        self._notebook = notebook
        self._stopped = stopped
        self._cash_refreshed_at = ZERO

    async def execute(
        self,
        plan_: Plan,
        snapshot: Snapshot,
        books: Mapping[TokenId, FullBook],
        results: list[Result],
        *,
        clock_offset: Decimal | None,
    ) -> AccountRefused | None:
        """Do what the plan says, cancels first; return what ends the run, if anything.

        What becomes of each action is put into `results`, so that a caller who breaks this off has what was done.
        `books` are those of the snapshot, `clock_offset` is the exchange's clock less ours, where it is known.
        """
        dropped = await self._cancel(plan_.cancels, results)
        places = []
        for place in largest_first(plan_.places, plan_.decisions):
            if place.token_id in dropped:
                results.append(result_of(place, "dropped", words=dropped[place.token_id]))
            else:
                places.append(place)
        if places and self._stopped():  # since the plan was made: the cancels may have taken their time
            results += [result_of(place, "dropped", words="a stop came first") for place in places]
            return None
        signed = self._sign(places, books, self._expiration(clock_offset), results)
        if not signed:
            return None
        self._notebook.memory = remembering.intended(
            self._notebook.memory,
            [intent(place, order, self._clock.now()) for place, order in signed],
            poll_of(snapshot.mine),
            average_prices(snapshot.mine),
        )
        if not self._notebook.save():
            self._notebook.memory = remembering.refused(self._notebook.memory, [order.order_id for _, order in signed])
            results += [result_of(place, "dropped", words="the state could not be saved") for place, _ in signed]
            return None
        try:
            answers = await self._account.post([order for _, order in signed], unless=self._stopped)
        except asyncio.CancelledError:
            results += [
                result_of(place, "unknown", order_id=order.order_id, words=BROKEN_OFF) for place, order in signed
            ]
            raise
        return await self._record(signed, answers, results)

    async def _cancel(self, cancels: Collection[Cancel], results: list[Result]) -> dict[TokenId, str]:
        """Cancel; return the tokens on which nothing may be placed now, with why."""
        if not cancels:
            return {}
        dropped: dict[TokenId, str] = {}
        try:
            answered = await self._account.cancel([one.order_id for one in cancels])
        except asyncio.CancelledError:
            results += [result_of_cancel(cancel, "unconfirmed", BROKEN_OFF) for cancel in cancels]
            raise
        answers = {answer.order_id: answer for answer in answered}
        confirmed = []
        for cancel in cancels:
            answer = answers.get(cancel.order_id) or CancelAnswer(order_id=cancel.order_id, confirmed=False)
            if not answer.confirmed:
                dropped[cancel.token_id] = "its cancel was not confirmed"
            elif answer.matched:
                dropped[cancel.token_id] = "its order may have matched more than the plan knew"
            if answer.confirmed:
                confirmed.append(cancel.order_id)
            outcome = "confirmed" if answer.confirmed else "unconfirmed"
            results.append(result_of_cancel(cancel, outcome, answer.words))
        self._notebook.memory = remembering.gone(self._notebook.memory, confirmed, self._clock.now())
        return dropped

    def _sign(
        self, places: Iterable[Place], books: Mapping[TokenId, FullBook], expiration: int, results: list[Result]
    ) -> list[tuple[Place, SignedOrder]]:
        signed = []
        for place in places:
            to_sign = ToSign(
                token_id=place.token_id,
                side=place.side,
                price=place.price,
                size=place.size,
                tick_size=place.tick_size,
                neg_risk=books[place.token_id].neg_risk,
                expiration=expiration,
                post_only=place.post_only,
            )
            try:
                signed.append((place, self._account.sign([to_sign])[0]))
            except BadInput as error:
                results.append(result_of(place, "dropped", words=f"it can't be signed exactly: {error}"))
        return signed

    def _expiration(self, clock_offset: Decimal | None) -> int:
        """When the exchange takes an order down by itself, by its own clock, so that a dead process leaves none."""
        there = int(self._clock.now() + (clock_offset or ZERO))
        ttl = int(self._policy.order_ttl_sec)
        return max(there + TAKEN_OFF_SEC + ttl, there + LEAST_LIFE_SEC + SKEW_MARGIN_SEC)

    async def _record(
        self,
        signed: Collection[tuple[Place, SignedOrder]],
        answers: Collection[PostAnswer],
        results: list[Result],
    ) -> AccountRefused | None:
        now = self._clock.now()
        by_id = {answer.order_id: answer for answer in answers}
        accepted: dict[OrderId, Decimal] = {}
        never, taken, hold = [], [], []
        ends: AccountRefused | None = None
        uncovered: list[Place] = []
        for place, order in signed:
            answer = by_id.get(order.order_id) or PostAnswer(order_id=order.order_id, fate=PostFate.UNKNOWN)
            outcome = "dropped" if answer.refusal is Refusal.STOPPED else answer.fate.value.lower()
            results.append(result_of(place, outcome, order_id=order.order_id, words=answer.words))
            if answer.fate is PostFate.ACCEPTED:
                accepted[order.order_id] = answer.matched
                taken.append(place.token_key)
            elif answer.fate is PostFate.REFUSED:
                never.append(order.order_id)
                if answer.refusal in (Refusal.ACCOUNT, Refusal.CLIENT):
                    ends = fatal(answer)
                elif answer.refusal in (Refusal.NOT_TRADABLE, Refusal.BALANCE, Refusal.OTHER):
                    hold.append(place.token_key)
                if answer.refusal is Refusal.BALANCE:
                    uncovered.append(place)
        before = self._notebook.memory
        self._notebook.memory = remembering.acknowledged(before, accepted, now)
        self._notebook.fills += new_fills(before, self._notebook.memory)
        self._notebook.memory = remembering.refused(self._notebook.memory, never)
        self._notebook.memory = remembering.released(self._notebook.memory, taken)
        self._notebook.memory = remembering.held(self._notebook.memory, hold, now)
        if ends is None:
            await self._refresh_balances(uncovered)
        return ends

    async def _refresh_balances(self, uncovered: Collection[Place]) -> None:
        """These were refused, since nothing covers them: perhaps the exchange only looks at an old cache (API.md)."""
        asks: list[Callable[[], Awaitable[object]]] = []
        if any(place.side is Side.BUY for place in uncovered):
            asks.append(self._account.refresh_cash)
        # Whoever asks for the balance of a token has it refreshed; what it is, the positions tell.
        asks += [partial(self._account.balance, place.token_id) for place in uncovered if place.side is Side.SELL]
        await asyncio.gather(
            *(self._notebook.tried("the exchange's balance cache could not be refreshed", one) for one in asks)
        )

    async def look_for_cash(self, plan_: Plan, now: Decimal) -> None:
        """Nothing is posted for want of cash, so nothing is refused: only this shows what was paid in meanwhile."""
        poor = any(one.reason is Reason.NO_CASH for one in plan_.decisions)
        if poor and abs(now - self._cash_refreshed_at) >= CASH_REFRESH_SEC:
            self._cash_refreshed_at = now
            await self._notebook.tried(
                "the exchange's balance cache could not be refreshed", self._account.refresh_cash
            )
