"""The metrics of an OpenTelemetry SDK provider, read by a `MetricReader` after the provider's Views.

Histograms are read as deltas and added up here. If the SDK added up exponential buckets itself, a read that
finds only new zeros would lower their scale for good, and we read often.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, Metric
from opentelemetry.sdk.util.instrumentation import InstrumentationScope as SdkScope

from dualmetrics.bridges.delta_accumulator import DeltaAccumulator
from dualmetrics.bridges.pending import register_source
from dualmetrics.bridges.sdk_points import PointValue, to_exemplars, to_value
from dualmetrics.instruments.attributes import normalize_attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock

_NEGATIVE = (
    "dualmetrics: %s of the SDK is left out: it has exponential buckets of negative values. To export it, "
    "give it explicit buckets by a View"
)


class Bridge(Protocol):
    """The part of `dualmetrics.Telemetry` that a reader needs."""

    def bridge(self, source: Any) -> None:
        """Read ``source`` from now on."""
        ...


class MetricReader(InMemoryMetricReader):
    """Adds the metrics of a provider to ``telemetry``, by default to that of `dualmetrics.configure`.

    Use ``MeterProvider(metric_readers=[MetricReader()])`` or ``provider.add_metric_reader(MetricReader())``.
    Create it before `configure` is called, which then leaves the global meter provider to the SDK.

    To the rest of the library it is a source with one collector, itself (see `MetricSource`,
    `MetricCollector`).
    """

    name = "sdk"
    cheap = True
    keeps_sums = True
    per_worker = False
    once_per_group = False
    forgets_removed = False

    def __init__(self, telemetry: Bridge | None = None) -> None:
        super().__init__(preferred_temporality={Histogram: AggregationTemporality.DELTA})
        self._read_lock = ReentrantLock()
        self._totals = DeltaAccumulator()
        self._errors = ErrorReporter()
        self._last_read: list[Family] = []
        self._is_shut_down = threading.Event()
        if telemetry is None:
            register_source(self)
        else:
            telemetry.bridge(self)

    def collectors(self) -> Iterable[MetricReader]:
        """Itself."""
        return (self,)

    def resource(self) -> Mapping[str, str]:
        """Nothing: `Telemetry` has its own resource."""
        return {}

    def read(self) -> list[Family]:
        """The metrics as they are now. After the provider's shutdown, as they were then."""
        with self._read_lock:
            if self._is_shut_down.is_set():
                return self._last_read
            data = self.get_metrics_data()
            cumulative = [
                family
                for resource in (data.resource_metrics if data else ())
                for scoped in resource.scope_metrics
                for metric in scoped.metrics
                for family in self._read_metric(_scope(scoped.scope, self._errors), metric)
            ]
            return [*cumulative, *self._totals.families()]

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Do nothing: what the SDK collected here would be lost."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Read a last time, since a provider that is shut down shows nothing."""
        with self._read_lock:
            if not self._is_shut_down.is_set():
                self._last_read = self.read()
                self._is_shut_down.set()
        super().shutdown(timeout_millis, **kwargs)

    def _read_metric(self, scope: InstrumentationScope, metric: Metric) -> Iterator[Family]:
        """The cumulative families of ``metric``. Deltas are added to the totals instead."""
        points: dict[tuple[Kind, tuple[float, ...], bool], list[Point]] = {}
        for data_point in metric.data.data_points:
            value = to_value(metric, data_point)
            if value is None:
                self._errors.log_once(metric.name, _NEGATIVE, metric.name)
                return
            key = value.kind, value.bounds, value.exponential is not None
            points.setdefault(key, []).append(self._to_point(data_point, value))
        is_delta = getattr(metric.data, "aggregation_temporality", None) is AggregationTemporality.DELTA
        for key, same_shape in points.items():
            family = Family(_descriptor(scope, metric, *key), tuple(same_shape))
            if is_delta:
                self._totals.add(family)
            else:
                yield family

    def _to_point(self, data_point: Any, value: PointValue) -> Point:
        return Point(
            normalize_attributes(data_point.attributes, self._errors),
            data_point.start_time_unix_nano or 0,
            value.cells,
            to_exemplars(data_point.exemplars or (), value, self._errors),
            value.exponential,
        )


def _descriptor(
    scope: InstrumentationScope, metric: Metric, kind: Kind, bounds: tuple[float, ...], exponential: bool
) -> Descriptor:
    return Descriptor(
        scope,
        metric.name,
        kind,
        metric.unit or "",
        metric.description or "",
        bounds,
        observable=kind is Kind.HISTOGRAM,
        exponential=exponential,
    )


def _scope(scope: SdkScope, errors: ErrorReporter) -> InstrumentationScope:
    attributes = normalize_attributes(scope.attributes, errors)
    return InstrumentationScope(scope.name or "", scope.version or "", scope.schema_url or "", attributes)
