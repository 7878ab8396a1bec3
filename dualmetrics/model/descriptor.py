"""Descriptors: what a metric is, and which instrumentation scope made it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from dualmetrics.model.attributes import Attributes, attributes_key


class Kind(enum.Enum):
    """What a metric is, and with it the meaning of its cells.

    ========================  =====================================================================
    ``COUNTER``               one cell: the running total
    ``UP_DOWN_COUNTER``       one cell: the running total, which may fall
    ``GAUGE``                 two cells: the value, and when it was set (seconds since the epoch)
    ``HISTOGRAM``             one cell per bucket (one more than there are bounds), then the sum. The
                              count is the sum of the buckets, so the two cannot disagree. A sum of
                              NaN means that there is no sum
    ``SUMMARY``               the count, the sum, one cell per quantile (the bounds), and when the
                              quantiles were seen (seconds since the epoch)
    ========================  =====================================================================
    """

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up_down_counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class InstrumentationScope:
    """The instrumentation scope that made an instrument, as OpenTelemetry defines it."""

    name: str
    version: str = ""
    schema_url: str = ""
    attributes: Attributes = ()


OWN_SCOPE = InstrumentationScope("dualmetrics")
"""The scope of the metrics that this library records: those of HTTP requests, and those about itself."""

PROMETHEUS_SCOPE = InstrumentationScope("prometheus_client")
"""The scope of metrics from a Prometheus registry. Such a registry has no scopes of its own."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What one metric is: its scope, its kind, its unit, and its name as OTLP sends it (lower case, dotted).

    ``bounds`` are the bucket boundaries of a histogram: ascending, upper-inclusive, without infinity.
    The bounds of a summary are its quantiles.
    ``observable`` means that callbacks provide the values.
    ``once_per_group`` means that the values are the same for every worker, such as the memory of the host
    or the length of a queue. They are overwritten and never added.
    ``prometheus_type`` is set for a metric from a Prometheus client library, for example ``stateset``. The
    name and the labels of such a metric are already those of Prometheus.
    ``exponential`` marks a histogram of another library that has only exponential buckets, so no bounds.
    ``gauge_merge`` is how the app has declared a gauge of another library to be merged over workers: a value
    of DUALMETRICS_GAUGE_MERGE, or empty.
    """

    scope: InstrumentationScope
    name: str
    kind: Kind
    unit: str = ""
    description: str = ""
    bounds: tuple[float, ...] = ()
    observable: bool = False
    once_per_group: bool = False
    prometheus_type: str = ""
    exponential: bool = False
    gauge_merge: str = ""

    @property
    def is_recorded_histogram(self) -> bool:
        """Whether this library records the histogram. One of another library is ``observable``."""
        return self.kind is Kind.HISTOGRAM and not self.observable

    @property
    def width(self) -> int:
        """The number of cells that a point of this metric has in a snapshot."""
        if self.kind is Kind.HISTOGRAM:
            return len(self.bounds) + 2
        if self.kind is Kind.SUMMARY:
            return len(self.bounds) + 3
        return 2 if self.kind is Kind.GAUGE else 1


def stored_width(descriptor: Descriptor) -> int:
    """Return the number of cells in a worker's row. A value observed once per group has a time as well."""
    has_time_cell = descriptor.once_per_group and descriptor.kind is not Kind.GAUGE
    return descriptor.width + has_time_cell


def compatibility_key(descriptor: Descriptor) -> tuple[object, ...]:
    """Return what must be equal before rows of one metric can be added. Descriptions may differ."""
    return (
        descriptor.kind,
        descriptor.unit,
        descriptor.bounds,
        descriptor.observable,
        descriptor.once_per_group,
        descriptor.prometheus_type,
        descriptor.exponential,
        descriptor.gauge_merge,
    )


def metric_key(descriptor: Descriptor) -> tuple[object, ...]:
    """Return the identity of a metric: two descriptors with the same key describe the same metric."""
    scope = descriptor.scope
    return scope.name, scope.version, scope.schema_url, attributes_key(scope.attributes), descriptor.name
