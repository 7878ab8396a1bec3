"""What one request costs the processor on Flask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import wsgi_apps as apps
from benchmarks.asgi_apps import multiprocess
from benchmarks.in_process import wsgi_server
from benchmarks.peers import OTEL
from benchmarks.question import Contestant, Effort, Measure, Question


def contestant(name: str, make: Callable[[int], Any], *packages: str) -> Contestant:
    """Serves requests through the app that ``make`` makes."""

    def served(case: int) -> Measure:
        return wsgi_server(make(0))

    return Contestant(name, served, packages)


EXPORTER = "prometheus-flask-exporter"

QUESTION = Question(
    "wsgi",
    "A request on Flask, in-process",
    "us a request",
    (
        contestant("bare", apps.bare, "flask", "werkzeug"),
        contestant("floor", apps.floor),
        contestant("floor beside our imports", apps.floor_beside),
        contestant("floor at the headers", apps.floor_at_start),
        contestant("ours", apps.ours, "dualmetrics"),
        contestant("prometheus_client by hand", apps.by_hand, "prometheus-client"),
        contestant("the same, multiprocess", multiprocess(apps.by_hand)),
        contestant(EXPORTER, apps.flask_exporter, EXPORTER),
        contestant(f"{EXPORTER}, multiprocess", multiprocess(apps.flask_exporter)),
        contestant("OTel WSGI, Prometheus", lambda _: apps.otel_wsgi(), "opentelemetry-instrumentation-wsgi"),
        contestant("OTel WSGI, Prometheus and OTLP", lambda _: apps.otel_wsgi(push=True), *OTEL),
        contestant("OTel Flask, Prometheus", apps.otel_flask, "opentelemetry-instrumentation-flask"),
        contestant("OTel Flask, Prometheus and OTLP", apps.otel_flask_and_push),
    ),
    {"tiny": Effort(1, 1, 50), "quick": Effort(4, 8, 400), "full": Effort(6, 15, 2000)},
    base="bare",
)
