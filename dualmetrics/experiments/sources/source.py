"""What a source has of one variant, and what any source can be asked."""

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
    """Samples of one variant, from a while before the window to its end."""

    requests: list[SampledSeries]
    durations: list[SampledHistogram]
    up: list[SampledSeries] = field(default_factory=list)
    """1 for each successful scrape, 0 for each that failed, by target."""
    process_start: Mapping[Target, float] = field(default_factory=dict)
    """When the targets' processes started, where they say so."""

    @property
    def times(self) -> Array:
        """When there are samples of the variant."""
        times = [each.times for each in self.requests] + [each.times for each in self.durations]
        return np.unique(np.concatenate(times)) if times else np.array([])

    @property
    def interval(self) -> float:
        """The usual time between two scrapes, in seconds; 0 if that cannot be seen."""
        found = np.concatenate([np.diff(each.times) for each in self.up] or [np.diff(self.times)])
        return float(np.median(found)) if len(found) else 0.0

    def scrape_history(self, start: float) -> ScrapeHistory:
        """What tells series that began at 0 from those that were not seen before."""
        watched = {target_of(each.labels): float(each.times[0]) for each in self.up if len(each.times)}
        return ScrapeHistory(start, watched, self.process_start, start + 2 * self.interval)


class Source(Protocol):
    """A place that can be asked for what both variants counted."""

    def names(self, start: float, end: float) -> Collection[str]:
        """The metrics that both or one of the variants have."""
        ...

    def read(self, variant: str, names: Names, start: float, end: float) -> VariantSamples:
        """The samples between two times, and of a while before."""
        ...

    def now(self) -> float:
        """The time by the source's own clock, which its samples have."""
        ...

    def began(self, names: Names) -> float:
        """When the experiment's first sample was taken."""
        ...
