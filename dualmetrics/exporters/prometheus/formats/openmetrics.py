"""OpenMetrics 1.0 text (prometheus/OpenMetrics, ``specification/OpenMetrics.md``).

``_created`` samples are optional and omitted by default: in Prometheus they cost one more series for each
counter and histogram. Old scrapers ask for version 0.0.1, the draft of 1.0.0. A page is valid in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.formats import line_templates
from dualmetrics.exporters.prometheus.formats.text import sample_line
from dualmetrics.exporters.prometheus.naming.escaping import escape_text, quote_metric_name, sample_prefix
from dualmetrics.exporters.prometheus.naming.labels import exemplar_labels, label_text
from dualmetrics.exporters.prometheus.naming.values import canonical_bound, sample_value
from dualmetrics.exporters.prometheus.series_writer import Fill
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplar, Exemplars, Point

_SUFFIXES = {
    "counter": ("", "_total", "_created"),
    "gauge": ("",),
    "histogram": ("", "_bucket", "_sum", "_count", "_created"),
    "info": ("", "_info"),
    "stateset": ("",),
    "summary": ("", "_sum", "_count", "_created"),
    "unknown": ("",),
}
"""The names that a family of each type reserves, whether it has such samples or not."""


class OpenMetrics:
    """A stricter text format, which Prometheus prefers."""

    end = b"# EOF\n"

    def __init__(self, created: bool) -> None:
        self._created = created

    def claims(self, family: PageFamily) -> Sequence[str]:
        """The names that no other family on the page may use."""
        return tuple(f"{family.base}{suffix}" for suffix in _SUFFIXES[_type(family)])

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """TYPE, and UNIT and HELP if there are any."""
        name = quote_metric_name(family.base)
        lines = f"# TYPE {name} {_type(family)}\n"
        if family.declared_unit:
            lines += f"# UNIT {name} {family.declared_unit}\n"
        if family.help:
            lines += f"# HELP {name} {escape_text(family.help)}\n"
        return lines.encode()

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Prepare a series: its values, and if requested the time when it was created."""
        values = self._fill_values(family, descriptor, text)
        if not self._created or "_created" not in _SUFFIXES[_type(family)]:
            return values
        return partial(_with_created, values, f"{sample_prefix(f'{family.base}_created', text)} ")

    def _fill_values(self, family: PageFamily, descriptor: Descriptor, text: str) -> Fill:
        name, bounds = family.name, descriptor.bounds
        if family.type == "summary":
            template = line_templates.summary_template(name, text, bounds, canonical_bound)
            return partial(_summary_lines, template)
        if family.type != "histogram":
            fill = _counter_line if _type(family) == "counter" else sample_line
            return partial(fill, f"{sample_prefix(name, text)} ")
        buckets = line_templates.bucket_lines(name, text, bounds, canonical_bound)
        # With negative bounds there must be no sum, and without a sum no count.
        has_negative = bool(bounds) and bounds[0] < 0
        ending = line_templates.NO_SUM if has_negative else line_templates.sum_lines(name, text)
        return partial(_histogram_lines, buckets + ending)


def _counter_line(prefix: str, point: Point) -> bytes:
    text = sample_line(prefix, point)
    return _with_exemplars(text, point.exemplars) if point.exemplars else text


def _histogram_lines(template: str, point: Point) -> bytes:
    """The lines of a histogram. A negative or NaN sum is not allowed, and the count only with a sum."""
    text = line_templates.fill_histogram(template, point.cells).encode()
    if not (point.cells[-1] >= 0 or template.endswith(line_templates.NO_SUM)):
        text = text.rsplit(b"\n", 3)[0] + b"\n"
    return _with_exemplars(text, point.exemplars) if point.exemplars else text


def _summary_lines(template: str, point: Point) -> bytes:
    """The lines of a summary, without a negative or NaN sum. Unlike a histogram, it keeps its count then."""
    text = line_templates.fill_summary(template, point)
    if point.cells[1] >= 0:
        return text
    *quantiles, _, count, _ = text.split(b"\n")
    return b"\n".join((*quantiles, count, b""))


def _with_created(values: Fill, prefix: str, point: Point) -> bytes:
    return values(point) + f"{prefix}{sample_value(point.start_time_ns / 1e9)}\n".encode()


def _with_exemplars(text: bytes, exemplars: Exemplars) -> bytes:
    """The lines with exemplars. The first lines are the buckets, in the order of their exemplars."""
    lines = text.split(b"\n")
    for i, exemplar in enumerate(exemplars):
        if exemplar:
            lines[i] += _exemplar_text(exemplar).encode()
    return b"\n".join(lines)


def _exemplar_text(exemplar: Exemplar) -> str:
    labels = label_text(exemplar_labels(exemplar))
    return f" # {{{labels}}} {sample_value(exemplar.value)} {exemplar.time_ns / 1e9:.3f}"


def _type(family: PageFamily) -> str:
    """The type. A counter called just ``total`` is unknown: without the suffix, no name would be left."""
    return "unknown" if family.type == "counter" and family.base == family.name else family.type
