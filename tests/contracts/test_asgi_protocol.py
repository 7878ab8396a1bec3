"""The rows of the table that only ASGI has: clients that leave, last parts, websockets, installed twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.asgi.types import Message, Receive, Scope, Send
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import BODY_END, DISCONNECT, Connection, fetch, http_scope
from dualmetrics.testing.recorded import Recorded, Request
from dualmetrics.testing.site import BOOM, HandlerError
from tests.contracts.asgi_sites import AsgiSite

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
PART: Message = {"type": "http.response.body", "body": b"part", "more_body": True}
END: Message = {"type": "http.response.body", "body": b"end"}


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)


def serve(telemetry: Telemetry, handler: Handler, *incoming: Message, **scope: Any) -> Connection:
    """One request to an app that is just this handler."""
    connection = Connection(http_scope("GET", "/", **scope), incoming or [BODY_END])
    asyncio.run(connection.run(MetricsMiddleware(handler, telemetry=telemetry)))
    return connection


def only(recorded: Recorded, status: int | str) -> bool:
    """Whether one request was counted, with this status, and none is active."""
    return recorded.counts() == {Request("GET", "unmatched", status): 1} and recorded.active() == {}


async def cancel(connection: Connection, telemetry: Telemetry, *messages: Message) -> None:
    """Serve with an app that sends ``messages`` and hangs; cancel it there."""
    hanging = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        hanging.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    await hanging.wait()
    assert Recorded(telemetry).active() == {"GET": 1}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_cancelled_before_the_start_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    asyncio.run(cancel(Connection(http_scope("GET", "/")), telemetry))
    assert only(recorded, 499)
    assert recorded.errors() == set()


def test_cancelled_after_the_start_keeps_the_status(telemetry: Telemetry, recorded: Recorded) -> None:
    asyncio.run(cancel(Connection(http_scope("GET", "/")), telemetry, START, PART))
    assert only(recorded, 200)


def test_cancelled_after_the_end_is_counted_once(telemetry: Telemetry, recorded: Recorded) -> None:
    connection = Connection(http_scope("GET", "/"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(END)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    assert only(recorded, 200)


def test_no_response_after_a_disconnect_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    serve(telemetry, app, BODY_END, DISCONNECT)
    assert only(recorded, 499)


def test_an_exception_because_of_a_disconnect_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] == "http.disconnect":
            raise HandlerError

    with pytest.raises(HandlerError):
        serve(telemetry, app, DISCONNECT)
    assert only(recorded, 499)
    assert recorded.errors() == set()


def test_no_response_without_a_disconnect_is_a_500(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    serve(telemetry, app)
    assert only(recorded, 500)


def test_a_response_without_its_end_keeps_the_status(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(PART)

    serve(telemetry, app)
    assert only(recorded, 200)


def test_a_start_that_the_server_refuses_has_not_happened(telemetry: Telemetry, recorded: Recorded) -> None:
    async def refuse(message: Message) -> None:
        raise HandlerError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)

    connection = Connection(http_scope("GET", "/"))
    middleware = MetricsMiddleware(app, telemetry=telemetry)
    with pytest.raises(HandlerError):
        asyncio.run(middleware(connection.scope, connection.receive, refuse))
    assert only(recorded, 500)
    assert recorded.errors() == ({BOOM} if recorded.semconv else set())


def test_a_closed_coroutine_leaves_nothing_active(telemetry: Telemetry, recorded: Recorded) -> None:
    class Pause:
        def __await__(self) -> Any:
            yield

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Pause()

    connection = Connection(http_scope("GET", "/"))
    running = connection.run(MetricsMiddleware(app, telemetry=telemetry))
    running.send(None)
    running.close()  # raises GeneratorExit inside
    assert only(recorded, 499)


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.pathsend", "path": "/etc/hostname"}],
        [{"type": "http.response.zerocopysend", "file": 0}],
        [PART, {"type": "http.response.body", "body": b"", "more_body": False}],
        [END],
        [{"type": "http.response.body"}],
    ],
)
def test_each_kind_of_last_part_ends_the_response(
    telemetry: Telemetry, recorded: Recorded, messages: list[Message]
) -> None:
    active_after_the_end = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.debug", "info": {}})
        await send(START)
        for message in messages:
            assert recorded.active() == {"GET": 1}
            await send(message)
        active_after_the_end.append(recorded.active())

    serve(telemetry, app)
    assert active_after_the_end == [{}]
    assert only(recorded, 200)


def test_announced_trailers_end_the_response(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "trailers": True})
        await send(END)
        await send({"type": "http.response.trailers", "headers": [], "more_trailers": True})
        assert recorded.active() == {"GET": 1}
        await send({"type": "http.response.trailers", "headers": []})
        assert recorded.active() == {}

    serve(telemetry, app)
    assert only(recorded, 200)


def test_installed_twice_is_counted_once(telemetry: Telemetry, asgi_site: AsgiSite) -> None:
    app = MetricsMiddleware(MetricsMiddleware(asgi_site.app, telemetry=telemetry), telemetry=telemetry)
    assert fetch(app, "GET", "/users/1").status == 200
    assert asgi_site.world.recorded.counts() == {Request("GET", asgi_site.users, 200): 1}
    assert asgi_site.world.active_inside == [{"GET": 1}]
    assert asgi_site.world.recorded.active() == {}


def test_two_telemetries_both_count(telemetry: Telemetry, asgi_site: AsgiSite) -> None:
    other = Telemetry(metrics_exporter="prometheus")
    app = MetricsMiddleware(asgi_site.app, telemetry=other)
    fetch(app, "GET", "/users/1")
    counted = {Request("GET", asgi_site.users, 200): 1}
    assert (asgi_site.world.recorded.counts(), Recorded(other).counts()) == (counted, counted)
    other.shutdown()


def test_paths_are_excluded_below_the_root_path_of_a_proxy(asgi_site: AsgiSite) -> None:
    for path in ("/proxy/health", "/proxy/internal/x", "/proxy/metrics"):
        fetch(asgi_site.app, "GET", path, root_path="/proxy")
    assert asgi_site.world.recorded.counts() == {}


CONNECT: Message = {"type": "websocket.connect"}
LEFT: Message = {"type": "websocket.disconnect", "code": 1001}


def serve_websocket(telemetry: Telemetry, handler: Handler, *incoming: Message, path: str = "/") -> None:
    scope = {**http_scope("GET", path), "type": "websocket", "scheme": "ws"}
    asyncio.run(Connection(scope, [CONNECT, *incoming]).run(MetricsMiddleware(handler, telemetry=telemetry)))


def test_a_websocket_is_active_until_the_client_leaves(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert recorded.active() == {"WEBSOCKET": 1}
        await receive()
        assert recorded.active() == {}

    serve_websocket(telemetry, app, LEFT)
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_a_websocket_is_active_until_the_app_closes_it(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        assert recorded.active() == {}

    serve_websocket(telemetry, app)
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_a_websocket_whose_app_fails_is_no_longer_active(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert recorded.active() == {"WEBSOCKET": 1}
        raise HandlerError

    with pytest.raises(HandlerError):
        serve_websocket(telemetry, app)
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_a_websocket_on_an_excluded_path_is_not_recorded(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert recorded.active() == {}

    serve_websocket(telemetry, app, path="/internal/socket")
    assert recorded.points("http.connections.active") == []


@pytest.mark.parametrize(
    ("last", "counted_before"),
    [
        (END, True),
        ({"type": "http.response.body"}, True),
        ({"type": "http.response.body", "body": b"x" * 1_000_000}, False),
        ({"type": "http.response.pathsend", "path": "/a/file"}, False),
        ({"type": "http.response.zerocopysend", "file": 3}, False),
    ],
)
def test_who_has_a_whole_answer_is_counted_already_unless_it_takes_long_to_hand_over(
    telemetry: Telemetry, recorded: Recorded, last: Message, counted_before: bool
) -> None:
    seen: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(last)

    class Server(Connection):
        async def send(self, message: Message) -> None:
            if message is last:
                seen.append(only(recorded, 200))

    asyncio.run(Server(http_scope("GET", "/")).run(MetricsMiddleware(app, telemetry=telemetry)))
    assert seen == [counted_before]
    assert only(recorded, 200)
