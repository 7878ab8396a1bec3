"""What a store must do, whether its rows are shared or private."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dualmetrics.aggregation import merging
from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.worker_store import OVERFLOW_ATTRIBUTES
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime.free_threading import Shard
from tests.forking import run_in_child
from tests.unit.stores import COUNTER, GAUGE, HISTOGRAM, values, worker

Make = Callable[..., GroupStore]


@pytest.fixture(params=["group", "private"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    directory = tmp_path if request.param == "group" else None

    def build(rules: AggregationPolicies | None = None, limit: int = 2000) -> GroupStore:
        return worker(directory, rules, limit)

    return build


def test_a_new_store_is_empty(make: Make) -> None:
    assert make().read().families == []


def test_rows_begin_at_zero_and_show_what_is_added(make: Make) -> None:
    store = make()
    row = store.row(COUNTER, (("a", "b"),))
    assert list(row) == [0.0]
    row[0] += 3
    assert values(store, COUNTER) == {(("a", "b"),): [3.0]}


def test_the_same_series_has_one_row(make: Make) -> None:
    store = make()
    store.row(COUNTER, ())[0] += 1
    store.row(replace(COUNTER, description="said differently"), ())[0] += 1
    assert values(store, COUNTER) == {(): [2.0]}


def test_attributes_of_other_types_are_other_series(make: Make) -> None:
    store = make()
    for value in (1, 1.0, True, "1"):
        store.row(COUNTER, (("k", value),))[0] += 1
    [family] = store.read().families
    assert [type(point.attributes[0][1]) for point in family.points] == [int, float, bool, str]
    assert [list(point.cells) for point in family.points] == [[1.0]] * 4


def test_all_sets_past_the_limit_are_counted_in_one_overflow_series(make: Make) -> None:
    store = make(limit=3)
    for number in range(10):
        store.row(COUNTER, (("k", number),))[0] += 1
    found = values(store, COUNTER)
    assert len(found) == 4
    assert found[OVERFLOW_ATTRIBUTES] == [7.0]


def test_a_series_that_was_shown_never_moves_to_the_overflow(make: Make) -> None:
    store = make(limit=2)
    for _ in range(3):
        for number in range(4):
            store.row(COUNTER, (("k", number),))[0] += 1
    assert values(store, COUNTER)[("k", 0),] == [3.0]


def test_each_metric_has_its_own_limit(make: Make) -> None:
    store = make(limit=1)
    store.row(COUNTER, (("k", 1),))
    store.row(HISTOGRAM, (("k", 1),))
    assert OVERFLOW_ATTRIBUTES not in values(store, HISTOGRAM)


def test_an_overflow_is_reported(make: Make) -> None:
    store, told = make(limit=1), []
    store.on_overflow = lambda descriptor: told.append(descriptor.name)
    store.row(COUNTER, (("k", 1),))
    store.row(COUNTER, (("k", 2),))
    assert told == ["requests"]


def test_recording_an_overflow_does_not_make_the_rows_that_were_given_invalid(make: Make) -> None:
    store, invalidated = make(limit=1), []

    def record(descriptor: Descriptor) -> None:
        store.row(GAUGE, ())

    store.on_overflow = record
    store.on_invalidate(lambda: invalidated.append(1))
    store.row(COUNTER, (("k", 1),))
    store.row(COUNTER, (("k", 2),))
    assert not invalidated


def test_an_overflow_is_reported_while_another_thread_can_use_the_store(make: Make) -> None:
    store, done = make(limit=1), threading.Event()

    def use() -> None:
        store.row(COUNTER, (("k", 1),))
        done.set()

    def use_in_another_thread(descriptor: Descriptor) -> None:
        threading.Thread(target=use, daemon=True).start()
        assert done.wait(10)

    store.on_overflow = use_in_another_thread
    store.row(COUNTER, (("k", 1),))
    store.row(COUNTER, (("k", 2),))


def test_the_rows_of_several_shards_are_added_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SHARDS", (Shard(0), Shard(1)))
    store = make()
    for shard in (0, 1, 7):
        store.row(COUNTER, (), shard=shard)[0] += 1
        store.row(HISTOGRAM, (), shard=shard)[1] += 1
    assert values(store, COUNTER) == {(): [3.0]}
    assert values(store, HISTOGRAM) == {(): [0.0, 3.0, 0.0, 0.0]}


def test_a_gauge_that_was_never_set_is_absent(make: Make) -> None:
    store = make()
    store.row(GAUGE, ())
    assert store.read().families == []


def test_giving_a_row_reports_a_use_so_that_the_thread_can_start(make: Make) -> None:
    store, used = make(), []
    store.on_use = lambda: used.append(1)
    store.row(COUNTER, ())
    assert used == [1]


def test_a_forked_child_begins_at_zero_and_its_rows_are_invalidated(make: Make) -> None:
    store, told = make(), []
    store.on_invalidate(lambda: told.append(1))
    store.row(COUNTER, ())[0] += 5

    def work() -> None:
        assert told == [1]
        assert list(store.row(COUNTER, ())) == [0.0]

    run_in_child(work)
    assert values(store, COUNTER) == {(): [5.0]}


def test_a_reset_forgets_everything(make: Make) -> None:
    store = make(limit=1)
    store.row(COUNTER, (("k", 1),))[0] += 5
    store.reset()
    assert store.read().families == []
    store.row(COUNTER, (("k", 2),))[0] += 1
    assert values(store, COUNTER) == {(("k", 2),): [1.0]}


def test_the_start_time_of_a_series_never_changes(make: Make) -> None:
    store = make()
    store.row(COUNTER, ())
    first = store.read().families[0].points[0].start_time_ns
    store.row(COUNTER, (("another", "one"),))
    assert store.read().families[0].points[0].start_time_ns == first > 1e18
