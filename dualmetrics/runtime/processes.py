"""Processes as the operating system tells of them, from ``/proc``."""

from __future__ import annotations

import os
from typing import NamedTuple

FORKED_NOT_EXECED = 0x40
"""PF_FORKNOEXEC of the kernel: forked, and no exec since."""


class Process(NamedTuple):
    """One line of ``/proc/PID/stat``; ``start`` is in clock ticks since boot."""

    pid: int
    parent: int
    session: int
    flags: int
    start_ticks: int

    @property
    def runs_its_parents_program(self) -> bool:
        """Whether it was forked and has not started another program since."""
        return bool(self.flags & FORKED_NOT_EXECED)


def find_process(pid: int) -> Process | None:
    """The process with this pid; None if there is none, or where there is no ``/proc``."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The program's name stands in brackets and may hold anything, brackets and spaces included.
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[6]), int(fields[19]))


def same_program(one: int, other: int) -> bool:
    """Whether two processes run the same executable.

    True as well where we may not look: a worker that gave up root cannot read its master's link, and a
    process that never exec'ed runs what its parent ran.
    """
    try:
        return os.readlink(f"/proc/{one}/exe") == os.readlink(f"/proc/{other}/exe")
    except PermissionError:
        return True
    except OSError:
        return False


def pid_namespace() -> str:
    """Names the pid namespace that pids are valid in; empty where there is no such thing."""
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""
