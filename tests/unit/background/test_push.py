"""Deltas over a change of the leader, and while the Collector is away."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background import delta_baseline
from dualmetrics.background.delta_baseline import DeltaBaseline
from dualmetrics.background.push import MetricPusher
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.config.loading import load_settings
from dualmetrics.model.snapshot import Family, Snapshot
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.file_names import DELTA_BASELINE, DELTA_IN_DOUBT
from tests.unit.storage.test_file_format import attribute_sets
from tests.unit.stores import COUNTER, HISTOGRAM, membership_of, worker


def snapshot(store: GroupStore, at: int) -> Snapshot:
    return Snapshot(at, (("service.name", "shop"),), tuple(store.read().families))


def delivery(store: GroupStore, endpoint: str) -> MetricPusher:
    settings = load_settings({}, endpoint=endpoint, temporality="delta", timeout=0.5)
    return MetricPusher(settings, store, ErrorReporter())


def test_deltas_add_up_over_a_change_of_the_leader(tmp_path: Path) -> None:
    with Receiver() as receiver:
        one, other = worker(tmp_path), worker(tmp_path)
        first, second = (delivery(store, receiver.http_endpoint) for store in (one, other))
        one.row(COUNTER, ())[0] += 3
        one.row(HISTOGRAM, ())[0] += 1
        assert first.push(snapshot(one, 1)).success
        other.row(COUNTER, ())[0] += 4
        first.resign()
        assert second.push(snapshot(other, 2)).success
        one.row(COUNTER, ())[0] += 5
        second.resign()
        assert first.push(snapshot(one, 3)).success
        assert receiver.one("shop", "requests").value == 12
        assert receiver.one("shop", "duration").value == 1


def test_the_next_push_carries_what_the_collector_missed(tmp_path: Path) -> None:
    with Receiver() as receiver:
        port = int(receiver.http_endpoint.rpartition(":")[2])
    store = worker(tmp_path)
    pushing = delivery(store, f"http://127.0.0.1:{port}")
    store.row(COUNTER, ())[0] += 3
    assert pushing.push(snapshot(store, 1)) == (False, 0)
    store.row(COUNTER, ())[0] += 4
    with Receiver(http_port=port) as receiver:
        assert pushing.push(snapshot(store, 2)).success
        assert receiver.one("shop", "requests").value == 7


@given(st.lists(attribute_sets, max_size=5, unique_by=repr), st.integers(0, 2**53))
def test_a_baseline_is_read_as_it_was_saved(sets: list[object], total: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = worker(Path(folder))
        for attributes in sets:
            store.row(COUNTER, attributes)[0] += total  # type: ignore[arg-type]  # of the strategy's type
        membership = store.membership()
        assert membership is not None
        kept = snapshot(store, 12345)
        delta_baseline.save_baseline(membership.directory, membership.identity.group_id, kept)
        found = delta_baseline.load_baseline(membership.directory)
        assert found is not None
        assert found.time_ns == kept.time_ns
        assert _plain(found.families) == _plain(kept.families)
        membership.close()


def _plain(families: tuple[Family, ...]) -> list[object]:
    return [
        (
            family.descriptor.name,
            [(repr(point.attributes), point.start_time_ns, list(point.cells)) for point in family.points],
        )
        for family in families
    ]


def test_a_damaged_baseline_counts_as_none(tmp_path: Path) -> None:
    membership = worker(tmp_path).membership()
    assert membership is not None
    assert delta_baseline.load_baseline(membership.directory) is None
    membership.directory.replace(DELTA_BASELINE, b"garbage")
    assert delta_baseline.load_baseline(membership.directory) is None


def test_the_leader_writes_a_deleted_baseline_again(tmp_path: Path) -> None:
    leader, next_leader = worker(tmp_path), worker(tmp_path)
    leader.row(COUNTER, ())[0] += 3
    baseline = DeltaBaseline(leader, ErrorReporter())
    assert baseline.load() is None
    baseline.commit(snapshot(leader, 12345))
    membership_of(leader).directory.unlink(DELTA_BASELINE)
    baseline.keep()
    found = DeltaBaseline(next_leader, ErrorReporter()).load()
    assert found is not None
    assert found.time_ns == 12345


def test_a_leader_that_has_resigned_writes_no_baseline(tmp_path: Path) -> None:
    store = worker(tmp_path)
    baseline = DeltaBaseline(store, ErrorReporter())
    baseline.load()
    baseline.commit(snapshot(store, 12345))
    baseline.expire()
    membership_of(store).directory.unlink(DELTA_BASELINE)
    baseline.keep()
    assert not membership_of(store).directory.has(DELTA_BASELINE)


def test_after_a_failed_push_nothing_is_in_doubt(tmp_path: Path) -> None:
    store, doubts = worker(tmp_path), []
    baseline = DeltaBaseline(store, ErrorReporter())
    baseline.load()
    baseline.prepare(snapshot(store, 1))
    baseline.discard()
    DeltaBaseline(store, ErrorReporter(), on_doubt=lambda: doubts.append(1)).load()
    assert not doubts


@pytest.mark.parametrize(
    ("setting", "arrived", "total"),
    [
        ("resend", True, 12),
        ("resend", False, 7),
        ("skip", True, 7),
        ("skip", False, 2),
    ],
)
def test_a_push_in_doubt_is_sent_again_or_skipped(
    tmp_path: Path, setting: str, arrived: bool, total: float
) -> None:
    """Of 5 and 2, the 5 was being pushed when the leader was killed."""
    with Receiver() as receiver:
        store, other, doubts = worker(tmp_path), worker(tmp_path), []
        store.row(COUNTER, ())[0] += 5
        if arrived:
            pusher = delivery(store, receiver.http_endpoint)
            assert pusher.push(snapshot(store, 1)).success
            membership_of(store).directory.rename(DELTA_BASELINE, DELTA_IN_DOUBT)
        else:
            baseline = DeltaBaseline(store, ErrorReporter())
            baseline.load()
            baseline.prepare(snapshot(store, 1))
        other.row(COUNTER, ())[0] += 2
        settings = load_settings(
            {}, endpoint=receiver.http_endpoint, temporality="delta", delta_in_doubt=setting
        )
        successor = MetricPusher(settings, other, ErrorReporter(), on_doubt=lambda: doubts.append(1))
        assert successor.push(snapshot(other, 2)).success
        assert receiver.one("shop", "requests").value == total
        assert doubts == [1]
