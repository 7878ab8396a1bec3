"""Requests per second of Starlette behind uvicorn."""

from __future__ import annotations

from benchmarks.question import Effort, Question
from benchmarks.real_servers import server_contestant


def command(port: int) -> list[str]:
    """One worker without access log, with uvloop and httptools where they are installed."""
    quiet = ["--log-level", "warning", "--no-access-log"]
    return ["uvicorn", "--factory", "benchmarks.app_factories:asgi", "--port", str(port), *quiet]


QUESTION = Question(
    "uvicorn",
    "Starlette behind uvicorn, requests by wrk over 16 connections (more is better; x is relative to bare)",
    "requests",
    (
        server_contestant("bare", "bare", command, "uvicorn", "uvloop", "httptools"),
        server_contestant("floor", "floor", command),
        server_contestant("ours", "ours", command, "dualmetrics"),
        server_contestant("prometheus-fastapi-instrumentator", "instrumentator", command),
        server_contestant("starlette-exporter", "starlette_exporter", command),
        server_contestant("OTel ASGI, Prometheus and OTLP", "otel_and_push", command),
    ),
    {"tiny": Effort(1, 1, 1), "quick": Effort(2, 4, 1), "full": Effort(2, 12, 3)},
    floor="bare",
    statistics=("median", "maximum"),
    required_program="wrk",
)
