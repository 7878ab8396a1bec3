"""OpenTelemetry's MeterProvider and Meter, by the API specification, on a `Store`."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar, cast

from opentelemetry import metrics
from opentelemetry.metrics import CallbackT
from opentelemetry.util.types import Attributes as AttributesArgument

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.instruments.attributes import clean_text, normalize_attributes
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.instruments.observable import ObservableCounter, ObservableGauge, ObservableUpDownCounter
from dualmetrics.instruments.series_cache import RowT, SeriesCache
from dualmetrics.instruments.synchronous import (
    Counter,
    Gauge,
    Histogram,
    HistogramWithExponentialBuckets,
    UpDownCounter,
)
from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor, Kind, Scope, compatibility_key
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage.regions import Row

DEFAULT_BOUNDS = tuple(
    float(bound) for bound in (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
)
"""Bucket boundaries where nobody says others (metrics SDK spec, *explicit bucket histogram aggregation*)."""

HOST_SCOPE = "opentelemetry.instrumentation.system_metrics"

OF_PROCESS = frozenset({"system.thread_count"})
"""What that instrumentation tells of each process, whatever the name says."""

_NAME = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")
_UNIT = re.compile(r"[\x00-\x7f]{0,63}")

_Instrument = TypeVar("_Instrument", bound=metrics.Instrument)
_Observable = TypeVar("_Observable", ObservableCounter, ObservableGauge, ObservableUpDownCounter)


class MeterProvider(metrics.MeterProvider):
    """Gives meters whose instruments record into ``store``.

    ``buckets`` are a histogram's boundaries by instrument name, before what the app advises.
    ``once_per_group`` makes every observable one whose values hold for the whole group.
    """

    def __init__(
        self,
        store: GroupStore,
        observers: CallbackRunner,
        errors: ErrorReporter,
        exemplars: ExemplarFilter,
        buckets: Mapping[str, tuple[float, ...]],
        once_per_group: bool = False,
    ) -> None:
        self.store = store
        self.observers = observers
        self.errors = errors
        self.exemplars = exemplars
        self.buckets = buckets
        self.once_per_group = once_per_group
        self._meters: dict[object, metrics.Meter] = {}

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: AttributesArgument = None,
    ) -> metrics.Meter:
        """The meter of an instrumentation scope; the same one for the same arguments."""
        if name == "fastapi":
            # FastAPI records its own HTTP metrics as soon as there is a provider: each request would be
            # recorded twice, and under a raw name where we have the route.
            hint = (
                'dualmetrics: FastAPI(telemetry={"metrics": False}) saves what its own metrics cost in vain'
            )
            self.errors.log_once("fastapi", hint, level=logging.INFO)
            return metrics.NoOpMeter(name, version, schema_url)
        pairs = normalize_attributes(attributes, self.errors)
        scope = Scope(name or "", version or "", schema_url or "", pairs)
        key = (scope.name, scope.version, scope.schema_url, attributes_key(pairs))
        return self._meters.setdefault(key, Meter(self, scope))


class Meter(metrics.Meter):
    """Makes the instruments of one scope.

    A name that is registered again with the same kind, unit and boundaries gives the same instrument. With
    others it gives a second, working one, and a warning, as the API's specification asks.
    """

    def __init__(self, provider: MeterProvider, scope: Scope) -> None:
        super().__init__(scope.name, scope.version, scope.schema_url)
        self._provider = provider
        self._scope = scope
        self._instruments: dict[tuple[str, tuple[object, ...]], metrics.Instrument] = {}
        self._shapes: dict[str, tuple[object, ...]] = {}

    def create_counter(self, name: str, unit: str = "", description: str = "") -> metrics.Counter:
        """A sum that only grows. Raises ValueError for a name or unit that the specification excludes."""
        return self._register(self._descriptor(Kind.COUNTER, name, unit, description), Counter)

    def create_up_down_counter(
        self, name: str, unit: str = "", description: str = ""
    ) -> metrics.UpDownCounter:
        """A sum that may fall. Raises ValueError as `create_counter`."""
        return self._register(self._descriptor(Kind.UP_DOWN_COUNTER, name, unit, description), UpDownCounter)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """A value that is set. Raises ValueError as `create_counter`."""
        return self._register(self._descriptor(Kind.GAUGE, name, unit, description), Gauge)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> metrics.Histogram:
        """A distribution. DUALMETRICS_BUCKETS comes before the advice, the advice before the default.

        Raises ValueError as `create_counter`, and for boundaries that do not ascend.
        """
        advised = (
            DEFAULT_BOUNDS
            if explicit_bucket_boundaries_advisory is None
            else explicit_bucket_boundaries_advisory
        )
        bounds = self._provider.buckets.get(name.lower()) or _boundaries(name, advised)
        descriptor = self._descriptor(Kind.HISTOGRAM, name, unit, description, bounds=bounds)
        store = self._provider.store
        if store.exponential:
            return self._register_asking(store.histogram_row, descriptor, HistogramWithExponentialBuckets)
        return self._register(descriptor, Histogram)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableCounter:
        """A callback gives a sum that only grows. Raises ValueError as `create_counter`."""
        descriptor = self._descriptor(Kind.COUNTER, name, unit, description, observable=True)
        return self._observable(descriptor, ObservableCounter, callbacks)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableUpDownCounter:
        """A callback gives a sum that may fall. Raises ValueError as `create_counter`."""
        descriptor = self._descriptor(Kind.UP_DOWN_COUNTER, name, unit, description, observable=True)
        return self._observable(descriptor, ObservableUpDownCounter, callbacks)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableGauge:
        """A callback gives a value of now. Raises ValueError as `create_counter`."""
        descriptor = self._descriptor(Kind.GAUGE, name, unit, description, observable=True)
        return self._observable(descriptor, ObservableGauge, callbacks)

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
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ValueError(
                f"instrument name {name!r}: it must begin with a letter, go on with letters, digits and "
                "_ . - /, and have at most 255 characters"
            )
        if not isinstance(unit, str) or _UNIT.fullmatch(unit) is None:
            raise ValueError(f"unit {unit!r} of {name}: at most 63 ASCII characters are allowed")
        once = observable and (self._provider.once_per_group or self._is_of_host(name))
        said = clean_text(str(description or ""))
        return Descriptor(self._scope, name.lower(), kind, unit, said, bounds, observable, once)

    def _is_of_host(self, name: str) -> bool:
        """Whether any worker that observes it sees the same: OpenTelemetry's values of the whole host."""
        return self._scope.name == HOST_SCOPE and name.startswith("system.") and name not in OF_PROCESS

    def _observable(
        self,
        descriptor: Descriptor,
        make: Callable[[SeriesCache[Row]], _Observable],
        callbacks: Sequence[CallbackT] | None,
    ) -> _Observable:
        instrument = self._register(descriptor, make)
        instrument.add_callbacks(callbacks)
        self._provider.observers.add(instrument)
        return instrument

    def _register(
        self, descriptor: Descriptor, make: Callable[[SeriesCache[Row]], _Instrument]
    ) -> _Instrument:
        return self._register_asking(self._provider.store.row, descriptor, make)

    def _register_asking(
        self,
        ask: Callable[[Descriptor, Attributes], RowT],
        descriptor: Descriptor,
        make: Callable[[SeriesCache[RowT]], _Instrument],
    ) -> _Instrument:
        key = (descriptor.name, compatibility_key(descriptor))
        known = self._instruments.get(key)
        if known is None:
            self._warn_of_conflict(descriptor)
            made = make(self._rows(descriptor, ask))
            known = self._instruments.setdefault(key, made)  # no lock, which a fork could find taken
        return cast("_Instrument", known)

    def _rows(
        self, descriptor: Descriptor, ask: Callable[[Descriptor, Attributes], RowT]
    ) -> SeriesCache[RowT]:
        provider = self._provider
        return SeriesCache(descriptor, provider.store, provider.errors, provider.exemplars, ask)

    def _warn_of_conflict(self, descriptor: Descriptor) -> None:
        name = descriptor.name
        if self._shapes.setdefault(name, compatibility_key(descriptor)) != compatibility_key(descriptor):
            message = (
                "dualmetrics: instrument %s of %s is registered again with another kind, unit or boundaries"
            )
            self._provider.errors.log_once(f"conflict {name}", message, name, self._scope.name)


def _boundaries(name: str, given: Sequence[float]) -> tuple[float, ...]:
    bounds = tuple(float(bound) for bound in given)
    if not all(map(math.isfinite, bounds)) or any(a >= b for a, b in pairwise(bounds)):
        raise ValueError(f"boundaries of {name}: {list(given)!r} are not finite, ascending numbers")
    return bounds
