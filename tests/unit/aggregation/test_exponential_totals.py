"""Exponential histograms of a worker group are the sum of all workers, dead ones included."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.series import Series, SeriesCatalog
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
    """Run ``work`` in a forked child meanwhile; yields a function that says whether it still runs."""
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


def test_a_single_worker_shows_what_it_recorded() -> None:
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


def test_every_fold_keeps_what_dead_workers_recorded(tmp_path: Path) -> None:
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


def test_a_worker_without_exponential_histograms_folds_those_of_others(tmp_path: Path) -> None:
    victim = one(tmp_path)
    record(victim, 2.0)
    die(victim)
    worker(tmp_path).fold()
    assert exponentials(one(tmp_path)) == {(): with_sum(2.0)}


def test_the_total_has_only_the_workers_that_record_exponential_buckets(tmp_path: Path) -> None:
    """As it happens after a reload that turned them on."""
    before, after = worker(tmp_path), one(tmp_path)
    before.row(HISTOGRAM, ())[0] += 1
    before.row(HISTOGRAM, ())[-1] += 0.5
    record(after, 2.0)
    assert exponentials(after) == {(): with_sum(2.0)}
    assert values(after, HISTOGRAM) == {(): [1.0, 1.0, 0.0, 2.5]}
    die(after)
    before.fold()
    assert exponentials(one(tmp_path)) == {(): with_sum(2.0)}


def test_nothing_is_recorded_and_shown_if_they_are_off(tmp_path: Path) -> None:
    store = worker(tmp_path)
    store.row(HISTOGRAM, ())[0] += 1
    record(one(tmp_path), 2.0)
    assert exponentials(store) == {(): None}


def test_a_read_without_them_leaves_them_out(tmp_path: Path) -> None:
    store = one(tmp_path)
    record(store, 2.0)
    [family] = store.read(exponential=False).families
    assert [point.exponential for point in family.points] == [None]


def test_values_past_the_limit_are_counted_in_the_overflow_series(tmp_path: Path) -> None:
    store = one(tmp_path, limit=1)
    for value in (1.0, 2.0, 4.0):
        record(store, value, attributes=(("n", int(value)),))
    assert exponentials(store) == {
        (("n", 1),): with_sum(1.0),
        (("otel.metric.overflow", True),): with_sum(2.0, 4.0),
    }


def test_a_value_that_interrupts_the_making_of_a_series_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, make_series = one(tmp_path), SeriesCatalog.series
    record(store, 1.0)

    def interrupted(catalog: SeriesCatalog, *arguments: Any) -> Series:
        monkeypatch.setattr(SeriesCatalog, "series", make_series)
        record(store, 0.25, 1024.0)
        return make_series(catalog, *arguments)

    monkeypatch.setattr(SeriesCatalog, "series", interrupted)
    record(store, 3.0, attributes=(("a", "new one"),))
    assert exponentials(store)[()] == with_sum(1.0, 0.25, 1024.0)


def test_a_forked_child_records_into_its_own_row(tmp_path: Path) -> None:
    store = one(tmp_path)
    record(store, 1.0)

    def work() -> None:
        record(store, 2.0)

    run_in_child(work)
    assert exponentials(store) == {(): with_sum(1.0, 2.0)}


def test_they_are_private_if_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = one(tmp_path)
    record(store, 1.0)
    monkeypatch.setattr("dualmetrics.storage.regions.CAPACITY", 0)
    record(store, 2.0, attributes=(("late", "yes"),))
    assert exponentials(store) == {(): with_sum(1.0), (("late", "yes"),): with_sum(2.0)}
    assert exponentials(one(tmp_path)) == {(): with_sum(1.0)}


def test_the_baseline_keeps_them(tmp_path: Path) -> None:
    store = one(tmp_path)
    record(store, 0.0, 0.5, 700.0)
    families, membership = tuple(store.read().families), store.membership()
    assert membership is not None
    delta_baseline.save_baseline(
        membership.directory, membership.identity.group_id, Snapshot(1, (), families)
    )
    found = delta_baseline.load_baseline(membership.directory)
    assert found is not None
    assert [point.exponential for family in found.families for point in family.points] == [
        with_sum(0.0, 0.5, 700.0)
    ]


parts = st.lists(st.lists(st.floats(0, 1e9), max_size=8), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts, st.data())
def test_any_group_shows_everything_that_was_recorded(
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
    """Another process records values meanwhile that make the buckets coarser again and again."""
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
