"""Failed pushes: reported to the caller, never raised, not logged by the exporters, and without secrets."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import grpc
import pytest

from dualmetrics.exporters.otlp.exporter import OtlpExporter, otlp_target
from dualmetrics.exporters.otlp.result import ExportResult
from dualmetrics.runtime.redaction import redact_secrets
from tests.ports import free_port
from tests.unit.exporters.otlp.receiver import Received, grpc_receiver, http_receiver
from tests.unit.exporters.snapshots import everything, many
from tests.waiting import wait_until


@pytest.fixture
def http() -> Iterator[Received]:
    with http_receiver() as received:
        yield received


@pytest.fixture
def over_grpc() -> Iterator[Received]:
    with grpc_receiver() as received:
        yield received


def push(
    received: Received, protocol: str, headers: dict[str, str] | None = None, timeout: float = 5
) -> ExportResult:
    target = otlp_target(received.endpoint, False, protocol, headers, timeout=timeout)
    result = target.export(everything())
    target.shutdown()
    return result


def test_rejected_points_over_http_are_counted_with_the_reason(http: Received) -> None:
    http.response.partial_success.rejected_data_points = 2
    http.response.partial_success.error_message = "too old"
    assert push(http, "http/protobuf") == (True, 2, "too old")


def test_rejected_points_are_not_carried_over_to_the_next_push(http: Received) -> None:
    target = otlp_target(http.endpoint, False, "http/protobuf", None)
    http.response.partial_success.rejected_data_points = 2
    assert target.export(everything()).rejected == 2
    http.response.partial_success.rejected_data_points = 0
    assert target.export(everything()) == (True, 0, "")
    target.shutdown()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_is_a_failure(http: Received, status: int) -> None:
    http.status = status
    result = push(http, "http/protobuf")
    assert not result.success
    assert str(status) in result.message
    assert len(http.paths) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_an_error_status_is_a_failure_with_its_reason(http: Received, status: int) -> None:
    http.status, http.detail = status, "no such tenant"
    result = push(http, "http/protobuf")
    assert not result.success
    assert str(status) in result.message
    assert "no such tenant" in result.message


def test_an_error_over_grpc_is_reported_with_its_details(over_grpc: Received) -> None:
    over_grpc.code, over_grpc.detail = grpc.StatusCode.PERMISSION_DENIED, "no such tenant"
    result = push(over_grpc, "grpc")
    assert not result.success
    assert "PERMISSION_DENIED" in result.message
    assert "no such tenant" in result.message


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_refused_connection_is_a_failure_with_its_reason(protocol: str) -> None:
    received = Received()
    received.endpoint = f"http://127.0.0.1:{free_port()}"
    result = push(received, protocol, timeout=0.5)
    assert not result.success
    assert "refused" in result.message.lower()


def test_a_push_is_retried_if_the_collector_is_unavailable(http: Received) -> None:
    http.status = 503
    results: list[ExportResult] = []
    target = otlp_target(http.endpoint, False, "http/protobuf", None, timeout=10)
    thread = threading.Thread(target=lambda: results.append(target.export(everything())))
    thread.start()
    wait_until(lambda: http.paths, 5, "the first attempt")
    http.status = 200
    thread.join(10)
    target.shutdown()
    assert results == [(True, 0, "")]
    assert len(http.paths) == 2


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_shutdown_interrupts_an_export_that_waits_for_a_retry(protocol: str) -> None:
    with http_receiver() if protocol != "grpc" else grpc_receiver() as received:
        received.status, received.code = 503, grpc.StatusCode.RESOURCE_EXHAUSTED
        results: list[ExportResult] = []
        target = otlp_target(received.endpoint, False, protocol, None, timeout=60)
        thread = threading.Thread(target=lambda: results.append(target.export(everything())))
        thread.start()
        wait_until(lambda: received.headers, 5, "the first attempt")
        began = time.monotonic()
        target.shutdown()
        assert time.monotonic() - began < 1
        thread.join(5)
        assert not thread.is_alive()
        assert [result.success for result in results] == [False]


def test_after_shutdown_exports_fail_and_another_shutdown_is_harmless(http: Received) -> None:
    target = otlp_target(http.endpoint, False, "http/protobuf", None)
    target.shutdown()
    target.shutdown()
    assert not target.export(everything()).success


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_failed_message_ends_the_push(protocol: str) -> None:
    with http_receiver() if protocol != "grpc" else grpc_receiver() as received:
        received.status, received.code = 400, grpc.StatusCode.INVALID_ARGUMENT
        target = otlp_target(received.endpoint, False, protocol, None)
        assert not target.export(many(10_000)).success
        target.shutdown()
        assert len(received.headers) == 1


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_official_exporters_do_not_log_failed_pushes(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    received = Received()
    received.endpoint = f"http://127.0.0.1:{free_port()}"
    with caplog.at_level(logging.WARNING, "opentelemetry"):
        for _ in range(3):
            assert not push(received, protocol, timeout=0.2).success
    assert caplog.records == []


def test_log_lines_of_other_threads_are_not_captured(
    http: Received, caplog: pytest.LogCaptureFixture
) -> None:
    official = logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    http.hold.clear()
    target = otlp_target(http.endpoint, False, "http/protobuf", None, timeout=5)
    thread = threading.Thread(target=target.export, args=(everything(),))
    thread.start()
    wait_until(lambda: http.headers, 5, "the push")
    official.warning("from another thread")
    http.hold.set()
    thread.join(5)
    target.shutdown()
    assert [record.getMessage() for record in caplog.records] == ["from another thread"]
    assert official.filters == []


def test_header_values_are_removed_from_messages(over_grpc: Received) -> None:
    over_grpc.code, over_grpc.detail = grpc.StatusCode.UNAUTHENTICATED, "bad token hunter2"
    result = push(over_grpc, "grpc", {"authorization": "hunter2"})
    assert "bad token ***" in result.message
    assert "hunter2" not in result.message


def test_secrets_in_the_url_are_removed_from_messages() -> None:
    endpoint = f"http://ann:hunter2@127.0.0.1:{free_port()}/x?key=hunter3"
    target = otlp_target(endpoint, True, "http/protobuf", None, timeout=0.2)
    result = target.export(everything())
    target.shutdown()
    assert not result.success
    assert "hunter" not in result.message


def test_very_short_header_values_are_not_redacted() -> None:
    assert redact_secrets(("1", "", "secret"), "HTTP 401: secret 1") == "HTTP 401: *** 1"


def test_a_success_response_that_is_not_otlp_is_a_success() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_respond_with_text, args=(listener,))
        thread.start()
        target: OtlpExporter = otlp_target(
            f"http://127.0.0.1:{listener.getsockname()[1]}", False, "http/protobuf", None
        )
        assert target.export(everything()) == (True, 0, "")
        target.shutdown()
        thread.join(5)


def _respond_with_text(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n\xff\xfe okay"[:-1]
        )
