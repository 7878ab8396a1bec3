"""Throughput of several threads that record at once: how many additions a second they make together.

With the interpreter's lock, more threads cannot make more. Without it, they should.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence

from benchmarks import peers
from benchmarks.question import Contestant, Effort, Measure, Question, Values

Call = Callable[[], object]
"""One addition."""


def together(threads: int, call: Call) -> Measure:
    """Million additions a second of all threads together, by the clock."""

    def measure(repetitions: int) -> Values:
        barrier = threading.Barrier(threads + 1)

        def work() -> None:
            barrier.wait()
            for _ in range(repetitions):
                call()
            barrier.wait()

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        barrier.wait()
        started = time.perf_counter()
        barrier.wait()
        seconds = time.perf_counter() - started
        for worker in workers:
            worker.join()
        return {"": threads * repetitions / seconds / 1e6}

    return measure


def floor(threads: int) -> Measure:
    """A dictionary and an addition, under one lock."""
    lock, rows = threading.Lock(), {("GET", "/", "200"): [0.0]}

    def call() -> None:
        with lock:
            rows["GET", "/", "200"][0] += 1.0

    return together(threads, call)


def ours(threads: int) -> Measure:
    from dualmetrics import Telemetry

    counter = Telemetry(**peers.both_exports()).meter("benchmarks").create_counter("orders")
    return together(threads, lambda: counter.add(1, {"method": "GET", "route": "/", "status": "200"}))


def ours_with_own_locks(threads: int) -> Measure:
    """Ours as on a free-threaded interpreter, wherever this runs."""
    sys._is_gil_enabled = lambda: False  # type: ignore[attr-defined,unused-ignore]  # before the import
    return ours(threads)


def prometheus_client(threads: int) -> Measure:
    from prometheus_client import Counter

    labels: Sequence[str] = ("method", "route", "status")
    counter = Counter("orders", "", labels)
    return together(threads, lambda: counter.labels("GET", "/", "200").inc())


def sdk(threads: int) -> Measure:
    counter = peers.otel_provider(push=False).get_meter("benchmarks").create_counter("orders")
    return together(threads, lambda: counter.add(1, {"method": "GET", "route": "/", "status": "200"}))


QUESTION = Question(
    "threads",
    "Additions to one series of a counter by several threads at once, with three attributes",
    "million additions a second, all threads together (more is better)",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("ours, with the locks of a free-threaded Python", ours_with_own_locks),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",)),
        Contestant("OTel SDK, Prometheus", sdk, peers.OTEL),
    ),
    {
        "tiny": Effort(1, 1, 50, (1, 2)),
        "quick": Effort(2, 5, 50_000, (1, 2, 4, 8)),
        "full": Effort(6, 10, 100_000, (1, 2, 4, 8)),
    },
    case="threads",
)
