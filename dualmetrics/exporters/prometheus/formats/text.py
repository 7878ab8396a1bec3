"""Prometheus' text format (prometheus.io, *Exposition formats*).

Version 1.0.0 is for scrapers that know names in quotes; a page of either version has them where asked to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.formats import line_templates, summary_lines
from dualmetrics.exporters.prometheus.naming import quoting
from dualmetrics.exporters.prometheus.naming.numbers import number, positional
from dualmetrics.exporters.prometheus.rows import Fill
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Point

_TYPES = {"info": "gauge", "stateset": "gauge", "unknown": "untyped"}
"""What this format calls types that it does not have."""


class Text:
    """The format that everything understands."""

    end = b""

    def claims(self, family: PageFamily) -> Sequence[str]:
        """Each name that a sample or a TYPE line of the family has."""
        name = family.name
        if family.type == "histogram":
            return name, f"{name}_bucket", f"{name}_sum", f"{name}_count"
        if family.type == "summary":
            return name, f"{name}_sum", f"{name}_count"
        return (name,)

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """HELP, if there is any, and TYPE."""
        kind = _TYPES.get(family.type, family.type)
        name = quoting.metric(family.name)
        help_line = f"# HELP {name} {_escaped(family.help)}\n" if family.help else ""
        return f"{help_line}# TYPE {name} {kind}\n".encode()

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Bounds are written as Prometheus' OTLP translator does, so that ``le`` is the same on both ways."""
        if family.type == "summary":
            return partial(
                summary_lines.filled, summary_lines.template(family.name, text, descriptor.bounds, number)
            )
        if family.type != "histogram":
            return partial(sample, f"{quoting.series(family.name, text)} ")
        buckets = line_templates.bucket_lines(family.name, text, descriptor.bounds, positional)
        return partial(_histogram, buckets + line_templates.sum_lines(family.name, text))


def sample(template: str, point: Point) -> bytes:
    """The line of a series that has one value."""
    return f"{template}{number(point.cells[0])}\n".encode()


def _histogram(template: str, point: Point) -> bytes:
    """A sum of NaN is none."""
    text = line_templates.filled(template, point.cells).encode()
    if point.cells[-1] == point.cells[-1]:
        return text
    *buckets, _, count, _ = text.split(b"\n")
    return b"\n".join((*buckets, count, b""))


def _escaped(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n")
