"""Kills a process at each instruction that adds a value to exponential cells: ``python -m ... VALUE``.

Prints the number of instructions.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from types import CodeType, FrameType
from typing import Any

from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.storage.exponential_cells import (
    EXPONENTIAL_WIDTH,
    ExponentialCells,
    is_torn,
    read_histogram,
)
from dualmetrics.storage.regions import Row
from tests.unit.model.test_exponential_histogram import histogram as recorded


def main(value: float) -> None:
    """Check that each child leaves what it had counted, with or without the value that it was adding."""
    number, survived, left = 0, False, ExponentialHistogram()
    while not survived:
        row = shared_row()
        cells = ExponentialCells(row)
        for before in (2.5, 3.0, 7.0):
            cells.add(before)
        survived = not add_and_die(cells, value, number)
        left = read_histogram(row.tolist())
        assert not is_torn(row.tobytes())
        assert left in (recorded([2.5, 3.0, 7.0]), recorded([2.5, 3.0, 7.0, value]))
        number += 1
    assert left == recorded([2.5, 3.0, 7.0, value])
    sys.stdout.write(f"{number}\n")


def shared_row() -> Row:
    memory = mmap.mmap(-1, 8 * EXPONENTIAL_WIDTH)
    return memoryview(memory).cast("B").cast("d")


def add_and_die(cells: ExponentialCells, value: float, instruction: int) -> bool:
    """Add a value in a child that is killed before this instruction. Returns whether it got that far."""
    pid = os.fork()
    if pid == 0:
        sys._getframe().f_trace_opcodes = True  # Python 3.12 checks this when it starts to trace
        sys.settrace(killer(instruction))
        cells.add(value)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def killer(instruction: int) -> Any:
    """A trace function that kills this process before the n-th instruction of the recording functions."""
    codes: set[CodeType] = {
        function.__code__
        for function in (
            ExponentialCells.add,
            ExponentialCells.merge,
            ExponentialCells._try_merge,
            ExponentialCells._switch,
        )
    }
    remaining = iter(range(instruction, -1, -1))

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code not in codes:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(remaining) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


if __name__ == "__main__":
    main(float(sys.argv[1]))
