"""The exact increments of counters between scrapes.

PromQL's ``increase()`` extrapolates: it returns 8.887 for 8 requests, and 0 for a series whose first sample
is 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.samples import SampledSeries, SampleLabels, Target, target_of
from dualmetrics.experiments.statistics.arrays import Array

MAX_COUNT = 2.0**53
"""Beyond this a float64 cannot count one more."""


@dataclass(frozen=True)
class ScrapeHistory:
    """When targets were scraped. A series that appears on a known target started at 0."""

    start: float
    """The start of the window. Earlier samples only say which value the counters had then."""
    up: Mapping[Target, SampledSeries] = field(default_factory=dict)
    """The scrapes of each target: 1 for one that succeeded, 0 for one that failed."""
    process_start: Mapping[Target, SampledSeries] = field(default_factory=dict)
    """When the target's process started, if the target exposes it."""
    settled: float = np.inf
    """The time by which all targets that existed at the start have been scraped."""

    def starts_at_zero(self, labels: SampleLabels, first: float) -> bool:
        """Return whether a series whose first sample is at ``first`` was 0 before that, within the window.

        It was if a scrape succeeded before and did not have it, or if the process is younger than the window.
        A scrape that failed says nothing: what an older process counted before is not the window's.
        """
        target = target_of(labels)
        if first <= self.start:
            return False
        return self._scraped_before(target, first) or self._process_start(target, first) >= self.start

    def _scraped_before(self, target: Target, time: float) -> bool:
        scrapes = self.up.get(target)
        return scrapes is not None and bool((scrapes.values[scrapes.times < time] > 0).any())

    def _process_start(self, target: Target, time: float) -> float:
        starts = self.process_start.get(target)
        if starts is None or not len(starts.times):
            return -np.inf
        latest = max(int(np.searchsorted(starts.times, time, side="right")) - 1, 0)
        return float(starts.values[latest])


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


@dataclass
class IncrementCounter:
    """Counts what the series of one variant add, in each block."""

    history: ScrapeHistory
    edges: Array
    dropped: int = 0
    """How many series appeared in the window without a known start. Their first value was ignored."""

    def added(self, labels: SampleLabels, times: Array, values: Array, what: str = "requests") -> Array:
        """Return what each sample of a series adds. Raises `InvalidExperimentError` if it is no count."""
        if not ((values >= 0) & (values <= MAX_COUNT)).all():
            name = labels.get("__name__", "A series")
            raise InvalidExperimentError(f"{name} has a value that is not a finite number of {what}.")
        if not len(times):
            return values
        from_zero = self.history.starts_at_zero(labels, float(times[0]))
        self.dropped += bool(times[0] > self.history.settled and not from_zero and values[0].sum() > 0)
        return increments(values, from_zero)

    def total(self, series: Iterable[SampledSeries], what: str) -> Array:
        """Return what all series add in each block."""
        blocks = np.zeros(len(self.edges) - 1)
        for each in series:
            blocks += sum_by_block(
                each.times, self.added(each.labels, each.times, each.values, what), self.edges
            )
        return blocks
