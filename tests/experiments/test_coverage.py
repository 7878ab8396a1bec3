"""Perfect scrapes are valid at every length, whatever the interval between them."""

from __future__ import annotations

import numpy as np
import pytest

from dualmetrics.experiments.checks import check_scrapes, check_split
from dualmetrics.experiments.common_time import requests_at_common_times
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


@pytest.mark.parametrize("seconds", [41.0, 100.0, 600.0])
def test_one_scrape_more_is_not_a_broken_split(seconds: float) -> None:
    """Both serve 100 requests per second, and are scraped every 15 seconds, at different times."""
    baseline, candidate = (np.arange(first, seconds, 15.0) for first in (0.0, 12.0))
    moments = [(times, np.append(0.0, np.diff(times)) * 100) for times in (baseline, candidate)]
    counts = requests_at_common_times(moments[:1], moments[1:], np.linspace(0, seconds, 11))
    assert counts[0].tolist() == pytest.approx(counts[1].tolist())
    assert check_split(counts, 0.5).holds


def test_a_split_that_is_wrong_is_found_between_common_times() -> None:
    times = np.arange(0, 6000.0, 15.0)
    moments = [(times, np.append(0.0, np.full(len(times) - 1, size))) for size in (100.0, 130.0)]
    counts = requests_at_common_times(moments[:1], moments[1:], np.linspace(0, 6000, 41))
    assert check_split(counts, 0.5).state == "broken"
    assert check_split((counts[0][:5], counts[1][:5]), 0.5).holds


def test_before_the_declared_end_missed_scrapes_are_waited_for_while_enough_can_follow() -> None:
    both = scraped(600, 15), scraped(600, 15, missed=0.5)
    assert check_scrapes(both, Window(0.0, 600.0, 600.0)).state == "broken"
    assert check_scrapes(both, Window(0.0, 600.0, 86400.0)).state == "waiting"
    assert check_scrapes(both, Window(0.0, 600.0, 900.0)).state == "broken"
