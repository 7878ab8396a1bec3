"""Perfect scrapes are valid at every length, whatever the interval between them."""

from __future__ import annotations

import numpy as np
import pytest

from dualmetrics.experiments.checks import check_scrapes
from dualmetrics.experiments.samples import SampledSeries
from dualmetrics.experiments.sources.source import VariantSamples
from dualmetrics.experiments.window import Window

INTERVALS = (5, 10, 15, 30, 60)
HOURS = (1 / 6, 0.5, 1, 1.5, 2, 2.25, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 36, 48)


def scraped(seconds: float, interval: float, missed: float = 0.0, first: float = 3.0) -> VariantSamples:
    """Return the scrapes of one target, with so large a share of them missed."""
    times = np.arange(first, seconds, interval)
    up = np.ones(len(times))
    up[np.random.default_rng(1).permutation(len(up))[: round(missed * len(up))]] = 0
    return VariantSamples([], [], [SampledSeries({}, times, up)])


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("hours", HOURS)
def test_perfect_scrapes_cover_the_whole_window(hours: float, interval: float) -> None:
    seconds = hours * 3600
    both = scraped(seconds, interval), scraped(seconds, interval, first=4.0)
    check = check_scrapes(both, Window(0.0, seconds, seconds))
    assert (check.holds, "100.0%" in check.seen) == (True, True), check.seen


def test_half_a_percent_of_missed_scrapes_reads_as_half_a_percent() -> None:
    day = 86400.0
    both = scraped(day, 15), scraped(day, 15, missed=0.005)
    check = check_scrapes(both, Window(0.0, day, day))
    assert check.holds
    assert "99.5% of the candidate's" in check.seen
