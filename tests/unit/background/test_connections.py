"""The connections of a push: none stays open after a shutdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.otlp.endpoint import Endpoint
from dualmetrics.exporters.otlp.grpc_transport import SummaryClient
from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.waiting import wait_until

ESTABLISHED = "01"
SIZES = Descriptor(OWN_SCOPE, "sizes", Kind.SUMMARY, bounds=(0.5,))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def endpoint(receiver: Receiver, protocol: str) -> str:
    return receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint


def connections(to: str) -> int:
    """Count the open connections of this machine to the port of an endpoint."""
    port = int(to.rpartition(":")[2])
    files = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # gRPC uses IPv6 sockets for IPv4 as well
    rows = [line.split() for file in files if file.exists() for line in file.read_text().splitlines()[1:]]
    return sum(int(row[2].rpartition(":")[2], 16) == port and row[3] == ESTABLISHED for row in rows)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_no_connection_stays_open_after_shutdown(receiver: Receiver, protocol: str) -> None:
    url = endpoint(receiver, protocol)
    telemetry = Telemetry(endpoint=url, protocol=protocol, service_name="shop")
    hits = telemetry.meter("app").create_counter("hits")
    hits.add(1)
    assert telemetry.force_flush()
    assert connections(url) == 1
    assert telemetry.shutdown()
    wait_until(lambda: connections(url) == 0, 5, "the connection to be closed")


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_recording_after_shutdown_pushes_over_a_new_connection(receiver: Receiver, protocol: str) -> None:
    url = endpoint(receiver, protocol)
    telemetry = Telemetry(endpoint=url, protocol=protocol, service_name="shop")
    hits = telemetry.meter("app").create_counter("hits")
    for total in (1, 2):
        hits.add(1)
        assert telemetry.force_flush()
        assert receiver.one("shop", "hits").value == total
        assert telemetry.shutdown()
        wait_until(lambda: connections(url) == 0, 5, "the connection to be closed")


def test_shutdown_closes_the_connections_of_a_thread_that_was_paused(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop")
    telemetry.meter("app").create_counter("hits").add(1)
    assert telemetry.force_flush()
    telemetry.reset()  # pauses the thread, as a fork does
    assert connections(receiver.http_endpoint) == 1
    telemetry.shutdown()
    wait_until(lambda: connections(receiver.http_endpoint) == 0, 5, "the connection to be closed")


def test_the_connection_for_summaries_is_closed(receiver: Receiver) -> None:
    client = SummaryClient(Endpoint(receiver.grpc_endpoint))
    family = Family(SIZES, (Point((), 1, (2.0, 9.0, 5.0, 1.0)),))
    client.send(Snapshot(1, (("service.name", "shop"),), (family,)))
    assert connections(receiver.grpc_endpoint) == 1
    client.shutdown()
    wait_until(lambda: connections(receiver.grpc_endpoint) == 0, 5, "the connection to be closed")
