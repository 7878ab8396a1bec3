"""Lets a process die at each of its calls of the file system in turn, and counts such calls."""

from __future__ import annotations

import itertools
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

FILE_SYSTEM_CALLS = (
    "close",
    "dup2",
    "ftruncate",
    "link",
    "listdir",
    "makedirs",
    "open",
    "posix_fallocate",
    "pread",
    "pwrite",
    "readlink",
    "rename",
    "rmdir",
    "stat",
    "symlink",
    "unlink",
    "write",
)
"""The calls of `os` with which the group's directory is used."""

_DIED, _FAILED = 9, 1


def crash_at_each_call(work: Callable[[], None]) -> Iterator[int]:
    """Run ``work`` in a child that dies at its first call, then in one that dies at its second, and so on.

    Gives each number after that child's death, and stops when a child has finished its work.
    """
    for number in itertools.count(1):
        status = _run_and_die(work, number)
        assert status in (0, _DIED), f"the child that was to die at call {number} failed"
        yield number
        if status == 0:
            return


def _run_and_die(work: Callable[[], None], number: int) -> int:
    pid = os.fork()
    if pid == 0:
        exit_now = os._exit
        try:
            _die_at(number)
            work()
        except BaseException:
            traceback.print_exc()
            exit_now(_FAILED)
        exit_now(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _die_at(number: int) -> None:
    left = itertools.count(number - 1, -1)

    def die_in_turn() -> None:
        if next(left) <= 0:
            os._exit(_DIED)

    for name in FILE_SYSTEM_CALLS:
        setattr(os, name, _call_before(die_in_turn, getattr(os, name)))


def count_calls(work: Callable[[], object]) -> int:
    """Run ``work`` here. Returns how many calls of the file system it made."""
    numbers = itertools.count()
    originals = {name: getattr(os, name) for name in FILE_SYSTEM_CALLS}
    try:
        for name, call in originals.items():
            setattr(os, name, _call_before(lambda: next(numbers), call))
        work()
    finally:
        for name, call in originals.items():
            setattr(os, name, call)
    return next(numbers)


def _call_before(action: Callable[[], object], call: Callable[..., Any]) -> Callable[..., Any]:
    def observed(*args: Any, **kwargs: Any) -> Any:
        action()
        return call(*args, **kwargs)

    return observed
