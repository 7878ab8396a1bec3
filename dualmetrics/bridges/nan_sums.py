"""Sums that are NaN, because the app has observed NaN in a histogram or summary of prometheus_client.

To OpenMetrics such a sum is a counter, which "MUST NOT be NaN", and a page that breaks this rule is invalid
as a whole. So the sum is left out, as OTLP allows it too, and the log says so.
"""

from __future__ import annotations

import math

from prometheus_client import Metric

from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.errors import ErrorReporter

_NAN_SUM = (
    "dualmetrics: the sum of %s is NaN, because the app has observed NaN. OpenMetrics and OTLP histograms "
    "have no such sums, so it is left out there; counts and buckets are right. Find out what observes NaN"
)


def has_nan_sum(family: Family) -> bool:
    """Whether the sum of a point is NaN, or is missing, which looks the same."""
    place = {Kind.HISTOGRAM: -1, Kind.SUMMARY: 1}.get(family.descriptor.kind)
    return place is not None and any(math.isnan(point.cells[place]) for point in family.points)


def shows_nan_sum(metric: Metric) -> bool:
    """Whether a metric of prometheus_client has a sum that is NaN."""
    name = f"{metric.name}_sum"
    return any(sample.name == name and math.isnan(sample.value) for sample in metric.samples)


def report_nan_sum(errors: ErrorReporter, name: str) -> None:
    """Log once that the sum of a metric is NaN."""
    errors.log_once(f"NaN {name}", _NAN_SUM, name)
