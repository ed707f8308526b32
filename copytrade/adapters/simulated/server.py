"""The services over real HTTP on loopback, in one process: the shapes of shapes.py over the engine of rules.py.

    async with serve(world) as urls:
        ...  # urls.data_api_url, urls.gamma_api_url, urls.clob_url, urls.geoblock_url: a port each, as in production

A request is served in this order: latency, the world catches up with its clock, a fault may strike, authentication,
the effect, a fault may strike after it. Faults that drop the answer close the connection without a byte.
Source: API.md. Asking the wrong one of the hosts is answered with 404, as it would be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from attrs import frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from copytrade.adapters.simulated import handlers, shapes
from copytrade.adapters.simulated.auth import Denied
from copytrade.adapters.simulated.faults import ROW_KINDS, Endpoint, Fault, Kind
from copytrade.adapters.simulated.handlers import Answer, Ask
from copytrade.adapters.simulated.spoiling import spoiled
from copytrade.adapters.simulated.world import World

_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_STOP_SEC = 2  # for what is still under way when the server stops


@frozen(kw_only=True)
class Urls:
    """Where the services are, without a slash at the end, by the names of the configuration."""

    data_api_url: str
    gamma_api_url: str
    clob_url: str
    geoblock_url: str


@contextlib.asynccontextmanager
async def serve(world: World, *, port: int = 0) -> AsyncIterator[Urls]:
    """Serve `world` in this event loop until the block ends. Loopback only: on `port` and those after it, or, with 0,
    on ports that happen to be free.

    Raises OSError where a port is taken.
    """
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(_listening(port and port + number)) for number in range(len(handlers.HOSTS))]
        opened.pop_all()
    ports = [each.getsockname()[1] for each in sockets]
    apps = dict(zip(ports, (_app(world, routes) for routes in handlers.HOSTS), strict=True))

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        await apps[scope["server"][1]](scope, receive, send)

    config = uvicorn.Config(
        dispatch,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=sockets))
    try:
        await server.ready.wait()
        data_api, gamma_api, clob, site = (f"http://127.0.0.1:{each}" for each in ports)
        yield Urls(data_api_url=data_api, gamma_api_url=gamma_api, clob_url=clob, geoblock_url=f"{site}/api/geoblock")
    finally:
        server.stopping.set()
        await running


def _listening(port: int) -> socket.socket:
    # IPPROTO_TCP said aloud: asyncio turns Nagle's delay off only then, and an answer would take 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port that was just given up can be taken again; one that somebody listens at cannot.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """Uvicorn as a guest: it leaves the signals to the host, and starts and stops without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for each in self.servers:
            each.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=_STOP_SEC)
            for task in late:
                task.cancel()
        for listener in sockets or []:
            listener.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """Hands each request its connection, so that a fault can close it without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def _app(world: World, routes: handlers.Routes) -> Starlette:
    """One service. What has no route is 404, as at the real ones."""
    listed = [
        Route(endpoint.partition(" ")[2], _served(world, endpoint, handler), methods=[endpoint.partition(" ")[0]])
        for endpoint, handler in routes.items()
    ]
    return Starlette(routes=listed, exception_handlers={404: _not_found, 405: _not_found})


async def _not_found(_: Request, __: Exception) -> Response:
    return _response(Answer(status=404, content={"error": "Not Found"}))


def _served(world: World, endpoint: Endpoint, handler: handlers.Handler) -> Callable[[Request], Awaitable[Response]]:
    under_way = 0

    async def answer(request: Request) -> Response:
        nonlocal under_way
        under_way += 1
        world.at_once[endpoint] = max(world.at_once[endpoint], under_way)
        try:
            return await _answer(world, endpoint, handler, request)
        finally:
            under_way -= 1

    return answer


async def _answer(world: World, endpoint: Endpoint, handler: handlers.Handler, request: Request) -> Response:
    body = await request.body()
    if world.latency_sec > 0:
        await asyncio.sleep(world.latency_sec)
    fault = world.faults.take(endpoint)
    if fault is not None and fault.delay_sec > 0:
        await asyncio.sleep(fault.delay_sec)
    world.now()
    if fault is not None and fault.deed is not None:
        fault.deed()
    ask = Ask(
        endpoint=endpoint,
        method=request.method,
        path=request.url.path,
        query=tuple(request.query_params.multi_items()),
        headers=request.headers,
        body=body,
        params=request.path_params,
        one_row_pages=fault is not None and fault.kind is Kind.SHORT_PAGES,
    )
    world.note(endpoint, wallet=ask.one("user") or request.headers.get("poly_address", ""), items=ask.items)
    if fault is not None and not fault.after_effect and fault.kind not in ROW_KINDS and fault.kind is not Kind.NONE:
        return await _struck(fault, None, request)
    try:
        given = handler(world, ask)
    except Denied as denied:
        given = Answer(status=denied.status, content={"error": denied.words})
    if fault is None or fault.kind is Kind.NONE:
        return _response(given)
    if fault.kind in ROW_KINDS:
        return _response(spoiled(given, fault.kind, ask))
    return await _struck(fault, given, request)


def _response(answer: Answer) -> Response:
    return Response(
        shapes.encode(answer.content), answer.status, dict(answer.headers), media_type="application/json; charset=utf-8"
    )


async def _struck(fault: Fault, given: Answer | None, request: Request) -> Response:
    """The answer that comes instead of the right one."""
    match fault.kind:
        case Kind.HTML:
            return Response(_HTML, fault.status, dict(fault.headers), media_type="text/html")
        case Kind.GARBAGE:
            text = shapes.encode(given.content if given is not None else {"data": [], "half": "of it"})
            return Response(text[: len(text) // 2], 200, media_type="application/json")
        case Kind.DROP:
            request.state.transport.abort()
            await request.receive()  # the body is read, so this comes back when the connection is gone
            return Response(status_code=500)  # nobody is there to read it
        case _:
            return _response(Answer(status=fault.status, content={"error": fault.words}, headers=fault.headers))
