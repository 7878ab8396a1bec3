"""Requests per second behind uvicorn, one worker."""

from __future__ import annotations

from benchmarks.question import Effort, Question
from benchmarks.real_servers import contestant


def command(port: int) -> list[str]:
    """Without the log of requests; with uvloop and httptools where they are installed."""
    quiet = ["--log-level", "warning", "--no-access-log"]
    return ["uvicorn", "--factory", "benchmarks.app_factories:asgi", "--port", str(port), *quiet]


QUESTION = Question(
    "uvicorn",
    "Starlette behind uvicorn, asked by wrk over 16 connections (more is better; times bare's)",
    "requests",
    (
        contestant("bare", "bare", command, "uvicorn", "uvloop", "httptools"),
        contestant("floor", "floor", command),
        contestant("ours", "ours", command, "dualmetrics"),
        contestant("prometheus-fastapi-instrumentator", "instrumentator", command),
        contestant("starlette-exporter", "starlette_exporter", command),
        contestant("OTel ASGI, Prometheus and OTLP", "otel_and_push", command),
    ),
    {"tiny": Effort(1, 1, 1), "quick": Effort(2, 4, 1), "full": Effort(2, 12, 3)},
    floor="bare",
    shown=("median", "maximum"),
    needs="wrk",
)
