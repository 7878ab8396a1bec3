"""How often the background thread reads cheap collectors."""

from __future__ import annotations

import pytest

from dualmetrics.bridges.read_loop import TICK, pause_after


@pytest.mark.parametrize(
    ("cost", "pause"),
    [(0.0, TICK), (0.0125, TICK), (0.02, 0.4), (0.045, 0.9), (0.09, 0.9), (0.1, 1.0), (0.5, 5.0)],
)
def test_expensive_reads_are_rarer_but_within_a_second_up_to_a_tenth_of_a_processor(
    cost: float, pause: float
) -> None:
    assert pause_after(cost) == pytest.approx(pause)
