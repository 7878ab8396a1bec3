"""What the exporters see: frozen values that say what was measured, and nothing of how.

A series is a row of float64 cells (:class:`Point`), a metric is a descriptor with its series
(:class:`Family`), and a :class:`Snapshot` is all of them at one instant. Both exports are made from
the same kind of snapshot; nothing in ``exporters`` knows anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.exponential_histogram import ExponentialHistogram


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
