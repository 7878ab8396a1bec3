"""The rows of one instrument, by attributes as an app gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from opentelemetry.context import Context

from dualmetrics.aggregation.group_store import Store
from dualmetrics.instruments.attributes import canonical, is_short
from dualmetrics.instruments.exemplars import ExemplarFilter, Reservoir
from dualmetrics.model.snapshot import Attributes, Descriptor
from dualmetrics.runtime.errors import Trouble

INFINITY = float("inf")
_REMEMBERED = 8192  # attribute sets whose row an instrument remembers, or twice the limit if that is more

AttributesArgument = Mapping[str, Any] | None

RowT = TypeVar("RowT")


class Rows(Generic[RowT]):
    """Finds the row for attributes as an app gives them, and remembers it.

    ``ask`` is asked for those that were not met before. It gives a row of cells, or what stands for one.

    ``known`` is the fast way: by the items in the given order, for sets of strings only, because 1, 1.0 and
    True are equal keys in Python and different attributes in OTLP.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        store: Store,
        trouble: Trouble,
        exemplars: ExemplarFilter,
        ask: Callable[[Descriptor, Attributes], RowT],
    ) -> None:
        self.descriptor = descriptor
        self.exemplars = exemplars
        self._ask = ask
        self._trouble = trouble
        self._most = max(_REMEMBERED, 2 * store.limit)
        self.forget()
        store.on_rebind(self.forget)

    def forget(self) -> None:
        """All rows are void: after a fork, a reset, a shutdown."""
        self.known: dict[tuple[tuple[str, Any], ...], RowT] = {}
        self._typed: dict[tuple[tuple[str, type, Any], ...], RowT] = {}
        self._reservoirs: dict[int, tuple[RowT, Reservoir]] = {}

    def get(self, attributes: AttributesArgument) -> RowT:
        """The row of the series, from memory if possible."""
        try:
            return self.known[tuple(attributes.items()) if attributes else ()]
        except (KeyError, TypeError):
            return self.find(attributes)

    def find(self, attributes: AttributesArgument) -> RowT:
        """The slow way, for every kind of value."""
        known, typed = self.known, self._typed  # those of now: a row that is void meanwhile is not kept
        items = tuple(attributes.items()) if attributes else ()
        key = tuple((name, type(value), value) for name, value in items)
        try:
            row = typed.get(key)
        except TypeError:  # a list among the values
            return self._ask(self.descriptor, canonical(attributes, self._trouble))
        if row is None:
            row = self._ask(self.descriptor, canonical(attributes, self._trouble))
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

    def offer(
        self, bucket: int, amount: float, attributes: AttributesArgument, context: Context | None
    ) -> None:
        """Make an exemplar of what was just counted, if the filter wants it."""
        span = self.exemplars.span(context)
        if span is not None and 0 <= amount < INFINITY:
            self._reservoir(attributes).offer(bucket, amount, span)

    def _reservoir(self, attributes: AttributesArgument) -> Reservoir:
        """That of the series, by its row, which is kept here lest another get its id."""
        row = self.get(attributes)
        known = self._reservoirs.get(id(row))
        if known is None:
            made = self.exemplars.reservoir(self.descriptor, canonical(attributes, self._trouble))
            known = self._reservoirs.setdefault(id(row), (row, made))
        return known[1]

    def refuse(self, amount: object) -> None:
        """Report a value that cannot be counted."""
        name = self.descriptor.name
        self._trouble.count()
        self._trouble.once(f"value {name}", "dualmetrics: %s takes no %r; left out", name, amount)

    def failed(self, error: Exception) -> None:
        """Report an error of the app's arguments, or of ours."""
        self._trouble.error(f"recording {self.descriptor.name}", error)
