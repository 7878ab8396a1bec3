"""Active requests by their route: the sum stays exact, whatever happens while a request runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualmetrics.http.detailed_recorder import DetailedRecorder
from dualmetrics.http.marker import RequestMarker
from dualmetrics.http.request_details import RequestDetails
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded


class Request(RequestMarker):
    """A request to one route, which is known from the start."""

    def template(self) -> str | None:
        return "/users/{id}"


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(
        convention="both", metrics_exporter="prometheus", directory=str(tmp_path), active_by_route=True
    )
    yield telemetry
    telemetry.shutdown()


def begin(telemetry: Telemetry) -> RequestDetails:
    metrics = telemetry.server_metrics
    recorder = metrics.recorder_for("GET", "http", "1.1")
    assert isinstance(recorder, DetailedRecorder)
    details = RequestDetails(metrics.details, recorder, Request(telemetry, {}), lambda carrier, name: None)
    details.start()
    return details


def active(telemetry: Telemetry) -> dict[object, float]:
    """The active requests by route; None stands for those whose route is not known."""
    points = Recorded(telemetry).points("http.connections.active")
    return {dict(point.attributes).get("http.route"): point.cells[0] for point in points}


def end(details: RequestDetails) -> None:
    details.end("/users/{id}", 200, None, 0.1)


@pytest.mark.parametrize("finish", [end, RequestDetails.cancel])
def test_a_request_is_active_at_its_route_until_it_ends(
    telemetry: Telemetry, finish: Callable[[RequestDetails], None]
) -> None:
    details = begin(telemetry)
    assert active(telemetry) == {None: 0, "/users/{id}": 1}
    finish(details)
    assert active(telemetry) == {None: 0, "/users/{id}": 0}
    assert Recorded(telemetry).active() == {}


def test_a_request_during_a_reset_is_not_counted_below_zero(telemetry: Telemetry) -> None:
    details = begin(telemetry)
    assert active(telemetry)["/users/{id}"] == 1
    telemetry.reset()
    end(details)
    assert all(count == 0 for count in active(telemetry).values())
    later = begin(telemetry)
    assert active(telemetry) == {None: 0, "/users/{id}": 1}
    end(later)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_request_during_a_fork_stays_with_the_parent(telemetry: Telemetry) -> None:
    details = begin(telemetry)
    assert active(telemetry)["/users/{id}"] == 1
    child = os.fork()
    if child == 0:
        end(details)
        os._exit(0 if telemetry.server_metrics.active_by_route is not None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert active(telemetry) == {None: 0, "/users/{id}": 1}
    end(details)
    assert active(telemetry) == {None: 0, "/users/{id}": 0}


def test_threads_and_readers_end_at_zero(telemetry: Telemetry) -> None:
    def serve() -> None:
        for _ in range(300):
            end(begin(telemetry))

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        active(telemetry)
    assert set(active(telemetry).values()) == {0}
    assert sum(Recorded(telemetry).counts().values()) == 1200
