"""Several processes of one contestant: workers that record and then wait, or that come and go."""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Callable

Work = Callable[[], object]

_end_read, _end_write = os.pipe()
"""Nothing is ever written: who reads waits until the process that forked it is gone."""


def stay(work: Work, workers: int) -> None:
    """Fork workers that do the work and then live as long as this process. Returns when all have done it."""
    for _ in range(workers):
        done_read, done_write = os.pipe()
        if os.fork() == 0:
            _in_child(functools.partial(_work_and_wait, work, done_write))
        os.close(done_write)
        done = os.read(done_read, 1)
        os.close(done_read)
        if not done:
            raise RuntimeError("a worker failed")


def come_and_go(work: Work) -> None:
    """Fork a worker that does the work and dies without any clean-up."""
    pid = os.fork()
    if pid == 0:
        _in_child(work)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("a worker failed")


def asked(question: Callable[[], float]) -> float:
    """What a new worker answers."""
    answer_read, answer_write = os.pipe()
    come_and_go(lambda: os.write(answer_write, str(question()).encode()))
    os.close(answer_write)
    with os.fdopen(answer_read) as answer:
        return float(answer.read())


def _work_and_wait(work: Work, done: int) -> None:
    work()
    os.close(_end_write)
    os.write(done, b"1")
    os.close(done)
    os.read(_end_read, 1)


def _in_child(work: Work) -> None:
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
