"""OpenMetrics 1.0 text (prometheus/OpenMetrics, ``specification/OpenMetrics.md``).

``_created`` is optional, and left out unless asked for: it costs Prometheus one series more for each counter
and histogram. Version 0.0.1, which old scrapers ask for, is the draft of 1.0.0; these pages are both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.formats import line_templates, summary_lines
from dualmetrics.exporters.prometheus.formats.text import sample
from dualmetrics.exporters.prometheus.naming import quoting
from dualmetrics.exporters.prometheus.naming.exemplar_labels import exemplar_labels
from dualmetrics.exporters.prometheus.naming.labels import label_text
from dualmetrics.exporters.prometheus.naming.numbers import canonical, number
from dualmetrics.exporters.prometheus.rows import Fill
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
"""Names that a family reserves, whether it has such samples or not."""


class OpenMetrics:
    """The stricter format, which Prometheus prefers."""

    end = b"# EOF\n"

    def __init__(self, created: bool) -> None:
        self._created = created

    def claims(self, family: PageFamily) -> Sequence[str]:
        """Each name that no other family may have."""
        return tuple(f"{family.base}{suffix}" for suffix in _SUFFIXES[_type(family)])

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """TYPE, and UNIT and HELP if there are any."""
        name = quoting.metric(family.base)
        lines = f"# TYPE {name} {_type(family)}\n"
        if family.declared_unit:
            lines += f"# UNIT {name} {family.declared_unit}\n"
        if family.help:
            lines += f"# HELP {name} {quoting.escaped(family.help)}\n"
        return lines.encode()

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Writes the values, and if asked for, since when they are counted."""
        values = self._values(family, descriptor, text)
        if not self._created or "_created" not in _SUFFIXES[_type(family)]:
            return values
        return partial(_with_created, values, f"{quoting.series(f'{family.base}_created', text)} ")

    def _values(self, family: PageFamily, descriptor: Descriptor, text: str) -> Fill:
        """With negative bounds there must be no sum, and without a sum no count."""
        if family.type == "summary":
            return partial(
                summary_lines.filled, summary_lines.template(family.name, text, descriptor.bounds, canonical)
            )
        if family.type != "histogram":
            fill = _counter if _type(family) == "counter" else sample
            return partial(fill, f"{quoting.series(family.name, text)} ")
        buckets = line_templates.bucket_lines(family.name, text, descriptor.bounds, canonical)
        negative = bool(descriptor.bounds) and descriptor.bounds[0] < 0
        ending = line_templates.NO_SUM if negative else line_templates.sum_lines(family.name, text)
        return partial(_histogram, buckets + ending)


def _counter(template: str, point: Point) -> bytes:
    text = sample(template, point)
    return _annotated(text, point.exemplars) if point.exemplars else text


def _histogram(template: str, point: Point) -> bytes:
    """A sum that is negative or NaN must not be shown, nor then the count."""
    text = line_templates.filled(template, point.cells).encode()
    if not (point.cells[-1] >= 0 or template.endswith(line_templates.NO_SUM)):
        text = text.rsplit(b"\n", 3)[0] + b"\n"
    return _annotated(text, point.exemplars) if point.exemplars else text


def _with_created(values: Fill, template: str, point: Point) -> bytes:
    return values(point) + f"{template}{number(point.start_time_ns / 1e9)}\n".encode()


def _annotated(text: bytes, exemplars: Exemplars) -> bytes:
    """Buckets come first, in the order of their exemplars; a counter has one line."""
    lines = text.split(b"\n")
    for at, exemplar in enumerate(exemplars):
        if exemplar:
            lines[at] += _exemplar(exemplar).encode()
    return b"\n".join(lines)


def _exemplar(exemplar: Exemplar) -> str:
    labels = label_text(exemplar_labels(exemplar))
    return f" # {{{labels}}} {number(exemplar.value)} {exemplar.time_ns / 1e9:.3f}"


def _type(family: PageFamily) -> str:
    """A counter must be called something and ``_total``; one that is called ``total`` has no name left."""
    return "unknown" if family.type == "counter" and family.base == family.name else family.type
