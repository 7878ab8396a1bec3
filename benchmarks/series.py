"""Many label sets of one histogram with 14 bounds, recorded by each contestant in its own way."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import peers
from benchmarks.floors import BOUNDS, Row, doubles
from benchmarks.page_floors import WIDTH

NAME = "took_milliseconds"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
STATUSES = ("200", "201", "400", "404", "500")

DAY = 86_400_000
"""Milliseconds between two pushes: none comes by itself while something else is timed."""

Touch = Callable[[float], None]
"""Records into this share of all sets, at random; 1 means each of them."""


def label_sets(count: int) -> list[dict[str, str]]:
    """So many sets of three labels, as an app's requests have them."""
    sets = len(METHODS) * len(STATUSES)
    return [
        {
            "http_method": METHODS[number % len(METHODS)],
            "http_route": f"/table{number // sets}/{{number}}",
            "http_status_code": STATUSES[number // len(METHODS) % len(STATUSES)],
        }
        for number in range(count)
    ]


def texts(count: int) -> list[str]:
    """The same as they stand on a page."""
    return [",".join(f'{key}="{value}"' for key, value in each.items()) for each in label_sets(count)]


def recording_touch(records: Sequence[Callable[[float], object]]) -> Touch:
    """Touches series of which each has a function that records."""
    chance = random.Random(7)  # the same for all contestants

    def touch(share: float) -> None:
        chosen = records if share == 1 else chance.sample(records, max(1, int(len(records) * share)))
        for record in chosen:
            record(chance.random() * 200)

    return touch


def floor_cells(count: int) -> tuple[memoryview, list[Row], Touch]:
    """Cells, the rows that they are, and what records into these."""
    cells: Any = doubles(WIDTH * count)
    rows = [cells[at : at + WIDTH] for at in range(0, len(cells), WIDTH)]
    return cells, rows, recording_touch([_recorder(row) for row in rows])


def _recorder(row: Row) -> Callable[[float], None]:
    def record(value: float) -> None:
        row[bisect_left(BOUNDS, value)] += 1.0
        row[-1] += value

    return record


def of_meter(meter: Any, count: int) -> Touch:
    """A histogram of OpenTelemetry's API."""
    histogram = meter.create_histogram("took", unit="ms", explicit_bucket_boundaries_advisory=list(BOUNDS))

    def recorder(attributes: dict[str, str]) -> Callable[[float], None]:
        return lambda value: histogram.record(value, attributes)

    return recording_touch([recorder(attributes) for attributes in label_sets(count)])


def ours(count: int, **settings: Any) -> tuple[Any, Touch]:
    """A `Telemetry` with both exports on, and what records into it."""
    from dualmetrics import Telemetry

    telemetry = Telemetry(
        cardinality_limit=10 * count + 1000, **{**peers.both_exports(), "export_interval": DAY, **settings}
    )
    return telemetry, of_meter(telemetry.meter("benchmarks"), count)


def scrape(telemetry: Any, accept: str = "*/*") -> Callable[[], object]:
    """A scrape as an integration answers it: the page in the chunks that the server is given."""
    from dualmetrics.scrape.endpoint import ScrapeRequest

    request = ScrapeRequest("GET", {"accept": accept}, "", None)

    def respond() -> None:
        response = telemetry.page.respond(request)
        assert response.status == 200, response
        for _chunk in response.chunks:
            pass

    return respond


def prometheus_client(count: int) -> Touch:
    """A histogram of prometheus_client in its default registry."""
    from prometheus_client import Histogram

    names = tuple(label_sets(1)[0])
    histogram = Histogram(NAME, "", names, buckets=BOUNDS)
    return recording_touch([histogram.labels(*each.values()).observe for each in label_sets(count)])


def otel(count: int, *readers: Any) -> tuple[Any, Touch]:
    """The SDK's provider with these readers, and what records into it."""
    from opentelemetry.sdk.metrics import MeterProvider

    provider = MeterProvider(readers)
    return provider, of_meter(provider.get_meter("benchmarks"), count)
