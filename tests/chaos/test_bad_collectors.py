"""Collectors that fail in every way: told once and counted; requests go on and nothing is left behind."""

from __future__ import annotations

import gc
import logging
import os
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager as Context
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from tests.chaos import bad_collectors as bad
from tests.chaos.pushing_app import Shop, shop
from tests.waiting import wait_until

HTTP, GRPC = "http/protobuf", "grpc"
BOTH = (HTTP, GRPC)
Fault = tuple[str, Callable[[], Context[str]], tuple[str, ...], str]
PARTS = b"\x0a\x04\x08\xe7\x07\x12"  # a partial success that ends within its message

FAULTS: list[Fault] = [
    ("refused", bad.refusing, BOTH, "refused"),
    ("unknown name", bad.unknown, BOTH, "Name or service|name resolution|resolving"),
    ("unreachable", bad.unreachable, BOTH, "timed out|DEADLINE_EXCEEDED"),
    ("hangs", lambda: bad.tcp(bad.hangs), BOTH, "timed out|DEADLINE_EXCEEDED"),
    ("hangs up", lambda: bad.tcp(bad.hangs_up), BOTH, "(?i)reset|closed|aborted"),
    ("dribbles", lambda: bad.tcp(bad.dribbles), (GRPC,), "HTTP/2"),
    (
        "closes midway",
        lambda: bad.tcp(bad.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")),
        (HTTP,),
        "Incomplete",
    ),
    ("no HTTP", lambda: bad.tcp(bad.says(b"\xff\xfe\r\n\r\n")), BOTH, "BadStatusLine|HTTP/2|closed"),
    ("400", lambda: bad.tcp(bad.answers("400 Bad")), (HTTP,), "HTTP 400 Bad"),
    ("401", lambda: bad.tcp(bad.answers("401 No hunter2")), (HTTP,), r"HTTP 401 No \*\*\*"),
    ("413", lambda: bad.tcp(bad.answers("413 Large")), (HTTP,), "HTTP 413 Large"),
    ("429", lambda: bad.tcp(bad.answers("429 Slow", Retry_After="3600")), (HTTP,), "HTTP 429 Slow"),
    ("503", lambda: bad.tcp(bad.answers("503 Away", Retry_After="0.1")), (HTTP,), "HTTP 503 Away"),
    ("302", lambda: bad.tcp(bad.answers("302 Found", Location="/login")), (HTTP,), "HTTP 302 Found"),
    (
        "broken gzip",
        lambda: bad.tcp(bad.answers("200 OK", b"garbage", Content_Encoding="gzip")),
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


def fails_and_is_told_once(made: Shop, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    for push in range(1, 4):
        made.serve(10)
        assert not made.telemetry.force_flush(10)
        assert made.failures() == push
    assert made.total("http_requests_total") == 30
    assert made.total("dualmetrics_internal_errors_total") == 0
    [told] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.name == "dualmetrics"
    assert re.search(reason, told.getMessage())
    assert "hunter" not in caplog.text


@pytest.mark.parametrize(("fault", "protocol", "reason"), CASES)
def test_a_failing_push_is_counted_and_told_once_and_harms_nobody(
    fault: Callable[[], Context[str]], protocol: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with fault() as endpoint, shop(endpoint, protocol) as made:
        fails_and_is_told_once(made, caplog, reason)


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"days": -1}, "expired"),
        ({"name": "other.example"}, "(?i)mismatch|hostname verification|not valid for"),
    ],
)
def test_a_bad_certificate_is_refused_with_the_reason(
    case: dict[str, Any],
    reason: str,
    protocol: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    issuer, file = bad.authority(tmp_path)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(file))
    with (
        bad.tcp(bad.answers("200 OK"), bad.tls(issuer, **case)) as endpoint,
        shop(endpoint, protocol) as made,
    ):
        fails_and_is_told_once(made, caplog, reason)


@pytest.mark.parametrize("protocol", BOTH)
def test_a_certificate_of_nobody_known_is_refused(
    protocol: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer, _ = bad.authority(tmp_path)
    with bad.tcp(bad.answers("200 OK"), bad.tls(issuer)) as endpoint, shop(endpoint, protocol) as made:
        fails_and_is_told_once(made, caplog, "CERTIFICATE_VERIFY_FAILED")


def test_the_certificate_of_the_settings_wins_over_the_one_of_all_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, file = bad.authority(tmp_path)
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bad.authority(tmp_path / "other")[1]))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(file))
    with bad.tcp(bad.answers("200 OK"), bad.tls(issuer)) as endpoint, shop(endpoint, HTTP) as made:
        assert made.telemetry.force_flush(10)


@pytest.mark.parametrize(
    "answer",
    [
        bad.answers("200 OK", b"\xff\xfe\x00garbage"),
        bad.answers("200 OK", PARTS),
        bad.says(b"HTTP/1.1 200 OK\r\n\xff no header\r\nfoo\r\n\r\nxx"),
    ],
    ids=["garbage", "half a message", "garbage in headers"],
)
def test_a_success_in_strange_words_is_one_and_nobody_logs_it(
    answer: bad.Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with bad.tcp(answer) as endpoint, shop(endpoint, HTTP) as made:
        assert made.telemetry.force_flush(10)
        assert made.failures() == 0
    assert caplog.records == []


def test_a_password_or_key_of_the_url_is_in_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with bad.refusing() as url:
        endpoint = url.replace("//", "//ann:hunter3@") + "/v1/metrics?key=hunter4"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint)
        with shop(None, HTTP) as made:
            fails_and_is_told_once(made, caplog, "refused")


@pytest.mark.parametrize("serve", [bad.dribbles, bad.dribbles_a_body])
def test_a_collector_that_dribbles_holds_up_neither_requests_nor_scrapes_nor_the_end(
    serve: bad.Serve,
) -> None:
    with bad.tcp(serve) as endpoint, shop(endpoint, HTTP) as made:
        assert not made.telemetry.force_flush(0.5)
        made.serve(100)
        assert made.total("http_requests_total") == 100


@pytest.mark.parametrize("serve", [bad.dribbles, bad.dribbles_a_body])
def test_a_push_that_dribbles_is_given_up_and_said(
    serve: bad.Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with bad.tcp(serve) as endpoint, shop(endpoint, HTTP, timeout=0.3) as made:
        assert not made.telemetry.force_flush(10)
        wait_until(lambda: made.failures() >= 1, 10, "the failure to be counted")
        assert "had not ended after 0.9 seconds" in caplog.text


@pytest.mark.server
@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("fault", [bad.refusing, lambda: bad.tcp(bad.hangs_up)], ids=["refused", "hangs up"])
def test_three_hundred_failures_leave_neither_memory_nor_threads_nor_descriptors(
    fault: Callable[[], Context[str]], protocol: str
) -> None:
    with fault() as endpoint, shop(endpoint, protocol, timeout=0.5) as made:
        fail(made, 30)
        tracemalloc.start()
        before = held()
        fail(made, 300)
        memory, threads, descriptors = held()
        tracemalloc.stop()
        assert memory - before[0] < 100_000, "bytes more than before"
        # A tenth of one a push: pushes that earlier tests gave up on may still be ending.
        assert threads <= before[1] + 30
        assert descriptors <= before[2] + 30
        wait_until(lambda: made.failures() == 330, 5, "330 failures")


def fail(made: Shop, times: int) -> None:
    for _ in range(times):
        assert not made.telemetry.force_flush(10)


def held() -> tuple[int, int, int]:
    """Bytes that Python holds, threads of the operating system, and descriptors."""
    gc.collect()
    memory = tracemalloc.get_traced_memory()[0]
    return memory, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


PROGRAM = """
import sys, time
from tests.chaos.pushing_app import Shop
made = Shop(*sys.argv[1:], timeout=10)
made.telemetry.force_flush(0.2)
made.serve(10)
print(time.monotonic(), flush=True)
"""


@pytest.mark.server
@pytest.mark.parametrize(
    ("fault", "protocol"),
    [
        pytest.param(bad.refusing, HTTP, id="refused"),
        pytest.param(bad.unreachable, GRPC, id="unreachable"),
        pytest.param(lambda: bad.tcp(bad.dribbles), HTTP, id="dribbles"),
        pytest.param(lambda: bad.tcp(bad.hangs_up), GRPC, id="hangs up"),
    ],
)
def test_a_process_ends_in_time_and_without_complaint(
    fault: Callable[[], Context[str]], protocol: str
) -> None:
    with fault() as endpoint:
        command = [sys.executable, "-c", PROGRAM, endpoint, protocol]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        assert time.monotonic() - float(ended.stdout) < 1 + 1 + 0.5, (
            "its timeout, a second, and the interpreter"
        )
    assert "Traceback" not in ended.stderr
