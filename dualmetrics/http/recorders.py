"""Functions that record a request, made for the rows of its series: the arithmetic and nothing else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from dualmetrics.http.semantic_conventions import Measure
from dualmetrics.instruments.exemplars import ExemplarFilter, Reservoir
from dualmetrics.runtime.errors import Trouble
from dualmetrics.runtime.free_threading import atomic
from dualmetrics.storage.exponential_cells import Distribution
from dualmetrics.storage.regions import Row

Record = Callable[[float], None]
"""Adds a request that took so many seconds to the cells of its series."""

Move = Callable[[], None]
"""Adds a request to those that are active, or takes it from them."""


def exemplifier(
    record: Record,
    measure: Measure,
    duration: Reservoir,
    count: Reservoir | None,
    exemplars: ExemplarFilter,
) -> Record:
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


def adder(measure: Measure, active: Row, count: Row, duration: Row) -> Record:
    """A function that adds a request, which is no longer active, to these rows."""
    bounds, scale = measure.duration.bounds, measure.scale

    @atomic
    def add(seconds: float) -> None:
        value = seconds * scale
        active[0] -= 1.0
        count[0] += 1.0
        duration[bisect_left(bounds, value)] += 1.0
        duration[-1] += value

    return add


def exponential_adder(measure: Measure, active: Row, count: Row, duration: Distribution) -> Record:
    """An `adder` that records the duration in exponential buckets too."""
    bounds, scale = measure.duration.bounds, measure.scale
    row, banks = duration
    add_exponential = banks.add

    @atomic
    def add(seconds: float) -> None:
        value = seconds * scale
        active[0] -= 1.0
        count[0] += 1.0
        row[bisect_left(bounds, value)] += 1.0
        row[-1] += value
        add_exponential(value)

    return add


def mover(rows: tuple[Row, ...], by: float, trouble: Trouble) -> Move:
    """A function that adds to the first cell of each row, and never raises."""

    @atomic
    def move() -> None:
        try:
            for row in rows:
                row[0] += by
        except Exception as error:
            trouble.error("counting an active request", error)

    @atomic
    def move_one() -> None:
        try:
            only[0] += by
        except Exception as error:
            trouble.error("counting an active request", error)

    only = rows[0]
    return move_one if len(rows) == 1 else move


def chained(records: list[Record]) -> Record:
    """A function that calls them all."""

    def all_of_them(seconds: float) -> None:
        for record in records:
            record(seconds)

    return records[0] if len(records) == 1 else all_of_them
