"""Data points of an OpenTelemetry SDK in our terms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from opentelemetry.sdk.metrics import Exemplar as Found
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram as SdkExponentialHistogram,
)
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from dualmetrics.instruments.attributes import normalize_attributes
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.exponential_histogram import ExponentialHistogram, trimmed
from dualmetrics.model.snapshot import Exemplar, Exemplars
from dualmetrics.runtime.errors import ErrorReporter


class Measured(NamedTuple):
    """What a point has measured. One in exponential buckets has no bounds: all its values are in one cell."""

    kind: Kind
    bounds: tuple[float, ...]
    cells: tuple[float, ...]
    exponential: ExponentialHistogram | None = None


def measured(metric: Metric, point: Any) -> Measured | None:
    """What a point of the metric has measured; None if it cannot be told."""
    if isinstance(metric.data, Sum) and isinstance(point, NumberDataPoint):
        kind = Kind.COUNTER if metric.data.is_monotonic else Kind.UP_DOWN_COUNTER
        return Measured(kind, (), (float(point.value),))
    if isinstance(metric.data, Gauge):
        return Measured(Kind.GAUGE, (), (float(point.value), 1.0))
    if isinstance(metric.data, Histogram) and isinstance(point, HistogramDataPoint):
        bounds = tuple(float(bound) for bound in point.explicit_bounds)
        return Measured(Kind.HISTOGRAM, bounds, (*map(float, point.bucket_counts), float(point.sum)))
    if isinstance(metric.data, SdkExponentialHistogram) and isinstance(point, ExponentialHistogramDataPoint):
        return _exponential(point)
    return None


def _exponential(point: ExponentialHistogramDataPoint) -> Measured | None:
    if any(point.negative.bucket_counts):
        return None
    counts = tuple(map(float, point.positive.bucket_counts))
    found = trimmed(point.scale, point.positive.offset, counts)
    if not found.counts:
        found = ExponentialHistogram()  # the scale says nothing
    found = found._replace(zero_count=float(point.zero_count), sum=float(point.sum))
    return Measured(Kind.HISTOGRAM, (), (found.total_count, found.sum), found)


def exemplars(found: Sequence[Found], read: Measured, errors: ErrorReporter) -> Exemplars:
    """The latest of each bucket; a counter is one bucket, and other kinds have none."""
    if not found or read.kind not in (Kind.COUNTER, Kind.HISTOGRAM):
        return ()
    buckets: list[Exemplar | None] = [None] * (len(read.bounds) + 1)
    for each in sorted(found, key=lambda exemplar: exemplar.time_unix_nano):
        attributes = normalize_attributes(each.filtered_attributes, errors)
        ids = each.trace_id or 0, each.span_id or 0
        at = bisect_left(read.bounds, each.value)
        buckets[at] = Exemplar(float(each.value), each.time_unix_nano, *ids, attributes)
    return tuple(buckets)
