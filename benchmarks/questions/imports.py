"""The cost of importing an integration, compared with OpenTelemetry's instrumentation and exporters."""

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


def _contestant(name: str, *modules: str, packages: tuple[str, ...] = ()) -> Contestant:
    """Imports the modules in a new interpreter."""
    program = f"import {', '.join(modules)}" if modules else "pass"
    return Contestant(name, lambda case: _measure(program), packages)


def _measure(program: str) -> Measure:
    def measure(repetitions: int) -> Values:
        runs = [_run(program) for _ in range(repetitions)]
        return {
            "CPU": sum(cpu for cpu, _ in runs) / repetitions * 1000,
            "elapsed": sum(elapsed for _, elapsed in runs) / repetitions * 1000,
        }

    return measure


def _run(program: str) -> tuple[float, float]:
    """CPU time and elapsed time in seconds."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started


QUESTION = Question(
    "imports",
    "Importing an integration in a new interpreter (+: without the interpreter's own start)",
    "ms",
    (
        _contestant("bare interpreter"),
        _contestant("flask", "flask", packages=("flask",)),
        _contestant("starlette", "starlette.applications", packages=("starlette",)),
        _contestant("ours, Flask", "dualmetrics_flask", packages=("dualmetrics",)),
        _contestant("ours, Starlette", "dualmetrics_starlette"),
        _contestant("prometheus-flask-exporter", "prometheus_flask_exporter"),
        _contestant("prometheus-fastapi-instrumentator", "prometheus_fastapi_instrumentator"),
        _contestant(
            "OTel Flask and exporters", "opentelemetry.instrumentation.flask", *EXPORTERS, packages=OTEL
        ),
        _contestant("OTel ASGI and exporters", "opentelemetry.instrumentation.asgi", *EXPORTERS),
    ),
    {"tiny": Effort(1, 1, 1), "quick": Effort(1, 4, 1), "full": Effort(1, 20, 1)},
    base="bare interpreter",
    floor="",
)
