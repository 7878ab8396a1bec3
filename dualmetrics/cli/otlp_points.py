"""What a receiver has got, as values that are easy to compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import nan
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, ScopeMetrics

from dualmetrics.model.descriptor import Scope
from dualmetrics.model.snapshot import Exemplar

PointAttributes = tuple[tuple[str, Any], ...]


class SeriesKey(NamedTuple):
    """A series: its resource's service.name, the metric's name, the attributes sorted by name, the scope."""

    service: str
    name: str
    attributes: PointAttributes
    scope: Scope


_KINDS = {
    "gauge": "gauge",
    "sum": "up_down_counter",
    "histogram": "histogram",
    "exponential_histogram": "histogram",
    "summary": "summary",
}


@dataclass(frozen=True)
class ReceivedPoint:
    """The latest state of a series.

    ``value`` is the count of a histogram or a summary; of an exponential one count and sum are all that is
    kept. A sum of NaN is none. The ``bounds`` of a summary are its quantiles, and ``quantiles`` their values.
    Times are nanoseconds since the epoch.
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
        """With what came before, if these are deltas: sums and buckets added up."""
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
    """All points of one request."""
    for resource_metrics in request.resource_metrics:
        resource = sorted_attributes(resource_metrics.resource.attributes)
        service = str(dict(resource).get("service.name", ""))
        for scope_metrics in resource_metrics.scope_metrics:
            scope = _scope(scope_metrics)
            for metric in scope_metrics.metrics:
                for point_attributes, received in _points(metric, resource):
                    yield SeriesKey(service, metric.name, point_attributes, scope), received


def _scope(found: ScopeMetrics) -> Scope:
    scope = found.scope
    return Scope(scope.name, scope.version, found.schema_url, sorted_attributes(scope.attributes))


def _points(metric: Metric, resource: PointAttributes) -> Iterator[tuple[PointAttributes, ReceivedPoint]]:
    data_name = metric.WhichOneof("data") or ""
    if data_name not in _KINDS:
        return
    data = getattr(metric, data_name)
    kind = "counter" if getattr(data, "is_monotonic", False) else _KINDS[data_name]
    delta = (
        getattr(data, "aggregation_temporality", 0) == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    )
    for point in data.data_points:
        yield (
            sorted_attributes(point.attributes),
            ReceivedPoint(
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
                quantiles=tuple(each.value for each in getattr(point, "quantile_values", ())),
            ),
        )


def _sum(point: Any, kind: str) -> float:
    if kind == "histogram":
        return float(point.sum) if point.HasField("sum") else nan
    return float(getattr(point, "sum", 0.0))


def _bounds(point: Any) -> tuple[float, ...]:
    quantiles = (each.quantile for each in getattr(point, "quantile_values", ()))
    return tuple(getattr(point, "explicit_bounds", quantiles))


def _exemplar(found: Any) -> Exemplar:
    trace_id, span_id = (int.from_bytes(each, "big") for each in (found.trace_id, found.span_id))
    return Exemplar(_number(found), found.time_unix_nano, trace_id, span_id)


def _number(point: Any) -> float:
    return float(getattr(point, point.WhichOneof("value") or "as_double"))


def sorted_attributes(pairs: Any) -> PointAttributes:
    """Attributes from protobuf, sorted by name."""
    return tuple(sorted(((pair.key, _value(pair.value)) for pair in pairs), key=lambda pair: pair[0]))


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    if kind == "kvlist_value":
        return tuple((pair.key, _value(pair.value)) for pair in _sorted(value.kvlist_value.values))
    return getattr(value, kind) if kind else None


def _sorted(pairs: Any) -> list[KeyValue]:
    return sorted(pairs, key=lambda pair: str(pair.key))
