"""What every source of samples can be asked, and the samples of one variant that it returns."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dualmetrics.experiments.increments import ScrapeHistory
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, target_of
from dualmetrics.experiments.statistics.arrays import Array


@dataclass(frozen=True)
class OtherMetrics:
    """The full names of metrics to read besides those of HTTP."""

    counters: frozenset[str] = frozenset()
    gauges: frozenset[str] = frozenset()
    histograms: frozenset[str] = frozenset()
    """Those whose buckets are needed."""
    means: frozenset[str] = frozenset()
    """Histograms whose sums and counts are needed: the counters ``..._sum`` and ``..._count``."""


MEAN_SUFFIXES = ("_sum", "_count")
NO_OTHERS = OtherMetrics()
SEARCHED_SECONDS = 7 * 86400.0
"""How long before now the first sample of an experiment is looked for."""


@dataclass(frozen=True)
class VariantSamples:
    """The samples of one variant, from some time before the window to its end."""

    requests: list[SampledSeries]
    durations: list[SampledHistogram]
    up: list[SampledSeries] = field(default_factory=list)
    """A series for each target: 1 for each scrape that succeeded, 0 for each that failed."""
    process_starts: list[SampledSeries] = field(default_factory=list)
    """When the process of each target started, at each scrape, if the target exposes it."""
    seen: list[SampledSeries] = field(default_factory=list)
    """For each target without ``up``, its ``target_info``: 1 at each scrape that had the target's metrics."""
    series: dict[str, list[SampledSeries]] = field(default_factory=dict)
    """The series of other counters and gauges, by name."""
    histograms: dict[str, list[SampledHistogram]] = field(default_factory=dict)
    """Other histograms, by name."""

    @property
    def http(self) -> bool:
        """Whether there are samples of HTTP requests."""
        return bool(self.requests or self.durations)

    @property
    def times(self) -> Array:
        """All times at which there is a sample."""
        times = [each.times for each in self.requests] + [each.times for each in self.durations]
        times += [each.times for many in self.series.values() for each in many]
        times += [each.times for many in self.histograms.values() for each in many]
        return np.unique(np.concatenate(times)) if times else np.array([])

    @property
    def interval(self) -> float:
        """The median seconds between two scrapes; 0 if there are fewer than two."""
        intervals = np.concatenate([np.diff(each.times) for each in self.up] or [np.diff(self.times)])
        return float(np.median(intervals)) if len(intervals) else 0.0

    def scrape_history(self, start: float) -> ScrapeHistory:
        """Return when each target was scraped, for a window that begins at ``start``."""
        return ScrapeHistory(
            start,
            {target_of(each.labels): each for each in (*self.seen, *self.up)},
            {target_of(each.labels): each for each in self.process_starts},
            start + 2 * self.interval,
        )


class Source(Protocol):
    """A place that has the samples of both variants."""

    def names(self, start: float, end: float) -> Collection[str]:
        """Return the names of all metrics of the variants."""
        ...

    def read(
        self,
        variant: str,
        names: Names,
        start: float,
        end: float,
        step: float = 0.0,
        others: OtherMetrics = NO_OTHERS,
    ) -> VariantSamples:
        """Return the samples of a variant between two times, and the values at the start.

        If ``step`` is given, counters may be reduced to their values at each step, and around each event.
        """
        ...

    def now(self) -> float:
        """Return the time by the clock that the samples were stamped with."""
        ...

    def began(self, names: Names) -> float:
        """Return the time of the experiment's first sample."""
        ...
