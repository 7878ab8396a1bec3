"""The ASGI contestants: each function makes a new app with the metrics of one library."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from benchmarks import floors, peers
from benchmarks.apps import ROUTES, fastapi_app, starlette_app

AppFactory = Callable[[int], Any]
"""Makes an app with this number of routes; 0 stands for the usual number."""


def bare(routes: int = 0) -> Any:
    return starlette_app(routes or ROUTES)


def floor(routes: int = 0) -> Any:
    return floors.asgi_floor(bare(routes), floors.RequestCells())


def ours(routes: int = 0) -> Any:
    from dualmetrics_starlette import DualMetrics

    app = bare(routes)
    DualMetrics(app, **peers.both_exports())
    return app


def hand_written(routes: int = 0) -> Any:
    app, metrics = bare(routes), peers.HandWrittenMetrics()

    async def measured(scope: Any, receive: Any, send: Any) -> None:
        started = perf_counter()
        status = "500"

        async def send_and_note(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        metrics.active.inc()
        await app(scope, receive, send_and_note)
        metrics.record(
            (scope["method"], scope["endpoint"].__name__, status), (perf_counter() - started) * 1000
        )

    return measured


def instrumentator(routes: int = 0) -> Any:
    from prometheus_fastapi_instrumentator import Instrumentator

    app = bare(routes)
    Instrumentator().instrument(app).expose(app)
    return app


def starlette_exporter(routes: int = 0) -> Any:
    from starlette_exporter import PrometheusMiddleware, handle_metrics

    app = bare(routes)
    app.add_middleware(PrometheusMiddleware)
    app.add_route("/metrics", handle_metrics)
    return app


def asgi_prometheus(routes: int = 0) -> Any:
    from asgi_prometheus import PrometheusMiddleware

    return PrometheusMiddleware(bare(routes))


def otel(routes: int = 0, *, push: bool = False) -> Any:
    peers.use_stable_conventions()
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(bare(routes), meter_provider=peers.otel_provider(push=push))


def otel_and_push(routes: int = 0) -> Any:
    return otel(routes, push=True)


def multiprocess(factory: AppFactory) -> AppFactory:
    """The same app in prometheus_client's multiprocess mode."""

    def make(routes: int = 0) -> Any:
        peers.turn_multiprocess_on()
        return factory(routes)

    return make


NO_METRICS = {"metrics": False}
"""The argument ``telemetry`` of FastAPI that turns its own metrics off."""


def fastapi_bare() -> Any:
    return fastapi_app(telemetry=NO_METRICS)


def fastapi_floor() -> Any:
    return floors.asgi_floor(fastapi_bare(), floors.RequestCells())


def fastapi_ours(**options: Any) -> Any:
    from dualmetrics_starlette import DualMetrics

    app = fastapi_app(**options)
    DualMetrics(app, **peers.both_exports())
    return app


def fastapi_builtin(*, push: bool) -> Any:
    from opentelemetry import metrics

    metrics.set_meter_provider(peers.otel_provider(push=push))
    return fastapi_app()


def fastapi_instrumentator() -> Any:
    from prometheus_fastapi_instrumentator import Instrumentator

    app = fastapi_bare()
    Instrumentator().instrument(app).expose(app)
    return app


def fastapi_otel(*, push: bool) -> Any:
    peers.use_stable_conventions()
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    app = fastapi_bare()
    FastAPIInstrumentor.instrument_app(app, meter_provider=peers.otel_provider(push=push))
    return app
