"""How much the total of another library has grown since it was last read."""

from __future__ import annotations

import operator

from dualmetrics.bridges.cell_layout import CellLayout
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Exemplars

_EMPTY = ExponentialHistogram()


class CounterTracker:
    """Remembers the last reading of one total: a counter, an up-down counter, a histogram or a summary.

    The delta exporter detects restarts in its own way: it compares totals of a whole group, which may fall
    by a rounding error when a worker ends. A total of one library never does, so here every fall is a
    restart.
    """

    __slots__ = ("_exponential", "_start_time_ns", "cells", "exemplars")

    def __init__(self) -> None:
        self.cells: tuple[float, ...] = ()
        """The cells of the last reading (see `CellLayout.values`); empty before the first one."""
        self.exemplars: Exemplars = ()
        """The exemplars that were imported last."""
        self._exponential = _EMPTY
        self._start_time_ns = 0

    def advance(
        self, cells: tuple[float, ...], layout: CellLayout, start_time_ns: int
    ) -> tuple[tuple[float, ...], bool]:
        """Remember this reading. Return by how much each summed cell has grown, and whether it restarted.

        ``cells`` are without the time (see `CellLayout.values`). Another ``start_time_ns`` than before
        means a restart: pass 0 if start times shall not be compared.
        """
        previous, self.cells = self.cells, cells
        started, self._start_time_ns = self._start_time_ns, start_time_ns
        summed, monotonic = cells[layout.summed], layout.monotonic
        if not previous:
            return summed, False
        if start_time_ns != started or any(map(operator.lt, cells[monotonic], previous[monotonic])):
            self._exponential = _EMPTY
            return summed, True
        return tuple(map(operator.sub, summed, previous)), False

    def advance_exponential(self, latest: ExponentialHistogram) -> ExponentialHistogram:
        """Remember the exponential buckets of a reading. Return by how much they have grown.

        Call `advance` with the same reading first. If the scale has become lower, so is that of the increase.
        """
        previous, self._exponential = self._exponential, latest
        return latest.minus(previous) or latest
