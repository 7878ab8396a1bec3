"""Totals of other libraries are copied to rows, and counted once whatever happens to the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Metric, Summary
from prometheus_client.registry import Collector

from dualmetrics import Telemetry
from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.bridges.bound_series import BoundSeries
from dualmetrics.bridges.registry import RegistryCollector
from dualmetrics.bridges.series_importer import SeriesImporter
from dualmetrics.model.descriptor import PROMETHEUS_SCOPE, Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point
from tests.forking import run_in_child
from tests.unit.bridges.bridged import make_metric, registry_of, shown_samples, telemetry
from tests.unit.stores import die, values, worker

JOBS = Descriptor(PROMETHEUS_SCOPE, "jobs_total", Kind.COUNTER, prometheus_type="counter")
LEVEL = Descriptor(PROMETHEUS_SCOPE, "level", Kind.GAUGE, prometheus_type="gauge")
SIZE = Descriptor(PROMETHEUS_SCOPE, "size", Kind.SUMMARY, bounds=(0.5,), prometheus_type="summary")
PHASE = Descriptor(
    PROMETHEUS_SCOPE, "phase", Kind.UP_DOWN_COUNTER, once_per_group=True, prometheus_type="stateset"
)


def import_point(importer: SeriesImporter, descriptor: Descriptor, *cells: float, start: int = 1) -> None:
    importer.import_families("source", [Family(descriptor, (Point((), start, cells),))])


def remembered(importer: SeriesImporter) -> list[BoundSeries[Any]]:
    return [*importer.counters.table.all(), *importer.gauges.table.all()]


def stored_cells(store: GroupStore, descriptor: Descriptor) -> list[float]:
    return values(store, descriptor).get((), [])


@pytest.mark.parametrize(
    "interrupt",
    [lambda store: store.invalidate_rows(), lambda store: store.leave_group(1.0), GroupStore.fold],
)
def test_nothing_is_lost_or_doubled_when_rows_become_invalid(
    tmp_path: Path, interrupt: Callable[[GroupStore], object]
) -> None:
    store = worker(tmp_path)
    importer = SeriesImporter(store)
    for count in (3.0, 3.0, 5.5):
        import_point(importer, JOBS, count)
        interrupt(store)
    import_point(importer, JOBS, 6.0)
    assert stored_cells(store, JOBS) == [6.0]


def test_a_total_that_falls_or_has_a_new_start_time_has_restarted(tmp_path: Path) -> None:
    store = worker(tmp_path)
    importer = SeriesImporter(store)
    import_point(importer, JOBS, 5.0)
    import_point(importer, JOBS, 2.0)
    assert stored_cells(store, JOBS) == [7.0]
    import_point(importer, JOBS, 4.0, start=2)
    assert stored_cells(store, JOBS) == [11.0]


def test_workers_are_added_up_and_the_totals_of_dead_ones_are_kept(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    import_point(SeriesImporter(first), JOBS, 0.1)
    import_point(SeriesImporter(second), JOBS, 0.2)
    die(first)
    second.fold()
    assert stored_cells(second, JOBS) == [0.1 + 0.2]


def test_series_beyond_the_cardinality_limit_are_added_up_in_one(tmp_path: Path) -> None:
    store = worker(tmp_path, limit=1)
    importer = SeriesImporter(store)
    for count in (1.0, 2.0, 5.0):
        points = tuple(Point((("n", str(number)),), 1, (count,)) for number in range(3))
        importer.import_families("source", [Family(JOBS, points)])
    assert sorted(cells[0] for cells in values(store, JOBS).values()) == [5.0, 10.0]


def test_the_gauge_that_was_set_last_is_shown_and_not_that_of_a_new_worker(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    importer = SeriesImporter(first)
    import_point(importer, LEVEL, 0.0, 1.0)
    import_point(importer, LEVEL, 7.0, 1.0)
    import_point(SeriesImporter(second), LEVEL, 0.0, 1.0)
    assert stored_cells(second, LEVEL)[0] == 7.0


def import_state(importer: SeriesImporter, state: str) -> None:
    """Import an enum with the states a, b and c, which is in ``state``."""
    points = tuple(Point((("phase", name),), 1, (float(name == state),)) for name in "abc")
    importer.import_families("source", [Family(PHASE, points)])


def shown_states(store: GroupStore) -> dict[object, float]:
    return {dict(key)["phase"]: cells[0] for key, cells in values(store, PHASE).items()}


def test_the_states_of_two_workers_are_not_mixed(tmp_path: Path) -> None:
    first, second = SeriesImporter(worker(tmp_path)), SeriesImporter(worker(tmp_path))
    for importer, state in ((first, "a"), (second, "a"), (first, "b"), (second, "c")):
        import_state(importer, state)
    assert shown_states(worker(tmp_path)) == {"a": 0, "b": 0, "c": 1}


@pytest.mark.parametrize("order", ["ba", "ab"])
def test_a_state_that_was_set_before_the_first_read_is_newer_than_an_initial_state(
    tmp_path: Path, order: str
) -> None:
    for state in order:
        import_state(SeriesImporter(worker(tmp_path)), state)
    assert shown_states(worker(tmp_path)) == {"a": 0, "b": 1, "c": 0}


def test_summaries_are_added_up_and_show_the_latest_quantiles(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    import_point(SeriesImporter(first), SIZE, 2.0, 10.0, 4.0, 1.0)
    import_point(SeriesImporter(second), SIZE, 3.0, 20.0, 5.0, 1.0)
    assert stored_cells(second, SIZE)[:3] == [5.0, 30.0, 5.0]


def test_a_value_that_its_collector_no_longer_shows_is_removed(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("level", "", ["a"], registry=registry)
    info = Info("build", "", registry=registry)
    gauge.labels("x").set(1)
    info.info({"version": "1"})
    with telemetry(tmp_path, registry) as recording:
        assert len(shown_samples(recording)) == 2
        gauge.remove("x")
        info.info({"version": "2"})
        assert shown_samples(recording) == {("build_info", (("version", "2"),)): "1.0"}
        gauge.labels("x").set(0)
        assert shown_samples(recording)["level", (("a", "x"),)] == "0.0"


def test_unregistering_a_collector_removes_its_values_but_not_its_counts(
    tmp_path: Path,
) -> None:
    registry = CollectorRegistry()
    jobs, level = Counter("jobs", "", registry=registry), Gauge("level", "", registry=registry)
    jobs.inc(2)
    level.set(7)
    with telemetry(tmp_path, registry) as recording:
        assert shown_samples(recording) == {("jobs_total", ()): "2.0", ("level", ()): "7.0"}
        registry.unregister(jobs)
        registry.unregister(level)
        assert shown_samples(recording) == {("jobs_total", ()): "2.0"}
        registry.register(jobs)
        registry.register(level)
        jobs.inc()
        assert shown_samples(recording) == {("jobs_total", ()): "3.0", ("level", ()): "7.0"}


def test_a_collector_that_is_unregistered_while_it_is_read_shows_nothing(tmp_path: Path) -> None:
    registry = CollectorRegistry()

    class Leaving(Collector):
        def collect(self) -> Iterator[Metric]:
            registry.unregister(self)
            yield make_metric("gauge", "level", ("", {}, 7))
            recording.render()  # another read, which finds that it was unregistered

    with telemetry(tmp_path, registry) as recording:
        registry.register(Leaving())
        recording.render()
        assert shown_samples(recording) == {}


def test_counts_that_two_collectors_show_are_added_up_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    for registry, count in ((first, 5), (second, 3)):
        Counter("jobs", "", registry=registry).inc(count)
        sizes = Histogram("sizes", "", registry=registry, buckets=[1])
        sizes.observe(count)
    with telemetry(tmp_path, first, second) as recording:
        for _ in range(2):
            recording.render()
        samples = shown_samples(recording)
    assert (samples["jobs_total", ()], samples["sizes_sum", ()], samples["sizes_count", ()]) == (
        "8.0",
        "8.0",
        "2.0",
    )
    assert caplog.text.count("the same series of jobs_total") == 1


def test_the_latest_of_the_values_that_two_collectors_show_is_shown(tmp_path: Path) -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    mine, yours = (Gauge("level", "", ["a"], registry=registry) for registry in (first, second))
    with telemetry(tmp_path, first, second) as recording:
        mine.labels("x").set(5)
        yours.labels("x").set(3)
        assert shown_samples(recording) == {("level", (("a", "x"),)): "3.0"}
        mine.labels("x").set(6)
        assert shown_samples(recording) == {("level", (("a", "x"),)): "6.0"}
        mine.remove("x")
        recording.render()
        assert shown_samples(recording) == {("level", (("a", "x"),)): "3.0"}


def test_a_series_that_one_collector_shows_twice_is_added_up(tmp_path: Path) -> None:
    jobs = [make_metric("counter", "jobs", ("_total", {}, value)) for value in (5, 3)]
    with telemetry(tmp_path, registry_of(*jobs)) as recording:
        for _ in range(3):
            assert shown_samples(recording) == {("jobs_total", ()): "8.0"}


@pytest.mark.parametrize("kind", [Counter, Gauge, Histogram, Summary])
def test_removed_labels_are_forgotten(tmp_path: Path, kind: type[Any]) -> None:
    registry = CollectorRegistry()
    churning = kind("churning", "", ["a"], registry=registry)
    importer = SeriesImporter(worker(tmp_path))
    read = RegistryCollector(churning, lambda what, why: None)
    for number in range(20):
        churning.labels("kept" if number % 2 else str(number))
        importer.import_families(read, read.read(), forgets_removed=read.forgets_removed)
        if not number % 2:
            churning.remove(str(number))
    assert [series.key for series in remembered(importer)] == [(("a", "kept"),)]


def raise_error() -> Metric:
    raise RuntimeError("not now")


def invalid_metric() -> Metric:
    return make_metric("counter", "jobs", ("_total", {}, "many"))


@pytest.mark.parametrize("fail", [raise_error, invalid_metric])
def test_a_failed_read_does_not_end_a_series(tmp_path: Path, fail: Callable[[], Metric]) -> None:
    class SometimesFailing(Counter):
        fails = False

        def collect(self) -> Iterable[Metric]:
            return [fail()] if self.fails else super().collect()

    registry = CollectorRegistry()
    jobs = SometimesFailing("jobs", "", registry=registry)
    jobs.inc(2)
    with telemetry(tmp_path, registry) as recording:
        for jobs.fails in (False, True, False):
            assert shown_samples(recording) == {("jobs_total", ()): "2.0"}


def test_values_of_a_removed_source_are_forgotten_and_its_sums_continue(tmp_path: Path) -> None:
    store = worker(tmp_path)
    importer = SeriesImporter(store)
    for life in range(1, 4):
        importer.import_families(
            life, [Family(descriptor, (Point((), 1, (life,)),)) for descriptor in (JOBS, LEVEL)]
        )
        assert (stored_cells(store, JOBS), stored_cells(store, LEVEL)[:1]) == ([life], [life])
        importer.remove_source(life)
        assert (stored_cells(store, JOBS), stored_cells(store, LEVEL)) == ([life], [])
    assert len([*importer.counters.table.all()]) == 1
    assert [*importer.gauges.table.all()] == []


def test_labels_that_are_removed_and_set_again_start_at_zero_and_are_added_up(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    jobs = Counter("jobs", "", ["a"], registry=registry)
    with telemetry(tmp_path, registry) as recording:
        for total in (2, 4, 6):
            jobs.labels("x").inc(2)
            assert shown_samples(recording) == {("jobs_total", (("a", "x"),)): f"{total}.0"}
            jobs.remove("x")
            assert shown_samples(recording) == {("jobs_total", (("a", "x"),)): f"{total}.0"}


def test_a_forked_child_contributes_only_what_it_counts_itself(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counter = Counter("jobs", "", registry=registry)
    sizes = Histogram("sizes", "", registry=registry, buckets=[1])
    waits = Summary("waits", "", registry=registry)
    counter.inc(3)
    with telemetry(tmp_path, registry, label="fork", metrics_exporter="prometheus") as recording:

        def work() -> None:
            for metric in (sizes, waits):
                metric.observe(0.5)
            counter.inc()
            recording.render()

        for _ in range(3):
            run_in_child(work)
        samples = shown_samples(recording)
    assert samples["jobs_total", ()] == "6.0"
    assert samples["sizes_count", ()] == samples["waits_count", ()] == "3.0"
    assert samples["sizes_sum", ()] == "1.5"


def test_forks_during_reads_leave_no_lock_held(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counters = [Counter(f"jobs{number}", "", registry=registry) for number in range(50)]
    Enum("phase", "", states=["a"], registry=registry)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        recording.render()

        def work() -> None:
            for counter in counters:
                counter.inc()
            recording.render()

        for _ in range(20):
            run_in_child(work)
        assert shown_samples(recording)["jobs7_total", ()] == "20.0"


def test_reset_forgets_imported_totals_too(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counter = Counter("jobs", "", registry=registry)
    counter.inc(3)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        assert shown_samples(recording)["jobs_total", ()] == "3.0"
        recording.reset()
        counter.inc()
        assert shown_samples(recording)["jobs_total", ()] == "1.0"


def test_no_registry_is_read_if_nothing_is_exported() -> None:
    class Never:
        def collect(self) -> list[Family]:
            raise AssertionError

    recording = Telemetry(registries=[Never()], metrics_exporter="none")
    recording.start()
    recording.shutdown()
    recording._components.lifecycle.at_exit()
    assert recording.errors.error_count == 0
