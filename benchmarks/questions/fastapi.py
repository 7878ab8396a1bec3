"""CPU time of a request on FastAPI, with and without FastAPI's own telemetry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import asgi_apps as apps
from benchmarks.in_process import asgi_server
from benchmarks.peers import OTEL
from benchmarks.question import Contestant, Effort, Measure, Question


def _contestant(name: str, factory: Callable[[], Any], *packages: str) -> Contestant:
    def make(case: int) -> Measure:
        return asgi_server(factory())

    return Contestant(name, make, packages)


INSTRUMENTATOR, OTEL_FASTAPI = "prometheus-fastapi-instrumentator", "opentelemetry-instrumentation-fastapi"

QUESTION = Question(
    "fastapi",
    "A request on FastAPI, in-process",
    "us per request",
    (
        _contestant("bare", apps.fastapi_bare, "fastapi", "starlette"),
        _contestant("floor", apps.fastapi_floor),
        _contestant("ours", lambda: apps.fastapi_ours(telemetry=apps.NO_METRICS), "dualmetrics"),
        _contestant("ours, with FastAPI's telemetry on", apps.fastapi_ours),
        _contestant("FastAPI's telemetry, Prometheus", lambda: apps.fastapi_builtin(push=False), *OTEL),
        _contestant("FastAPI's telemetry, Prometheus and OTLP", lambda: apps.fastapi_builtin(push=True)),
        _contestant(INSTRUMENTATOR, apps.fastapi_instrumentator, INSTRUMENTATOR),
        _contestant("OTel FastAPI, Prometheus", lambda: apps.fastapi_otel(push=False), OTEL_FASTAPI),
        _contestant("OTel FastAPI, Prometheus and OTLP", lambda: apps.fastapi_otel(push=True)),
    ),
    {"tiny": Effort(1, 1, 50), "quick": Effort(2, 6, 1000), "full": Effort(6, 15, 2000)},
    base="bare",
)
