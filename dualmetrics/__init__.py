"""One recording, two exports: a Prometheus page and an OTLP push of the same, exact numbers."""

from __future__ import annotations

from dualmetrics.config.declared_attributes import DeclaredAttribute
from dualmetrics.config.settings import SettingsError
from dualmetrics.default_telemetry import configure
from dualmetrics.http.current_request import current_request, exclude_from_metrics
from dualmetrics.telemetry import Telemetry

__all__ = [
    "DeclaredAttribute",
    "SettingsError",
    "Telemetry",
    "configure",
    "current_request",
    "exclude_from_metrics",
]
