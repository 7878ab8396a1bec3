"""A Collector that refuses large messages gets smaller ones, each point exactly once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as stubs
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from dualmetrics import Telemetry
from dualmetrics.exporters.otlp.exporter import OtlpExporter, otlp_target
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters.snapshots import APP, COUNTER, START, many, snapshot

SUMMARY = Descriptor(APP, "sizes", Kind.SUMMARY, "By", bounds=(0.5,))
PROTOCOLS = ["grpc", "http/protobuf"]


class Strict:
    """What a Collector with a limit has received, and how many messages it has refused."""

    def __init__(self, limit: int, answer: int = 413, text: bytes = b"") -> None:
        self.limit = limit
        self.answer = answer
        self.text = text
        self.endpoint = ""
        self.refused = 0
        self.bytes_received = 0
        self.requests: list[ExportMetricsServiceRequest] = []

    def values(self, name: str) -> list[tuple[str, float]]:
        """The points of a metric in all requests: the value of the first attribute, and the number."""
        return [
            (
                point.attributes[0].value.string_value if point.attributes else "",
                point.as_double if hasattr(point, "as_double") else point.sum,
            )
            for request in self.requests
            for scope in request.resource_metrics[0].scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in getattr(metric, metric.WhichOneof("data") or "").data_points
        ]


@contextmanager
def strict_http(collector: Strict) -> Iterator[Strict]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.bytes_received += len(body)
            is_too_large = len(body) > collector.limit
            if is_too_large:
                collector.refused += 1
            else:
                collector.requests.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(collector.answer if is_too_large else 200)
            self.send_header("Content-Length", str(len(collector.text) if is_too_large else 0))
            self.end_headers()
            self.wfile.write(collector.text if is_too_large else b"")

        def log_message(self, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def strict_grpc(collector: Strict) -> Iterator[Strict]:
    """A server of gRPC with a real limit: the library refuses larger messages before our code sees them."""

    class Service(stubs.MetricsServiceServicer):
        def Export(self, request: ExportMetricsServiceRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the stub's
            collector.requests.append(request)
            return ExportMetricsServiceResponse()

    with ThreadPoolExecutor(2) as pool:
        options = [("grpc.max_receive_message_length", collector.limit)]
        server = grpc.server(pool, options=options)
        stubs.add_MetricsServiceServicer_to_server(Service(), server)  # type: ignore[no-untyped-call]  # generated
        collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield collector
        finally:
            server.stop(0).wait()


def strict(protocol: str, limit: int) -> Any:
    return (strict_grpc if protocol == "grpc" else strict_http)(Strict(limit))


def target_of(collector: Strict, protocol: str) -> OtlpExporter:
    return otlp_target(collector.endpoint, False, protocol, {}, timeout=10)


def numbered(count: int, width: int = 10) -> Snapshot:
    points = (Point((("name", f"{number:0{width}}"),), START, (float(number),)) for number in range(count))
    return snapshot(Family(COUNTER, tuple(points)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("limit", [4_000, 100_000])
def test_each_point_arrives_exactly_once(protocol: str, limit: int) -> None:
    with strict(protocol, limit) as collector:
        target = target_of(collector, protocol)
        assert target.export(numbered(5000)) == (True, 0, "")
        target.shutdown()
    expected = [(f"{number:010}", float(number)) for number in range(5000)]
    assert collector.values("http.requests") == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_next_push_has_messages_of_the_right_size(protocol: str) -> None:
    with strict(protocol, 50_000) as collector:
        target = target_of(collector, protocol)
        assert target.export(numbered(5000)).success
        first, refused = len(collector.requests), collector.refused
        assert target.export(numbered(5000)).success
        target.shutdown()
    assert collector.refused == refused
    assert len(collector.requests) == 2 * first
    assert refused <= 6


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_point_that_is_too_large_alone_is_rejected_and_the_others_arrive(protocol: str, place: int) -> None:
    points = list(numbered(100).families[0].points)
    points[place] = Point((("name", "x" * 20_000),), START, (1.0,))
    with strict(protocol, 10_000) as collector:
        target = target_of(collector, protocol)
        for _ in range(2):
            result = target.export(snapshot(Family(COUNTER, tuple(points))))
            assert (result.success, result.rejected) == (True, 1)
            assert "one point alone is larger" in result.message
        target.shutdown()
    assert len(collector.values("http.requests")) == 2 * 99
    assert len({name for name, _ in collector.values("http.requests")}) == 99


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_collector_that_refuses_everything_gets_a_bounded_number_of_messages(protocol: str) -> None:
    with strict(protocol, 10) as collector:
        target = target_of(collector, protocol)
        result = target.export(numbered(5000))
        target.shutdown()
    assert not result.success
    assert ("413" if protocol != "grpc" else "RESOURCE_EXHAUSTED") in result.message
    assert collector.refused <= 65
    assert collector.bytes_received < 5_000_000


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_summaries_are_divided_too(protocol: str) -> None:
    cells = (3.0, 6.5, 1.0, 1.0)
    points = (Point((("name", f"{number}"),), START, cells) for number in range(1000))
    whole = snapshot(*numbered(1000).families, Family(SUMMARY, tuple(points)))
    with strict(protocol, 10_000) as collector:
        target = target_of(collector, protocol)
        assert target.export(whole) == (True, 0, "")
        target.shutdown()
    assert sorted(int(name) for name, _ in collector.values("sizes")) == [*range(1000)]
    assert sorted(int(name) for name, _ in collector.values("http.requests")) == [*range(1000)]


def test_the_answer_of_a_collector_that_limits_its_requests_itself_is_understood() -> None:
    text = b"http: request body too large"
    with strict_http(Strict(10_000, answer=400, text=text)) as collector:
        target = target_of(collector, "http/protobuf")
        assert target.export(many(1000)).success
        target.shutdown()


def test_another_bad_request_is_not_sent_in_parts() -> None:
    with strict_http(Strict(10_000, answer=400, text=b"no such tenant")) as collector:
        target = target_of(collector, "http/protobuf")
        assert not target.export(many(1000)).success
        target.shutdown()
    assert collector.refused == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_totals_are_exact_over_several_pushes(protocol: str, temporality: str) -> None:
    with strict(protocol, 5_000) as collector:
        telemetry = Telemetry(
            endpoint=collector.endpoint, protocol=protocol, temporality=temporality, timeout=5
        )
        counter = telemetry.meter("shop").create_counter("hits")
        for amount in (1, 10, 100):
            for number in range(500):
                counter.add(amount, {"customer": f"customer-{number}"})
            assert telemetry.force_flush(30)
        telemetry.shutdown()
    totals: dict[str, float] = {}
    for name, value in collector.values("hits"):
        totals[name] = totals.get(name, 0) + value if temporality == "delta" else value
    assert totals == {f"customer-{number}": 111.0 for number in range(500)}
