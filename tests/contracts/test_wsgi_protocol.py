"""What the WSGI middleware records whatever the framework: all kinds of bodies and servers (PEP 3333)."""

from __future__ import annotations

import gc
import io
import sys
import weakref
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest

from dualmetrics import Telemetry
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, HandlerError
from dualmetrics.testing.wsgi_client import WsgiCall
from dualmetrics.wsgi import MetricsMiddleware, set_error, set_route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

OK = ("200 OK", [("Content-Type", "text/plain")])


def counted_once(recorded: Recorded, status: int | str) -> bool:
    """Whether exactly one request was counted, with this status, and none is active."""
    return recorded.counts() == {RequestLabels("GET", "unmatched", status): 1} and recorded.active() == {}


def serve(telemetry: Telemetry, app: WSGIApplication, **environ: Any) -> WsgiCall:
    return WsgiCall(MetricsMiddleware(app, telemetry=telemetry), **environ)


def listed(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response(*OK)
    return [b"a", b"b"]


def generated(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
    start_response(*OK)
    yield b"a"
    yield b"b"


@pytest.mark.parametrize("app", [listed, generated])
def test_sent_body_is_counted_once(telemetry: Telemetry, recorded: Recorded, app: WSGIApplication) -> None:
    call = serve(telemetry, app)
    assert recorded.active() == {"GET": 1}
    assert call.send_all() == [b"a", b"b"]
    assert counted_once(recorded, 200)
    call.close()
    assert counted_once(recorded, 200)


def test_body_that_is_closed_without_being_iterated(telemetry: Telemetry, recorded: Recorded) -> None:
    call = serve(telemetry, listed)
    call.close()
    assert counted_once(recorded, 200)


def test_body_that_is_closed_before_it_starts_the_response(telemetry: Telemetry, recorded: Recorded) -> None:
    call = serve(telemetry, generated)
    call.close()
    assert counted_once(recorded, 499)


def test_body_that_is_closed_halfway(telemetry: Telemetry, recorded: Recorded) -> None:
    call = serve(telemetry, generated)
    assert next(iter(call.body)) == b"a"
    call.close()
    assert counted_once(recorded, 200)


def test_body_that_the_server_drops_without_closing(telemetry: Telemetry, recorded: Recorded) -> None:
    call = serve(telemetry, generated)
    parts = iter(call.body)
    next(parts)
    del parts, call
    assert counted_once(recorded, 200)


@pytest.mark.parametrize(("error", "status"), [(HandlerError, 500), (GeneratorExit, 499), (SystemExit, 500)])
def test_app_that_raises(
    telemetry: Telemetry, recorded: Recorded, error: type[BaseException], status: int
) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        raise error

    with pytest.raises(error):
        serve(telemetry, app)
    assert counted_once(recorded, status)


def test_body_that_raises_before_it_starts_the_response(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        if environ:
            raise HandlerError
        yield b"never"

    call = serve(telemetry, app)
    with pytest.raises(HandlerError):
        call.send_all()
    call.close()
    assert counted_once(recorded, 500)
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())


def test_body_that_raises_when_it_is_closed(telemetry: Telemetry, recorded: Recorded) -> None:
    class Body(list[bytes]):
        def close(self) -> None:
            raise HandlerError

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        return Body()

    call = serve(telemetry, app)
    with pytest.raises(HandlerError):
        call.close()
    assert counted_once(recorded, 200)


def test_app_that_never_starts_a_response(telemetry: Telemetry, recorded: Recorded) -> None:
    call = serve(telemetry, lambda environ, start_response: [])
    call.send_all()
    assert counted_once(recorded, 500)


def test_response_that_an_error_page_replaces(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        try:
            raise HandlerError
        except HandlerError:
            start_response("503 Busy", [], sys.exc_info())
        return [b"sorry"]

    serve(telemetry, app).send_all()
    assert counted_once(recorded, 503)
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())


def test_error_page_after_the_first_part_keeps_the_sent_status(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)(b"first")
        try:
            raise HandlerError
        except HandlerError:
            start_response("500 Oops", [], sys.exc_info())
        return []

    with pytest.raises(HandlerError):
        serve(telemetry, app)
    assert counted_once(recorded, 200)
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())


def test_write_callable_works(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        write = start_response(*OK)
        write(b"by hand")
        return []

    assert serve(telemetry, app).send_all() == [b"by hand"]
    assert counted_once(recorded, 200)


def test_invalid_status_is_other(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("fine", [])
        return []

    serve(telemetry, app).send_all()
    assert counted_once(recorded, "_OTHER")


def test_list_body_keeps_its_length(telemetry: Telemetry) -> None:
    call = serve(telemetry, listed)
    assert len(call.body) == 2  # type: ignore[arg-type]  # as servers do
    call.close()


def test_file_body_stays_the_wrapper_of_the_server(telemetry: Telemetry, recorded: Recorded) -> None:
    file = io.BytesIO(b"content")

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
        return wrapped

    call = serve(telemetry, app, **{"wsgi.file_wrapper": FileWrapper})
    assert isinstance(call.body, FileWrapper)
    assert recorded.active() == {"GET": 1}
    call.close()
    assert file.closed
    assert counted_once(recorded, 200)


class Slotted:
    """A file wrapper like those written in C, on which no attribute can be set."""

    __slots__ = ("file",)

    def __init__(self, file: io.BytesIO) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        yield self.file.read()

    def close(self) -> None:
        self.file.close()


def send_file(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response(*OK)
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"content"), 8192)
    return wrapped


def slotted(file: io.BytesIO, block_size: int = 0) -> Slotted:
    return Slotted(file)


class SettableFile(io.BytesIO):
    """A file like that of ``open``, which takes attributes."""


def raw(file: io.BytesIO, block_size: int = 0) -> SettableFile:
    """A file wrapper like uWSGI's, which returns the file."""
    settable = SettableFile(file.read())
    made.append(settable)
    return settable


made: list[Any] = []


@pytest.mark.parametrize("wrapper", [FileWrapper, raw, slotted, type("Own", (FileWrapper,), {})])
@pytest.mark.parametrize("copied", [True, False])
def test_the_server_gets_the_very_file_that_its_wrapper_made(
    telemetry: Telemetry, recorded: Recorded, wrapper: Any, copied: bool
) -> None:
    """Whatever the wrapper is, and whatever copies the environ. Two middlewares do not hide it either."""
    made.clear()

    def make(*arguments: Any) -> Any:
        made.append(wrapper(*arguments))
        return made[-1]

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return send_file({**environ} if copied else environ, start_response)

    other = Telemetry(metrics_exporter="prometheus")
    inside = MetricsMiddleware(app, telemetry=other)
    of_server = wrapper if isinstance(wrapper, type) else make
    call = serve(telemetry, inside, **{"wsgi.file_wrapper": of_server})
    assert isinstance(call.body, wrapper) if isinstance(wrapper, type) else call.body is made[-1]
    call.close()
    for each in (recorded, Recorded(other)):
        assert counted_once(each, 200)
    other.shutdown()


@pytest.mark.parametrize("wrapper", [raw, slotted])
def test_what_the_file_wrapper_did_not_make_is_iterated(
    telemetry: Telemetry, recorded: Recorded, wrapper: Any
) -> None:
    call = serve(telemetry, generated, **{"wsgi.file_wrapper": wrapper})
    assert call.send_all() == [b"a", b"b"]
    assert counted_once(recorded, 200)


def test_a_sent_file_is_timed_until_it_is_closed_and_freed_with_it(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    gc.disable()
    try:
        environ = {**WsgiCall(listed).environ, "wsgi.file_wrapper": raw}
        file: Any = MetricsMiddleware(send_file, telemetry=telemetry)(environ, lambda *_: lambda part: None)
        assert file is made.pop()
        assert recorded.active() == {"GET": 1}
        file.close()
        assert counted_once(recorded, 200)
        reference = weakref.ref(file)
        del environ, file
        assert reference() is None
    finally:
        gc.enable()


UPGRADE = {
    "HTTP_UPGRADE": "WebSocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def upgraded(telemetry: Telemetry, app: WSGIApplication, **environ: Any) -> WsgiCall:
    def watched(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        assert Recorded(telemetry).active() == {"WEBSOCKET": 1}
        return app(environ, start_response)

    return serve(telemetry, watched, **UPGRADE, **environ)


def not_counted(recorded: Recorded) -> bool:
    return (recorded.counts(), recorded.active()) == ({}, {})


@pytest.mark.parametrize("error", [StopIteration, ConnectionResetError, GeneratorExit])
def test_a_websocket_that_ends_by_an_exception_is_not_counted(
    telemetry: Telemetry, recorded: Recorded, error: type[BaseException]
) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        raise error

    with pytest.raises(error):
        upgraded(telemetry, app)
    assert not_counted(recorded)


def test_a_websocket_that_ends_without_a_response_is_not_counted(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    handled: list[bytes] = []
    call = upgraded(telemetry, lambda environ, start_response: handled)
    assert call.body is handled, "a server may know this object"
    assert not_counted(recorded)


def test_a_websocket_that_switches_protocols_is_active_until_it_is_closed(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        start_response("101 Switching Protocols", [])
        yield b"frame"

    call = upgraded(telemetry, app)
    parts = iter(call.body)
    next(parts)
    assert recorded.active() == {"WEBSOCKET": 1}
    call.close()
    assert not_counted(recorded)


def test_a_websocket_that_the_server_opened_is_not_counted(telemetry: Telemetry, recorded: Recorded) -> None:
    call = upgraded(telemetry, listed, **{"wsgi.websocket": object()})
    call.send_all()
    assert not_counted(recorded)


@pytest.mark.parametrize("app", [listed, generated])
def test_a_refused_websocket_is_counted_as_what_was_answered(
    telemetry: Telemetry, recorded: Recorded, app: WSGIApplication
) -> None:
    upgraded(telemetry, app).send_all()
    assert counted_once(recorded, 200)


def test_a_refused_websocket_has_a_route_and_an_error(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        set_route(environ, "/chat")
        set_error(environ, HandlerError())
        start_response("503 Busy", [])
        return [b"busy"]

    upgraded(telemetry, app).send_all()
    assert recorded.counts() == {RequestLabels("GET", "/chat", 503): 1}
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())


@pytest.mark.parametrize(
    "environ",
    [{}, {"HTTP_UPGRADE": "h2c"}, {"HTTP_UPGRADE": "websocket"}, {**UPGRADE, "HTTP_UPGRADE": "h2c"}],
)
def test_a_missing_response_to_any_other_request_is_a_500(
    telemetry: Telemetry, recorded: Recorded, environ: dict[str, str]
) -> None:
    serve(telemetry, lambda environ, start_response: [], **environ).send_all()
    assert counted_once(recorded, 500)


def test_two_telemetries_both_count(telemetry: Telemetry, recorded: Recorded) -> None:
    other = Telemetry(metrics_exporter="prometheus")
    call = serve(telemetry, MetricsMiddleware(listed, telemetry=other))
    call.send_all()
    assert counted_once(recorded, 200)
    assert Recorded(other).counts() == {RequestLabels("GET", "unmatched", 200): 1}
    other.shutdown()


def test_outer_telemetry_records_the_type_of_an_exception_that_was_answered_on_its_way(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    def fail(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        raise HandlerError

    other = Telemetry(metrics_exporter="prometheus")
    inner = MetricsMiddleware(fail, telemetry=other)

    def answer_exceptions(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            return inner(environ, start_response)
        except HandlerError:
            start_response("500 Oops", [])
            return []

    serve(telemetry, answer_exceptions).send_all()
    assert counted_once(recorded, 500)
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())
    other.shutdown()


def test_exception_that_became_a_response_is_recorded_by_its_type(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        set_error(environ, HandlerError())
        start_response("500 Oops", [])
        return []

    serve(telemetry, app).send_all()
    assert counted_once(recorded, 500)
    assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())
