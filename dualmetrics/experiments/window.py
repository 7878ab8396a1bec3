"""The time that is compared, and the blocks that it is divided into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MAX_BLOCKS, MIN_BLOCKS

SCRAPES_PER_BLOCK = 2


@dataclass(frozen=True)
class Window:
    """The time from ``start`` to ``end``, in seconds since the epoch. ``until`` is the declared end.

    Raises `UsageError` if the window is empty.
    """

    start: float
    end: float
    until: float

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise UsageError("The window is empty: after the warm-up, it ends before it starts.")

    @property
    def seconds(self) -> float:
        """The length of the window."""
        return self.end - self.start

    @property
    def fraction(self) -> float:
        """How much of the declared time has passed, from 0 to 1."""
        return min(1.0, self.seconds / (self.until - self.start)) if self.until > self.start else 1.0

    @property
    def early(self) -> bool:
        """Whether the window ends before the declared end. The last 0.5 % do not matter."""
        return self.fraction < 0.995

    def block_seconds(self, *, sequential: bool) -> float:
        """Return the length of the shortest blocks: those of the declared window for a sequential look."""
        seconds = self.until - self.start if sequential else self.seconds
        return seconds / MAX_BLOCKS

    def edges(self, interval: float) -> Array:
        """Divide the window into equal blocks and return their edges, one more than there are blocks.

        There are 40 blocks, or 20 or 10 if scrapes every ``interval`` seconds are too few to fill them.
        There is one block if even 10 blocks are too short for a scrape each, or if the interval is unknown.
        """
        blocks = MAX_BLOCKS
        while blocks > MIN_BLOCKS and self.seconds < blocks * SCRAPES_PER_BLOCK * interval:
            blocks //= 2
        if interval <= 0 or self.seconds < blocks * interval:
            blocks = 1
        return np.linspace(self.start, self.end, blocks + 1)

    def sequential_edges(self, interval: float) -> Array:
        """Divide the declared window into blocks and return the edges of those that are complete.

        Before the first block is complete there is only one edge.
        """
        edges = Window(self.start, self.until, self.until).edges(interval)
        return edges[edges <= self.end + interval]
