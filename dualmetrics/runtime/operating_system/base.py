"""What the library asks an operating system, with answers that are right on any system."""

from __future__ import annotations

import os
import tempfile
from typing import NamedTuple

NO_NAMESPACE = "0"
"""The name of the only pid namespace of a system that has no others."""


class Process(NamedTuple):
    """A process.

    ``start_time`` has a unit of its own on each system. It is only compared with others of the same system.
    ``runs_its_parents_program``: the process was forked and has not called exec since.
    """

    pid: int
    parent: int
    session: int
    start_time: int
    runs_its_parents_program: bool


class OperatingSystem:
    """A system whose processes cannot be read, such as Windows. Subclasses know more."""

    file_capacity = 1 << 28
    """Length of a worker file in bytes. It takes address space, not memory. About 700,000 series fit."""

    reservation_step = 1 << 16
    """Space for a worker file is reserved in steps of this many bytes."""

    def find_process(self, pid: int) -> Process | None:
        """Return the process with this pid, or None if there is none or it cannot be read."""
        return None

    def session(self, pid: int) -> int | None:
        """Return the session of a process, even if nothing else of it can be read; None if there is none."""
        try:
            return os.getsid(pid)
        except (OSError, AttributeError):  # Windows has no sessions
            return None

    def executable(self, pid: int) -> str:
        """Return the path of the program that a process runs. Raises OSError."""
        raise OSError("the programs of processes cannot be read on this system")

    def command_line(self, pid: int) -> list[str]:
        """Return the arguments that a process was started with; none if they cannot be read."""
        return []

    def same_program(self, one: int, other: int) -> bool:
        """Whether two processes run the same executable.

        Also True where this process has no permission to look: a worker that gave up root cannot look at its
        master. A process that never called exec runs the program of its parent anyway.
        """
        try:
            return self.executable(one) == self.executable(other)
        except PermissionError:
            return True
        except OSError:
            return False

    def pid_namespace(self) -> str:
        """Return the name of the pid namespace of this process, a number."""
        return NO_NAMESPACE

    def base_directories(self) -> list[str]:
        """Return the directories in which the directory of a group may lie, the best first."""
        try:
            return [tempfile.gettempdir()]
        except FileNotFoundError:  # no directory for temporary files is writable
            return []

    def reserve(self, descriptor: int, offset: int, length: int) -> None:
        """Reserve space on the disk for a part of a file, or raise OSError.

        Does nothing where the system has no ``posix_fallocate``. There a full disk is a SIGBUS at the first
        store.
        """
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, offset, length)

    def map_over(self, memory: memoryview, descriptor: int) -> None:
        """Put another file behind ``memory``, which is a whole shared mapping of a file. Raises OSError.

        Pointers and views into the memory stay valid, and see the contents of the new file from now on.
        """
        from dualmetrics.runtime.operating_system.memory_mapping import map_over

        map_over(memory, descriptor)
