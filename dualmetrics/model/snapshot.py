"""What the exporters see: frozen values that say what was measured, and nothing about how.

A :class:`Point` holds the float64 cells of one series. A :class:`Family` is a metric with all its points.
A :class:`Snapshot` holds all families at one instant. The page and the push are both made from a
snapshot, and ``exporters`` sees nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.exponential_histogram import ExponentialHistogram


class Exemplar(NamedTuple):
    """One measurement: its value, its time (nanoseconds since the epoch), and the span it was made in.

    An id is 0 where there was no span. ``attributes`` are OpenTelemetry's *filtered attributes*. Only
    exemplars of other libraries have them.
    """

    value: float
    time_ns: int
    trace_id: int
    span_id: int
    attributes: Attributes = ()


Exemplars = tuple[Exemplar | None, ...]
"""The latest exemplar of each bucket of a histogram, or of a counter. Empty if there are none."""


class Point(NamedTuple):
    """One series: its attributes, its start time (nanoseconds since the epoch), and its cells (see `Kind`).

    ``exponential`` holds the measurements of a histogram a second time, in exponential buckets. It is None
    if these are not recorded or were not asked for.
    """

    attributes: Attributes
    start_time_ns: int
    cells: Sequence[float]
    exemplars: Exemplars = ()
    exponential: ExponentialHistogram | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with the points of all its series."""

    descriptor: Descriptor
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All metrics of a worker group at ``time_ns`` (nanoseconds since the epoch), and its resource."""

    time_ns: int
    resource: Attributes
    families: tuple[Family, ...]
