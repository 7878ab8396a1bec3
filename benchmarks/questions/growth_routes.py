"""What grows with the number of routes: a request for the last one."""

from __future__ import annotations

from benchmarks import asgi_apps as apps
from benchmarks.asgi_apps import Make
from benchmarks.in_process import asgi_server
from benchmarks.question import Contestant, Effort, Measure, Question


def contestant(name: str, make: Make) -> Contestant:
    """Serves requests for the last route."""

    def served(routes: int) -> Measure:
        return asgi_server(make(routes), routes)

    return Contestant(name, served)


QUESTION = Question(
    "growth_routes",
    "Tenfold routes: a request for the last one on Starlette, which asks one after the other",
    "us a request",
    (
        contestant("bare", apps.bare),
        contestant("floor", apps.floor),
        contestant("ours", apps.ours),
        contestant("prometheus-fastapi-instrumentator", apps.instrumentator),
        contestant("starlette-exporter", apps.starlette_exporter),
        contestant("OTel ASGI, Prometheus and OTLP", apps.otel_and_push),
    ),
    {
        "tiny": Effort(1, 1, 50, (10,)),
        "quick": Effort(1, 4, 500, (10, 100, 1000)),
        "full": Effort(3, 8, 1000, (10, 100, 1000)),
    },
    case="routes",
    base="bare",
)
