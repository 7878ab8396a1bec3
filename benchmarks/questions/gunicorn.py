"""Requests per second behind gunicorn, one sync worker."""

from __future__ import annotations

from benchmarks.question import Effort, Question
from benchmarks.real_servers import contestant


def command(port: int) -> list[str]:
    """One sync worker, as is the default."""
    return [
        "gunicorn",
        "-w",
        "1",
        "-b",
        f"127.0.0.1:{port}",
        "--log-level",
        "warning",
        "benchmarks.app_factories:wsgi()",
    ]


QUESTION = Question(
    "gunicorn",
    "Flask behind gunicorn, asked by wrk over 16 connections (more is better; times bare's)",
    "requests",
    (
        contestant("bare", "bare", command, "gunicorn"),
        contestant("floor", "floor", command),
        contestant("ours", "ours", command, "dualmetrics"),
        contestant("prometheus-flask-exporter", "flask_exporter", command),
        contestant("OTel Flask, Prometheus and OTLP", "otel_flask_and_push", command),
    ),
    {"tiny": Effort(1, 1, 1), "quick": Effort(2, 3, 1), "full": Effort(2, 12, 3)},
    floor="bare",
    shown=("median", "maximum"),
    needs="wrk",
)
