"""What one variant counted, block by block."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.histograms import rebucket
from dualmetrics.experiments.increments import ScrapeHistory, increments, sum_by_block
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.error_ratio import Counts
from dualmetrics.experiments.statistics.latency import Latencies


@dataclass
class BlockCounts:
    """Requests and errors a block, and the histogram of durations a block, of one route or of all."""

    requests: Array
    errors: Array
    durations: Array

    @classmethod
    def empty(cls, blocks: int, bounds: int) -> BlockCounts:
        """Nothing yet."""
        return cls(np.zeros(blocks), np.zeros(blocks), np.zeros((blocks, bounds + 1)))

    def __add__(self, other: BlockCounts) -> BlockCounts:
        return BlockCounts(
            self.requests + other.requests, self.errors + other.errors, self.durations + other.durations
        )

    @property
    def error_counts(self) -> Counts:
        """Errors of requests."""
        return Counts(self.errors, self.requests)

    def latencies(self, bounds: Array) -> Latencies:
        """The histograms."""
        return Latencies(bounds, self.durations)

    def slower_than(self, bounds: Array, threshold: float) -> Counts:
        """Requests that took longer than a bound, of all."""
        after = int(np.argmin(np.abs(bounds - threshold))) + 1
        return Counts(self.durations[:, after:].sum(axis=1), self.durations.sum(axis=1))


@dataclass
class VariantCounter:
    """Counts the series of one variant into tallies by route."""

    names: Names
    error: re.Pattern[str]
    history: ScrapeHistory
    edges: Array
    bounds: Array
    dropped: int = 0
    """Series that were born within the window on a target that was not watched before: their first value."""
    routes: dict[str, BlockCounts] = field(default_factory=dict)

    def count(self, requests: Iterable[SampledSeries], durations: Iterable[SampledHistogram]) -> BlockCounts:
        """All series; the sum over the routes."""
        for labels, blocks in self._numbers(requests):
            self._requests(labels, blocks)
        for histogram in durations:
            blocks = self._added(histogram.labels, histogram.times, rebucket(histogram, self.bounds))
            self._of(histogram.labels).durations += blocks
            if self.names.requests is None:
                self._requests(histogram.labels, np.asarray(blocks.sum(axis=1)))
        return sum(self.routes.values(), BlockCounts.empty(len(self.edges) - 1, len(self.bounds)))

    def _numbers(self, requests: Iterable[SampledSeries]) -> Iterator[tuple[SampleLabels, Array]]:
        for series in requests:
            yield series.labels, self._added(series.labels, series.times, series.values)

    def _requests(self, labels: SampleLabels, blocks: Array) -> None:
        tally = self._of(labels)
        tally.requests += blocks
        if self.error.fullmatch(labels.get(self.names.status, "")):
            tally.errors += blocks

    def _added(self, labels: SampleLabels, times: Array, values: Array) -> Array:
        if not np.isfinite(values).all():
            raise InvalidExperimentError(
                f"{labels.get('__name__', 'A series')} has a value that is no number."
            )
        if not len(times):
            return np.zeros((len(self.edges) - 1, *values.shape[1:]))
        from_zero = self.history.starts_at_zero(labels, float(times[0]))
        self.dropped += bool(times[0] > self.history.settled and not from_zero and values[0].sum() > 0)
        return sum_by_block(times, increments(values, from_zero), self.edges)

    def _of(self, labels: SampleLabels) -> BlockCounts:
        route = labels.get(self.names.route, "unmatched")
        return self.routes.setdefault(route, BlockCounts.empty(len(self.edges) - 1, len(self.bounds)))
