"""The time that is looked at, and the blocks that it is cut into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MAX_BLOCKS, MIN_BLOCKS

SCRAPES_PER_BLOCK = 2


@dataclass(frozen=True)
class Window:
    """From ``start`` to ``end``, in seconds since the epoch; ``until`` is the end that was declared."""

    start: float
    end: float
    until: float

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise UsageError("The window is empty: it ends before it starts, warm-up included.")

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start

    @property
    def fraction(self) -> float:
        """The part of the declared time that is over."""
        return min(1.0, self.seconds / (self.until - self.start)) if self.until > self.start else 1.0

    @property
    def early(self) -> bool:
        """Whether this is a look before the declared end; a scrape's time is no matter."""
        return self.fraction < 0.995

    def edges(self, interval: float) -> Array:
        """The ends of equal blocks: 40, or fewer if scrapes every ``interval`` seconds do not fill them."""
        blocks = MAX_BLOCKS
        while blocks > MIN_BLOCKS and self.seconds < blocks * SCRAPES_PER_BLOCK * interval:
            blocks //= 2
        if interval <= 0 or self.seconds < blocks * interval:
            blocks = 1
        return np.linspace(self.start, self.end, blocks + 1)

    def sequential_edges(self, interval: float) -> Array:
        """The ends of those of the declared window's blocks that are over; none if not one is."""
        edges = Window(self.start, self.until, self.until).edges(interval)
        return edges[edges <= self.end + interval]
