"""Example snapshots."""

from __future__ import annotations

from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot

START, TIME = 1_700_000_000_000_000_000, 1_700_000_060_000_000_000
APP = InstrumentationScope("app", "1.2", "https://example.org/schema", (("team", "a"),))
OWN = InstrumentationScope("dualmetrics")

COUNTER = Descriptor(OWN, "http.requests", Kind.COUNTER, "{request}", "Requests.")
UP_DOWN = Descriptor(OWN, "http.connections.active", Kind.UP_DOWN_COUNTER, "{connection}")
HISTOGRAM = Descriptor(OWN, "http.request.duration", Kind.HISTOGRAM, "ms", "Durations.", (5.0, 10.0))
GAUGE = Descriptor(APP, "system.memory.usage", Kind.GAUGE, "By")
OBSERVED = Descriptor(APP, "jobs", Kind.COUNTER, observable=True)

ATTRIBUTES: Attributes = (
    ("flag", True),
    ("http.route", "/ü/{id}"),
    ("numbers", (1, 2)),
    ("ratio", 0.5),
    ("status", 200),
    ("words", ("a", "b")),
)


def snapshot(*families: Family, time: int = TIME) -> Snapshot:
    """A snapshot of a service named shop."""
    return Snapshot(time, (("host.ids", ("x", "y")), ("service.name", "shop")), families)


def family(
    descriptor: Descriptor, *cells: float, attributes: Attributes = ATTRIBUTES, start: int = START
) -> Family:
    """A metric with one series."""
    return Family(descriptor, (Point(attributes, start, cells),))


def everything() -> Snapshot:
    """One series of each kind."""
    return snapshot(
        family(COUNTER, 42.0),
        family(UP_DOWN, -3.0),
        family(HISTOGRAM, 2.0, 0.0, 1.0, 30.5),
        family(GAUGE, 0.1, TIME / 1e9),
        family(OBSERVED, 7.0),
    )


def many(series: int) -> Snapshot:
    """A histogram with 14 bounds and the given number of series."""
    descriptor = Descriptor(OWN, "latency", Kind.HISTOGRAM, "s", bounds=tuple(float(i) for i in range(1, 15)))
    points = (
        Point(
            (("http.method", "GET"), ("http.route", f"/items/{i}"), ("http.status_code", 200)),
            START,
            (1.0,) * 16,
        )
        for i in range(series)
    )
    return snapshot(Family(descriptor, tuple(points)))
