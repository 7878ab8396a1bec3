"""Tornado: what is not in the contract. Websockets, clients that leave, exceptions, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.websocket import WebSocketHandler, websocket_connect

from dualmetrics import SettingsError, Telemetry
from dualmetrics.testing import Recorded, RequestLabels
from dualmetrics_tornado import DualMetrics, set_route

pytestmark = pytest.mark.frameworks


def run(app: web.Application, talk: Callable[[int], Awaitable[object]]) -> None:
    """Serve an application, and talk to its port."""

    async def serve() -> None:
        server, (socket, port) = HTTPServer(app), bind_unused_port()
        server.add_sockets([socket])
        await talk(port)
        server.stop()
        await server.close_all_connections()

    asyncio.run(serve())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the server does."""
    while not condition():  # noqa: ASYNC110 - it tells of no event
        await asyncio.sleep(0.005)


async def get(port: int, path: str, **headers: str) -> int:
    url = f"http://127.0.0.1:{port}{path}"
    return (await AsyncHTTPClient().fetch(url, headers=headers, raise_error=False)).code


def test_a_websocket_is_active_while_it_is_open_and_is_no_request(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    class Echo(WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(message)

    async def talk(port: int) -> None:
        client = await websocket_connect(f"ws://127.0.0.1:{port}/socket")
        await client.write_message("hello")
        assert await client.read_message() == "hello"
        assert recorded.active() == {"WEBSOCKET": 1}
        client.close()
        await until(lambda: recorded.active() == {})

    app = web.Application([("/socket", Echo)])
    DualMetrics(app, telemetry=telemetry)
    run(app, talk)
    assert recorded.counts() == {}


def test_a_client_that_leaves_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    class Hang(web.RequestHandler):
        async def get(self) -> None:
            started.set()
            await ended.wait()

    async def talk(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        await started.wait()
        assert recorded.active() == {"GET": 1}
        writer.close()
        await writer.wait_closed()
        await until(lambda: recorded.active() == {})
        ended.set()

    app = web.Application([("/hang", Hang)])
    DualMetrics(app, telemetry=telemetry)
    run(app, talk)
    assert recorded.counts() == {RequestLabels("GET", "/hang", 499): 1}


def test_only_exceptions_that_nobody_expects_are_recorded_by_type(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))

    class Fail(web.RequestHandler):
        def get(self, kind: str) -> None:
            if kind == "http":
                raise web.HTTPError(503)
            if kind == "handled":
                try:
                    raise KeyError
                except KeyError:
                    self.finish("fine")
                    return
            raise ZeroDivisionError

    async def talk(port: int) -> None:
        assert [await get(port, f"/{kind}") for kind in ("http", "handled", "other")] == [503, 200, 500]

    app = web.Application([("/(.*)", Fail)], log_function=lambda handler: None)
    DualMetrics(app, telemetry=telemetry)
    run(app, talk)
    assert Recorded(telemetry).error_types() == {"503", "ZeroDivisionError"}
    telemetry.shutdown()


def test_catch_alls_static_files_and_handlers_that_name_themselves(
    telemetry: Telemetry, recorded: Recorded, tmp_path: Path
) -> None:
    class Named(web.RequestHandler):
        def get(self) -> None:
            set_route(self.request, "/chosen")

    class Rest(web.RequestHandler):
        def get(self, rest: str) -> None:
            self.write("rest")

    async def talk(port: int) -> None:
        paths = ("/named", "/metrics", "/static/a.txt", "/anything/else")
        assert [await get(port, path) for path in paths] == [200, 200, 200, 200]

    (tmp_path / "a.txt").write_text("a")
    app = web.Application([("/named", Named), ("/(.*)", Rest)], static_path=str(tmp_path))
    DualMetrics(app, telemetry=telemetry)
    run(app, talk)
    assert recorded.counts() == {
        RequestLabels("GET", "/chosen", 200): 1,
        RequestLabels("GET", "/static/<var>", 200): 1,
        RequestLabels("GET", "/<var>", 200): 1,
    }


def test_the_page_asks_for_the_token(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", metrics_token="secret", directory=str(tmp_path))

    async def talk(port: int) -> None:
        assert await get(port, "/metrics") == 401
        assert await get(port, "/metrics", Authorization="Bearer secret") == 200

    app = web.Application([])
    DualMetrics(app, telemetry=telemetry)
    run(app, talk)
    telemetry.shutdown()


def test_a_taken_metrics_path_is_refused(telemetry: Telemetry) -> None:
    app: Any = web.Application([("/metrics", web.RequestHandler)])
    with pytest.raises(SettingsError, match="already has this path"):
        DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)
