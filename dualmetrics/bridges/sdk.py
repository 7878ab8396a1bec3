"""The metrics of an OpenTelemetry SDK provider, read by a `MetricReader` after its Views.

What histograms have measured is asked for as deltas, and added up here. Where the SDK adds up exponential
buckets itself, a read that finds nothing but new zeros makes them coarse for good, and we read often.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, Metric
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from dualmetrics.bridges.delta_accumulator import DeltaAccumulator
from dualmetrics.bridges.pending import register_source
from dualmetrics.bridges.sdk_points import Measured, exemplars, measured
from dualmetrics.instruments.attributes import normalize_attributes
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.snapshot import Family, Point
from dualmetrics.runtime.errors import ErrorReporter


class Bridged(Protocol):
    """A `dualmetrics.Telemetry`."""

    def bridge(self, source: Any) -> None: ...


class MetricReader(InMemoryMetricReader):
    """Joins a provider's metrics to ``telemetry``, by default to what `dualmetrics.configure` makes.

    ``MeterProvider(metric_readers=[MetricReader()])``, or ``provider.add_metric_reader(MetricReader())``.
    Make it before `configure` is called, which then leaves the global meter provider to the SDK.
    """

    name = "sdk"
    cheap = True
    keeps_sums = True
    per_worker = False
    once_per_group = False
    forgets_removed = False

    def __init__(self, telemetry: Bridged | None = None) -> None:
        super().__init__(preferred_temporality={Histogram: AggregationTemporality.DELTA})
        self._turn = threading.RLock()
        self._totals = DeltaAccumulator()
        self._errors = ErrorReporter()
        self._ended: list[Family] = []
        self._over = threading.Event()
        if telemetry is None:
            register_source(self)
        else:
            telemetry.bridge(self)

    def collectors(self) -> Iterable[MetricReader]:
        """See `dualmetrics.bridges.protocols.Source`."""
        return (self,)

    def resource(self) -> Mapping[str, str]:
        """Nothing: dualmetrics has a resource of its own."""
        return {}

    def read(self) -> list[Family]:
        """See `protocols.Collector`. After the provider's shutdown, what it showed last."""
        with self._turn:
            if self._over.is_set():
                return self._ended
            data = self.get_metrics_data()
            read = [
                family
                for resource in (data.resource_metrics if data else ())
                for scoped in resource.scope_metrics
                for metric in scoped.metrics
                for family in self._families(_scope(scoped.scope), metric)
            ]
            return [*read, *self._totals.families()]

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Do nothing: what would be collected here would be lost."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Read a last time: a provider that is shut down shows nothing."""
        with self._turn:
            if not self._over.is_set():
                self._ended = self.read()
                self._over.set()
        super().shutdown(timeout_millis, **kwargs)

    def _families(self, scope: Scope, metric: Metric) -> Iterator[Family]:
        """Those of the metric, unless they are deltas."""
        found: dict[tuple[Kind, tuple[float, ...], bool], list[Point]] = {}
        for each in metric.data.data_points:
            read = measured(metric, each)
            if read is None:
                message = "dualmetrics: %s of the SDK is left out: exponential buckets of negative values"
                self._errors.log_once(metric.name, message, metric.name)
                return
            key = read.kind, read.bounds, read.exponential is not None
            found.setdefault(key, []).append(self._point(each, read))
        for key, points in found.items():
            family = Family(_descriptor(scope, metric, *key), tuple(points))
            if getattr(metric.data, "aggregation_temporality", None) is AggregationTemporality.DELTA:
                self._totals.add(family)
            else:
                yield family

    def _point(self, point: Any, read: Measured) -> Point:
        return Point(
            normalize_attributes(point.attributes, self._errors),
            point.start_time_unix_nano or 0,
            read.cells,
            exemplars(point.exemplars or (), read, self._errors),
            read.exponential,
        )


def _descriptor(
    scope: Scope, metric: Metric, kind: Kind, bounds: tuple[float, ...], exponential: bool
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


def _scope(scope: InstrumentationScope) -> Scope:
    attributes = normalize_attributes(scope.attributes, ErrorReporter())
    return Scope(scope.name or "", scope.version or "", scope.schema_url or "", attributes)
