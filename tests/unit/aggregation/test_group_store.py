"""Several workers of one group; each store acts like a worker, because their locks exclude each other."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.worker_store import OVERFLOW_ATTRIBUTES
from dualmetrics.model.descriptor import Descriptor, Kind
from tests.forking import run_in_child
from tests.unit.stores import COUNTER, GAUGE, HISTOGRAM, SCOPE, UP_DOWN, die, values, worker


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file()}


def test_any_worker_shows_the_total(tmp_path: Path) -> None:
    workers = [worker(tmp_path) for _ in range(4)]
    for number, store in enumerate(workers):
        store.row(COUNTER, ())[0] += 10**number
        store.row(HISTOGRAM, ())[1] += 1
    for store in workers:
        assert values(store, COUNTER) == {(): [1111.0]}
        assert values(store, HISTOGRAM) == {(): [0.0, 4.0, 0.0, 0.0]}
        assert store.read().workers == 4


def test_a_worker_that_has_not_recorded_shows_the_total_too(tmp_path: Path) -> None:
    one, other = worker(tmp_path), worker(tmp_path)
    one.row(COUNTER, ())[0] += 1
    assert values(other, COUNTER) == {(): [1.0]}


@pytest.mark.parametrize("folded", [False, True])
def test_a_killed_worker_loses_only_its_share_of_gauges_and_up_down_counters(
    tmp_path: Path, folded: bool
) -> None:
    survivor, victim = worker(tmp_path), worker(tmp_path)
    for store in (survivor, victim):
        store.row(COUNTER, ())[0] += 1
        store.row(UP_DOWN, ())[0] += 1
        store.row(HISTOGRAM, ())[0] += 1
    victim.row(UP_DOWN, (("only", "the victim"),))[0] += 1
    die(victim)
    if folded:
        survivor.fold()
        assert "worker-1" not in names(tmp_path)
    assert values(survivor, COUNTER) == {(): [2.0]}
    assert values(survivor, HISTOGRAM) == {(): [2.0, 0.0, 0.0, 0.0]}
    assert values(survivor, UP_DOWN) == {(): [1.0], (("only", "the victim"),): [0.0]}


def test_a_retained_up_down_counter_keeps_the_shares_of_dead_workers(tmp_path: Path) -> None:
    rules = AggregationPolicies(retain=frozenset({"connections"}))
    survivor, victim = worker(tmp_path, rules), worker(tmp_path, rules)
    victim.row(UP_DOWN, ())[0] += 3
    die(victim)
    assert values(survivor, UP_DOWN) == {(): [3.0]}
    survivor.fold()
    assert values(survivor, UP_DOWN) == {(): [3.0]}


def test_a_sigkill_releases_the_lock_of_the_worker_file(tmp_path: Path) -> None:
    survivor = worker(tmp_path)
    survivor.row(UP_DOWN, ())[0] += 1
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        survivor.row(UP_DOWN, ())[0] += 7
        os.write(write, b"x")
        signal.pause()
    assert os.read(read, 1) == b"x"
    assert values(survivor, UP_DOWN) == {(): [8.0]}
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(read)
    os.close(write)
    assert values(survivor, UP_DOWN) == {(): [1.0]}


def test_what_was_counted_before_a_fork_is_counted_once(tmp_path: Path) -> None:
    store = worker(tmp_path)
    store.row(COUNTER, ())[0] += 1

    def work() -> None:
        store.row(COUNTER, ())[0] += 10

    for _ in range(3):
        run_in_child(work)
        assert store.read().workers == 1
    store.fold()
    assert values(store, COUNTER) == {(): [31.0]}


def test_folding_many_workers_leaves_one_archive(tmp_path: Path) -> None:
    survivor = worker(tmp_path)
    for _ in range(20):
        victim = worker(tmp_path)
        victim.row(COUNTER, ())[0] += 1
        die(victim)
    survivor.fold()
    assert {name for name in names(tmp_path) if "worker" in name or name.startswith(".")} == set()
    assert values(survivor, COUNTER) == {(): [20.0]}


def test_files_that_a_fold_did_not_remove_are_not_counted_twice(tmp_path: Path) -> None:
    survivor, victim = worker(tmp_path), worker(tmp_path)
    victim.row(COUNTER, ())[0] += 5
    membership = victim.membership()
    assert membership is not None
    membership.directory.link("worker-0", "kept")
    die(victim)
    survivor.fold()
    for _ in range(2):
        membership.directory.link("kept", "worker-0")  # as if the folder had died after the rename
        assert values(survivor, COUNTER) == {(): [5.0]}
        survivor.fold()
        assert "worker-0" not in names(tmp_path)


def test_the_cardinality_limit_holds_for_the_group_and_all_workers_agree(tmp_path: Path) -> None:
    workers = [worker(tmp_path, limit=5) for _ in range(3)]
    for number in range(10):
        for store in workers:
            store.row(COUNTER, (("k", number),))[0] += 1
    found = values(workers[0], COUNTER)
    assert len(found) == 6
    assert found.pop(OVERFLOW_ATTRIBUTES) == [15.0]
    assert set(map(tuple, found.values())) == {(3.0,)}


def test_the_start_time_of_a_series_is_its_first_appearance_in_the_group(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    first.row(COUNTER, ())
    began = first.read().families[0].points[0].start_time_ns
    second.row(COUNTER, ())
    die(first)
    second.fold()
    third = worker(tmp_path)
    third.row(COUNTER, ())
    assert {store.read().families[0].points[0].start_time_ns for store in (second, third)} == {began}


@pytest.mark.parametrize(("how", "expected"), [("last", 2.0), ("sum", 5.0), ("min", 2.0), ("max", 3.0)])
def test_gauges_are_merged_as_the_setting_says(tmp_path: Path, how: str, expected: float) -> None:
    rules = AggregationPolicies(gauges=how)
    workers = [worker(tmp_path, rules) for _ in range(3)]
    for at, (store, value) in enumerate(zip(workers, (3.0, 2.0, 99.0), strict=True), start=1):
        row = store.row(GAUGE, ())
        row[0], row[1] = value, float(at)
    die(workers[2])
    assert values(workers[0], GAUGE)[()][0] == expected


def test_gauges_that_are_kept_per_worker_have_its_slot_as_a_label(tmp_path: Path) -> None:
    rules = AggregationPolicies(gauge_by_name={"temperature": "each"})
    workers = [worker(tmp_path, rules) for _ in range(3)]
    for number, store in enumerate(workers):
        row = store.row(GAUGE, ())
        row[0], row[1] = float(number), 1.0
    die(workers[1])
    found = {attributes: cells[0] for attributes, cells in values(workers[0], GAUGE).items()}
    assert found == {(("worker", "0"),): 0.0, (("worker", "2"),): 2.0}


def test_what_is_observed_once_per_group_is_overwritten_not_added(tmp_path: Path) -> None:
    once = replace(COUNTER, once_per_group=True)
    workers = [worker(tmp_path) for _ in range(2)]
    for store, (at, value) in zip(workers, ((1.0, 10.0), (2.0, 12.0)), strict=True):
        row = store.row(once, ())
        row[0], row[1] = value, at
    assert values(workers[0], once) == {(): [12.0]}


def test_after_a_reload_the_newest_declaration_of_a_metric_counts(tmp_path: Path) -> None:
    changed = replace(HISTOGRAM, bounds=(5.0,))
    old = worker(tmp_path)
    old.row(HISTOGRAM, ())[0] += 1
    old.row(COUNTER, ())[0] += 1
    new = worker(tmp_path)
    new.row(changed, ())[0] += 2
    for store in (old, new):
        assert values(store, HISTOGRAM) == {(): [2.0, 0.0, 0.0]}
    die(old)
    new.fold()
    assert values(new, HISTOGRAM) == {(): [2.0, 0.0, 0.0]}
    assert values(new, COUNTER) == {(): [1.0]}


def test_only_the_last_worker_that_leaves_gets_the_totals(tmp_path: Path) -> None:
    one, other = worker(tmp_path), worker(tmp_path)
    one.row(COUNTER, ())[0] += 1
    other.row(COUNTER, ())[0] += 2
    assert one.leave_group(1.0) is None
    last = other.leave_group(1.0)
    assert last is not None
    assert [list(point.cells) for family in last.families for point in family.points] == [[3.0]]


def test_recording_goes_on_after_leaving_the_group(tmp_path: Path) -> None:
    store, told = worker(tmp_path), []
    store.on_invalidate(lambda: told.append(1))
    store.row(COUNTER, ())[0] += 1
    store.leave_group(1.0)
    assert told == [1]
    store.row(COUNTER, ())[0] += 1
    assert values(store, COUNTER) == {(): [2.0]}


def test_a_sum_that_one_worker_no_longer_observes_is_that_of_the_others(tmp_path: Path) -> None:
    observed = Descriptor(SCOPE, "observed", Kind.COUNTER, observable=True)
    level = Descriptor(SCOPE, "level", Kind.UP_DOWN_COUNTER, observable=True)
    one, other = worker(tmp_path), worker(tmp_path)
    for descriptor in (observed, level):
        for store, value in ((one, 3.0), (other, 4.0)):
            store.row(descriptor, ())[0] = value
    one.row(observed, ())[0] = one.row(level, ())[0] = math.nan
    for reader in (one, other, worker(tmp_path)):
        assert values(reader, observed) == values(reader, level) == {(): [4.0]}
    other.row(observed, ())[0] = other.row(level, ())[0] = math.nan
    for reader in (one, other, worker(tmp_path)):
        assert values(reader, observed) == values(reader, level) == {}
    one.row(observed, ())[0] = one.row(level, ())[0] = 7.0
    die(one)
    die(other)
    reader = worker(tmp_path)
    reader.fold()
    assert values(reader, observed) == {(): [7.0]}
    assert values(reader, level) == {(): [0.0]}
