"""Which span is a request's, wherever the one that traces stands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from dualmetrics import asgi, wsgi
from dualmetrics.model.snapshot import Exemplar
from dualmetrics.telemetry import Telemetry

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

tracer = TracerProvider().get_tracer("tests")


def telemetry_of(directory: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Telemetry:
    """One to whom a tracer is announced: the tests' is not the global one."""
    with monkeypatch.context() as announced:
        announced.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
        return Telemetry(metrics_exporter="prometheus", directory=str(directory), **settings)


@pytest.fixture(params=["classic", "semconv", "both"])
def telemetry(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Telemetry]:
    made = telemetry_of(tmp_path, monkeypatch, convention=request.param)
    yield made
    made.shutdown()


def exemplars(telemetry: Telemetry) -> list[Exemplar]:
    """Those of the requests."""
    return [
        each
        for family in telemetry.snapshot().families
        if family.descriptor.name.startswith("http.")
        for point in family.points
        for each in point.exemplars
        if each
    ]


def span_ids(telemetry: Telemetry) -> set[int]:
    """The spans of all exemplars: a histogram's, and the counter's if the convention has one."""
    found = exemplars(telemetry)
    assert len(found) == {"classic": 2, "semconv": 1, "both": 3}[telemetry.settings.convention]
    return {each.span_id for each in found}


def id_of(span: trace.Span) -> int:
    return span.get_span_context().span_id


def serve_asgi(telemetry: Telemetry, outer: trace.Span | None, inner: trace.Span) -> None:
    """One request: ``outer`` is active where it arrives, ``inner`` where its response is sent."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with trace.use_span(inner):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})

    async def nothing(*messages: Any) -> Any:
        """A server."""

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "scheme": "http"}
    with trace.use_span(outer) if outer else nullcontext():
        asyncio.run(asgi.MetricsMiddleware(app, telemetry=telemetry)(scope, nothing, nothing))


def test_asgi_the_span_of_the_arrival_comes_before_that_of_the_response(telemetry: Telemetry) -> None:
    outer, inner = tracer.start_span("server"), tracer.start_span("send")
    serve_asgi(telemetry, outer, inner)
    assert span_ids(telemetry) == {id_of(outer)}


def test_asgi_in_a_trace_that_is_not_sampled_nothing_further_in_is_taken(telemetry: Telemetry) -> None:
    unsampled = trace.SpanContext(1, 2, is_remote=False)
    serve_asgi(telemetry, trace.NonRecordingSpan(unsampled), tracer.start_span("send"))
    assert exemplars(telemetry) == []


def test_asgi_the_span_that_a_client_names_is_not_the_request_s(telemetry: Telemetry) -> None:
    remote, inner = trace.SpanContext(1, 2, is_remote=True), tracer.start_span("server")
    serve_asgi(telemetry, trace.NonRecordingSpan(remote), inner)
    assert span_ids(telemetry) == {id_of(inner)}


def test_asgi_without_a_span_at_the_arrival_that_of_the_response_is_taken(telemetry: Telemetry) -> None:
    inner = tracer.start_span("server")
    serve_asgi(telemetry, None, inner)
    assert span_ids(telemetry) == {id_of(inner)}


def serve_wsgi(telemetry: Telemetry, outer: trace.Span | None, inner: trace.Span) -> None:
    """One request: ``outer`` is active while the app is called, ``inner`` inside; nothing is later on."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with trace.use_span(inner):
            start_response("200 OK", [])
            return iter([b"hello"])

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
    with trace.use_span(outer) if outer else nullcontext():
        body = wsgi.MetricsMiddleware(app, telemetry=telemetry)(environ, lambda *_: print)
    assert list(body) == [b"hello"]


def test_wsgi_the_span_of_the_arrival_comes_before_that_of_the_response(telemetry: Telemetry) -> None:
    outer, inner = tracer.start_span("server"), tracer.start_span("view")
    serve_wsgi(telemetry, outer, inner)
    assert span_ids(telemetry) == {id_of(outer)}


def test_wsgi_without_a_span_at_the_arrival_that_of_the_response_is_taken(telemetry: Telemetry) -> None:
    inner = tracer.start_span("server")
    serve_wsgi(telemetry, None, inner)
    assert span_ids(telemetry) == {id_of(inner)}


def test_with_always_on_a_request_without_a_span_is_an_exemplar_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = telemetry_of(tmp_path, monkeypatch, exemplar_filter="always_on")
    serve_wsgi(telemetry, None, trace.INVALID_SPAN)
    assert span_ids(telemetry) == {0}
    telemetry.shutdown()


def test_each_duration_stands_in_the_bucket_of_its_exemplar(telemetry: Telemetry) -> None:
    requests = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    with trace.use_span(tracer.start_span("server")):
        for seconds in (0.004, 0.3, 99.0):
            requests.start()
            requests.end("/", 200, None, seconds)
    for family in telemetry.snapshot().families:
        if family.descriptor.name.endswith("duration"):
            [point] = [point for point in family.points if point.exemplars]
            counted = [bool(count) for count in point.cells[:-1]]
            assert [each is not None for each in point.exemplars] == counted
            for bound, each in zip(family.descriptor.bounds, point.exemplars, strict=False):
                assert each is None or each.value <= bound
