"""Which cells of a series are added up, and which only grow."""

from __future__ import annotations

from typing import NamedTuple

from dualmetrics.model.descriptor import Descriptor, Kind


class CellLayout(NamedTuple):
    """The parts of the cells of one series, by what happens to them."""

    values: slice
    """All cells but the time at which a value was set."""
    summed: slice
    """Those that are added up over workers."""
    monotonic: slice
    """Those that never fall, unless the library that counts starts again."""


_ALL, _NONE = slice(None), slice(0)

LAYOUTS = {
    Kind.COUNTER: CellLayout(values=_ALL, summed=_ALL, monotonic=_ALL),
    Kind.UP_DOWN_COUNTER: CellLayout(values=_ALL, summed=_ALL, monotonic=_NONE),
    Kind.GAUGE: CellLayout(values=slice(1), summed=_NONE, monotonic=_NONE),
    # The sum of a histogram or summary falls when a negative value is observed.
    Kind.HISTOGRAM: CellLayout(values=_ALL, summed=_ALL, monotonic=slice(-1)),
    Kind.SUMMARY: CellLayout(values=slice(-1), summed=slice(2), monotonic=slice(1)),
}
"""The layout of each kind of metric (see `Kind` for its cells)."""


def is_additive(descriptor: Descriptor) -> bool:
    """Whether the values of workers are added up. Others are overwritten, and carry the time of that."""
    return descriptor.kind is not Kind.GAUGE and not descriptor.once_per_group
