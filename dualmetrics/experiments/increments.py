"""The exact increments of counters between scrapes.

PromQL's ``increase()`` extrapolates: it returns 8.887 for 8 requests, and 0 for a series whose first sample
is 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dualmetrics.experiments.samples import SampleLabels, Target, target_of
from dualmetrics.experiments.statistics.arrays import Array


@dataclass(frozen=True)
class ScrapeHistory:
    """When targets were first scraped. A series that appears on a known target started at 0."""

    start: float
    """The start of the window. Earlier samples only say which value the counters had then."""
    first_scrape: Mapping[Target, float] = field(default_factory=dict)
    """The time of each target's first scrape, successful or not."""
    process_start: Mapping[Target, float] = field(default_factory=dict)
    """When the target's process started, if the target exposes it."""
    settled: float = np.inf
    """The time by which all targets that existed at the start have been scraped."""

    def starts_at_zero(self, labels: SampleLabels, first: float) -> bool:
        """Return whether a series whose first sample is at ``first`` was 0 before that, within the window."""
        target = target_of(labels)
        if first <= self.start:
            return False
        return (
            self.first_scrape.get(target, first) < first
            or self.process_start.get(target, -np.inf) >= self.start
        )


def increments(values: Array, from_zero: bool) -> Array:
    """Return what each sample added to the one before it. Samples are numbers, or rows of bucket counts.

    A count that decreased means that the process restarted. Then the whole row restarted from 0, because a
    histogram resets as a whole. The first sample adds its value if the series started ``from_zero``, else 0.
    """
    added = np.empty_like(values)
    added[0] = values[0] if from_zero else 0.0
    added[1:] = np.diff(values, axis=0)
    decreased = added < 0
    reset = decreased if values.ndim == 1 else decreased.any(axis=1)
    added[reset] = values[reset]
    return added


def sum_by_block(times: Array, added: Array, edges: Array) -> Array:
    """Sum the increments in each block ``(edges[b], edges[b + 1]]``. Those outside all blocks are ignored."""
    block = np.searchsorted(edges, times, side="left") - 1
    inside = (block >= 0) & (block < len(edges) - 1)
    sums = np.zeros((len(edges) - 1, *added.shape[1:]))
    np.add.at(sums, block[inside], added[inside])
    return sums
