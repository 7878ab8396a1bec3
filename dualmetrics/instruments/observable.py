"""The observable instruments of the OpenTelemetry metrics API: callbacks provide their values."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, CallbackT, Observation

from dualmetrics.instruments.series_cache import SeriesCache
from dualmetrics.model.descriptor import Kind
from dualmetrics.storage.regions import Row

CallbackFunction = Callable[[CallbackOptions], Iterable[Observation]]


class Observable:
    """An instrument with its callbacks. A value that a callback returns replaces the previous one."""

    def __init__(self, rows: SeriesCache[Row]) -> None:
        self._rows = rows
        self.once_per_group = rows.descriptor.once_per_group
        self.name = rows.descriptor.name
        self._callbacks: list[CallbackFunction] = []
        self._previous_rows: list[Row] = []
        self._rows_generation: object = None
        """`SeriesCache.fast_rows` at that time. It is another dictionary once the rows are invalid."""

    def add_callbacks(self, callbacks: Sequence[CallbackT] | None) -> None:
        """Add callbacks. A repeated registration of the same instrument adds its own, too."""
        self._callbacks += [_to_function(callback) for callback in callbacks or ()]

    def observe(self, options: CallbackOptions) -> None:
        """Run the callbacks. If one raises, its remaining values are lost and the error is logged once."""
        observed_rows: list[Row] = []
        failed = False
        if self._rows_generation is not self._rows.fast_rows:  # others may belong to another process by now
            self._rows_generation, self._previous_rows = self._rows.fast_rows, []
        for callback in self._callbacks:
            try:
                for observation in callback(options):
                    observed_rows.append(self._record(observation))
            except Exception as error:
                failed = True
                self._rows.report_error(error)
        if failed and self._rows.descriptor.kind is not Kind.GAUGE:
            observed_rows += self._previous_rows  # what was not observed is not known to be gone
        self._withdraw_all_but(observed_rows)

    def _record(self, observation: Observation) -> Row:
        row = self._rows.get(observation.attributes)
        kind, value = self._rows.descriptor.kind, float(observation.value)
        if kind is Kind.GAUGE or (math.isfinite(value) and (value >= 0 or kind is not Kind.COUNTER)):
            row[0] = value
            if len(row) > 1:
                row[1] = time.time()
        else:
            self._rows.reject_value(observation.value)
        return row

    def _withdraw_all_but(self, observed_rows: list[Row]) -> None:
        """Withdraw what was not observed this time (metrics SDK spec, "Asynchronous instruments")."""
        current = {id(row) for row in observed_rows}
        for row in self._previous_rows:
            if id(row) not in current:
                # A sum that has no time is not a number until it is observed again.
                row[len(row) - 1] = 0.0 if len(row) > 1 else math.nan
        self._previous_rows = observed_rows


class ObservableCounter(Observable, metrics.ObservableCounter):
    """A callback returns a sum that only grows."""


class ObservableUpDownCounter(Observable, metrics.ObservableUpDownCounter):
    """A callback returns a sum that may fall."""


class ObservableGauge(Observable, metrics.ObservableGauge):
    """A callback returns the current value."""


def _to_function(callback: CallbackT) -> CallbackFunction:
    """Return a callback as a function.

    OpenTelemetry's API also allows a generator: it is sent the options and yields observations.
    """
    if not isinstance(callback, Generator):
        return callback
    next(callback)
    return callback.send
