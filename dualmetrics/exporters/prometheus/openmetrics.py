"""OpenMetrics 1.0 text (prometheus/OpenMetrics, ``specification/OpenMetrics.md``).

Without ``_created``: it is optional, and costs Prometheus one series more for each counter and histogram.
"""

from __future__ import annotations

from collections.abc import Sequence

from dualmetrics.exporters.prometheus import histograms
from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.labels import escaped
from dualmetrics.exporters.prometheus.lines import LineWriter
from dualmetrics.exporters.prometheus.numbers import canonical
from dualmetrics.exporters.prometheus.summaries import summary_template

_SUFFIXES = {
    "counter": ("", "_total", "_created"),
    "gauge": ("",),
    "histogram": ("", "_bucket", "_sum", "_count", "_created"),
    "info": ("", "_info"),
    "stateset": ("",),
    "summary": ("", "_sum", "_count", "_created"),
    "unknown": ("",),
}
"""Names that a family reserves, whether it has such samples or not."""


class OpenMetrics:
    """The stricter format, which Prometheus prefers."""

    media_type = "application/openmetrics-text"
    version = "1.0.0"
    content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    end = "# EOF\n"

    def writer(self, report: Report) -> LineWriter:
        """A writer that remembers the text of the series."""
        return LineWriter(self, report)

    def claims(self, family: PageFamily) -> Sequence[str]:
        """Each name that no other family may have."""
        return tuple(f"{family.base}{suffix}" for suffix in _SUFFIXES[_type(family)])

    def header(self, family: PageFamily) -> str:
        """TYPE, and UNIT and HELP if there are any."""
        name = family.base
        lines = f"# TYPE {name} {_type(family)}\n"
        if family.unit and name.endswith(f"_{family.unit}"):  # else a UNIT line is not allowed
            lines += f"# UNIT {name} {family.unit}\n"
        return f"{lines}# HELP {name} {escaped(family.help)}\n" if family.help else lines

    def histogram_template(self, name: str, labels: str, bounds: Sequence[float]) -> str:
        """With negative bounds there must be no sum, and without a sum no count."""
        buckets = histograms.bucket_lines(name, labels, bounds, canonical)
        negative = bool(bounds) and bounds[0] < 0
        return buckets + (histograms.NO_SUM if negative else histograms.sum_lines(name, labels))

    def histogram(self, template: str, cells: Sequence[float]) -> str:
        """The lines of one series. A sum that is negative or NaN must not be shown, nor then the count."""
        text = histograms.filled(template, cells)
        if cells[-1] >= 0 or template.endswith(histograms.NO_SUM):
            return text
        return text.rsplit("\n", 3)[0] + "\n"

    def summary_template(self, name: str, labels: str, quantiles: Sequence[float]) -> str:
        """What of a summary's series never changes."""
        return summary_template(name, labels, quantiles, canonical)


def _type(family: PageFamily) -> str:
    """A counter must be called something and ``_total``; one that is called ``total`` has no name left."""
    return "unknown" if family.type == "counter" and family.base == family.name else family.type
