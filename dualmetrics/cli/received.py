"""What a receiver has got, as values that are easy to compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from dualmetrics.snapshot import Exemplar

Attributes = tuple[tuple[str, Any], ...]
Key = tuple[str, str, Attributes]
"""A series: its resource's service.name, the metric's name, the attributes sorted by name."""


@dataclass(frozen=True)
class Received:
    """The latest state of a series.

    ``value`` is a histogram's count; times are nanoseconds since the epoch.
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
    scope: str
    resource: Attributes
    exemplars: tuple[Exemplar, ...] = ()

    def after(self, earlier: Received | None) -> Received:
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


def series(request: ExportMetricsServiceRequest) -> Iterator[tuple[Key, Received]]:
    """All points of one request."""
    for resource_metrics in request.resource_metrics:
        resource = attributes(resource_metrics.resource.attributes)
        service = str(dict(resource).get("service.name", ""))
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point_attributes, received in _points(metric, scope_metrics.scope.name, resource):
                    yield (service, metric.name, point_attributes), received


def _points(metric: Metric, scope: str, resource: Attributes) -> Iterator[tuple[Attributes, Received]]:
    kind = metric.WhichOneof("data")
    if kind not in ("gauge", "sum", "histogram"):
        return
    data = getattr(metric, kind)
    delta = (
        getattr(data, "aggregation_temporality", 0) == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    )
    name = "counter" if getattr(data, "is_monotonic", False) else {"sum": "up_down_counter"}.get(kind, kind)
    for point in data.data_points:
        yield (
            attributes(point.attributes),
            Received(
                kind=name,
                delta=delta,
                value=float(point.count if kind == "histogram" else _number(point)),
                sum=point.sum if kind == "histogram" else 0.0,
                buckets=tuple(getattr(point, "bucket_counts", ())),
                bounds=tuple(getattr(point, "explicit_bounds", ())),
                start=point.start_time_unix_nano,
                time=point.time_unix_nano,
                unit=metric.unit,
                scope=scope,
                resource=resource,
                exemplars=tuple(map(_exemplar, getattr(point, "exemplars", ()))),
            ),
        )


def _exemplar(found: Any) -> Exemplar:
    trace_id, span_id = (int.from_bytes(each, "big") for each in (found.trace_id, found.span_id))
    return Exemplar(_number(found), found.time_unix_nano, trace_id, span_id)


def _number(point: Any) -> float:
    return float(getattr(point, point.WhichOneof("value") or "as_double"))


def attributes(pairs: Any) -> Attributes:
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
