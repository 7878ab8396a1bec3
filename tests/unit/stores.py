"""Stores for tests: workers of one group, in this process and in others."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.membership import GroupAddress

SCOPE = Scope("tests")
COUNTER = Descriptor(SCOPE, "requests", Kind.COUNTER)
UP_DOWN = Descriptor(SCOPE, "connections", Kind.UP_DOWN_COUNTER)
GAUGE = Descriptor(SCOPE, "temperature", Kind.GAUGE)
HISTOGRAM = Descriptor(SCOPE, "duration", Kind.HISTOGRAM, "s", bounds=(1.0, 2.0))


def worker(
    directory: Path | None,
    rules: AggregationPolicies | None = None,
    limit: int = 2000,
    exponential: bool = False,
) -> GroupStore:
    """A store that is one worker of the group in ``directory``; without one, it counts alone."""
    address = GroupAddress(str(directory) if directory else "/proc/nowhere", "test")
    return GroupStore(address, rules or AggregationPolicies(), limit, ErrorReporter(), exponential)


def die(store: GroupStore) -> None:
    """What the death of its process means for a store: its locks are gone."""
    membership = store.membership()
    assert membership is not None
    membership.release_worker_file()


def values(store: GroupStore, descriptor: Descriptor) -> dict[Attributes, list[float]]:
    """The cells of each series of a metric, over the group."""
    return {
        point.attributes: list(point.cells)
        for family in store.read().families
        if family.descriptor.name == descriptor.name
        for point in family.points
    }


def record(store: GroupStore, *values: float, attributes: Attributes = ()) -> None:
    """Record values in the histogram, in exponential buckets too."""
    row, banks = store.histogram_row(HISTOGRAM, attributes)
    for value in values:
        row[bisect_left(HISTOGRAM.bounds, value)] += 1
        row[-1] += value
        banks.add(value)


def exponentials(store: GroupStore) -> dict[Attributes, ExponentialHistogram | None]:
    """The exponential histogram of each series of the histogram, over the group."""
    return {
        point.attributes: point.exponential
        for family in store.read().families
        if family.descriptor.name == HISTOGRAM.name
        for point in family.points
    }


