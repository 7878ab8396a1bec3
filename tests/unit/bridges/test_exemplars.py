"""Exemplars of other libraries are on the page and in the push, and are merged over workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.view import View
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.samples import Exemplar as ClientExemplar
from prometheus_client.samples import Timestamp

from dualmetrics import Telemetry
from dualmetrics.bridges.sdk import MetricReader
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.prometheus import Page
from tests.unit.bridges.bridged import push_registry, received_scopes, registry_of, telemetry
from tests.unit.bridges.forked import forked_worker
from tests.unit.exporters.prometheus import client_model, reading
from tests.waiting import wait_until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
IDS = {"trace_id": TRACE, "span_id": SPAN}
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def shown_exemplars(recording: Telemetry) -> dict[reading.Sample, tuple[dict[str, str], float]]:
    """The labels and value of each exemplar on the OpenMetrics page, by sample."""
    content_type, body = recording.render(reading.OPENMETRICS)
    return {
        reading.named(sample.name, sample.labels): (sample.exemplar.labels, sample.exemplar.value)
        for family in reading.metrics(Page(content_type, [body]))
        for sample in family.samples
        if sample.exemplar
    }


def protobuf_exemplars(recording: Telemetry) -> dict[str, list[Any]]:
    """The exemplars on the protobuf page, by family."""
    _, body = recording.render(PROTOBUF)
    by_family = {
        family.name: [
            holder.exemplar
            for metric in family.metric
            for holder in (metric.counter, *metric.histogram.bucket)
            if holder.HasField("exemplar")
        ]
        for family in client_model.families(body)
    }
    return {name: exemplars for name, exemplars in by_family.items() if exemplars}


def label_dict(exemplar: Any) -> dict[str, str]:
    return {pair.name: pair.value for pair in exemplar.label}


def ids(exemplar: Any) -> tuple[str, str]:
    return exemplar.trace_id.hex(), exemplar.span_id.hex()


@contextmanager
def span(number: int = 0) -> Iterator[None]:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(int(TRACE, 16), int(SPAN, 16) + number, is_remote=False, trace_flags=flags)
    with trace.use_span(trace.NonRecordingSpan(context)):
        yield


def record_in_registry(registry: CollectorRegistry) -> None:
    """Record a counter and a histogram with exemplars."""
    Counter("jobs", "", registry=registry).inc(2, exemplar={**IDS, "user": 'u"1"'})
    sizes = Histogram("sizes", "", registry=registry, buckets=[1, 10])
    for value, labels in ((0.5, {"part": "a"}), (5, IDS), (50, {"trace_id": "short"})):
        sizes.observe(value, exemplar=labels)


# Exemplars of a registry


def test_the_page_shows_the_exemplars_of_a_registry_unchanged(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    record_in_registry(registry)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        expected = {
            ("jobs_total", ()): ({**IDS, "user": 'u"1"'}, 2.0),
            ("sizes_bucket", (("le", "1.0"),)): ({"part": "a"}, 0.5),
            ("sizes_bucket", (("le", "10.0"),)): (IDS, 5.0),
            ("sizes_bucket", (("le", "+Inf"),)): ({"trace_id": "short"}, 50.0),
        }
        assert shown_exemplars(recording) == expected
        by_family = protobuf_exemplars(recording)
        assert [label_dict(exemplar) for exemplar in by_family["jobs_total"]] == [{**IDS, "user": 'u"1"'}]
        assert [label_dict(exemplar) for exemplar in by_family["sizes"]] == [
            {"part": "a"},
            IDS,
            {"trace_id": "short"},
        ]


def test_a_collector_receives_the_ids_and_all_other_labels_as_attributes(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    record_in_registry(registry)
    metrics = push_registry(tmp_path, registry)
    [jobs] = metrics["jobs_total"].sum.data_points[0].exemplars
    assert (ids(jobs), attribute_dict(jobs), jobs.as_double) == ((TRACE, SPAN), {"user": 'u"1"'}, 2.0)
    [sizes] = metrics["sizes"].histogram.data_points
    assert [(ids(found), attribute_dict(found), found.as_double) for found in sizes.exemplars] == [
        (("", ""), {"part": "a"}, 0.5),
        ((TRACE, SPAN), {}, 5.0),
        (("", ""), {"trace_id": "short"}, 50.0),
    ]
    assert all(0 < found.time_unix_nano <= sizes.time_unix_nano for found in (jobs, *sizes.exemplars))


def attribute_dict(exemplar: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in exemplar.filtered_attributes}


def counter_with_exemplar(labels: dict[str, Any], value: Any = 1.0, timestamp: Any = None) -> Metric:
    """A counter with one exemplar, as a custom collector returns it. The exemplar may be invalid."""
    metric = Metric("jobs", "", "counter")
    metric.add_sample("jobs_total", {}, 1.0, exemplar=ClientExemplar(labels, value, timestamp))
    return metric


@pytest.mark.parametrize(
    ("labels", "trace_id", "span_id", "others"),
    [
        ({"trace_id": TRACE}, TRACE, "0" * 16, {}),  # the encoder writes both ids or none; zeros are none
        ({"span_id": SPAN}, "0" * 32, SPAN, {}),
        ({"trace_id": TRACE.upper(), "span_id": SPAN}, TRACE, SPAN, {}),
        ({"trace_id": "0" * 32}, "", "", {"trace_id": "0" * 32}),
        (
            {"trace_id": TRACE[1:], "span_id": SPAN + "0"},
            "",
            "",
            {"trace_id": TRACE[1:], "span_id": SPAN + "0"},
        ),
        ({"trace_id": "x" * 32, "_a": "b"}, "", "", {"trace_id": "x" * 32, "_a": "b"}),
        ({}, "", "", {}),
    ],
)
def test_only_complete_hexadecimal_ids_become_ids(
    tmp_path: Path, labels: dict[str, str], trace_id: str, span_id: str, others: dict[str, str]
) -> None:
    registry = registry_of(counter_with_exemplar(labels))
    [exemplar] = push_registry(tmp_path / "push", registry)["jobs_total"].sum.data_points[0].exemplars
    assert (ids(exemplar), attribute_dict(exemplar)) == ((trace_id, span_id), others)
    with telemetry(tmp_path / "page", registry, metrics_exporter="prometheus") as recording:
        lower_case = {name: value.lower() for name, value in labels.items()}
        assert shown_exemplars(recording) == {("jobs_total", ()): (lower_case, 1.0)}


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (1_700_000_000.5, 1_700_000_000_500_000_000),
        (Timestamp(1_700_000_000, 123_456_789), 1_700_000_000_123_456_789),
    ],
)
def test_the_time_of_an_exemplar_is_kept(tmp_path: Path, timestamp: Any, expected: int) -> None:
    registry = registry_of(counter_with_exemplar({}, timestamp=timestamp))
    [exemplar] = push_registry(tmp_path, registry)["jobs_total"].sum.data_points[0].exemplars
    assert exemplar.time_unix_nano == expected


@pytest.mark.parametrize(
    "metric",
    [
        counter_with_exemplar({}, float("nan")),
        counter_with_exemplar({}, timestamp="soon"),
        counter_with_exemplar({"a": 1}),
        counter_with_exemplar({}, value="x"),
    ],
)
def test_an_invalid_exemplar_is_left_out_but_its_series_is_not(tmp_path: Path, metric: Metric) -> None:
    with telemetry(tmp_path, registry_of(metric), metrics_exporter="prometheus") as recording:
        assert shown_exemplars(recording) == {}
        assert "jobs_total 1\n" in recording.render()[1].decode()


def test_labels_beyond_the_limit_of_openmetrics_are_left_out_of_the_page(tmp_path: Path) -> None:
    registry = registry_of(counter_with_exemplar({**IDS, "long": "x" * 62, "short": "y"}))
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        assert shown_exemplars(recording) == {("jobs_total", ()): ({**IDS, "short": "y"}, 1.0)}


def test_a_later_exemplar_replaces_the_old_one_even_if_no_total_changed(tmp_path: Path) -> None:
    metric = counter_with_exemplar({"n": "1"})
    with telemetry(tmp_path, registry_of(metric), metrics_exporter="prometheus") as recording:
        assert shown_exemplars(recording)["jobs_total", ()] == ({"n": "1"}, 1.0)
        metric.samples = counter_with_exemplar({"n": "2"}).samples
        assert shown_exemplars(recording)["jobs_total", ()] == ({"n": "2"}, 1.0)


# Exemplars of an SDK


def provider(recording: Telemetry, *views: View) -> MeterProvider:
    return MeterProvider([MetricReader(recording)], exemplar_filter=AlwaysOnExemplarFilter(), views=views)


def record_in_sdk(recording: Telemetry) -> None:
    """Record a counter inside a span, and a histogram with two buckets outside of it."""
    views = [View(instrument_name="jobs", attribute_keys={"kept"})]
    meter = provider(recording, *views).get_meter("app")
    with span():
        meter.create_counter("jobs").add(3, {"kept": "x", "user.name": "u", "n": 7})
    sizes = meter.create_histogram("sizes", explicit_bucket_boundaries_advisory=[1, 10])
    for value in (0.5, 1, 50):
        sizes.record(value)
    meter.create_up_down_counter("open").add(1)
    meter.create_gauge("level").set(1)


def test_the_page_shows_the_exemplars_of_an_sdk_until_there_are_later_ones(tmp_path: Path) -> None:
    with telemetry(tmp_path, metrics_exporter="prometheus") as recording:
        record_in_sdk(recording)
        scope = ("otel_scope_name", "app")
        expected = {
            ("jobs_total", (("kept", "x"), scope)): ({**IDS, "user_name": "u", "n": "7"}, 3.0),
            ("sizes_bucket", (("le", "1.0"), scope)): ({}, 1.0),
            ("sizes_bucket", (("le", "+Inf"), scope)): ({}, 50.0),
        }
        for _ in range(3):
            assert shown_exemplars(recording) == expected


def test_a_collector_receives_the_exemplars_of_an_sdk(tmp_path: Path) -> None:
    with Receiver() as receiver, telemetry(tmp_path, endpoint=receiver.http_endpoint) as recording:
        record_in_sdk(recording)
        assert recording.force_flush()
        [scope] = [scope for scope in received_scopes(receiver) if scope.scope.name == "app"]
    metrics = {metric.name: metric for metric in scope.metrics}
    [jobs] = metrics["jobs"].sum.data_points[0].exemplars
    attributes = {pair.key: pair.value for pair in jobs.filtered_attributes}
    assert (ids(jobs), jobs.as_double) == ((TRACE, SPAN), 3.0)
    assert (attributes["user.name"].string_value, attributes["n"].int_value) == ("u", 7)
    assert [exemplar.as_double for exemplar in metrics["sizes"].histogram.data_points[0].exemplars] == [
        1.0,
        50.0,
    ]


# Exemplars of both


def test_always_off_leaves_all_exemplars_out_of_page_and_push(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    record_in_registry(registry)
    off = {"exemplar_filter": "always_off"}
    with (
        Receiver() as receiver,
        telemetry(tmp_path, registry, endpoint=receiver.http_endpoint, **off) as recording,
    ):
        record_in_sdk(recording)
        assert recording.force_flush()
        assert shown_exemplars(recording) == {}
        assert protobuf_exemplars(recording) == {}
        sent = str(received_scopes(receiver))
        assert "sizes" in sent
        assert "exemplars" not in sent


def test_each_worker_shows_the_latest_exemplars_even_of_a_killed_worker(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    jobs = Counter("jobs", "", registry=registry)
    sizes = Histogram("sizes", "", registry=registry, buckets=[1, 10])

    def count(value: float, labels: dict[str, str]) -> None:
        jobs.inc(value, exemplar=labels)
        sizes.observe(value, exemplar=labels)

    first, second = (0.5, {**IDS, "by": "first"}), (5.0, {"by": "second"})
    low, high = (("sizes_bucket", (("le", le),)) for le in ("1.0", "10.0"))
    total = ("jobs_total", ())
    with (
        Receiver() as receiver,
        telemetry(tmp_path, registry, label="fork", endpoint=receiver.http_endpoint) as recording,
    ):
        with forked_worker(recording, lambda: count(*first)):
            wait_until(
                lambda: shown_exemplars(recording) == {total: first[::-1], low: first[::-1]},
                20,
                "the exemplars of the first worker",
            )
        with forked_worker(recording, lambda: count(*second)):
            expected = {total: second[::-1], low: first[::-1], high: second[::-1]}
            wait_until(
                lambda: shown_exemplars(recording) == expected,
                20,
                "the exemplars of both workers",
                details=lambda: shown_exemplars(recording),
            )
        for _ in range(3):
            assert shown_exemplars(recording) == expected
        assert recording.force_flush()
        [sent] = [scope for scope in received_scopes(receiver) if scope.scope.name == "prometheus_client"]
    metrics = {metric.name: metric for metric in sent.metrics}
    [of_jobs] = metrics["jobs_total"].sum.data_points[0].exemplars
    assert attribute_dict(of_jobs) == {"by": "second"}
    assert [
        attribute_dict(exemplar)["by"] for exemplar in metrics["sizes"].histogram.data_points[0].exemplars
    ] == [
        "first",
        "second",
    ]
