"""Data points of an OpenTelemetry SDK as ours."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
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


class PointValue(NamedTuple):
    """The value of a data point. An exponential histogram has no bounds: all its values are in one cell."""

    kind: Kind
    bounds: tuple[float, ...]
    cells: tuple[float, ...]
    exponential: ExponentialHistogram | None = None


def to_value(metric: Metric, point: Any) -> PointValue | None:
    """The value of one data point of ``metric``; None if it cannot be represented."""
    if isinstance(metric.data, Sum) and isinstance(point, NumberDataPoint):
        kind = Kind.COUNTER if metric.data.is_monotonic else Kind.UP_DOWN_COUNTER
        return PointValue(kind, (), (float(point.value),))
    if isinstance(metric.data, Gauge):
        return PointValue(Kind.GAUGE, (), (float(point.value), 1.0))
    if isinstance(metric.data, Histogram) and isinstance(point, HistogramDataPoint):
        bounds = tuple(float(bound) for bound in point.explicit_bounds)
        return PointValue(Kind.HISTOGRAM, bounds, (*map(float, point.bucket_counts), float(point.sum)))
    if isinstance(metric.data, SdkExponentialHistogram) and isinstance(point, ExponentialHistogramDataPoint):
        return _exponential_value(point)
    return None


def _exponential_value(point: ExponentialHistogramDataPoint) -> PointValue | None:
    if any(point.negative.bucket_counts):
        return None
    counts = tuple(map(float, point.positive.bucket_counts))
    histogram = trimmed(point.scale, point.positive.offset, counts)
    if not histogram.counts:
        histogram = ExponentialHistogram()  # without counts the scale has no meaning
    histogram = histogram._replace(zero_count=float(point.zero_count), sum=float(point.sum))
    return PointValue(Kind.HISTOGRAM, (), (histogram.total_count, histogram.sum), histogram)


def to_exemplars(exemplars: Sequence[SdkExemplar], value: PointValue, errors: ErrorReporter) -> Exemplars:
    """The latest exemplar of each bucket. A counter has one bucket; other kinds have no exemplars."""
    if not exemplars or value.kind not in (Kind.COUNTER, Kind.HISTOGRAM):
        return ()
    latest: list[Exemplar | None] = [None] * (len(value.bounds) + 1)
    for exemplar in sorted(exemplars, key=lambda exemplar: exemplar.time_unix_nano):
        bucket = bisect_left(value.bounds, exemplar.value)
        latest[bucket] = _to_exemplar(exemplar, errors)
    return tuple(latest)


def _to_exemplar(exemplar: SdkExemplar, errors: ErrorReporter) -> Exemplar:
    attributes = normalize_attributes(exemplar.filtered_attributes, errors)
    ids = exemplar.trace_id or 0, exemplar.span_id or 0
    return Exemplar(float(exemplar.value), exemplar.time_unix_nano, *ids, attributes)
