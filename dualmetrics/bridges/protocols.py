"""What another metrics library has to offer to be imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from dualmetrics.model.snapshot import Family

GAUGE_MERGE_DEFAULTS = {
    "process_virtual_memory_bytes": "sum",
    "process_resident_memory_bytes": "sum",
    "process_open_fds": "sum",
    "process_max_fds": "min",
    "process_start_time_seconds": "min",
}
"""How the gauges of prometheus_client's ProcessCollector are merged over workers by default."""


class MetricCollector(Protocol):
    """A part of another library's metrics that is read as a whole."""

    name: str
    """For the log."""
    cheap: bool
    """A read has no side effects and takes little time. So it is read up to four times a second."""
    keeps_sums: bool
    """It has sums in memory, which a forked child inherits. So it is also read before a fork and at exit."""
    per_worker: bool
    """It describes the process: each worker's values are also shown separately, with the label ``worker``."""
    once_per_group: bool
    """Its values are the same in each worker: they are overwritten, not added up."""
    forgets_removed: bool
    """A sum that it no longer shows is gone: if it is shown again, it starts at zero."""

    def read(self) -> Iterable[Family]:
        """The metrics as they are now. May raise anything, and may hang."""
        ...


class MetricSource(Protocol):
    """A library that keeps metrics."""

    name: str

    def collectors(self) -> Iterable[MetricCollector]:
        """The collectors that it has now, each time as the same objects. Does not raise."""
        ...

    def resource(self) -> Mapping[str, str]:
        """Its resource attributes."""
        ...
