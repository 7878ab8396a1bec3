"""The default `Telemetry` of the process. It is OpenTelemetry's global meter provider too."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry import metrics

from dualmetrics.bridges import pending
from dualmetrics.config.loading import load_settings
from dualmetrics.config.settings import Settings, SettingsError
from dualmetrics.runtime.errors import logger
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.telemetry import Telemetry

_lock = ReentrantLock()
_default: Telemetry | None = None


def configure(**settings: Any) -> Telemetry:
    """Return the default `Telemetry` of the process, made at the first call.

    The arguments are the settings in README, by their names in lower case; what is not given comes from the
    environment. A later call returns the same object. Raises SettingsError for a bad value, and for a later
    call with other arguments: an app with settings of its own needs a `Telemetry` of its own.
    """
    global _default
    with _lock:
        if _default is None:
            _default = Telemetry(label="default", **settings)
            sources = pending.subscribe(_default.bridge)
            # With a bridge to the SDK, the SDK's provider is the global one.
            if not any(source.name == "sdk" for source in sources):
                _make_global(_default)
        elif settings:
            _refuse_change(_default.settings, load_settings(**settings), settings)
        return _default


def configured() -> Telemetry | None:
    """The default `Telemetry`, or None if nothing has configured it yet."""
    return _default


def global_meter_provider() -> metrics.MeterProvider:
    """The provider that OTEL_PYTHON_METER_PROVIDER=dualmetrics selects."""
    return configure().meter_provider


def _refuse_change(old: Settings, new: Settings, given: Collection[str]) -> None:
    if old != new:
        own, differences = ", ".join(f"{name}=..." for name in given), "; ".join(old.difference(new))
        raise SettingsError(
            "dualmetrics is already configured in this process, with other settings (first the value before, "
            f"then the new one): {differences}. All apps of a process share one default "
            f"Telemetry. To give an app settings of its own, pass telemetry=Telemetry({own}) in their place"
        )


def _make_global(telemetry: Telemetry) -> None:
    if not telemetry.enabled:
        return
    provider = telemetry.meter_provider
    metrics.set_meter_provider(provider)
    if metrics.get_meter_provider() is not provider:
        logger.warning(
            "dualmetrics: another OpenTelemetry meter provider was set before. dualmetrics exports its own "
            "HTTP metrics, but no instruments that are made through that provider. Call configure(), or add "
            "dualmetrics to the app, before that provider is set; or bridge the provider with "
            "dualmetrics.bridges.sdk.MetricReader"
        )
