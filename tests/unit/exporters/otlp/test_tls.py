"""A Collector with TLS, client certificates, compression and an API key, over both protocols."""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as stubs

from dualmetrics import Telemetry
from tests.ports import free_port
from tests.unit.exporters.otlp import receiver
from tests.unit.exporters.otlp.receiver import Received

pytestmark = pytest.mark.server

SECRET = "hunter2-very-secret"


@contextlib.contextmanager
def over_http(server: trustme.LeafCert, clients: trustme.CA) -> Iterator[Received]:
    """A Collector over HTTPS that requires a client certificate."""
    received = Received()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    server.configure_cert(context)
    clients.configure_trust(context)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), receiver._handler(received))
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    received.endpoint = f"https://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield received
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


@contextlib.contextmanager
def over_grpc(server: trustme.LeafCert, clients: trustme.CA) -> Iterator[Received]:
    """A Collector over gRPC that requires a client certificate."""
    received = Received()
    credentials = grpc.ssl_server_credentials(
        [(server.private_key_pem.bytes(), b"".join(blob.bytes() for blob in server.cert_chain_pems))],
        root_certificates=clients.cert_pem.bytes(),
        require_client_auth=True,
    )
    with ThreadPoolExecutor(2) as pool:
        listener = grpc.server(pool)
        add = stubs.add_MetricsServiceServicer_to_server
        add(receiver._Grpc(received), listener)  # type: ignore[no-untyped-call]  # generated without types
        port = listener.add_secure_port(f"127.0.0.1:{free_port()}", credentials)
        received.endpoint = f"https://127.0.0.1:{port}"
        listener.start()
        try:
            yield received
        finally:
            listener.stop(0).wait()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["http/protobuf", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def collector(protocol: str, authority: trustme.CA) -> Iterator[Received]:
    kind = over_grpc if protocol == "grpc" else over_http
    with kind(authority.issue_cert("127.0.0.1"), authority) as received:
        yield received


@pytest.fixture
def _certificates(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = authority.issue_cert("client.example")
    files = {
        "CERTIFICATE": authority.cert_pem,
        "CLIENT_KEY": client.private_key_pem,
        "CLIENT_CERTIFICATE": client.cert_chain_pems[0],
    }
    for name, blob in files.items():
        blob.write_to_path(str(tmp_path / name))
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", str(tmp_path / name))


def pushed(endpoint: str, protocol: str, compression: str = "none") -> bool:
    """Whether a push with an API key in its headers succeeds."""
    telemetry = Telemetry(
        endpoint=endpoint,
        protocol=protocol,
        compression=compression,
        headers={"api-key": SECRET},
        timeout=2,
    )
    telemetry.meter("shop").create_counter("hits").add(3)
    try:
        assert SECRET not in repr(telemetry)
        return telemetry.force_flush(10)
    finally:
        telemetry.shutdown()


@pytest.mark.usefixtures("_certificates")
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_push_arrives_over_mutual_tls_with_its_key_and_compression(
    collector: Received, protocol: str, compression: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert pushed(collector.endpoint, protocol, compression)
    assert collector.metric("hits").sum.data_points[0].as_double == 3
    assert collector.headers[0]["api-key"] == SECRET
    if protocol != "grpc":
        assert collector.headers[0].get("content-encoding", "none") == compression
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("_certificates")
def test_without_a_client_certificate_nothing_arrives(
    collector: Received, protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("CLIENT_KEY", "CLIENT_CERTIFICATE"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}")
    assert not pushed(collector.endpoint, protocol)
    assert collector.requests == []
    assert SECRET not in caplog.text


def test_fifty_thousand_series_arrive_completely_despite_the_message_limit_of_4_mb() -> None:
    with receiver.grpc_receiver() as received:
        telemetry = Telemetry(
            endpoint=received.endpoint, protocol="grpc", cardinality_limit=60_000, timeout=30
        )
        counter = telemetry.meter("shop").create_counter("hits")
        for number in range(50_000):
            counter.add(number + 1, {"customer": f"customer-{number}"})
        assert telemetry.force_flush(60)
        points = [
            point
            for scope in received.scopes()
            for metric in scope.metrics
            if metric.name == "hits"
            for point in metric.sum.data_points
        ]
        telemetry.shutdown()
    assert len(received.requests) > 1
    assert {point.attributes[0].value.string_value: point.as_double for point in points} == {
        f"customer-{number}": number + 1 for number in range(50_000)
    }
