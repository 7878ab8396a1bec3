"""The bucket boundaries of histograms for which neither a setting nor the app gives any.

They depend on the unit: OpenTelemetry's default boundaries fit milliseconds, and leave all values of a
histogram in seconds in the first two buckets. docs/own-metrics.md has the table.
"""

from __future__ import annotations

from dualmetrics.model.units import to_ucum

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""What OpenTelemetry's semantic conventions advise for ``http.server.request.duration``."""

_MILLISECONDS = (5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
_SHORT = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 100_000, 1_000_000)
_THOUSANDTHS_OF_SHORT = tuple(bound * 1000 for bound in _SHORT)
_MINUTES = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240)
_HOURS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 24, 48, 96, 168)
_DAYS = (0.1, 0.25, 0.5, 1, 2, 3, 7, 14, 30, 90, 180, 365)
_BYTES = tuple(4**power for power in range(3, 16))
_LARGER_BYTES = (0.0625, 0.25, 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
_RATIO = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1, 2.5, 5, 10, 25, 50, 100, 1000)
_PERCENT = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)

BOUNDS_BY_UNIT = {
    "d": _DAYS,
    "h": _HOURS,
    "min": _MINUTES,
    "s": _SECONDS,
    "ms": _MILLISECONDS,
    "us": _SHORT,
    "ns": _THOUSANDTHS_OF_SHORT,
    "By": _BYTES,
    **dict.fromkeys(("KiBy", "MiBy", "GiBy", "TiBy", "KBy", "MBy", "GBy", "TBy"), _LARGER_BYTES),
    "1": _RATIO,
    "%": _PERCENT,
}
"""The boundaries by the UCUM unit of the histogram. A unit ``1`` is mostly a ratio, but may be a count."""

OTHER_BOUNDS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
"""For any other unit (metrics SDK specification, *explicit bucket histogram aggregation*)."""


def default_bounds(unit: str) -> tuple[float, ...]:
    """Return the boundaries for a unit, in UCUM or in words as in Prometheus' names (``seconds``)."""
    return tuple(map(float, BOUNDS_BY_UNIT.get(to_ucum(unit), OTHER_BOUNDS)))
