"""Exponential histograms in a push."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality as Temporality
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.sdk.metrics import Histogram as SdkHistogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.otlp.batching import batches
from dualmetrics.exporters.otlp.exporter import otlp_target
from dualmetrics.exporters.otlp.sdk_model import to_metrics_data
from dualmetrics.exporters.otlp.temporality import delta_predicate, subtract
from dualmetrics.model.exponential_buckets import MAX_SCALE
from dualmetrics.model.exponential_histogram import ExponentialHistogram, trimmed
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters.otlp.receiver import grpc_receiver, http_receiver
from tests.unit.exporters.snapshots import ATTRIBUTES, HISTOGRAM, START, TIME, snapshot
from tests.unit.model.test_exponential_histogram import histogram

RECEIVERS = {"grpc": grpc_receiver, "http/protobuf": http_receiver}
DELTA = delta_predicate("delta")
AGGREGATION = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"


def recorded(*values: float) -> Family:
    """A histogram of these values, with both kinds of buckets."""
    buckets = [sum(low < value <= high for value in values) for low, high in ((-1, 5), (5, 10), (10, 1e999))]
    cells = (*map(float, buckets), sum(values))
    both = Point(ATTRIBUTES, START, cells, (), histogram([*values])._replace(sum=sum(values)))
    return Family(HISTOGRAM, (both,))


@pytest.mark.parametrize("protocol", list(RECEIVERS))
def test_a_histogram_arrives_with_its_scale_and_buckets(protocol: str) -> None:
    with RECEIVERS[protocol]() as received:
        target = otlp_target(received.endpoint, False, protocol, None, timeout=5)
        assert target.export(snapshot(recorded(0.0, 2.0, 8.0, 8.0))).success
        target.shutdown()
    sent = received.metric("http.request.duration").exponential_histogram
    assert sent.aggregation_temporality == Temporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    [point] = sent.data_points
    assert (point.count, point.sum, point.zero_count) == (4, 18.0, 1)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (START, TIME)
    assert ExponentialHistogram(
        point.scale, point.positive.offset, tuple(point.positive.bucket_counts)
    ) == ExponentialHistogram(6, 63, (1, *[0] * 127, 2))
    assert not point.negative.bucket_counts
    assert not point.HasField("min")
    assert not point.HasField("max")


def test_the_sdk_makes_the_same_histogram_of_the_same_values() -> None:
    source = random.Random(7)
    values = [source.lognormvariate(0, 2) for _ in range(1000)] + [0.0]
    reader = InMemoryMetricReader(
        preferred_aggregation={SdkHistogram: ExponentialBucketHistogramAggregation()}
    )
    provider = MeterProvider([reader], shutdown_on_exit=False)
    theirs = provider.get_meter("sdk").create_histogram("took")
    for value in values:
        theirs.record(value)
    data: Any = reader.get_metrics_data()
    provider.shutdown()
    [point] = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    ours = histogram(values)
    offset, counts = point.positive.offset, point.positive.bucket_counts
    assert (point.scale, point.zero_count) == (ours.scale, ours.zero_count)
    assert trimmed(point.scale, offset, counts)._replace(zero_count=1.0) == ours


def test_a_histogram_without_exponential_buckets_is_sent_with_explicit_ones() -> None:
    [metric] = (
        to_metrics_data(snapshot(Family(HISTOGRAM, (Point((), 1, (1.0, 0.0, 0.0, 2.0)),))))
        .resource_metrics[0]
        .scope_metrics[0]
        .metrics
    )
    assert type(metric.data).__name__ == "Histogram"


steps = st.lists(st.tuples(st.lists(st.floats(0, 1e6), max_size=5), st.booleans()), max_size=8)


@given(steps)
def test_deltas_add_up_to_the_total(history: list[tuple[list[float], bool]]) -> None:
    values: list[float] = []
    baseline: Snapshot | None = None
    arrived = ExponentialHistogram()
    for step, (more, acknowledged) in enumerate([*history, ([1.0], True)]):
        values += more
        now = snapshot(recorded(*values), time=TIME + step)
        if acknowledged:
            for point in subtract(now, baseline, DELTA).families[0].points:
                assert point.exponential is not None
                arrived = arrived.plus(point.exponential)
            baseline = now
    assert arrived._replace(sum=0.0) == histogram(values)
    assert arrived.sum == pytest.approx(sum(values))


def test_a_delta_has_the_current_scale() -> None:
    before, now = snapshot(recorded(2.0)), snapshot(recorded(2.0, 3.0, 1e6), time=TIME + 1)
    [point] = subtract(now, before, DELTA).families[0].points
    assert point.exponential == histogram([3.0, 1e6])._replace(sum=1e6 + 3.0)


def test_a_value_that_is_only_in_the_exponential_buckets_so_far_is_sent() -> None:
    """Otherwise it would be in the baseline without ever being sent."""
    [point] = recorded(2.0).points
    late = point._replace(exponential=histogram([2.0, 4.0]))
    before, now = snapshot(recorded(2.0)), snapshot(Family(HISTOGRAM, (late,)), time=TIME + 1)
    [sent] = subtract(now, before, DELTA).families[0].points
    assert sent.exponential is not None
    assert sent.exponential.total_count == 1


def test_a_restarted_histogram_is_sent_completely() -> None:
    before, now = snapshot(recorded(2.0, 2.0, 2.0)), snapshot(recorded(4.0, 2.0), time=TIME + 1)
    [point] = subtract(now, before, DELTA).families[0].points
    assert point.exponential == recorded(4.0, 2.0).points[0].exponential


def test_messages_with_many_exponential_histograms_are_small_enough() -> None:
    wide = ExponentialHistogram(MAX_SCALE, -5, (2.0**50,) * 160)
    many = tuple(Point((("n", number),), 1, (1.0,) * 4, (), wide) for number in range(8000))
    parts = [*batches(snapshot(Family(HISTOGRAM, many)))]
    sizes = [encode_metrics(to_metrics_data(part)).ByteSize() for part in parts]
    assert max(sizes) < 4 << 20
    assert sum(len(part.families[0].points) for part in parts) == 8000


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def pushed(receiver: Receiver, name: str) -> Metric:
    """The last metric with this name."""
    metrics = [
        metric
        for request in receiver.requests
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
    ]
    return metrics[-1]


def use(telemetry: Telemetry) -> None:
    """One request of 20 ms, and two values of an instrument."""
    requests = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    requests.start()
    requests.end("/", 200, None, 0.02)
    for value in (3.0, 0.0):
        telemetry.meter("app").create_histogram("took").record(value, {"a": "b"})


@pytest.mark.parametrize("asked", ["variable", "setting"])
@pytest.mark.parametrize("convention", ["classic", "semconv"])
def test_the_push_has_exponential_buckets_and_the_page_explicit_ones(
    receiver: Receiver, asked: str, convention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"endpoint": receiver.http_endpoint, "scope_labels": "none"}
    if asked == "variable":
        monkeypatch.setenv(AGGREGATION, "base2_exponential_bucket_histogram")
    else:
        settings["native_histograms"] = True
    telemetry = Telemetry(convention=convention, **settings)
    use(telemetry)
    assert telemetry.force_flush()
    page = telemetry.render()[1].decode()
    telemetry.shutdown()
    [point] = pushed(receiver, "took").exponential_histogram.data_points
    assert (point.count, point.sum, point.zero_count) == (2, 3.0, 1)
    duration = "http.request.duration" if convention == "classic" else "http.server.request.duration"
    [point] = pushed(receiver, duration).exponential_histogram.data_points
    assert (point.count, point.scale) == (1, MAX_SCALE)
    assert 'took_bucket{a="b",le="0"} 1' in page
    assert 'took_bucket{a="b",le="5"} 2' in page


def test_exponential_buckets_are_not_recorded_by_default(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint)
    use(telemetry)
    assert telemetry.force_flush()
    assert {point.exponential for family in telemetry.snapshot().families for point in family.points} == {
        None
    }
    telemetry.shutdown()
    assert pushed(receiver, "took").WhichOneof("data") == "histogram"


def test_deltas_of_a_group_add_up_to_what_was_recorded(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, temporality="delta", native_histograms=True)
    histogram_ = telemetry.meter("app").create_histogram("took")
    for value in (0.5, 700.0, 3.0):
        histogram_.record(value)
        assert telemetry.force_flush()
    telemetry.shutdown()
    points = [
        point
        for request in receiver.requests
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "took"
        for point in metric.exponential_histogram.data_points
    ]
    deltas = (
        ExponentialHistogram(
            point.scale, point.positive.offset, tuple(point.positive.bucket_counts), sum=point.sum
        )
        for point in points
    )
    total = reduce(ExponentialHistogram.plus, deltas, ExponentialHistogram())
    assert total == histogram([0.5, 700.0, 3.0])._replace(sum=703.5)
    assert receiver.series()[next(key for key in receiver.series() if key[1] == "took")].value == 3
