"""Linux: processes are read from ``/proc``."""

from __future__ import annotations

import os

from dualmetrics.runtime.operating_system.base import NO_NAMESPACE, OperatingSystem, Process

FORKED_NOT_EXECED = 0x40
"""The kernel's flag PF_FORKNOEXEC: the process was forked and has not called exec since."""


class Linux(OperatingSystem):
    """``proc`` is the directory with the information about processes."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc

    def find_process(self, pid: int) -> Process | None:
        """Read ``/proc/PID/stat``. The start time is in clock ticks since boot."""
        try:
            with open(f"{self._proc}/{pid}/stat", "rb") as file:
                line = file.read()
        except OSError:
            return None
        # The program's name is in parentheses. It may contain anything, also parentheses and spaces.
        fields = line[line.rindex(b")") + 2 :].split()
        was_only_forked = bool(int(fields[6]) & FORKED_NOT_EXECED)
        return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), was_only_forked)

    def executable(self, pid: int) -> str:
        return os.readlink(f"{self._proc}/{pid}/exe")

    def command_line(self, pid: int) -> list[str]:
        try:
            with open(f"{self._proc}/{pid}/cmdline", "rb") as file:
                return [os.fsdecode(argument) for argument in file.read().split(b"\0")[:-1]]
        except OSError:
            return []

    def pid_namespace(self) -> str:
        try:
            return os.readlink(f"{self._proc}/self/ns/pid").strip("pid:[]")
        except OSError:
            return NO_NAMESPACE

    def base_directories(self) -> list[str]:
        """Shared memory, and the directory for temporary files. One may be writable without the other."""
        return ["/dev/shm", *super().base_directories()]
