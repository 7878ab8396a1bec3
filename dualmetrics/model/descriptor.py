"""What a metric is: its kind, its unit, and the scope that made it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from dualmetrics.model.attributes import Attributes, attributes_key


class Kind(enum.Enum):
    """What a metric is, and with it the meaning of its cells.

    ========================  =====================================================================
    ``COUNTER``               one cell, the running total
    ``UP_DOWN_COUNTER``       one cell, the running total, which may fall
    ``GAUGE``                 two cells, the value and when it was set (seconds since the epoch)
    ``HISTOGRAM``             a cell per bucket (one more than there are bounds), then the sum; the
                              count is the buckets' sum, so that the two cannot disagree; a sum
                              of NaN is none
    ``SUMMARY``               the count, the sum, a cell per quantile (the bounds), and when these were
                              seen (seconds since the epoch)
    ========================  =====================================================================
    """

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up_down_counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation scope that made an instrument (OpenTelemetry's *instrumentation scope*)."""

    name: str
    version: str = ""
    schema_url: str = ""
    attributes: Attributes = ()


PROMETHEUS_SCOPE = Scope("prometheus_client")
"""The scope of metrics from a Prometheus registry, which knows no scopes."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One metric: who made it, its name as OTLP sends it (lower case, dotted), kind and unit.

    ``bounds`` are a histogram's bucket boundaries, ascending, upper-inclusive, without infinity.
    ``observable`` says that callbacks give the values. ``once_per_group`` says that the values are the
    same for every worker (a host's memory, a queue's length): overwritten, never added.
    ``form`` is the Prometheus type of a metric that a Prometheus client library has made, such as
    ``stateset``: its name and labels are Prometheus' already. A summary's ``bounds`` are its quantiles.
    ``exponential``: a histogram of another library that has exponential buckets alone, and so no bounds.
    """

    scope: Scope
    name: str
    kind: Kind
    unit: str = ""
    description: str = ""
    bounds: tuple[float, ...] = ()
    observable: bool = False
    once_per_group: bool = False
    prometheus_type: str = ""
    exponential: bool = False

    @property
    def is_recorded_histogram(self) -> bool:
        """Whether it is a histogram of ours: one that is read from another library is ``observable``."""
        return self.kind is Kind.HISTOGRAM and not self.observable

    @property
    def width(self) -> int:
        """How many cells a point of this metric has in a snapshot."""
        if self.kind is Kind.HISTOGRAM:
            return len(self.bounds) + 2
        if self.kind is Kind.SUMMARY:
            return len(self.bounds) + 3
        return 2 if self.kind is Kind.GAUGE else 1


def stored_width(descriptor: Descriptor) -> int:
    """How many cells a worker's row has: what is observed once per group also carries a time."""
    timed = descriptor.once_per_group and descriptor.kind is not Kind.GAUGE
    return descriptor.width + timed


def compatibility_key(descriptor: Descriptor) -> tuple[object, ...]:
    """What makes two rows of one metric addable; descriptions may differ."""
    return (
        descriptor.kind,
        descriptor.unit,
        descriptor.bounds,
        descriptor.observable,
        descriptor.once_per_group,
        descriptor.prometheus_type,
        descriptor.exponential,
    )


def metric_key(descriptor: Descriptor) -> tuple[object, ...]:
    """What makes two descriptors the same metric."""
    scope = descriptor.scope
    return scope.name, scope.version, scope.schema_url, attributes_key(scope.attributes), descriptor.name
