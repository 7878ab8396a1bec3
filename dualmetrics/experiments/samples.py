"""What a source gives: samples of series as they were scraped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dualmetrics.experiments.statistics.arrays import Array

SampleLabels = Mapping[str, str]
Target = tuple[str, str]
"""Job and instance: what one scrape is of."""


@dataclass(frozen=True)
class SampledSeries:
    """Raw samples of a counter or gauge; times are seconds since the epoch."""

    labels: SampleLabels
    times: Array
    values: Array

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.labels.get("__name__", "")


@dataclass(frozen=True)
class SampledHistogram:
    """Raw samples of a histogram: at each time a count a bucket, not cumulated, the last for ``+Inf``."""

    labels: SampleLabels
    times: Array
    bounds: Array
    counts: Array


def target_of(labels: SampleLabels) -> Target:
    """Where a series was scraped from."""
    return labels.get("job", ""), labels.get("instance", "")
