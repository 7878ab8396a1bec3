"""CPU time of a call of a counter and of a histogram, with three attributes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from threading import Lock
from typing import Any

from benchmarks import peers
from benchmarks.floors import BOUNDS, zero_cells
from benchmarks.page_floors import HISTOGRAM_WIDTH
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.timing import MICROSECONDS, cpu_seconds

ROUTES = [f"/table{number}/{{id}}" for number in range(10)]

Call = Callable[[str], object]
"""One call of an instrument, for a route."""


def per_call(add: Call, record: Call) -> Measure:
    """Microseconds per call, over ten sets of attributes in turn."""

    def measure(repetitions: int) -> Values:
        routes = ROUTES * (repetitions // len(ROUTES) or 1)
        adding = cpu_seconds(lambda: [add(route) for route in routes])
        recording = cpu_seconds(lambda: [record(route) for route in routes])
        return {
            "counter.add": adding / len(routes) * MICROSECONDS,
            "histogram.record": recording / len(routes) * MICROSECONDS,
        }

    return measure


def floor(case: int) -> Measure:
    lock = Lock()
    counters = {("GET", route, "200"): zero_cells(1) for route in ROUTES}
    histograms = {("GET", route, "200"): zero_cells(HISTOGRAM_WIDTH) for route in ROUTES}

    def add(route: str) -> None:
        row = counters["GET", route, "200"]
        with lock:
            row[0] += 1.0

    def record(route: str) -> None:
        row = histograms["GET", route, "200"]
        bucket = bisect_left(BOUNDS, 12.5)
        with lock:
            row[bucket] += 1.0
            row[-1] += 12.5

    return per_call(add, record)


def meter_calls(meter: Any) -> Measure:
    """Calls of OpenTelemetry's API."""
    counter = meter.create_counter("orders")
    histogram = meter.create_histogram("took", explicit_bucket_boundaries_advisory=list(BOUNDS))
    return per_call(
        lambda route: counter.add(1, {"method": "GET", "route": route, "status": "200"}),
        lambda route: histogram.record(12.5, {"method": "GET", "route": route, "status": "200"}),
    )


def ours(case: int) -> Measure:
    from dualmetrics import Telemetry

    return meter_calls(Telemetry(**peers.both_exports()).meter("benchmarks"))


def ours_native(case: int) -> Measure:
    from dualmetrics import Telemetry

    return meter_calls(Telemetry(native_histograms=True, **peers.both_exports()).meter("benchmarks"))


def prometheus_client(case: int) -> Measure:
    from prometheus_client import Counter, Histogram

    labels = ("method", "route", "status")
    counter, histogram = Counter("orders", "", labels), Histogram("took", "", labels, buckets=BOUNDS)
    return per_call(
        lambda route: counter.labels("GET", route, "200").inc(),
        lambda route: histogram.labels("GET", route, "200").observe(12.5),
    )


def prometheus_client_multiprocess(case: int) -> Measure:
    peers.turn_multiprocess_on()
    return prometheus_client(case)


def sdk(case: int) -> Measure:
    return meter_calls(peers.otel_provider(push=False).get_meter("benchmarks"))


def sdk_and_push(case: int) -> Measure:
    return meter_calls(peers.otel_provider(push=True).get_meter("benchmarks"))


QUESTION = Question(
    "instruments",
    "A call of an instrument with three attributes, ten sets of attributes in turn",
    "us per call",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("ours, native histograms", ours_native),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",)),
        Contestant("prometheus_client, multiprocess", prometheus_client_multiprocess),
        Contestant("OTel SDK, Prometheus", sdk, peers.OTEL),
        Contestant("OTel SDK, Prometheus and OTLP", sdk_and_push),
    ),
    {"tiny": Effort(1, 1, 50), "quick": Effort(2, 8, 20_000), "full": Effort(6, 20, 50_000)},
)
