"""Each row of "Prometheus Metric points to OTLP", with real registries, on the page and in the push."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.core import GaugeHistogramMetricFamily

from dualmetrics.cli.otlp_receiver import Receiver
from tests.unit.bridges.bridged import (
    expected_samples,
    make_metric,
    push_registry,
    received_scopes,
    registry_of,
    shown_samples,
    string_attributes,
    telemetry,
)
from tests.unit.exporters.prometheus import reading

CUMULATIVE = 2


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def assert_same_page(tmp_path: Path, registry: CollectorRegistry) -> None:
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        for accept in reading.FORMATS:
            assert shown_samples(recording, accept) == expected_samples(registry, accept)


def test_a_counter_is_a_monotonic_sum_that_keeps_its_whole_name(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    before = time.time_ns()
    Counter("jobs", "Jobs done.", ["kind"], registry=registry).labels("mail").inc(2.5)
    assert_same_page(tmp_path, registry)
    sum_ = push_registry(tmp_path / "push", registry)["jobs_total"].sum
    assert sum_.is_monotonic
    assert sum_.aggregation_temporality == CUMULATIVE
    [point] = sum_.data_points
    assert (string_attributes(point), point.as_double) == ({"kind": "mail"}, 2.5)
    assert abs(point.start_time_unix_nano - before) < 1e9


def test_gauges_and_unknown_metrics_are_gauges_with_the_current_time(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    Gauge("queue_length", "Length.", registry=registry).set(-3)
    assert_same_page(tmp_path, registry)
    [point] = push_registry(tmp_path / "push", registry)["queue_length"].gauge.data_points
    assert point.as_double == -3
    assert abs(point.time_unix_nano - time.time_ns()) < 60e9
    unknown = registry_of(make_metric("unknown", "mystery", ("", {}, 4.0)))
    assert_same_page(tmp_path / "unknown", unknown)
    assert push_registry(tmp_path / "unknown_push", unknown)["mystery"].gauge.data_points[0].as_double == 4


def test_each_bucket_of_a_histogram_counts_by_itself(tmp_path: Path, registry: CollectorRegistry) -> None:
    histogram = Histogram(
        "latency", "Latency.", ["route"], registry=registry, unit="seconds", buckets=[0.1, 1]
    )
    for seconds in (0.05, 0.5, 0.5, 7):
        histogram.labels("/").observe(seconds)
    assert_same_page(tmp_path, registry)
    pushed = push_registry(tmp_path / "push", registry)["latency_seconds"]
    [point] = pushed.histogram.data_points
    assert pushed.unit == "s"
    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([1, 2, 1], [0.1, 1])
    assert (point.count, point.sum) == (4, 8.05)


def test_a_histogram_may_lack_a_sum_but_without_a_count_it_is_dropped(tmp_path: Path) -> None:
    buckets = [("_bucket", {"le": "1"}, 2.0), ("_bucket", {"le": "+Inf"}, 3.0)]
    bare = registry_of(
        make_metric("histogram", "bare", *buckets), make_metric("histogram", "cut", *buckets[:1])
    )
    with telemetry(tmp_path, bare) as recording:
        samples = shown_samples(recording)
    assert not [name for name, _ in samples if name == "bare_sum" or name.startswith("cut")]
    pushed = push_registry(tmp_path / "push", bare)
    [point] = pushed["bare"].histogram.data_points
    assert not point.HasField("sum")
    assert "cut" not in pushed


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_summary_is_pushed_as_a_summary(tmp_path: Path, protocol: str) -> None:
    quantiles = [("", {"quantile": "0.5", "a": "b"}, 3.0), ("", {"quantile": "0.9", "a": "b"}, math.nan)]
    summary = make_metric(
        "summary", "size", *quantiles, ("_sum", {"a": "b"}, 10.0), ("_count", {"a": "b"}, 4.0)
    )
    assert_same_page(tmp_path, registry_of(summary))
    [point] = push_registry(tmp_path / "push", registry_of(summary), protocol)["size"].summary.data_points
    assert (point.count, point.sum, string_attributes(point)) == (4, 10, {"a": "b"})
    first, second = point.quantile_values
    assert (first.quantile, first.value, second.quantile) == (0.5, 3, 0.9)
    assert math.isnan(second.value)


@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_a_summary_is_pushed_in_a_compressed_body(
    tmp_path: Path, registry: CollectorRegistry, compression: str
) -> None:
    Summary("size", "Size.", registry=registry).observe(5)
    with Receiver() as receiver:
        settings = {"endpoint": receiver.http_endpoint, "compression": compression}
        with telemetry(tmp_path, registry, **settings) as recording:
            assert recording.force_flush()
            assert len(receiver.requests) == 1
        pushed = {metric.name: metric for scope in received_scopes(receiver) for metric in scope.metrics}
    assert pushed["size"].summary.data_points[0].sum == 5
    assert "dualmetrics.internal_errors" in pushed


def test_infos_and_enums_are_sums_that_are_not_monotonic(tmp_path: Path, registry: CollectorRegistry) -> None:
    Info("build", "Build.", registry=registry).info({"version": "1.2"})
    Enum("phase", "Phase.", states=["idle", "busy"], registry=registry).state("busy")
    assert_same_page(tmp_path, registry)
    pushed = push_registry(tmp_path / "push", registry)
    info, phase = pushed["build_info"].sum, pushed["phase"].sum
    assert [info.is_monotonic, phase.is_monotonic] == [False, False]
    assert string_attributes(info.data_points[0]) == {"version": "1.2"}
    states = {string_attributes(point)["phase"]: point.as_double for point in phase.data_points}
    assert states == {"idle": 0, "busy": 1}


@pytest.mark.parametrize("by_metric", [True, False])
def test_target_info_becomes_part_of_the_resource(tmp_path: Path, by_metric: bool) -> None:
    registry = CollectorRegistry(target_info=None if by_metric else {"team": "a", "service_name": "x"})
    if by_metric:
        Info("target", "Target.", registry=registry).info({"team": "a", "service_name": "x"})
    Counter("jobs", "Jobs.", registry=registry)
    with Receiver() as receiver:
        with telemetry(tmp_path, registry, endpoint=receiver.http_endpoint) as recording:
            assert recording.force_flush()
        [resource] = receiver.requests[-1].message.resource_metrics
        names = {metric.name for scope in received_scopes(receiver) for metric in scope.metrics}
    sent = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert sent["team"] == "a"
    assert "service_name" not in sent  # our own attribute wins
    assert "jobs_total" in names
    assert not [name for name in names if name.startswith("target")]


def test_scope_labels_become_the_scope_and_on_the_page_labels_again(tmp_path: Path) -> None:
    labels = {"otel_scope_name": "lib", "otel_scope_version": "2", "otel_scope_kind": "x", "a": "b"}
    registry = registry_of(make_metric("gauge", "level", ("", labels, 1.0)))
    assert_same_page(tmp_path, registry)
    with Receiver() as receiver:
        with telemetry(tmp_path / "push", registry, endpoint=receiver.http_endpoint) as recording:
            assert recording.force_flush()
        scope, *_ = [scope for scope in received_scopes(receiver) if scope.scope.name == "lib"]
    assert scope.scope.version == "2"
    assert {pair.key: pair.value.string_value for pair in scope.scope.attributes} == {"kind": "x"}
    assert string_attributes(scope.metrics[0].gauge.data_points[0]) == {"a": "b"}


@pytest.mark.parametrize(
    ("words", "unit"), [("bytes", "By"), ("bytes_per_second", "By/s"), ("ratio", "1"), ("apples", "apples")]
)
def test_unit_words_become_ucum_codes(
    tmp_path: Path, registry: CollectorRegistry, words: str, unit: str
) -> None:
    Gauge("load", "Load.", registry=registry, unit=words).set(1)
    assert push_registry(tmp_path, registry)[f"load_{words}"].unit == unit
    with telemetry(tmp_path / "page", registry) as recording:
        assert f"# UNIT load_{words} {words}\n" in recording.render(reading.OPENMETRICS)[1].decode()


def test_a_gauge_histogram_is_only_on_the_page(tmp_path: Path) -> None:
    histogram = GaugeHistogramMetricFamily("size", "Size.", buckets=[("1", 2), ("+Inf", 3)], gsum_value=4)
    with telemetry(tmp_path, registry_of(histogram)) as recording:
        samples = shown_samples(recording)
    assert samples["size_gcount", ()] == "3.0"
    assert samples["size_bucket", (("le", "1"),)] == "2.0"
    assert push_registry(tmp_path / "push", registry_of(histogram)) == {}


def test_help_labels_and_unusual_names_are_not_changed(tmp_path: Path, registry: CollectorRegistry) -> None:
    counter = Counter("a__b:c_total_d", 'Help \\ "x"\nmore', ["_x", "Y"], registry=registry)
    counter.labels('q"\n', "ü").inc()
    Gauge("x_total_bytes_ratio", "", registry=registry).set(1)
    with telemetry(tmp_path, registry, namespace="ns", scope_labels="own") as recording:
        assert shown_samples(recording) == expected_samples(registry)


def test_our_metric_wins_over_one_of_the_same_name_which_is_logged_once(
    tmp_path: Path, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    Counter("shop_orders", "Theirs.", registry=registry).inc(5)
    with (
        Receiver() as receiver,
        telemetry(tmp_path, registry, endpoint=receiver.http_endpoint, scope_labels="none") as recording,
        caplog.at_level(logging.WARNING, "dualmetrics"),
    ):
        recording.meter("app").create_counter("shop.orders").add(1)
        for _ in range(3):
            assert shown_samples(recording)["shop_orders_total", ()] == "1.0"
        assert recording.force_flush()
        names = {metric.name for scope in received_scopes(receiver) for metric in scope.metrics}
    assert "shop.orders" in names
    assert "shop_orders_total" not in names
    assert len([line for line in caplog.messages if "shop_orders_total" in line]) == 1
