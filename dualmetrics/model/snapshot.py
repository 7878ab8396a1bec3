"""What the exporters see: frozen values that say what was measured, and nothing of how.

A series is a row of float64 cells (:class:`Point`), a metric is a descriptor with its series
(:class:`Family`), and a :class:`Snapshot` is all of them at one instant. Both exports are made from
the same kind of snapshot; nothing in ``exporters`` knows anything else.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dualmetrics.model.exponential_histogram import ExponentialHistogram

AttributeValue = (
    str | bool | int | float | tuple[str, ...] | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]
)

Attributes = tuple[tuple[str, AttributeValue], ...]
"""Attributes in canonical form: pairs sorted by key, sequences as tuples. Hashable, but note that
``1 == True == 1.0`` in Python: :func:`identity` tells them apart."""


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


class Exemplar(NamedTuple):
    """One measurement: its value, when it was made (nanoseconds since the epoch), and in which span.

    An id is 0 where there was none. ``attributes`` are what another library says of it besides
    (OpenTelemetry's *filtered attributes*).
    """

    value: float
    time_ns: int
    trace_id: int
    span_id: int
    attributes: Attributes = ()


Exemplars = tuple[Exemplar | None, ...]
"""The latest exemplar of each bucket of a histogram, or the one of a counter; empty where there are none."""


class Point(NamedTuple):
    """One series: its attributes, when it began (nanoseconds since the epoch), its cells (see `Kind`).

    ``exponential`` has the same measurements as the cells of a histogram, where such are recorded and wanted.
    """

    attributes: Attributes
    start_time_ns: int
    cells: Sequence[float]
    exemplars: Exemplars = ()
    exponential: ExponentialHistogram | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with all its series."""

    descriptor: Descriptor
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All metrics of a worker group at ``time`` (nanoseconds since the epoch), and its resource."""

    time_ns: int
    resource: Attributes
    families: tuple[Family, ...]


def attributes_key(attributes: Attributes) -> tuple[tuple[str, str, object], ...]:
    """A key under which two attribute sets are equal only if OTLP sends the same for both.

    Tells ``1``, ``1.0`` and ``True`` apart, also inside sequences, and finds NaN equal to itself.
    """
    return tuple((key, type(value).__name__, _plain(value)) for key, value in attributes)


def _plain(value: AttributeValue) -> object:
    if isinstance(value, tuple):
        return tuple((type(item).__name__, _plain(item)) for item in value)
    return repr(value) if isinstance(value, float) else value
