"""What the middleware of both protocols and the integrations ask of a `Telemetry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.config.settings import SettingsError
from dualmetrics.default_telemetry import configure
from dualmetrics.http.semantic_conventions import METHODS, error_type
from dualmetrics.scrape.messages import ScrapeResponse

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

__all__ = [
    "METHODS",
    "PAGE_DISABLED",
    "ScrapeResponse",
    "SettingsError",
    "error_type",
    "route_taken_error",
    "serves_page",
    "telemetry_for",
]

PAGE_DISABLED = ScrapeResponse(
    404,
    [("content-type", "text/plain; charset=utf-8")],
    [b"OTEL_METRICS_EXPORTER does not name prometheus\n"],
)
"""The answer to a scrape while `serves_page` is false."""


def telemetry_for(telemetry: Telemetry | None, settings: dict[str, Any]) -> Telemetry:
    """The `Telemetry` to record with: the given one, or the default of the process.

    The default one is configured with ``settings``, as by `dualmetrics.configure`. Raises SettingsError for a
    bad setting, and TypeError if both are given, since a Telemetry has its settings already.
    """
    if telemetry is None:
        return configure(**settings)
    if settings:
        names = ", ".join(settings)
        raise TypeError(f"telemetry= already has its settings; not allowed beside it: {names}")
    return telemetry


def serves_page(telemetry: Telemetry) -> bool:
    """Whether there is a page: the Telemetry is enabled, and ``prometheus`` is among its exporters."""
    return telemetry.enabled and "prometheus" in telemetry.settings.metrics_exporter


def route_taken_error(telemetry: Telemetry, route: str) -> SettingsError:
    """The error to raise when ``route``, a route of the app, takes the metrics path already.

    It names the path and the route, and says what the user can do: choose another path, or mount no route.
    """
    path = telemetry.settings.prometheus_path
    return SettingsError(
        f"prometheus_path={path!r}: the app's route {route!r} already has this path; "
        "choose a path that no other route has, or pass route=False and mount the page elsewhere"
    )
