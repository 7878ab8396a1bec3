"""What the ASGI middleware records in detail: bytes, the first byte, and websockets that have ended."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualmetrics import Telemetry
from dualmetrics.asgi import ASGIApp, Message, MetricsMiddleware, Receive, Scope, Send, set_route
from dualmetrics.testing import Recorded
from dualmetrics.testing.asgi_client import BODY_END, Connection, http_scope

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
ACCEPT: Message = {"type": "websocket.accept"}


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(
        convention="both",
        metrics_exporter="prometheus",
        directory=str(tmp_path),
        body_size=True,
        time_to_first_byte=True,
        websockets=True,
    )
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)


def serve(telemetry: Telemetry, app: ASGIApp, *incoming: Message, method: str = "GET") -> None:
    connection = Connection(http_scope(method, "/"), incoming or [BODY_END])
    asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))


def sending(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        for message in messages:
            await send(message)

    return app


def sizes(recorded: Recorded, part: str) -> list[float]:
    """The sum and the count of a body's size, which both conventions record."""
    [ours] = recorded.points(f"http.{part}.body.size")
    [theirs] = recorded.points(f"http.server.{part}.body.size")
    assert list(ours.cells) == list(theirs.cells)
    return [ours.cells[-1], sum(ours.cells[:-1])]


def test_streamed_bodies_are_counted_as_they_pass(telemetry: Telemetry, recorded: Recorded) -> None:
    parts: list[Message] = [
        {"type": "http.request", "body": b"x" * 70_000, "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"yz"},
    ]
    body: list[Message] = [
        {"type": "http.response.body", "body": b"a" * 100_000, "more_body": True},
        {"type": "http.response.body", "body": b"b" * 65_537},
    ]
    serve(telemetry, sending(START, *body), *parts)
    assert sizes(recorded, "request") == [70_002, 1]
    assert sizes(recorded, "response") == [165_537, 1]


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)], ids=["HEAD", "204", "304"]
)
def test_a_body_that_no_server_sends_is_not_counted(
    telemetry: Telemetry, recorded: Recorded, method: str, status: int
) -> None:
    end: Message = {"type": "http.response.body", "body": b"never sent"}
    serve(telemetry, sending({**START, "status": status}, end), method=method)
    assert sizes(recorded, "response") == [0, 1]


def test_files_that_the_server_reads_are_counted(
    telemetry: Telemetry, recorded: Recorded, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    with path.open("rb") as file:
        messages: list[Message] = [
            {"type": "http.response.zerocopysend", "file": file, "offset": 10, "more_body": True},
            {"type": "http.response.zerocopysend", "file": file.fileno(), "count": 5, "more_body": True},
            {"type": "http.response.pathsend", "path": str(path)},
        ]
        serve(telemetry, sending(START, *messages))
    assert sizes(recorded, "response") == [990 + 5 + 1000, 1]


def test_a_size_that_cannot_be_known_is_left_out(telemetry: Telemetry, recorded: Recorded) -> None:
    serve(telemetry, sending(START, {"type": "http.response.pathsend", "path": "/nowhere/at/all"}))
    assert sizes(recorded, "response") == [0, 0]
    assert sum(recorded.counts().values()) == 1


@pytest.mark.parametrize("wrong", [{"count": "many"}, {"file": object()}, {}])
def test_a_wrong_message_is_the_business_of_the_server(
    telemetry: Telemetry, recorded: Recorded, wrong: Message
) -> None:
    messages: list[Message] = [
        {"type": "http.response.zerocopysend", "more_body": True, **wrong},
        {"type": "http.response.body", "body": b"end"},
    ]
    serve(telemetry, sending(START, *messages))
    assert sizes(recorded, "response") == [0, 0]
    assert (sum(recorded.counts().values()), telemetry.errors.error_count) == (1, 0)


def test_no_response_has_no_first_byte(telemetry: Telemetry, recorded: Recorded) -> None:
    serve(telemetry, sending())
    serve(telemetry, sending(START, {"type": "http.response.body"}))
    points = recorded.points("http.request.time_to_first_byte")
    counts = {dict(point.attributes)["http.status_code"]: sum(point.cells[:-1]) for point in points}
    assert counts == {500: 0, 200: 1}


def test_a_request_is_freed_with_its_last_reference(telemetry: Telemetry) -> None:
    class WatchedScope(dict[str, Any]):
        pass

    scope = WatchedScope(http_scope("GET", "/"))
    reference = weakref.ref(scope)
    connection = Connection(scope, [BODY_END])
    app = MetricsMiddleware(sending(START, {"type": "http.response.body"}), telemetry=telemetry)
    gc.disable()
    try:
        asyncio.run(connection.run(app))
        del scope, connection
        assert reference() is None
    finally:
        gc.enable()


def websocket(telemetry: Telemetry, *sent: Message, incoming: tuple[Message, ...] = ()) -> None:
    """Serve a websocket whose app sends these messages, and then receives."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        set_route(scope, "/rooms/{room}")
        for message in sent:
            if message["type"] == "raise":
                raise message["error"]
            await send(message)
        for _ in incoming:
            await receive()

    scope = {**http_scope("GET", "/rooms/1"), "type": "websocket", "scheme": "wss"}
    connection = Connection(scope, list(incoming))
    asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))


def ended(recorded: Recorded) -> tuple[Any, Any]:
    """The status and the close code of the only websocket."""
    [count] = recorded.points("http.websockets")
    [ours] = recorded.points("http.websocket.duration")
    [theirs] = recorded.points("http.server.websocket.duration")
    labels, others = dict(ours.attributes), dict(theirs.attributes)
    assert dict(count.attributes) == labels
    assert [count.cells[0], sum(ours.cells[:-1]), sum(theirs.cells[:-1])] == [1, 1, 1]
    assert (labels["http.route"], others["http.route"]) == ("/rooms/{room}", "/rooms/{room}")
    assert others["url.scheme"] == "wss"
    assert labels.get("websocket.close_code") == others.get("websocket.close_code")
    assert recorded.active() == {}
    assert recorded.counts() == {}
    return labels["http.status_code"], labels.get("websocket.close_code")


@pytest.mark.parametrize(
    ("sent", "incoming", "expected"),
    [
        ([ACCEPT, {"type": "websocket.close"}], [], (101, "1000")),
        ([ACCEPT, {"type": "websocket.close", "code": 4321}], [], (101, "4321")),
        ([ACCEPT, {"type": "websocket.close", "code": 99_999}], [], (101, "_OTHER")),
        ([ACCEPT], [{"type": "websocket.disconnect", "code": 1001}], (101, "1001")),
        ([ACCEPT], [{"type": "websocket.disconnect", "code": 4321}], (101, "_OTHER")),
        ([ACCEPT], [{"type": "websocket.disconnect"}], (101, "1005")),
        ([ACCEPT], [], (101, "1000")),
        ([{"type": "websocket.close"}], [], (403, None)),
        ([], [{"type": "websocket.disconnect", "code": 1006}], (499, None)),
        ([], [], (500, None)),
        (
            [
                {"type": "websocket.http.response.start", "status": 401, "headers": []},
                {"type": "websocket.http.response.body", "body": b"no"},
            ],
            [],
            (401, None),
        ),
    ],
)
def test_a_websocket_is_recorded_with_its_end(
    telemetry: Telemetry, recorded: Recorded, sent: list[Message], incoming: list[Message], expected: Any
) -> None:
    websocket(telemetry, *sent, incoming=tuple(incoming))
    assert ended(recorded) == expected


@pytest.mark.parametrize(("sent", "expected"), [([], (500, None)), ([ACCEPT], (101, "1011"))])
def test_a_websocket_whose_app_fails_is_recorded(
    telemetry: Telemetry, recorded: Recorded, sent: list[Message], expected: Any
) -> None:
    with pytest.raises(RuntimeError):
        websocket(telemetry, *sent, {"type": "raise", "error": RuntimeError()})
    assert ended(recorded) == expected


def test_a_websocket_of_an_excluded_route_is_not_recorded(tmp_path: Path) -> None:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        directory=str(tmp_path),
        websockets=True,
        exclude_routes=["/rooms/*"],
    )
    websocket(telemetry, ACCEPT)
    recorded = Recorded(telemetry)
    assert (recorded.points("http.websockets"), recorded.active()) == ([], {})
    telemetry.shutdown()


def test_a_websocket_in_two_middlewares_is_recorded_once(telemetry: Telemetry, recorded: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        set_route(scope, "/rooms/{room}")
        await send(ACCEPT)
        assert recorded.active() == {"WEBSOCKET": 1}
        await send({"type": "websocket.close"})

    inner = MetricsMiddleware(app, telemetry=telemetry)
    scope = {**http_scope("GET", "/rooms/1"), "type": "websocket", "scheme": "wss"}
    asyncio.run(Connection(scope, []).run(MetricsMiddleware(inner, telemetry=telemetry)))
    assert ended(recorded) == (101, "1000")
