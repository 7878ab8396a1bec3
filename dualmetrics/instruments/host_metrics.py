"""The host's own metrics, through OpenTelemetry's system-metrics instrumentation (extra ``host``).

Only what belongs to the host as a whole, observed once a group: the instrumentation's process metrics stay
with the process that imported it, which under a preloading server is none of the workers.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import metrics

from dualmetrics.config.settings import SettingsError
from dualmetrics.runtime.errors import logger

METRICS: dict[str, list[str] | None] = {
    "system.memory.usage": ["used", "free", "cached"],
    "system.memory.utilization": ["used", "free", "cached"],
    "system.cpu.time": ["idle", "user", "system", "irq"],
    "system.disk.io": ["read", "write"],
    "system.disk.operations": ["read", "write"],
    "system.network.io": ["transmit", "receive"],
    "system.network.packets": ["transmit", "receive"],
    "system.network.errors": ["transmit", "receive"],
}
"""Host metrics that come right, with the values of their attribute."""


def observe_host(provider: metrics.MeterProvider) -> None:
    """Observe the host through ``provider``. Raises SettingsError if the extra is not installed."""
    try:
        from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
    except ImportError as error:
        raise SettingsError(
            'DUALMETRICS_HOST_METRICS=true needs the extra `host`: pip install "dualmetrics[host]"'
        ) from error
    instrumentor = SystemMetricsInstrumentor(config=METRICS)
    if instrumentor.is_instrumented_by_opentelemetry:
        logger.warning("dualmetrics: the host is observed through another meter provider already")
    else:
        instrumentor.instrument(meter_provider=_OwnScope(provider))


class _OwnScope(metrics.MeterProvider):
    """Makes the instruments part of our own scope, so that the page shows them without scope labels."""

    def __init__(self, provider: metrics.MeterProvider) -> None:
        self._provider = provider

    def get_meter(self, name: str, *others: Any, **more: Any) -> metrics.Meter:
        return self._provider.get_meter("dualmetrics")
