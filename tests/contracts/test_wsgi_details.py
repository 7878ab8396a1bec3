"""What the WSGI middleware records in detail: bytes, the first byte, and websockets that have ended."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest

from dualmetrics import Telemetry
from dualmetrics.testing import Recorded
from dualmetrics.testing.wsgi_client import WsgiCall
from dualmetrics.wsgi import MetricsMiddleware, set_route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(
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


def serve(telemetry: Telemetry, app: WSGIApplication, **environ: Any) -> list[bytes]:
    call = WsgiCall(MetricsMiddleware(app, telemetry=telemetry), **environ)
    parts = call.send_all()
    call.close()
    return parts


def answering(body: Iterable[bytes], *headers: tuple[str, str], status: str = "200 OK") -> WSGIApplication:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return body

    return app


def size(recorded: Recorded, part: str) -> tuple[float, float]:
    """The sum and the count of a body's size."""
    [point] = recorded.points(f"http.{part}.body.size")
    return point.cells[-1], sum(point.cells[:-1])


READS: dict[str, Callable[[Any], object]] = {
    "read": lambda stream: stream.read(),
    "parts": lambda stream: [stream.read(3), stream.read(100)],
    "lines": lambda stream: [stream.readline(), stream.readline(2), stream.readlines()],
    "iterated": list,
    "into": lambda stream: stream.readinto(bytearray(100)),
}


@pytest.mark.parametrize("read", READS)
def test_the_body_of_a_request_is_counted_as_it_is_read(
    telemetry: Telemetry, recorded: Recorded, read: str
) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        READS[read](environ["wsgi.input"])
        assert environ["wsgi.input"].getvalue() == b"one\ntwo\nthree"  # what else the server's object has
        start_response("200 OK", [])
        return []

    serve(telemetry, app, **{"wsgi.input": io.BytesIO(b"one\ntwo\nthree")})
    assert size(recorded, "request") == (13, 1)


def generated() -> Iterator[bytes]:
    yield b""
    yield b"abc"
    yield b"de"


@pytest.mark.parametrize("make_body", [generated, lambda: [b"abc", b"de"], lambda: (b"abcde",)])
@pytest.mark.parametrize("headers", [[], [("Content-Length", "5")]], ids=["chunked", "sized"])
def test_the_body_of_a_response_is_counted(
    telemetry: Telemetry,
    recorded: Recorded,
    make_body: Callable[[], Iterable[bytes]],
    headers: list[tuple[str, str]],
) -> None:
    assert b"".join(serve(telemetry, answering(make_body(), *headers))) == b"abcde"
    assert size(recorded, "response") == (5, 1)


def test_what_is_written_by_the_old_way_is_counted(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"abc")
        return [b"de"]

    assert serve(telemetry, app) == [b"abc", b"de"]
    assert size(recorded, "response") == (5, 1)


def test_a_file_that_the_server_sends_has_the_size_of_its_header(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    environ = {"wsgi.file_wrapper": FileWrapper}
    serve(telemetry, answering(FileWrapper(io.BytesIO(b"abc")), ("Content-Length", "3")), **environ)
    assert size(recorded, "response") == (3, 1)
    serve(telemetry, answering(FileWrapper(io.BytesIO(b"abc"))), **environ)
    assert size(recorded, "response") == (3, 1), "a size that nobody tells is left out"
    assert sum(recorded.counts().values()) == 2


def test_a_file_that_cannot_be_watched_has_the_size_of_its_header(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    class Slotted:
        __slots__ = ()

        def __init__(self, *_: object) -> None:
            pass

        def __iter__(self) -> Iterator[bytes]:
            return iter((b"abc",))

    environ = {"wsgi.file_wrapper": Slotted}
    serve(telemetry, answering(Slotted(), ("Content-Length", "3")), **environ)
    assert size(recorded, "response") == (3, 1)


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified")])
def test_a_body_that_no_server_sends_is_not_counted(
    telemetry: Telemetry, recorded: Recorded, method: str, status: str
) -> None:
    serve(telemetry, answering([b"never sent"], status=status), REQUEST_METHOD=method)
    assert size(recorded, "response") == (0, 1)


def test_each_response_has_a_first_byte(telemetry: Telemetry, recorded: Recorded) -> None:
    for body in ([b"abc"], []):
        serve(telemetry, answering(body))
    [point] = recorded.points("http.request.time_to_first_byte")
    assert sum(point.cells[:-1]) == 2


def test_a_request_is_freed_with_its_last_reference(telemetry: Telemetry) -> None:
    class Watched(io.BytesIO):
        pass

    environ: dict[str, Any] = {"wsgi.input": Watched(b"abc"), "PATH_INFO": "/"}
    setup_testing_defaults(environ)
    reference = weakref.ref(environ["wsgi.input"])
    app = MetricsMiddleware(answering(generated()), telemetry=telemetry)
    gc.disable()
    try:
        body: Any = app(environ, lambda *_: lambda data: None)
        assert b"".join(body) == b"abcde"
        body.close()
        del body, environ
        assert reference() is None
    finally:
        gc.enable()


def test_a_websocket_is_recorded_with_its_route(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        set_route(environ, "/rooms/<room>")
        assert recorded.active() == {"WEBSOCKET": 1}
        return []

    environ = {"HTTP_UPGRADE": "websocket", "HTTP_SEC_WEBSOCKET_KEY": "x", "PATH_INFO": "/rooms/1"}
    call = WsgiCall(MetricsMiddleware(app, telemetry=telemetry), **environ)
    call.close()
    [point] = recorded.points("http.websockets")
    assert dict(point.attributes) == {"http.route": "/rooms/<room>", "http.status_code": 101}
    assert (recorded.active(), recorded.counts()) == ({}, {})
