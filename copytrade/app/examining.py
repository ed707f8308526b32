"""Ask everything that a start depends on, together, each within a time of its own; what is not answered is `Unknown`.

    at once     region, clock, order version, the target's positions and ours, the feed's lag, the account's credentials
    then        with credentials: closed-only, cash and allowances, tier; with no position of the target: has it traded
    at last     one position of ours, at the exchange (only for `everything`)

Nothing is changed at the exchange, but for API credentials where `make_credentials` says so. The start of a run asks
as little as its faults need (not `everything`): four dependent rounds, once, however many tokens there are.

Not here: what the answers mean (checks.py), this machine's own facts (wiring/checking.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from decimal import Decimal
from typing import TypeVar

from attrs import evolve, frozen

from copytrade.app.checks import Facts, Held, Unknown
from copytrade.app.ports import AccountChecks, Clock, ExchangeChecks, FeedChecks, MarketData, Place
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import Position, Positions
from copytrade.errors import Refused, Unreachable, VenueError

ANSWER_SEC = 20.0  # for one question; the connections themselves give up before that, and say why
_TRADED = (IdKind.CTF, IdKind.V2_BINARY, IdKind.V2_NEG_RISK)

T = TypeVar("T")


@frozen(kw_only=True)
class Asked:
    """Who is asked. Without an `account` what needs a key is left out; without a `place`, the region."""

    clock: Clock
    market: MarketData
    exchange: ExchangeChecks
    feed: FeedChecks
    place: Place | None = None
    account: AccountChecks | None = None


async def examine(
    known: Facts, asked: Asked, *, everything: bool, make_credentials: bool, answer_sec: float = ANSWER_SEC
) -> Facts:
    """`known` (this machine's facts) with everything that the services say. Raises nothing that a service does."""
    asking = _Asking(asked=asked, everything=everything, make_credentials=make_credentials, answer_sec=answer_sec)
    public, private = await asyncio.gather(asking.public(known), asking.private(known))
    found = evolve(
        public,
        credentials=private.credentials,
        closed_only=private.closed_only,
        funds=private.funds,
        tier=private.tier,
    )
    if everything and asked.account is not None and found.credentials is True and isinstance(found.mine, Positions):
        position = _largest(found.mine)
        if position is not None:
            found = evolve(found, held=await asking.answer(_held(asked.account, position)))
    return found


@frozen(kw_only=True)
class _Asking:
    """How it is asked."""

    asked: Asked
    everything: bool
    make_credentials: bool
    answer_sec: float

    async def public(self, known: Facts) -> Facts:
        """What anybody may ask."""
        policy, asked, place = known.config.policy, self.asked, self.asked.place
        region, skew, version, target, mine, lag = await asyncio.gather(
            _nothing() if place is None else self.answer(place.region()),
            self.answer(_skew(asked)),
            self.answer(asked.exchange.order_version()),
            self.answer(_positions(asked.feed, policy.target_address)),
            self.answer(_positions(asked.feed, policy.my_address)),
            self.answer(asked.feed.served_lag()) if self.everything else _nothing(),
        )
        traded: bool | Unknown | None = None
        if isinstance(target, Positions) and not target.positions and not target.incomplete:
            traded = await self.answer(asked.feed.has_traded(policy.target_address))
        return evolve(
            known,
            region=region,
            skew_sec=skew,
            order_version=version,
            target=target,
            mine=mine,
            lag_sec=lag,
            has_traded=traded,
            feed_version=asked.feed.version,
        )

    async def private(self, known: Facts) -> Facts:
        """What only the account's own key may ask."""
        account = self.asked.account
        if account is None:
            return known
        credentials = await self.answer(account.has_credentials(make=self.make_credentials))
        if credentials is not True:
            return evolve(known, credentials=credentials)
        closed_only, funds, tier = await asyncio.gather(
            self.answer(account.closed_only()),
            self.answer(account.funds()),
            self.answer(account.tier()) if self.everything else _nothing(),
        )
        return evolve(known, credentials=True, closed_only=closed_only, funds=funds, tier=tier)

    async def answer(self, asking: Awaitable[T]) -> T | Unknown:
        """What was answered in time, or why nothing was."""
        try:
            async with asyncio.timeout(self.answer_sec):
                return await asking
        except Refused as error:
            return Unknown(why=f"refused: {error}", no=True)
        except VenueError as error:
            return Unknown(why=str(error))
        except TimeoutError:
            return Unknown(why=f"no answer in {self.answer_sec:g} s")


async def _nothing() -> None:
    return None


async def _skew(asked: Asked) -> Decimal:
    """Seconds by which the exchange's clock is ahead of ours. It tells whole seconds: inside its second it is right."""
    before = asked.clock.now()
    there = await asked.market.server_time()
    after = asked.clock.now()
    if there > after:
        return there - after
    latest = there + 1 if there == int(there) else there
    return min(latest - before, Decimal(0))


async def _positions(feed: FeedChecks, wallet: str) -> Positions:
    answer = await feed.positions(wallet)
    if not answer.ok:
        raise Unreachable("the positions feed gave no usable answer")
    return answer


def _largest(mine: Positions) -> Position | None:
    """The position of ours that says most: the largest one that can still be traded."""
    rows = [
        row for row in mine.positions if row.token_id and not row.redeemable and row.size > 0
        and kind_of(row.token_id) in _TRADED
    ]  # fmt: skip
    return max(rows, key=lambda row: (row.size, row.token_key), default=None)


async def _held(account: AccountChecks, position: Position) -> Held:
    return Held(position=position, funds=await account.funds(position.token_id))
