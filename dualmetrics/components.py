"""The page and what renders it, from the settings."""

from __future__ import annotations

from collections.abc import Callable

from dualmetrics.config.settings import Settings
from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.endpoint import Render, ScrapeEndpoint


def exporter_of(settings: Settings, on_conflict: Callable[[str], None]) -> PrometheusExporter:
    """The exporter; ``on_conflict`` is told what cannot stand on its pages."""
    return PrometheusExporter(
        namespace=settings.namespace,
        const_labels=settings.page_labels,
        scope_labels=settings.scope_labels,
        translation_strategy=settings.translation_strategy,
        created=settings.created_series,
        on_conflict=on_conflict,
    )


def page_of(
    settings: Settings, render: Render, on_scrape: Callable[[str, float], None], errors: ErrorReporter
) -> ScrapeEndpoint:
    """The page with its guards."""
    return ScrapeEndpoint(
        render,
        token=settings.metrics_token,
        basic_auth=settings.metrics_basic_auth,
        allow=settings.metrics_allow,
        trusted_proxies=settings.trusted_proxies,
        errors=errors,
        on_scrape=on_scrape,
    )
