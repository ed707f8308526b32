"""Our orders, fills and balances at the exchange: the Account port over HTTP.

Rule 1: reads are retried, posts and cancels are sent once. What is not known of them is said to be unknown.
Rule 2: batches leave in the order in which they were given, as many at a time as the exchange's bucket allows
        (pacing.py). Once one of them shows that the others would fare no better (busy, banned, unreachable), those that
        have not left yet stay here: certainly not sent is better than perhaps sent.
Rule 3: nothing but what was asked for is cancelled; `/cancel-all` would hit the user's own orders too.

Not here: what answers mean (decoding.py, posting.py, refusals.py), credentials and headers (session.py).
Source: API.md "Orders", "Limits that bind".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
import structlog
from attrs import define

from copytrade.adapters.clob import decoding
from copytrade.adapters.clob.checking import AccountState
from copytrade.adapters.clob.pacing import BALANCE_UPDATES, CANCELS, ORDERS, Bucket, Limit
from copytrade.adapters.clob.posting import cancelled, in_doubt, not_confirmed, not_sent, posted
from copytrade.adapters.clob.session import ClobHttp, Session
from copytrade.adapters.http import StatusError, Warm
from copytrade.adapters.signing import ApiCredentials, OrderSigner, leg, random_salt
from copytrade.app.ports import (
    CancelAnswer,
    Clock,
    Fill,
    LookUp,
    OpenOrder,
    OrderFate,
    PostAnswer,
    PostFate,
    Refusal,
    SignedOrder,
    ToSign,
)
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import OrderId, TokenId
from copytrade.errors import BadAnswer, FateUnknown, Unreachable

_log = structlog.get_logger(__name__)

MOST_ORDERS: Final = 15  # in one POST /orders
MOST_CANCELS: Final = 120  # in one DELETE /orders: the burst of the tightest tier
# So many batches of orders may leave at once; each finds a connection that is open already.
WARM: Final = Warm(path="/time", connections=ORDERS.burst // MOST_ORDERS)
MOST_PAGES: Final = 500  # of a listing; a walk that is longer has no end
YOUNG_SEC: Final = 60.0  # as long "not found" proves nothing of an order whose post was not answered clearly
_SECOND = Decimal(1)

T = TypeVar("T")


class ClobAccount:
    """The `Account` port, for the wallet of one signer. For the tasks of one event loop."""

    def __init__(
        self,
        http: ClobHttp,
        signer: OrderSigner,
        clock: Clock,
        *,
        orders: Limit = ORDERS,
        cancels: Limit = CANCELS,
        salts: Callable[[], int] = random_salt,
    ) -> None:
        self._session = Session(http, signer, clock)
        self._signer = signer
        self._clock = clock
        self._salts = salts
        self._orders = Bucket(orders)
        self._cancels = Bucket(cancels)
        self._updates = Bucket(BALANCE_UPDATES)
        self._unclear: dict[OrderId, float] = {}  # orders whose post was not answered clearly, and when

    def __repr__(self) -> str:
        return f"ClobAccount({self._signer!r})"

    def state(self) -> AccountState:
        """What a check asks of the same account, by the same credentials."""
        return AccountState(self._session, self._signer)

    # -- reads ----------------------------------------------------------------------------------------------------

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """See the port. Oldest first."""
        found = [decoding.open_order(row) for row in await self._walk("/data/orders", [])]
        # A listing that moves while it is read may show an order twice: the later look at it counts.
        unique = {order.order_id.lower(): order for order in found}
        return tuple(sorted(unique.values(), key=lambda order: (order.ts, order.order_id)))

    async def look_up(self, order_id: OrderId) -> LookUp:
        """See the port. 404 and every form of an empty answer are UNKNOWN."""
        try:
            raw = await self._session.read(f"/data/order/{order_id}")
        except StatusError as error:
            if error.status == 404:
                return LookUp(order_id=order_id, fate=OrderFate.UNKNOWN)
            raise
        return decoding.look_up(order_id, raw)

    async def fills(self, *, after: Decimal) -> tuple[Fill, ...]:
        """See the port. Whole seconds: match times have no more, so one within the second of `after` counts."""
        since = max(after // _SECOND, Decimal(0))
        # One second more is asked for, since nobody says whether "after" is meant strictly.
        rows = await self._walk("/data/trades", [("after", str(max(int(since) - 1, 0)))])
        credentials = await self._session.credentials()
        me = decoding.Me(wallet=self._signer.funder, api_key=credentials.key)
        trades: dict[str, tuple[Fill, ...]] = {}
        for row in rows:
            mine = decoding.fills(row, me)
            trade_id = decoding.text(decoding.a_row(row, "a trade"), "id")
            trades[trade_id] = mine  # a trade on two pages: the later look at it counts
            if not mine:
                _log.warning("a trade is listed as ours that has no part of ours", trade_id=trade_id)
        found = [fill for mine in trades.values() for fill in mine if fill.ts >= since]
        return tuple(sorted(found, key=lambda fill: (fill.ts, fill.trade_id, fill.order_id)))

    async def cash(self) -> Decimal:
        """See the port."""
        return decoding.balance(await self._session.read("/balance-allowance", self._asset("COLLATERAL")))

    async def balance(self, token_id: TokenId) -> Decimal:
        """See the port."""
        match kind_of(token_id):
            case IdKind.CTF:
                asset = self._asset("CONDITIONAL", token_id)
            case IdKind.MALFORMED:
                raise Unreachable(f"balance of {token_id!r}: not a token id, nothing was asked")
            case _:
                asset = self._asset("CONDITIONAL-V2", token_id)
        await self._update(asset)
        return decoding.balance(await self._session.read("/balance-allowance", asset))

    async def refresh_cash(self) -> None:
        """See the port."""
        await self._update(self._asset("COLLATERAL"))

    async def _update(self, asset: list[tuple[str, str]]) -> None:
        async with self._updates.spend(1):
            await self._session.read("/balance-allowance/update", asset)

    def _asset(self, kind: str, token_id: TokenId | None = None) -> list[tuple[str, str]]:
        token = [("token_id", token_id)] if token_id is not None else []
        return [("asset_type", kind), *token, ("signature_type", str(self._signer.signature_type))]

    async def _walk(self, path: str, params: list[tuple[str, str]]) -> list[object]:
        """Every row of a paged listing, one page after another. Raises BadAnswer for a walk without an end."""
        found: list[object] = []
        seen: set[str] = set()
        cursor: str | None = decoding.FIRST_PAGE
        while cursor is not None:
            if cursor in seen or len(seen) >= MOST_PAGES:
                raise BadAnswer(f"{path}: the pages have no end (cursor {cursor[:40]!r}, page {len(seen) + 1})")
            seen.add(cursor)
            page = decoding.page(await self._session.read(path, [*params, ("next_cursor", cursor)]))
            found += page.rows
            cursor = page.next_cursor
        return found

    # -- orders ---------------------------------------------------------------------------------------------------

    def sign(self, orders: Sequence[ToSign]) -> tuple[SignedOrder, ...]:
        """See the port. Raises BadInput for an order that can't be signed as it was decided."""
        timestamp_ms = int(self._clock.now() * 1000)
        return tuple(self._signer.sign_order(order, salt=self._salts(), timestamp_ms=timestamp_ms) for order in orders)

    async def post(
        self, orders: Sequence[SignedOrder], *, unless: Callable[[], bool] = lambda: False
    ) -> tuple[PostAnswer, ...]:
        """See the port."""
        stop = _Stop(unless=unless)
        size = min(MOST_ORDERS, self._orders.limit.burst)
        batches = await asyncio.gather(*(self._post(batch, stop) for batch in _chunks(orders, size)))
        answers = tuple(answer for batch in batches for answer in batch)
        now = asyncio.get_running_loop().time()
        self._unclear = {one: at for one, at in self._unclear.items() if now - at < YOUNG_SEC}
        self._unclear |= {each.order_id: now for each in answers if each.fate is PostFate.UNKNOWN}
        return answers

    async def cancel(self, order_ids: Sequence[OrderId]) -> tuple[CancelAnswer, ...]:
        """See the port."""
        size = min(MOST_CANCELS, self._cancels.limit.burst)
        chunks = _chunks(list(dict.fromkeys(order_ids)), size)
        batches = await asyncio.gather(*(self._cancel(chunk) for chunk in chunks))
        answers = {answer.order_id: answer for batch in batches for answer in batch}
        return tuple(answers[order_id] for order_id in order_ids)

    async def _post(self, batch: Sequence[SignedOrder], stop: _Stop) -> tuple[PostAnswer, ...]:
        async with self._orders.spend(len(batch), unless=stop.given) as go:
            if not go:
                assert stop.refusal is not None
                return not_sent(batch, stop.refusal, stop.words)
            fresh = self._session.doubted  # the credentials were derived anew, after a 401
            try:
                answered = await self._session.send("POST", "/orders", lambda mine: _body(batch, mine))
            except FateUnknown as error:
                stop.because(Refusal.BUSY, str(error))
                return in_doubt(batch, str(error))
            except (Unreachable, BadAnswer) as error:  # no credentials
                stop.because(Refusal.BUSY, str(error))
                return not_sent(batch, Refusal.BUSY, str(error))
            self._orders.answered(answered.status, answered.headers)
            result = posted(batch, answered.status, answered.body)
            answers, why = result.answers, result.stop
            if answered.status == 401 and not fresh:
                # The first time it may be the credentials that are stale; the next request derives them anew.
                answers, why = tuple(_milder(answer) for answer in answers), Refusal.OTHER
            if why is not None:
                stop.because(why, next((one.words for one in answers if one.refusal in (None, why)), ""))
            return answers

    async def _cancel(self, order_ids: Sequence[OrderId]) -> tuple[CancelAnswer, ...]:
        async with self._cancels.spend(len(order_ids)):
            try:
                answered = await self._session.send("DELETE", "/orders", lambda _: msgspec.json.encode(order_ids))
            except (FateUnknown, Unreachable, BadAnswer) as error:
                return not_confirmed(order_ids, str(error))
            self._cancels.answered(answered.status, answered.headers)
        now = asyncio.get_running_loop().time()
        young = [one for one in order_ids if now - self._unclear.get(one, float("-inf")) < YOUNG_SEC]
        return cancelled(order_ids, answered.status, answered.body, young=young)


@define
class _Stop:
    """Why the batches that have not left yet are not sent."""

    unless: Callable[[], bool]
    refusal: Refusal | None = None
    words: str = ""

    def given(self) -> bool:
        if self.unless():
            self.because(Refusal.STOPPED, "a stop came first")
        return self.refusal is not None

    def because(self, refusal: Refusal, words: str) -> None:
        if self.refusal is None:
            self.refusal, self.words = refusal, words


def _milder(answer: PostAnswer) -> PostAnswer:
    return PostAnswer(order_id=answer.order_id, fate=answer.fate, refusal=Refusal.OTHER, words=answer.words)


def _body(batch: Iterable[SignedOrder], credentials: ApiCredentials) -> bytes:
    # deferExec: the answer does not wait for what an order that matches at once sets off on chain.
    return msgspec.json.encode([{**leg(order, credentials.key), "deferExec": True} for order in batch])


def _chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
