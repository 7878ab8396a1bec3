"""A RequestRecorder in each of its states: new, open and invalid."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmetrics.http.request_attributes import RequestAttributes
from dualmetrics.http.request_recorder import MAX_RESPONSES, RequestRecorder
from dualmetrics.http.semantic_conventions import conventions_for
from dualmetrics.http.server_metrics import ServerMetrics
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, stored_width
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Row, private_row
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded, RequestLabels
from tests.unit.http.recording import record_request


def test_no_increment_is_lost_between_threads(telemetry: Telemetry) -> None:
    requests_per_thread, thread_count = 5_000, 4
    barrier = threading.Barrier(thread_count)

    def record_many() -> None:
        barrier.wait()
        for _ in range(requests_per_thread):
            record_request(telemetry, 0.25)

    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=record_many) for _ in range(thread_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch_interval)
    recorded, labels = Recorded(telemetry), RequestLabels("GET", "/", 200)
    total = requests_per_thread * thread_count
    assert recorded.counts() == {labels: total}
    assert recorded.seconds() == {labels: 0.25 * total}
    assert recorded.active() == {}


def test_duration_on_a_bound_belongs_to_the_bucket_below(telemetry: Telemetry) -> None:
    for seconds in (0.005, 0.0050001, 10.0, 11.0):
        record_request(telemetry, seconds)
    for name in ("http.request.duration", "http.server.request.duration"):
        for point in Recorded(telemetry).points(name):
            assert list(point.cells[:-1]) == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]


def test_more_routes_than_a_recorder_remembers_are_all_counted(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", cardinality_limit=5, directory=str(tmp_path))
    total = MAX_RESPONSES + 10
    for number in range(total):
        record_request(telemetry, route=f"/{number}")
    for name in ("http.requests", "http.request.duration"):
        points = Recorded(telemetry).points(name)
        assert len(points) == 6
        assert sum(sum(point.cells[: len(point.cells) - (len(point.cells) > 1)]) for point in points) == total
        assert (("otel.metric.overflow", True),) in [point.attributes for point in points]
    telemetry.shutdown()


def test_request_that_is_active_at_a_reset_is_recorded_but_no_longer_active(telemetry: Telemetry) -> None:
    recorder = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    recorder.start()
    telemetry.reset()
    recorder.end("/", 200, None, 0.0)
    assert Recorded(telemetry).active() == {}
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/", 200): 1}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
def test_request_that_is_active_at_a_fork_stays_active_in_the_parent_alone(telemetry: Telemetry) -> None:
    recorder = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    recorder.start()
    pid = os.fork()
    if pid == 0:
        try:
            recorder.cancel()
            record_request(telemetry)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert Recorded(telemetry).active() == {"GET": 1}
    recorder.end("/", 200, None, 0.0)
    assert Recorded(telemetry).active() == {}
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/", 200): 2}


class FailingStore:
    """A store that cannot allocate rows."""

    exponential = False

    def histogram_row(
        self, descriptor: Descriptor, attributes: Attributes, start: int | None = None, shard: int = 0
    ) -> HistogramRow:
        raise OSError("no rows")

    def row(
        self, descriptor: Descriptor, attributes: Attributes, start: int | None = None, shard: int = 0
    ) -> Row:
        raise OSError("no rows")

    def on_invalidate(self, listener: object) -> None:
        """Never call ``listener``."""


def test_failing_store_is_logged_once_and_never_raises(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    exemplars = telemetry.server_metrics.exemplars
    metrics = ServerMetrics(FailingStore(), telemetry.settings, telemetry.errors, exemplars)
    for _ in range(3):
        recorder = metrics.recorder_for("GET", "http", "1.1")
        recorder.start()
        recorder.end("/", 200, None, 0.0)
        recorder.cancel()
    assert telemetry.errors.error_count == 6
    assert len(caplog.records) == 2


class InterruptedStore(FailingStore):
    """A store that is interrupted while it gives its first row."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, Attributes], Row] = {}
        self.interrupts: list[Callable[[], None]] = []

    def row(
        self, descriptor: Descriptor, attributes: Attributes, start: int | None = None, shard: int = 0
    ) -> Row:
        row = self.rows.setdefault((descriptor.name, attributes), private_row(stored_width(descriptor)))
        interrupts, self.interrupts = self.interrupts, []
        for interrupt in interrupts:
            interrupt()
        return row


def test_a_request_that_begins_while_rows_are_opened_and_made_invalid_is_not_taken_off_alone(
    telemetry: Telemetry,
) -> None:
    store, metrics = InterruptedStore(), telemetry.server_metrics
    request, conventions = RequestAttributes("GET", "http", "1.1"), conventions_for("classic", [1.0])
    recorder = RequestRecorder(request, conventions, store, telemetry.errors, metrics.exemplars)

    def begin_another() -> None:  # in another thread, after the recorder has become invalid
        recorder.start()

    store.interrupts = [recorder.invalidate, begin_another]
    recorder.start()
    for _ in range(2):
        recorder.end("/", 200, None, 0.0)
    counts = {name: row[0] for (name, _), row in store.rows.items()}
    assert counts["http.connections.active"] == 0
    assert counts["http.requests"] == 2
