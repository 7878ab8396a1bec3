"""Finds the row of a series by the attributes that an app passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from opentelemetry.context import Context

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.past_limit import OVERFLOWS, Items, RowsPastLimit
from dualmetrics.aggregation.worker_store import OVERFLOW_ATTRIBUTES
from dualmetrics.instruments.attributes import is_short, normalize_attributes
from dualmetrics.instruments.exemplars import ExemplarFilter, ExemplarReservoir
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.free_threading import FIRST_SHARD, SHARDS, Shard

INFINITY = float("inf")
_MIN_CAPACITY = 8192  # attribute sets that an instrument remembers at least; more if the limit is higher

AttributesArgument = Mapping[str, Any] | None

RowT = TypeVar("RowT")

Allocate = Callable[[Descriptor, Attributes, "int | None", int], RowT]
"""Returns the row of a series. The arguments are those of `GroupStore.row`."""

_REJECTED = (
    "dualmetrics: %s does not accept the value %r. Record a finite number, which may be negative only for an "
    "up-down counter or a gauge"
)


class SeriesCache(Generic[RowT]):
    """Remembers the rows of one instrument, by the attributes as the app passes them.

    ``allocate`` returns the row of a series that is not in the cache. A row is anything that an instrument
    records into: the cells, or the cells with their exponential histogram.

    ``fast_rows`` is what the recording functions look into first. It has the attribute sets that consist of
    strings, by their items in the order in which the app passes them. Other sets are kept apart with the
    types of their values: 1, 1.0 and True are equal keys in Python but different attributes in OTLP.

    The rows belong to the first shard of threads. `of` has those of the others.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        store: GroupStore,
        errors: ErrorReporter,
        exemplars: ExemplarFilter,
        allocate: Allocate[RowT],
        shard: Shard = FIRST_SHARD,
    ) -> None:
        self.descriptor = descriptor
        self.exemplars = exemplars
        self._store = store
        self._allocate = allocate
        self._shard = shard.number
        self._errors = errors
        self._capacity = max(_MIN_CAPACITY, 2 * store.limit)
        self.invalidate()
        store.on_invalidate(self.invalidate)
        others = SHARDS[1:] if shard is FIRST_SHARD else ()
        self._others = [
            SeriesCache(descriptor, store, errors, exemplars, allocate, other) for other in others
        ]

    def of(self, shard: Shard) -> SeriesCache[RowT]:
        """The rows of a shard. To be called on that of the first shard."""
        return self._others[shard.number - 1] if shard.number else self

    def invalidate(self) -> None:
        """Forget all rows, because a fork, a reset or a shutdown has made them invalid."""
        self.fast_rows: dict[Items, RowT] = {}
        self._typed_rows: dict[tuple[tuple[str, type, Any], ...], RowT] = {}
        self._reservoirs: dict[int, tuple[RowT, ExemplarReservoir]] = {}

    def get(self, attributes: AttributesArgument) -> RowT:
        """Return the row of a series."""
        try:
            return self.fast_rows[tuple(attributes.items()) if attributes else ()]
        except (KeyError, TypeError):
            return self.look_up(attributes)

    def look_up(self, attributes: AttributesArgument) -> RowT:
        """Return the row of a series that is not in `fast_rows`."""
        # Bound here, so that a row that becomes invalid meanwhile is not kept in the new dictionaries.
        fast_rows, typed_rows = self.fast_rows, self._typed_rows
        items = tuple(attributes.items()) if attributes else ()
        key = tuple((name, type(value), value) for name, value in items)
        try:
            row = typed_rows.get(key)
        except TypeError:  # a value is a list, which cannot be a key
            return self._new_row(attributes)
        if row is None:
            row = self._new_row(attributes)
            if not is_short(items):
                return row
            if len(fast_rows) + len(typed_rows) >= self._capacity:
                fast_rows.clear()
                typed_rows.clear()
            if all(type(value) is str for _, value in items):
                fast_rows[items] = row
            else:
                typed_rows[key] = row
        return row

    def _new_row(self, attributes: AttributesArgument) -> RowT:
        normalized = normalize_attributes(attributes, self._errors)
        row = self._allocate(self.descriptor, normalized, None, self._shard)
        if not isinstance(self.fast_rows, RowsPastLimit):
            self._look_for_limit()
        return row

    def _look_for_limit(self) -> None:
        """Let new sets go to the overflow series without being asked for, if the metric is full."""
        admitted = self._store.admitted_crcs(self.descriptor)
        if admitted is not None:
            row = self._allocate(self.descriptor, OVERFLOW_ATTRIBUTES, None, self._shard)
            overflows = self._store.row(OVERFLOWS, (("metric", self.descriptor.name),))
            self.fast_rows = RowsPastLimit(self.fast_rows, row, admitted, overflows)

    def offer_exemplar(
        self, bucket: int, amount: float, attributes: AttributesArgument, context: Context | None
    ) -> None:
        """Offer a measurement that was just recorded as an exemplar."""
        span = self.exemplars.span(context)
        if span is not None and 0 <= amount < INFINITY:
            self._reservoir(attributes).offer(bucket, amount, span)

    def reject_value(self, amount: object) -> None:
        """Report a value that cannot be recorded. It is logged once for each instrument."""
        name = self.descriptor.name
        self._errors.count()
        self._errors.log_once(f"value {name}", _REJECTED, name, amount)

    def report_error(self, error: Exception) -> None:
        """Report an exception during recording, caused by the arguments or by this library."""
        self._errors.error(f"recording {self.descriptor.name}", error)

    def _reservoir(self, attributes: AttributesArgument) -> ExemplarReservoir:
        """Return the reservoir of a series. The entry holds the row, so that its id is not used again."""
        row = self.get(attributes)
        entry = self._reservoirs.get(id(row))
        if entry is None:
            normalized = normalize_attributes(attributes, self._errors)
            new_entry = row, self.exemplars.reservoir(self.descriptor, normalized)
            entry = self._reservoirs.setdefault(id(row), new_entry)
        return entry[1]
