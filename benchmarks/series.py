"""Many series of one histogram with 14 bounds, recorded by each contestant in its own way."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import peers
from benchmarks.floors import BOUNDS, Row, zero_cells
from benchmarks.page_floors import HISTOGRAM_WIDTH

NAME = "took_milliseconds"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
STATUSES = ("200", "201", "400", "404", "500")

DAY = 86_400_000
"""Milliseconds between two pushes: long enough that no push starts while something else is timed."""

Touch = Callable[[float], None]
"""Records into a random share of all series; 1 stands for all of them."""


def label_sets(count: int) -> list[dict[str, str]]:
    """Sets of three labels, such as the requests of an app have."""
    sets = len(METHODS) * len(STATUSES)
    return [
        {
            "http_method": METHODS[number % len(METHODS)],
            "http_route": f"/table{number // sets}/{{number}}",
            "http_status_code": STATUSES[number // len(METHODS) % len(STATUSES)],
        }
        for number in range(count)
    ]


def label_texts(count: int) -> list[str]:
    """The same sets as text on a page."""
    return [",".join(f'{key}="{value}"' for key, value in each.items()) for each in label_sets(count)]


def touch_for(recorders: Sequence[Callable[[float], object]]) -> Touch:
    """Makes the `Touch` from a function per series that records a value."""
    generator = random.Random(7)  # the same numbers for all contestants

    def touch(share: float) -> None:
        chosen = recorders if share == 1 else generator.sample(recorders, max(1, int(len(recorders) * share)))
        for record in chosen:
            record(generator.random() * 200)

    return touch


def floor_cells(count: int) -> tuple[memoryview, list[Row], Touch]:
    """Cells, the same cells as one row per series, and the function that records into them."""
    cells: Any = zero_cells(HISTOGRAM_WIDTH * count)
    rows = [cells[at : at + HISTOGRAM_WIDTH] for at in range(0, len(cells), HISTOGRAM_WIDTH)]
    return cells, rows, touch_for([_recorder(row) for row in rows])


def _recorder(row: Row) -> Callable[[float], None]:
    def record(value: float) -> None:
        row[bisect_left(BOUNDS, value)] += 1.0
        row[-1] += value

    return record


def meter_touch(meter: Any, count: int) -> Touch:
    """Records into a histogram of OpenTelemetry's API."""
    histogram = meter.create_histogram("took", unit="ms", explicit_bucket_boundaries_advisory=list(BOUNDS))

    def recorder(attributes: dict[str, str]) -> Callable[[float], None]:
        return lambda value: histogram.record(value, attributes)

    return touch_for([recorder(attributes) for attributes in label_sets(count)])


def ours(count: int, **settings: Any) -> tuple[Any, Touch]:
    """A `Telemetry` with both exports on, and the function that records into it."""
    from dualmetrics import Telemetry

    telemetry = Telemetry(
        cardinality_limit=10 * count + 1000, **{**peers.both_exports(), "export_interval": DAY, **settings}
    )
    return telemetry, meter_touch(telemetry.meter("benchmarks"), count)


def scrape(telemetry: Any, accept: str = "*/*") -> Callable[[], object]:
    """A function that scrapes as an integration does, up to the chunks that the server gets."""
    from dualmetrics.scrape.messages import ScrapeRequest

    request = ScrapeRequest("GET", {"accept": accept}, "", None)

    def respond() -> None:
        response = telemetry.page.respond(request)
        assert response.status == 200, response
        for _chunk in response.chunks:
            pass

    return respond


def prometheus_client(count: int) -> Touch:
    """Records into a histogram of prometheus_client in its default registry."""
    from prometheus_client import Histogram

    names = tuple(label_sets(1)[0])
    histogram = Histogram(NAME, "", names, buckets=BOUNDS)
    return touch_for([histogram.labels(*each.values()).observe for each in label_sets(count)])


def otel(count: int, *readers: Any) -> tuple[Any, Touch]:
    """The SDK's provider with these readers, and the function that records into it."""
    from opentelemetry.sdk.metrics import MeterProvider

    provider = MeterProvider(readers)
    return provider, meter_touch(provider.get_meter("benchmarks"), count)
