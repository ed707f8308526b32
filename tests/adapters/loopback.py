"""A real HTTP server on loopback that says what a test wants said.

It runs in a thread of its own, so that tests may use `asyncio.run` or none at all:

    with Loopback() as server:
        server.on("GET /time", Answer(body=b"1766000000"))
        server.on("GET /v2/positions", Answer(status=500), Answer(json={"data": []}))   # in turn, the last for ever
        server.on("GET /markets/*", lambda request: Answer(json={"path": request.path}))
        asyncio.run(...)                                                                # server.url, server.requests

Answers are sent as they stand, on connections that are kept alive. `Drop`, `Cut` and `Hang` are the ways in which a
real service gives none. What no route expects gets 404 and a body that names it.
"""

from __future__ import annotations

import asyncio
import json as json_module
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen


@frozen(kw_only=True)
class Request:
    """One request as it came: `query` holds (key, value) pairs in order, header names are lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""

    def all(self, key: str) -> list[str]:
        """Every value of a query key, in order."""
        return [value for name, value in self.query if name == key]

    def one(self, key: str) -> str | None:
        """The first value of a query key, None where it was not sent."""
        return next(iter(self.all(key)), None)

    def json(self) -> Any:
        """The body, read as JSON."""
        return json_module.loads(self.body)


@frozen(kw_only=True)
class Answer:
    """A whole answer. `json` is written as JSON where it is given; `body` is sent byte for byte otherwise."""

    status: int = 200
    body: bytes = b""
    json: Any = None
    headers: Mapping[str, str] = field(factory=dict)

    def encoded(self) -> bytes:
        body = self.body if self.json is None else json_module.dumps(self.json).encode()
        kind = (
            {} if any(name.lower() == "content-type" for name in self.headers) else {"Content-Type": "application/json"}
        )
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{k}: {v}" for k, v in {**kind, **self.headers}.items())]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@frozen(kw_only=True)
class Drop:
    """The connection is closed without a word."""


@frozen(kw_only=True)
class Cut:
    """The connection is closed in the middle of the body."""

    body: bytes = b'{"half": '


@frozen(kw_only=True)
class Hang:
    """Nothing is said until the server is stopped, or one byte every `drip_sec`, which never ends either."""

    drip_sec: float = 0.0


Said = Answer | Drop | Cut | Hang
Handler = Callable[[Request], Said]


class Loopback:
    """The server: `url` is its address, `requests` all that it was asked, `connections` how often it was called."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.connections = 0
        self._routes: dict[str, Handler] = {}
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loopback", daemon=True)

    def on(self, route: str, *said: Said | Handler) -> None:
        """Answer `METHOD /path` (a path may end in `*`) by each of `said` in turn, and by the last one from then on."""
        assert said, "a route needs something to say"
        left = list(said)

        def in_turn(request: Request) -> Said:
            now = left.pop(0) if len(left) > 1 else left[0]
            return now(request) if callable(now) else now

        self._routes[route] = in_turn

    def asked(self, route: str) -> list[Request]:
        """The requests that this `METHOD /path` got."""
        return [request for request in self.requests if _matches(route, request)]

    def __enter__(self) -> Loopback:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.connections += 1
        try:
            while await self._talk(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            self._talks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and answer it. False: this connection is over."""
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        url = urlsplit(target)
        query = tuple(parse_qsl(url.query, keep_blank_values=True))
        request = Request(method=method, path=url.path, query=query, headers=headers, body=body)
        self.requests.append(request)
        match self._handler(request)(request):
            case Answer() as answer:
                writer.write(answer.encoded())
                await writer.drain()
                return True
            case Drop():
                return False
            case Cut(body=body):
                writer.write(f"HTTP/1.1 200 Scripted\r\nContent-Length: {len(body) + 1000}\r\n\r\n".encode() + body)
                await writer.drain()
                return False
            case Hang(drip_sec=0.0):
                await asyncio.Event().wait()
            case Hang(drip_sec=drip_sec):
                writer.write(b"HTTP/1.1 200 Scripted\r\nContent-Length: 1000000\r\n\r\n")
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(drip_sec)
        raise AssertionError("all that can be said was handled")

    def _handler(self, request: Request) -> Handler:
        # The longest route wins, so that an exact one stands before a pattern.
        for route in sorted(self._routes, key=len, reverse=True):
            if _matches(route, request):
                return self._routes[route]
        return _not_expected


def _matches(route: str, request: Request) -> bool:
    method, _, path = route.partition(" ")
    if method != request.method:
        return False
    return request.path.startswith(path[:-1]) if path.endswith("*") else request.path == path


def _not_expected(request: Request) -> Answer:
    return Answer(status=404, json={"error": f"no route for {request.method} {request.path}"})
