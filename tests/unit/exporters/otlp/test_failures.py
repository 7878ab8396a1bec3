"""Pushes that fail: told to the caller in words, never raised, never logged by others, no secret in them."""

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
    outcome = target.export(everything())
    target.shutdown()
    return outcome


def test_points_rejected_over_http_are_counted_with_the_reason(http: Received) -> None:
    http.response.partial_success.rejected_data_points = 2
    http.response.partial_success.error_message = "too old"
    assert push(http, "http/protobuf") == (True, 2, "too old")


def test_the_next_push_begins_with_nothing_rejected(http: Received) -> None:
    target = otlp_target(http.endpoint, False, "http/protobuf", None)
    http.response.partial_success.rejected_data_points = 2
    assert target.export(everything()).rejected == 2
    http.response.partial_success.rejected_data_points = 0
    assert target.export(everything()) == (True, 0, "")
    target.shutdown()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_is_a_failure(http: Received, status: int) -> None:
    http.status = status
    outcome = push(http, "http/protobuf")
    assert not outcome.success
    assert str(status) in outcome.message
    assert len(http.paths) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_a_refusal_is_a_failure_and_says_why(http: Received, status: int) -> None:
    http.status, http.detail = status, "no such tenant"
    outcome = push(http, "http/protobuf")
    assert not outcome.success
    assert str(status) in outcome.message
    assert "no such tenant" in outcome.message


def test_a_refusal_over_grpc_says_why(over_grpc: Received) -> None:
    over_grpc.code, over_grpc.detail = grpc.StatusCode.PERMISSION_DENIED, "no such tenant"
    outcome = push(over_grpc, "grpc")
    assert not outcome.success
    assert "PERMISSION_DENIED" in outcome.message
    assert "no such tenant" in outcome.message


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_nobody_there_is_a_failure_that_names_the_reason(protocol: str) -> None:
    received = Received()
    received.endpoint = f"http://127.0.0.1:{free_port()}"
    outcome = push(received, protocol, timeout=0.5)
    assert not outcome.success
    assert "refused" in outcome.message.lower()


def test_a_collector_that_asks_for_a_retry_gets_one(http: Received) -> None:
    http.status = 503
    outcomes: list[ExportResult] = []
    target = otlp_target(http.endpoint, False, "http/protobuf", None, timeout=10)
    thread = threading.Thread(target=lambda: outcomes.append(target.export(everything())))
    thread.start()
    wait_until(lambda: http.paths, 5, "the first try")
    http.status = 200
    thread.join(10)
    target.shutdown()
    assert outcomes == [(True, 0, "")]
    assert len(http.paths) == 2


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_shutdown_ends_the_waiting_of_an_export_at_once(protocol: str) -> None:
    with http_receiver() if protocol != "grpc" else grpc_receiver() as received:
        received.status, received.code = 503, grpc.StatusCode.RESOURCE_EXHAUSTED
        outcomes: list[ExportResult] = []
        target = otlp_target(received.endpoint, False, protocol, None, timeout=60)
        thread = threading.Thread(target=lambda: outcomes.append(target.export(everything())))
        thread.start()
        wait_until(lambda: received.headers, 5, "the first try")
        began = time.monotonic()
        target.shutdown()
        assert time.monotonic() - began < 1
        thread.join(5)
        assert not thread.is_alive()
        assert [outcome.success for outcome in outcomes] == [False]


def test_a_target_that_was_shut_down_fails_and_may_be_shut_down_again(http: Received) -> None:
    target = otlp_target(http.endpoint, False, "http/protobuf", None)
    target.shutdown()
    target.shutdown()
    assert not target.export(everything()).success


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_after_a_message_that_failed_the_others_are_not_tried(protocol: str) -> None:
    with http_receiver() if protocol != "grpc" else grpc_receiver() as received:
        received.status, received.code = 400, grpc.StatusCode.INVALID_ARGUMENT
        target = otlp_target(received.endpoint, False, protocol, None)
        assert not target.export(many(10_000)).success
        target.shutdown()
        assert len(received.headers) == 1


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_official_exporters_log_nothing_of_our_pushes(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    received = Received()
    received.endpoint = f"http://127.0.0.1:{free_port()}"
    with caplog.at_level(logging.WARNING, "opentelemetry"):
        for _ in range(3):
            assert not push(received, protocol, timeout=0.2).success
    assert caplog.records == []


def test_lines_of_other_threads_are_logged_as_before(
    http: Received, caplog: pytest.LogCaptureFixture
) -> None:
    official = logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    http.hold.clear()
    target = otlp_target(http.endpoint, False, "http/protobuf", None, timeout=5)
    thread = threading.Thread(target=target.export, args=(everything(),))
    thread.start()
    wait_until(lambda: http.headers, 5, "the push")
    official.warning("of another thread")
    http.hold.set()
    thread.join(5)
    target.shutdown()
    assert [record.getMessage() for record in caplog.records] == ["of another thread"]
    assert official.filters == []


def test_header_values_are_in_no_message(over_grpc: Received) -> None:
    over_grpc.code, over_grpc.detail = grpc.StatusCode.UNAUTHENTICATED, "bad token hunter2"
    outcome = push(over_grpc, "grpc", {"authorization": "hunter2"})
    assert "bad token ***" in outcome.message
    assert "hunter2" not in outcome.message


def test_what_a_url_carries_is_in_no_message() -> None:
    endpoint = f"http://ann:hunter2@127.0.0.1:{free_port()}/x?key=hunter3"
    target = otlp_target(endpoint, True, "http/protobuf", None, timeout=0.2)
    outcome = target.export(everything())
    target.shutdown()
    assert not outcome.success
    assert "hunter" not in outcome.message


def test_only_what_is_long_enough_for_a_secret_is_blackened() -> None:
    assert redact_secrets(("1", "", "secret"), "HTTP 401: secret 1") == "HTTP 401: *** 1"


def test_an_answer_that_is_no_otlp_is_a_success_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_in_words, args=(listener,))
        thread.start()
        target: OtlpExporter = otlp_target(
            f"http://127.0.0.1:{listener.getsockname()[1]}", False, "http/protobuf", None
        )
        assert target.export(everything()) == (True, 0, "")
        target.shutdown()
        thread.join(5)


def _answer_in_words(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n\xff\xfe okay"[:-1]
        )
