"""Prometheus' text format 0.0.4 (prometheus.io, *Exposition formats*)."""

from __future__ import annotations

from collections.abc import Sequence

from dualmetrics.exporters.prometheus import histograms
from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.lines import LineWriter
from dualmetrics.exporters.prometheus.numbers import number, positional
from dualmetrics.exporters.prometheus.summaries import summary_template

_TYPES = {"info": "gauge", "stateset": "gauge", "unknown": "untyped"}
"""What this format calls types that it does not have."""


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
        if family.type == "summary":
            return name, f"{name}_sum", f"{name}_count"
        return (name,)

    def header(self, family: PageFamily) -> str:
        """HELP, if there is any, and TYPE."""
        kind = _TYPES.get(family.type, family.type)
        help_line = f"# HELP {family.name} {_escaped(family.help)}\n" if family.help else ""
        return f"{help_line}# TYPE {family.name} {kind}\n"

    def histogram_template(self, name: str, labels: str, bounds: Sequence[float]) -> str:
        """Bounds are written as Prometheus' OTLP translator does, so that ``le`` is the same on both ways."""
        buckets = histograms.bucket_lines(name, labels, bounds, positional)
        return buckets + histograms.sum_lines(name, labels)

    def histogram(self, template: str, cells: Sequence[float]) -> str:
        """The lines of one series; a sum of NaN is none."""
        text = histograms.filled(template, cells)
        if cells[-1] == cells[-1]:
            return text
        *buckets, _, count, _ = text.split("\n")
        return "\n".join((*buckets, count, ""))

    def summary_template(self, name: str, labels: str, quantiles: Sequence[float]) -> str:
        """What of a summary's series never changes."""
        return summary_template(name, labels, quantiles, number)


def _escaped(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n")
