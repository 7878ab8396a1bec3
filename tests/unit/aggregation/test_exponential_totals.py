"""Exponential histograms of a worker group: the sum of all workers, whoever of them lives."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background import delta_baseline
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Snapshot
from tests.forking import run_in_child
from tests.unit.model.test_exponential_histogram import histogram
from tests.unit.stores import HISTOGRAM, die, exponentials, record, values, worker


def with_sum(*recorded: float) -> ExponentialHistogram:
    return histogram([*recorded])._replace(sum=sum(recorded))


@contextmanager
def child(work: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """A forked child that does ``work`` meanwhile; gives whether it is still at it."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    try:
        yield process.is_alive
    finally:
        process.kill()
        process.join()
        process.close()


def one(directory: Path | None, limit: int = 2000) -> GroupStore:
    """A worker that records exponential histograms."""
    return worker(directory, limit=limit, exponential=True)


def test_a_worker_alone_shows_what_it_recorded() -> None:
    store = one(None)
    record(store, 0.5, 0.75, 0.0)
    assert exponentials(store) == {(): with_sum(0.5, 0.75, 0.0)}
    assert values(store, HISTOGRAM) == {(): [3.0, 0.0, 0.0, 1.25]}


def test_workers_of_different_scales_are_added(tmp_path: Path) -> None:
    first, second = one(tmp_path), one(tmp_path)
    record(first, 0.5, 0.75)
    record(second, 1.0, 4096.0, 0.0)
    for store in (first, second):
        assert exponentials(store) == {(): with_sum(0.5, 0.75, 1.0, 4096.0, 0.0)}


def test_series_are_kept_apart(tmp_path: Path) -> None:
    first, second = one(tmp_path), one(tmp_path)
    a: Attributes = (("route", "/a"),)
    record(first, 0.5, attributes=a)
    record(first, 8.0)
    record(second, 0.25, attributes=a)
    assert exponentials(second) == {a: with_sum(0.25, 0.5), (): with_sum(8.0)}


def test_what_a_dead_worker_recorded_stays_through_every_fold(tmp_path: Path) -> None:
    survivor = one(tmp_path)
    record(survivor, 1.0)
    for value in (2.0, 3.0, 1000.0):
        victim = one(tmp_path)
        record(victim, value)
        die(victim)
        before = exponentials(survivor)
        survivor.fold()
        assert exponentials(survivor) == before
    assert exponentials(survivor) == {(): with_sum(1.0, 2.0, 3.0, 1000.0)}
    assert exponentials(one(tmp_path)) == exponentials(survivor)


def test_a_worker_that_records_none_folds_those_of_others_all_the_same(tmp_path: Path) -> None:
    victim = one(tmp_path)
    record(victim, 2.0)
    die(victim)
    worker(tmp_path).fold()
    assert exponentials(one(tmp_path)) == {(): with_sum(2.0)}


def test_the_sum_is_of_those_workers_that_record_them(tmp_path: Path) -> None:
    """As after a reload that turned them on."""
    before, after = worker(tmp_path), one(tmp_path)
    before.row(HISTOGRAM, ())[0] += 1
    before.row(HISTOGRAM, ())[-1] += 0.5
    record(after, 2.0)
    assert exponentials(after) == {(): with_sum(2.0)}
    assert values(after, HISTOGRAM) == {(): [1.0, 1.0, 0.0, 2.5]}
    die(after)
    before.fold()
    assert exponentials(one(tmp_path)) == {(): with_sum(2.0)}


def test_where_they_are_off_nothing_is_kept_and_nothing_shown(tmp_path: Path) -> None:
    store = worker(tmp_path)
    store.row(HISTOGRAM, ())[0] += 1
    record(one(tmp_path), 2.0)
    assert exponentials(store) == {(): None}


def test_they_are_left_out_where_they_are_not_wanted(tmp_path: Path) -> None:
    store = one(tmp_path)
    record(store, 2.0)
    [family] = store.read(exponential=False).families
    assert [point.exponential for point in family.points] == [None]


def test_what_is_past_the_limit_is_counted_in_the_overflow(tmp_path: Path) -> None:
    store = one(tmp_path, limit=1)
    for value in (1.0, 2.0, 4.0):
        record(store, value, attributes=(("n", int(value)),))
    assert exponentials(store) == {
        (("n", 1),): with_sum(1.0),
        (("otel.metric.overflow", True),): with_sum(2.0, 4.0),
    }


def test_who_interrupts_the_making_of_a_series_is_counted_too(tmp_path: Path) -> None:
    store = one(tmp_path, limit=1)
    record(store, 1.0)
    store.on_overflow = lambda descriptor: record(store, 0.25, 1024.0)
    record(store, 3.0, attributes=(("past", "the limit"),))
    assert exponentials(store)[()] == with_sum(1.0, 0.25, 1024.0)


def test_a_forked_child_begins_anew(tmp_path: Path) -> None:
    store = one(tmp_path)
    record(store, 1.0)

    def work() -> None:
        record(store, 2.0)

    run_in_child(work)
    assert exponentials(store) == {(): with_sum(1.0, 2.0)}


def test_a_full_disk_leaves_them_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = one(tmp_path)
    record(store, 1.0)
    monkeypatch.setattr("dualmetrics.storage.regions.CAPACITY", 0)
    record(store, 2.0, attributes=(("late", "yes"),))
    assert exponentials(store) == {(): with_sum(1.0), (("late", "yes"),): with_sum(2.0)}
    assert exponentials(one(tmp_path)) == {(): with_sum(1.0)}


def test_a_baseline_keeps_them(tmp_path: Path) -> None:
    store = one(tmp_path)
    record(store, 0.0, 0.5, 700.0)
    families, membership = tuple(store.read().families), store.membership()
    assert membership is not None
    delta_baseline.save_baseline(membership.directory, membership.identity.group_id, Snapshot(1, (), families))
    found = delta_baseline.load_baseline(membership.directory)
    assert found is not None
    assert [point.exponential for family in found.families for point in family.points] == [
        with_sum(0.0, 0.5, 700.0)
    ]


parts = st.lists(st.lists(st.floats(0, 1e9), max_size=8), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts, st.data())
def test_any_group_has_all_that_was_recorded(
    tmp_path_factory: pytest.TempPathFactory, recorded: list[list[float]], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("group")
    reader = one(directory)
    for part in recorded:
        store = one(directory)
        record(store, *part)
        if data.draw(st.booleans()):
            die(store)
        if data.draw(st.booleans()):
            reader.fold()
    [found] = exponentials(reader).values()
    assert found is not None
    assert found._replace(sum=0.0) == histogram([value for part in recorded for value in part])


def test_a_reader_never_sees_a_count_fall(tmp_path: Path) -> None:
    """While another process records what makes the buckets coarser all the time."""
    reader, series, each = one(tmp_path), 200, 60

    def write() -> None:
        source = random.Random(1)
        for at in range(series * each):
            record(reader, source.random() * 4 ** (at // series), attributes=(("n", at % series),))

    seen: dict[Attributes, float] = {}
    reads = 0
    with child(write) as alive:
        while alive():
            for attributes, found in exponentials(reader).items():
                assert found is not None
                assert found.total_count >= seen.get(attributes, 0.0)
                seen[attributes] = found.total_count
            reads += 1
    assert reads > 5
    final = [found.total_count for found in exponentials(reader).values() if found]
    assert final == [each] * series
