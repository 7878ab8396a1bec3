"""Exponential histograms in cells: exact, and whole for whoever reads, interrupts or kills."""

from __future__ import annotations

import itertools
import math
import mmap
import os
import random
import signal
import sys
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
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


@pytest.fixture
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def wide(seed: int, amount: int) -> list[float]:
    """Values that need wider and wider buckets."""
    source = random.Random(seed)
    return [math.ldexp(source.random(), source.randint(-at, at)) for at in range(amount)]


@given(several)
def test_a_row_has_what_was_recorded(values: list[float]) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    banks = ExponentialCells(row)
    for value in values:
        banks.add(value)
    assert read_histogram(row.tolist()) == recorded(values)


@given(several, several)
def test_a_histogram_joins_another(values: list[float], others: list[float]) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    banks = ExponentialCells(row)
    for value in values:
        banks.add(value)
    banks.merge(recorded(others))
    assert read_histogram(row.tolist()) == recorded([*values, *others])


@given(st.integers(0, 500))
def test_most_values_cost_one_store(seed: int) -> None:
    row, source = private_row(EXPONENTIAL_WIDTH), random.Random(seed)
    banks = ExponentialCells(row)
    for _ in range(300):
        banks.add(source.lognormvariate(0, 1))
    assert row[0] < 15


@pytest.mark.usefixtures("_switch_often")
def test_threads_lose_nothing_while_the_buckets_get_coarser() -> None:
    for seed in range(30):
        row = private_row(EXPONENTIAL_WIDTH)
        banks, start = ExponentialCells(row), threading.Barrier(3)
        parts = [wide(seed * 3 + part, 100) for part in range(3)]

        def work(
            part: list[float], banks: ExponentialCells = banks, start: threading.Barrier = start
        ) -> None:
            start.wait()
            for value in part:
                banks.add(value)

        threads = [threading.Thread(target=work, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read_histogram(row.tolist()) == recorded([value for part in parts for value in part])


@contextmanager
def interrupting(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Have ``handler`` called again and again, by the time that this process takes."""
    before = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1e-3, 1e-3)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_a_signal_handler_may_record_at_any_time() -> None:
    values, late, rows = wide(1, 80), itertools.cycle(wide(2, 80)), [private_row(EXPONENTIAL_WIDTH)]
    interruptions = 0
    banks = ExponentialCells(rows[-1])

    def handler(number: int, frame: object) -> None:
        nonlocal interruptions
        interruptions += 1
        banks.add(next(late))

    with interrupting(handler):
        while len(rows) < 50 or interruptions < 50:
            rows.append(private_row(EXPONENTIAL_WIDTH))
            banks = ExponentialCells(rows[-1])
            for value in values:
                banks.add(value)
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
def test_a_copy_tells_whether_it_was_overtaken(first_part: int, warm_up: int) -> None:
    row = private_row(EXPONENTIAL_WIDTH)
    banks = ExponentialCells(row)
    for value in range(warm_up):
        banks.add(2.0 ** (10 * value))
    before, copies = read_histogram(row.tolist()), []
    for exponent in range(20, 60, 10):
        copies.append(Copy(row, first_part))
        banks.add(2.0**-exponent)
    overtaken_never, overtaken = copies[-1].finish(), copies[0].finish()
    assert not is_torn(overtaken_never[0], overtaken_never[-1])
    assert read_histogram(overtaken_never).total_count >= before.total_count
    assert is_torn(overtaken[0], overtaken[-1])


def shared_row() -> Row:
    memory = mmap.mmap(-1, 8 * EXPONENTIAL_WIDTH)
    return memoryview(memory).cast("B").cast("d")


def add_and_die(banks: ExponentialCells, value: float, at: int) -> bool:
    """Add a value in a child that is killed before its n-th instruction; whether it came to that."""
    pid = os.fork()
    if pid == 0:
        sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for it when it begins to trace
        sys.settrace(killer(at))
        banks.add(value)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def killer(at: int) -> Any:
    codes: set[CodeType] = {
        function.__code__
        for function in (
            ExponentialCells.add,
            ExponentialCells.merge,
            ExponentialCells._try_merge,
            ExponentialCells._switch,
        )
    }
    left = iter(range(at, -1, -1))

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code not in codes:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


TAKES_LONG = pytest.mark.server


@pytest.mark.parametrize(
    "value", [3.0, *(pytest.param(value, marks=TAKES_LONG) for value in (2.0**-100, 0.0, 1e300))]
)
def test_whoever_is_killed_at_whatever_instruction_leaves_all_that_was_counted(value: float) -> None:
    number, survived, found = 0, False, ExponentialHistogram()
    while not survived:
        row = shared_row()
        banks = ExponentialCells(row)
        for before in (2.5, 3.0, 7.0):
            banks.add(before)
        survived = not add_and_die(banks, value, number)
        found = read_histogram(row.tolist())
        assert not is_torn(row[0], row[-1])
        assert found in (recorded([2.5, 3.0, 7.0]), recorded([2.5, 3.0, 7.0, value]))
        number += 1
    assert found == recorded([2.5, 3.0, 7.0, value])
    assert number > 10, "the test does not see the instructions"


def test_an_empty_row_is_an_empty_histogram() -> None:
    assert read_histogram(array("d", bytes(8 * EXPONENTIAL_WIDTH))) == ExponentialHistogram()
