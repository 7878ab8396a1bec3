"""What the log and the page say about the health of the push."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.file_names import LEADER_LOCK
from dualmetrics.workers.leader_election import LeaderElection, PushHistory
from tests.ports import free_port
from tests.programs import run_python
from tests.unit.exporters.otlp.receiver import http_receiver
from tests.unit.stores import membership_of, worker
from tests.waiting import wait_until

LAST_EXPORT = "dualmetrics_last_export_timestamp_seconds"
FAILURES = 'dualmetrics_exports_total{result="failure"}'
SUCCESSES = 'dualmetrics_exports_total{result="success"}'


def page(telemetry: Telemetry) -> dict[str, float]:
    lines = telemetry.render()[1].decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


@pytest.fixture
def dead_endpoint() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_the_time_of_the_last_success_is_zero_from_the_start_and_while_the_collector_is_down(
    dead_endpoint: str,
) -> None:
    telemetry = Telemetry(endpoint=dead_endpoint, timeout=0.5)
    assert page(telemetry)[LAST_EXPORT] == 0
    telemetry.meter("app").create_counter("hits").add(1)
    assert not telemetry.force_flush(30)
    assert page(telemetry)[LAST_EXPORT] == 0
    telemetry.shutdown()


def test_the_counters_of_pushes_are_zero_before_the_first_one(dead_endpoint: str) -> None:
    telemetry = Telemetry(endpoint=dead_endpoint, timeout=0.5, export_interval=3_600_000)
    telemetry.start()
    wait_until(lambda: FAILURES in page(telemetry), 10, "the first tick")
    found = page(telemetry)
    assert (found[FAILURES], found[SUCCESSES]) == (0, 0)
    telemetry.shutdown()


@pytest.mark.parametrize(
    "settings", [{"metrics_exporter": "prometheus"}, {}, {"metrics_exporter": "prometheus,otlp"}]
)
def test_without_a_push_the_page_has_none_of_these(settings: dict[str, Any]) -> None:
    telemetry = Telemetry(**settings)
    telemetry.meter("app").create_counter("hits").add(1)
    assert not {LAST_EXPORT, FAILURES, SUCCESSES} & page(telemetry).keys()
    telemetry.shutdown()


def test_after_a_success_the_time_is_that_of_the_push() -> None:
    with Receiver() as receiver:
        telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop")
        telemetry.meter("app").create_counter("hits").add(1)
        assert telemetry.force_flush(30)
        first = page(telemetry)[LAST_EXPORT]
        assert first > 1e9
        assert telemetry.force_flush(30)
        assert receiver.one("shop", "dualmetrics.last_export.timestamp").value == first
        assert page(telemetry)[LAST_EXPORT] > first
        telemetry.shutdown()


def elections(folder: Path, count: int) -> list[LeaderElection]:
    return [LeaderElection(worker(folder).membership, ErrorReporter()) for _ in range(count)]


def test_the_next_leader_knows_how_the_pushes_went(tmp_path: Path) -> None:
    first, second, idle = elections(tmp_path, 3)
    assert first.try_acquire()
    first.record_push(10.0)
    first.record_result(True, 10.0)
    first.record_push(20.0)
    first.record_result(False, 20.0)
    first.release()
    assert second.try_acquire()
    assert second.push_history() == idle.push_history() == PushHistory(20.0, 10.0, 1)
    second.record_result(False, 30.0)
    assert idle.push_history().failures == 2
    second.record_result(True, 40.0)
    assert idle.push_history() == PushHistory(20.0, 40.0, 0)


def test_the_time_of_the_last_success_survives_the_deletion_of_its_file(tmp_path: Path) -> None:
    store = worker(tmp_path)
    election = LeaderElection(store.membership, ErrorReporter())
    assert election.try_acquire()
    election.record_result(True, 10.0)
    (Path(membership_of(store).directory.path) / LEADER_LOCK).unlink()
    assert election.try_acquire()
    assert election.push_history().last_success == 10.0
    election.record_push(20.0)
    (other,) = elections(tmp_path, 1)
    assert other.push_history() == PushHistory(20.0, 10.0, 0)


@pytest.mark.parametrize("garbage", [b"", b"abc", b"\0" * 8, b"\xff" * 24, b"\0" * 16 + b"\xff" * 8])
def test_a_damaged_history_is_none(tmp_path: Path, garbage: bytes) -> None:
    store = worker(tmp_path)
    (Path(membership_of(store).directory.path) / LEADER_LOCK).write_bytes(garbage)
    history = LeaderElection(store.membership, ErrorReporter()).push_history()
    assert (history.last_success, history.failures) == (0.0, 0)


RECORD = """
from dualmetrics import Telemetry
telemetry = Telemetry(endpoint="{endpoint}", timeout=0.5, shutdown_timeout={seconds})
telemetry.meter("app").create_counter("hits").add(1)
"""


def log_of(code: str) -> list[str]:
    """What a program without any configuration of its log prints to stderr."""
    return [line for line in run_python(code).stderr.splitlines() if line.startswith("dualmetrics: ")]


def test_a_last_push_that_fails_is_logged(dead_endpoint: str) -> None:
    (line,) = log_of(RECORD.format(endpoint=dead_endpoint, seconds=5))
    assert line.startswith(f"dualmetrics: the last push to {dead_endpoint} failed (ConnectionError")
    assert "never gets what was recorded since the last successful push" in line


def test_a_last_push_that_fails_is_logged_although_the_one_before_had_failed(dead_endpoint: str) -> None:
    code = RECORD.format(endpoint=dead_endpoint, seconds=5) + "telemetry.force_flush(30)\n"
    first, last = log_of(code)
    assert f"the push to {dead_endpoint} failed" in first
    assert f"the last push to {dead_endpoint} failed" in last


def test_a_last_push_that_takes_too_long_is_logged() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (line,) = log_of(RECORD.format(endpoint=endpoint, seconds=0.3))
    assert f"before its last push to {endpoint} has ended, after 0.3 seconds" in line
    assert "raise DUALMETRICS_SHUTDOWN_TIMEOUT" in line


def test_without_configuration_of_the_log_the_recovery_is_seen_like_the_failure() -> None:
    port = free_port()
    code = RECORD.format(endpoint=f"http://127.0.0.1:{port}", seconds=5) + (
        "from dualmetrics.cli.otlp_receiver import Receiver\n"
        "for _ in range(3):\n"
        "    assert not telemetry.force_flush(30)\n"
        f"with Receiver(http_port={port}):\n"
        "    for _ in range(3):\n"
        "        assert telemetry.force_flush(30)\n"
        "    telemetry.shutdown()\n"
    )
    failed, recovered = log_of(code)
    assert "failed" in failed
    assert recovered.endswith("works again after 3 failures. Nothing need be done")


def test_each_outage_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    with http_receiver() as collector:
        telemetry = Telemetry(endpoint=collector.endpoint, timeout=2)
        telemetry.meter("app").create_counter("hits").add(1)
        for status in (500, 500, 200, 200, 500, 500, 200, 200):
            collector.status = status
            assert telemetry.force_flush(30) == (status == 200)
        assert telemetry.shutdown()
    lines = [message for message in caplog.messages if "the push to" in message]
    assert ["failed" in line for line in lines] == [True, False, True, False]
