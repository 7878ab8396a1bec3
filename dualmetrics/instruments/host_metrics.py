"""The metrics of the host, measured by OpenTelemetry's system-metrics instrumentation (extra ``host``).

Only metrics of the host as a whole are used, and they are observed once per group. The instrumentation also
has process metrics, but these belong to the process that imported it, which is not a worker if the server
preloads the app.
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
"""The host metrics that the instrumentation measures correctly, with the values of their attribute."""

_INSTRUMENTATION_SCOPE = "opentelemetry.instrumentation.system_metrics"
_PROCESS_METRICS = frozenset({"system.thread_count"})  # of each process, although the name begins with system


_ALREADY_OBSERVED = (
    "dualmetrics: the host is already observed through another meter provider, so DUALMETRICS_HOST_METRICS "
    "has no effect. Remove that instrumentation, or unset DUALMETRICS_HOST_METRICS"
)


def observe_host(meter: metrics.Meter) -> None:
    """Observe the host with the instruments of ``meter``. Raises SettingsError without the extra."""
    try:
        from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
    except ImportError as error:
        raise SettingsError(
            'DUALMETRICS_HOST_METRICS=true needs the extra `host`: pip install "dualmetrics[host]"'
        ) from error
    instrumentor = SystemMetricsInstrumentor(config=METRICS)
    if instrumentor.is_instrumented_by_opentelemetry:
        logger.warning(_ALREADY_OBSERVED)
    else:
        instrumentor.instrument(meter_provider=_SingleMeterProvider(meter))


def is_host_metric(scope: str, name: str) -> bool:
    """Whether an app that uses the instrumentation itself observes a metric of the whole host with it.

    Every worker would observe the same value, so it must not be added up.
    """
    return scope == _INSTRUMENTATION_SCOPE and name.startswith("system.") and name not in _PROCESS_METRICS


class _SingleMeterProvider(metrics.MeterProvider):
    """Gives the instrumentation the same meter whatever scope it asks for."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._meter = meter

    def get_meter(self, name: str, *args: Any, **kwargs: Any) -> metrics.Meter:
        return self._meter
