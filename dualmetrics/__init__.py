"""One recording, two exports: Prometheus pages and OTLP pushes of the same numbers, right under many workers."""

from __future__ import annotations

from dualmetrics.configuration import configure
from dualmetrics.settings import SettingsError
from dualmetrics.telemetry import Telemetry

__all__ = ["SettingsError", "Telemetry", "configure"]
