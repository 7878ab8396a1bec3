"""The points of a received OTLP request, as values that are easy to compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import nan
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, ScopeMetrics

from dualmetrics.model.descriptor import InstrumentationScope
from dualmetrics.model.snapshot import Exemplar

PointAttributes = tuple[tuple[str, Any], ...]
"""Names and values, sorted by name."""


class SeriesKey(NamedTuple):
    """What identifies a series. ``service`` is the service.name of the resource."""

    service: str
    name: str
    attributes: PointAttributes
    scope: InstrumentationScope


_KINDS = {
    "gauge": "gauge",
    "sum": "up_down_counter",
    "histogram": "histogram",
    "exponential_histogram": "histogram",
    "summary": "summary",
}
"""The kind for each field of a metric. A monotonic sum is a counter."""


@dataclass(frozen=True)
class ReceivedPoint:
    """The latest state of a series.

    ``value`` is the count of a histogram or a summary. Of an exponential histogram only count and sum are
    kept. A ``sum`` of NaN means that there is none. The ``bounds`` of a summary are its quantiles, and
    ``quantiles`` are their values. Times are nanoseconds since the epoch.
    """

    kind: str
    delta: bool
    value: float
    sum: float
    buckets: tuple[int, ...]
    bounds: tuple[float, ...]
    start: int
    time: int
    unit: str
    description: str
    resource: PointAttributes
    exemplars: tuple[Exemplar, ...] = ()
    quantiles: tuple[float, ...] = ()

    def added_to(self, earlier: ReceivedPoint | None) -> ReceivedPoint:
        """Return the sum of the earlier point and this one if this is a delta, else this point."""
        if not self.delta or earlier is None or self.kind == "gauge":
            return self
        return replace(
            self,
            value=self.value + earlier.value,
            sum=self.sum + earlier.sum,
            buckets=tuple(map(sum, zip(self.buckets, earlier.buckets, strict=True))),
            start=earlier.start,
            exemplars=self.exemplars or earlier.exemplars,
        )


def read_points(request: ExportMetricsServiceRequest) -> Iterator[tuple[SeriesKey, ReceivedPoint]]:
    """Yield all points of one request."""
    for resource_metrics in request.resource_metrics:
        resource = _sorted_attributes(resource_metrics.resource.attributes)
        service = str(dict(resource).get("service.name", ""))
        for scope_metrics in resource_metrics.scope_metrics:
            scope = _scope(scope_metrics)
            for metric in scope_metrics.metrics:
                for attributes, point in _read_metric(metric, resource):
                    yield SeriesKey(service, metric.name, attributes, scope), point


def _scope(scope_metrics: ScopeMetrics) -> InstrumentationScope:
    scope = scope_metrics.scope
    return InstrumentationScope(
        scope.name, scope.version, scope_metrics.schema_url, _sorted_attributes(scope.attributes)
    )


def _read_metric(
    metric: Metric, resource: PointAttributes
) -> Iterator[tuple[PointAttributes, ReceivedPoint]]:
    field = metric.WhichOneof("data") or ""
    if field not in _KINDS:
        return
    data = getattr(metric, field)
    kind = "counter" if getattr(data, "is_monotonic", False) else _KINDS[field]
    temporality = getattr(data, "aggregation_temporality", 0)
    delta = temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    for point in data.data_points:
        yield _sorted_attributes(point.attributes), _read_point(metric, point, kind, delta, resource)


def _read_point(
    metric: Metric, point: Any, kind: str, delta: bool, resource: PointAttributes
) -> ReceivedPoint:
    return ReceivedPoint(
        kind=kind,
        delta=delta,
        value=float(point.count if hasattr(point, "count") else _number(point)),
        sum=_sum(point, kind),
        buckets=tuple(getattr(point, "bucket_counts", ())),
        bounds=_bounds(point),
        start=point.start_time_unix_nano,
        time=point.time_unix_nano,
        unit=metric.unit,
        description=metric.description,
        resource=resource,
        exemplars=tuple(map(_exemplar, getattr(point, "exemplars", ()))),
        quantiles=tuple(quantile.value for quantile in getattr(point, "quantile_values", ())),
    )


def _sum(point: Any, kind: str) -> float:
    if kind == "histogram":
        return float(point.sum) if point.HasField("sum") else nan
    return float(getattr(point, "sum", 0.0))


def _bounds(point: Any) -> tuple[float, ...]:
    quantiles = (quantile.quantile for quantile in getattr(point, "quantile_values", ()))
    return tuple(getattr(point, "explicit_bounds", quantiles))


def _exemplar(exemplar: Any) -> Exemplar:
    trace_id, span_id = (int.from_bytes(id_, "big") for id_ in (exemplar.trace_id, exemplar.span_id))
    return Exemplar(_number(exemplar), exemplar.time_unix_nano, trace_id, span_id)


def _number(point: Any) -> float:
    return float(getattr(point, point.WhichOneof("value") or "as_double"))


def _sorted_attributes(pairs: Any) -> PointAttributes:
    return tuple((pair.key, _value(pair.value)) for pair in _sorted(pairs))


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    if kind == "kvlist_value":
        return tuple((pair.key, _value(pair.value)) for pair in _sorted(value.kvlist_value.values))
    return getattr(value, kind) if kind else None


def _sorted(pairs: Any) -> list[KeyValue]:
    return sorted(pairs, key=lambda pair: str(pair.key))
