"""What becomes of samples: new series, resets, native histograms, names, windows. No server is needed."""

from __future__ import annotations

import numpy as np
import pytest

from dualmetrics.experiments import histograms
from dualmetrics.experiments.errors import InvalidExperimentError, UsageError
from dualmetrics.experiments.increments import ScrapeHistory, increments, sum_by_block
from dualmetrics.experiments.metric_names import CLASSIC, SEMCONV, recognize_names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries
from dualmetrics.experiments.setup.manifest import check_experiment_name
from dualmetrics.experiments.sources.collected import Collected
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.window import Window


def test_after_a_reset_the_whole_value_counts() -> None:
    assert increments(np.array([5.0, 8.0, 2.0, 2.0, 7.0]), from_zero=False).tolist() == [0, 3, 2, 0, 5]


def test_a_histogram_resets_as_a_whole() -> None:
    """One bucket is higher after the restart. By itself it would not show the reset."""
    for before, after in (([9.0, 1.0], [2.0, 3.0]), ([1.0, 9.0], [3.0, 2.0])):
        counts: Array = np.array([before, after])
        assert increments(counts, from_zero=False).tolist() == [[0, 0], after]


LABELS, TARGET = {"job": "a", "instance": "b"}, ("a", "b")


def sampled(*samples: tuple[float, float]) -> dict[tuple[str, str], SampledSeries]:
    """Return one series of the target, from its times and values."""
    times, values = np.array(samples).reshape(-1, 2).T
    return {TARGET: SampledSeries(LABELS, times, values)} if samples else {}


@pytest.mark.parametrize(
    ("up", "process_start", "first_sample", "expected"),
    [
        ([(5.0, 1.0)], None, 50.0, True),
        ([(5.0, 0.0)], None, 50.0, False),
        ([(5.0, 0.0), (40.0, 1.0)], None, 50.0, True),
        ([(50.0, 1.0)], None, 50.0, False),
        ([(50.0, 1.0)], 20.0, 50.0, True),
        ([(50.0, 1.0)], 5.0, 50.0, False),
        ([(5.0, 0.0), (50.0, 1.0)], 5.0, 50.0, False),
        ([(5.0, 1.0)], None, 9.0, False),
    ],
)
def test_a_series_started_at_0_if_a_scrape_succeeded_before_or_the_process_is_younger_than_the_window(
    up: list[tuple[float, float]], process_start: float | None, first_sample: float, expected: bool
) -> None:
    starts = sampled() if process_start is None else sampled((50.0, process_start))
    assert ScrapeHistory(10.0, sampled(*up), starts).starts_at_zero(LABELS, first_sample) is expected


def test_the_process_that_runs_at_the_time_counts() -> None:
    starts = sampled((10.0, 1.0), (60.0, 55.0))
    assert not ScrapeHistory(10.0, {}, starts).starts_at_zero(LABELS, 50.0)
    assert ScrapeHistory(10.0, {}, starts).starts_at_zero(LABELS, 60.0)


def test_buckets_that_change_midway_make_two_histograms_and_lose_nothing() -> None:
    def bucket(bound: str, *samples: tuple[float, float]) -> SampledSeries:
        times, values = np.array(samples).T
        return SampledSeries({"__name__": "d_bucket", "le": bound}, times, values)

    before, after = [(1.0, 3.0), (2.0, 9.0)], [(3.0, 4.0), (4.0, 6.0)]
    series = [bucket("5", *before), bucket("+Inf", *before, *after), bucket("7", *after)]
    found = histograms.from_bucket_series(series)
    assert sorted((each.bounds.tolist(), each.times.tolist()) for each in found) == [
        ([5.0], [1.0, 2.0]),
        ([7.0], [3.0, 4.0]),
    ]
    assert sum(float(each.counts[-1].sum()) for each in found) == 15


def test_blocks_exclude_their_start_and_include_their_end() -> None:
    times, edges = np.array([0.0, 1.0, 2.0, 2.5, 4.0, 9.0]), np.array([0.0, 2.0, 4.0])
    assert sum_by_block(times, np.ones(6), edges).tolist() == [2, 2]


def test_native_histograms_get_the_bounds_of_the_coarsest_schema() -> None:
    fine = histograms.from_native_samples(
        {"__name__": "d"}, [(1.0, [(2**0.5, 2.0, 3.0), (2.0, 2**1.5, 4.0)])]
    )
    coarse = histograms.from_native_samples({"__name__": "d"}, [(1.0, [(1.0, 2.0, 5.0), (2.0, 4.0, 6.0)])])
    bounds = histograms.shared_bounds([fine, coarse])
    assert bounds.tolist() == pytest.approx([1, 2, 4])
    assert histograms.rebucket(fine, bounds).tolist() == [[0, 3, 4, 0]]
    assert histograms.rebucket(coarse, bounds).tolist() == [[0, 5, 6, 0]]


def test_the_zero_bucket_and_a_change_of_schema_lose_no_counts() -> None:
    samples = [
        (1.0, [(-0.001, 0.001, 2.0), (1.0, 2**0.5, 1.0)]),
        (2.0, [(-0.001, 0.001, 2.0), (1.0, 2.0, 4.0)]),
    ]
    found = histograms.from_native_samples({"__name__": "d"}, samples)
    assert found.counts.sum(axis=1).tolist() == [3, 6]


def test_only_common_bounds_are_used_and_their_absence_is_an_error() -> None:
    one, other, strange = (
        SampledHistogram(
            {"__name__": "d_bucket"}, np.array([1.0]), np.array(bounds), np.ones((1, len(bounds) + 1))
        )
        for bounds in ([1.0, 2.0, 5.0], [1.0, 3.0, 5.0], [7.0])
    )
    bounds = histograms.shared_bounds([one, other])
    assert bounds.tolist() == [1, 5]
    assert histograms.rebucket(one, bounds).tolist() == [[1, 2, 1]]
    with pytest.raises(InvalidExperimentError, match="no bucket bound in common"):
        histograms.shared_bounds([one, strange])


def test_both_conventions_are_recognized_with_any_prefix() -> None:
    found = recognize_names(["shop_http_requests_total", "shop_http_request_duration_milliseconds_bucket"])
    assert (found.requests, found.per_second) == ("shop_http_requests_total", 1000)
    found = recognize_names([f"{SEMCONV.duration}_bucket", "up"])
    assert (found.requests, found.duration, found.per_second) == (None, SEMCONV.duration, 1)
    assert recognize_names([SEMCONV.duration or ""]).duration == SEMCONV.duration
    assert recognize_names([CLASSIC.requests or ""]).duration is None
    with pytest.raises(InvalidExperimentError, match="--requests"):
        recognize_names(["up"])


def test_a_sample_that_two_pieces_share_is_kept_once() -> None:
    collected = Collected()
    for samples in ([(1, "5"), (2, "6")], [(2, "6"), (3, "7")]):
        collected.add([{"metric": {"a": "b"}, "values": samples}])
    (series,) = collected.series()
    assert (series.times.tolist(), series.values.tolist()) == ([1, 2, 3], [5, 6, 7])


def test_pieces_of_a_native_histogram_with_other_buckets_never_decrease() -> None:
    """The zero bucket has no bound of its own, so it must not move with the lowest bucket of a piece."""
    collected = Collected()
    zero = [3, "-0.001", "0.001", "2"]
    for time, buckets in (
        (1, [zero, [0, "1", "2", "3"]]),
        (2, [zero, [0, "0.25", "0.5", "1"], [0, "1", "2", "3"]]),
    ):
        collected.add([{"metric": {"__name__": "d"}, "histograms": [[time, {"buckets": buckets}]]}])
    (histogram,) = collected.histograms()
    assert histogram.counts.sum(axis=1).tolist() == [5, 6]
    assert (np.diff(histogram.counts, axis=0) >= 0).all()


@pytest.mark.parametrize(
    ("interval", "blocks"), [(1.0, 40), (12.0, 40), (13.0, 20), (40.0, 10), (99.0, 10), (101.0, 1), (0.0, 1)]
)
def test_the_number_of_blocks_depends_on_the_interval_between_scrapes(interval: float, blocks: int) -> None:
    assert len(Window(0.0, 1000.0, 1000.0).edges(interval)) - 1 == blocks


def test_a_look_before_the_declared_end_is_early() -> None:
    assert Window(0.0, 50.0, 100.0).early
    assert not Window(0.0, 99.9, 100.0).early
    assert len(Window(0.0, 50.0, 100.0).sequential_edges(1.0)) - 1 == 20
    with pytest.raises(UsageError, match="empty"):
        Window(5.0, 5.0, 9.0)


@pytest.mark.parametrize("name", ["a b", "", "a/b", "..", '"}', "x\n"])
def test_invalid_names_of_experiments_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a valid name"):
        check_experiment_name(name)
