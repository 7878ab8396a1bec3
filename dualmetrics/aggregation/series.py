"""The series of a group, interned."""

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
    """One series of the group. Interned: equal means identical, so that merging hashes a pointer."""

    __slots__ = (
        "_gauge",
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

    def __init__(self, treatment: AggregationPolicy, attributes: Attributes, start: int) -> None:
        self.descriptor, self.combine, self.after_death, self._width, self._gauge, _ = treatment
        self.attributes = attributes
        self.start_time_ns = start
        self.exemplars: Exemplars = ()
        self.point = Point(attributes, start, ())
        """As it was last shown: the same object for as long as nothing changes."""
        self.point_with_exponential = _NEVER_SHOWN
        """Likewise with its exponential histogram, where it has one."""

    def set_start(self, start: int) -> None:
        """It began earlier than was known."""
        self.start_time_ns = start
        self.point = Point(self.attributes, start, ())

    def to_point(self, cells: Cells) -> Point | None:
        """The point with these cells; None if it was never set, or is withdrawn."""
        timed = len(cells) > self._width
        if (timed or self._gauge) and not cells[-1]:
            return None
        if timed:
            cells = cells[: self._width]  # once per group: without the time of observation
        if self.point.cells != cells:
            self.point = Point(self.attributes, self.start_time_ns, cells, self.exemplars)
        return self.point

    def with_exponential(self, point: Point, exponential: Callable[[Series], ExponentialHistogram]) -> Point:
        """That point with its exponential histogram, which is read only if it may have changed."""
        both = self.point_with_exponential
        unchanged = both._replace(exponential=None) == point
        if both.cells is point.cells and unchanged and _is_complete(both):
            return both
        both = self.point_with_exponential = point._replace(exponential=exponential(self))
        return both

    def set_exemplars(self, exemplars: Exemplars) -> None:
        """These are its exemplars from now on."""
        if self.exemplars != exemplars:
            self.exemplars = exemplars
            self.point = self.point._replace(exemplars=exemplars)


def _is_complete(point: Point) -> bool:
    """Whether no value was just being recorded, in one kind of buckets and not yet in the other."""
    return point.exponential is not None and point.exponential.total_count == sum(point.cells[:-1])


class SeriesCatalog:
    """Gives one `Series` object for each series, whichever files it is met in."""

    def __init__(self, rules: AggregationPolicies) -> None:
        self._rules = rules
        self._descriptors: dict[tuple[object, ...], Descriptor] = {}
        self._treatments: dict[int, AggregationPolicy] = {}
        self._series: dict[tuple[object, ...], Series] = {}
        self._written: dict[int, dict[bytes, Series]] = {}

    def descriptor(self, descriptor: Descriptor) -> Descriptor:
        """The first descriptor met that differs in nothing but the description."""
        return self._descriptors.setdefault(
            (metric_key(descriptor), compatibility_key(descriptor)), descriptor
        )

    def series(self, descriptor: Descriptor, attributes: Attributes, start: int, slot: int | None) -> Series:
        """The series; ``descriptor`` is one that `descriptor` gave.

        Gauges that are kept per worker get the attribute ``worker``.
        """
        treatment = self._treatment(descriptor)
        if slot is not None and treatment.per_worker:
            attributes = _with_worker(attributes, slot)
        key = (id(descriptor), attributes_key(attributes))
        known = self._series.get(key)
        if known is None:
            made = Series(treatment, attributes, start)
            known = self._series.setdefault(key, made)  # another thread may have been faster
        elif start < known.start_time_ns:
            known.set_start(start)  # admitted privately by one worker when the log could not be written
        return known

    def written(self, descriptor: Descriptor) -> dict[bytes, Series]:
        """The series of a descriptor that were met, by the texts of their records."""
        return self._written.setdefault(id(descriptor), {})

    def parse(self, descriptor: Descriptor, text: bytes, slot: int | None) -> Series:
        """The series of a record. Siblings write the same text for the same series: it is parsed once.

        Raises ValueError, TypeError, LookupError or FormatError for a text that makes no sense.
        """
        _, start, attributes = json.loads(text)
        series = self.series(descriptor, file_format.decode_attributes(attributes), start, slot)
        if not self._treatment(descriptor).per_worker:
            self.written(descriptor)[text] = series
        return series

    def _treatment(self, descriptor: Descriptor) -> AggregationPolicy:
        known = self._treatments.get(id(descriptor))
        if known is None:
            known = self._treatments[id(descriptor)] = self._rules.policy_for(descriptor)
        return known


def _with_worker(attributes: Attributes, slot: int) -> Attributes:
    others = tuple(pair for pair in attributes if pair[0] != "worker")
    return tuple(sorted((*others, ("worker", str(slot)))))
