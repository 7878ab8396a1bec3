"""What one request costs the processor on Starlette."""

from __future__ import annotations

from benchmarks import asgi_apps as apps
from benchmarks.asgi_apps import Make
from benchmarks.in_process import asgi_server
from benchmarks.peers import OTEL
from benchmarks.question import Contestant, Effort, Measure, Question


def contestant(name: str, make: Make, *packages: str) -> Contestant:
    """Serves requests through the app that ``make`` makes."""

    def served(case: int) -> Measure:
        return asgi_server(make(0))

    return Contestant(name, served, packages)


INSTRUMENTATOR, EXPORTER = "prometheus-fastapi-instrumentator", "starlette-exporter"

QUESTION = Question(
    "asgi",
    "A request on Starlette, in-process",
    "us a request",
    (
        contestant("bare", apps.bare, "starlette"),
        contestant("floor", apps.floor),
        contestant("ours", apps.ours, "dualmetrics"),
        contestant("prometheus_client by hand", apps.by_hand, "prometheus-client"),
        contestant("the same, multiprocess", apps.multiprocess(apps.by_hand)),
        contestant(INSTRUMENTATOR, apps.instrumentator, INSTRUMENTATOR),
        contestant(f"{INSTRUMENTATOR}, multiprocess", apps.multiprocess(apps.instrumentator)),
        contestant(EXPORTER, apps.starlette_exporter, EXPORTER),
        contestant(f"{EXPORTER}, multiprocess", apps.multiprocess(apps.starlette_exporter)),
        contestant("asgi-prometheus", apps.asgi_prometheus, "asgi-prometheus"),
        contestant("OTel ASGI, Prometheus", apps.otel, "opentelemetry-instrumentation-asgi", *OTEL),
        contestant("OTel ASGI, Prometheus and OTLP", apps.otel_and_push),
    ),
    {"tiny": Effort(1, 1, 50), "quick": Effort(2, 6, 1500), "full": Effort(6, 15, 3000)},
    base="bare",
)
