"""What the WSGI middleware records whatever the framework: all kinds of bodies and servers (PEP 3333)."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest

from dualmetrics import Telemetry
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, HandlerError
from dualmetrics.testing.wsgi_client import WsgiCall
from dualmetrics.wsgi import MetricsMiddleware, set_error

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


def test_file_wrapper_without_settable_attributes_is_iterated(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    file = io.BytesIO(b"content")

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        return Slotted(file)

    call = serve(telemetry, app, **{"wsgi.file_wrapper": Slotted})
    assert call.send_all() == [b"content"]
    call.close()
    assert file.closed
    assert counted_once(recorded, 200)


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
