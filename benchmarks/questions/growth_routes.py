"""How the cost of a request grows with the number of routes."""

from __future__ import annotations

from benchmarks import asgi_apps as apps
from benchmarks.asgi_apps import AppFactory
from benchmarks.in_process import asgi_server
from benchmarks.question import Contestant, Effort, Measure, Question


def _contestant(name: str, factory: AppFactory) -> Contestant:
    def make(routes: int) -> Measure:
        return asgi_server(factory(routes), routes)

    return Contestant(name, make)


QUESTION = Question(
    "growth_routes",
    "A request for the last of many routes on Starlette, which tries one route after the other",
    "us per request",
    (
        _contestant("bare", apps.bare),
        _contestant("floor", apps.floor),
        _contestant("ours", apps.ours),
        _contestant("prometheus-fastapi-instrumentator", apps.instrumentator),
        _contestant("starlette-exporter", apps.starlette_exporter),
        _contestant("OTel ASGI, Prometheus and OTLP", apps.otel_and_push),
    ),
    {
        "tiny": Effort(1, 1, 50, (10,)),
        "quick": Effort(1, 4, 500, (10, 100, 1000)),
        "full": Effort(3, 8, 1000, (10, 100, 1000)),
    },
    case="routes",
    base="bare",
)
