"""What goes wrong, on request: one endpoint, one kind, so many times.

    world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.DROP, after_effect=True))   # done, and nobody is told
    world.faults.add(Endpoint.POSITIONS_V2, Fault(kind=Kind.STATUS, status=500, skip=1, times=None))

Faults of one endpoint are used up in the order in which they were added. The ways to fail are those of API.md; over
HTTP they are what the socket shows, in process what the port's adapter would make of it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from attrs import define, field


class Endpoint(StrEnum):
    """Everything that can be asked of the services."""

    STATUS = "GET /v2/status"
    POSITIONS_V2 = "GET /v2/positions"
    POSITIONS_V1 = "GET /positions"
    GAMMA_MARKETS = "GET /markets"
    TIME = "GET /time"
    VERSION = "GET /version"
    BOOK = "GET /book"
    BOOKS = "POST /books"
    MARKET = "GET /markets/{condition_id}"
    DERIVE_KEY = "GET /auth/derive-api-key"
    CREATE_KEY = "POST /auth/api-key"
    POST_ORDER = "POST /order"
    POST_ORDERS = "POST /orders"
    CANCEL_ORDER = "DELETE /order"
    CANCEL_ORDERS = "DELETE /orders"
    OPEN_ORDERS = "GET /data/orders"
    ORDER = "GET /data/order/{order_id}"
    TRADES = "GET /data/trades"
    BALANCE = "GET /balance-allowance"
    REFRESH = "GET /balance-allowance/update"
    TIER = "GET /v1/user/rate-limit-tier"
    CLOSED_ONLY = "GET /auth/ban-status/closed-only"
    ACTIVITY_V2 = "GET /v2/activity"
    ACTIVITY_V1 = "GET /activity"
    GEOBLOCK = "GET /api/geoblock"


class Kind(StrEnum):
    """In which way it goes wrong. The first five hit the whole answer, the others its rows."""

    STATUS = "status"  # `status` with `body`
    HTML = "html"  # a page for people, with `status`
    GARBAGE = "garbage"  # 200 and half of the JSON
    DROP = "drop"  # the connection is closed without an answer
    NONE = "none"  # nothing but the delay and the deed
    SHORT_PAGES = "short pages"  # one row a page, though more was asked for
    NO_IDS = "no ids"
    DUPLICATES = "duplicates"  # the first row once more
    NOT_A_NUMBER = "not a number"  # the first row's size
    NEGATIVE = "negative"  # the first row's size
    ENDLESS = "endless"  # there is always another page


ROW_KINDS = frozenset({Kind.SHORT_PAGES, Kind.NO_IDS, Kind.DUPLICATES, Kind.NOT_A_NUMBER, Kind.NEGATIVE, Kind.ENDLESS})


@define(kw_only=True)
class Fault:
    """One thing that goes wrong. `times` None: until it is cleared."""

    kind: Kind
    status: int = 500
    words: str = ""  # of a STATUS, under "error"; "": those of its status
    headers: dict[str, str] = field(factory=dict)
    after_effect: bool = False  # the request is carried out, then its answer is lost
    skip: int = 0  # so many requests are served well before
    times: int | None = 1
    delay_sec: float = 0.0  # before anything else
    deed: Callable[[], object] | None = None  # happens just before the request is looked at: a race that it loses

    def __attrs_post_init__(self) -> None:
        self.words = self.words or _WORDS.get(self.status, f"status {self.status}")


_WORDS = {
    400: "context canceled",
    425: "matching engine is restarting",
    429: "Too Many Requests",
    500: "Internal server error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@define(kw_only=True)
class Faults:
    """The faults that are still to come, by endpoint."""

    waiting: dict[Endpoint, list[Fault]] = field(factory=dict)

    def add(self, endpoint: Endpoint, *faults: Fault) -> None:
        """Let these go wrong, one after another."""
        self.waiting.setdefault(endpoint, []).extend(faults)

    def clear(self, endpoint: Endpoint | None = None) -> None:
        """No more faults, at one endpoint or at all."""
        if endpoint is None:
            self.waiting.clear()
        else:
            self.waiting.pop(endpoint, None)

    def take(self, endpoint: Endpoint) -> Fault | None:
        """The fault of this request, used up; None: it goes well."""
        faults = self.waiting.get(endpoint)
        if not faults:
            return None
        fault = faults[0]
        if fault.skip > 0:
            fault.skip -= 1
            return None
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                faults.pop(0)
        return fault
