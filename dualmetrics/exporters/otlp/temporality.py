"""Cumulative totals, or the changes since the last push that the Collector acknowledged.

The official exporters only store the temporality preference. The SDK's reader would apply it, but it is not
used here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import sub

from dualmetrics.model.attributes import attributes_key
from dualmetrics.model.descriptor import Descriptor, Kind, compatibility_key, metric_key
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Family, Point, Snapshot

IsDelta = Callable[[Descriptor], bool]
"""Whether a metric is sent with delta temporality."""

_ROUNDING = 1e-9
"""A relative error larger than that of any sum of doubles, and smaller than the drop at any restart."""

_PointsByAttributes = dict[object, Point]


def always_cumulative(descriptor: Descriptor) -> bool:
    """The default temporality: no metric is sent as deltas."""
    return False


def delta_predicate(preference: str) -> IsDelta:
    """Which metrics are sent as deltas for a value of OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE.

    ``cumulative``: none. ``delta``: counters and histograms. ``lowmemory``: counters and histograms except
    observable ones, whose last value would have to be stored. (OpenTelemetry spec, *OTLP metrics exporter*.)
    """
    if preference == "cumulative":
        return always_cumulative
    delta_kinds = (Kind.COUNTER, Kind.HISTOGRAM)
    if preference == "delta":
        return lambda descriptor: descriptor.kind in delta_kinds
    return lambda descriptor: descriptor.kind in delta_kinds and not descriptor.observable


def subtract(snapshot: Snapshot, baseline: Snapshot | None, is_delta: IsDelta) -> Snapshot:
    """The changes since ``baseline`` for metrics that are sent as deltas; other metrics stay unchanged.

    The interval of a point starts at the baseline, or at the start of its series if that is later. Unchanged
    points are omitted. A series that has restarted, or whose cells have fallen, counts from zero.
    """
    earlier = {} if baseline is None else _index(baseline)
    since = 0 if baseline is None else baseline.time_ns
    families = (
        _changes(family, earlier.get(_key(family.descriptor), {}), since)
        if is_delta(family.descriptor)
        else family
        for family in snapshot.families
    )
    return Snapshot(snapshot.time_ns, snapshot.resource, tuple(families))


def _index(baseline: Snapshot) -> dict[object, _PointsByAttributes]:
    index: dict[object, _PointsByAttributes] = {}
    for family in baseline.families:
        points = index.setdefault(_key(family.descriptor), {})
        points.update((attributes_key(point.attributes), point) for point in family.points)
    return index


def _key(descriptor: Descriptor) -> object:
    return metric_key(descriptor), compatibility_key(descriptor)


def _changes(family: Family, earlier: Mapping[object, Point], since: int) -> Family:
    kind = family.descriptor.kind
    changes = (
        _change(kind, point, earlier.get(attributes_key(point.attributes)), since) for point in family.points
    )
    return Family(family.descriptor, tuple(point for point in changes if _is_nonzero(point)))


def _is_nonzero(point: Point) -> bool:
    # A value that is being recorded may be in one of the two kinds of buckets and not yet in the other.
    return any(point.cells) or (point.exponential is not None and point.exponential.total_count > 0)


def _change(kind: Kind, point: Point, before: Point | None, since: int) -> Point:
    restarted = (
        before is None
        or before.start_time_ns != point.start_time_ns
        or _has_fallen(kind, before.cells, point.cells)
    )
    exemplars = tuple(exemplar for exemplar in point.exemplars if exemplar and exemplar.time_ns > since)
    point = point._replace(start_time_ns=max(point.start_time_ns, since), exemplars=exemplars)
    if before is None or restarted:
        return point
    differences = map(sub, point.cells, before.cells)
    cells = tuple(max(difference, 0.0) for difference in differences)
    return point._replace(cells=cells, exponential=_difference(point.exponential, before.exponential))


def _difference(
    now: ExponentialHistogram | None, before: ExponentialHistogram | None
) -> ExponentialHistogram | None:
    """The change since ``before``; all of ``now`` if there was no histogram yet, or if it has restarted."""
    if now is None or before is None:
        return now
    return now.minus(before) or now


def _has_fallen(kind: Kind, before: Sequence[float], cells: Sequence[float]) -> bool:
    """Whether a total has fallen, which means that it has restarted.

    Adding the same doubles in another order, as after the death of a worker, may give a sum that is smaller
    by a rounding error. That is no restart: otherwise everything would be sent again. A histogram's sum may
    fall, so only its counts are compared.
    """
    width = len(cells) - 1 if kind is Kind.HISTOGRAM else len(cells)
    return any(
        new < old - _ROUNDING * abs(old) for new, old in zip(cells[:width], before[:width], strict=True)
    )
