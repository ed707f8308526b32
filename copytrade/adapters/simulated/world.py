"""An exchange and everything around it: its clock, its faults, how wallets are reported, and a story that unfolds.

`now()` moves the world to what its clock shows: story and engine in the order of time. Whoever asks the world anything
calls it first; nothing else makes time pass.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from attrs import define, field, frozen

from copytrade.adapters.signing import ApiCredentials
from copytrade.adapters.simulated.faults import Endpoint, Faults
from copytrade.adapters.simulated.feed import Feed
from copytrade.adapters.simulated.rules import Exchange

_ASKED = 100_000  # requests that are remembered one by one


@frozen(kw_only=True)
class Event:
    """What happens in the world at a time of its own."""

    at: Decimal  # seconds since the epoch
    deed: Callable[[Exchange], object]
    words: str = ""  # for whoever watches


@frozen(kw_only=True)
class Asked:
    """One request that was made, for tests and measurements."""

    endpoint: Endpoint
    at: Decimal
    wallet: str = ""
    items: int = 1  # orders, cancels or tokens in it


@define(kw_only=True, eq=False)
class World:
    """The whole of it. Tests reach into `exchange`, `faults`, `feeds` and the switches; nobody else does."""

    exchange: Exchange
    clock: Callable[[], Decimal]
    faults: Faults = field(factory=Faults)
    feeds: dict[str, Feed] = field(factory=dict)
    story: list[Event] = field(factory=list)  # in the order of time; what has happened is taken out
    told: list[Event] = field(factory=list)  # what has happened, for whoever watches
    serves_v2: bool = True  # False: the Data-API knows nothing of version 2
    latency_sec: float = 0.0  # of every HTTP answer
    prefixes: bool = False  # ORDER_STATUS_LIVE instead of LIVE, and likewise for trades
    null_look_ups: bool = False  # an order that is not found is answered with 200 and null, instead of 404
    blocked: bool = False  # nobody may trade from here
    country: str = "IE"  # where we are taken to be
    clob_version: int = 2  # which orders are taken
    max_skew_sec: Decimal | None = None  # L2 timestamps further off than this are refused; None: any time goes
    made_keys: set[str] = field(factory=set)  # addresses that have API credentials
    asked: deque[Asked] = field(factory=lambda: deque(maxlen=_ASKED))  # the latest
    count: Counter[Endpoint] = field(factory=Counter)
    at_once: Counter[Endpoint] = field(factory=Counter)  # how many requests were under way together, at most

    def now(self) -> Decimal:
        """Let the world catch up with its clock, and tell the time."""
        now = self.clock()
        while self.story and self.story[0].at <= now:
            event = self.story.pop(0)
            self.exchange.tick(event.at)
            event.deed(self.exchange)
            self.told.append(event)
        self.exchange.tick(now)
        return self.exchange.now

    def feed(self, address: str) -> Feed:
        """How a wallet is reported (punctually, unless it was said otherwise)."""
        return self.feeds.setdefault(address.lower(), Feed())

    def note(self, endpoint: Endpoint, *, wallet: str = "", items: int = 1) -> None:
        """Write a request down."""
        self.count[endpoint] += 1
        self.asked.append(Asked(endpoint=endpoint, at=self.exchange.now, wallet=wallet, items=items))

    def forget_requests(self) -> None:
        """Count requests from here on."""
        self.asked.clear()
        self.count.clear()
        self.at_once.clear()

    def credentials(self, signer: str) -> ApiCredentials:
        """The API credentials of a signing address: always the same ones, and worth nothing anywhere else."""
        digest = hashlib.sha512(b"simulated" + signer.lower().encode()).digest()
        return ApiCredentials(
            key=str(UUID(bytes=digest[:16])),
            secret=base64.urlsafe_b64encode(digest[16:48]).decode(),
            passphrase=digest[48:].hex(),
        )
