"""Requests per second of Flask behind gunicorn."""

from __future__ import annotations

from benchmarks.question import Effort, Question
from benchmarks.real_servers import server_contestant


def command(port: int) -> list[str]:
    """One sync worker, which is the default of gunicorn."""
    address = f"127.0.0.1:{port}"
    return ["gunicorn", "-w", "1", "-b", address, "--log-level", "warning", "benchmarks.app_factories:wsgi()"]


QUESTION = Question(
    "gunicorn",
    "Flask behind gunicorn, requests by wrk over 16 connections (more is better; x is relative to bare)",
    "requests",
    (
        server_contestant("bare", "bare", command, "gunicorn"),
        server_contestant("floor", "floor", command),
        server_contestant("ours", "ours", command, "dualmetrics"),
        server_contestant("prometheus-flask-exporter", "flask_exporter", command),
        server_contestant("OTel Flask, Prometheus and OTLP", "otel_flask_and_push", command),
    ),
    {"tiny": Effort(1, 1, 1), "quick": Effort(2, 3, 1), "full": Effort(2, 12, 3)},
    floor="bare",
    statistics=("median", "maximum"),
    required_program="wrk",
)
