"""The synchronous instruments of the OpenTelemetry metrics API, on rows of cells.

They never raise. A value that cannot be counted (not a number, not finite, negative where only sums grow) is
left out, said once per instrument and counted as an internal error.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from opentelemetry import metrics
from opentelemetry.context import Context

from dualmetrics.atomic import atomic
from dualmetrics.attributes import canonical, is_short
from dualmetrics.cells import Row
from dualmetrics.exemplars import ExemplarFilter, Reservoir
from dualmetrics.snapshot import Descriptor
from dualmetrics.store import Store
from dualmetrics.trouble import Trouble

INFINITY = float("inf")
_REMEMBERED = 8192  # attribute sets whose row an instrument remembers, or twice the limit if that is more

AttributesArgument = Mapping[str, Any] | None


class Rows:
    """Finds the row for attributes as an app gives them, and remembers it.

    ``known`` is the fast way: by the items in the given order, for sets of strings only, because 1, 1.0 and
    True are equal keys in Python and different attributes in OTLP.
    """

    def __init__(
        self, descriptor: Descriptor, store: Store, trouble: Trouble, exemplars: ExemplarFilter
    ) -> None:
        self.descriptor = descriptor
        self.exemplars = exemplars
        self._store = store
        self._trouble = trouble
        self._most = max(_REMEMBERED, 2 * store.limit)
        self.forget()
        store.on_rebind(self.forget)

    def forget(self) -> None:
        """All rows are void: after a fork, a reset, a shutdown."""
        self.known: dict[tuple[tuple[str, Any], ...], Row] = {}
        self._typed: dict[tuple[tuple[str, type, Any], ...], Row] = {}
        self._reservoirs: dict[int, tuple[Row, Reservoir]] = {}

    def get(self, attributes: AttributesArgument) -> Row:
        """The row of the series, from memory if possible."""
        try:
            return self.known[tuple(attributes.items()) if attributes else ()]
        except (KeyError, TypeError):
            return self.find(attributes)

    def find(self, attributes: AttributesArgument) -> Row:
        """The slow way, for every kind of value."""
        known, typed = self.known, self._typed  # those of now: a row that is void meanwhile is not kept
        items = tuple(attributes.items()) if attributes else ()
        key = tuple((name, type(value), value) for name, value in items)
        try:
            row = typed.get(key)
        except TypeError:  # a list among the values
            return self._store.row(self.descriptor, canonical(attributes, self._trouble))
        if row is None:
            row = self._store.row(self.descriptor, canonical(attributes, self._trouble))
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


class Sum:
    """What the two kinds of counters share."""

    lowest: float

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @atomic
    def add(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Add a finite ``amount``, of a counter not a negative one, to the series of ``attributes``."""
        rows = self._rows
        try:
            if not self.lowest <= amount < INFINITY:
                return rows.refuse(amount)
            try:
                row = rows.known[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.find(attributes)
            row[0] += amount
        except Exception as error:
            rows.failed(error)


class Counter(Sum, metrics.Counter):
    """A sum that only grows."""

    lowest = 0.0

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        rows.exemplars.on_active(self._trace)

    def _trace(self) -> None:
        self.add = self._add_with_exemplar  # type: ignore[method-assign]  # so that the other pays nothing

    def _add_with_exemplar(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        super().add(amount, attributes, context)
        try:
            self._rows.offer(0, amount, attributes, context)
        except Exception:
            return  # what is wrong with the arguments was reported where they were counted


class UpDownCounter(Sum, metrics.UpDownCounter):
    """A sum that may fall, such as the number of requests under way."""

    lowest = -sys.float_info.max


class Histogram(metrics.Histogram):
    """A distribution in buckets with fixed, upper-inclusive bounds."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._bounds = rows.descriptor.bounds
        rows.exemplars.on_active(self._trace)

    def _trace(self) -> None:
        self.record = self._record_with_exemplar  # type: ignore[method-assign]  # as in `Counter`

    def _record_with_exemplar(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        Histogram.record(self, amount, attributes, context)
        try:
            self._rows.offer(bisect_left(self._bounds, amount), amount, attributes, context)
        except Exception:
            return

    @atomic
    def record(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Count ``amount`` (not negative, as its sum is monotonic) in the series of ``attributes``."""
        rows = self._rows
        try:
            if not 0 <= amount < INFINITY:
                return rows.refuse(amount)
            try:
                row = rows.known[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.find(attributes)
            row[bisect_left(self._bounds, amount)] += 1
            row[-1] += amount
        except Exception as error:
            rows.failed(error)


class Gauge(metrics._Gauge):  # exported by opentelemetry.metrics under this name and no other
    """A value that is set; the workers' values merge as DUALMETRICS_GAUGE_MERGE says."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @atomic
    def set(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Set the series of ``attributes`` to ``amount``; NaN and infinities are values of a gauge."""
        rows = self._rows
        try:
            try:
                row = rows.known[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.find(attributes)
            row[0] = amount
            row[1] = time.time()
        except Exception as error:
            rows.failed(error)
