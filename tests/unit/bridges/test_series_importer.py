"""Foreign totals in rows: copied, and counted once whatever becomes of the rows."""

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
from tests.unit.bridges.bridged import metric, of, shown, telemetry
from tests.unit.stores import die, values, worker

JOBS = Descriptor(PROMETHEUS_SCOPE, "jobs_total", Kind.COUNTER, prometheus_type="counter")
LEVEL = Descriptor(PROMETHEUS_SCOPE, "level", Kind.GAUGE, prometheus_type="gauge")
SIZE = Descriptor(PROMETHEUS_SCOPE, "size", Kind.SUMMARY, bounds=(0.5,), prometheus_type="summary")
PHASE = Descriptor(
    PROMETHEUS_SCOPE, "phase", Kind.UP_DOWN_COUNTER, once_per_group=True, prometheus_type="stateset"
)


def share(rows: SeriesImporter, descriptor: Descriptor, *cells: float, start: int = 1) -> None:
    rows.import_families("source", [Family(descriptor, (Point((), start, cells),))])


def remembered(rows: SeriesImporter) -> list[BoundSeries[Any]]:
    return [*rows.counters.table.all(), *rows.gauges.table.all()]


def total(store: GroupStore, descriptor: Descriptor) -> list[float]:
    return values(store, descriptor).get((), [])


@pytest.mark.parametrize(
    "interrupt", [GroupStore.invalidate_rows, lambda store: store.leave_group(1.0), GroupStore.fold]
)
def test_nothing_is_lost_or_doubled_when_rows_become_void(
    tmp_path: Path, interrupt: Callable[[GroupStore], object]
) -> None:
    store = worker(tmp_path)
    rows = SeriesImporter(store)
    for count in (3.0, 3.0, 5.5):
        share(rows, JOBS, count)
        interrupt(store)
    share(rows, JOBS, 6.0)
    assert total(store, JOBS) == [6.0]


def test_a_total_that_falls_or_is_another_one_begins_anew(tmp_path: Path) -> None:
    store = worker(tmp_path)
    rows = SeriesImporter(store)
    share(rows, JOBS, 5.0)
    share(rows, JOBS, 2.0)
    assert total(store, JOBS) == [7.0]
    share(rows, JOBS, 4.0, start=2)
    assert total(store, JOBS) == [11.0]


def test_workers_add_up_and_a_dead_ones_totals_stay(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    share(SeriesImporter(first), JOBS, 0.1)
    share(SeriesImporter(second), JOBS, 0.2)
    die(first)
    second.fold()
    assert total(second, JOBS) == [0.1 + 0.2]


def test_past_the_limit_series_add_up_in_one(tmp_path: Path) -> None:
    store = worker(tmp_path, limit=1)
    rows = SeriesImporter(store)
    for count in (1.0, 2.0, 5.0):
        points = tuple(Point((("n", str(number)),), 1, (count,)) for number in range(3))
        rows.import_families("source", [Family(JOBS, points)])
    assert sorted(cells[0] for cells in values(store, JOBS).values()) == [5.0, 10.0]


def test_the_gauge_that_was_set_last_is_shown_and_not_the_one_of_a_new_worker(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    rows = SeriesImporter(first)
    share(rows, LEVEL, 0.0, 1.0)
    share(rows, LEVEL, 7.0, 1.0)
    share(SeriesImporter(second), LEVEL, 0.0, 1.0)
    assert total(second, LEVEL)[0] == 7.0


def enter(rows: SeriesImporter, wanted: str) -> None:
    """Be in one of three states, as an enum that begins with the first."""
    points = tuple(Point((("phase", each),), 1, (float(each == wanted),)) for each in "abc")
    rows.import_families("source", [Family(PHASE, points)])


def states(store: GroupStore) -> dict[object, float]:
    return {dict(key)["phase"]: cells[0] for key, cells in values(store, PHASE).items()}


def test_the_states_of_a_worker_hold_together(tmp_path: Path) -> None:
    first, second = SeriesImporter(worker(tmp_path)), SeriesImporter(worker(tmp_path))
    for rows, wanted in ((first, "a"), (second, "a"), (first, "b"), (second, "c")):
        enter(rows, wanted)
    assert states(worker(tmp_path)) == {"a": 0, "b": 0, "c": 1}


@pytest.mark.parametrize("order", ["ba", "ab"])
def test_a_state_that_was_entered_before_the_first_read_is_newer_than_one_that_nobody_left(
    tmp_path: Path, order: str
) -> None:
    for wanted in order:
        enter(SeriesImporter(worker(tmp_path)), wanted)
    assert states(worker(tmp_path)) == {"a": 0, "b": 1, "c": 0}


def test_summaries_add_up_with_the_quantiles_seen_last(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    share(SeriesImporter(first), SIZE, 2.0, 10.0, 4.0, 1.0)
    share(SeriesImporter(second), SIZE, 3.0, 20.0, 5.0, 1.0)
    assert total(second, SIZE)[:3] == [5.0, 30.0, 5.0]


def test_a_value_that_is_not_shown_any_more_goes(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("level", "", ["a"], registry=registry)
    info = Info("build", "", registry=registry)
    gauge.labels("x").set(1)
    info.info({"version": "1"})
    with telemetry(tmp_path, registry) as made:
        assert len(shown(made)) == 2
        gauge.remove("x")
        info.info({"version": "2"})
        assert shown(made) == {("build_info", (("version", "2"),)): "1.0"}
        gauge.labels("x").set(0)
        assert shown(made)["level", (("a", "x"),)] == "0.0"


def test_a_collector_that_is_unregistered_takes_its_values_along_and_leaves_its_counts(
    tmp_path: Path,
) -> None:
    registry = CollectorRegistry()
    jobs, level = Counter("jobs", "", registry=registry), Gauge("level", "", registry=registry)
    jobs.inc(2)
    level.set(7)
    with telemetry(tmp_path, registry) as made:
        assert shown(made) == {("jobs_total", ()): "2.0", ("level", ()): "7.0"}
        registry.unregister(jobs)
        registry.unregister(level)
        assert shown(made) == {("jobs_total", ()): "2.0"}
        registry.register(jobs)
        registry.register(level)
        jobs.inc()
        assert shown(made) == {("jobs_total", ()): "3.0", ("level", ()): "7.0"}


def test_one_that_is_unregistered_while_it_is_read_shows_nothing(tmp_path: Path) -> None:
    registry = CollectorRegistry()

    class Leaving(Collector):
        def collect(self) -> Iterator[Metric]:
            registry.unregister(self)
            yield metric("gauge", "level", ("", {}, 7))
            made.render()  # another read, which finds it gone

    with telemetry(tmp_path, registry) as made:
        registry.register(Leaving())
        made.render()
        assert shown(made) == {}


def test_what_two_collectors_show_adds_up_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    for registry, count in ((first, 5), (second, 3)):
        Counter("jobs", "", registry=registry).inc(count)
        sizes = Histogram("sizes", "", registry=registry, buckets=[1])
        sizes.observe(count)
    with telemetry(tmp_path, first, second) as made:
        for _ in range(2):
            made.render()
        samples = shown(made)
    assert (samples["jobs_total", ()], samples["sizes_sum", ()], samples["sizes_count", ()]) == (
        "8.0",
        "8.0",
        "2.0",
    )
    assert caplog.text.count("the same series of jobs_total") == 1


def test_of_values_that_two_collectors_show_the_latest_stays_until_the_other_goes(tmp_path: Path) -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    mine, yours = (Gauge("level", "", ["a"], registry=registry) for registry in (first, second))
    with telemetry(tmp_path, first, second) as made:
        mine.labels("x").set(5)
        yours.labels("x").set(3)
        assert shown(made) == {("level", (("a", "x"),)): "3.0"}
        mine.labels("x").set(6)
        assert shown(made) == {("level", (("a", "x"),)): "6.0"}
        mine.remove("x")
        made.render()
        assert shown(made) == {("level", (("a", "x"),)): "3.0"}


def test_a_series_that_one_collector_shows_twice_adds_up(tmp_path: Path) -> None:
    jobs = [metric("counter", "jobs", ("_total", {}, value)) for value in (5, 3)]
    with telemetry(tmp_path, of(*jobs)) as made:
        for _ in range(3):
            assert shown(made) == {("jobs_total", ()): "8.0"}


@pytest.mark.parametrize("kind", [Counter, Gauge, Histogram, Summary])
def test_nothing_is_remembered_of_labels_that_were_removed(tmp_path: Path, kind: type[Any]) -> None:
    registry = CollectorRegistry()
    churning = kind("churning", "", ["a"], registry=registry)
    rows = SeriesImporter(worker(tmp_path))
    read = RegistryCollector(churning, lambda what, why: None)
    for number in range(20):
        churning.labels("kept" if number % 2 else str(number))
        rows.import_families(read, read.read(), forgets_removed=read.forgets_removed)
        if not number % 2:
            churning.remove(str(number))
    assert [series.key for series in remembered(rows)] == [(("a", "kept"),)]


def raising() -> Metric:
    raise RuntimeError("not now")


def garbage() -> Metric:
    return metric("counter", "jobs", ("_total", {}, "many"))  # type: ignore[arg-type]  # that is what it is about


@pytest.mark.parametrize("stumble", [raising, garbage])
def test_a_failed_read_is_no_end_of_a_series(tmp_path: Path, stumble: Callable[[], Metric]) -> None:
    class Stumbling(Counter):
        stumbles = False

        def collect(self) -> Iterable[Metric]:
            return [stumble()] if self.stumbles else super().collect()

    registry = CollectorRegistry()
    jobs = Stumbling("jobs", "", registry=registry)
    jobs.inc(2)
    with telemetry(tmp_path, registry) as made:
        for jobs.stumbles in (False, True, False):
            assert shown(made) == {("jobs_total", ()): "2.0"}


def test_values_of_a_source_that_ended_are_forgotten_and_sums_go_on(tmp_path: Path) -> None:
    store = worker(tmp_path)
    rows = SeriesImporter(store)
    for life in range(1, 4):
        rows.import_families(
            life, [Family(descriptor, (Point((), 1, (life,)),)) for descriptor in (JOBS, LEVEL)]
        )
        assert (total(store, JOBS), total(store, LEVEL)[:1]) == ([life], [life])
        rows.remove_source(life)
        assert (total(store, JOBS), total(store, LEVEL)) == ([life], [])
    assert len([*rows.counters.table.all()]) == 1
    assert [*rows.gauges.table.all()] == []


def test_labels_that_come_again_begin_at_zero_and_add_up(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    jobs = Counter("jobs", "", ["a"], registry=registry)
    with telemetry(tmp_path, registry) as made:
        for total in (2, 4, 6):
            jobs.labels("x").inc(2)
            assert shown(made) == {("jobs_total", (("a", "x"),)): f"{total}.0"}
            jobs.remove("x")
            assert shown(made) == {("jobs_total", (("a", "x"),)): f"{total}.0"}


def test_a_forked_child_shares_what_it_counts_itself(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counter = Counter("jobs", "", registry=registry)
    sizes = Histogram("sizes", "", registry=registry, buckets=[1])
    waits = Summary("waits", "", registry=registry)
    counter.inc(3)
    with telemetry(tmp_path, registry, label="fork", metrics_exporter="prometheus") as made:

        def work() -> None:
            for metric in (sizes, waits):
                metric.observe(0.5)
            counter.inc()
            made.render()

        for _ in range(3):
            run_in_child(work)
        samples = shown(made)
    assert samples["jobs_total", ()] == "6.0"
    assert samples["sizes_count", ()] == samples["waits_count", ()] == "3.0"
    assert samples["sizes_sum", ()] == "1.5"


def test_forks_amid_reads_leave_no_lock_behind(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counters = [Counter(f"jobs{number}", "", registry=registry) for number in range(50)]
    Enum("phase", "", states=["a"], registry=registry)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as made:
        made.render()

        def work() -> None:
            for counter in counters:
                counter.inc()
            made.render()

        for _ in range(20):
            run_in_child(work)
        assert shown(made)["jobs7_total", ()] == "20.0"


def test_reset_forgets_foreign_totals_too(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counter = Counter("jobs", "", registry=registry)
    counter.inc(3)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as made:
        assert shown(made)["jobs_total", ()] == "3.0"
        made.reset()
        counter.inc()
        assert shown(made)["jobs_total", ()] == "1.0"


def test_where_nothing_is_exported_no_registry_is_read() -> None:
    class Never:
        def collect(self) -> list[Family]:
            raise AssertionError

    made = Telemetry(registries=[Never()], metrics_exporter="none")
    made.start()
    made.shutdown()
    made.at_exit()
    assert made.errors.error_count == 0
