"""Several processes of one contestant: workers that keep running, and workers that die."""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Callable

Work = Callable[[], object]

_end_read, _end_write = os.pipe()
"""Nothing is ever written. A worker that reads waits until the process that forked it is gone."""


def keep_running(work: Work, workers: int) -> None:
    """Fork workers that do the work and then live as long as this process. Returns when all have done it."""
    for _ in range(workers):
        done_read, done_write = os.pipe()
        if os.fork() == 0:
            _run_in_child(functools.partial(_work_and_wait, work, done_write))
        os.close(done_write)
        done = os.read(done_read, 1)
        os.close(done_read)
        if not done:
            raise RuntimeError("a worker failed")


def run_and_die(work: Work) -> None:
    """Fork a worker that does the work and dies without any cleanup. Returns when it is dead."""
    pid = os.fork()
    if pid == 0:
        _run_in_child(work)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("a worker failed")


def result_of(function: Callable[[], float]) -> float:
    """What the function returns in a new worker."""
    result_read, result_write = os.pipe()
    run_and_die(lambda: os.write(result_write, str(function()).encode()))
    os.close(result_write)
    with os.fdopen(result_read) as result:
        return float(result.read())


def _work_and_wait(work: Work, done: int) -> None:
    work()
    os.close(_end_write)
    os.write(done, b"1")
    os.close(done)
    os.read(_end_read, 1)


def _run_in_child(work: Work) -> None:
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
