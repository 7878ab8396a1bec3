"""The process' default `Telemetry`, which is OpenTelemetry's global meter provider too."""

from __future__ import annotations

import threading
from typing import Any

from opentelemetry import metrics

from dualmetrics.bridges import pending
from dualmetrics.config.loading import load_settings
from dualmetrics.config.settings import Settings, SettingsError
from dualmetrics.runtime.errors import logger
from dualmetrics.telemetry import Telemetry

_lock = threading.RLock()
_default: Telemetry | None = None


def configure(**settings: Any) -> Telemetry:
    """The process' default `Telemetry`, made at the first call from the arguments and the environment.

    Arguments are the settings of README by their names in lower case. Called again without arguments, or with
    the same, it gives the same object; with others it raises SettingsError, which names both values.
    """
    global _default
    with _lock:
        if _default is None:
            _default = Telemetry(label="default", **settings)
            sources = pending.subscribe(_default.bridge)
            if not any(source.name == "sdk" for source in sources):  # else the SDK's is to be the global one
                _make_global(_default)
        elif settings:
            _refuse_change(_default.settings, load_settings(**settings))
        return _default


def global_meter_provider() -> metrics.MeterProvider:
    """What OTEL_PYTHON_METER_PROVIDER=dualmetrics stands for."""
    return configure().meter_provider


def _refuse_change(old: Settings, new: Settings) -> None:
    if old != new:
        raise SettingsError(
            "dualmetrics is configured already, and differently: " + "; ".join(old.difference(new))
        )


def _make_global(telemetry: Telemetry) -> None:
    if not telemetry.enabled:
        return
    provider = telemetry.meter_provider
    metrics.set_meter_provider(provider)
    if metrics.get_meter_provider() is not provider:
        logger.warning(
            "dualmetrics: another OpenTelemetry meter provider was set before; instruments made through it "
            "are not exported by dualmetrics, its own HTTP metrics are"
        )
