"""The metrics that this library reports about itself, on the page and in each push."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from opentelemetry.metrics import Meter

from dualmetrics.aggregation.group_totals import GroupTotals
from dualmetrics.aggregation.past_limit import OVERFLOWS
from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point

_SCRAPE_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

_WORKERS = Descriptor(
    OWN_SCOPE, "dualmetrics.workers", Kind.GAUGE, "{worker}", "Workers of the group that are alive."
)
_LAST_EXPORT = Descriptor(
    OWN_SCOPE,
    "dualmetrics.last_export.timestamp",
    Kind.GAUGE,
    "s",
    "Time of the last successful push of the group, 0 before the first one.",
)
_SERIES = Descriptor(
    OWN_SCOPE, "dualmetrics.series", Kind.GAUGE, "{series}", "Series of a metric in the group."
)


class SelfMetrics:
    """The instruments for the events inside this library. ``meter`` is the one of `OWN_SCOPE`."""

    def __init__(self, meter: Meter) -> None:
        self._exports = meter.create_counter("dualmetrics.exports", "{export}", "Pushes, by result.")
        self._points = meter.create_counter(
            "dualmetrics.points.exported", "{point}", "Points that the receiver of a push accepted."
        )
        self._overdue = meter.create_counter("dualmetrics.overdue_pushes", "{push}", "Pushes that came late.")
        self._in_doubt = meter.create_counter("dualmetrics.pushes_in_doubt", "{push}", "Pushes in doubt.")
        self._scrapes = meter.create_counter("dualmetrics.scrapes", "{scrape}", "Scrapes, by result.")
        self._duration = meter.create_histogram(
            "dualmetrics.scrape.duration",
            "s",
            "Time to answer a scrape.",
            explicit_bucket_boundaries_advisory=_SCRAPE_BOUNDS,
        )
        self._overflows = meter.create_counter(OVERFLOWS.name, OVERFLOWS.unit, OVERFLOWS.description)
        self._errors = meter.create_counter(
            "dualmetrics.internal_errors", "{error}", "Errors inside dualmetrics that did not reach the app."
        )
        self._skipped = meter.create_counter(
            "dualmetrics.skipped_files",
            "{file}",
            "Unreadable files in the directory of the group.",
        )

    def show_errors(self) -> None:
        """Show the error counter at zero, because an alert on a series that does not exist never fires."""
        self._errors.add(0)

    def show_pushes(self) -> None:
        """Show the counters of pushes at zero, so that alerts see the first failure."""
        for result in ("success", "failure"):
            self._exports.add(0, {"result": result})
        self._overdue.add(0)

    def pushed(self, points: int, success: bool) -> None:
        """Count a push, and the points that the receiver accepted."""
        self._exports.add(1, {"result": "success" if success else "failure"})
        self._points.add(points)

    def overdue(self) -> None:
        """Count a push that came late."""
        self._overdue.add(1)

    def in_doubt(self) -> None:
        """Count a push with delta temporality of which nobody knows whether it has arrived."""
        self._in_doubt.add(1)

    def scraped(self, result: str, seconds: float) -> None:
        """Count a scrape. ``result`` is ``success``, ``failure`` or ``denied``."""
        self._scrapes.add(1, {"result": result})
        self._duration.record(seconds)

    def overflowed(self, descriptor: Descriptor) -> None:
        """Count an attribute set beyond the cardinality limit of a metric."""
        if descriptor.name != OVERFLOWS.name:  # its series, one for each metric, may overflow
            self._overflows.add(1, {"metric": descriptor.name})

    def failed(self) -> None:
        """Count an internal error."""
        self._errors.add(1)

    def skipped(self, reason: str) -> None:
        """Count a file that could not be read."""
        self._skipped.add(1, {"reason": reason})


def group_metrics(totals: GroupTotals, now: float, last_export: float | None = None) -> Iterable[Family]:
    """Return the metrics that describe the group. ``now`` is in seconds since the epoch.

    ``last_export`` is the time of the last successful push, 0 before the first one, and None without a push.
    It is no gauge of the leader, because that would vanish with the leader.
    """
    if last_export is not None:
        yield Family(_LAST_EXPORT, (_gauge_point(last_export, now),))
    yield Family(_WORKERS, (_gauge_point(float(totals.workers), now),))
    sizes: Counter[str] = Counter()
    for family in totals.families:
        sizes[family.descriptor.name] += len(family.points)
    points = tuple(_gauge_point(float(size), now, ("metric", name)) for name, size in sizes.items())
    yield Family(_SERIES, points)


def _gauge_point(value: float, now: float, *attributes: tuple[str, str]) -> Point:
    return Point(attributes, 0, (value, now))
