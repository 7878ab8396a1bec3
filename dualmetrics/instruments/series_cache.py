"""The rows of one instrument, by attributes as an app gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from opentelemetry.context import Context

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.instruments.attributes import is_short, normalize_attributes
from dualmetrics.instruments.exemplars import ExemplarFilter, ExemplarReservoir
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime.errors import ErrorReporter

INFINITY = float("inf")
_REMEMBERED = 8192  # attribute sets whose row an instrument remembers, or twice the limit if that is more

AttributesArgument = Mapping[str, Any] | None

RowT = TypeVar("RowT")


class SeriesCache(Generic[RowT]):
    """Finds the row for attributes as an app gives them, and remembers it.

    ``ask`` is asked for those that were not met before. It gives a row of cells, or what stands for one.

    ``known`` is the fast way: by the items in the given order, for sets of strings only, because 1, 1.0 and
    True are equal keys in Python and different attributes in OTLP.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        store: GroupStore,
        errors: ErrorReporter,
        exemplars: ExemplarFilter,
        ask: Callable[[Descriptor, Attributes], RowT],
    ) -> None:
        self.descriptor = descriptor
        self.exemplars = exemplars
        self._allocate = ask
        self._errors = errors
        self._most = max(_REMEMBERED, 2 * store.limit)
        self.invalidate()
        store.on_invalidate(self.invalidate)

    def invalidate(self) -> None:
        """All rows are void: after a fork, a reset, a shutdown."""
        self.known: dict[tuple[tuple[str, Any], ...], RowT] = {}
        self._typed: dict[tuple[tuple[str, type, Any], ...], RowT] = {}
        self._reservoirs: dict[int, tuple[RowT, ExemplarReservoir]] = {}

    def get(self, attributes: AttributesArgument) -> RowT:
        """The row of the series, from memory if possible."""
        try:
            return self.known[tuple(attributes.items()) if attributes else ()]
        except (KeyError, TypeError):
            return self.look_up(attributes)

    def look_up(self, attributes: AttributesArgument) -> RowT:
        """The slow way, for every kind of value."""
        known, typed = self.known, self._typed  # those of now: a row that is void meanwhile is not kept
        items = tuple(attributes.items()) if attributes else ()
        key = tuple((name, type(value), value) for name, value in items)
        try:
            row = typed.get(key)
        except TypeError:  # a list among the values
            return self._allocate(self.descriptor, normalize_attributes(attributes, self._errors))
        if row is None:
            row = self._allocate(self.descriptor, normalize_attributes(attributes, self._errors))
            if not is_short(items):
                return row
            if len(known) + len(typed) >= self._most:
                known.clear()
                typed.clear()
            if all(type(value) is str for _, value in items):
                known[items] = row
            else:
                typed[key] = row
        return row

    def offer_exemplar(
        self, bucket: int, amount: float, attributes: AttributesArgument, context: Context | None
    ) -> None:
        """Make an exemplar of what was just counted, if the filter wants it."""
        span = self.exemplars.span(context)
        if span is not None and 0 <= amount < INFINITY:
            self._reservoir(attributes).offer(bucket, amount, span)

    def _reservoir(self, attributes: AttributesArgument) -> ExemplarReservoir:
        """That of the series, by its row, which is kept here lest another get its id."""
        row = self.get(attributes)
        known = self._reservoirs.get(id(row))
        if known is None:
            made = self.exemplars.reservoir(self.descriptor, normalize_attributes(attributes, self._errors))
            known = self._reservoirs.setdefault(id(row), (row, made))
        return known[1]

    def reject_value(self, amount: object) -> None:
        """Report a value that cannot be counted."""
        name = self.descriptor.name
        self._errors.count()
        self._errors.log_once(f"value {name}", "dualmetrics: %s takes no %r; left out", name, amount)

    def report_error(self, error: Exception) -> None:
        """Report an error of the app's arguments, or of ours."""
        self._errors.error(f"recording {self.descriptor.name}", error)
