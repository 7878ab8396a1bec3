"""CPU time of a request on Starlette."""

from __future__ import annotations

from benchmarks import asgi_apps as apps
from benchmarks.asgi_apps import AppFactory
from benchmarks.in_process import asgi_server
from benchmarks.peers import OTEL
from benchmarks.question import Contestant, Effort, Measure, Question


def _contestant(name: str, factory: AppFactory, *packages: str) -> Contestant:
    def make(case: int) -> Measure:
        return asgi_server(factory(0))

    return Contestant(name, make, packages)


INSTRUMENTATOR, EXPORTER = "prometheus-fastapi-instrumentator", "starlette-exporter"

QUESTION = Question(
    "asgi",
    "A request on Starlette, in-process",
    "us per request",
    (
        _contestant("bare", apps.bare, "starlette"),
        _contestant("floor", apps.floor),
        _contestant("ours", apps.ours, "dualmetrics"),
        _contestant("prometheus_client by hand", apps.hand_written, "prometheus-client"),
        _contestant("prometheus_client by hand, multiprocess", apps.multiprocess(apps.hand_written)),
        _contestant(INSTRUMENTATOR, apps.instrumentator, INSTRUMENTATOR),
        _contestant(f"{INSTRUMENTATOR}, multiprocess", apps.multiprocess(apps.instrumentator)),
        _contestant(EXPORTER, apps.starlette_exporter, EXPORTER),
        _contestant(f"{EXPORTER}, multiprocess", apps.multiprocess(apps.starlette_exporter)),
        _contestant("asgi-prometheus", apps.asgi_prometheus, "asgi-prometheus"),
        _contestant("OTel ASGI, Prometheus", apps.otel, "opentelemetry-instrumentation-asgi", *OTEL),
        _contestant("OTel ASGI, Prometheus and OTLP", apps.otel_and_push),
    ),
    {"tiny": Effort(1, 1, 50), "quick": Effort(2, 6, 1500), "full": Effort(6, 15, 3000)},
    base="bare",
)
