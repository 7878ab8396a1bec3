"""Rows for a signal handler or finalizer that interrupts its own thread inside the store.

At that moment the tables of the store are being changed, and this very thread holds the lock. So the handler
gets cells of its own. What it records is added to its series as soon as the store is consistent again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind, stored_width
from dualmetrics.runtime.free_threading import SHARDS, locked_if_free_threaded
from dualmetrics.storage.exponential_cells import (
    EXPONENTIAL_WIDTH,
    ExponentialCells,
    HistogramRow,
    read_histogram,
)
from dualmetrics.storage.regions import Row, private_row


class WantedRow(NamedTuple):
    """Which row is asked for: that of a series in a shard of threads (see `runtime.free_threading`)."""

    descriptor: Descriptor
    attributes: Attributes
    start: int | None
    shard: int


class DeferredRows:
    """Cells that wait to be added to their series."""

    def __init__(self) -> None:
        self._deferred: list[tuple[WantedRow, Row, Row | None]] = []

    def row(self, wanted: WantedRow) -> Row:
        """New cells for a series."""
        cells = private_row(stored_width(wanted.descriptor))
        self._deferred.append((wanted, cells, None))
        return cells

    def histogram_row(self, wanted: WantedRow) -> HistogramRow:
        """New cells for a histogram that is recorded in exponential buckets too."""
        cells, exponential = private_row(stored_width(wanted.descriptor)), private_row(EXPONENTIAL_WIDTH)
        row = HistogramRow(cells, ExponentialCells(exponential))
        self._deferred.append((wanted, cells, exponential))
        return row

    def apply(
        self,
        own_row: Callable[[WantedRow], Row],
        own_histogram_row: Callable[[WantedRow], HistogramRow],
        invalidate: Callable[[], None],
    ) -> None:
        """Add the deferred cells to the rows of their series, after calling ``invalidate``."""
        while self._deferred:
            invalidate()
            wanted, cells, exponential = self._deferred.pop()
            locked = locked_if_free_threaded(SHARDS[wanted.shard])
            kind = wanted.descriptor.kind
            if exponential is None:
                locked(_add)(own_row(wanted), cells, kind)
            else:
                row, own_exponential = own_histogram_row(wanted)
                locked(_add)(row, cells, kind)
                locked(own_exponential.merge)(read_histogram(exponential.tolist()))


def _add(row: Row, cells: Row, kind: Kind) -> None:
    for index, value in enumerate(cells.tolist()):
        row[index] = value if kind is Kind.GAUGE else row[index] + value
