"""A metric of prometheus_client as families.

By OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md``, *Prometheus Metric points to OTLP*:
names stay as they are, including ``_total``; a counter is a monotonic sum; infos and state sets are sums
that are not monotonic; each bucket of a histogram counts by itself; ``_created`` is the start time.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric

from dualmetrics.bridges.registry_series import UnmappableMetricError, read_series
from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import PROMETHEUS_SCOPE, Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point
from dualmetrics.model.units import to_ucum

_SCOPE_PREFIX = "otel_scope_"
_KINDS = {
    "counter": Kind.COUNTER,
    "gauge": Kind.GAUGE,
    "gaugehistogram": Kind.GAUGE,
    "histogram": Kind.HISTOGRAM,
    "info": Kind.UP_DOWN_COUNTER,
    "stateset": Kind.UP_DOWN_COUNTER,
    "summary": Kind.SUMMARY,
    "unknown": Kind.GAUGE,
}
_NOT_ADDED = ("info", "stateset")
"""Types whose values are not added up: each worker has its own copy of the same thing."""


def metric_to_families(metric: Metric, once_per_group: bool = False, gauge_merge: str = "") -> list[Family]:
    """Convert a metric to families: one for each scope, name and set of bounds that its series have.

    ``once_per_group``: the values are already those of all workers. ``gauge_merge``: see `Descriptor`. Raises
    UnmappableMetricError, or whatever a value raises that is no number.
    """
    prometheus_type = "unknown" if metric.type == "untyped" else metric.type
    if prometheus_type not in _KINDS:
        raise UnmappableMetricError(f"the type {metric.type!r}")
    found: dict[tuple[InstrumentationScope, str, tuple[float, ...]], list[Point]] = {}
    for name, bounds, point in read_series(metric):
        scope, attributes = _split_scope(point.attributes)
        if attributes is not point.attributes:
            point = point._replace(attributes=attributes)
        found.setdefault((scope, name, bounds), []).append(point)
    families = [
        Family(_descriptor(metric, prometheus_type, once_per_group, gauge_merge, *key), tuple(points))
        for key, points in found.items()
    ]
    return _split_state_sets(families) if prometheus_type == "stateset" else families


def _descriptor(
    metric: Metric,
    prometheus_type: str,
    once_per_group: bool,
    gauge_merge: str,
    scope: InstrumentationScope,
    name: str,
    bounds: tuple[float, ...],
) -> Descriptor:
    kind = _KINDS[prometheus_type]
    return Descriptor(
        scope,
        clean_text(name),
        kind,
        clean_text(to_ucum(metric.unit)),
        clean_text(str(metric.documentation or "")),
        bounds,
        observable=once_per_group or kind is Kind.HISTOGRAM,
        once_per_group=once_per_group or prometheus_type in _NOT_ADDED,
        prometheus_type=prometheus_type,
        gauge_merge=gauge_merge if kind is Kind.GAUGE else "",
    )


def _split_scope(labels: Attributes) -> tuple[InstrumentationScope, Attributes]:
    """The scope, which OpenTelemetry's Prometheus exporters write as labels, and the other labels."""
    if f"{_SCOPE_PREFIX}name" not in dict(labels):
        return PROMETHEUS_SCOPE, labels
    scope = {key.removeprefix(_SCOPE_PREFIX): str(value) for key, value in labels if _is_of_scope(key)}
    scope.pop("", None)
    name, version, schema_url = (scope.pop(key, "") for key in ("name", "version", "schema_url"))
    others = tuple((key, value) for key, value in labels if not _is_of_scope(key))
    return InstrumentationScope(name, version, schema_url, tuple(sorted(scope.items()))), others


def _is_of_scope(label: str) -> bool:
    return label.startswith(_SCOPE_PREFIX)


def _split_state_sets(families: Iterable[Family]) -> list[Family]:
    """One family for each enum, since all states of one are set together."""
    enums: dict[tuple[Descriptor, Attributes], list[Point]] = {}
    for family in families:
        for point in family.points:
            others = tuple(pair for pair in point.attributes if pair[0] != family.descriptor.name)
            enums.setdefault((family.descriptor, others), []).append(point)
    return [Family(descriptor, tuple(points)) for (descriptor, _), points in enums.items()]
