"""Functions that record a request, made for the rows of its series: the arithmetic and nothing else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from dualmetrics.http.semantic_conventions import RequestMetrics
from dualmetrics.instruments.exemplars import ExemplarFilter, ExemplarReservoir
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.free_threading import locked_if_free_threaded
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Row

Recorder = Callable[[float], None]
"""Adds a request that took so many seconds to the cells of its series."""

InFlightRecorder = Callable[[], None]
"""Adds a request to those that are active, or takes it from them."""


def with_exemplars(
    record: Recorder,
    measure: RequestMetrics,
    duration: ExemplarReservoir,
    count: ExemplarReservoir | None,
    exemplars: ExemplarFilter,
) -> Recorder:
    """A function that records a request, and offers it as an exemplar."""
    bounds, scale = measure.duration.bounds, measure.scale

    def add(seconds: float) -> None:
        record(seconds)
        span = exemplars.request_span()
        if span is not None:
            value = seconds * scale
            duration.offer(bisect_left(bounds, value), value, span)
            if count is not None:
                count.offer(0, 1.0, span)

    return add


def duration_recorder(measure: RequestMetrics, active: Row, count: Row, duration: Row) -> Recorder:
    """A function that adds a request, which is no longer active, to these rows."""
    bounds, scale = measure.duration.bounds, measure.scale

    @locked_if_free_threaded
    def add(seconds: float) -> None:
        value = seconds * scale
        active[0] -= 1.0
        count[0] += 1.0
        duration[bisect_left(bounds, value)] += 1.0
        duration[-1] += value

    return add


def exponential_duration_recorder(
    measure: RequestMetrics, active: Row, count: Row, duration: HistogramRow
) -> Recorder:
    """An `adder` that records the duration in exponential buckets too."""
    bounds, scale = measure.duration.bounds, measure.scale
    row, banks = duration
    add_exponential = banks.add

    @locked_if_free_threaded
    def add(seconds: float) -> None:
        value = seconds * scale
        active[0] -= 1.0
        count[0] += 1.0
        row[bisect_left(bounds, value)] += 1.0
        row[-1] += value
        add_exponential(value)

    return add


def in_flight_recorder(rows: tuple[Row, ...], by: float, errors: ErrorReporter) -> InFlightRecorder:
    """A function that adds to the first cell of each row, and never raises."""

    @locked_if_free_threaded
    def move() -> None:
        try:
            for row in rows:
                row[0] += by
        except Exception as error:
            errors.error("counting an active request", error)

    @locked_if_free_threaded
    def move_one() -> None:
        try:
            only[0] += by
        except Exception as error:
            errors.error("counting an active request", error)

    only = rows[0]
    return move_one if len(rows) == 1 else move


def chain_recorders(records: list[Recorder]) -> Recorder:
    """A function that calls them all."""

    def all_of_them(seconds: float) -> None:
        for record in records:
            record(seconds)

    return records[0] if len(records) == 1 else all_of_them
