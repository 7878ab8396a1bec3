"""What importing an integration costs, against OpenTelemetry's instrumentation with its exporters."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.peers import OTEL
from benchmarks.question import Contestant, Effort, Measure, Question, Values

EXPORTERS = (
    "opentelemetry.sdk.metrics",
    "opentelemetry.exporter.prometheus",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.metric_exporter",
)


def contestant(name: str, *modules: str, packages: tuple[str, ...] = ()) -> Contestant:
    """Imports the modules in a new interpreter."""
    program = f"import {', '.join(modules)}" if modules else "pass"
    return Contestant(name, lambda case: _measure(program), packages)


def _measure(program: str) -> Measure:
    def measure(amount: int) -> Values:
        processor, wall = 0.0, 0.0
        for _ in range(amount):
            took = _run(program)
            processor, wall = processor + took[0], wall + took[1]
        return {"processor": processor / amount * 1000, "clock": wall / amount * 1000}

    return measure


def _run(program: str) -> tuple[float, float]:
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started


QUESTION = Question(
    "imports",
    "Importing an integration, in a new interpreter whose own start is taken off",
    "ms",
    (
        contestant("bare interpreter"),
        contestant("flask", "flask", packages=("flask",)),
        contestant("starlette", "starlette.applications", packages=("starlette",)),
        contestant("ours, Flask", "dualmetrics_flask", packages=("dualmetrics",)),
        contestant("ours, Starlette", "dualmetrics_starlette"),
        contestant("prometheus-flask-exporter", "prometheus_flask_exporter"),
        contestant("prometheus-fastapi-instrumentator", "prometheus_fastapi_instrumentator"),
        contestant(
            "OTel Flask and exporters", "opentelemetry.instrumentation.flask", *EXPORTERS, packages=OTEL
        ),
        contestant("OTel ASGI and exporters", "opentelemetry.instrumentation.asgi", *EXPORTERS),
    ),
    {"tiny": Effort(1, 1, 1), "quick": Effort(1, 4, 1), "full": Effort(1, 20, 1)},
    base="bare interpreter",
    floor="",
)
