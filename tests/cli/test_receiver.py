"""The embedded OTLP receiver: requests of the official exporters, and malformed ones."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.cli.receive import point_cells
from dualmetrics.cli.samples import make_sample, received_samples
from tests.unit.bridges.bridged import make_metric, registry_of


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(params=["grpc", "http/protobuf"])
def telemetry(request: pytest.FixtureRequest, receiver: Receiver) -> Iterator[Telemetry]:
    endpoint = receiver.grpc_endpoint if request.param == "grpc" else receiver.http_endpoint
    telemetry = Telemetry(endpoint=endpoint, protocol=request.param, service_name="shop")
    yield telemetry
    telemetry.shutdown()


def post(receiver: Receiver, path: str, body: bytes, **headers: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(receiver.http_endpoint).netloc, timeout=10)
    try:
        connection.request(
            "POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def test_recorded_metrics_arrive_with_kind_value_unit_and_scope(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    meter = telemetry.meter("app")
    meter.create_counter("c", "{x}").add(2, {"b": [1, 2], "a": "1"})
    meter.create_up_down_counter("u").add(-1)
    meter.create_gauge("g").set(2.5)
    meter.create_histogram("h", "s", explicit_bucket_boundaries_advisory=[1]).record(3)
    assert telemetry.force_flush()
    counter = receiver.one("shop", "c", (("a", "1"), ("b", (1, 2))))
    assert (counter.kind, counter.value, counter.unit) == ("counter", 2, "{x}")
    assert {key.scope.name for key in receiver.series()} == {"app", "dualmetrics"}
    assert receiver.one("shop", "u").value == -1
    assert receiver.one("shop", "g").value == 2.5
    histogram = receiver.one("shop", "h")
    assert (histogram.value, histogram.sum, histogram.buckets, histogram.bounds) == (1, 3, (0, 1), (1,))


def test_series_of_two_scopes_with_the_same_name_stay_apart(receiver: Receiver, telemetry: Telemetry) -> None:
    for amount, version in ((1, "1.0"), (2, "2.0")):
        telemetry.meter("app", version).create_counter("c").add(amount)
    assert telemetry.force_flush()
    values = {key.scope.version: point.value for key, point in receiver.series().items() if key.name == "c"}
    assert values == {"1.0": 1, "2.0": 2}


def test_waiting_ends_when_the_awaited_request_arrives(receiver: Receiver, telemetry: Telemetry) -> None:
    assert not receiver.wait_for(lambda: bool(receiver.requests), 0.01)
    telemetry.meter("app").create_counter("c").add(1)
    assert telemetry.force_flush()
    assert receiver.wait_for(lambda: bool(receiver.requests), 10)


def test_deltas_add_up_to_the_total(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, temporality="delta", service_name="shop")
    counter = telemetry.meter("app").create_counter("c")
    histogram = telemetry.meter("app").create_histogram("h", explicit_bucket_boundaries_advisory=[1])
    for amount in (1, 2, 3):
        counter.add(amount)
        histogram.record(amount)
        assert telemetry.force_flush()
    assert telemetry.shutdown()
    counter_point = receiver.one("shop", "c")
    assert (counter_point.delta, counter_point.value) == (True, 6)
    assert receiver.one("shop", "h").buckets == (1, 2)
    sent = [
        point.as_double
        for request in receiver.requests
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "c"
        for point in metric.sum.data_points
    ]
    assert sent == [1, 2, 3]


def test_summaries_and_histograms_without_a_sum_are_shown_with_their_kind(receiver: Receiver) -> None:
    histogram = make_metric("histogram", "bare", ("_bucket", {"le": "1"}, 2), ("_bucket", {"le": "+Inf"}, 3))
    registry = registry_of(histogram, make_metric("summary", "size", ("_sum", {}, 2.5), ("_count", {}, 4)))
    telemetry = Telemetry(endpoint=receiver.http_endpoint, registries=[registry], service_name="shop")
    assert telemetry.force_flush()
    assert telemetry.shutdown()
    cells = {key.name: point_cells(key, point)[2:4] for key, point in receiver.series().items()}
    assert (cells["bare"], cells["size"]) == (("histogram", "3"), ("summary", "4 (sum 2.5)"))
    samples = received_samples(receiver.series(), "shop")
    assert samples[make_sample("size_sum")] == 2.5
    assert make_sample("bare_sum") not in samples


def test_headers_are_stored_in_lower_case(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.grpc_endpoint, protocol="grpc", headers={"Api-Key": "secret"})
    telemetry.meter("app").create_counter("c").add(1)
    assert telemetry.shutdown()
    assert receiver.requests[0].headers["api-key"] == "secret"


def test_a_gzip_body_is_accepted_and_a_malformed_one_is_refused(receiver: Receiver) -> None:
    assert post(receiver, "/v1/metrics", gzip.compress(b""), Content_Encoding="gzip") == 200
    assert post(receiver, "/v1/metrics", b"no gzip", Content_Encoding="gzip") == 400
    assert post(receiver, "/v1/metrics", b"", Content_Encoding="unheard of") == 400
    assert post(receiver, "/v1/metrics", b"\xff garbage") == 400
    assert post(receiver, "/v1/traces", b"") == 404
    assert len(receiver.requests) == 1


def test_a_port_that_is_taken_is_an_error(receiver: Receiver) -> None:
    grpc_port = urlsplit(receiver.grpc_endpoint).port
    http_port = urlsplit(receiver.http_endpoint).port
    assert grpc_port is not None
    assert http_port is not None
    with pytest.raises(OSError, match=str(grpc_port)):
        Receiver(grpc_port=grpc_port)
    with pytest.raises(OSError):  # noqa: PT011  # the message is that of the operating system
        Receiver(http_port=http_port)
