"""One recording, two exports: a Prometheus page and an OTLP push of the same, exact numbers."""

from __future__ import annotations

from dualmetrics.config.settings import SettingsError
from dualmetrics.default_telemetry import configure
from dualmetrics.telemetry import Telemetry

__all__ = ["SettingsError", "Telemetry", "configure"]
