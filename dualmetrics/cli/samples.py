"""Samples by name and labels, as the page has them; and received points in the same form."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import NamedTuple

from dualmetrics.cli.otlp_points import PointAttributes, ReceivedPoint, SeriesKey
from dualmetrics.cli.series_text import labels_text, value_text
from dualmetrics.exporters.prometheus.naming.labels import labels_from_attributes
from dualmetrics.exporters.prometheus.naming.metric_names import metric_name
from dualmetrics.model.descriptor import Kind

LabelPairs = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """The name and the sorted labels of a sample."""

    name: str
    labels: LabelPairs

    def __str__(self) -> str:
        return value_text(self.name) + labels_text(self.labels)


Samples = dict[Sample, float]

_SCOPE_LABELS = ("otel_scope_name",)
"""Labels of the page for the instrumentation scope, which an OTLP point does not have as attributes."""


def make_sample(name: str, **labels: str) -> Sample:
    """Create a sample from a name and labels."""
    return Sample(name, tuple(sorted(labels.items())))


def without_scope_labels(page: Samples) -> Samples:
    """Return a page's samples without the labels of the instrumentation scope."""
    return {
        Sample(sample.name, tuple(pair for pair in sample.labels if pair[0] not in _SCOPE_LABELS)): value
        for sample, value in page.items()
    }


def received_samples(series: dict[SeriesKey, ReceivedPoint], service: str) -> Samples:
    """Return the received series of one service under the names of the page, without their scopes."""
    samples: Samples = {}
    for key, point in series.items():
        if key.service == service:
            samples.update(_samples_of_point(key.name, key.attributes, point))
    return samples


def _samples_of_point(
    name: str, attributes: PointAttributes, point: ReceivedPoint
) -> Iterator[tuple[Sample, float]]:
    kind = Kind(point.kind)
    base = metric_name(name, point.unit, kind)
    labels = tuple(sorted(labels_from_attributes(attributes).items()))
    if kind not in (Kind.HISTOGRAM, Kind.SUMMARY):
        yield Sample(base, labels), point.value
        return
    yield Sample(f"{base}_count", labels), point.value
    if not isnan(point.sum):
        yield Sample(f"{base}_sum", labels), point.sum
    if point.buckets:
        yield from _bucket_samples(base, labels, point)


def _bucket_samples(base: str, labels: LabelPairs, point: ReceivedPoint) -> Iterator[tuple[Sample, float]]:
    total = 0
    for bound, count in zip((*point.bounds, float("inf")), point.buckets, strict=True):
        total += count
        text = "+Inf" if bound == float("inf") else f"{bound:g}"
        yield Sample(f"{base}_bucket", tuple(sorted((*labels, ("le", text))))), float(total)
