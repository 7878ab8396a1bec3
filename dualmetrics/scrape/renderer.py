"""Renders the page from a fresh snapshot."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from dualmetrics.exporters.prometheus import Page, PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import Choice
from dualmetrics.model.snapshot import Snapshot


@dataclass(frozen=True)
class PageRenderer:
    """Takes a snapshot for each rendering. ``native_histograms`` says whether pages may have them.

    ``take_snapshot(exponential)`` raises OSError if the totals cannot be read.
    """

    exporter: PrometheusExporter
    take_snapshot: Callable[[bool], Snapshot]
    native_histograms: bool

    def render(self, choice: Choice, names: Collection[str] = ()) -> Page:
        """The page in the chosen format; only the metrics in ``names``, if there are any. Raises OSError."""
        snapshot = self.take_snapshot(self.native_histograms and choice.is_native)
        return self.exporter.render(snapshot, choice, names)
