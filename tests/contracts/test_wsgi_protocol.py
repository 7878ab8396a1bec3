"""The rows of the table that only WSGI has: bodies and servers of all manners (PEP 3333)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded, Request
from dualmetrics.testing.site import BOOM, HandlerError
from dualmetrics.wsgi import MetricsMiddleware
from tests.contracts.wsgi_sites import WsgiSite

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

OK = ("200 OK", [("Content-Type", "text/plain")])


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)


class Server:
    """The server's side of one request, by hand."""

    def __init__(self, app: WSGIApplication, **environ: Any) -> None:
        self.environ: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": "/", **environ}
        setup_testing_defaults(self.environ)
        self.started: list[str] = []
        self.written: list[bytes] = []
        self.body = app(self.environ, self.start_response)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Once a part was sent, an error is raised as it came (PEP 3333, *error handling*)."""
        if exc_info and self.written:
            raise exc_info[1].with_traceback(exc_info[2])
        self.started.append(status)
        return self.written.append

    def send(self) -> list[bytes]:
        """Send all parts."""
        for part in self.body:
            self.written.append(part)
        return self.written

    def close(self) -> None:
        """What a server does at last, if it can."""
        self.body.close()  # type: ignore[attr-defined]  # ours has one


def only(recorded: Recorded, status: int | str) -> bool:
    """Whether one request was counted, with this status, and none is active."""
    return recorded.counts() == {Request("GET", "unmatched", status): 1} and recorded.active() == {}


def serve(telemetry: Telemetry, app: WSGIApplication, **environ: Any) -> Server:
    return Server(MetricsMiddleware(app, telemetry=telemetry), **environ)


def listed(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response(*OK)
    return [b"a", b"b"]


def generated(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
    start_response(*OK)
    yield b"a"
    yield b"b"


@pytest.mark.parametrize("app", [listed, generated])
def test_a_body_that_was_sent_is_counted_once(
    telemetry: Telemetry, recorded: Recorded, app: WSGIApplication
) -> None:
    server = serve(telemetry, app)
    assert recorded.active() == {"GET": 1}
    assert server.send() == [b"a", b"b"]
    assert only(recorded, 200)
    server.close()
    assert only(recorded, 200)


def test_a_body_that_is_closed_and_never_iterated(telemetry: Telemetry, recorded: Recorded) -> None:
    server = serve(telemetry, listed)
    server.close()
    assert only(recorded, 200)


def test_a_body_that_never_started_a_response_before_it_was_closed(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    server = serve(telemetry, generated)
    server.close()
    assert only(recorded, 499)


def test_a_body_that_is_closed_half_way(telemetry: Telemetry, recorded: Recorded) -> None:
    server = serve(telemetry, generated)
    assert next(iter(server.body)) == b"a"
    server.close()
    assert only(recorded, 200)


def test_a_body_that_the_server_forgets(telemetry: Telemetry, recorded: Recorded) -> None:
    server = serve(telemetry, generated)
    parts = iter(server.body)
    next(parts)
    del parts, server
    assert only(recorded, 200)


@pytest.mark.parametrize(("error", "status"), [(HandlerError, 500), (GeneratorExit, 499), (SystemExit, 500)])
def test_an_app_that_raises(
    telemetry: Telemetry, recorded: Recorded, error: type[BaseException], status: int
) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        raise error

    with pytest.raises(error):
        serve(telemetry, app)
    assert only(recorded, status)


def test_a_body_that_raises_before_it_starts_the_response(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        if environ:
            raise HandlerError
        yield b"never"

    server = serve(telemetry, app)
    with pytest.raises(HandlerError):
        server.send()
    server.close()
    assert only(recorded, 500)
    assert recorded.errors() == ({BOOM} if recorded.semconv else set())


def test_a_body_that_raises_when_it_is_closed(telemetry: Telemetry, recorded: Recorded) -> None:
    class Body(list[bytes]):
        def close(self) -> None:
            raise HandlerError

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        return Body()

    server = serve(telemetry, app)
    with pytest.raises(HandlerError):
        server.close()
    assert only(recorded, 200)


def test_an_app_that_never_starts_a_response(telemetry: Telemetry, recorded: Recorded) -> None:
    server = serve(telemetry, lambda environ, start_response: [])
    server.send()
    assert only(recorded, 500)


def test_a_response_that_is_replaced_by_an_error_page(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        try:
            raise HandlerError
        except HandlerError:
            start_response("503 Busy", [], sys.exc_info())
        return [b"sorry"]

    serve(telemetry, app).send()
    assert only(recorded, 503)
    assert recorded.errors() == ({BOOM} if recorded.semconv else set())


def test_an_error_page_too_late_keeps_the_status_that_was_sent(
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
    assert only(recorded, 200)
    assert recorded.errors() == ({BOOM} if recorded.semconv else set())


def test_what_is_written_by_hand_arrives(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        write = start_response(*OK)
        write(b"by hand")
        return []

    assert serve(telemetry, app).send() == [b"by hand"]
    assert only(recorded, 200)


def test_a_status_that_is_none(telemetry: Telemetry, recorded: Recorded) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("fine", [])
        return []

    serve(telemetry, app).send()
    assert only(recorded, "_OTHER")


def test_the_length_of_a_list_is_still_known(telemetry: Telemetry) -> None:
    server = serve(telemetry, listed)
    assert len(server.body) == 2  # type: ignore[arg-type]  # servers ask just so
    server.close()


def test_a_file_stays_the_servers_own_wrapper(telemetry: Telemetry, recorded: Recorded) -> None:
    file = io.BytesIO(b"content")

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
        return wrapped

    server = serve(telemetry, app, **{"wsgi.file_wrapper": FileWrapper})
    assert isinstance(server.body, FileWrapper)
    assert recorded.active() == {"GET": 1}
    server.close()
    assert file.closed
    assert only(recorded, 200)


class Slotted:
    """A file wrapper as those written in C: nothing can be set on it."""

    __slots__ = ("file",)

    def __init__(self, file: io.BytesIO) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        yield self.file.read()

    def close(self) -> None:
        self.file.close()


def test_a_file_wrapper_that_cannot_tell_is_iterated(telemetry: Telemetry, recorded: Recorded) -> None:
    file = io.BytesIO(b"content")

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        return Slotted(file)

    server = serve(telemetry, app, **{"wsgi.file_wrapper": Slotted})
    assert server.send() == [b"content"]
    server.close()
    assert file.closed
    assert only(recorded, 200)


@pytest.mark.parametrize("path", ["/users/1", "/stream", "/later", "/status/404", "/folder/", "/metrics"])
def test_both_sides_keep_to_the_protocol(telemetry: Telemetry, wsgi_site: WsgiSite, path: str) -> None:
    other = Telemetry(metrics_exporter="prometheus", prometheus_path="/other")
    checked = validator(MetricsMiddleware(validator(wsgi_site.app), telemetry=other))
    server = Server(checked, PATH_INFO=path, QUERY_STRING="")
    assert server.send() or path.endswith("404")
    server.close()
    assert wsgi_site.world.recorded.active() == {}
    other.shutdown()


def test_installed_twice_is_counted_once(telemetry: Telemetry, wsgi_site: WsgiSite) -> None:
    server = serve(telemetry, MetricsMiddleware(wsgi_site.app, telemetry=telemetry), PATH_INFO="/users/1")
    server.send()
    assert wsgi_site.world.active_inside == [{"GET": 1}]
    counts: Callable[[], dict[Request, float]] = wsgi_site.world.recorded.counts
    assert sum(counts().values()) == 1
    assert wsgi_site.world.recorded.active() == {}


def test_two_telemetries_both_count(telemetry: Telemetry, recorded: Recorded) -> None:
    other = Telemetry(metrics_exporter="prometheus")
    server = serve(telemetry, MetricsMiddleware(listed, telemetry=other))
    server.send()
    assert only(recorded, 200)
    assert Recorded(other).counts() == {Request("GET", "unmatched", 200): 1}
    other.shutdown()
