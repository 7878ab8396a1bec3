"""Exponential histograms of an SDK provider: bucket for bucket what it counted, summed over workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from dualmetrics import Telemetry
from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background import delta_baseline
from dualmetrics.bridges.sdk import MetricReader
from dualmetrics.bridges.series_importer import SeriesImporter
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.prometheus.formats.native_histograms import to_native
from dualmetrics.model.exponential_histogram import MAX_BUCKETS, ExponentialHistogram, trimmed
from dualmetrics.model.snapshot import Point, Snapshot
from tests.unit.bridges.bridged import scopes, shown, telemetry
from tests.unit.bridges.forked import worker as forked
from tests.unit.exporters.prometheus import client_model
from tests.unit.stores import die, worker
from tests.waiting import wait_until

SCOPE = ("otel_scope_name", "app")
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
SMALL, LARGE = [0.25, 0.2501, 0.3, 0.0, 0.31], [3e-7, 5.0, 5.0, 9.0, 4e9, 0.0, 0.0]


class Unjoined:
    """A recording that leaves the reading to the test."""

    def bridge(self, source: Any) -> None:
        """Nothing is read in the background."""


class Sdk:
    """A provider with an exponential histogram, our reader and one of the SDK's own."""

    def __init__(self, telemetry: Telemetry | None = None, most: int = 160) -> None:
        self.reader, self.own = MetricReader(telemetry or Unjoined()), InMemoryMetricReader()
        view = View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation(max_size=most))
        self._provider = MeterProvider(
            [self.reader, self.own],
            views=[view],
            exemplar_filter=AlwaysOnExemplarFilter(),
            shutdown_on_exit=False,
        )
        self.record = self._provider.get_meter("app").create_histogram("size").record

    def counted(self) -> ExponentialHistogram:
        """What the SDK says itself."""
        data = self.own.get_metrics_data()
        assert data is not None
        [point] = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
        assert isinstance(point, ExponentialHistogramDataPoint)
        counts = [*map(float, point.positive.bucket_counts)]
        found = trimmed(point.scale, point.positive.offset, counts)
        return found._replace(zero_count=float(point.zero_count), sum=float(point.sum))


def total(*recorded: float) -> ExponentialHistogram:
    """What one SDK counts of all these values."""
    sdk = Sdk()
    for value in recorded:
        sdk.record(value)
    return sdk.counted()


def point(store: GroupStore) -> Point:
    [family] = store.read().families
    [found] = family.points
    return found


def counted(store: GroupStore) -> ExponentialHistogram:
    found = point(store).exponential
    assert found is not None
    assert point(store).cells == (found.total_count, found.sum)
    return found


def assert_same(found: ExponentialHistogram, expected: ExponentialHistogram) -> None:
    """Whether they are one histogram at the lower scale, but for the order of adding up."""
    one, other = found.downscaled_to(expected.scale), expected.downscaled_to(found.scale)
    assert one._replace(sum=0.0) == other._replace(sum=0.0)
    assert found.sum == pytest.approx(expected.sum, rel=1e-12)


class Shared:
    """An SDK that is read into the rows of a worker when the test says so."""

    def __init__(self, store: GroupStore, most: int = 160) -> None:
        self.store, self.sdk, self._rows = store, Sdk(most=most), SeriesImporter(store)

    def read(self) -> None:
        self._rows.import_families("sdk", self.sdk.reader.read())

    def record(self, *values: float) -> None:
        for value in values:
            self.sdk.record(value)
        self.read()


values = (
    st.just(0.0) | st.floats(0, 1.7e308, allow_subnormal=False) | st.floats(0.9, 1.1) | st.integers(0, 40)
)


@given(st.lists(st.none() | values, max_size=40), st.sampled_from([2, 20, 160, 320]))
def test_it_is_what_the_sdk_counted_whenever_it_was_read(steps: list[float | None], most: int) -> None:
    shared = Shared(worker(None), most)
    for step in steps:
        shared.read() if step is None else shared.sdk.record(step)
    shared.record(1.0)
    found, expected = counted(shared.store), shared.sdk.counted()
    assert_same(found, expected)
    if most <= MAX_BUCKETS:
        assert found.scale >= expected.scale


@pytest.mark.parametrize(
    "interrupt", [GroupStore.invalidate_rows, lambda store: store.leave_group(1.0), GroupStore.fold]
)
def test_nothing_is_lost_or_doubled_when_rows_become_void(
    tmp_path: Path, interrupt: Callable[[GroupStore], object]
) -> None:
    shared = Shared(worker(tmp_path))
    for values in (SMALL, [], LARGE, [0.0], SMALL):
        shared.record(*values)
        interrupt(shared.store)
    assert_same(counted(shared.store), shared.sdk.counted())


def test_zeros_alone_between_two_reads_do_not_make_it_coarse(tmp_path: Path) -> None:
    shared = Shared(worker(tmp_path))
    for values in ([1.5, 1.6], [0.0], [0.0, 0.0], [1.55]):
        shared.record(*values)
    assert counted(shared.store).scale > 8
    assert_same(counted(shared.store), total(1.5, 1.6, 1.55, 0.0, 0.0, 0.0))


def test_past_the_limit_they_add_up_in_one(tmp_path: Path) -> None:
    shared = Shared(worker(tmp_path, limit=1))
    for _ in range(2):
        for number, recorded in enumerate((SMALL, LARGE, SMALL)):
            for value in recorded:
                shared.sdk.record(value, {"n": number})
        shared.read()
    [family] = worker(tmp_path).read().families
    first, overflow = (each.exponential for each in family.points)
    assert first is not None
    assert overflow is not None
    assert_same(first, total(*SMALL, *SMALL))
    assert_same(overflow, total(*LARGE, *SMALL, *LARGE, *SMALL))


def test_workers_of_different_scales_add_up_and_the_dead_ones_stay(tmp_path: Path) -> None:
    first, second = Shared(worker(tmp_path)), Shared(worker(tmp_path))
    first.record(*SMALL)
    second.record(*LARGE)
    expected = total(*SMALL, *LARGE)
    assert first.sdk.counted().scale > second.sdk.counted().scale
    assert counted(first.store) == counted(second.store) == expected
    die(second.store)
    first.store.fold()
    assert counted(first.store) == expected
    first.record(*LARGE)
    assert counted(first.store) == expected.plus(total(*LARGE))


def test_who_is_elected_next_knows_what_was_sent(tmp_path: Path) -> None:
    shared = Shared(worker(tmp_path))
    shared.record(*LARGE)
    membership = shared.store.membership()
    assert membership is not None
    sent = Snapshot(1, (), tuple(shared.store.read().families))
    delta_baseline.save_baseline(membership.directory, membership.identity.group_id, sent)
    found = delta_baseline.load_baseline(membership.directory)
    assert found is not None
    [kept], [told] = found.families, sent.families
    assert kept.descriptor == told.descriptor
    assert kept.points == tuple(point._replace(exemplars=()) for point in told.points)


# On both ways


def in_protobuf(made: Telemetry) -> Any:
    """The histogram on the protobuf page."""
    [family] = [each for each in client_model.families(made.render(PROTOBUF)[1]) if each.name == "size"]
    [metric] = family.metric
    return metric.histogram


def pushed(receiver: Receiver) -> Any:
    """The last data point that was received."""
    [metric] = [each for each in scopes(receiver) if each.scope.name == "app"][-1].metrics
    [found] = metric.exponential_histogram.data_points
    return found


def assert_native(found: Any, expected: ExponentialHistogram) -> None:
    wanted = to_native(expected)
    assert (found.sample_count, found.zero_count, found.schema) == (wanted.total, wanted.zeros, wanted.schema)
    assert [(span.offset, span.length) for span in found.positive_span] == [*wanted.spans]
    assert [*found.positive_delta] == [*wanted.deltas]
    assert found.sample_sum == expected.sum


def assert_sent(found: Any, expected: ExponentialHistogram) -> None:
    assert (found.count, found.zero_count, found.sum) == (
        expected.total_count,
        expected.zero_count,
        expected.sum,
    )
    assert (found.scale, found.positive.offset) == (expected.scale, expected.offset)
    assert [*found.positive.bucket_counts] == [*expected.counts]


def test_workers_of_different_ranges_one_of_them_killed_are_one_on_page_and_push(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        telemetry(tmp_path, label="fork", endpoint=receiver.http_endpoint) as made,
    ):
        sdk = Sdk(made)

        def work(values: list[float]) -> None:
            for value in values:
                sdk.record(value)

        for recorded, so_far in ((SMALL, SMALL), (LARGE, SMALL + LARGE)):
            with forked(made, lambda recorded=recorded: work(recorded)):  # type: ignore[misc]
                expected = total(*so_far)
                key = "size_count", (SCOPE,)
                wait_until(lambda: shown(made).get(key) == str(expected.total_count), 20, "its values")  # noqa: B023
                assert_native(in_protobuf(made), expected)
        sdk.record(7.5)
        expected = total(*SMALL, *LARGE, 7.5)
        assert_native(in_protobuf(made), expected)
        assert made.force_flush()
        found = pushed(receiver)
        assert_sent(found, expected)
        assert [each.as_double for each in found.exemplars] == [7.5]
        assert 0 < found.start_time_unix_nano < found.time_unix_nano


def test_pages_of_text_have_sum_and_count(tmp_path: Path) -> None:
    with telemetry(tmp_path, metrics_exporter="prometheus") as made:
        sdk = Sdk(made)
        for value in SMALL:
            sdk.record(value)
        for accept in ("text/plain", "application/openmetrics-text"):
            assert shown(made, accept) == {
                ("size_bucket", (("le", "inf"), SCOPE)): "5.0",
                ("size_sum", (SCOPE,)): str(sum(SMALL)),
                ("size_count", (SCOPE,)): "5.0",
            }


def test_deltas_are_what_came_since(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        telemetry(tmp_path, endpoint=receiver.http_endpoint, temporality="delta") as made,
    ):
        sdk = Sdk(made)
        for recorded in (LARGE, SMALL):
            for value in recorded:
                sdk.record(value)
            assert made.force_flush()
            found = pushed(receiver)
            assert found.sum == pytest.approx(sum(recorded))
            assert_sent(found, total(*recorded).downscaled_to(found.scale)._replace(sum=found.sum))


def test_buckets_too_wide_for_prometheus_are_pushed_and_shown_as_one(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        telemetry(tmp_path, endpoint=receiver.http_endpoint) as made,
    ):
        sdk = Sdk(made, most=2)
        for value in (1e-300, 1.0, 1e300):
            sdk.record(value)
        found = in_protobuf(made)
        assert not found.HasField("schema")
        assert (found.sample_count, [each.cumulative_count for each in found.bucket]) == (3, [3])
        assert made.force_flush()
        assert_sent(pushed(receiver), sdk.counted())
        assert pushed(receiver).scale < -4


def test_negative_values_are_left_out_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with telemetry(tmp_path, metrics_exporter="prometheus") as made:
        views = [View(instrument_name="open", aggregation=ExponentialBucketHistogramAggregation())]
        meter = MeterProvider([MetricReader(made)], views=views).get_meter("app")
        meter.create_up_down_counter("open").add(-3)
        meter.create_counter("jobs").add(1)
        for _ in range(3):
            assert shown(made) == {("jobs_total", (SCOPE,)): "1.0"}
    assert len([line for line in caplog.messages if "negative" in line]) == 1
