"""Exemplars of requests with OpenTelemetry's instrumentations, outside and inside of our middleware."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from flask import Flask
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from werkzeug.test import Client

from dualmetrics import Telemetry, asgi, wsgi
from dualmetrics.model.snapshot import Exemplar
from dualmetrics_flask import DualMetrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

pytestmark = pytest.mark.server

OUTSIDE, INSIDE = "outside", "inside"
both_orders = pytest.mark.parametrize("tracing", [OUTSIDE, INSIDE])
Get = Callable[[str], object]


class Traces:
    """A tracer provider of its own, and the spans that have ended."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._ended = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler)
        self.provider.add_span_processor(SimpleSpanProcessor(self._ended))

    def server(self) -> ReadableSpan:
        """The span of the only request."""
        [span] = [span for span in self._ended.get_finished_spans() if span.kind is SpanKind.SERVER]
        return span

    def ids(self, trace_id: int) -> set[int]:
        """The ids of the spans of a trace."""
        contexts = [span.get_span_context() for span in self._ended.get_finished_spans()]
        return {context.span_id for context in contexts if context and context.trace_id == trace_id}


@pytest.fixture
def traces() -> Traces:
    return Traces()


@pytest.fixture
def telemetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    with monkeypatch.context() as environment:
        environment.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
        telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()


def exemplars(telemetry: Telemetry) -> list[Exemplar]:
    """The exemplars of the counter and of the histogram of requests."""
    return [
        exemplar
        for family in telemetry.snapshot().families
        if family.descriptor.name in ("http.requests", "http.request.duration")
        for point in family.points
        for exemplar in point.exemplars
        if exemplar
    ]


def assert_exemplars_belong_to_the_request(telemetry: Telemetry, traces: Traces, tracing: str) -> None:
    """Both are in the trace of the request. If tracing is outside, both are in the span of the server."""
    server = traces.server().get_span_context()
    assert server is not None
    recorded = exemplars(telemetry)
    assert len(recorded) == 2
    assert {exemplar.trace_id for exemplar in recorded} == {server.trace_id}
    assert {exemplar.span_id for exemplar in recorded} <= traces.ids(server.trace_id)
    if tracing == OUTSIDE:
        assert {exemplar.span_id for exemplar in recorded} == {server.span_id}


# ASGI


async def plain(request: Request) -> Response:
    return PlainTextResponse("hello")


async def streamed(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "hello"
        yield "world"

    return StreamingResponse(parts())


async def failing(request: Request) -> Response:
    raise ZeroDivisionError


def asgi_site(telemetry: Telemetry, traces: Traces, tracing: str, **options: Any) -> Get:
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    app: Any = Starlette(
        routes=[Route(f"/{handler.__name__}", handler) for handler in (plain, streamed, failing)]
    )
    if tracing == INSIDE:
        app = OpenTelemetryMiddleware(app, tracer_provider=traces.provider, **options)
    app = asgi.MetricsMiddleware(app, telemetry=telemetry)
    if tracing == OUTSIDE:
        app = OpenTelemetryMiddleware(app, tracer_provider=traces.provider, **options)
    return lambda path: asyncio.run(_get(app, path))


async def _get(app: Any, path: str) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get(path)


@both_orders
@pytest.mark.parametrize("path", ["/plain", "/streamed", "/failing", "/nowhere"])
@pytest.mark.parametrize("options", [{}, {"exclude_spans": ["send", "receive"]}], ids=["all", "server"])
def test_asgi(telemetry: Telemetry, traces: Traces, tracing: str, path: str, options: dict[str, Any]) -> None:
    asgi_site(telemetry, traces, tracing, **options)(path)
    assert_exemplars_belong_to_the_request(telemetry, traces, tracing)


# WSGI


def wsgi_app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/failing":
        raise ZeroDivisionError
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter([b"hello", b"world"]) if environ["PATH_INFO"] == "/streamed" else [b"hello"]


def wsgi_site(telemetry: Telemetry, traces: Traces, tracing: str) -> Get:
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    app: Any = wsgi_app
    if tracing == INSIDE:
        app = OpenTelemetryMiddleware(app, tracer_provider=traces.provider)
    app = wsgi.MetricsMiddleware(app, telemetry=telemetry)
    if tracing == OUTSIDE:
        app = OpenTelemetryMiddleware(app, tracer_provider=traces.provider)
    return lambda path: Client(app).get(path, buffered=True)


@both_orders
@pytest.mark.parametrize("path", ["/plain", "/streamed"])
def test_wsgi(telemetry: Telemetry, traces: Traces, tracing: str, path: str) -> None:
    wsgi_site(telemetry, traces, tracing)(path)
    assert_exemplars_belong_to_the_request(telemetry, traces, tracing)


def test_wsgi_app_that_fails_before_its_response(telemetry: Telemetry, traces: Traces) -> None:
    with pytest.raises(ZeroDivisionError):
        wsgi_site(telemetry, traces, OUTSIDE)("/failing")
    assert_exemplars_belong_to_the_request(telemetry, traces, OUTSIDE)


# Flask


def flask_site(telemetry: Telemetry, traces: Traces, tracing: str) -> Get:
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    app = Flask(__name__)
    app.add_url_rule("/plain", view_func=lambda: "hello", endpoint="plain")
    app.add_url_rule("/streamed", view_func=lambda: iter(["hello", "world"]), endpoint="streamed")
    app.add_url_rule("/failing", view_func=lambda: str(1 / 0), endpoint="failing")
    if tracing == INSIDE:
        FlaskInstrumentor.instrument_app(app, tracer_provider=traces.provider)
    DualMetrics(app, telemetry=telemetry)
    if tracing == OUTSIDE:
        FlaskInstrumentor.instrument_app(app, tracer_provider=traces.provider)
    return app.test_client().get


@both_orders
@pytest.mark.parametrize("path", ["/plain", "/streamed", "/failing", "/nowhere"])
def test_flask(telemetry: Telemetry, traces: Traces, tracing: str, path: str) -> None:
    """The instrumentation of Flask starts its span inside Flask, whichever of the two is applied first."""
    flask_site(telemetry, traces, tracing)(path)
    assert_exemplars_belong_to_the_request(telemetry, traces, tracing)


@both_orders
@pytest.mark.parametrize("site", [asgi_site, wsgi_site, flask_site])
def test_span_that_is_not_sampled_gives_no_exemplar(
    telemetry: Telemetry, tracing: str, site: Callable[[Telemetry, Traces, str], Get]
) -> None:
    site(telemetry, Traces(ALWAYS_OFF), tracing)("/plain")
    assert exemplars(telemetry) == []
