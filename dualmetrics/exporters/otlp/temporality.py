"""Cumulative totals, or what came since the last push that the Collector acknowledged.

The official exporters only store the preference and leave it to the SDK's reader, which is not in use here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import sub

from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Family, Point, Snapshot

IsDelta = Callable[[Descriptor], bool]

_ROUNDING = 1e-9  # a relative error that no sum of doubles reaches, and that no restart stays below


def deltas(preference: str) -> IsDelta:
    """Which metrics are sent as deltas, by OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE.

    ``cumulative``: none. ``delta``: counters and histograms. ``lowmemory``: these as well, but for observable
    counters, whose last value would have to be kept. (OpenTelemetry spec, *OTLP metrics exporter*.)
    """
    if preference == "cumulative":
        return lambda descriptor: False
    summed = (Kind.COUNTER, Kind.HISTOGRAM)
    if preference == "delta":
        return lambda descriptor: descriptor.kind in summed
    return lambda descriptor: descriptor.kind in summed and not descriptor.observable


def subtract(snapshot: Snapshot, baseline: Snapshot | None, is_delta: IsDelta) -> Snapshot:
    """What came since ``baseline``, of the metrics that go as deltas; the others as they are.

    A point begins where the baseline ended, or where its series began if that was later. Points that did not
    change are left out. Cells that fell, or a series that began anew, count from zero.
    """
    known = {} if baseline is None else _points(baseline)
    since = 0 if baseline is None else baseline.time_ns
    return Snapshot(
        snapshot.time_ns,
        snapshot.resource,
        tuple(
            _changes(family, known, since) if is_delta(family.descriptor) else family
            for family in snapshot.families
        ),
    )


Key = tuple[object, ...]


def _points(snapshot: Snapshot) -> dict[Key, Point]:
    return {
        _key(family.descriptor, point.attributes): point
        for family in snapshot.families
        for point in family.points
    }


def _key(descriptor: Descriptor, attributes: Attributes) -> Key:
    scope = descriptor.scope
    return (
        (scope.name, scope.version, scope.schema_url, attributes_key(scope.attributes)),
        (descriptor.name, descriptor.kind, descriptor.unit, descriptor.bounds),
        attributes_key(attributes),
    )


def _changes(family: Family, known: dict[Key, Point], since: int) -> Family:
    descriptor = family.descriptor
    changed = (
        _since(descriptor.kind, point, known.get(_key(descriptor, point.attributes)), since)
        for point in family.points
    )
    return Family(descriptor, tuple(point for point in changed if _says_anything(point)))


def _says_anything(point: Point) -> bool:
    # A value that is being recorded may stand in one of the two and not yet in the other.
    return any(point.cells) or (point.exponential is not None and point.exponential.total_count > 0)


def _since(kind: Kind, point: Point, before: Point | None, since: int) -> Point:
    again = (
        before is None
        or before.start_time_ns != point.start_time_ns
        or _fell(kind, before.cells, point.cells)
    )
    exemplars = tuple(each for each in point.exemplars if each and each.time_ns > since)
    point = point._replace(start_time_ns=max(point.start_time_ns, since), exemplars=exemplars)
    if before is None or again:
        return point
    difference = map(sub, point.cells, before.cells)
    cells = tuple(max(cell, 0.0) for cell in difference)
    return point._replace(cells=cells, exponential=_difference(point.exponential, before.exponential))


def _difference(
    now: ExponentialHistogram | None, before: ExponentialHistogram | None
) -> ExponentialHistogram | None:
    """What came since. All of it if that cannot be: nothing was recorded then, or it began anew."""
    if now is None or before is None:
        return now
    return now.minus(before) or now


def _fell(kind: Kind, before: Sequence[float], cells: Sequence[float]) -> bool:
    """Whether a total began anew.

    Adding the same doubles in another order, as after a worker's death, gives a sum that may be smaller by a
    rounding error. That is no new beginning: to take it for one would send everything again.
    """
    width = len(cells) - 1 if kind is Kind.HISTOGRAM else len(cells)  # without a histogram's sum
    return any(
        new < old - _ROUNDING * abs(old) for new, old in zip(cells[:width], before[:width], strict=True)
    )
