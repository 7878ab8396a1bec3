"""What the ASGI middleware records whatever the framework: cancellation, ends of a response, websockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dualmetrics import Telemetry
from dualmetrics.asgi import Message, MetricsMiddleware, Receive, Scope, Send, set_error
from dualmetrics.testing.asgi_client import BODY_END, DISCONNECT, Connection, http_scope
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, HandlerError

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
PART: Message = {"type": "http.response.body", "body": b"part", "more_body": True}
END: Message = {"type": "http.response.body", "body": b"end"}


def serve(telemetry: Telemetry, handler: Handler, *incoming: Message, **scope: Any) -> Connection:
    """One request to an app that is just this handler."""
    connection = Connection(http_scope("GET", "/", **scope), incoming or [BODY_END])
    asyncio.run(connection.run(MetricsMiddleware(handler, telemetry=telemetry)))
    return connection


def counted_once(recorded: Recorded, status: int | str) -> bool:
    """Whether exactly one request was counted, with this status, and none is active."""
    return recorded.counts() == {RequestLabels("GET", "unmatched", status): 1} and recorded.active() == {}


async def cancel(connection: Connection, telemetry: Telemetry, *messages: Message) -> None:
    """Serve an app that sends ``messages`` and then hangs, and cancel it while it hangs."""
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


def test_request_cancelled_before_the_response_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    asyncio.run(cancel(Connection(http_scope("GET", "/")), telemetry))
    assert counted_once(recorded, 499)
    assert recorded.error_types() == set()


def test_request_cancelled_after_the_start_keeps_the_status(telemetry: Telemetry, recorded: Recorded) -> None:
    asyncio.run(cancel(Connection(http_scope("GET", "/")), telemetry, START, PART))
    assert counted_once(recorded, 200)


def test_request_cancelled_after_the_end_is_counted_once(telemetry: Telemetry, recorded: Recorded) -> None:
    connection = Connection(http_scope("GET", "/"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(END)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    assert counted_once(recorded, 200)


def test_missing_response_after_a_disconnect_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    serve(telemetry, app, BODY_END, DISCONNECT)
    assert counted_once(recorded, 499)


def test_exception_after_a_disconnect_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] == "http.disconnect":
            raise HandlerError

    with pytest.raises(HandlerError):
        serve(telemetry, app, DISCONNECT)
    assert counted_once(recorded, 499)
    assert recorded.error_types() == set()


def test_missing_response_without_a_disconnect_is_a_500(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    serve(telemetry, app)
    assert counted_once(recorded, 500)


def test_unfinished_response_keeps_the_status(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(PART)

    serve(telemetry, app)
    assert counted_once(recorded, 200)


def test_start_that_the_server_rejects_is_a_500(telemetry: Telemetry, recorded: Recorded) -> None:
    async def refuse(message: Message) -> None:
        raise HandlerError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)

    connection = Connection(http_scope("GET", "/"))
    middleware = MetricsMiddleware(app, telemetry=telemetry)
    with pytest.raises(HandlerError):
        asyncio.run(middleware(connection.scope, connection.receive, refuse))
    assert counted_once(recorded, 500)
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())


def test_closed_coroutine_leaves_nothing_active(telemetry: Telemetry, recorded: Recorded) -> None:
    class Pause:
        def __await__(self) -> Any:
            yield

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Pause()

    connection = Connection(http_scope("GET", "/"))
    running = connection.run(MetricsMiddleware(app, telemetry=telemetry))
    running.send(None)
    running.close()  # raises GeneratorExit inside
    assert counted_once(recorded, 499)


def test_exception_that_became_a_response_is_recorded_by_its_type(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        set_error(dict(scope), HandlerError())
        await send({**START, "status": 500})
        await send(END)

    serve(telemetry, app)
    assert counted_once(recorded, 500)
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())


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
def test_each_kind_of_last_message_ends_the_response(
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
    assert counted_once(recorded, 200)


def test_announced_trailers_end_the_response(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "trailers": True})
        await send(END)
        await send({"type": "http.response.trailers", "headers": [], "more_trailers": True})
        assert recorded.active() == {"GET": 1}
        await send({"type": "http.response.trailers", "headers": []})
        assert recorded.active() == {}

    serve(telemetry, app)
    assert counted_once(recorded, 200)


CONNECT: Message = {"type": "websocket.connect"}
CLIENT_LEFT: Message = {"type": "websocket.disconnect", "code": 1001}


def serve_websocket(telemetry: Telemetry, handler: Handler, *incoming: Message, path: str = "/") -> None:
    scope = {**http_scope("GET", path), "type": "websocket", "scheme": "ws"}
    asyncio.run(Connection(scope, [CONNECT, *incoming]).run(MetricsMiddleware(handler, telemetry=telemetry)))


def test_websocket_is_active_until_the_client_disconnects(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert recorded.active() == {"WEBSOCKET": 1}
        await receive()
        assert recorded.active() == {}

    serve_websocket(telemetry, app, CLIENT_LEFT)
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_websocket_is_active_until_the_app_closes_it(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        assert recorded.active() == {}

    serve_websocket(telemetry, app)
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_websocket_is_not_active_after_its_app_has_failed(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert recorded.active() == {"WEBSOCKET": 1}
        raise HandlerError

    with pytest.raises(HandlerError):
        serve_websocket(telemetry, app)
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_websocket_on_an_excluded_path_is_not_recorded(telemetry: Telemetry, recorded: Recorded) -> None:
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
def test_request_is_counted_before_its_last_part_is_sent_unless_sending_takes_time(
    telemetry: Telemetry, recorded: Recorded, last: Message, counted_before: bool
) -> None:
    seen: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(last)

    class Server(Connection):
        async def send(self, message: Message) -> None:
            if message is last:
                seen.append(counted_once(recorded, 200))

    asyncio.run(Server(http_scope("GET", "/")).run(MetricsMiddleware(app, telemetry=telemetry)))
    assert seen == [counted_before]
    assert counted_once(recorded, 200)
