"""How much of a total is new at each read, and when a total has restarted."""

from __future__ import annotations

import pytest

from dualmetrics.bridges.cell_layout import LAYOUTS
from dualmetrics.bridges.counter_tracker import CounterTracker
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.exponential_histogram import ExponentialHistogram


@pytest.mark.parametrize(
    ("kind", "first", "second", "increase", "restarted"),
    [
        (Kind.COUNTER, (5.0,), (7.0,), (2.0,), False),
        (Kind.COUNTER, (5.0,), (2.0,), (2.0,), True),
        (Kind.UP_DOWN_COUNTER, (5.0,), (2.0,), (-3.0,), False),
        (Kind.HISTOGRAM, (1.0, 2.0, 9.0), (1.0, 3.0, 4.0), (0.0, 1.0, -5.0), False),
        (Kind.HISTOGRAM, (1.0, 2.0, 9.0), (0.0, 3.0, 9.5), (0.0, 3.0, 9.5), True),
        (Kind.SUMMARY, (2.0, 9.0, 5.0), (3.0, 8.0, 4.0), (1.0, -1.0), False),
        (Kind.SUMMARY, (2.0, 9.0, 5.0), (1.0, 9.5, 5.0), (1.0, 9.5), True),
    ],
)
def test_only_a_fall_of_a_monotonic_cell_is_a_restart(
    kind: Kind,
    first: tuple[float, ...],
    second: tuple[float, ...],
    increase: tuple[float, ...],
    restarted: bool,
) -> None:
    tracker, layout = CounterTracker(), LAYOUTS[kind]
    assert tracker.advance(first, layout, 1) == (first[layout.summed], False)
    assert tracker.advance(second, layout, 1) == (increase, restarted)
    assert tracker.cells == second


def test_a_total_with_another_start_time_is_all_new() -> None:
    tracker, layout = CounterTracker(), LAYOUTS[Kind.COUNTER]
    tracker.advance((5.0,), layout, 1)
    assert tracker.advance((7.0,), layout, 2) == ((7.0,), True)


def test_exponential_buckets_restart_together_with_the_total() -> None:
    tracker, layout = CounterTracker(), LAYOUTS[Kind.HISTOGRAM]
    one, two = (ExponentialHistogram(0, 3, (count,), sum=9.0 * count) for count in (1.0, 2.0))
    tracker.advance((1.0, 9.0), layout, 1)
    assert tracker.advance_exponential(one) == one
    tracker.advance((2.0, 18.0), layout, 1)
    assert tracker.advance_exponential(two) == one
    tracker.advance((1.0, 9.0), layout, 1)
    assert tracker.advance_exponential(one) == one
