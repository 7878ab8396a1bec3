"""The WSGI contestants: each function makes a new app with the metrics of one library."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

from benchmarks import floors, peers
from benchmarks.apps import ROUTES, flask_app


def bare(routes: int = 0) -> Any:
    return flask_app(routes or ROUTES)


def floor(routes: int = 0) -> Any:
    return floors.wsgi_floor_at_close(bare(routes), floors.RequestCells())


def floor_with_our_imports(routes: int = 0) -> Any:
    """The floor in a process that has imported the same modules as ours.

    Flask leaves each request to the garbage collector, which then visits all objects of the process.
    """
    import opentelemetry.exporter.otlp.proto.http.metric_exporter  # noqa: F401

    import dualmetrics_flask  # noqa: F401

    return floor(routes)


def floor_at_start(routes: int = 0) -> Any:
    return floors.wsgi_floor_at_start(bare(routes), floors.RequestCells())


def ours(routes: int = 0) -> Any:
    from dualmetrics_flask import DualMetrics

    app = bare(routes)
    DualMetrics(app, **peers.both_exports())
    return app


def hand_written(routes: int = 0) -> Any:
    app, metrics = bare(routes), peers.HandWrittenMetrics()

    def measured(environ: Any, start_response: Any) -> Iterable[bytes]:
        started = perf_counter()

        def start_and_note(status: str, headers: Any, error: Any = None) -> Any:
            key = (environ["REQUEST_METHOD"], environ["werkzeug.request"].url_rule.rule, status)
            metrics.record(key, (perf_counter() - started) * 1000)
            return start_response(status, headers, error)

        metrics.active.inc()
        body: Iterable[bytes] = app(environ, start_and_note)
        return body

    return measured


def flask_exporter(routes: int = 0) -> Any:
    from prometheus_flask_exporter import PrometheusMetrics

    app = bare(routes)
    PrometheusMetrics(app, group_by="url_rule")
    return app


def otel_wsgi(*, push: bool = False) -> Any:
    peers.use_stable_conventions()
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(bare(), meter_provider=peers.otel_provider(push=push))


def otel_flask(routes: int = 0, *, push: bool = False) -> Any:
    peers.use_stable_conventions()
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    app = bare(routes)
    FlaskInstrumentor().instrument_app(app, meter_provider=peers.otel_provider(push=push))
    return app


def otel_flask_and_push(routes: int = 0) -> Any:
    return otel_flask(routes, push=True)
