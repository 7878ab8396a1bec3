"""The series of a group: one object for each, whichever files it is read from."""

from __future__ import annotations

import json
from collections.abc import Callable

from dualmetrics.aggregation.policies import AggregationPolicies, AggregationPolicy
from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor, compatibility_key, metric_key
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Exemplars, Point
from dualmetrics.storage import file_format
from dualmetrics.storage.regions import Cells

_NEVER_SHOWN = Point((), 0, ())


class Series:
    """One series of the group, with the point that it was last shown as.

    There is one object for each series (see `SeriesCatalog`), so that merging hashes a pointer.
    """

    __slots__ = (
        "_is_gauge",
        "_width",
        "after_death",
        "attributes",
        "combine",
        "descriptor",
        "exemplars",
        "point",
        "point_with_exponential",
        "start_time_ns",
    )

    def __init__(self, policy: AggregationPolicy, attributes: Attributes, start: int) -> None:
        self.descriptor, self.combine, self.after_death, self._width, self._is_gauge, _ = policy
        self.attributes = attributes
        self.start_time_ns = start
        self.exemplars: Exemplars = ()
        self.point = Point(attributes, start, ())
        """The last point: the same object for as long as nothing changes."""
        self.point_with_exponential = _NEVER_SHOWN
        """The last point with its exponential histogram, if it has one."""

    def set_start(self, start: int) -> None:
        """Correct the start: the series began earlier than was known."""
        self.start_time_ns = start
        self.point = Point(self.attributes, start, ())

    def to_point(self, cells: Cells) -> Point | None:
        """The point with these cells; None if the value was never set or has been withdrawn."""
        if not cells or (cells[0] != cells[0] and not self._is_gauge):  # damaged, or a sum that is NaN
            return None
        has_time = len(cells) > self._width  # what is observed once per group has a time of observation
        if (has_time or self._is_gauge) and not cells[-1]:
            return None
        if has_time:
            cells = cells[: self._width]
        if self.point.cells != cells:
            self.point = Point(self.attributes, self.start_time_ns, cells, self.exemplars)
        return self.point

    def with_exponential(self, point: Point, exponential: Callable[[Series], ExponentialHistogram]) -> Point:
        """``point`` with its exponential histogram, which is read only if it may have changed."""
        both = self.point_with_exponential
        unchanged = both._replace(exponential=None) == point
        if both.cells is point.cells and unchanged and _is_complete(both):
            return both
        both = self.point_with_exponential = point._replace(exponential=exponential(self))
        return both

    def set_exemplars(self, exemplars: Exemplars) -> None:
        """Replace the exemplars."""
        if self.exemplars != exemplars:
            self.exemplars = exemplars
            self.point = self.point._replace(exemplars=exemplars)


def _is_complete(point: Point) -> bool:
    """Whether both kinds of buckets have the same count: a value may be in the middle of being recorded."""
    return point.exponential is not None and point.exponential.total_count == sum(point.cells[:-1])


class SeriesCatalog:
    """Gives one `Series` object for each series, whichever files it is read from."""

    def __init__(self, policies: AggregationPolicies) -> None:
        self._policies = policies
        self._descriptors: dict[tuple[object, ...], Descriptor] = {}
        self._policy_by_descriptor: dict[int, AggregationPolicy] = {}
        self._series: dict[tuple[object, ...], Series] = {}
        self._series_by_text: dict[int, dict[bytes, Series]] = {}

    def descriptor(self, descriptor: Descriptor) -> Descriptor:
        """The descriptor that stands for all that differ in nothing but the description: the first one."""
        return self._descriptors.setdefault(
            (metric_key(descriptor), compatibility_key(descriptor)), descriptor
        )

    def series(self, descriptor: Descriptor, attributes: Attributes, start: int, slot: int | None) -> Series:
        """The series of a ``descriptor`` that `descriptor` returned.

        Gauges that are kept per worker get the attribute ``worker``.
        """
        policy = self._policy(descriptor)
        if slot is not None and policy.per_worker:
            attributes = _with_worker(attributes, slot)
        key = (id(descriptor), attributes_key(attributes))
        known = self._series.get(key)
        if known is None:
            made = Series(policy, attributes, start)
            known = self._series.setdefault(key, made)  # another thread may have been faster
        elif start < known.start_time_ns:
            known.set_start(start)  # a worker admitted it by itself when the log could not be written
        return known

    def series_by_text(self, descriptor: Descriptor) -> dict[bytes, Series]:
        """The known series of a descriptor by the text of their records."""
        return self._series_by_text.setdefault(id(descriptor), {})

    def parse(self, descriptor: Descriptor, text: bytes, slot: int | None) -> Series:
        """The series of a record. Siblings write the same text for the same series, so it is parsed once.

        Raises ValueError, TypeError, LookupError or FormatError if the text is damaged.
        """
        _, start, attributes = json.loads(text)
        series = self.series(descriptor, file_format.decode_attributes(attributes), start, slot)
        if not self._policy(descriptor).per_worker:
            self.series_by_text(descriptor)[text] = series
        return series

    def _policy(self, descriptor: Descriptor) -> AggregationPolicy:
        policy = self._policy_by_descriptor.get(id(descriptor))
        if policy is None:
            policy = self._policy_by_descriptor[id(descriptor)] = self._policies.policy_for(descriptor)
        return policy


def _with_worker(attributes: Attributes, slot: int) -> Attributes:
    others = tuple(pair for pair in attributes if pair[0] != "worker")
    return tuple(sorted((*others, ("worker", str(slot)))))
