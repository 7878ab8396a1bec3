"""A Collector receives what is in the snapshot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality as Temporality

from dualmetrics.exporters.otlp.exporter import OtlpExporter, otlp_target
from dualmetrics.exporters.otlp.sdk_model import count_points, to_metrics_data
from dualmetrics.exporters.otlp.temporality import delta_predicate
from dualmetrics.model.attributes import Attributes, AttributeValue
from tests.unit.exporters.otlp.receiver import Received, grpc_receiver, http_receiver
from tests.unit.exporters.snapshots import (
    ATTRIBUTES,
    COUNTER,
    GAUGE,
    START,
    TIME,
    everything,
    family,
    many,
    snapshot,
)

RECEIVERS = {"grpc": grpc_receiver, "http/protobuf": http_receiver}


@pytest.fixture(params=list(RECEIVERS))
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def received(protocol: str) -> Iterator[Received]:
    with RECEIVERS[protocol]() as received:
        yield received


def target_of(received: Received, protocol: str, **more: Any) -> OtlpExporter:
    return otlp_target(received.endpoint, False, protocol, more.pop("headers", None), timeout=5, **more)


@pytest.fixture
def target(received: Received, protocol: str) -> Iterator[OtlpExporter]:
    target = target_of(received, protocol)
    yield target
    target.shutdown()


def plain(value: Any) -> AttributeValue:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(plain(item) for item in value.array_value.values)  # type: ignore[return-value]  # of one type each
    scalar: AttributeValue = getattr(value, kind)
    return scalar


def attributes(pairs: Any) -> Attributes:
    return tuple(sorted((pair.key, plain(pair.value)) for pair in pairs))


def test_every_kind_arrives_with_its_value_times_and_attributes(
    received: Received, target: OtlpExporter
) -> None:
    assert target.export(everything()) == (True, 0, "")
    total = received.metric("http.requests")
    assert (total.unit, total.description) == ("{request}", "Requests.")
    assert total.sum.is_monotonic
    assert total.sum.aggregation_temporality == Temporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = total.sum.data_points
    assert (point.as_double, point.start_time_unix_nano, point.time_unix_nano) == (42.0, START, TIME)
    assert attributes(point.attributes) == ATTRIBUTES
    active = received.metric("http.connections.active").sum
    assert (active.is_monotonic, active.data_points[0].as_double) == (False, -3.0)
    (gauge,) = received.metric("system.memory.usage").gauge.data_points
    assert (gauge.as_double, gauge.time_unix_nano) == (0.1, TIME)


def test_the_count_of_a_histogram_is_the_sum_of_its_buckets(received: Received, target: OtlpExporter) -> None:
    target.export(everything())
    histogram = received.metric("http.request.duration").histogram
    assert histogram.aggregation_temporality == Temporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = histogram.data_points
    assert (list(point.bucket_counts), point.count, point.sum) == ([2, 0, 1], 3, 30.5)
    assert list(point.explicit_bounds) == [5.0, 10.0]
    assert (point.HasField("min"), point.HasField("max")) == (False, False)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (START, TIME)


def test_resource_and_scopes_arrive_once_each(received: Received, target: OtlpExporter) -> None:
    target.export(everything())
    (request,) = received.requests
    (resource,) = request.resource_metrics
    assert attributes(resource.resource.attributes) == (("host.ids", ("x", "y")), ("service.name", "shop"))
    own, app = resource.scope_metrics
    assert (own.scope.name, app.scope.name, app.scope.version) == ("dualmetrics", "app", "1.2")
    assert attributes(app.scope.attributes) == (("team", "a"),)
    assert app.schema_url == "https://example.org/schema"
    assert [metric.name for metric in app.metrics] == ["system.memory.usage", "jobs"]


def test_a_gauge_that_was_never_set_is_left_out(received: Received, target: OtlpExporter) -> None:
    unset = snapshot(family(GAUGE, 0.0, 0.0), family(COUNTER, 1.0))
    assert target.export(unset).success
    assert [metric.name for scope in received.scopes() for metric in scope.metrics] == ["http.requests"]
    assert count_points(unset) == 1


def test_delta_temporality_is_declared_for_metrics_with_deltas(received: Received, protocol: str) -> None:
    target = target_of(received, protocol, is_delta=delta_predicate("delta"))
    target.export(everything())
    target.shutdown()
    delta, cumulative = (
        Temporality.AGGREGATION_TEMPORALITY_DELTA,
        Temporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
    )
    assert received.metric("http.requests").sum.aggregation_temporality == delta
    assert received.metric("http.request.duration").histogram.aggregation_temporality == delta
    assert received.metric("http.connections.active").sum.aggregation_temporality == cumulative


def test_very_large_and_very_small_numbers_arrive_exactly(received: Received, target: OtlpExporter) -> None:
    for value in (0.1, 2.0**53, 1e300, 5e-324, 0.0):
        received.requests.clear()
        target.export(snapshot(family(COUNTER, value)))
        assert received.metric("http.requests").sum.data_points[0].as_double == value


def test_ten_thousand_series_arrive_completely_in_messages_below_4_mib(
    received: Received, target: OtlpExporter
) -> None:
    assert target.export(many(10_000)) == (True, 0, "")
    assert len(received.requests) > 1
    assert max(request.ByteSize() for request in received.requests) < 4 << 20
    points = [
        point
        for scope in received.scopes()
        for metric in scope.metrics
        for point in metric.histogram.data_points
    ]
    assert len(points) == 10_000
    assert len({attributes(point.attributes) for point in points}) == 10_000


def test_headers_are_sent_in_lower_case(received: Received, protocol: str) -> None:
    target = target_of(received, protocol, headers={"X-Key": "s3cret"})
    assert target.export(everything()).success
    target.shutdown()
    assert received.headers[0]["x-key"] == "s3cret"


def test_the_environment_variables_of_the_exporters_are_honored(
    received: Received, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-from=variable")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    target = otlp_target(received.endpoint, False, protocol, None)
    assert target.export(everything()).success
    target.shutdown()
    assert received.headers[0]["x-from"] == "variable"
    assert protocol == "grpc" or received.headers[0]["content-encoding"] == "gzip"
    assert received.metric("http.requests").sum.data_points[0].as_double == 42


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_both_protocols_accept_gzip_and_none_as_compression(
    received: Received, protocol: str, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    target = target_of(received, protocol, compression=compression)
    assert target.export(everything()).success
    target.shutdown()
    assert received.metric("http.requests").sum.data_points[0].as_double == 42


def test_http_appends_the_path_to_a_base_url_but_not_to_a_signal_url() -> None:
    with http_receiver() as received:
        for url, is_signal in (("", False), ("/", False), ("/base/", False), ("/own", True)):
            target = otlp_target(received.endpoint + url, is_signal, "http/protobuf", None)
            target.export(everything())
            target.shutdown()
    assert received.paths == ["/v1/metrics", "/v1/metrics", "/base/v1/metrics", "/own"]


def test_the_console_shows_json() -> None:
    code = (
        "from dualmetrics.exporters.otlp.exporter import console_target\n"
        "from tests.unit.exporters.snapshots import everything\n"
        "assert console_target().export(everything()) == (True, 0, '')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown = json.loads(ran.stdout)
    assert shown["resource_metrics"][0]["resource"]["attributes"]["service.name"] == "shop"
    points = shown["resource_metrics"][0]["scope_metrics"][0]["metrics"][0]["data"]["data_points"]
    assert points[0]["value"] == 42.0


def test_an_empty_snapshot_has_no_scopes() -> None:
    assert to_metrics_data(snapshot()).resource_metrics[0].scope_metrics == []


def test_importing_the_exporters_imports_neither_grpc_nor_requests() -> None:
    code = "import sys, dualmetrics.exporters.otlp.exporter; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(ran.stdout.split()) & {"grpc", "requests", "google.protobuf"}
