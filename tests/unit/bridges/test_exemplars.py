"""The exemplars of other libraries' metrics: on the page, in the push, and over workers."""

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
from prometheus_client.samples import Exemplar as Found
from prometheus_client.samples import Timestamp

from dualmetrics import Telemetry
from dualmetrics.bridges.sdk import MetricReader
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.prometheus import Page
from tests.unit.bridges.bridged import of, pushed, scopes, telemetry
from tests.unit.bridges.forked import worker
from tests.unit.exporters.prometheus import client_model, reading
from tests.waiting import wait_until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
IDS = {"trace_id": TRACE, "span_id": SPAN}
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def shown(made: Telemetry) -> dict[reading.Sample, tuple[dict[str, str], float]]:
    """Labels and value of the exemplar of each sample that has one, by prometheus_client's parser."""
    content_type, body = made.render(reading.OPENMETRICS)
    return {
        reading.named(sample.name, sample.labels): (sample.exemplar.labels, sample.exemplar.value)
        for family in reading.metrics(Page(content_type, [body]))
        for sample in family.samples
        if sample.exemplar
    }


def in_protobuf(made: Telemetry) -> dict[str, list[Any]]:
    """The exemplars of each family."""
    _, body = made.render(PROTOBUF)
    found = {
        family.name: [
            holder.exemplar
            for metric in family.metric
            for holder in (metric.counter, *metric.histogram.bucket)
            if holder.HasField("exemplar")
        ]
        for family in client_model.families(body)
    }
    return {name: each for name, each in found.items() if each}


def labels(exemplar: Any) -> dict[str, str]:
    return {pair.name: pair.value for pair in exemplar.label}


def ids(exemplar: Any) -> tuple[str, str]:
    return exemplar.trace_id.hex(), exemplar.span_id.hex()


@contextmanager
def span(number: int = 0) -> Iterator[None]:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(int(TRACE, 16), int(SPAN, 16) + number, is_remote=False, trace_flags=flags)
    with trace.use_span(trace.NonRecordingSpan(context)):
        yield


def work(registry: CollectorRegistry) -> None:
    """A counter and a histogram with exemplars."""
    Counter("jobs", "", registry=registry).inc(2, exemplar={**IDS, "user": 'u"1"'})
    sizes = Histogram("sizes", "", registry=registry, buckets=[1, 10])
    for value, said in ((0.5, {"part": "a"}), (5, IDS), (50, {"trace_id": "short"})):
        sizes.observe(value, exemplar=said)


# A registry


def test_a_page_shows_a_registrys_exemplars_as_they_were(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    work(registry)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as made:
        expected = {
            ("jobs_total", ()): ({**IDS, "user": 'u"1"'}, 2.0),
            ("sizes_bucket", (("le", "1.0"),)): ({"part": "a"}, 0.5),
            ("sizes_bucket", (("le", "10.0"),)): (IDS, 5.0),
            ("sizes_bucket", (("le", "+Inf"),)): ({"trace_id": "short"}, 50.0),
        }
        assert shown(made) == expected
        found = in_protobuf(made)
        assert [labels(each) for each in found["jobs_total"]] == [{**IDS, "user": 'u"1"'}]
        assert [labels(each) for each in found["sizes"]] == [{"part": "a"}, IDS, {"trace_id": "short"}]


def test_a_collector_receives_ids_and_the_other_labels_as_attributes(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    work(registry)
    found = pushed(tmp_path, registry)
    [jobs] = found["jobs_total"].sum.data_points[0].exemplars
    assert (ids(jobs), attributes_of(jobs), jobs.as_double) == ((TRACE, SPAN), {"user": 'u"1"'}, 2.0)
    [sizes] = found["sizes"].histogram.data_points
    assert [(ids(each), attributes_of(each), each.as_double) for each in sizes.exemplars] == [
        (("", ""), {"part": "a"}, 0.5),
        ((TRACE, SPAN), {}, 5.0),
        (("", ""), {"trace_id": "short"}, 50.0),
    ]
    assert all(0 < each.time_unix_nano <= sizes.time_unix_nano for each in (jobs, *sizes.exemplars))


def attributes_of(exemplar: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in exemplar.filtered_attributes}


def counted(said: dict[str, str], value: float = 1.0, at: Any = None) -> Metric:
    """A counter of a custom collector with such an exemplar."""
    made = Metric("jobs", "", "counter")
    made.add_sample("jobs_total", {}, 1.0, exemplar=Found(said, value, at))
    return made


@pytest.mark.parametrize(
    ("said", "trace_id", "span_id", "others"),
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
def test_only_whole_hexadecimal_ids_become_ids(
    tmp_path: Path, said: dict[str, str], trace_id: str, span_id: str, others: dict[str, str]
) -> None:
    registry = of(counted(said))
    [found] = pushed(tmp_path / "push", registry)["jobs_total"].sum.data_points[0].exemplars
    assert (ids(found), attributes_of(found)) == ((trace_id, span_id), others)
    with telemetry(tmp_path / "page", registry, metrics_exporter="prometheus") as made:
        kept = {name: value.lower() for name, value in said.items()}
        assert shown(made) == {("jobs_total", ()): (kept, 1.0)}


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (1_700_000_000.5, 1_700_000_000_500_000_000),
        (Timestamp(1_700_000_000, 123_456_789), 1_700_000_000_123_456_789),
    ],
)
def test_its_time_is_kept(tmp_path: Path, at: Any, expected: int) -> None:
    [found] = pushed(tmp_path, of(counted({}, at=at)))["jobs_total"].sum.data_points[0].exemplars
    assert found.time_unix_nano == expected


@pytest.mark.parametrize(
    "metric",
    [counted({}, float("nan")), counted({}, at="soon"), counted({"a": 1}), counted({}, value="x")],  # type: ignore[arg-type, dict-item]
)
def test_one_that_is_garbage_costs_itself_alone(tmp_path: Path, metric: Metric) -> None:
    with telemetry(tmp_path, of(metric), metrics_exporter="prometheus") as made:
        assert shown(made) == {}
        assert "jobs_total 1\n" in made.render()[1].decode()


def test_labels_that_openmetrics_has_no_room_for_are_left_out_of_the_page(tmp_path: Path) -> None:
    registry = of(counted({**IDS, "long": "x" * 62, "short": "y"}))
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as made:
        assert shown(made) == {("jobs_total", ()): ({**IDS, "short": "y"}, 1.0)}


def test_a_later_one_takes_its_place_though_no_total_changed(tmp_path: Path) -> None:
    metric = counted({"n": "1"})
    with telemetry(tmp_path, of(metric), metrics_exporter="prometheus") as made:
        assert shown(made)["jobs_total", ()] == ({"n": "1"}, 1.0)
        metric.samples = counted({"n": "2"}).samples
        assert shown(made)["jobs_total", ()] == ({"n": "2"}, 1.0)


# An SDK


def provider(made: Telemetry, *views: View) -> MeterProvider:
    return MeterProvider([MetricReader(made)], exemplar_filter=AlwaysOnExemplarFilter(), views=views)


def record(made: Telemetry) -> None:
    """One measurement in a span for a counter, and one outside for each of two buckets."""
    views = [View(instrument_name="jobs", attribute_keys={"kept"})]
    meter = provider(made, *views).get_meter("app")
    with span():
        meter.create_counter("jobs").add(3, {"kept": "x", "user.name": "u", "n": 7})
    sizes = meter.create_histogram("sizes", explicit_bucket_boundaries_advisory=[1, 10])
    for value in (0.5, 1, 50):
        sizes.record(value)
    meter.create_up_down_counter("open").add(1)
    meter.create_gauge("level").set(1)


def test_a_page_shows_an_sdks_exemplars_until_later_ones_come(tmp_path: Path) -> None:
    with telemetry(tmp_path, metrics_exporter="prometheus") as made:
        record(made)
        scope = ("otel_scope_name", "app")
        expected = {
            ("jobs_total", (("kept", "x"), scope)): ({**IDS, "user_name": "u", "n": "7"}, 3.0),
            ("sizes_bucket", (("le", "1.0"), scope)): ({}, 1.0),
            ("sizes_bucket", (("le", "+Inf"), scope)): ({}, 50.0),
        }
        for _ in range(3):
            assert shown(made) == expected


def test_a_collector_receives_an_sdks_exemplars(tmp_path: Path) -> None:
    with Receiver() as receiver, telemetry(tmp_path, endpoint=receiver.http_endpoint) as made:
        record(made)
        assert made.force_flush()
        [scope] = [each for each in scopes(receiver) if each.scope.name == "app"]
    found = {metric.name: metric for metric in scope.metrics}
    [jobs] = found["jobs"].sum.data_points[0].exemplars
    said = {pair.key: pair.value for pair in jobs.filtered_attributes}
    assert (ids(jobs), jobs.as_double) == ((TRACE, SPAN), 3.0)
    assert (said["user.name"].string_value, said["n"].int_value) == ("u", 7)
    assert [each.as_double for each in found["sizes"].histogram.data_points[0].exemplars] == [1.0, 50.0]


# Both


def test_always_off_leaves_them_out_on_both_ways(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    work(registry)
    off = {"exemplar_filter": "always_off"}
    with (
        Receiver() as receiver,
        telemetry(tmp_path, registry, endpoint=receiver.http_endpoint, **off) as made,
    ):
        record(made)
        assert made.force_flush()
        assert shown(made) == {}
        assert in_protobuf(made) == {}
        sent = str(scopes(receiver))
        assert "sizes" in sent
        assert "exemplars" not in sent


def test_any_worker_shows_the_latest_also_of_one_that_was_killed(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    jobs = Counter("jobs", "", registry=registry)
    sizes = Histogram("sizes", "", registry=registry, buckets=[1, 10])

    def count(value: float, said: dict[str, str]) -> None:
        jobs.inc(value, exemplar=said)
        sizes.observe(value, exemplar=said)

    first, second = (0.5, {**IDS, "by": "first"}), (5.0, {"by": "second"})
    low, high = (("sizes_bucket", (("le", le),)) for le in ("1.0", "10.0"))
    total = ("jobs_total", ())
    with (
        Receiver() as receiver,
        telemetry(tmp_path, registry, label="fork", endpoint=receiver.http_endpoint) as made,
    ):
        with worker(made, lambda: count(*first)):
            wait_until(lambda: shown(made) == {total: first[::-1], low: first[::-1]}, 20, "the first one's")
        with worker(made, lambda: count(*second)):
            expected = {total: second[::-1], low: first[::-1], high: second[::-1]}
            wait_until(lambda: shown(made) == expected, 20, "both", details=lambda: shown(made))
        for _ in range(3):
            assert shown(made) == expected
        assert made.force_flush()
        [sent] = [each for each in scopes(receiver) if each.scope.name == "prometheus_client"]
    found = {metric.name: metric for metric in sent.metrics}
    [of_jobs] = found["jobs_total"].sum.data_points[0].exemplars
    assert attributes_of(of_jobs) == {"by": "second"}
    assert [attributes_of(each)["by"] for each in found["sizes"].histogram.data_points[0].exemplars] == [
        "first",
        "second",
    ]
