"""What the middleware of both protocols asks of a `Telemetry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.scrape.endpoint import ScrapeResponse

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

PAGE_DISABLED = ScrapeResponse(
    404,
    [("content-type", "text/plain; charset=utf-8")],
    [b"OTEL_METRICS_EXPORTER does not name prometheus\n"],
)
"""The answer where no page is to be had."""

ROUTE_TAKEN_HINT = "allowed is a path of no other route, or route=False to mount the page elsewhere"


def telemetry_for(telemetry: Telemetry | None, settings: dict[str, Any]) -> Telemetry:
    """``telemetry``, or the process' default one, configured with ``settings``.

    Raises SettingsError for bad settings, and TypeError for settings beside a Telemetry, which has its own.
    """
    if telemetry is None:
        from dualmetrics.default_telemetry import (
            configure,  # wires everything, so it stands above this module
        )

        return configure(**settings)
    if settings:
        raise TypeError(f"telemetry= has its settings already; not allowed beside it: {', '.join(settings)}")
    return telemetry


def serves_page(telemetry: Telemetry) -> bool:
    """Whether there is a page at all: ``prometheus`` is one of the exporters."""
    return telemetry.enabled and "prometheus" in telemetry.settings.metrics_exporter
