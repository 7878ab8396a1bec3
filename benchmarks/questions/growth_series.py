"""What grows with the number of series: a record, a page, a push."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import peers, series
from benchmarks.page_floors import PackingFloor, PageFloor
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.series import Touch
from benchmarks.timing import mean_milliseconds

RECORDS = 5000


def growing(count: int, touch: Touch, render: Callable[[], object], push: Callable[[], object]) -> Measure:
    """Microseconds a series, so that what grows in step with the number stays the same."""
    touch(1)

    def measure(amount: int) -> Values:
        times = max(1, RECORDS // count)
        return {
            "record": mean_milliseconds(lambda: touch(1), times) * 1000 / count,
            "page": mean_milliseconds(render, amount, lambda: touch(1)) * 1000 / count,
            "push": mean_milliseconds(push, amount, lambda: touch(1)) * 1000 / count,
        }

    return measure


def floor(count: int) -> Measure:
    _, rows, touch = series.floor_cells(count)
    page = PageFloor(series.NAME, series.texts(count))
    packing = PackingFloor("took", series.label_sets(count), 1)
    return growing(count, touch, lambda: page.render(rows), lambda: packing.encode(rows, 2))


def ours(count: int) -> Measure:
    telemetry, touch = series.ours(count)
    return growing(count, touch, telemetry.render, lambda: telemetry.force_flush(60))


def otel(count: int) -> Measure:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import generate_latest

    provider, touch = series.otel(count, PrometheusMetricReader(), peers.otlp_reader(series.DAY))
    flush: Any = provider.force_flush
    return growing(count, touch, generate_latest, lambda: flush(60_000))


QUESTION = Question(
    "growth_series",
    "Tenfold series: a record, a page and a push (by HTTP; the floor only packs), all of them changed",
    "us a series",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("OTel SDK, Prometheus and OTLP", otel, peers.OTEL, most=1000),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 4, 1, (10, 100, 1000, 10_000)),
        "full": Effort(3, 6, 1, (10, 100, 1000, 10_000, 30_000)),
    },
    case="series",
)
