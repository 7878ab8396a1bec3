"""Makes the functions that record a request into the rows of its series.

Every request calls such a function, so it does the arithmetic and nothing else. Everything that stays the
same from request to request is bound when the function is made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from dualmetrics.http.semantic_conventions import RequestMetrics
from dualmetrics.instruments.exemplars import ExemplarFilter, ExemplarReservoir
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.free_threading import FIRST_SHARD, NEEDS_LOCKS, Shard, locked_if_free_threaded
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Row

Recorder = Callable[[float], None]
"""Records a finished request that took so many seconds."""

ActiveRecorder = Callable[[], None]
"""Adds a request to the number of active ones, or removes it."""


def duration_recorder(
    metrics: RequestMetrics, active: Row, count: Row, duration: Row, shard: Shard = FIRST_SHARD
) -> Recorder:
    """Make a function that records a finished request, which is then no longer active.

    All rows belong to ``shard``.
    """
    bounds, scale = metrics.duration.bounds, metrics.scale

    @locked_if_free_threaded(shard)
    def record(seconds: float) -> None:
        value = seconds * scale
        active[0] -= 1.0
        count[0] += 1.0
        duration[bisect_left(bounds, value)] += 1.0
        duration[-1] += value

    return record


def exponential_duration_recorder(
    metrics: RequestMetrics, active: Row, count: Row, duration: HistogramRow, shard: Shard = FIRST_SHARD
) -> Recorder:
    """Make a `duration_recorder` that records the duration in exponential buckets as well."""
    bounds, scale = metrics.duration.bounds, metrics.scale
    row, exponential_cells = duration
    add_exponential = exponential_cells.add

    @locked_if_free_threaded(shard)
    def record(seconds: float) -> None:
        value = seconds * scale
        active[0] -= 1.0
        count[0] += 1.0
        row[bisect_left(bounds, value)] += 1.0
        row[-1] += value
        add_exponential(value)

    return record


def with_exemplars(
    record: Recorder,
    metrics: RequestMetrics,
    duration: ExemplarReservoir,
    count: ExemplarReservoir | None,
    exemplars: ExemplarFilter,
) -> Recorder:
    """Make a function that calls ``record`` and then offers the request as an exemplar."""
    bounds, scale = metrics.duration.bounds, metrics.scale

    def record_with_exemplar(seconds: float) -> None:
        record(seconds)
        span = exemplars.request_span()
        if span is not None:
            value = seconds * scale
            duration.offer(bisect_left(bounds, value), value, span)
            if count is not None:
                count.offer(0, 1.0, span)

    return record_with_exemplar


def active_recorder(
    rows: tuple[Row, ...], change: float, errors: ErrorReporter, shard: Shard = FIRST_SHARD
) -> ActiveRecorder:
    """Make a function that adds ``change`` to the first cell of each row, and never raises.

    There is one row for each convention, all of them of ``shard``. The usual case of one row has a faster
    function.
    """
    if NEEDS_LOCKS:
        return _locked_active_recorder(rows, change, errors, shard)
    first_row = rows[0]

    def change_one() -> None:
        try:
            first_row[0] += change
        except Exception as error:
            errors.error("counting an active request", error)

    def change_all() -> None:
        try:
            for row in rows:
                row[0] += change
        except Exception as error:
            errors.error("counting an active request", error)

    return change_one if len(rows) == 1 else change_all


def _locked_active_recorder(
    rows: tuple[Row, ...], change: float, errors: ErrorReporter, shard: Shard
) -> ActiveRecorder:
    def change_all() -> None:
        try:
            with shard.lock:
                for row in rows:
                    row[0] += change
        except Exception as error:
            errors.error("counting an active request", error)

    return change_all


def chain_recorders(recorders: list[Recorder]) -> Recorder:
    """Make a function that calls all ``recorders``."""

    def record_all(seconds: float) -> None:
        for record in recorders:
            record(seconds)

    return recorders[0] if len(recorders) == 1 else record_all
