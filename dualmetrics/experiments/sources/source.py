"""What every source of samples can be asked, and the samples of one variant that it returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dualmetrics.experiments.increments import ScrapeHistory
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, Target, target_of
from dualmetrics.experiments.statistics.arrays import Array


@dataclass(frozen=True)
class VariantSamples:
    """The samples of one variant, from some time before the window to its end."""

    requests: list[SampledSeries]
    durations: list[SampledHistogram]
    up: list[SampledSeries] = field(default_factory=list)
    """A series for each target: 1 for each scrape that succeeded, 0 for each that failed."""
    process_start: Mapping[Target, float] = field(default_factory=dict)
    """When the target's process started, if the target exposes it."""

    @property
    def times(self) -> Array:
        """All times at which there is a sample."""
        times = [each.times for each in self.requests] + [each.times for each in self.durations]
        return np.unique(np.concatenate(times)) if times else np.array([])

    @property
    def interval(self) -> float:
        """The median seconds between two scrapes; 0 if there are fewer than two."""
        intervals = np.concatenate([np.diff(each.times) for each in self.up] or [np.diff(self.times)])
        return float(np.median(intervals)) if len(intervals) else 0.0

    def scrape_history(self, start: float) -> ScrapeHistory:
        """Return when each target was first scraped, for a window that begins at ``start``."""
        first_scrape = {target_of(each.labels): float(each.times[0]) for each in self.up if len(each.times)}
        return ScrapeHistory(start, first_scrape, self.process_start, start + 2 * self.interval)


class Source(Protocol):
    """A place that has the samples of both variants."""

    def names(self, start: float, end: float) -> Collection[str]:
        """Return the names of all metrics of the variants."""
        ...

    def read(self, variant: str, names: Names, start: float, end: float) -> VariantSamples:
        """Return the samples of a variant between two times, and those of some time before."""
        ...

    def now(self) -> float:
        """Return the time by the clock that the samples were stamped with."""
        ...

    def began(self, names: Names) -> float:
        """Return the time of the experiment's first sample."""
        ...
