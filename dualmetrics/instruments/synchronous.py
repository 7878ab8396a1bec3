"""The synchronous instruments of the OpenTelemetry metrics API, on rows of cells.

They never raise. A value that cannot be counted (not a number, not finite, negative where only sums grow) is
left out, said once per instrument and counted as an internal error.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from typing import Generic

from opentelemetry import metrics
from opentelemetry.context import Context

from dualmetrics.instruments.series_cache import INFINITY, AttributesArgument, RowT, SeriesCache
from dualmetrics.runtime.free_threading import locked_if_free_threaded
from dualmetrics.storage import exponential_cells
from dualmetrics.storage.regions import Row


class _CounterBase:
    """What the two kinds of counters share."""

    lowest: float

    def __init__(self, rows: SeriesCache[Row]) -> None:
        self._rows = rows

    @locked_if_free_threaded
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
                return rows.reject_value(amount)
            try:
                row = rows.known[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.look_up(attributes)
            row[0] += amount
        except Exception as error:
            rows.report_error(error)


class Counter(_CounterBase, metrics.Counter):
    """A sum that only grows."""

    lowest = 0.0

    def __init__(self, rows: SeriesCache[Row]) -> None:
        super().__init__(rows)
        rows.exemplars.on_active(self._trace)

    def _trace(self) -> None:
        self.add = self._add_with_exemplar  # type: ignore[method-assign]  # so that the other pays nothing

    def _add_with_exemplar(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        super().add(amount, attributes, context)
        try:
            self._rows.offer_exemplar(0, amount, attributes, context)
        except Exception:
            return  # what is wrong with the arguments was reported where they were counted


class UpDownCounter(_CounterBase, metrics.UpDownCounter):
    """A sum that may fall, such as the number of requests under way."""

    lowest = -sys.float_info.max


class _HistogramBase(metrics.Histogram, Generic[RowT]):
    """What the two kinds of histograms share."""

    def __init__(self, rows: SeriesCache[RowT]) -> None:
        self._rows = rows
        self._bounds = rows.descriptor.bounds
        rows.exemplars.on_active(self._trace)

    def _trace(self) -> None:
        self.record = self._record_with_exemplar  # type: ignore[method-assign]  # as in `Counter`

    def _record_with_exemplar(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        type(self).record(self, amount, attributes, context)
        try:
            self._rows.offer_exemplar(bisect_left(self._bounds, amount), amount, attributes, context)
        except Exception:
            return  # what is wrong was reported where the value was counted


class Histogram(_HistogramBase[Row]):
    """A distribution in buckets with fixed, upper-inclusive bounds."""

    @locked_if_free_threaded
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
                return rows.reject_value(amount)
            try:
                row = rows.known[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.look_up(attributes)
            row[bisect_left(self._bounds, amount)] += 1
            row[-1] += amount
        except Exception as error:
            rows.report_error(error)


class HistogramWithExponentialBuckets(_HistogramBase[exponential_cells.HistogramRow]):
    """A `Histogram` that is also recorded in exponential buckets."""

    @locked_if_free_threaded
    def record(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Count ``amount`` as `Histogram.record` does."""
        rows = self._rows
        try:
            if not 0 <= amount < INFINITY:
                return rows.reject_value(amount)
            try:
                row, exponential = rows.known[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row, exponential = rows.look_up(attributes)
            row[bisect_left(self._bounds, amount)] += 1
            row[-1] += amount
            exponential.add(amount)
        except Exception as error:
            rows.report_error(error)


class Gauge(metrics._Gauge):  # exported by opentelemetry.metrics under this name and no other
    """A value that is set; the workers' values merge as DUALMETRICS_GAUGE_MERGE says."""

    def __init__(self, rows: SeriesCache[Row]) -> None:
        self._rows = rows

    @locked_if_free_threaded
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
                row = rows.look_up(attributes)
            row[0] = amount
            row[1] = time.time()
        except Exception as error:
            rows.report_error(error)
