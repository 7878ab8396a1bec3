"""Prometheus' text format 0.0.4 (prometheus.io, *Exposition formats*)."""

from __future__ import annotations

from collections.abc import Sequence

from dualmetrics.exporters.prometheus import histograms
from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.lines import LineWriter
from dualmetrics.exporters.prometheus.numbers import positional


class Text:
    """The format that everything understands."""

    media_type = "text/plain"
    version = "0.0.4"
    content_type = "text/plain; version=0.0.4; charset=utf-8"
    end = ""

    def writer(self, report: Report) -> LineWriter:
        """A writer that remembers the text of the series."""
        return LineWriter(self, report)

    def claims(self, family: PageFamily) -> Sequence[str]:
        """Each name that a sample or a TYPE line of the family has."""
        name = family.name
        if family.type == "histogram":
            return name, f"{name}_bucket", f"{name}_sum", f"{name}_count"
        return (name,)

    def header(self, family: PageFamily) -> str:
        """HELP, if there is any, and TYPE. Info metrics are gauges here."""
        kind = "gauge" if family.type == "info" else family.type
        help_line = f"# HELP {family.name} {_escaped(family.help)}\n" if family.help else ""
        return f"{help_line}# TYPE {family.name} {kind}\n"

    def histogram_template(self, name: str, labels: str, bounds: Sequence[float]) -> str:
        """Bounds are written as Prometheus' OTLP translator does, so that ``le`` is the same on both ways."""
        buckets = histograms.bucket_lines(name, labels, bounds, positional)
        return buckets + histograms.sum_lines(name, labels)

    def histogram(self, template: str, cells: Sequence[float]) -> str:
        """The lines of one series."""
        return histograms.filled(template, cells)


def _escaped(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n")
