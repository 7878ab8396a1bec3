"""aiohttp: what is not in the contract. Websockets, sub-apps, all kinds of bodies, and clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from dualmetrics import SettingsError, Telemetry
from dualmetrics.testing import HandlerError, Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE
from dualmetrics_aiohttp import DualMetrics, set_route

pytestmark = pytest.mark.frameworks

Client: TypeAlias = "TestClient[web.Request, web.Application]"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def fine(request: web.Request) -> web.Response:
    return web.Response(text="fine")


def run(app: web.Application, talk: Callable[[Client], Awaitable[object]]) -> None:
    """Serve an app, and talk to it as a client."""

    async def serve() -> None:
        async with TestClient(TestServer(app)) as client:
            await talk(client)
            for _ in range(500):  # until the tasks of the requests have ended
                if not app[BUSY]:
                    break
                await asyncio.sleep(0.01)

    asyncio.run(serve())


BUSY = web.AppKey("busy", set)
"""The tasks that serve requests of an app."""


def app_with(telemetry: Telemetry, *routes: web.AbstractRouteDef) -> web.Application:
    app = web.Application()
    app.add_routes(routes)
    app[BUSY] = set()
    DualMetrics(app, telemetry=telemetry)

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        app[BUSY].add(task)
        task.add_done_callback(app[BUSY].discard)
        return await handler(request)

    app.middlewares.append(watch)
    return app


async def statuses(client: Client, *paths: str) -> list[int]:
    return [(await client.get(path)).status for path in paths]


def test_a_websocket_is_active_while_it_is_open_and_is_no_request(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    seen = []

    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        seen.append(recorded.active())
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

    async def talk(client: Client) -> None:
        async with client.ws_connect("/socket") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"

    run(app_with(telemetry, web.get("/socket", echo)), talk)
    assert seen == [{"WEBSOCKET": 1}]
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_resources_of_all_kinds_have_one_template_each(
    telemetry: Telemetry, recorded: Recorded, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a")
    app = app_with(
        telemetry, web.static("/files", tmp_path), web.view("/view", View), web.get("/a-{b}.{c}", fine)
    )
    inner, outer = web.Application(), web.Application()
    inner.router.add_get("/items/{id}", fine)
    outer.add_subapp("/v1", inner)
    app.add_subapp("/api", outer)

    async def talk(client: Client) -> None:
        paths = ("/files/a.txt", "/files/none", "/view", "/a-1.2", "/api/v1/items/7", "/api/v1/none", "/api")
        assert await statuses(client, *paths) == [200, 404, 200, 200, 200, 404, 404]

    run(app, talk)
    assert recorded.counts() == {
        RequestLabels("GET", "/files/{path}", 200): 1,
        RequestLabels("GET", "/files/{path}", 404): 1,
        RequestLabels("GET", "/view", 200): 1,
        RequestLabels("GET", "/a-{b}.{c}", 200): 1,
        RequestLabels("GET", "/api/v1/items/{id}", 200): 1,
        RequestLabels("GET", "unmatched", 404): 2,
    }


class View(web.View):
    async def get(self) -> web.Response:
        return web.Response(text="view")


async def parts(*, fail: bool) -> AsyncIterator[bytes]:
    yield b"a"
    if fail:
        raise HandlerError


async def broken_payload(request: web.Request) -> web.Response:
    return web.Response(body=parts(fail=True))


async def payload(request: web.Request) -> web.Response:
    return web.Response(body=parts(fail=False))


async def large(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 1_000_000)


async def forbid(request: web.Request) -> web.Response:
    raise web.HTTPForbidden


async def time_out(request: web.Request) -> web.Response:
    raise asyncio.TimeoutError


async def nothing(request: web.Request) -> web.Response:
    return None  # type: ignore[return-value]  # a mistake that aiohttp answers with a 500


def test_the_status_is_the_one_that_was_sent_whatever_the_kind_of_response(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    handlers = {
        "payload": payload,
        "large": large,
        "forbid": forbid,
        "time_out": time_out,
        "nothing": nothing,
    }
    app = app_with(telemetry, *(web.get(f"/{n}", h) for n, h in handlers.items()))

    async def talk(client: Client) -> None:
        for path in (f"/{name}" for name in handlers):
            async with client.get(path) as response:
                await response.read()

    run(app, talk)
    expected = {"payload": 200, "large": 200, "forbid": 403, "time_out": 504, "nothing": 500}
    assert recorded.counts() == {
        RequestLabels("GET", f"/{name}", status): 1 for name, status in expected.items()
    }
    assert recorded.active() == {}


def test_a_body_that_fails_while_it_is_sent_keeps_the_status(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))
    recorded = Recorded(telemetry)

    async def talk(client: Client) -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011 - the client may see it at several places
            await (await client.get("/broken")).read()

    run(app_with(telemetry, web.get("/broken", broken_payload)), talk)
    assert recorded.counts() == {RequestLabels("GET", "/broken", 200): 1}
    assert recorded.error_types() == {HANDLER_ERROR_TYPE}


def test_a_client_that_leaves_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    started = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        started.set()
        await asyncio.Event().wait()
        return web.Response()

    async def talk(client: Client) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        await started.wait()
        assert recorded.active() == {"GET": 1}
        writer.close()
        await writer.wait_closed()

    app = app_with(telemetry, web.get("/hang", hang))
    asyncio.run(serve_cancelling(app, talk))
    assert recorded.counts() == {RequestLabels("GET", "/hang", 499): 1}
    assert recorded.active() == {}


async def serve_cancelling(app: web.Application, talk: Callable[[Client], Awaitable[object]]) -> None:
    """Serve with the option that cancels the handler of a client that is gone."""
    server = TestServer(app, handler_cancellation=True)
    client = TestClient(server)
    await client.start_server()
    await talk(client)
    await client.close()


def test_set_route_and_middleware_that_answers(telemetry: Telemetry, recorded: Recorded) -> None:
    async def named(request: web.Request) -> web.Response:
        set_route(request.clone(), "/chosen")
        return web.Response()

    @web.middleware
    async def block(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response(status=429) if request.path == "/blocked" else await handler(request)

    app = app_with(telemetry, web.get("/named", named), web.get("/blocked", fine))
    app.middlewares.append(block)

    async def talk(client: Client) -> None:
        assert await statuses(client, "/named", "/blocked") == [200, 429]

    run(app, talk)
    assert recorded.counts() == {
        RequestLabels("GET", "/chosen", 200): 1,
        RequestLabels("GET", "/blocked", 429): 1,
    }


def test_a_sub_app_with_metrics_of_its_own_is_counted_once_by_each_telemetry(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    app, inner = app_with(telemetry), web.Application()
    inner.router.add_get("/users/{id}", fine)
    other = Telemetry(metrics_exporter="prometheus", prometheus_path="/inner")
    DualMetrics(inner, telemetry=telemetry)
    DualMetrics(inner, telemetry=other)
    app.add_subapp("/shop", inner)

    async def talk(client: Client) -> None:
        assert (
            await statuses(client, "/shop/users/7", "/shop/inner", "/shop/metrics", "/metrics") == [200] * 4
        )

    run(app, talk)
    counts = {RequestLabels("GET", "/shop/users/{id}", 200): 1}
    assert (recorded.counts(), Recorded(other).counts()) == (counts, counts)
    assert (recorded.active(), Recorded(other).active()) == ({}, {})
    other.shutdown()


def test_a_taken_metrics_path_is_refused(telemetry: Telemetry) -> None:
    app = web.Application()
    app.router.add_get("/metrics", fine)
    with pytest.raises(SettingsError, match="already has this path"):
        DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)


def test_the_page_asks_for_the_token(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", metrics_token="secret", directory=str(tmp_path))

    async def talk(client: Client) -> None:
        assert await statuses(client, "/metrics") == [401]
        answer = await client.get("/metrics", headers={"Authorization": "Bearer secret"})
        assert (answer.status, "dualmetrics_workers" in await answer.text()) == (200, True)

    run(app_with(telemetry), talk)
