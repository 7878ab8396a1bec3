"""CPU time of a request on Flask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import wsgi_apps as apps
from benchmarks.asgi_apps import multiprocess
from benchmarks.in_process import wsgi_server
from benchmarks.peers import OTEL
from benchmarks.question import Contestant, Effort, Measure, Question


def _contestant(name: str, factory: Callable[[int], Any], *packages: str) -> Contestant:
    def make(case: int) -> Measure:
        return wsgi_server(factory(0))

    return Contestant(name, make, packages)


EXPORTER = "prometheus-flask-exporter"
OTEL_WSGI, OTEL_FLASK = "opentelemetry-instrumentation-wsgi", "opentelemetry-instrumentation-flask"

QUESTION = Question(
    "wsgi",
    "A request on Flask, in-process",
    "us per request",
    (
        _contestant("bare", apps.bare, "flask", "werkzeug"),
        _contestant("floor", apps.floor),
        _contestant("floor with our imports", apps.floor_with_our_imports),
        _contestant("floor that ends at the headers", apps.floor_at_start),
        _contestant("ours", apps.ours, "dualmetrics"),
        _contestant("prometheus_client by hand", apps.hand_written, "prometheus-client"),
        _contestant("prometheus_client by hand, multiprocess", multiprocess(apps.hand_written)),
        _contestant(EXPORTER, apps.flask_exporter, EXPORTER),
        _contestant(f"{EXPORTER}, multiprocess", multiprocess(apps.flask_exporter)),
        _contestant("OTel WSGI, Prometheus", lambda _: apps.otel_wsgi(), OTEL_WSGI),
        _contestant("OTel WSGI, Prometheus and OTLP", lambda _: apps.otel_wsgi(push=True), *OTEL),
        _contestant("OTel Flask, Prometheus", apps.otel_flask, OTEL_FLASK),
        _contestant("OTel Flask, Prometheus and OTLP", apps.otel_flask_and_push),
    ),
    {"tiny": Effort(1, 1, 50), "quick": Effort(4, 8, 400), "full": Effort(6, 15, 2000)},
    base="bare",
)
