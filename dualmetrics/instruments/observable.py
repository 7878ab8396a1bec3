"""The observable instruments of the OpenTelemetry metrics API: callbacks whose values go into rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, CallbackT, Observation

from dualmetrics.instruments.series_cache import SeriesCache
from dualmetrics.model.descriptor import Kind
from dualmetrics.storage.regions import Row

Observe = Callable[[CallbackOptions], Iterable[Observation]]


class Observable:
    """An instrument with its callbacks. What a callback gives replaces what it gave before."""

    def __init__(self, rows: SeriesCache[Row]) -> None:
        self.series_cache = rows
        self.once_per_group = rows.descriptor.once_per_group
        self.name = rows.descriptor.name
        self._callbacks: list[Observe] = []
        self._last: list[Row] = []

    def add_callbacks(self, callbacks: Sequence[CallbackT] | None) -> None:
        """Take further callbacks, of a repeated registration as well."""
        self._callbacks += [_as_function(callback) for callback in callbacks or ()]

    def observe(self, options: CallbackOptions) -> None:
        """Run the callbacks. One that raises costs its own values and one log line."""
        observed: list[Row] = []
        for callback in self._callbacks:
            try:
                for observation in callback(options):
                    observed.append(self._record(observation))
            except Exception as error:
                self.series_cache.report_error(error)
        self._expire(observed)

    def _record(self, observation: Observation) -> Row:
        row = self.series_cache.get(observation.attributes)
        kind, value = self.series_cache.descriptor.kind, float(observation.value)
        if kind is Kind.GAUGE or (math.isfinite(value) and (value >= 0 or kind is not Kind.COUNTER)):
            row[0] = value
            if len(row) > 1:
                row[1] = time.time()
        else:
            self.series_cache.reject_value(observation.value)
        return row

    def _expire(self, observed: list[Row]) -> None:
        """A gauge that is not observed any more has no value; sums keep their last one."""
        if self.series_cache.descriptor.kind is Kind.GAUGE:
            current = {id(row) for row in observed}
            for row in self._last:
                if id(row) not in current:
                    row[1] = 0.0
        self._last = observed


class ObservableCounter(Observable, metrics.ObservableCounter):
    """A callback gives a sum that only grows."""


class ObservableUpDownCounter(Observable, metrics.ObservableUpDownCounter):
    """A callback gives a sum that may fall."""


class ObservableGauge(Observable, metrics.ObservableGauge):
    """A callback gives a value of now."""


def _as_function(callback: CallbackT) -> Observe:
    """A generator is a callback too: it is sent the options and yields observations (OpenTelemetry API)."""
    if not isinstance(callback, Generator):
        return callback
    next(callback)
    return callback.send
