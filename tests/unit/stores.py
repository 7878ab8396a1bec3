"""Stores for tests, each one worker of a group, and readers of the group's totals."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.membership import GroupAddress, Membership

SCOPE = InstrumentationScope("tests")
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
    """Return a store that is one worker of the group in ``directory``, or one that counts alone."""
    address = GroupAddress(str(directory) if directory else "/proc/nowhere", "test")
    return GroupStore(address, rules or AggregationPolicies(), limit, ErrorReporter(), exponential)


def membership_of(store: GroupStore) -> Membership:
    """Return the membership of a store that has a group."""
    membership = store.membership()
    assert membership is not None
    return membership


def die(store: GroupStore) -> None:
    """Release the lock of a store's worker file, as the death of its process does."""
    membership_of(store).release_worker_file()


def values(store: GroupStore, descriptor: Descriptor) -> dict[Attributes, list[float]]:
    """Return the totals of the group for each series of a metric."""
    return {
        point.attributes: list(point.cells)
        for family in store.read().families
        if family.descriptor.name == descriptor.name
        for point in family.points
    }


def record(store: GroupStore, *values: float, attributes: Attributes = ()) -> None:
    """Record values in the histogram, in its explicit and in its exponential buckets."""
    row, exponential_cells = store.histogram_row(HISTOGRAM, attributes)
    for value in values:
        row[bisect_left(HISTOGRAM.bounds, value)] += 1
        row[-1] += value
        exponential_cells.add(value)


def exponentials(store: GroupStore) -> dict[Attributes, ExponentialHistogram | None]:
    """Return the exponential histogram of the group for each series of the histogram."""
    return {
        point.attributes: point.exponential
        for family in store.read().families
        if family.descriptor.name == HISTOGRAM.name
        for point in family.points
    }
