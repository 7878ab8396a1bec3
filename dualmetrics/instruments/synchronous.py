"""The synchronous instruments of the OpenTelemetry metrics API. They record into rows of cells.

They never raise. A value that cannot be recorded is ignored, logged once for each instrument, and counted as
an internal error: one that is not a number, an infinite one, or a negative one where the sum may only grow.

The recording methods repeat the lookup of the row, because a function call would cost more than the lookup.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from typing import Generic

from opentelemetry import metrics
from opentelemetry.context import Context

from dualmetrics.instruments.series_cache import INFINITY, AttributesArgument, RowT, SeriesCache
from dualmetrics.runtime.free_threading import FIRST_SHARD, own_shard, replaced_if_free_threaded
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Row


class _CounterBase:
    """Adds to the only cell of a row. `Counter` and `UpDownCounter` differ in the lowest amount."""

    lowest_amount: float

    def __init__(self, rows: SeriesCache[Row]) -> None:
        self._rows = rows

    def _add_in_shard(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        """Do the same as `add`, in the row of this thread's shard."""
        shard = own_shard()
        rows = self._rows.of(shard)
        try:
            if not self.lowest_amount <= amount < INFINITY:
                return rows.reject_value(amount)
            row = rows.get(attributes)
            with shard.lock:
                row[0] += amount
        except Exception as error:
            rows.report_error(error)

    @replaced_if_free_threaded(_add_in_shard)
    def add(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Add a finite ``amount`` to the series of ``attributes``. A `Counter` rejects negative amounts."""
        rows = self._rows
        try:
            if not self.lowest_amount <= amount < INFINITY:
                return rows.reject_value(amount)
            try:
                row = rows.fast_rows[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.look_up(attributes)
            row[0] += amount
        except Exception as error:
            rows.report_error(error)


class Counter(_CounterBase, metrics.Counter):
    """A sum that only grows."""

    lowest_amount = 0.0

    def __init__(self, rows: SeriesCache[Row]) -> None:
        super().__init__(rows)
        rows.exemplars.on_active(self._enable_exemplars)

    def _enable_exemplars(self) -> None:
        """Replace `add` on this instance. Without a tracer, `add` need not even check for exemplars."""
        self.add = self._add_with_exemplar  # type: ignore[method-assign]  # see the docstring

    def _add_with_exemplar(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        super().add(amount, attributes, context)
        try:
            self._rows.offer_exemplar(0, amount, attributes, context)
        except Exception:
            return  # bad arguments were reported by the call above


class UpDownCounter(_CounterBase, metrics.UpDownCounter):
    """A sum that may fall, such as the number of active requests."""

    lowest_amount = -sys.float_info.max


class _HistogramBase(metrics.Histogram, Generic[RowT]):
    """A histogram whose `record` is left to its subclasses: each of them unpacks a different kind of row."""

    def __init__(self, rows: SeriesCache[RowT]) -> None:
        self._rows = rows
        self._bounds = rows.descriptor.bounds
        rows.exemplars.on_active(self._enable_exemplars)

    def _write(self, row: RowT, bucket: int, amount: float) -> None:
        """Write a value to its row, under the lock of the row's shard."""
        raise NotImplementedError

    def _record_in_shard(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        """Do the same as `record`, in the row of this thread's shard."""
        shard = own_shard()
        rows = self._rows.of(shard)
        try:
            if not 0 <= amount < INFINITY:
                return rows.reject_value(amount)
            row, bucket = rows.get(attributes), bisect_left(self._bounds, amount)
            with shard.lock:
                self._write(row, bucket, amount)
        except Exception as error:
            rows.report_error(error)

    def _enable_exemplars(self) -> None:
        """Replace `record` on this instance, as `Counter` replaces `add`."""
        self.record = self._record_with_exemplar  # type: ignore[method-assign]  # see the docstring

    def _record_with_exemplar(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        type(self).record(self, amount, attributes, context)
        try:
            self._rows.offer_exemplar(bisect_left(self._bounds, amount), amount, attributes, context)
        except Exception:
            return  # bad arguments were reported by the call above


class Histogram(_HistogramBase[Row]):
    """A distribution in buckets with fixed, upper-inclusive bounds."""

    def _write(self, row: Row, bucket: int, amount: float) -> None:
        row[bucket] += 1
        row[-1] += amount

    @replaced_if_free_threaded(_HistogramBase._record_in_shard)
    def record(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Record ``amount`` in the series of ``attributes``. It must not be negative, as sums only grow."""
        rows = self._rows
        try:
            if not 0 <= amount < INFINITY:
                return rows.reject_value(amount)
            try:
                row = rows.fast_rows[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.look_up(attributes)
            row[bisect_left(self._bounds, amount)] += 1
            row[-1] += amount
        except Exception as error:
            rows.report_error(error)


class HistogramWithExponentialBuckets(_HistogramBase[HistogramRow]):
    """A `Histogram` that records each value in exponential buckets as well.

    It is used if the settings ask for exponential or native histograms. The fixed buckets are kept, because
    the text formats of the page cannot show exponential ones.
    """

    def _write(self, row: HistogramRow, bucket: int, amount: float) -> None:
        row.explicit[bucket] += 1
        row.explicit[-1] += amount
        row.exponential.add(amount)

    @replaced_if_free_threaded(_HistogramBase._record_in_shard)
    def record(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Record ``amount`` in both kinds of buckets, as `Histogram.record` does in one."""
        rows = self._rows
        try:
            if not 0 <= amount < INFINITY:
                return rows.reject_value(amount)
            try:
                row, exponential = rows.fast_rows[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row, exponential = rows.look_up(attributes)
            row[bisect_left(self._bounds, amount)] += 1
            row[-1] += amount
            exponential.add(amount)
        except Exception as error:
            rows.report_error(error)


# OpenTelemetry exports the base class of synchronous gauges under a private name only. This line is the only
# use of it; a test fails as soon as there is a public name.
_ApiGauge = metrics._Gauge


class Gauge(_ApiGauge):
    """A value that is set. DUALMETRICS_GAUGE_MERGE says how the values of several workers are merged."""

    def __init__(self, rows: SeriesCache[Row]) -> None:
        self._rows = rows

    def _set_under_lock(
        self, amount: float, attributes: AttributesArgument = None, context: Context | None = None
    ) -> None:
        """Do the same as `set`. The threads share one row, because the last value counts."""
        try:
            row = self._rows.get(attributes)
            with FIRST_SHARD.lock:
                row[0] = amount
                row[1] = time.time()
        except Exception as error:
            self._rows.report_error(error)

    @replaced_if_free_threaded(_set_under_lock)
    def set(
        self,
        amount: float,
        attributes: AttributesArgument = None,
        context: Context | None = None,
    ) -> None:
        """Set the series of ``attributes`` to ``amount``. NaN and infinities are allowed."""
        rows = self._rows
        try:
            try:
                row = rows.fast_rows[tuple(attributes.items()) if attributes else ()]
            except (KeyError, TypeError):
                row = rows.look_up(attributes)
            row[0] = amount
            row[1] = time.time()
        except Exception as error:
            rows.report_error(error)
