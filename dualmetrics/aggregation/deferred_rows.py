"""Rows for a signal handler or finalizer that interrupts its own thread inside the store.

At that moment the tables of the store are being changed, and this very thread holds the lock. So the handler
gets cells of its own. What it records is added to its series as soon as the store is consistent again.
"""

from __future__ import annotations

from collections.abc import Callable

from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind, stored_width
from dualmetrics.storage.exponential_cells import (
    EXPONENTIAL_WIDTH,
    ExponentialCells,
    HistogramRow,
    read_histogram,
)
from dualmetrics.storage.regions import Row, private_row


class DeferredRows:
    """Cells that wait to be added to their series."""

    def __init__(self) -> None:
        self._deferred: list[tuple[Descriptor, Attributes, Row, Row | None]] = []

    def row(self, descriptor: Descriptor, attributes: Attributes) -> Row:
        """New cells for a series."""
        cells = private_row(stored_width(descriptor))
        self._deferred.append((descriptor, attributes, cells, None))
        return cells

    def histogram_row(self, descriptor: Descriptor, attributes: Attributes) -> HistogramRow:
        """New cells for a histogram that is recorded in exponential buckets too."""
        cells, exponential = private_row(stored_width(descriptor)), private_row(EXPONENTIAL_WIDTH)
        self._deferred.append((descriptor, attributes, cells, exponential))
        return HistogramRow(cells, ExponentialCells(exponential))

    def apply(
        self,
        own_row: Callable[[Descriptor, Attributes, None], Row],
        own_histogram_row: Callable[[Descriptor, Attributes, None], HistogramRow],
        invalidate: Callable[[], None],
    ) -> None:
        """Add the deferred cells to the rows of their series, after calling ``invalidate``."""
        while self._deferred:
            invalidate()
            descriptor, attributes, cells, exponential = self._deferred.pop()
            if exponential is None:
                row = own_row(descriptor, attributes, None)
            else:
                row, own_exponential = own_histogram_row(descriptor, attributes, None)
                own_exponential.merge(read_histogram(exponential.tolist()))
            for index, value in enumerate(cells.tolist()):
                row[index] = value if descriptor.kind is Kind.GAUGE else row[index] + value
