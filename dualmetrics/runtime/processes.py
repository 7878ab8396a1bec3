"""Information about processes, read from ``/proc``."""

from __future__ import annotations

import os
from typing import NamedTuple

FORKED_NOT_EXECED = 0x40
"""The kernel's flag PF_FORKNOEXEC: the process was forked and has not called exec since."""


class Process(NamedTuple):
    """Fields of ``/proc/PID/stat``. ``start_ticks`` is the start time in clock ticks since boot."""

    pid: int
    parent: int
    session: int
    flags: int
    start_ticks: int

    @property
    def runs_its_parents_program(self) -> bool:
        """Whether the process was forked and has not executed another program since."""
        return bool(self.flags & FORKED_NOT_EXECED)


def find_process(pid: int) -> Process | None:
    """Return the process with this pid, or None if there is none or the system has no ``/proc``."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # The program's name is in parentheses. It may contain anything, also parentheses and spaces.
    fields = line[line.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[6]), int(fields[19]))


def same_program(one: int, other: int) -> bool:
    """Whether two processes run the same executable.

    Also True where this process has no permission to look: a worker that gave up root cannot read the link
    of its master. A process that never called exec runs the program of its parent anyway.
    """
    try:
        return os.readlink(f"/proc/{one}/exe") == os.readlink(f"/proc/{other}/exe")
    except PermissionError:
        return True
    except OSError:
        return False


def pid_namespace() -> str:
    """Return the name of the pid namespace of this process, or "" if the system has none."""
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""
