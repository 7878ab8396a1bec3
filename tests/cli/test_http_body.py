"""Bodies that the receiver reads, and those that it refuses: chunked, compressed, malformed, too large."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from dualmetrics.cli.http_body import MAX_BODY_BYTES
from dualmetrics.cli.otlp_receiver import KEPT_REQUESTS, OtlpServer, Receiver
from tests.cli.commands import http_endpoint, receiving

MESSAGE = ExportMetricsServiceRequest()
MESSAGE.resource_metrics.add().scope_metrics.add().metrics.add(name="hits").gauge.data_points.add(as_double=1)
BODY = MESSAGE.SerializeToString()
POST = b"POST /v1/metrics HTTP/1.1\r\nHost: test\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def status_of(endpoint: str, request: bytes) -> int:
    """Send the bytes of a request, and return the status of the answer."""
    address = urlsplit(endpoint)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20) as client:
        client.sendall(request)
        response = http.client.HTTPResponse(client)
        response.begin()
        response.read()
        return response.status


def chunks(*parts: bytes, extension: bytes = b"") -> bytes:
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n\r\n"


def with_length(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([POST + b"Content-Length: %d" % len(body), *headers, b"", body])


@pytest.mark.parametrize(
    "request_",
    [
        with_length(BODY),
        with_length(gzip.compress(BODY), b"Content-Encoding: gzip"),
        with_length(gzip.compress(BODY[:5]) + gzip.compress(BODY[5:]), b"Content-Encoding: GZIP"),
        with_length(zlib.compress(BODY), b"Content-Encoding: deflate"),
        CHUNKED + b"\r\n" + chunks(BODY),
        CHUNKED + b"\r\n" + chunks(BODY[:1], BODY[1:], extension=b" ; a=b"),
        CHUNKED + b"\r\n" + chunks(BODY)[:-2] + b"Trailer: x\r\n\r\n",
        CHUNKED + b"Content-Encoding: gzip\r\n\r\n" + chunks(gzip.compress(BODY)),
    ],
)
def test_a_body_is_read_however_it_is_sent(receiver: Receiver, request_: bytes) -> None:
    receiver.requests.clear()
    assert status_of(receiver.http_endpoint, request_) == 200
    assert [request.message.SerializeToString() for request in receiver.requests] == [BODY]


def test_two_chunked_requests_share_a_connection(receiver: Receiver) -> None:
    receiver.requests.clear()
    connection = http.client.HTTPConnection(urlsplit(receiver.http_endpoint).netloc, timeout=20)
    for _ in range(2):
        connection.request("POST", "/v1/metrics", iter([BODY[:3], BODY[3:]]), encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    connection.close()
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: x\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (CHUNKED + b"Content-Length: 1\r\n\r\n" + chunks(BODY), 400),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks(BODY), 400),
        (CHUNKED + b"\r\nxyz\r\n", 400),
        (CHUNKED + b"\r\n-5\r\nabc", 400),
        (CHUNKED + b"\r\n2\r\nabcdef\r\n0\r\n\r\n", 400),
        (CHUNKED + b"\r\n0\r\n" + b"a: b\r\n" * 1000 + b"\r\n", 400),
        (CHUNKED + b"\r\n" + b"1" * 10000 + b"\r\n", 400),
        (with_length(b"no gzip", b"Content-Encoding: gzip"), 400),
        (with_length(gzip.compress(BODY)[:-9], b"Content-Encoding: gzip"), 400),
        (with_length(zlib.compress(BODY)[:-5], b"Content-Encoding: deflate"), 400),
        (with_length(b"{}", b"Content-Type: application/json"), 415),
        (POST + b"Content-Length: 99999999999\r\n\r\n", 413),
        (CHUNKED + b"\r\nffffffffff\r\n", 413),
        (b"GET /v1/metrics HTTP/1.1\r\nHost: test\r\n\r\n", 405),
        (b"BREW /v1/metrics HTTP/1.1\r\nHost: test\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", 404),
        (b"POST /v1/metrics HTTP/3.0\r\n\r\n", 505),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_is_refused_has_a_status_and_a_reason(request_: bytes, status: int) -> None:
    reasons: list[str] = []
    taken: list[object] = []
    with OtlpServer(on_request=taken.append, on_refusal=reasons.append) as server:
        assert status_of(server.http_endpoint, request_) == status
    assert taken == []
    assert len(reasons) == 1
    assert f"status {status}: " in reasons[0]


def test_the_end_of_the_connection_in_a_body_says_nothing_on_standard_error(
    receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    address = urlsplit(receiver.http_endpoint)
    for request in (b"", b"PO", POST, POST + b"Content-Length: 9\r\n\r\nabc", CHUNKED + b"\r\n9\r\nabc"):
        with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1000):
                pass
    assert status_of(receiver.http_endpoint, with_length(BODY)) == 200
    assert capfd.readouterr() == ("", "")


@given(data=st.binary(max_size=200) | st.binary(max_size=50).map(lambda data: CHUNKED + b"\r\n" + data))
def test_no_bytes_are_answered_with_a_traceback(receiver: Receiver, data: bytes) -> None:
    address = urlsplit(receiver.http_endpoint)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20) as client:
        answer = b""
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(1000):
                answer += part
        except OSError:
            return
    assert b"Traceback" not in answer
    assert status_of(receiver.http_endpoint, with_length(BODY)) == 200


def peak_memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1]) / 1024


@pytest.mark.server
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_small_body_that_becomes_huge_takes_little_memory(coding: str) -> None:
    compressor = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    bomb = b"".join(compressor.compress(bytes(2**20)) for _ in range(800)) + compressor.flush()
    assert len(bomb) < 2**20
    with receiving() as command:
        before = peak_memory_mib(command.process.pid)
        for _ in range(3):
            assert (
                status_of(
                    http_endpoint(command), with_length(bomb, b"Content-Encoding: %s" % coding.encode())
                )
                == 413
            )
        assert peak_memory_mib(command.process.pid) - before < 4 * MAX_BODY_BYTES / 2**20
        assert status_of(http_endpoint(command), with_length(BODY)) == 200


@pytest.mark.server
def test_requests_are_not_kept() -> None:
    message = ExportMetricsServiceRequest()
    message.resource_metrics.add().scope_metrics.add().metrics.add(name="n" * 2**20)
    body = message.SerializeToString()
    with receiving() as command:
        endpoint = http_endpoint(command)
        assert status_of(endpoint, with_length(body)) == 200
        before = peak_memory_mib(command.process.pid)
        for _ in range(100):
            assert status_of(endpoint, with_length(body)) == 200
        assert peak_memory_mib(command.process.pid) - before < 30, "100 requests of 1 MiB"


def test_a_receiver_keeps_only_the_latest_requests(receiver: Receiver) -> None:
    connection = http.client.HTTPConnection(urlsplit(receiver.http_endpoint).netloc, timeout=20)
    for _ in range(KEPT_REQUESTS + 5):
        connection.request("POST", "/v1/metrics", BODY)
        assert connection.getresponse().read() == b""
    connection.close()
    assert len(receiver.requests) == KEPT_REQUESTS
    assert list(receiver.series()), "the latest values are kept all the same"
