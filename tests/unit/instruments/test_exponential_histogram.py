"""A histogram of the API that is recorded in exponential buckets too: all else is as without."""

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


class Recorded:
    """A histogram, and what it recorded."""

    def __init__(self, directory: Path | None = None, exponential: bool = True) -> None:
        self.store: GroupStore = worker(directory, exponential=exponential)
        self.errors = ErrorReporter()
        exemplars = ExemplarFilter(self.store, self.errors, load_settings({}))
        provider = MeterProvider(self.store, CallbackRunner(self.errors), self.errors, exemplars, {})
        self.histogram = provider.get_meter("tests").create_histogram("took")

    def points(self) -> list[Point]:
        return [point for family in self.store.read().families for point in family.points]


def test_it_is_chosen_when_the_instrument_is_made() -> None:
    assert type(Recorded().histogram) is HistogramWithExponentialBuckets
    assert type(Recorded(exponential=False).histogram) is Histogram


def test_both_kinds_of_buckets_have_each_value() -> None:
    recorded = Recorded()
    for value in (0, 3, 7.5, 12000):
        recorded.histogram.record(value, {"a": "b"})
    [point] = recorded.points()
    assert sum(point.cells[:-1]) == 4
    assert point.exponential == histogram([0, 3.0, 7.5, 12000.0])._replace(sum=12010.5)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), -float("inf"), "1", None])
def test_what_the_other_refuses_it_refuses_in_both(value: Any) -> None:
    recorded = Recorded()
    recorded.histogram.record(1)
    recorded.histogram.record(value)
    [point] = recorded.points()
    assert point.exponential == histogram([1.0])._replace(sum=1.0)
    assert recorded.errors.error_count == 1


def test_attributes_of_any_type_are_told_apart() -> None:
    recorded = Recorded()
    for value in (1, 1.0, True, "1", [1, 2]):
        recorded.histogram.record(2.0, {"k": value})
    assert [point.exponential for point in recorded.points()] == [histogram([2.0])._replace(sum=2.0)] * 5


def test_a_forked_child_records_in_its_own_row(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.histogram.record(1.0)

    def child() -> None:
        recorded.histogram.record(2.0)
        recorded.histogram.record(100.0)

    run_in_child(child)
    recorded.histogram.record(4.0)
    [point] = recorded.points()
    assert point.exponential == histogram([1.0, 2.0, 100.0, 4.0])._replace(sum=107.0)


def test_the_file_of_a_worker_that_records_none_has_none(tmp_path: Path) -> None:
    sizes = []
    for exponential in (False, True):
        directory = tmp_path / str(exponential)
        directory.mkdir()
        recorded = Recorded(directory, exponential)
        recorded.histogram.record(1.0)
        [file] = [each for each in directory.rglob("worker-*") if os.path.isfile(each)]
        sizes.append(file.read_bytes()[56:64])
    off, on = (int.from_bytes(size, "little") for size in sizes)
    assert on - off > 2000
    assert off < 600
