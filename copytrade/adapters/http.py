"""One way to talk to a service over HTTP: reads that are tried again, and sends that never are.

A *read* changes nothing at the service (every GET, and `POST /books`), so it may be asked again: after a transport
fault, a time-out, 408, 425, 429 or any 5xx, with growing, jittered waits, until `retry_total_sec` have passed. A 429
or 503 that says `Retry-After` is obeyed. Any other status that is not 2xx is the answer, and comes at once.

A *send* may have changed something as soon as its first byte has left, so it is sent once, and whatever is not one
complete HTTP answer is `FateUnknown`. What a complete answer means, a 5xx too, is for the caller to say.

Limits of the exchange are kept here (`Bucket`), so that we pace ourselves rather than bounce off them, and connections
are kept open (`Warm`) for requests that will leave together: a new one costs two or three round trips before its first
byte.

Not here: what answers mean (data_api.py, resolver.py, clob.py).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
import stamina
import structlog
from aiolimiter import AsyncLimiter
from attrs import field, frozen

from copytrade.adapters.redaction import redact
from copytrade.errors import BadAnswer, BadInput, FateUnknown, Fault, Unreachable

if TYPE_CHECKING:
    import ssl

    import httpx

_log = structlog.get_logger(__name__)
_ROOT = logging.getLogger()

Params = Sequence[tuple[str, str]] | Mapping[str, str]

MAX_BYTES: Final = 32 * 1024 * 1024  # 500 whole books are a few MB
_RETRIED: Final = frozenset({408, 425, 429})  # and 5xx, but for 501: what is not implemented will not be in a second
_IDLE_SEC: Final = 90.0  # after which a connection that nobody uses is given up
_WORDS_SHOWN: Final = 200  # characters of an answer that an error quotes
_REDACTED: Final = 1 << 16  # bytes of it that are searched for secrets first; far more than are shown


class StatusError(Unreachable):
    """A read was answered with a status other than 2xx, retries included where they help: a refusal to answer."""

    def __init__(self, text: str, *, status: int, body: bytes) -> None:
        super().__init__(text)
        self.status = status
        self.body = body


@frozen(kw_only=True)
class Bucket:
    """A limit of the service: requests by `method` on `paths` (prefixes) take tokens: `burst` of them, refilled evenly.

    A request takes from every bucket that it falls under, and waits until all have enough.
    """

    method: str
    paths: tuple[str, ...]
    burst: float
    per_sec: float

    @classmethod
    def window(cls, method: str, *paths: str, requests: int, seconds: float) -> Bucket:
        """At most `requests` in *any* window of `seconds`, as API.md's table says it.

        Half of them may come at once and half trickle in over the window: a full burst and a full refill would fall
        into one window together.
        """
        return cls(method=method, paths=paths, burst=requests / 2, per_sec=requests / 2 / seconds)

    def holds(self, method: str, path: str) -> bool:
        return method == self.method and path.startswith(self.paths)


@frozen(kw_only=True)
class Warm:
    """How to keep connections open that are not needed at present: by asking for `path`, so many times at once.

    Done with the first request, and with the first one `every_sec` after that: before idle connections are given up.
    """

    path: str
    connections: int
    every_sec: float = _IDLE_SEC - 30


@frozen(kw_only=True)
class RequestCount:
    """How many requests have left, by host and in all, tries of the same read included. Shared by the adapters."""

    by_host: Counter[str] = field(factory=Counter)

    @property
    def total(self) -> int:
        return self.by_host.total()


class Http:
    """One service at `base_url`, over one pool of kept connections.

    `timeout_sec` bounds one try as a whole (a body that drips in too), `retry_total_sec` (and `attempts`, where it is
    given) a read with all its tries and waits. `read` and `send` may be called at the same time from many tasks of one
    event loop. `async with` closes it.

    Raises BadInput for an address that is not https, unless it is plain http on loopback.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_sec: float = 10.0,
        retry_total_sec: float = 15.0,
        attempts: int | None = None,
        wait_initial_sec: float = 0.1,
        wait_max_sec: float = 3.0,
        max_bytes: int = MAX_BYTES,
        buckets: Sequence[Bucket] = (),
        warm: Warm | None = None,
        count: RequestCount | None = None,
        client: httpx.AsyncClient | None = None,
        name: str = "base_url",
    ) -> None:
        self.base_url = checked_url(base_url, name=name)
        self.host = urlsplit(self.base_url).netloc
        self.count = count if count is not None else RequestCount()
        self.requests = 0  # of this service, tries of the same read included
        self._timeout_sec = timeout_sec
        self._retry_total_sec = retry_total_sec
        self._wait_initial_sec = wait_initial_sec
        self._max_bytes = max_bytes
        self._limits = tuple((bucket, AsyncLimiter(bucket.burst, bucket.burst / bucket.per_sec)) for bucket in buckets)
        self._client = client
        self._owns_client = client is None
        self._warm = warm
        self._warmed_at = float("-inf")
        self._warming: set[asyncio.Task[None]] = set()
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=attempts,
            timeout=retry_total_sec,
            wait_initial=wait_initial_sec,
            wait_max=wait_max_sec,
            wait_jitter=wait_initial_sec * 2,
        )

    async def __aenter__(self) -> Http:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless the client was handed in. A later call opens new ones."""
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        if self._client is not None and self._owns_client:
            client, self._client = self._client, None
            await client.aclose()

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of a 2xx answer to a request that changes nothing, tried again where that can help.

        `json` is written as the body where it is not None. Raises StatusError (an Unreachable) for any other status,
        Unreachable where no whole answer came in time, BadAnswer for an answer larger than `max_bytes`.
        """
        self._keep_warm()
        content = msgspec.json.encode(json) if json is not None else b""
        last: list[_TryAgain] = []  # why the latest try failed, for when time runs out in the middle of the next one
        try:
            async with asyncio.timeout(self._retry_total_sec):
                return await self._retrying(
                    _wait_for(time.monotonic() + self._retry_total_sec, self._wait_initial_sec),
                    self._try_read,
                    method,
                    path,
                    params,
                    content,
                    headers or {},
                    last,
                )
        except _TryAgain as failure:
            raise failure.for_good() from failure
        except TimeoutError:
            if last:
                raise last[-1].for_good() from last[-1]
            raise Unreachable(f"{method} {self.host}{path}: no answer in {self._retry_total_sec:g} s") from None

    async def send(
        self,
        method: str,
        path: str,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        cost: float = 1,
    ) -> tuple[int, bytes]:
        """Send once and give back status and body, whatever they are.

        `cost` is what it takes from the buckets (a batch costs its orders); the wait for them comes before the first
        byte. Raises FateUnknown for anything that is not one complete answer, even where nothing can have been sent.
        """
        self._keep_warm()
        await self._take(method, path, cost)
        try:
            async with asyncio.timeout(self._timeout_sec):
                status, body, _ = await self._exchange(method, path, (), content, headers or {})
        except TimeoutError as error:
            raise FateUnknown(f"{method} {self.host}{path}: no whole answer in {self._timeout_sec:g} s") from error
        except _TooLarge as error:
            raise FateUnknown(str(error)) from error
        except _transport_faults() as error:
            raise FateUnknown(f"{method} {self.host}{path}: {_name(error)}") from error
        return status, body

    async def _try_read(
        self,
        method: str,
        path: str,
        params: Params,
        content: bytes,
        headers: Mapping[str, str],
        last: list[_TryAgain],
    ) -> bytes:
        """One try. Raises _TryAgain where another one may help."""
        what = f"{method} {self.host}{path}"
        await self._take(method, path, 1)
        try:
            async with asyncio.timeout(self._timeout_sec):
                status, body, answered = await self._exchange(method, path, params, content, headers)
        except TimeoutError as error:
            raise _noted(last, _TryAgain(f"{what}: no whole answer in {self._timeout_sec:g} s")) from error
        except _TooLarge as error:
            raise BadAnswer(str(error)) from error
        except _transport_faults() as error:
            raise _noted(last, _TryAgain(f"{what}: {_name(error)}")) from error
        if 200 <= status < 300:
            return body
        text = f"{what}: status {status}{_quoted(body)}"
        if status in _RETRIED or (status >= 500 and status != 501):
            after_sec = _retry_after(answered.get("retry-after", "")) if status in (429, 503) else None
            raise _noted(last, _TryAgain(text, status=status, body=body, after_sec=after_sec))
        raise StatusError(text, status=status, body=body)

    async def _exchange(
        self, method: str, path: str, params: Params, content: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """One request, one whole answer: status, body, headers. Raises httpx's errors, TimeoutError and _TooLarge."""
        if content and not any(name.lower() == "content-type" for name in headers):
            headers = {**headers, "Content-Type": "application/json"}
        # Built by hand, not by base_url and params of the client: the text that L2 headers sign must be the text sent.
        url = self.base_url + path
        pairs = list(params.items() if isinstance(params, Mapping) else params)
        if pairs:
            url += "?" + urlencode(pairs)
        self.requests += 1
        self.count.by_host[self.host] += 1
        begun = time.monotonic()
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(
                self._pool().stream(method, url, content=content or None, headers=headers)
            )
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    raise _TooLarge(f"{method} {self.host}{path}: an answer of more than {self._max_bytes} bytes")
            if _ROOT.isEnabledFor(logging.DEBUG):  # hundreds a minute: it must cost nothing where nobody asks
                seconds = round(time.monotonic() - begun, 3)
                _log.debug(
                    "request", method=method, host=self.host, path=path, status=response.status_code, seconds=seconds,
                    bytes=len(body),
                )  # fmt: skip
            return response.status_code, bytes(body), response.headers

    def _keep_warm(self) -> None:
        """Open connections, or use those that nobody else does, where it is time to. Nobody waits for it."""
        warm, now = self._warm, time.monotonic()
        if warm is None or now - self._warmed_at < warm.every_sec:
            return
        self._warmed_at = now
        for _ in range(warm.connections):
            task = asyncio.create_task(self._ask_quietly(warm.path))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def _ask_quietly(self, path: str) -> None:
        """A GET whose answer does not matter. What is wrong with the service, other requests will tell."""
        with suppress(TimeoutError, _TooLarge, *_transport_faults()):
            async with asyncio.timeout(self._timeout_sec):
                await self._exchange("GET", path, (), b"", {})

    async def _take(self, method: str, path: str, cost: float) -> None:
        for bucket, limiter in self._limits:
            if bucket.holds(method, path):
                await limiter.acquire(cost)

    def _pool(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = new_client(self.base_url, timeout_sec=self._timeout_sec)
        return self._client


def new_client(base_url: str, *, timeout_sec: float) -> httpx.AsyncClient:
    """A client with a pool of kept connections. Redirects are not followed: none of these services sends any.

    A proxy of the environment is used (and trusted with TLS only); never for loopback.
    """
    import httpx

    # httpcore imports sniffio at every wait for a lock. Where it is not installed, each try searches the whole path
    # anew: 0.2 ms, fifty times a cycle. None tells the import system that there is none.
    if find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # documented, and not in its type

    secure = base_url.startswith("https://")
    return httpx.AsyncClient(
        verify=_tls() if secure else False,  # no TLS on loopback, so nothing to verify, and 20 ms less to start
        trust_env=secure,
        timeout=httpx.Timeout(timeout_sec),
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=_IDLE_SEC),
        follow_redirects=False,
        headers={"User-Agent": "copytrade", "Accept": "application/json"},
    )


def checked_url(url: str, *, name: str) -> str:
    """The address without a slash at its end. Raises BadInput for anything but https, or plain http on loopback.

    >>> checked_url("https://clob.polymarket.com/", name="clob_url")
    'https://clob.polymarket.com'
    >>> checked_url("http://127.0.0.1:8000", name="clob_url")
    'http://127.0.0.1:8000'
    >>> checked_url("http://clob.polymarket.com", name="clob_url")
    Traceback (most recent call last):
    copytrade.errors.BadInput: clob_url: 1 fault
      clob_url   got http://clob.polymarket.com   wants https://… (plain http is for loopback only)
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises ValueError where it is none
    except ValueError:
        host, parts = "", urlsplit("")
    good = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    if not (good and host) or parts.query or parts.fragment:
        raise BadInput(
            name, [Fault(path=name, got=url or "nothing", wants="https://… (plain http is for loopback only)")]
        )
    if parts.username is not None or parts.password is not None:
        shown = f"{parts.scheme}://…@{host}"  # a password is not repeated
        raise BadInput(name, [Fault(path=name, got=shown, wants="an address without a user name or password")])
    return url.rstrip("/")


def decode(raw: bytes) -> Any:
    """Read JSON with exact numbers: int where it is written without a point or exponent, Decimal otherwise.

    Raises BadAnswer where it is not JSON, whatever is wrong with it.
    """
    try:
        return _DECODER.decode(raw)
    # UnicodeDecodeError is a ValueError; too deep is a RecursionError; 1e99999999999999999999 an ArithmeticError.
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise BadAnswer(f"not JSON ({error}){_quoted(raw)}") from error


_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class _TryAgain(Exception):
    """A try of a read failed in a way that may pass. Its text holds neither headers nor query."""

    def __init__(
        self, text: str, *, status: int | None = None, body: bytes = b"", after_sec: float | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.body = body
        self.after_sec = after_sec

    def for_good(self) -> Unreachable:
        if self.status is None:
            return Unreachable(str(self))
        return StatusError(str(self), status=self.status, body=self.body)


class _TooLarge(Exception):
    """The answer is larger than anything that is asked for."""


def _noted(last: list[_TryAgain], failure: _TryAgain) -> _TryAgain:
    last[:] = [failure]
    return failure


def _wait_for(deadline: float, at_least_sec: float) -> Callable[[Exception], bool | float]:
    """stamina's hook: whether to try again after this error, and after how long where the service has said so."""

    def wait(error: Exception) -> bool | float:
        if not isinstance(error, _TryAgain):
            return False
        if error.after_sec is None:
            return True
        after_sec = max(error.after_sec, at_least_sec)
        # Waiting beyond the deadline would only be cut off there: give up now, the next cycle asks again.
        return after_sec if time.monotonic() + after_sec < deadline else False

    return wait


def _retry_after(text: str) -> float | None:
    """Seconds that a `Retry-After` asks for, as a number or a date. None where it is missing or makes no sense.

    >>> _retry_after("3"), _retry_after(""), _retry_after("-1"), _retry_after("soon")
    (3.0, None, None, None)
    """
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
            seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
        return max(seconds, 0.0)
    return seconds if 0 <= seconds < float("inf") else None


def _transport_faults() -> tuple[type[Exception], ...]:
    import httpx

    # OSError should not come through httpx, and does now and then. InvalidURL, not listed, is a mistake of ours.
    return (httpx.HTTPError, httpx.StreamError, OSError)


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _quoted(body: bytes) -> str:
    """The beginning of an answer, fit for one line of a log."""
    # Redacted before it is cut: half a secret would not be known for one.
    text = " ".join(redact(body[:_REDACTED].decode("utf-8", "replace"))[: _WORDS_SHOWN * 4].split())
    text = "".join(letter for letter in text if letter.isprintable())
    if not text:
        return ""
    return f": {text[:_WORDS_SHOWN]}{'…' if len(text) > _WORDS_SHOWN else ''}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def _tls() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()
