"""How the cost of a recording, a page and a push grows with the number of series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import peers, series
from benchmarks.page_floors import PackingFloor, PageFloor
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.series import Touch
from benchmarks.timing import cpu_milliseconds

RECORDINGS = 5000


def per_series(count: int, touch: Touch, render: Callable[[], object], push: Callable[[], object]) -> Measure:
    """Microseconds per series, so that a cost in proportion to the number of series stays the same."""
    touch(1)

    def measure(repetitions: int) -> Values:
        times = max(1, RECORDINGS // count)
        return {
            "record": cpu_milliseconds(lambda: touch(1), times) * 1000 / count,
            "page": cpu_milliseconds(render, repetitions, lambda: touch(1)) * 1000 / count,
            "push": cpu_milliseconds(push, repetitions, lambda: touch(1)) * 1000 / count,
        }

    return measure


def floor(count: int) -> Measure:
    _, rows, touch = series.floor_cells(count)
    page = PageFloor(series.NAME, series.label_texts(count))
    packing = PackingFloor("took", series.label_sets(count), 1)
    return per_series(count, touch, lambda: page.render(rows), lambda: packing.encode(rows, 2))


def ours(count: int) -> Measure:
    telemetry, touch = series.ours(count)
    return per_series(count, touch, telemetry.render, lambda: telemetry.force_flush(60))


def otel(count: int) -> Measure:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import generate_latest

    provider, touch = series.otel(count, PrometheusMetricReader(), peers.otlp_reader(series.DAY))
    flush: Any = provider.force_flush
    return per_series(count, touch, generate_latest, lambda: flush(60_000))


QUESTION = Question(
    "growth_series",
    "A recording, a page and a push over HTTP (the floor only encodes) with many series, all changed",
    "us per series",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("OTel SDK, Prometheus and OTLP", otel, peers.OTEL, largest_case=1000),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 4, 1, (10, 100, 1000, 10_000)),
        "full": Effort(3, 6, 1, (10, 100, 1000, 10_000, 30_000)),
    },
    case="series",
)
