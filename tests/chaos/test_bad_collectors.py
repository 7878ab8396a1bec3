"""Collectors that fail in every way: failures are counted and logged once, and the app is unaffected."""

from __future__ import annotations

import gc
import logging
import os
import re
import time
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager as Context
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from tests.chaos import bad_collectors as bad
from tests.chaos.pushing_app import PushingApp, pushing_app
from tests.programs import run_python
from tests.waiting import wait_until

HTTP, GRPC = "http/protobuf", "grpc"
BOTH = (HTTP, GRPC)
Fault = tuple[str, Callable[[], Context[str]], tuple[str, ...], str]
HALF_MESSAGE = b"\x0a\x04\x08\xe7\x07\x12"  # a partial success that ends in the middle

FAULTS: list[Fault] = [
    ("refused", bad.refusing, BOTH, "refused"),
    ("unknown host", bad.unknown_host, BOTH, "Name or service|name resolution|resolving"),
    ("unreachable", bad.unreachable, BOTH, "timed out|DEADLINE_EXCEEDED"),
    ("hangs", lambda: bad.tcp(bad.never_answer), BOTH, "timed out|DEADLINE_EXCEEDED"),
    ("hangs up", lambda: bad.tcp(bad.hang_up), BOTH, "(?i)reset|closed|aborted"),
    ("endless header", lambda: bad.tcp(bad.send_endless_header), (GRPC,), "HTTP/2"),
    (
        "closes in the body",
        lambda: bad.tcp(bad.send_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")),
        (HTTP,),
        "Incomplete",
    ),
    ("no HTTP", lambda: bad.tcp(bad.send_bytes(b"\xff\xfe\r\n\r\n")), BOTH, "BadStatusLine|HTTP/2|closed"),
    ("400", lambda: bad.tcp(bad.respond("400 Bad")), (HTTP,), "HTTP 400 Bad"),
    ("401", lambda: bad.tcp(bad.respond("401 No hunter2")), (HTTP,), r"HTTP 401 No \*\*\*"),
    ("413", lambda: bad.tcp(bad.respond("413 Large")), (HTTP,), "HTTP 413 Large"),
    ("429", lambda: bad.tcp(bad.respond("429 Slow", Retry_After="3600")), (HTTP,), "HTTP 429 Slow"),
    ("503", lambda: bad.tcp(bad.respond("503 Away", Retry_After="0.1")), (HTTP,), "HTTP 503 Away"),
    ("302", lambda: bad.tcp(bad.respond("302 Found", Location="/login")), (HTTP,), "HTTP 302 Found"),
    (
        "broken gzip",
        lambda: bad.tcp(bad.respond("200 OK", b"garbage", Content_Encoding="gzip")),
        (HTTP,),
        "decode",
    ),
    ("invalid", lambda: bad.grpc_server(StatusCode.INVALID_ARGUMENT), (GRPC,), "INVALID_ARGUMENT"),
    (
        "unauthenticated",
        lambda: bad.grpc_server(StatusCode.UNAUTHENTICATED, "no hunter2"),
        (GRPC,),
        r"no \*\*\*",
    ),
    ("exhausted", lambda: bad.grpc_server(StatusCode.RESOURCE_EXHAUSTED), (GRPC,), "RESOURCE_EXHAUSTED"),
    ("unavailable", lambda: bad.grpc_server(StatusCode.UNAVAILABLE), (GRPC,), "UNAVAILABLE"),
    (
        "garbage in trailers",
        lambda: bad.grpc_server(
            StatusCode.UNAVAILABLE, trailers=(("google.rpc.retryinfo-bin", b"\xff" * 9),)
        ),
        (GRPC,),
        "DecodeError",
    ),
]
CASES = [
    pytest.param(fault, protocol, reason, id=f"{name}-{protocol}")
    for name, fault, protocols, reason in FAULTS
    for protocol in protocols
]


def check_failures(app: PushingApp, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    """Let three pushes fail. They must be counted, and logged once with the reason and without secrets."""
    for push in range(1, 4):
        app.serve(10)
        assert not app.telemetry.force_flush(10)
        assert app.failed_pushes() == push
    assert app.total("http_requests_total") == 30
    assert app.total("dualmetrics_internal_errors_total") == 0
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.name == "dualmetrics"
    assert re.search(reason, warning.getMessage())
    assert "hunter" not in caplog.text


@pytest.mark.parametrize(("fault", "protocol", "reason"), CASES)
def test_a_failing_push_is_counted_and_logged_once_and_the_app_is_unaffected(
    fault: Callable[[], Context[str]], protocol: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with fault() as endpoint, pushing_app(endpoint, protocol) as app:
        check_failures(app, caplog, reason)


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ({"days": -1}, "expired"),
        ({"name": "other.example"}, "(?i)mismatch|hostname verification|not valid for"),
    ],
)
def test_a_bad_certificate_is_refused_and_the_reason_is_logged(
    certificate: dict[str, Any],
    reason: str,
    protocol: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    issuer, file = bad.certificate_authority(tmp_path)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(file))
    with (
        bad.tcp(bad.respond("200 OK"), bad.server_tls(issuer, **certificate)) as endpoint,
        pushing_app(endpoint, protocol) as app,
    ):
        check_failures(app, caplog, reason)


@pytest.mark.parametrize("protocol", BOTH)
def test_a_certificate_of_an_unknown_authority_is_refused(
    protocol: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer, _ = bad.certificate_authority(tmp_path)
    with (
        bad.tcp(bad.respond("200 OK"), bad.server_tls(issuer)) as endpoint,
        pushing_app(endpoint, protocol) as app,
    ):
        check_failures(app, caplog, "CERTIFICATE_VERIFY_FAILED")


def test_the_configured_certificate_wins_over_requests_ca_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, file = bad.certificate_authority(tmp_path)
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bad.certificate_authority(tmp_path / "other")[1]))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(file))
    with (
        bad.tcp(bad.respond("200 OK"), bad.server_tls(issuer)) as endpoint,
        pushing_app(endpoint, HTTP) as app,
    ):
        assert app.telemetry.force_flush(10)


@pytest.mark.parametrize(
    "answer",
    [
        bad.respond("200 OK", b"\xff\xfe\x00garbage"),
        bad.respond("200 OK", HALF_MESSAGE),
        bad.send_bytes(b"HTTP/1.1 200 OK\r\n\xff no header\r\nfoo\r\n\r\nxx"),
    ],
    ids=["garbage", "half a message", "garbage in headers"],
)
def test_a_success_with_garbage_in_it_is_a_success_and_is_not_logged(
    answer: bad.Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with bad.tcp(answer) as endpoint, pushing_app(endpoint, HTTP) as app:
        assert app.telemetry.force_flush(10)
        assert app.failed_pushes() == 0
    assert caplog.records == []


def test_a_password_or_key_in_the_url_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with bad.refusing() as url:
        endpoint = url.replace("//", "//ann:hunter3@") + "/v1/metrics?key=hunter4"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint)
        with pushing_app(None, HTTP) as app:
            check_failures(app, caplog, "refused")


@pytest.mark.parametrize("serve", [bad.send_endless_header, bad.send_slow_body])
def test_a_slow_answer_delays_neither_requests_nor_scrapes_and_the_push_is_given_up(
    serve: bad.Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with bad.tcp(serve) as endpoint, pushing_app(endpoint, HTTP, timeout=0.3) as app:
        assert not app.telemetry.force_flush(0.1)
        app.serve(100)
        assert app.total("http_requests_total") == 100
        wait_until(lambda: app.failed_pushes() >= 1, 10, "the failure to be counted")
        assert "had not ended after 0.9 seconds" in caplog.text


@pytest.mark.server
@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("fault", [bad.refusing, lambda: bad.tcp(bad.hang_up)], ids=["refused", "hangs up"])
def test_300_failures_leak_no_memory_threads_or_file_descriptors(
    fault: Callable[[], Context[str]], protocol: str
) -> None:
    with fault() as endpoint, pushing_app(endpoint, protocol, timeout=0.5) as app:
        fail(app, 30)
        tracemalloc.start()
        before = resources()
        fail(app, 300)
        memory, threads, descriptors = resources()
        tracemalloc.stop()
        assert memory - before[0] < 100_000, "bytes more than before"
        # Abandoned pushes of earlier tests may still be ending, so a tenth of one for each push is allowed.
        assert threads <= before[1] + 30
        assert descriptors <= before[2] + 30
        wait_until(lambda: app.failed_pushes() == 330, 5, "330 failures")


def fail(app: PushingApp, times: int) -> None:
    for _ in range(times):
        assert not app.telemetry.force_flush(10)


def resources() -> tuple[int, int, int]:
    """The bytes that Python uses, the threads of the operating system, and the file descriptors."""
    gc.collect()
    memory = tracemalloc.get_traced_memory()[0]
    return memory, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


PROGRAM = """
import sys, time
from tests.chaos.pushing_app import PushingApp
app = PushingApp(*sys.argv[1:], timeout=10)
app.telemetry.force_flush(0.2)
app.serve(10)
print(time.monotonic(), flush=True)
"""


@pytest.mark.server
@pytest.mark.parametrize(
    ("fault", "protocol"),
    [
        pytest.param(bad.refusing, HTTP, id="refused"),
        pytest.param(bad.unreachable, GRPC, id="unreachable"),
        pytest.param(lambda: bad.tcp(bad.send_endless_header), HTTP, id="endless header"),
        pytest.param(lambda: bad.tcp(bad.hang_up), GRPC, id="hangs up"),
    ],
)
def test_a_process_ends_in_time_and_without_a_traceback(
    fault: Callable[[], Context[str]], protocol: str
) -> None:
    with fault() as endpoint:
        finished = run_python(PROGRAM, endpoint, protocol)
        seconds = time.monotonic() - float(finished.stdout)
    assert seconds < 1 + 1 + 0.5, "its shutdown timeout, a second, and the end of the interpreter"
    assert "Traceback" not in finished.stderr
