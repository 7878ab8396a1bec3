"""A process that dies at its n-th call of the file system."""

from __future__ import annotations

import itertools
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

CALLS = (
    "close",
    "ftruncate",
    "link",
    "listdir",
    "makedirs",
    "open",
    "posix_fallocate",
    "pread",
    "readlink",
    "rename",
    "rmdir",
    "stat",
    "symlink",
    "unlink",
    "write",
)
"""The calls of `os` that the group's directory is worked on with."""

_DIED, _FAILED = 9, 1


def deaths(work: Callable[[], None]) -> Iterator[int]:
    """Run ``work`` in a child that dies at its first call, then in one that dies at its second, and so on.

    Gives each number after that child's death, and ends when a child came to its end alive.
    """
    for number in itertools.count(1):
        status = _run(work, number)
        assert status in (0, _DIED), f"the child that was to die at call {number} failed"
        yield number
        if status == 0:
            return


def _run(work: Callable[[], None], number: int) -> int:
    pid = os.fork()
    if pid == 0:
        leave = os._exit
        try:
            _die_at(number)
            work()
        except BaseException:
            traceback.print_exc()
            leave(_FAILED)
        leave(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _die_at(number: int) -> None:
    left = itertools.count(number - 1, -1)

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if next(left) <= 0:
                os._exit(_DIED)
            return call(*args, **kwargs)

        return counted

    for name in CALLS:
        setattr(os, name, counting(getattr(os, name)))
