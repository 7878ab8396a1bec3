"""What a page of many series costs the processor, all of them changed or one in a hundred."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import peers, series
from benchmarks.page_floors import CachedPageFloor, PageFloor
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.series import Touch
from benchmarks.timing import mean_milliseconds

FEW = 0.01
Render = Callable[[], object]


def pages(touch: Touch, renders: Mapping[str, tuple[float, Render]]) -> Measure:
    """Milliseconds a page, by column: the share of the series that has changed, and what renders."""
    touch(1)

    def prepare(share: float, render: Render) -> None:
        if share < 1:
            render()  # what changed on account of another column is old news
        touch(share)

    def measure(amount: int) -> Values:
        return {
            name: mean_milliseconds(render, amount, functools.partial(prepare, share, render))
            for name, (share, render) in renders.items()
        }

    return measure


def floor(count: int) -> Measure:
    cells, rows, touch = series.floor_cells(count)
    every = PageFloor(series.NAME, series.texts(count))
    cached = CachedPageFloor(series.NAME, series.texts(count))
    return pages(
        touch,
        {
            "text, all changed": (1, lambda: every.render(rows)),
            "text, 1% changed": (FEW, lambda: cached.render(cells)),
            "OpenMetrics, all changed": (1, lambda: every.render(rows)),
            "OpenMetrics, 1% changed": (FEW, lambda: cached.render(cells)),
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


def both_formats(touch: Touch, text: Callable[[], Any], openmetrics: Callable[[], Any]) -> Measure:
    """Pages in two formats, each in turn for itself, so that neither sees what changed for the other."""
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
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",), most=1000),
        Contestant("OTel SDK, Prometheus", otel, peers.OTEL, most=1000),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 5, 1, (100, 1000, 10_000)),
        "full": Effort(3, 7, 1, (100, 1000, 10_000)),
    },
    case="label sets",
)
