"""Which span a request is recorded in, wherever the tracing middleware is placed."""

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


def traced_telemetry(directory: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Telemetry:
    """Return a Telemetry that expects a tracer: the tracer of these tests is not the global one."""
    with monkeypatch.context() as patch:
        patch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
        return Telemetry(metrics_exporter="prometheus", directory=str(directory), **settings)


@pytest.fixture(params=["classic", "semconv", "both"])
def telemetry(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Telemetry]:
    telemetry = traced_telemetry(tmp_path, monkeypatch, convention=request.param)
    yield telemetry
    telemetry.shutdown()


def exemplars(telemetry: Telemetry) -> list[Exemplar]:
    """The exemplars of the HTTP metrics."""
    return [
        exemplar
        for family in telemetry.snapshot().families
        if family.descriptor.name.startswith("http.")
        for point in family.points
        for exemplar in point.exemplars
        if exemplar
    ]


def span_ids(telemetry: Telemetry) -> set[int]:
    """The spans of all exemplars: those of a histogram, and of the counter if the convention has one."""
    kept = exemplars(telemetry)
    assert len(kept) == {"classic": 2, "semconv": 1, "both": 3}[telemetry.settings.convention]
    return {exemplar.span_id for exemplar in kept}


def span_id(span: trace.Span) -> int:
    return span.get_span_context().span_id


def serve_asgi(telemetry: Telemetry, outer: trace.Span | None, inner: trace.Span) -> None:
    """Serve a request: ``outer`` is active when it arrives, and ``inner`` when its response is sent."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with trace.use_span(inner):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})

    async def server(*messages: Any) -> Any:
        """Receive or send nothing."""

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "scheme": "http"}
    with trace.use_span(outer) if outer else nullcontext():
        asyncio.run(asgi.MetricsMiddleware(app, telemetry=telemetry)(scope, server, server))


def test_asgi_span_at_arrival_takes_precedence_over_span_at_response(telemetry: Telemetry) -> None:
    outer, inner = tracer.start_span("server"), tracer.start_span("send")
    serve_asgi(telemetry, outer, inner)
    assert span_ids(telemetry) == {span_id(outer)}


def test_asgi_unsampled_span_at_arrival_means_no_exemplar(telemetry: Telemetry) -> None:
    unsampled = trace.SpanContext(1, 2, is_remote=False)
    serve_asgi(telemetry, trace.NonRecordingSpan(unsampled), tracer.start_span("send"))
    assert exemplars(telemetry) == []


def test_asgi_span_of_the_client_is_not_used(telemetry: Telemetry) -> None:
    remote, inner = trace.SpanContext(1, 2, is_remote=True), tracer.start_span("server")
    serve_asgi(telemetry, trace.NonRecordingSpan(remote), inner)
    assert span_ids(telemetry) == {span_id(inner)}


def test_asgi_span_at_response_is_used_without_span_at_arrival(telemetry: Telemetry) -> None:
    inner = tracer.start_span("server")
    serve_asgi(telemetry, None, inner)
    assert span_ids(telemetry) == {span_id(inner)}


def serve_wsgi(telemetry: Telemetry, outer: trace.Span | None, inner: trace.Span) -> None:
    """Serve a request: ``outer`` is active while the app is called, ``inner`` inside it, none later."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with trace.use_span(inner):
            start_response("200 OK", [])
            return iter([b"hello"])

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
    with trace.use_span(outer) if outer else nullcontext():
        body = wsgi.MetricsMiddleware(app, telemetry=telemetry)(environ, lambda *_: print)
    assert list(body) == [b"hello"]


def test_wsgi_span_at_arrival_takes_precedence_over_span_at_response(telemetry: Telemetry) -> None:
    outer, inner = tracer.start_span("server"), tracer.start_span("view")
    serve_wsgi(telemetry, outer, inner)
    assert span_ids(telemetry) == {span_id(outer)}


def test_wsgi_span_at_response_is_used_without_span_at_arrival(telemetry: Telemetry) -> None:
    inner = tracer.start_span("server")
    serve_wsgi(telemetry, None, inner)
    assert span_ids(telemetry) == {span_id(inner)}


def test_always_on_keeps_exemplars_of_requests_without_a_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = traced_telemetry(tmp_path, monkeypatch, exemplar_filter="always_on")
    serve_wsgi(telemetry, None, trace.INVALID_SPAN)
    assert span_ids(telemetry) == {0}
    telemetry.shutdown()


def test_exemplar_is_kept_in_the_bucket_of_its_duration(telemetry: Telemetry) -> None:
    recorder = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    with trace.use_span(tracer.start_span("server")):
        for seconds in (0.004, 0.3, 99.0):
            recorder.start()
            recorder.end("/", 200, None, seconds)
    for family in telemetry.snapshot().families:
        if family.descriptor.name.endswith("duration"):
            [point] = [point for point in family.points if point.exemplars]
            filled = [bool(count) for count in point.cells[:-1]]
            assert [exemplar is not None for exemplar in point.exemplars] == filled
            for bound, exemplar in zip(family.descriptor.bounds, point.exemplars, strict=False):
                assert exemplar is None or exemplar.value <= bound
