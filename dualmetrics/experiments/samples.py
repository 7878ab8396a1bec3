"""The samples of series as they were scraped. Every source returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dualmetrics.experiments.statistics.arrays import Array

SampleLabels = Mapping[str, str]
Target = tuple[str, str]
"""The job and the instance that a scrape reads."""


@dataclass(frozen=True)
class SampledSeries:
    """The raw samples of a counter or a gauge. Times are seconds since the epoch."""

    labels: SampleLabels
    times: Array
    values: Array

    @property
    def name(self) -> str:
        """The name of the metric."""
        return self.labels.get("__name__", "")


@dataclass(frozen=True)
class SampledHistogram:
    """The raw samples of a histogram.

    ``counts`` has a row for each time and a column for each bucket; the counts are not cumulative. The last
    column is the ``+Inf`` bucket, so there is one column more than there are ``bounds``.
    """

    labels: SampleLabels
    times: Array
    bounds: Array
    counts: Array


def target_of(labels: SampleLabels) -> Target:
    """Return the target that a series was scraped from."""
    return labels.get("job", ""), labels.get("instance", "")
