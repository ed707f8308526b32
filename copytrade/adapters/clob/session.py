"""Requests in the name of the account: API credentials when they are needed, signed headers on every request.

Rule 1: credentials are derived first, and created only where there are none. They live in memory, are registered with
        the redaction at once, and nothing here shows them.
Rule 2: a 401 may mean that they were replaced. A read derives them anew once and asks again; a post or a cancel was
        refused for certain and stays refused (nothing is sent twice), but the next request will derive them anew.
Rule 3: a 401 to fresh ones is held against the account (`doubted`), until any request succeeds.

Source: API.md "Hosts", "Which client"; py-clob-client-v2 for paths and headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from attrs import field, frozen

from copytrade.adapters.clob import decoding
from copytrade.adapters.clob.posting import reason
from copytrade.adapters.http import Http, Params, StatusError, decode
from copytrade.adapters.redaction import hide, redact
from copytrade.adapters.signing import ApiCredentials, OrderSigner
from copytrade.app.ports import Clock
from copytrade.errors import BadAnswer, FateUnknown, Unreachable


@frozen(kw_only=True)
class Answered:
    """One whole answer to a request that was sent once. Header names are lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict)


_headers: ContextVar[dict[str, str] | None] = ContextVar("headers", default=None)


class ClobHttp(Http):
    """`Http`, with the headers of what was sent once: the exchange tells there how full its buckets are."""

    async def send_once(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Answered:
        """Like `send`. Raises FateUnknown for anything that is not one complete answer."""
        seen: dict[str, str] = {}
        token = _headers.set(seen)
        try:
            status, body = await self.send(method, path, content, headers)
        finally:
            _headers.reset(token)
        return Answered(status=status, body=body, headers=seen)

    async def _exchange(
        self, method: str, path: str, params: Params, content: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        status, body, answered = await super()._exchange(method, path, params, content, headers)
        seen = _headers.get()
        if seen is not None:
            seen.update({name.lower(): value for name, value in answered.items()})
        return status, body, answered


class Session:
    """The account's own requests. For the tasks of one event loop."""

    def __init__(self, http: ClobHttp, signer: OrderSigner, clock: Clock) -> None:
        self.doubted = False  # a 401 made us derive the credentials anew, and nothing has succeeded since
        self._http = http
        self._signer = signer
        self._clock = clock
        self._credentials: ApiCredentials | None = None
        self._deriving = asyncio.Lock()

    async def credentials(self) -> ApiCredentials:
        """The account's API credentials. Raises Unreachable or BadAnswer where there are none to be had."""
        async with self._deriving:
            if self._credentials is None:
                self._credentials = await self._derived() or await self._created()
            return self._credentials

    async def derive(self) -> bool:
        """Are there API credentials already? They are kept; none are made. Raises like `credentials`."""
        async with self._deriving:
            if self._credentials is None:
                self._credentials = await self._derived()
            return self._credentials is not None

    async def read(self, path: str, params: Params = ()) -> bytes:
        """A signed GET, tried again like any read. Raises Unreachable (a StatusError where there is a status)."""
        used = await self.credentials()
        try:
            body = await self._read(path, params, used)
        except StatusError as error:
            if error.status != 401:
                raise
            self._drop(used)
            body = await self._read(path, params, await self.credentials())
        self.doubted = False
        return body

    async def send(self, method: str, path: str, body: Callable[[ApiCredentials], bytes]) -> Answered:
        """A signed request, sent once, whatever is answered; `body` is written with the credentials in hand.

        Raises FateUnknown where it may have arrived, Unreachable or BadAnswer where it was certainly not sent.
        """
        used = await self.credentials()
        content = body(used)
        headers = self._signer.l2_headers(
            used, timestamp=self._now(), method=method, path=path, body=content.decode() if content else None
        )
        answered = await self._http.send_once(method, path, content, headers)
        if answered.status == 401:
            self._drop(used)
        elif answered.status < 500:
            self.doubted = False
        return answered

    async def _read(self, path: str, params: Params, used: ApiCredentials) -> bytes:
        headers = self._signer.l2_headers(used, timestamp=self._now(), method="GET", path=path)
        try:
            return await self._http.read("GET", path, params=params, headers=headers)
        except StatusError as error:
            raise _redacted(error) from None

    def _drop(self, used: ApiCredentials) -> None:
        """These were refused. Of many requests that hear so at once, the first one drops them."""
        if self._credentials is used:
            self._credentials = None
            self.doubted = True

    async def _derived(self) -> ApiCredentials | None:
        headers = self._l1_headers()
        try:
            raw = await self._http.read("GET", "/auth/derive-api-key", headers=headers)
        except StatusError as error:
            if error.status in (400, 404):  # "Could not derive api key!": there is none yet
                return None
            raise _redacted(error) from None
        return _hidden(decoding.credentials(raw))

    async def _created(self) -> ApiCredentials:
        headers = self._l1_headers()
        try:
            answered = await self._http.send_once("POST", "/auth/api-key", b"", headers)
        except FateUnknown as error:
            # If it did arrive, the next try derives what it made.
            raise Unreachable(f"no API credentials: {error}") from error
        if not 200 <= answered.status < 300:
            raise Unreachable(f"no API credentials: status {answered.status}{_words(answered.body)}")
        found = _hidden(decoding.credentials(answered.body))
        if found is None:
            raise BadAnswer("no API credentials: the answer to their creation is empty")
        return found

    def _l1_headers(self) -> dict[str, str]:
        headers = dict(self._signer.l1_headers(timestamp=self._now()))
        hide(headers["POLY_SIGNATURE"])  # while it is fresh, credentials can be derived with it
        return headers

    def _now(self) -> int:
        return int(self._clock.now())


def _hidden(found: ApiCredentials | None) -> ApiCredentials | None:
    if found is not None:
        for secret in (found.key, found.secret, found.passphrase):
            hide(secret)
    return found


def _redacted(error: StatusError) -> StatusError:
    return StatusError(redact(str(error)), status=error.status, body=error.body)


def _words(body: bytes) -> str:
    try:
        words = reason(decode(body))
    except BadAnswer:
        return ""
    return f": {words}" if words else ""
