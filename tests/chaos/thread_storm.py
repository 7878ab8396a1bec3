"""Threads that record everything at once, with the interpreter's lock declared absent.

``python -m tests.chaos.thread_storm`` fails if a total is wrong; `test_free_threading` runs it.
"""

from __future__ import annotations

from tests import without_gil  # isort: skip  # before dualmetrics

import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dualmetrics import Telemetry, asgi, wsgi
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.wsgi_client import WsgiCall
from tests.forking import fork

THREADS, ROUNDS, FORKS = 8, 150, 6
TOTAL = THREADS * ROUNDS

assert without_gil


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    asgi.set_route(scope, "/asgi")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    wsgi.set_route(environ, "/wsgi")
    start_response("200 OK", [])
    return [b"ok"]


class Storm:
    """Everything that a thread records, and the page."""

    def __init__(self) -> None:
        self.telemetry = Telemetry(native_histograms=True, cardinality_limit=ROUNDS // 2)
        self.meter = self.telemetry.meter_provider.get_meter("storm")
        self.counter = self.meter.create_counter("storm.counter")
        self.active = self.meter.create_up_down_counter("storm.active")
        self.histogram = self.meter.create_histogram("storm.histogram")
        self.asgi = asgi.MetricsMiddleware(asgi_app, telemetry=self.telemetry)
        self.wsgi = wsgi.MetricsMiddleware(wsgi_app, telemetry=self.telemetry)

    def record(self, number: int) -> None:
        """Record everything once; every second number is a series past the limit."""
        self.counter.add(1)
        self.active.add(1)
        self.histogram.record(number)
        self.meter.create_counter("storm.series").add(1, {"number": str(number)})
        self.meter.create_counter(f"storm.instrument.{number % 20}").add(1)
        fetch(self.asgi, "GET", "/asgi")
        call = WsgiCall(self.wsgi, PATH_INFO="/wsgi")
        call.send_all()
        call.close()
        self.active.add(-1)

    def samples(self) -> dict[str, float]:
        """The samples on the page, without those of this library itself."""
        lines = fetch(self.asgi, "GET", "/metrics").body.decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


def sum_of(samples: dict[str, float], start: str) -> float:
    return sum(value for name, value in samples.items() if name.startswith(start))


def run(storm: Storm) -> int:
    """Let all threads record, scrape and fork meanwhile. Returns how many children have recorded."""
    children: list[int] = []
    with ThreadPoolExecutor(THREADS) as threads:
        start = threading.Barrier(THREADS)
        work = [threads.submit(_work, storm, start) for _ in range(THREADS)]
        before = 0.0
        while not all(future.done() for future in work):
            now = sum_of(storm.samples(), "storm_counter_total")
            assert before <= now, (before, now)
            before = now
            if len(children) < FORKS:
                children.append(fork(lambda: storm.record(0)))
        for future in work:
            future.result()
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
    return len(children)


def _work(storm: Storm, start: threading.Barrier) -> None:
    start.wait()
    for number in range(ROUNDS):
        storm.record(number)


def check(storm: Storm, total: int) -> None:
    """Check every total on the page."""
    samples = storm.samples()
    expected = {
        "storm_counter_total": total,
        "storm_active{": 0,
        "storm_histogram_count": total,
        "storm_series_total": total,
        "storm_instrument_": total,
        'http_requests_total{http_method="GET",http_route="/asgi"': total,
        'http_requests_total{http_method="GET",http_route="/wsgi"': total,
        'http_request_duration_milliseconds_count{http_method="GET",http_route="/asgi"': total,
        "dualmetrics_internal_errors_total": 0,
    }
    found = {start: sum_of(samples, start) for start in expected}
    assert found == expected, found
    assert sum_of(samples, "http_connections_active") == 0


def main(work: Callable[[Storm], int] = run) -> None:
    """Run the storm."""
    sys.setswitchinterval(1e-5)
    storm = Storm()
    check(storm, TOTAL + work(storm))
    storm.telemetry.shutdown(5)


if __name__ == "__main__":
    main()
