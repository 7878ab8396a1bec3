"""What was counted between scrapes: exact, unlike PromQL's ``increase()``, which extrapolates.

``increase()`` makes 8.887 of 8 requests, and 0 of a series that is first seen at 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dualmetrics.experiments.samples import SampleLabels, Target, target_of
from dualmetrics.experiments.statistics.arrays import Array


@dataclass(frozen=True)
class ScrapeHistory:
    """Which targets were watched since when: a series that appears later began at 0."""

    start: float
    """The begin of the window: earlier samples only say where counting stood."""
    first_scrape: Mapping[Target, float] = field(default_factory=dict)
    """The first scrape of each target, successful or not."""
    process_start: Mapping[Target, float] = field(default_factory=dict)
    """When the target's process started, where it says so."""

    settled: float = np.inf
    """When all targets have been scraped that were there from the start."""

    def starts_at_zero(self, labels: SampleLabels, first: float) -> bool:
        """Whether a series whose first sample is at ``first`` was 0 before, within the window."""
        of = target_of(labels)
        if first <= self.start:
            return False
        return self.first_scrape.get(of, first) < first or self.process_start.get(of, -np.inf) >= self.start


def increments(values: Array, from_zero: bool) -> Array:
    """Per sample what was added since the one before: a row of counts, or a number.

    A reset, which is any count that went down, restarts all of a row from 0: a histogram resets as a whole.
    The first sample adds its value if it counts ``from_zero``, else nothing.
    """
    added = np.empty_like(values)
    added[0] = values[0] if from_zero else 0.0
    added[1:] = np.diff(values, axis=0)
    down = added < 0
    reset = down if values.ndim == 1 else down.any(axis=1)
    added[reset] = values[reset]
    return added


def sum_by_block(times: Array, added: Array, edges: Array) -> Array:
    """The sum of each block ``(edges[b], edges[b + 1]]``; what lies outside of all is left out."""
    block = np.searchsorted(edges, times, side="left") - 1
    inside = (block >= 0) & (block < len(edges) - 1)
    sums = np.zeros((len(edges) - 1, *added.shape[1:]))
    np.add.at(sums, block[inside], added[inside])
    return sums
