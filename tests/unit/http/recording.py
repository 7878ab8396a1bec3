"""Records requests without a server."""

from __future__ import annotations

from dualmetrics.telemetry import Telemetry


def record_request(
    telemetry: Telemetry, seconds: float = 0.0, *, route: str | None = "/", status: int = 200
) -> None:
    """Record one GET request from its start to its end."""
    recorder = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    recorder.start()
    recorder.end(route, status, None, seconds)
