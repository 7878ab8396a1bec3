"""One recording, two exports: a Prometheus page and an OTLP push of the same, exact numbers."""

from __future__ import annotations

from dualmetrics.configuration import configure
from dualmetrics.settings import SettingsError
from dualmetrics.telemetry import Telemetry

__all__ = ["SettingsError", "Telemetry", "configure"]
