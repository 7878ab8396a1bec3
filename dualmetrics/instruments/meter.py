"""OpenTelemetry's MeterProvider and Meter. Their instruments record into a `GroupStore`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from opentelemetry import metrics
from opentelemetry.metrics import CallbackT
from opentelemetry.util.types import Attributes as AttributesArgument

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.instruments.attributes import clean_text, normalize_attributes
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.default_bounds import default_bounds
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.instruments.host_metrics import is_host_metric
from dualmetrics.instruments.observable import ObservableCounter, ObservableGauge, ObservableUpDownCounter
from dualmetrics.instruments.registrations import Registrations
from dualmetrics.instruments.series_cache import Allocate, RowT, SeriesCache
from dualmetrics.instruments.synchronous import (
    Counter,
    Gauge,
    Histogram,
    HistogramWithExponentialBuckets,
    UpDownCounter,
)
from dualmetrics.instruments.validation import check_bounds, check_name, check_unit
from dualmetrics.model.attributes import attributes_key
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind, compatibility_key
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage.regions import Row

UNRECORDED_SCOPES = {
    "fastapi": (
        "dualmetrics: FastAPI's own metrics are not recorded, because ours have the same requests. To save "
        'their cost, pass telemetry={"metrics": False} to FastAPI'
    )
}
"""Instrumentation scopes whose metrics are not recorded, each with the hint that is logged for it.

FastAPI records HTTP metrics of its own as soon as there is a meter provider. With these, each request would
be recorded twice, and under its raw path where we have the route. The table is here and not in the
integration, because FastAPI asks for its meter before any middleware runs, and because an app may use the
plain middleware without the integration.
"""

REPLACED_SCOPES: set[str] = set()
"""The scopes for which `leave_unrecorded` was called."""

_REPLACED = (
    "dualmetrics: the metrics of the instrumentation of a framework are not recorded, because ours have the "
    "same requests; nothing need be done"
)


def leave_unrecorded(scope: str) -> None:
    """Record no metrics of an instrumentation scope: its requests are recorded by dualmetrics.

    For OpenTelemetry's instrumentation of a framework. Meters that exist already go on.
    """
    REPLACED_SCOPES.add(scope)


_Instrument = TypeVar("_Instrument", bound=metrics.Instrument)
_Observable = TypeVar("_Observable", ObservableCounter, ObservableGauge, ObservableUpDownCounter)


class MeterProvider(metrics.MeterProvider):
    """Provides meters whose instruments record into ``store``.

    ``buckets`` has the bucket boundaries of histograms by instrument name. They take precedence over what the
    app advises.
    """

    def __init__(
        self,
        store: GroupStore,
        callbacks: CallbackRunner,
        errors: ErrorReporter,
        exemplars: ExemplarFilter,
        buckets: Mapping[str, tuple[float, ...]],
    ) -> None:
        self.store = store
        self.callbacks = callbacks
        self.errors = errors
        self.exemplars = exemplars
        self.buckets = buckets
        self._meters: dict[object, metrics.Meter] = {}
        self.descriptors: set[Descriptor] = set()
        """What the app has created instruments for, recorded or not."""

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: AttributesArgument = None,
    ) -> metrics.Meter:
        """Return the meter of an instrumentation scope. The same arguments return the same meter."""
        if name in UNRECORDED_SCOPES:
            self.errors.log_once(name, UNRECORDED_SCOPES[name], level=logging.INFO)
            return metrics.NoOpMeter(name, version, schema_url)
        if name in REPLACED_SCOPES:
            self.errors.log_once("replaced scopes", _REPLACED, level=logging.INFO)
            return metrics.NoOpMeter(name, version, schema_url)
        normalized = normalize_attributes(attributes, self.errors)
        scope = InstrumentationScope(name or "", version or "", schema_url or "", normalized)
        key = (scope.name, scope.version, scope.schema_url, attributes_key(normalized))
        return self._meters.setdefault(key, Meter(self, scope))

    def get_group_meter(self, name: str) -> metrics.Meter:
        """Return the meter of a scope whose observable instruments have one value for the whole group."""
        scope = InstrumentationScope(name)
        return self._meters.setdefault((name, "group"), Meter(self, scope, once_per_group=True))


class Meter(metrics.Meter):
    """Creates the instruments of one scope.

    The same name, kind, unit and boundaries return the same instrument. If a name is registered again with
    another kind, unit or boundaries, the meter logs a warning and returns a second instrument that also
    works, as the API specification asks.
    """

    def __init__(
        self, provider: MeterProvider, scope: InstrumentationScope, *, once_per_group: bool = False
    ) -> None:
        super().__init__(scope.name, scope.version, scope.schema_url)
        self._provider = provider
        self._scope = scope
        self._once_per_group = once_per_group
        self._instruments: dict[tuple[str, tuple[object, ...]], metrics.Instrument] = {}
        self._registrations = Registrations(scope.name, provider.errors)

    def create_counter(self, name: str, unit: str = "", description: str = "") -> metrics.Counter:
        """Create a sum that only grows. Raises ValueError for a name or unit that is not allowed."""
        return self._register(self._descriptor(Kind.COUNTER, name, unit, description), Counter)

    def create_up_down_counter(
        self, name: str, unit: str = "", description: str = ""
    ) -> metrics.UpDownCounter:
        """Create a sum that may fall. Raises ValueError as `create_counter` does."""
        return self._register(self._descriptor(Kind.UP_DOWN_COUNTER, name, unit, description), UpDownCounter)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """Create a value that is set. Raises ValueError as `create_counter` does."""
        return self._register(self._descriptor(Kind.GAUGE, name, unit, description), Gauge)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> metrics.Histogram:
        """Create a distribution.

        Its boundaries come from DUALMETRICS_BUCKETS, else from the advisory parameter, else from its unit
        (`default_bounds`). Raises ValueError as `create_counter` does, and for boundaries that do not ascend.
        """
        advised = explicit_bucket_boundaries_advisory
        check_name(name)
        check_unit(unit or "", name)
        bounds = self._provider.buckets.get(name.lower()) or (
            default_bounds(unit or "") if advised is None else check_bounds(advised, name)
        )
        descriptor = self._descriptor(Kind.HISTOGRAM, name, unit, description, bounds=bounds)
        store = self._provider.store
        if store.exponential:
            return self._register_with(store.histogram_row, descriptor, HistogramWithExponentialBuckets)
        return self._register(descriptor, Histogram)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableCounter:
        """Observe a sum that only grows. Raises ValueError as `create_counter` does."""
        descriptor = self._descriptor(Kind.COUNTER, name, unit, description, observable=True)
        return self._register_observable(descriptor, ObservableCounter, callbacks)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableUpDownCounter:
        """Observe a sum that may fall. Raises ValueError as `create_counter` does."""
        descriptor = self._descriptor(Kind.UP_DOWN_COUNTER, name, unit, description, observable=True)
        return self._register_observable(descriptor, ObservableUpDownCounter, callbacks)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableGauge:
        """Observe a current value. Raises ValueError as `create_counter` does."""
        descriptor = self._descriptor(Kind.GAUGE, name, unit, description, observable=True)
        return self._register_observable(descriptor, ObservableGauge, callbacks)

    def _descriptor(
        self,
        kind: Kind,
        name: str,
        unit: str,
        description: str,
        bounds: tuple[float, ...] = (),
        observable: bool = False,
    ) -> Descriptor:
        unit = unit or ""
        check_name(name)
        check_unit(unit, name)
        group_wide = self._once_per_group or is_host_metric(self._scope.name, name)
        text = clean_text(str(description or ""))
        descriptor = Descriptor(
            self._scope, name.lower(), kind, unit, text, bounds, observable, observable and group_wide
        )
        self._registrations.add(name, descriptor)
        return descriptor

    def _register_observable(
        self,
        descriptor: Descriptor,
        instrument_type: Callable[[SeriesCache[Row]], _Observable],
        callbacks: Sequence[CallbackT] | None,
    ) -> _Observable:
        instrument = self._register(descriptor, instrument_type)
        instrument.add_callbacks(callbacks)
        self._provider.callbacks.add(instrument)
        return instrument

    def _register(
        self, descriptor: Descriptor, instrument_type: Callable[[SeriesCache[Row]], _Instrument]
    ) -> _Instrument:
        return self._register_with(self._provider.store.row, descriptor, instrument_type)

    def _register_with(
        self,
        allocate: Allocate[RowT],
        descriptor: Descriptor,
        instrument_type: Callable[[SeriesCache[RowT]], _Instrument],
    ) -> _Instrument:
        key = (descriptor.name, compatibility_key(descriptor))
        instrument = self._instruments.get(key)
        if instrument is None:
            self._provider.descriptors.add(descriptor)
            new_instrument = instrument_type(self._series_cache(descriptor, allocate))
            # setdefault is atomic. A lock instead could be held by another thread at a fork.
            instrument = self._instruments.setdefault(key, new_instrument)
        return cast("_Instrument", instrument)

    def _series_cache(self, descriptor: Descriptor, allocate: Allocate[RowT]) -> SeriesCache[RowT]:
        provider = self._provider
        return SeriesCache(descriptor, provider.store, provider.errors, provider.exemplars, allocate)
