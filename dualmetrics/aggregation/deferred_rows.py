"""What a signal handler or finalizer records that has interrupted its own thread inside the store.

The store's tables are just being changed then, and its lock is held by that very thread. So the interruption
gets cells of its own, and what it counts is added to the series as soon as the store is whole again.
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
    """Cells for interruptions, until they are settled."""

    def __init__(self) -> None:
        self._kept: list[tuple[Descriptor, Attributes, Row, Row | None]] = []

    def row(self, descriptor: Descriptor, attributes: Attributes) -> Row:
        """Cells for a series."""
        cells = private_row(stored_width(descriptor))
        self._kept.append((descriptor, attributes, cells, None))
        return cells

    def histogram_row(self, descriptor: Descriptor, attributes: Attributes) -> HistogramRow:
        """Likewise for a histogram, if it is recorded in exponential buckets too."""
        cells, banks = private_row(stored_width(descriptor)), private_row(EXPONENTIAL_WIDTH)
        self._kept.append((descriptor, attributes, cells, banks))
        return HistogramRow(cells, ExponentialCells(banks))

    def apply(
        self,
        own_row: Callable[[Descriptor, Attributes, None], Row],
        own_distribution: Callable[[Descriptor, Attributes, None], HistogramRow],
        void: Callable[[], None],
    ) -> None:
        """Add to the own rows what was counted here; ``void`` is called before, as these rows end."""
        while self._kept:
            void()
            descriptor, attributes, cells, banks = self._kept.pop()
            if banks is None:
                row = own_row(descriptor, attributes, None)
            else:
                row, own_banks = own_distribution(descriptor, attributes, None)
                own_banks.merge(read_histogram(banks.tolist()))
            for index, value in enumerate(cells.tolist()):
                row[index] = value if descriptor.kind is Kind.GAUGE else row[index] + value
