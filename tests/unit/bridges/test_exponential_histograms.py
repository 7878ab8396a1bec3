"""Exponential histograms of an SDK provider keep each bucket, and are added up over workers."""

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
from tests.unit.bridges.bridged import received_scopes, shown_samples, telemetry
from tests.unit.bridges.forked import forked_worker as forked
from tests.unit.exporters.prometheus import client_model
from tests.unit.stores import die, worker
from tests.waiting import wait_until

SCOPE = ("otel_scope_name", "app")
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
SMALL, LARGE = [0.25, 0.2501, 0.3, 0.0, 0.31], [3e-7, 5.0, 5.0, 9.0, 4e9, 0.0, 0.0]


class UnreadTelemetry:
    """Stands for a Telemetry, so that only the test reads."""

    def bridge(self, source: Any) -> None:
        """Read nothing in the background."""


class TwoReaders:
    """A provider with an exponential histogram, our reader, and a reader of the SDK to compare with."""

    def __init__(self, telemetry: Telemetry | None = None, most: int = 160) -> None:
        self.reader, self.own = MetricReader(telemetry or UnreadTelemetry()), InMemoryMetricReader()
        view = View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation(max_size=most))
        self._provider = MeterProvider(
            [self.reader, self.own],
            views=[view],
            exemplar_filter=AlwaysOnExemplarFilter(),
            shutdown_on_exit=False,
        )
        self.record = self._provider.get_meter("app").create_histogram("size").record

    def counted(self) -> ExponentialHistogram:
        """The histogram as the SDK's own reader gets it."""
        data = self.own.get_metrics_data()
        assert data is not None
        [point] = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
        assert isinstance(point, ExponentialHistogramDataPoint)
        counts = [*map(float, point.positive.bucket_counts)]
        histogram = trimmed(point.scale, point.positive.offset, counts)
        return histogram._replace(zero_count=float(point.zero_count), sum=float(point.sum))


def sdk_total(*recorded: float) -> ExponentialHistogram:
    """The histogram that one SDK makes of all these values."""
    sdk = TwoReaders()
    for value in recorded:
        sdk.record(value)
    return sdk.counted()


def stored_point(store: GroupStore) -> Point:
    [family] = store.read().families
    [point] = family.points
    return point


def stored_histogram(store: GroupStore) -> ExponentialHistogram:
    histogram = stored_point(store).exponential
    assert histogram is not None
    assert stored_point(store).cells == (histogram.total_count, histogram.sum)
    return histogram


def assert_same(found: ExponentialHistogram, expected: ExponentialHistogram) -> None:
    """Compare two histograms at the lower scale of the two. Their sums may differ by a rounding error."""
    one, other = found.downscaled_to(expected.scale), expected.downscaled_to(found.scale)
    assert one._replace(sum=0.0) == other._replace(sum=0.0)
    assert found.sum == pytest.approx(expected.sum, rel=1e-12)


class ImportedSdk:
    """An SDK that is imported into the rows of a worker whenever the test calls `read`."""

    def __init__(self, store: GroupStore, most: int = 160) -> None:
        self.store, self.sdk, self._rows = store, TwoReaders(most=most), SeriesImporter(store)

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
def test_the_histogram_equals_that_of_the_sdk_whenever_it_was_read(
    steps: list[float | None], most: int
) -> None:
    shared = ImportedSdk(worker(None), most)
    for step in steps:
        shared.read() if step is None else shared.sdk.record(step)
    shared.record(1.0)
    found, expected = stored_histogram(shared.store), shared.sdk.counted()
    assert_same(found, expected)
    if most <= MAX_BUCKETS:
        assert found.scale >= expected.scale


@pytest.mark.parametrize(
    "interrupt",
    [lambda store: store.invalidate_rows(), lambda store: store.leave_group(1.0), GroupStore.fold],
)
def test_nothing_is_lost_or_doubled_when_rows_become_invalid(
    tmp_path: Path, interrupt: Callable[[GroupStore], object]
) -> None:
    shared = ImportedSdk(worker(tmp_path))
    for values in (SMALL, [], LARGE, [0.0], SMALL):
        shared.record(*values)
        interrupt(shared.store)
    assert_same(stored_histogram(shared.store), shared.sdk.counted())


def test_only_zeros_between_two_reads_do_not_lower_the_scale(tmp_path: Path) -> None:
    shared = ImportedSdk(worker(tmp_path))
    for values in ([1.5, 1.6], [0.0], [0.0, 0.0], [1.55]):
        shared.record(*values)
    assert stored_histogram(shared.store).scale > 8
    assert_same(stored_histogram(shared.store), sdk_total(1.5, 1.6, 1.55, 0.0, 0.0, 0.0))


def test_histograms_beyond_the_cardinality_limit_are_added_up_in_one_series(tmp_path: Path) -> None:
    shared = ImportedSdk(worker(tmp_path, limit=1))
    for _ in range(2):
        for number, recorded in enumerate((SMALL, LARGE, SMALL)):
            for value in recorded:
                shared.sdk.record(value, {"n": number})
        shared.read()
    [family] = worker(tmp_path).read().families
    first, overflow = (point.exponential for point in family.points)
    assert first is not None
    assert overflow is not None
    assert_same(first, sdk_total(*SMALL, *SMALL))
    assert_same(overflow, sdk_total(*LARGE, *SMALL, *LARGE, *SMALL))


def test_workers_with_different_scales_are_added_up_and_dead_ones_are_kept(tmp_path: Path) -> None:
    first, second = ImportedSdk(worker(tmp_path)), ImportedSdk(worker(tmp_path))
    first.record(*SMALL)
    second.record(*LARGE)
    expected = sdk_total(*SMALL, *LARGE)
    assert first.sdk.counted().scale > second.sdk.counted().scale
    assert stored_histogram(first.store) == stored_histogram(second.store) == expected
    die(second.store)
    first.store.fold()
    assert stored_histogram(first.store) == expected
    first.record(*LARGE)
    assert stored_histogram(first.store) == expected.plus(sdk_total(*LARGE))


def test_the_next_leader_knows_what_was_sent(tmp_path: Path) -> None:
    shared = ImportedSdk(worker(tmp_path))
    shared.record(*LARGE)
    membership = shared.store.membership()
    assert membership is not None
    sent = Snapshot(1, (), tuple(shared.store.read().families))
    delta_baseline.save_baseline(membership.directory, membership.identity.group_id, sent)
    baseline = delta_baseline.load_baseline(membership.directory)
    assert baseline is not None
    [kept_family], [sent_family] = baseline.families, sent.families
    assert kept_family.descriptor == sent_family.descriptor
    assert kept_family.points == tuple(point._replace(exemplars=()) for point in sent_family.points)


# Page and push


def protobuf_histogram(recording: Telemetry) -> Any:
    """The histogram on the protobuf page."""
    [family] = [
        found for found in client_model.families(recording.render(PROTOBUF)[1]) if found.name == "size"
    ]
    [metric] = family.metric
    return metric.histogram


def last_received_point(receiver: Receiver) -> Any:
    """The data point that was received last."""
    [metric] = [scope for scope in received_scopes(receiver) if scope.scope.name == "app"][-1].metrics
    [point] = metric.exponential_histogram.data_points
    return point


def assert_native(found: Any, expected: ExponentialHistogram) -> None:
    native = to_native(expected)
    assert (found.sample_count, found.zero_count, found.schema) == (native.total, native.zeros, native.schema)
    assert [(span.offset, span.length) for span in found.positive_span] == [*native.spans]
    assert [*found.positive_delta] == [*native.deltas]
    assert found.sample_sum == expected.sum


def assert_sent(found: Any, expected: ExponentialHistogram) -> None:
    assert (found.count, found.zero_count, found.sum) == (
        expected.total_count,
        expected.zero_count,
        expected.sum,
    )
    assert (found.scale, found.positive.offset) == (expected.scale, expected.offset)
    assert [*found.positive.bucket_counts] == [*expected.counts]


def wait_for_count(recording: Telemetry, count: float) -> None:
    key = "size_count", (SCOPE,)
    wait_until(lambda: shown_samples(recording).get(key) == str(count), 20, "the values of the worker")


def test_killed_workers_with_different_ranges_are_added_up_on_page_and_push(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        telemetry(tmp_path, label="fork", endpoint=receiver.http_endpoint) as recording,
    ):
        sdk = TwoReaders(recording)

        def work(values: list[float]) -> None:
            for value in values:
                sdk.record(value)

        for recorded, so_far in ((SMALL, SMALL), (LARGE, SMALL + LARGE)):
            with forked(recording, lambda recorded=recorded: work(recorded)):  # type: ignore[misc]
                expected = sdk_total(*so_far)
                wait_for_count(recording, expected.total_count)
                assert_native(protobuf_histogram(recording), expected)
        sdk.record(7.5)
        expected = sdk_total(*SMALL, *LARGE, 7.5)
        assert_native(protobuf_histogram(recording), expected)
        assert recording.force_flush()
        found = last_received_point(receiver)
        assert_sent(found, expected)
        assert [exemplar.as_double for exemplar in found.exemplars] == [7.5]
        assert 0 < found.start_time_unix_nano < found.time_unix_nano


def test_text_pages_show_sum_and_count(tmp_path: Path) -> None:
    with telemetry(tmp_path, metrics_exporter="prometheus") as recording:
        sdk = TwoReaders(recording)
        for value in SMALL:
            sdk.record(value)
        for accept in ("text/plain", "application/openmetrics-text"):
            assert shown_samples(recording, accept) == {
                ("size_bucket", (("le", "inf"), SCOPE)): "5.0",
                ("size_sum", (SCOPE,)): str(sum(SMALL)),
                ("size_count", (SCOPE,)): "5.0",
            }


def test_a_delta_has_the_values_since_the_last_push(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        telemetry(tmp_path, endpoint=receiver.http_endpoint, temporality="delta") as recording,
    ):
        sdk = TwoReaders(recording)
        for recorded in (LARGE, SMALL):
            for value in recorded:
                sdk.record(value)
            assert recording.force_flush()
            found = last_received_point(receiver)
            assert found.sum == pytest.approx(sum(recorded))
            assert_sent(found, sdk_total(*recorded).downscaled_to(found.scale)._replace(sum=found.sum))


def test_a_scale_too_low_for_prometheus_is_pushed_but_shown_as_one_bucket(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        telemetry(tmp_path, endpoint=receiver.http_endpoint) as recording,
    ):
        sdk = TwoReaders(recording, most=2)
        for value in (1e-300, 1.0, 1e300):
            sdk.record(value)
        found = protobuf_histogram(recording)
        assert not found.HasField("schema")
        assert (found.sample_count, [bucket.cumulative_count for bucket in found.bucket]) == (3, [3])
        assert recording.force_flush()
        assert_sent(last_received_point(receiver), sdk.counted())
        assert last_received_point(receiver).scale < -4


def test_histograms_with_negative_values_are_left_out_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with telemetry(tmp_path, metrics_exporter="prometheus") as recording:
        views = [View(instrument_name="open", aggregation=ExponentialBucketHistogramAggregation())]
        meter = MeterProvider([MetricReader(recording)], views=views).get_meter("app")
        meter.create_up_down_counter("open").add(-3)
        meter.create_counter("jobs").add(1)
        for _ in range(3):
            assert shown_samples(recording) == {("jobs_total", (SCOPE,)): "1.0"}
    assert len([line for line in caplog.messages if "negative" in line]) == 1
