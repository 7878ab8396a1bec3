"""A Collector that was away comes back: the totals are right, nothing is lost and nothing comes twice."""

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
from tests.chaos.pushing_app import Shop, shop
from tests.ports import free_port
from tests.unit.exporters.otlp import receiver as scripted
from tests.unit.stores import COUNTER, die, worker

HTTP, GRPC = "http/protobuf", "grpc"
AN_HOUR = 60
"""Pushes that fail, at the default interval of a minute."""

protocols = pytest.mark.parametrize("protocol", [HTTP, GRPC])
temporalities = pytest.mark.parametrize("temporality", ["cumulative", "delta", "lowmemory"])
STATUSES = [400, 401, 413, 429, 503, 302]
CODES = [StatusCode.INVALID_ARGUMENT, StatusCode.UNAUTHENTICATED, StatusCode.UNAVAILABLE, StatusCode.INTERNAL]


def requests_in(found: dict[str, ReceivedPoint]) -> tuple[float, float]:
    """The counter, and the histogram's count."""
    return found["http.requests"].value, found["http.request.duration"].value


def state(received: scripted.Received) -> dict[str, ReceivedPoint]:
    """The latest of each metric; of deltas, what they add up to."""
    found: dict[str, ReceivedPoint] = {}
    for request in received.requests:
        for (_, name, _, _), each in read_points(request):
            found[name] = each.added_to(found.get(name))
    return found


def served_and_refused(made: Shop, times: int) -> None:
    for _ in range(times):
        made.serve(1)
        assert not made.telemetry.force_flush(10)


@protocols
@temporalities
def test_after_an_hour_of_refusals_the_totals_are_right(
    protocol: str, temporality: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dualmetrics")
    with pushing(protocol, temporality) as (received, made):
        made.serve(5)
        assert made.telemetry.force_flush(10)
        received.status, received.code = 503, StatusCode.UNAVAILABLE
        served_and_refused(made, AN_HOUR)
        received.status, received.code = 200, None
        made.serve(7)
        for _ in range(2):
            assert made.telemetry.force_flush(10)
            assert requests_in(state(received)) == (5 + AN_HOUR + 7,) * 2
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert f"after {AN_HOUR} failures" in caplog.messages[-1]


@protocols
@temporalities
def test_a_collector_that_comes_an_hour_late_gets_all(protocol: str, temporality: str) -> None:
    port = free_port()
    with shop(f"http://127.0.0.1:{port}", protocol, temporality=temporality, timeout=0.5) as made:
        served_and_refused(made, AN_HOUR)
        with Receiver(grpc_port=port) if protocol == GRPC else Receiver(http_port=port) as receiver:
            for _ in range(2):
                assert made.telemetry.force_flush(10)
                assert counted(receiver) == AN_HOUR


def counted(receiver: Receiver) -> float:
    return sum(found.value for (_, name, _, _), found in receiver.series().items() if name == "http.requests")


@protocols
@temporalities
def test_between_failures_of_every_kind_nothing_is_lost_and_nothing_comes_twice(
    protocol: str, temporality: str
) -> None:
    with pushing(protocol, temporality) as (received, made):
        for turn in range(6):
            received.status, received.code = STATUSES[turn], CODES[turn % len(CODES)]
            served_and_refused(made, 3)
            received.status, received.code = 200, None
            made.serve(2)
            assert made.telemetry.force_flush(10)
            assert requests_in(state(received)) == (5 * (turn + 1),) * 2
        assert made.failures() == 18
        assert made.total(r'dualmetrics_exports_total\{result="success"') == 6


@contextmanager
def pushing(protocol: str, temporality: str) -> Iterator[tuple[scripted.Received, Shop]]:
    """A Collector that answers as it is told, and an app that pushes to it."""
    collector = scripted.http_receiver if protocol == HTTP else scripted.grpc_receiver
    with collector() as received, shop(received.endpoint, protocol, temporality=temporality) as made:
        yield received, made


def test_each_return_and_each_new_failure_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dualmetrics")
    with scripted.http_receiver() as received, shop(received.endpoint, HTTP) as made:
        for _ in range(3):
            received.status = 400
            served_and_refused(made, 4)
            received.status = 200
            assert made.telemetry.force_flush(10)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 3


@pytest.mark.parametrize("rejected", [1, 10**9])
def test_rejected_points_are_neither_counted_as_exported_nor_sent_again(
    rejected: int, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        scripted.http_receiver() as received,
        shop(received.endpoint, HTTP, temporality="delta") as made,
    ):
        received.response.partial_success.rejected_data_points = rejected
        received.response.partial_success.error_message = "too many of Bearer hunter2"
        made.serve(3)
        for _ in range(3):
            assert made.telemetry.force_flush(10)
        assert requests_in(state(received)) == (3, 3)
        sent = sum(1 for request in received.requests for _ in read_points(request))
        exported = made.total("dualmetrics_points_exported_total")
        assert 0 <= exported <= max(0, sent - 3 * rejected)
    [told] = caplog.messages
    assert f"rejected {rejected} points (too many of ***)" in told


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_a_worker_that_is_elected_while_the_collector_is_away_sends_what_all_missed(
    temporality: str, tmp_path: Path
) -> None:
    one, other = worker(tmp_path), worker(tmp_path)
    with scripted.http_receiver() as received:
        first, second = (delivery(store, received.endpoint, temporality) for store in (one, other))
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
        assert state(received)["requests"].value == 12


def snapshot(store: GroupStore, at: int) -> Snapshot:
    return Snapshot(at, (("service.name", "shop"),), tuple(store.read().families))


def delivery(store: GroupStore, endpoint: str, temporality: str) -> MetricPusher:
    settings = load_settings({}, endpoint=endpoint, temporality=temporality, timeout=0.5)
    return MetricPusher(settings, store, ErrorReporter())
