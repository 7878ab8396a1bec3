"""CPU time of a page of many series, of which all have changed or 1%."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from benchmarks import peers, series
from benchmarks.page_floors import CachedPageFloor, PageFloor
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.series import Touch
from benchmarks.timing import cpu_milliseconds

FEW = 0.01

Render = Callable[[], object]


def pages(touch: Touch, columns: Mapping[str, tuple[float, Render]]) -> Measure:
    """Milliseconds per page. A column is the share of the series that changes, and the render function."""
    touch(1)

    def prepare(share: float, render: Render) -> None:
        if share < 1:
            render()  # shows what changed for other columns
        touch(share)

    def measure(repetitions: int) -> Values:
        return {
            name: cpu_milliseconds(render, repetitions, functools.partial(prepare, share, render))
            for name, (share, render) in columns.items()
        }

    return measure


def floor(count: int) -> Measure:
    cells, rows, touch = series.floor_cells(count)
    full = PageFloor(series.NAME, series.label_texts(count))
    cached = CachedPageFloor(series.NAME, series.label_texts(count))

    def render_all() -> bytes:
        return full.render(rows)

    def render_changed() -> bytes:
        return cached.render(cells)

    return pages(
        touch,
        {
            "text, all changed": (1, render_all),
            "text, 1% changed": (FEW, render_changed),
            "OpenMetrics, all changed": (1, render_all),
            "OpenMetrics, 1% changed": (FEW, render_changed),
        },
    )


def ours(count: int) -> Measure:
    telemetry, touch = series.ours(count)
    return both_formats(touch, series.scrape(telemetry), series.scrape(telemetry, series.OPENMETRICS))


def prometheus_client(count: int) -> Measure:
    return _registry(series.prometheus_client(count))


def otel(count: int) -> Measure:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader

    _, touch = series.otel(count, PrometheusMetricReader())
    return _registry(touch)


def _registry(touch: Touch) -> Measure:
    from prometheus_client import REGISTRY, generate_latest
    from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

    return both_formats(
        touch,
        lambda: generate_latest(REGISTRY),
        lambda: openmetrics(REGISTRY),  # type: ignore[no-untyped-call]
    )


def both_formats(touch: Touch, text: Render, openmetrics: Render) -> Measure:
    """Pages in two formats, one format after the other."""
    return pages(
        touch,
        {
            "text, all changed": (1, text),
            "text, 1% changed": (FEW, text),
            "OpenMetrics, all changed": (1, openmetrics),
            "OpenMetrics, 1% changed": (FEW, openmetrics),
        },
    )


QUESTION = Question(
    "page",
    "A page of histograms of 14 bounds, in-process",
    "ms",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",), largest_case=1000),
        Contestant("OTel SDK, Prometheus", otel, peers.OTEL, largest_case=1000),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 5, 1, (100, 1000, 10_000)),
        "full": Effort(3, 7, 1, (100, 1000, 10_000)),
    },
    case="series",
)
