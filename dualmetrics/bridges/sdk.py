"""The metrics of an OpenTelemetry SDK provider, read by a `MetricReader` after its Views."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from dualmetrics.attributes import canonical
from dualmetrics.joining import join
from dualmetrics.snapshot import Descriptor, Exemplar, Exemplars, Family, Kind, Point, Scope
from dualmetrics.trouble import Trouble


class Bridged(Protocol):
    """A `dualmetrics.Telemetry`."""

    def bridge(self, source: Any) -> None: ...


class MetricReader(InMemoryMetricReader):
    """Joins a provider's metrics to ``telemetry``, by default to what `dualmetrics.configure` makes.

    ``MeterProvider(metric_readers=[MetricReader()])``, or ``provider.add_metric_reader(MetricReader())``.
    Make it before `configure` is called, which then leaves the global meter provider to the SDK.
    """

    name = "sdk"
    quick = True
    counts = True
    each = False
    once_per_group = False

    def __init__(self, telemetry: Bridged | None = None) -> None:
        super().__init__()
        self._trouble = Trouble()
        self._ended: list[Family] = []
        self._over = threading.Event()
        if telemetry is None:
            join(self)
        else:
            telemetry.bridge(self)

    def collectors(self) -> Iterable[MetricReader]:
        """See `dualmetrics.sources.Source`."""
        return (self,)

    def resource(self) -> Mapping[str, str]:
        """Nothing: dualmetrics has a resource of its own."""
        return {}

    def read(self) -> list[Family]:
        """See `dualmetrics.sources.Collector`. After the provider's shutdown, what it showed last."""
        if self._over.is_set():
            return self._ended
        data = self.get_metrics_data()
        return [
            family
            for resource in (data.resource_metrics if data else ())
            for scoped in resource.scope_metrics
            for metric in scoped.metrics
            for family in self._families(_scope(scoped.scope), metric)
        ]

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Read a last time: a provider that is shut down shows nothing."""
        if not self._over.is_set():
            self._ended = self.read()
            self._over.set()
        super().shutdown(timeout_millis, **kwargs)

    def _families(self, scope: Scope, metric: Metric) -> Iterator[Family]:
        found: dict[Descriptor, list[Point]] = {}
        for point in metric.data.data_points:
            read = _read(metric, point)
            if read is None:
                message = "dualmetrics: %s of the SDK is left out: exponential histograms are not bridged yet"
                self._trouble.once(metric.name, message, metric.name)
                return
            kind, bounds, cells = read
            unit, description, read_only = metric.unit or "", metric.description or "", kind is Kind.HISTOGRAM
            descriptor = Descriptor(scope, metric.name, kind, unit, description, bounds, observable=read_only)
            attributes = canonical(point.attributes, self._trouble)
            start = point.start_time_unix_nano or 0
            exemplars = self._exemplars(kind, bounds, point.exemplars or ())
            found.setdefault(descriptor, []).append(Point(attributes, start, cells, exemplars))
        for descriptor, points in found.items():
            yield Family(descriptor, tuple(points))

    def _exemplars(self, kind: Kind, bounds: Sequence[float], found: Sequence[SdkExemplar]) -> Exemplars:
        """The latest of each bucket; a counter is one bucket, and other kinds have none."""
        if not found or kind not in (Kind.COUNTER, Kind.HISTOGRAM):
            return ()
        buckets: list[Exemplar | None] = [None] * (len(bounds) + 1)
        for each in sorted(found, key=lambda exemplar: exemplar.time_unix_nano):
            attributes = canonical(each.filtered_attributes, self._trouble)
            ids = each.trace_id or 0, each.span_id or 0
            at = bisect_left(bounds, each.value)
            buckets[at] = Exemplar(float(each.value), each.time_unix_nano, *ids, attributes)
        return tuple(buckets)


def _read(metric: Metric, point: Any) -> tuple[Kind, tuple[float, ...], tuple[float, ...]] | None:
    """Kind, bounds and cells of a point; None if it is of no kind that is known."""
    if isinstance(metric.data, Sum) and isinstance(point, NumberDataPoint):
        return Kind.COUNTER if metric.data.is_monotonic else Kind.UP_DOWN_COUNTER, (), (float(point.value),)
    if isinstance(metric.data, Gauge):
        return Kind.GAUGE, (), (float(point.value), 1.0)
    if isinstance(metric.data, Histogram) and isinstance(point, HistogramDataPoint):
        bounds = tuple(float(bound) for bound in point.explicit_bounds)
        return Kind.HISTOGRAM, bounds, (*map(float, point.bucket_counts), float(point.sum))
    return None


def _scope(scope: InstrumentationScope) -> Scope:
    attributes = canonical(scope.attributes, Trouble())
    return Scope(scope.name or "", scope.version or "", scope.schema_url or "", attributes)
