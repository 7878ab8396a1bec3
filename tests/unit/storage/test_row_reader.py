"""Rows that are kept from one reading to the next."""

from __future__ import annotations

import math
from array import array

from hypothesis import example, given
from hypothesis import strategies as st

from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.series import Series
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.storage.regions import Cells
from dualmetrics.storage.row_reader import RowReader

HITS = Descriptor(Scope("tests"), "hits", Kind.COUNTER)
TREATMENT = AggregationPolicies().policy_for(HITS)
CELLS = 3

changes = st.lists(st.tuples(st.integers(0, 39), st.floats(width=64)), max_size=5)


def appended(rows: RowReader[Series], doubles: array[float], count: int) -> None:
    """Let the file have so many series more."""
    for _ in range(count):
        doubles.extend([0.0] * (CELLS + 2))
        rows.add(Series(TREATMENT, (), 1), 8 * len(doubles), CELLS)


def in_bytes(cells: Cells) -> bytes:
    """There are many NaNs."""
    return array("d", cells).tobytes()


@given(st.lists(st.tuples(st.integers(0, 20), changes), max_size=6))
@example([(2, [(15, math.nan)]), (0, [(15, -math.nan)])])
def test_the_latest_rows_are_those_of_a_plain_reading_and_only_those_that_changed_are_new(
    steps: list[tuple[int, list[tuple[int, float]]]],
) -> None:
    rows: RowReader[Series] = RowReader()
    doubles = array("d", [0.0] * 8)
    before: list[Cells] = []
    for more, changed in steps:
        appended(rows, doubles, more)
        for at, value in changed:
            if 8 <= at < len(doubles):
                doubles[at] = value
        data = doubles.tobytes()
        latest = [cells for _, cells in rows.read_cached(data)]
        assert repr(latest) == repr([cells for _, cells in rows.read(data)])
        same = [new is old for new, old in zip(latest, before, strict=False)]
        equal = [in_bytes(new) == in_bytes(old) for new, old in zip(latest, before, strict=False)]
        assert same == equal
        before = [*latest]


def test_a_series_whose_cells_the_bytes_do_not_reach_yet_is_not_shown() -> None:
    rows: RowReader[Series] = RowReader()
    doubles = array("d", [0.0] * 8)
    appended(rows, doubles, 1)
    shorter = doubles.tobytes()
    appended(rows, doubles, 1)
    assert len([*rows.read_cached(shorter)]) == 1
    assert len([*rows.read_cached(doubles.tobytes())]) == 2
