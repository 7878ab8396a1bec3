"""Samples by name and labels, as a page shows them, and what was received in the same form."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import NamedTuple

from dualmetrics.cli.otlp_points import PointAttributes, ReceivedPoint, SeriesKey
from dualmetrics.exporters.prometheus.naming.labels import labels_from_attributes
from dualmetrics.exporters.prometheus.naming.metric_names import metric_name
from dualmetrics.model.descriptor import Kind


class Sample(NamedTuple):
    """A sample's name and its labels, sorted."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        labels = ", ".join(f"{label}={value}" for label, value in self.labels)
        return f"{self.name}{{{labels}}}" if labels else self.name


Samples = dict[Sample, float]

PAGES_OWN = ("otel_scope_name",)
"""Labels that a page carries and an OTLP point has elsewhere."""


def make_sample(name: str, **labels: str) -> Sample:
    """A sample of a name and labels."""
    return Sample(name, tuple(sorted(labels.items())))


def without_scope_labels(page: Samples) -> Samples:
    """A page's samples without the labels that stand for the instrumentation scope."""
    return {
        Sample(found.name, tuple(pair for pair in found.labels if pair[0] not in PAGES_OWN)): value
        for found, value in page.items()
    }


def received_samples(series: dict[SeriesKey, ReceivedPoint], service: str) -> Samples:
    """The received series of one service under the names of the page, scopes apart."""
    found: Samples = {}
    for key, received in series.items():
        if key.service == service:
            found.update(_samples(key.name, key.attributes, received))
    return found


def _samples(
    name: str, attributes: PointAttributes, received: ReceivedPoint
) -> Iterator[tuple[Sample, float]]:
    kind = Kind(received.kind)
    base = metric_name(name, received.unit, kind)
    labels = tuple(sorted(labels_from_attributes(attributes).items()))
    if kind in (Kind.HISTOGRAM, Kind.SUMMARY):
        yield Sample(f"{base}_count", labels), received.value
        if not isnan(received.sum):
            yield Sample(f"{base}_sum", labels), received.sum
        if received.buckets:
            yield from _buckets(base, labels, received)
    else:
        yield Sample(base, labels), received.value


def _buckets(
    base: str, labels: tuple[tuple[str, str], ...], received: ReceivedPoint
) -> Iterator[tuple[Sample, float]]:
    total = 0
    for bound, count in zip((*received.bounds, float("inf")), received.buckets, strict=True):
        total += count
        text = "+Inf" if bound == float("inf") else f"{bound:g}"
        yield Sample(f"{base}_bucket", tuple(sorted((*labels, ("le", text))))), float(total)
