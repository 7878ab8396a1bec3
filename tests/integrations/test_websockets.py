"""Websockets are counted by the template of their route and by their close code, on every framework."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import falcon.asgi
import litestar
import pytest
from aiohttp import web as aiohttp_web
from fastapi import APIRouter, FastAPI, WebSocket
from litestar import Litestar
from quart import Blueprint, Quart, websocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from tornado import web as tornado_web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.websocket import WebSocketHandler, websocket_connect

import dualmetrics_aiohttp
import dualmetrics_falcon.asgi
import dualmetrics_litestar
import dualmetrics_quart
import dualmetrics_starlette
import dualmetrics_tornado
from dualmetrics import Telemetry
from dualmetrics.asgi import Message, MetricsMiddleware
from dualmetrics.testing import Recorded, RequestLabels
from dualmetrics.testing.asgi_client import Connection, fetch, http_scope

CONNECT: Message = {"type": "websocket.connect"}
LEAVE: Message = {"type": "websocket.disconnect", "code": 1001}


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), websockets=True)
    yield telemetry
    telemetry.shutdown()


class Client(Connection):
    """A client that leaves as soon as its handshake is answered."""

    def __init__(self, path: str) -> None:
        scope = {**http_scope("GET", path), "type": "websocket", "scheme": "ws", "subprotocols": []}
        del scope["method"]  # as servers send it
        super().__init__(scope, [CONNECT])
        self._answered = asyncio.Event()

    async def receive(self) -> Message:
        if self._incoming:
            return await super().receive()
        await self._answered.wait()
        return LEAVE

    async def send(self, message: Message) -> None:
        await super().send(message)
        self._answered.set()


def ended(telemetry: Telemetry) -> dict[Any, Any]:
    """The number of websockets by route, status and close code."""
    recorded = Recorded(telemetry)
    assert recorded.active() == {}
    keys = "http.route", "http.status_code", "websocket.close_code"
    points = recorded.points("http.websockets")
    return {tuple(dict(point.attributes).get(key) for key in keys): point.cells[0] for point in points}


def starlette_app(telemetry: Telemetry) -> Any:
    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()

    inner = Starlette(routes=[WebSocketRoute("/{room:int}", serve)])
    app = Starlette(routes=[Mount("/{site}/rooms", inner)])
    dualmetrics_starlette.DualMetrics(app, telemetry=telemetry)
    return app


def fastapi_app(telemetry: Telemetry) -> Any:
    router, app = APIRouter(prefix="/{site}"), FastAPI()

    @router.websocket("/rooms/{room}")
    async def serve(socket: WebSocket, room: int) -> None:
        await socket.accept()
        await socket.receive()

    app.include_router(router)
    return MetricsMiddleware(app, telemetry=telemetry)


def quart_app(telemetry: Telemetry) -> Any:
    app, site = Quart("app"), Blueprint("site", "app")

    @site.websocket("/rooms/<int:room>")
    async def serve(site: str, room: int) -> None:
        await websocket.accept()
        await websocket.receive()

    app.register_blueprint(site, url_prefix="/<site>")
    dualmetrics_quart.DualMetrics(app, telemetry=telemetry)
    return app


def litestar_app(telemetry: Telemetry) -> Any:
    @litestar.websocket("/rooms/{room:int}")
    async def serve(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.receive_text()

    app = Litestar([litestar.Router("/{site:str}", route_handlers=[serve])])
    dualmetrics_litestar.DualMetrics(app, telemetry=telemetry)
    return app


def falcon_app(telemetry: Telemetry) -> Any:
    class Room:
        async def on_websocket(self, request: Any, socket: Any, site: str, room: int) -> None:
            await socket.accept()
            await socket.receive_text()

    app: Any = falcon.asgi.App()
    app.add_route("/{site}/rooms/{room:int}", Room())
    return dualmetrics_falcon.asgi.DualMetrics(app, telemetry=telemetry)


APPS: dict[str, tuple[Callable[[Telemetry], Any], str]] = {
    "starlette": (starlette_app, "/{site}/rooms/{room}"),
    "fastapi": (fastapi_app, "/{site}/rooms/{room}"),
    "quart": (quart_app, "/<site>/rooms/<int:room>"),
    "litestar": (litestar_app, "/{site}/rooms/{room}"),
    "falcon": (falcon_app, "/{site}/rooms/{room:int}"),
}


@pytest.mark.parametrize("framework", APPS)
def test_a_websocket_is_named_by_its_route(framework: str, telemetry: Telemetry) -> None:
    make_app, route = APPS[framework]
    app = make_app(telemetry)
    for path in ("/a/rooms/1", "/b/rooms/2"):
        asyncio.run(Client(path).run(app))
    assert ended(telemetry) == {(route, 101, "1001"): 2}
    assert Recorded(telemetry).counts() == {}


def test_a_websocket_in_a_mount_is_named_as_a_request_there_is(tmp_path: Path) -> None:
    directory = str(tmp_path)
    telemetry = Telemetry(metrics_exporter="prometheus", websockets=True, root_path="/", directory=directory)

    async def greet(socket: WebSocket) -> None:
        await socket.accept()

    async def show(request: Request) -> PlainTextResponse:
        return PlainTextResponse("shown")

    inside = Starlette(routes=[WebSocketRoute("/chat/{id}", greet), Route("/rooms/{id}", show)])
    dualmetrics_starlette.DualMetrics(inside, telemetry=telemetry)
    app = Starlette(routes=[Mount("/api/{version}", app=inside)])
    asyncio.run(Client("/api/2/chat/1").run(app))
    fetch(app, "GET", "/api/2/rooms/1")
    assert list(ended(telemetry)) == [("/api/{version}/chat/{id}", 101, "1000")]
    assert list(Recorded(telemetry).counts()) == [RequestLabels("GET", "/api/{version}/rooms/{id}", 200)]
    telemetry.shutdown()


@pytest.mark.parametrize("framework", APPS)
def test_a_refused_handshake_is_counted(framework: str, telemetry: Telemetry) -> None:
    app = APPS[framework][0](telemetry)
    asyncio.run(Client("/nowhere").run(app))
    [(key, count)] = ended(telemetry).items()
    assert (key[0], key[2], count) == ("unmatched", None, 1)
    assert key[1] in (403, 404)


async def until_ended(telemetry: Telemetry) -> None:
    """Wait for what the server does when a connection is closed."""
    while Recorded(telemetry).active():  # noqa: ASYNC110 - it tells of no event
        await asyncio.sleep(0.005)


def test_a_websocket_of_aiohttp(telemetry: Telemetry) -> None:
    async def serve(request: aiohttp_web.Request) -> aiohttp_web.WebSocketResponse:
        socket = aiohttp_web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    async def talk() -> None:
        app = aiohttp_web.Application()
        app.router.add_get("/rooms/{room}", serve)
        dualmetrics_aiohttp.DualMetrics(app, telemetry=telemetry)
        runner = aiohttp_web.AppRunner(app)
        await runner.setup()
        await aiohttp_web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/rooms/1"
        async with aiohttp.ClientSession() as session:
            for code in (1000, 4321):
                socket = await session.ws_connect(url)
                await socket.close(code=code)
            await until_ended(telemetry)
            assert (await session.get(url)).status == 400
        await runner.cleanup()

    asyncio.run(talk())
    assert ended(telemetry) == {
        ("/rooms/{room}", 101, "1000"): 1,
        ("/rooms/{room}", 101, "_OTHER"): 1,
    }
    [(labels, count)] = Recorded(telemetry).counts().items()
    assert (labels.route, labels.status, count) == ("/rooms/{room}", 400, 1), "a refused handshake"


def test_a_websocket_of_tornado(telemetry: Telemetry) -> None:
    class Room(WebSocketHandler):
        def check_origin(self, origin: str) -> bool:
            return False

        def on_message(self, message: str | bytes) -> None:
            pass

    async def talk() -> None:
        app = tornado_web.Application([(r"/rooms/(?P<room>\d+)", Room)])
        dualmetrics_tornado.DualMetrics(app, telemetry=telemetry)
        server, (socket, port) = HTTPServer(app), bind_unused_port()
        server.add_sockets([socket])
        url = f"ws://127.0.0.1:{port}/rooms/1"
        for code in (1000, 4321):
            (await websocket_connect(url)).close(code)
            await until_ended(telemetry)
        with pytest.raises(HTTPClientError):
            await websocket_connect(HTTPRequest(url, headers={"Origin": "http://elsewhere"}))
        server.stop()
        await server.close_all_connections()

    asyncio.run(talk())
    assert ended(telemetry) == {
        ("/rooms/<room>", 101, "1000"): 1,
        ("/rooms/<room>", 101, "_OTHER"): 1,
    }
    [(labels, count)] = Recorded(telemetry).counts().items()
    assert (labels.route, labels.status, count) == ("/rooms/<room>", 403, 1), "a refused handshake"
