"""Rows that are cached from one reading to the next."""

from __future__ import annotations

import math
from array import array

from hypothesis import example, given
from hypothesis import strategies as st

from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.series import Series
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.storage.regions import Cells
from dualmetrics.storage.row_reader import RowReader

HITS = Descriptor(InstrumentationScope("tests"), "hits", Kind.COUNTER)
POLICY = AggregationPolicies().policy_for(HITS)
CELLS = 3

changes = st.lists(st.tuples(st.integers(0, 39), st.floats(width=64)), max_size=5)


def append(rows: RowReader[Series], doubles: array[float], count: int) -> None:
    """Append ``count`` series to the file."""
    for _ in range(count):
        doubles.extend([0.0] * (CELLS + 2))
        rows.add(Series(POLICY, (), 1), 8 * len(doubles), CELLS)


def to_bytes(cells: Cells) -> bytes:
    """The bytes of the cells. Unlike the cells, they are equal for equal NaNs."""
    return array("d", cells).tobytes()


@given(st.lists(st.tuples(st.integers(0, 20), changes), max_size=6))
@example([(2, [(15, math.nan)]), (0, [(15, -math.nan)])])
def test_cached_rows_equal_those_of_a_plain_reading_and_only_changed_ones_are_new_objects(
    steps: list[tuple[int, list[tuple[int, float]]]],
) -> None:
    rows: RowReader[Series] = RowReader()
    doubles = array("d", [0.0] * 8)
    before: list[Cells] = []
    for count, changed in steps:
        append(rows, doubles, count)
        for index, value in changed:
            if 8 <= index < len(doubles):
                doubles[index] = value
        data = doubles.tobytes()
        latest = [cells for _, cells in rows.read_cached(data)]
        assert repr(latest) == repr([cells for _, cells in rows.read(data)])
        same = [new is old for new, old in zip(latest, before, strict=False)]
        equal = [to_bytes(new) == to_bytes(old) for new, old in zip(latest, before, strict=False)]
        assert same == equal
        before = [*latest]


def test_a_series_is_left_out_while_the_bytes_do_not_contain_its_cells() -> None:
    rows: RowReader[Series] = RowReader()
    doubles = array("d", [0.0] * 8)
    append(rows, doubles, 1)
    shorter = doubles.tobytes()
    append(rows, doubles, 1)
    assert len([*rows.read_cached(shorter)]) == 1
    assert len([*rows.read_cached(doubles.tobytes())]) == 2
