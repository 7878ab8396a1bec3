"""What one variant counted in each block."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from dualmetrics.experiments.histograms import rebucket
from dualmetrics.experiments.increments import IncrementCounter, sum_by_block
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.error_ratio import Counts
from dualmetrics.experiments.statistics.latency import Latencies


@dataclass
class BlockCounts:
    """The requests, errors and durations of one route, or of all routes, in each block.

    ``durations`` has a row for each block and a column for each bucket.
    """

    requests: Array
    errors: Array
    durations: Array

    @classmethod
    def empty(cls, blocks: int, bounds: int) -> BlockCounts:
        """Create counts of 0 for so many blocks and bucket bounds."""
        return cls(np.zeros(blocks), np.zeros(blocks), np.zeros((blocks, bounds + 1)))

    def __add__(self, other: BlockCounts) -> BlockCounts:
        return BlockCounts(
            self.requests + other.requests, self.errors + other.errors, self.durations + other.durations
        )

    @property
    def error_counts(self) -> Counts:
        """The errors among all requests."""
        return Counts(self.errors, self.requests)

    def latencies(self, bounds: Array) -> Latencies:
        """Return the durations with the ``bounds`` of their buckets."""
        return Latencies(bounds, self.durations)

    def weighted(self, weights: Array) -> BlockCounts:
        """Return the counts multiplied by the weight of each block."""
        return BlockCounts(self.requests * weights, self.errors * weights, self.durations * weights[:, None])

    def first(self, blocks: int) -> BlockCounts:
        """Return the counts of the first ``blocks`` blocks."""
        return BlockCounts(self.requests[:blocks], self.errors[:blocks], self.durations[:blocks])


@dataclass
class VariantCounter:
    """Counts the series of one variant by route."""

    names: Names
    error: re.Pattern[str]
    increments: IncrementCounter
    bounds: Array
    routes: dict[str, BlockCounts] = field(default_factory=dict)
    moments: list[tuple[Array, Array]] = field(default_factory=list)
    """The times of the scrapes of each series, and the requests that each adds."""

    def count(self, requests: Iterable[SampledSeries], durations: Iterable[SampledHistogram]) -> BlockCounts:
        """Count all series. Returns the sum over all routes.

        Raises `InvalidExperimentError` if a sample is not the number of requests.
        """
        for series in requests:
            added = self.increments.added(series.labels, series.times, series.values)
            self._count_requests(series.labels, series.times, added)
        for histogram in durations:
            counts = rebucket(histogram, self.bounds)
            added = self.increments.added(histogram.labels, histogram.times, counts)
            self._route(histogram.labels).durations += sum_by_block(
                histogram.times, added, self.increments.edges
            )
            if self.names.requests is None:
                self._count_requests(histogram.labels, histogram.times, np.asarray(added.sum(axis=1)))
        return sum(self.routes.values(), self._empty())

    def _count_requests(self, labels: SampleLabels, times: Array, added: Array) -> None:
        blocks = sum_by_block(times, added, self.increments.edges)
        self.moments.append((times, added))
        route = self._route(labels)
        route.requests += blocks
        if self.error.fullmatch(labels.get(self.names.status, "")):
            route.errors += blocks

    def _route(self, labels: SampleLabels) -> BlockCounts:
        return self.routes.setdefault(labels.get(self.names.route, "unmatched"), self._empty())

    def _empty(self) -> BlockCounts:
        return BlockCounts.empty(len(self.increments.edges) - 1, len(self.bounds))
