"""Prometheus' text format (prometheus.io, *Exposition formats*).

Version 1.0.0 is for scrapers that understand quoted names. Pages of both versions have them if the scraper's
escaping scheme asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.formats import line_templates
from dualmetrics.exporters.prometheus.naming.escaping import quote_metric_name, sample_prefix
from dualmetrics.exporters.prometheus.naming.values import positional_decimal, sample_value
from dualmetrics.exporters.prometheus.series_writer import Fill
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Point

_TYPES = {"info": "gauge", "stateset": "gauge", "unknown": "untyped"}
"""The types that this format does not have, and what it calls them."""


class Text:
    """The format that every scraper understands."""

    end = b""

    def claims(self, family: PageFamily) -> Sequence[str]:
        """The names of the family's samples and of its TYPE line."""
        name = family.name
        if family.type == "histogram":
            return name, f"{name}_bucket", f"{name}_sum", f"{name}_count"
        if family.type == "summary":
            return name, f"{name}_sum", f"{name}_count"
        return (name,)

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """TYPE, and HELP if there is any."""
        type_ = _TYPES.get(family.type, family.type)
        name = quote_metric_name(family.name)
        help_line = f"# HELP {name} {_escape_help(family.help)}\n" if family.help else ""
        return f"{help_line}# TYPE {name} {type_}\n".encode()

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Prepare a series.

        Bounds are written as Prometheus' OTLP translator does, so ``le`` is the same scraped or pushed.
        """
        name, bounds = family.name, descriptor.bounds
        if family.type == "summary":
            template = line_templates.summary_template(name, text, bounds, sample_value)
            return partial(line_templates.fill_summary, template)
        if family.type != "histogram":
            return partial(sample_line, f"{sample_prefix(name, text)} ")
        buckets = line_templates.bucket_lines(name, text, bounds, positional_decimal)
        return partial(_histogram_lines, buckets + line_templates.sum_lines(name, text))


def sample_line(prefix: str, point: Point) -> bytes:
    """The line of a series with one value."""
    return f"{prefix}{sample_value(point.cells[0])}\n".encode()


def _histogram_lines(template: str, point: Point) -> bytes:
    text = line_templates.fill_histogram(template, point.cells).encode()
    if point.cells[-1] == point.cells[-1]:
        return text
    *buckets, _, count, _ = text.split(b"\n")  # NaN stands for no sum
    return b"\n".join((*buckets, count, b""))


def _escape_help(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n")
