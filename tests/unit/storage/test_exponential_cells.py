"""Exponential cells are exact, and complete for readers, for signal handlers, and after a kill."""

from __future__ import annotations

import itertools
import math
import random
import signal
import subprocess
import sys
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.storage.exponential_cells import (
    BUFFER_WIDTH,
    EXPONENTIAL_WIDTH,
    ExponentialCells,
    is_torn,
    read_histogram,
)
from dualmetrics.storage.regions import Row, private_row
from tests.unit.model.test_exponential_histogram import histogram as recorded
from tests.unit.model.test_exponential_histogram import several
from tests.unit.storage import killed_recordings


@pytest.fixture
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def wide(seed: int, amount: int) -> list[float]:
    """Values that need buckets over a wider and wider range."""
    source = random.Random(seed)
    return [math.ldexp(source.random(), source.randint(-limit, limit)) for limit in range(amount)]


@given(several)
def test_a_row_has_the_histogram_of_the_recorded_values(values: list[float]) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    cells = ExponentialCells(row)
    for value in values:
        cells.add(value)
    assert read_histogram(row.tolist()) == recorded(values)


@given(several, several)
def test_another_histogram_can_be_merged(values: list[float], others: list[float]) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    cells = ExponentialCells(row)
    for value in values:
        cells.add(value)
    cells.merge(recorded(others))
    assert read_histogram(row.tolist()) == recorded([*values, *others])


@given(st.integers(0, 500))
def test_most_values_do_not_switch_the_buffer(seed: int) -> None:
    row, source = private_row(EXPONENTIAL_WIDTH), random.Random(seed)
    cells = ExponentialCells(row)
    for _ in range(300):
        cells.add(source.lognormvariate(0, 1))
    assert row[0] < 15


@pytest.mark.usefixtures("_switch_often")
def test_threads_lose_nothing_while_the_scale_decreases() -> None:
    for seed in range(30):
        row = private_row(EXPONENTIAL_WIDTH)
        cells, start = ExponentialCells(row), threading.Barrier(3)
        parts = [wide(seed * 3 + part, 100) for part in range(3)]

        def work(
            part: list[float], cells: ExponentialCells = cells, start: threading.Barrier = start
        ) -> None:
            start.wait()
            for value in part:
                cells.add(value)

        threads = [threading.Thread(target=work, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read_histogram(row.tolist()) == recorded([value for part in parts for value in part])


@contextmanager
def interrupting(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Call ``handler`` again and again, once per millisecond of CPU time of this process."""
    before = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1e-3, 1e-3)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_a_signal_handler_can_record_at_any_time() -> None:
    values, others, rows = wide(1, 80), itertools.cycle(wide(2, 80)), [private_row(EXPONENTIAL_WIDTH)]
    interruptions = 0
    cells = ExponentialCells(rows[-1])

    def handler(number: int, frame: object) -> None:
        nonlocal interruptions
        interruptions += 1
        cells.add(next(others))

    with interrupting(handler):
        while len(rows) < 50 or interruptions < 50:
            rows.append(private_row(EXPONENTIAL_WIDTH))
            cells = ExponentialCells(rows[-1])
            for value in values:
                cells.add(value)
    total = sum(read_histogram(row.tolist()).total_count for row in rows)
    assert total == (len(rows) - 1) * len(values) + interruptions


class Copy:
    """A reader's copy of a row, made in two parts."""

    def __init__(self, row: Row, first_part: int) -> None:
        self._row, self._first_part = row, first_part
        self._begun = row.tolist()[:first_part]

    def finish(self) -> list[Any]:
        return self._begun + self._row.tolist()[self._first_part :]


@pytest.mark.parametrize("first_part", [1, 2, BUFFER_WIDTH // 2, BUFFER_WIDTH, EXPONENTIAL_WIDTH - 1])
@pytest.mark.parametrize("warm_up", [1, 2])
def test_a_copy_shows_whether_it_is_torn(first_part: int, warm_up: int) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    cells = ExponentialCells(row)
    for value in range(warm_up):
        cells.add(2.0 ** (10 * value))
    before, copies = read_histogram(row.tolist()), []
    for exponent in range(20, 60, 10):
        copies.append(Copy(row, first_part))
        cells.add(2.0**-exponent)
    complete, torn = copies[-1].finish(), copies[0].finish()
    assert not is_torn(array("d", complete).tobytes())
    assert read_histogram(complete).total_count >= before.total_count
    assert is_torn(array("d", torn).tobytes())


@given(several, st.integers(1, 3), st.randoms(use_true_random=False))
def test_a_copy_with_old_cells_anywhere_is_torn_or_complete(
    values: list[float], distance: int, source: random.Random
) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    states = [row.tolist()]
    cells = ExponentialCells(row)
    for value in values:
        states.append(row.tolist())
        cells.add(value)
    states.append(row.tolist())
    for old, new in zip(states, states[distance:], strict=False):
        mixed = [source.choice(pair) for pair in zip(old, new, strict=True)]
        if not is_torn(array("d", mixed).tobytes()):
            least, most = read_histogram(old).total_count, read_histogram(new).total_count
            assert least <= read_histogram(mixed).total_count <= most


@pytest.mark.parametrize("stale", [slice(1, 5), slice(1, 1 + BUFFER_WIDTH), slice(100, 101)])
def test_a_generation_that_is_seen_before_its_buffer_makes_the_copy_torn(stale: slice) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    cells = ExponentialCells(row)
    cells.add(1.0)
    before = row.tolist()
    assert before[0] % 2 == 0
    cells.add(1e10)
    cells.add(1e-10)
    assert row[0] == before[0] + 2
    after = row.tolist()
    assert not is_torn(array("d", after).tobytes())
    after[stale] = before[stale]
    assert is_torn(array("d", after).tobytes())


SLOW = pytest.mark.server


@pytest.mark.parametrize(
    "value", [3.0, *(pytest.param(value, marks=SLOW) for value in (2.0**-100, 0.0, 1e300))]
)
def test_a_kill_at_any_instruction_leaves_everything_that_was_counted(value: float) -> None:
    # Each instruction takes a fork, which is slow in a process as large as this one.
    command = [sys.executable, "-m", killed_recordings.__name__, str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10, "no instructions were traced"


def test_an_empty_row_is_an_empty_histogram() -> None:
    assert read_histogram(array("d", bytes(8 * EXPONENTIAL_WIDTH))) == ExponentialHistogram()
