"""Delta temporality: which metrics have it, and that deltas add up to the totals despite failed pushes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.exporters.otlp.temporality import delta_predicate, subtract
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters.snapshots import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    OBSERVED,
    START,
    TIME,
    UP_DOWN,
    everything,
    family,
    snapshot,
)

OBSERVED_UP_DOWN = Descriptor(OBSERVED.scope, "queue.length", Kind.UP_DOWN_COUNTER, observable=True)
ALL = (COUNTER, OBSERVED, HISTOGRAM, UP_DOWN, OBSERVED_UP_DOWN, GAUGE)
DELTA = delta_predicate("delta")


@pytest.mark.parametrize(
    ("preference", "expected"),
    [
        ("cumulative", []),
        ("delta", [COUNTER, OBSERVED, HISTOGRAM]),
        ("lowmemory", [COUNTER, HISTOGRAM]),
    ],
)
def test_the_preference_selects_the_kinds_that_are_sent_as_deltas(
    preference: str, expected: list[Descriptor]
) -> None:
    assert [descriptor for descriptor in ALL if delta_predicate(preference)(descriptor)] == expected


def only_point(whole: Snapshot) -> Point:
    (metric,) = whole.families
    (point,) = metric.points
    return point


def test_without_a_baseline_everything_is_new() -> None:
    assert only_point(subtract(snapshot(family(COUNTER, 5.0)), None, DELTA)) == only_point(
        snapshot(family(COUNTER, 5.0))
    )


def test_a_delta_is_the_change_since_the_baseline_and_starts_there() -> None:
    before = snapshot(family(COUNTER, 5.0), time=TIME)
    after = snapshot(family(COUNTER, 7.5), time=TIME + 10)
    point = only_point(subtract(after, before, DELTA))
    assert (point.start_time_ns, tuple(point.cells)) == (TIME, (2.5,))


def test_a_series_that_is_newer_than_the_baseline_keeps_its_start() -> None:
    after = snapshot(family(COUNTER, 3.0, start=TIME + 5), time=TIME + 10)
    point = only_point(subtract(after, snapshot(time=TIME), DELTA))
    assert (point.start_time_ns, tuple(point.cells)) == (TIME + 5, (3.0,))


def test_a_delta_of_a_histogram_has_every_cell() -> None:
    before = snapshot(family(HISTOGRAM, 2.0, 0.0, 1.0, 30.5))
    after = snapshot(family(HISTOGRAM, 2.0, 4.0, 1.0, 60.5), time=TIME + 10)
    assert tuple(only_point(subtract(after, before, DELTA)).cells) == (0.0, 4.0, 0.0, 30.0)


def test_an_unchanged_series_is_omitted() -> None:
    after = snapshot(family(COUNTER, 5.0), family(OBSERVED, 8.0), time=TIME + 10)
    before = snapshot(family(COUNTER, 5.0), family(OBSERVED, 7.0))
    counter, observed = subtract(after, before, DELTA).families
    assert counter.points == ()
    assert [tuple(point.cells) for point in observed.points] == [(1.0,)]


def test_gauges_and_up_down_counters_are_not_changed() -> None:
    after = everything()
    kept = subtract(after, after, DELTA).families
    assert [metric for metric in kept if metric.points] == [after.families[1], after.families[3]]


def test_cumulative_changes_nothing() -> None:
    assert subtract(everything(), everything(), delta_predicate("cumulative")) == everything()


@pytest.mark.parametrize(
    "restarted",
    [family(COUNTER, 2.0), family(COUNTER, 9.0, start=TIME + 5), family(COUNTER, 2.0, start=TIME + 5)],
)
def test_a_restarted_series_counts_from_zero(restarted: Family) -> None:
    before = snapshot(family(COUNTER, 5.0))
    point = only_point(subtract(snapshot(restarted, time=TIME + 10), before, DELTA))
    assert tuple(point.cells) == tuple(restarted.points[0].cells)
    assert point.start_time_ns >= TIME


def test_a_histogram_with_a_fallen_bucket_counts_from_zero() -> None:
    before = snapshot(family(HISTOGRAM, 2.0, 0.0, 1.0, 30.5))
    after = snapshot(family(HISTOGRAM, 1.0, 9.0, 1.0, 90.0), time=TIME + 10)
    assert tuple(only_point(subtract(after, before, DELTA)).cells) == (1.0, 9.0, 1.0, 90.0)


def test_a_rounding_error_is_not_a_restart() -> None:
    total, other_order = (0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3)
    assert other_order < total
    before = snapshot(family(COUNTER, total), family(HISTOGRAM, 3.0, 0.0, 0.0, total))
    after = snapshot(
        family(COUNTER, other_order), family(HISTOGRAM, 4.0, 0.0, 0.0, other_order), time=TIME + 1
    )
    counter, histogram = subtract(after, before, DELTA).families
    assert counter.points == ()
    assert [tuple(point.cells) for point in histogram.points] == [(1.0, 0.0, 0.0, 0.0)]


def test_series_are_distinguished_by_the_types_of_their_attributes() -> None:
    before = snapshot(family(COUNTER, 5.0, attributes=(("a", 1),)))
    after = snapshot(family(COUNTER, 6.0, attributes=(("a", True),)), time=TIME + 10)
    assert tuple(only_point(subtract(after, before, DELTA)).cells) == (6.0,)


def test_metrics_with_different_bounds_are_different_metrics() -> None:
    other = Descriptor(HISTOGRAM.scope, HISTOGRAM.name, Kind.HISTOGRAM, "ms", bounds=(1.0, 2.0))
    before = snapshot(family(HISTOGRAM, 1.0, 1.0, 1.0, 3.0))
    after = snapshot(family(other, 2.0, 2.0, 2.0, 6.0), time=TIME + 10)
    assert tuple(only_point(subtract(after, before, DELTA)).cells) == (2.0, 2.0, 2.0, 6.0)


Key = tuple[str, Attributes]
SERIES: list[tuple[Descriptor, Attributes]] = [
    (descriptor, (("route", route),))
    for descriptor in (COUNTER, OBSERVED, HISTOGRAM)
    for route in ("/a", "/b")
]
recorded = st.lists(st.tuples(st.sampled_from(SERIES), st.integers(0, 2), st.integers(0, 1000)), max_size=6)
pushes = st.lists(st.tuples(recorded, st.booleans()), max_size=8)


class Group:
    """A worker group that records integers, so that sums are exact."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Descriptor, Attributes], tuple[int, list[float]]] = {}
        self.time = TIME

    def record(self, series: tuple[Descriptor, Attributes], bucket: int, value: int) -> None:
        _, cells = self.rows.setdefault(series, (self.time, [0.0] * series[0].width))
        cells[-1] += value
        if series[0].kind is Kind.HISTOGRAM:
            cells[bucket] += 1

    def snapshot(self) -> Snapshot:
        self.time += 10
        families = {
            descriptor: tuple(
                Point(attributes, start, tuple(cells))
                for (of, attributes), (start, cells) in self.rows.items()
                if of is descriptor
            )
            for descriptor in (COUNTER, OBSERVED, HISTOGRAM)
        }
        return snapshot(*(Family(*metric) for metric in families.items()), time=self.time)


@given(pushes)
def test_acknowledged_deltas_add_up_to_the_totals_of_the_last_push(
    history: list[tuple[list[tuple[tuple[Descriptor, Attributes], int, int]], bool]],
) -> None:
    group, baseline = Group(), None
    arrived: Counter[Any] = Counter()
    ends: dict[Any, int] = {}
    for records, acknowledged in [*history, ([], True)]:
        for record in records:
            group.record(*record)
        now = group.snapshot()
        if not acknowledged:
            continue
        for metric in subtract(now, baseline, DELTA).families:
            for point in metric.points:
                assert (
                    ends.get((metric.descriptor, point.attributes), START)
                    <= point.start_time_ns
                    < now.time_ns
                )
                ends[metric.descriptor, point.attributes] = now.time_ns
                for index, cell in enumerate(point.cells):
                    arrived[metric.descriptor, point.attributes, index] += cell  # type: ignore[assignment]  # an integer
        baseline = now
    totals = {(*series, i): cell for series, (_, cells) in group.rows.items() for i, cell in enumerate(cells)}
    assert {key: value for key, value in arrived.items() if value} == {k: v for k, v in totals.items() if v}
