"""The HTTP metrics themselves: closed sets of values, bounded memory, no increment lost, no failure out."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.config.loading import load_settings
from dualmetrics.http.request_attributes import METHODS, RequestAttributes, ResponseAttributes
from dualmetrics.http.request_recorder import MAX_RESPONSES
from dualmetrics.http.semantic_conventions import Classic, Semconv, conventions_for
from dualmetrics.http.server_metrics import ServerMetrics
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Row
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import CONVENTIONS, Recorded, RequestLabels


@pytest.fixture(params=CONVENTIONS)
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Telemetry]:
    made = Telemetry(convention=request.param, metrics_exporter="prometheus", directory=str(tmp_path))
    yield made
    made.shutdown()


def record(telemetry: Telemetry, seconds: float = 0.0, *, route: str | None = "/", status: int = 200) -> None:
    """One request from its begin to its end."""
    requests = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    requests.start()
    requests.end(route, status, None, seconds)


def test_no_increment_is_lost_between_threads(telemetry: Telemetry) -> None:
    each, threads = 5_000, 4
    start = threading.Barrier(threads)

    def work() -> None:
        start.wait()
        for _ in range(each):
            record(telemetry, 0.25)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    recorded, labels = Recorded(telemetry), RequestLabels("GET", "/", 200)
    assert recorded.counts() == {labels: each * threads}
    assert recorded.seconds() == {labels: 0.25 * each * threads}
    assert recorded.active() == {}


@given(method=st.text(), scheme=st.text(), version=st.none() | st.text())
def test_whatever_a_client_sends_becomes_one_of_few_values(
    method: str, scheme: str, version: str | None
) -> None:
    found = RequestAttributes(method, scheme, version).normalized()
    assert found.method in METHODS | {"_OTHER"}
    assert found.scheme in {"http", "https", "ws", "wss", "_OTHER"}
    assert found.version in {"0.9", "1.0", "1.1", "2", "3", None}
    assert found.normalized() == found


@pytest.mark.parametrize("method", sorted(METHODS))
def test_methods_are_case_sensitive(method: str) -> None:
    assert RequestAttributes(method, "http", "1.1").normalized().method == method
    assert RequestAttributes(method.lower(), "http", "1.1").normalized().method == "_OTHER"


@given(route=st.none() | st.text(), status=st.integers(), error=st.none() | st.text(min_size=1))
def test_attributes_are_in_canonical_form(route: str | None, status: int, error: str | None) -> None:
    for convention in conventions_for("both", load_settings().buckets.default):
        found = convention.attributes(
            RequestAttributes("GET", "http", "1.1"), ResponseAttributes(route, status, error)
        )
        assert list(found) == sorted(found, key=lambda pair: pair[0])
        assert len(dict(found)) == len(found)


def test_the_memory_for_what_clients_make_up_is_bounded(telemetry: Telemetry) -> None:
    metrics = telemetry.server_metrics
    found = {id(metrics.recorder_for(f"M{n}", f"s{n}", f"v{n}")) for n in range(10_000)}
    assert len(found) == 1


def test_an_app_that_names_ever_new_routes_ends_in_the_overflow(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", cardinality_limit=5, directory=str(tmp_path))
    total = MAX_RESPONSES + 10
    for number in range(total):
        record(telemetry, route=f"/{number}")
    for name in ("http.requests", "http.request.duration"):
        points = Recorded(telemetry).points(name)
        assert len(points) == 6
        assert sum(sum(point.cells[: len(point.cells) - (len(point.cells) > 1)]) for point in points) == total
        assert (("otel.metric.overflow", True),) in [point.attributes for point in points]
    telemetry.shutdown()


def test_bounds_are_the_same_durations_in_both_units() -> None:
    buckets = (0.0001, 0.005, 0.075, 1.1, 2.5)
    assert Classic(buckets).request_metrics.duration.bounds == (0.1, 5.0, 75.0, 1100.0, 2500.0)
    assert Semconv(buckets).request_metrics.duration.bounds == buckets


def test_a_value_on_a_bound_belongs_below_it(telemetry: Telemetry) -> None:
    for seconds in (0.005, 0.0050001, 10.0, 11.0):
        record(telemetry, seconds)
    for name in ("http.request.duration", "http.server.request.duration"):
        for point in Recorded(telemetry).points(name):
            assert list(point.cells[:-1]) == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]


def test_a_websocket_is_active_and_nothing_else(telemetry: Telemetry) -> None:
    sockets = telemetry.server_metrics.websocket_recorder("wss")
    sockets.start()
    assert Recorded(telemetry).active() == {"WEBSOCKET": 1}
    sockets.cancel()
    assert (Recorded(telemetry).active(), Recorded(telemetry).counts()) == ({}, {})


def test_a_request_under_way_at_a_reset_ends_without_a_trace_of_its_begin(telemetry: Telemetry) -> None:
    requests = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    requests.start()
    telemetry.reset()
    requests.end("/", 200, None, 0.0)
    assert Recorded(telemetry).active() == {}
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/", 200): 1}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
def test_a_request_under_way_at_a_fork_ends_in_the_parent_alone(telemetry: Telemetry) -> None:
    requests = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    requests.start()
    pid = os.fork()
    if pid == 0:
        try:
            requests.cancel()
            record(telemetry)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert Recorded(telemetry).active() == {"GET": 1}
    requests.end("/", 200, None, 0.0)
    assert Recorded(telemetry).active() == {}
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/", 200): 2}


class FailingStore:
    """A store that has no rows to give."""

    exponential = False

    def histogram_row(self, descriptor: Descriptor, attributes: Attributes) -> HistogramRow:
        raise OSError("no rows")

    def row(self, descriptor: Descriptor, attributes: Attributes) -> Row:
        raise OSError("no rows")

    def on_invalidate(self, listener: object) -> None:
        """Nothing is ever rebound."""


def test_a_failing_store_reaches_nobody_and_is_said_once(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = ServerMetrics(
        FailingStore(), telemetry.settings, telemetry.errors, telemetry.server_metrics.exemplars
    )
    for _ in range(3):
        requests = metrics.recorder_for("GET", "http", "1.1")
        requests.start()
        requests.end("/", 200, None, 0.0)
        requests.cancel()
    assert telemetry.errors.error_count == 6
    assert len(caplog.records) == 2
