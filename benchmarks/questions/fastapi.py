"""What one request costs the processor on FastAPI, and what its own telemetry adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import asgi_apps as apps
from benchmarks.in_process import asgi_server
from benchmarks.peers import OTEL
from benchmarks.question import Contestant, Effort, Measure, Question


def contestant(name: str, make: Callable[[], Any], *packages: str) -> Contestant:
    """Serves requests through the app that ``make`` makes."""

    def served(case: int) -> Measure:
        return asgi_server(make())

    return Contestant(name, served, packages)


INSTRUMENTATOR, OTEL_FASTAPI = "prometheus-fastapi-instrumentator", "opentelemetry-instrumentation-fastapi"

QUESTION = Question(
    "fastapi",
    "A request on FastAPI, in-process",
    "us a request",
    (
        contestant("bare", apps.fastapi_bare, "fastapi", "starlette"),
        contestant("floor", apps.fastapi_floor),
        contestant("ours", lambda: apps.fastapi_ours(telemetry=apps.QUIET), "dualmetrics"),
        contestant("ours, FastAPI's telemetry left on", apps.fastapi_ours),
        contestant("FastAPI's telemetry, Prometheus", lambda: apps.fastapi_builtin(push=False), *OTEL),
        contestant("FastAPI's telemetry, Prometheus and OTLP", lambda: apps.fastapi_builtin(push=True)),
        contestant(INSTRUMENTATOR, apps.fastapi_instrumentator, INSTRUMENTATOR),
        contestant("OTel FastAPI, Prometheus", lambda: apps.fastapi_otel(push=False), OTEL_FASTAPI),
        contestant("OTel FastAPI, Prometheus and OTLP", lambda: apps.fastapi_otel(push=True)),
    ),
    {"tiny": Effort(1, 1, 50), "quick": Effort(2, 6, 1000), "full": Effort(6, 15, 2000)},
    base="bare",
)
