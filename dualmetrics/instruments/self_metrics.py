"""What this library says of itself, as metrics on both exports."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from opentelemetry.metrics import Meter

from dualmetrics.aggregation.group_store import GroupTotals
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.snapshot import Family, Point

OWN_SCOPE = Scope("dualmetrics")
_SCRAPE_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

_WORKERS = Descriptor(
    OWN_SCOPE, "dualmetrics.workers", Kind.GAUGE, "{worker}", "Workers of the group that live."
)
_SERIES = Descriptor(
    OWN_SCOPE, "dualmetrics.series", Kind.GAUGE, "{series}", "Series of a metric in the group."
)


class SelfMetrics:
    """The instruments of our own health; ``meter`` is of the scope ``dualmetrics``."""

    def __init__(self, meter: Meter) -> None:
        self._exports = meter.create_counter("dualmetrics.exports", "{export}", "Pushes, by result.")
        self._points = meter.create_counter(
            "dualmetrics.points.exported", "{point}", "Points pushed and taken."
        )
        self._last = meter.create_gauge(
            "dualmetrics.last_export.timestamp", "s", "When a push last succeeded."
        )
        self._scrapes = meter.create_counter(
            "dualmetrics.scrapes", "{scrape}", "Scrapes of the page, by result."
        )
        self._duration = meter.create_histogram(
            "dualmetrics.scrape.duration",
            "s",
            "Time to answer a scrape.",
            explicit_bucket_boundaries_advisory=_SCRAPE_BOUNDS,
        )
        self._overflows = meter.create_counter(
            "dualmetrics.overflows",
            "{set}",
            "Attribute sets past the cardinality limit, as workers met them.",
        )
        self._errors = meter.create_counter(
            "dualmetrics.internal_errors", "{error}", "Errors inside dualmetrics, kept from the app."
        )
        self._skipped = meter.create_counter(
            "dualmetrics.skipped_files", "{file}", "Files in the group's directory that could not be read."
        )

    def begin(self) -> None:
        """Show the error counter at zero: an alert on a series that is not there never fires."""
        self._errors.add(0)

    def pushed(self, points: int, success: bool) -> None:
        """Count one push and the points that the Collector took."""
        self._exports.add(1, {"result": "success" if success else "failure"})
        self._points.add(points)
        if success:
            self._last.set(time.time())

    def scraped(self, result: str, seconds: float) -> None:
        """Count one scrape; ``result`` is ``success``, ``failure`` or ``denied``."""
        self._scrapes.add(1, {"result": result})
        self._duration.record(seconds)

    def overflowed(self, descriptor: Descriptor) -> None:
        """Count an attribute set that found no place."""
        if descriptor.name != "dualmetrics.overflows":  # one series a metric; would otherwise count itself
            self._overflows.add(1, {"metric": descriptor.name})

    def failed(self) -> None:
        """Count an internal error."""
        self._errors.add(1)

    def skipped(self, reason: str) -> None:
        """Count a file that could not be read."""
        self._skipped.add(1, {"reason": reason})


def group_metrics(totals: GroupTotals, now: float) -> Iterable[Family]:
    """The metrics that follow from the totals themselves. ``now`` in seconds since the epoch."""
    yield Family(_WORKERS, (_gauge(float(totals.workers), now),))
    sizes: Counter[str] = Counter()
    for family in totals.families:
        sizes[family.descriptor.name] += len(family.points)
    points = tuple(_gauge(float(size), now, ("metric", name)) for name, size in sizes.items())
    yield Family(_SERIES, points)


def _gauge(value: float, now: float, *attributes: tuple[str, str]) -> Point:
    return Point(attributes, 0, (value, now))
