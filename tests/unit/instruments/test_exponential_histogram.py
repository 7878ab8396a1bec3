"""A histogram that is recorded in exponential buckets as well. Otherwise it behaves like a plain one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.config.loading import load_settings
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.instruments.meter import MeterProvider
from dualmetrics.instruments.synchronous import Histogram, HistogramWithExponentialBuckets
from dualmetrics.model.snapshot import Point
from dualmetrics.runtime.errors import ErrorReporter
from tests.forking import run_in_child
from tests.unit.model.test_exponential_histogram import histogram
from tests.unit.stores import worker


class HistogramRecording:
    """A histogram, and what it has recording."""

    def __init__(self, directory: Path | None = None, exponential: bool = True) -> None:
        self.store: GroupStore = worker(directory, exponential=exponential)
        self.errors = ErrorReporter()
        exemplars = ExemplarFilter(self.store, self.errors, load_settings({}))
        provider = MeterProvider(self.store, CallbackRunner(self.errors), self.errors, exemplars, {})
        self.histogram = provider.get_meter("tests").create_histogram("took")

    def points(self) -> list[Point]:
        return [point for family in self.store.read().families for point in family.points]


def test_settings_decide_when_the_instrument_is_created() -> None:
    assert type(HistogramRecording().histogram) is HistogramWithExponentialBuckets
    assert type(HistogramRecording(exponential=False).histogram) is Histogram


def test_each_value_is_in_both_kinds_of_buckets() -> None:
    recording = HistogramRecording()
    for value in (0, 3, 7.5, 12000):
        recording.histogram.record(value, {"a": "b"})
    [point] = recording.points()
    assert sum(point.cells[:-1]) == 4
    assert point.exponential == histogram([0, 3.0, 7.5, 12000.0])._replace(sum=12010.5)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), -float("inf"), "1", None])
def test_bad_value_is_ignored_in_both_kinds_of_buckets(value: Any) -> None:
    recording = HistogramRecording()
    recording.histogram.record(1)
    recording.histogram.record(value)
    [point] = recording.points()
    assert point.exponential == histogram([1.0])._replace(sum=1.0)
    assert recording.errors.error_count == 1


def test_equal_attributes_of_different_types_are_different_series() -> None:
    recording = HistogramRecording()
    for value in (1, 1.0, True, "1", [1, 2]):
        recording.histogram.record(2.0, {"k": value})
    assert [point.exponential for point in recording.points()] == [histogram([2.0])._replace(sum=2.0)] * 5


def test_forked_child_records_into_a_row_of_its_own(tmp_path: Path) -> None:
    recording = HistogramRecording(tmp_path)
    recording.histogram.record(1.0)

    def child() -> None:
        recording.histogram.record(2.0)
        recording.histogram.record(100.0)

    run_in_child(child)
    recording.histogram.record(4.0)
    [point] = recording.points()
    assert point.exponential == histogram([1.0, 2.0, 100.0, 4.0])._replace(sum=107.0)


def test_worker_file_has_no_exponential_cells_unless_configured(tmp_path: Path) -> None:
    sizes = []
    for exponential in (False, True):
        directory = tmp_path / str(exponential)
        directory.mkdir()
        recording = HistogramRecording(directory, exponential)
        recording.histogram.record(1.0)
        [file] = [path for path in directory.rglob("worker-*") if os.path.isfile(path)]
        sizes.append(file.read_bytes()[56:64])
    off, on = (int.from_bytes(size, "little") for size in sizes)
    assert on - off > 2000
    assert off < 600
