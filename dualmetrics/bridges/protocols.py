"""What a library that measures looks like to us."""

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
"""How gauges of processes merge over workers, unless a setting says otherwise."""


class MetricCollector(Protocol):
    """Something that is read as a whole.

    ``quick``: to read it costs nothing but time, and no more than its size asks. ``counts``: it keeps sums
    in memory, which a forked child inherits, and reading it runs nobody else's code. ``each``: what it shows
    is of the process, and worth seeing of each worker. ``once_per_group``: what it shows holds for all.
    ``ends``: a sum that it shows no more is gone, and begins at zero if it ever comes again.
    """

    name: str
    cheap: bool
    keeps_sums: bool
    per_worker: bool
    once_per_group: bool
    forgets_removed: bool

    def read(self) -> Iterable[Family]:
        """What it shows now. May raise anything, and may hang."""
        ...


class MetricSource(Protocol):
    """A library that measures."""

    name: str

    def collectors(self) -> Iterable[MetricCollector]:
        """The collectors that it has now; the same object for the same one. Does not raise."""
        ...

    def resource(self) -> Mapping[str, str]:
        """What it says of the process as a whole."""
        ...
