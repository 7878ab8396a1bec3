"""A Collector that fails for a while: afterwards its totals are exact, nothing is lost or sent twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from grpc import StatusCode

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background.push import MetricPusher
from dualmetrics.cli.otlp_points import ReceivedPoint, read_points
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.config.loading import load_settings
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.errors import ErrorReporter
from tests.chaos.pushing_app import PushingApp, pushing_app
from tests.ports import free_port
from tests.servers.pushes import pushed_total
from tests.unit.exporters.otlp import receiver as otlp_receiver
from tests.unit.stores import COUNTER, die, worker

HTTP, GRPC = "http/protobuf", "grpc"
PUSHES_PER_HOUR = 60
"""With the default interval of a minute."""

protocols = pytest.mark.parametrize("protocol", [HTTP, GRPC])
temporalities = pytest.mark.parametrize("temporality", ["cumulative", "delta", "lowmemory"])
STATUSES = [400, 401, 413, 429, 503, 302]
CODES = [StatusCode.INVALID_ARGUMENT, StatusCode.UNAUTHENTICATED, StatusCode.UNAVAILABLE, StatusCode.INTERNAL]


def requests_in(points: dict[str, ReceivedPoint]) -> tuple[float, float]:
    """Return the requests in the counter, and those in the histogram."""
    return points["http.requests"].value, points["http.request.duration"].value


def received_state(received: otlp_receiver.Received) -> dict[str, ReceivedPoint]:
    """Return the latest point of each metric; deltas are added up."""
    points: dict[str, ReceivedPoint] = {}
    for request in received.requests:
        for (_, name, _, _), point in read_points(request):
            points[name] = point.added_to(points.get(name))
    return points


def serve_and_fail_to_push(app: PushingApp, times: int) -> None:
    """Serve a request and let a push fail, so many times."""
    for _ in range(times):
        app.serve(1)
        assert not app.telemetry.force_flush(10)


@protocols
@temporalities
def test_totals_are_exact_after_an_hour_of_failures(
    protocol: str, temporality: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dualmetrics")
    with receiver_and_app(protocol, temporality) as (received, app):
        app.serve(5)
        assert app.telemetry.force_flush(10)
        received.status, received.code = 503, StatusCode.UNAVAILABLE
        serve_and_fail_to_push(app, PUSHES_PER_HOUR)
        received.status, received.code = 200, None
        app.serve(7)
        for _ in range(2):
            assert app.telemetry.force_flush(10)
            assert requests_in(received_state(received)) == (5 + PUSHES_PER_HOUR + 7,) * 2
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert f"works again after {PUSHES_PER_HOUR} failures" in caplog.messages[-1]


@protocols
@temporalities
def test_a_collector_that_starts_an_hour_late_receives_everything(protocol: str, temporality: str) -> None:
    port = free_port()
    with pushing_app(f"http://127.0.0.1:{port}", protocol, temporality=temporality, timeout=0.5) as app:
        serve_and_fail_to_push(app, PUSHES_PER_HOUR)
        with Receiver(grpc_port=port) if protocol == GRPC else Receiver(http_port=port) as receiver:
            for _ in range(2):
                assert app.telemetry.force_flush(10)
                assert pushed_total(receiver, "http.requests") == PUSHES_PER_HOUR


@protocols
@temporalities
def test_nothing_is_lost_or_sent_twice_between_failures_of_every_kind(
    protocol: str, temporality: str
) -> None:
    with receiver_and_app(protocol, temporality) as (received, app):
        for turn in range(6):
            received.status, received.code = STATUSES[turn], CODES[turn % len(CODES)]
            serve_and_fail_to_push(app, 3)
            received.status, received.code = 200, None
            app.serve(2)
            assert app.telemetry.force_flush(10)
            assert requests_in(received_state(received)) == (5 * (turn + 1),) * 2
        assert app.failed_pushes() == 18
        assert app.total(r'dualmetrics_exports_total\{result="success"') == 6


@contextmanager
def receiver_and_app(protocol: str, temporality: str) -> Iterator[tuple[otlp_receiver.Received, PushingApp]]:
    """A Collector whose answers the test sets, and an app that pushes to it."""
    collector = otlp_receiver.http_receiver if protocol == HTTP else otlp_receiver.grpc_receiver
    with collector() as received, pushing_app(received.endpoint, protocol, temporality=temporality) as app:
        yield received, app


def test_each_recovery_and_each_new_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dualmetrics")
    with otlp_receiver.http_receiver() as received, pushing_app(received.endpoint, HTTP) as app:
        for _ in range(3):
            received.status = 400
            serve_and_fail_to_push(app, 4)
            received.status = 200
            assert app.telemetry.force_flush(10)
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert ["works again" in message for message in caplog.messages] == [False, True] * 3


@pytest.mark.parametrize("rejected", [1, 10**9])
def test_rejected_points_are_neither_counted_as_exported_nor_sent_again(
    rejected: int, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        otlp_receiver.http_receiver() as received,
        pushing_app(received.endpoint, HTTP, temporality="delta") as app,
    ):
        received.response.partial_success.rejected_data_points = rejected
        received.response.partial_success.error_message = "too many of Bearer hunter2"
        app.serve(3)
        for _ in range(3):
            assert app.telemetry.force_flush(10)
        assert requests_in(received_state(received)) == (3, 3)
        sent = sum(1 for request in received.requests for _ in read_points(request))
        exported = app.total("dualmetrics_points_exported_total")
        assert 0 <= exported <= max(0, sent - 3 * rejected)
    [message] = caplog.messages
    assert f"rejected {rejected} points (too many of ***)" in message


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_a_worker_that_becomes_leader_during_an_outage_pushes_what_the_collector_missed(
    temporality: str, tmp_path: Path
) -> None:
    one, other = worker(tmp_path), worker(tmp_path)
    with otlp_receiver.http_receiver() as received:
        first, second = (pusher(store, received.endpoint, temporality) for store in (one, other))
        one.row(COUNTER, ())[0] += 3
        assert first.push(snapshot(one, 1)).success
        received.status = 503
        one.row(COUNTER, ())[0] += 4
        assert not first.push(snapshot(one, 2)).success
        die(one)
        other.row(COUNTER, ())[0] += 5
        assert not second.push(snapshot(other, 3)).success
        received.status = 200
        assert second.push(snapshot(other, 4)).success
        assert received_state(received)["requests"].value == 12


def snapshot(store: GroupStore, time_ns: int) -> Snapshot:
    return Snapshot(time_ns, (("service.name", "shop"),), tuple(store.read().families))


def pusher(store: GroupStore, endpoint: str, temporality: str) -> MetricPusher:
    settings = load_settings({}, endpoint=endpoint, temporality=temporality, timeout=0.5)
    return MetricPusher(settings, store, ErrorReporter())
