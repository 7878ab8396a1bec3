"""Finds the root of the worker group that this process belongs to.

The root is the process that started the server, and the group is named after it. To find it, start at this
process, or at the parent that `multiprocessing` reports. Climb to the parent as long as the process was
forked and has not called exec since, and the parent is older, in the same session, and runs the same program.
(Tested with gunicorn, uvicorn, granian, hypercorn and multiprocessing, and with processes that must not be in
one group.)
"""

from __future__ import annotations

import multiprocessing
import os
from typing import NamedTuple

from dualmetrics.runtime import processes
from dualmetrics.runtime.processes import Process


class GroupRoot(NamedTuple):
    """The process that a group is named after.

    Pids are reused. The pid together with the start time and the pid namespace is unique.
    """

    pid: int
    start_ticks: int
    namespace: str

    @property
    def name(self) -> str:
        """The name of the group's directory."""
        return f"{self.pid}-{self.start_ticks}-{self.namespace}"

    @property
    def is_visible(self) -> bool:
        """Whether the root is in the pid namespace of this process."""
        return self.namespace == processes.pid_namespace()

    @property
    def is_alive(self) -> bool:
        """Whether the root is still running. A root in another pid namespace is assumed to be."""
        if not self.is_visible:
            return True
        process = processes.find_process(self.pid)
        return process is not None and process.start_ticks == self.start_ticks


def parse_root(name: str) -> GroupRoot | None:
    """Return the root in the name of a group's directory, or None for any other name."""
    pid, _, rest = name.partition("-")
    start_ticks, _, namespace = rest.partition("-")
    if not (pid.isdigit() and start_ticks.isdigit() and namespace.isdigit()):
        return None
    return GroupRoot(int(pid), int(start_ticks), namespace)


def find_root() -> GroupRoot | None:
    """Return the root of the group of this process, or None if the system has no ``/proc``."""
    process = _first_process()
    while process is not None:
        parent = _parent_in_group(process)
        if parent is None:
            return GroupRoot(process.pid, process.start_ticks, processes.pid_namespace())
        process = parent
    return None


def upgraded_from(root: GroupRoot) -> GroupRoot | None:
    """Return the root that ``root`` replaces in an upgrade of gunicorn (USR2), if the old one still runs.

    gunicorn passes the pid of the old master to the new one in GUNICORN_PID. Programs that a worker starts
    inherit the variable, too, but the old master is not their parent.
    """
    old = processes.find_process(int(os.environ.get("GUNICORN_PID", "0") or 0))
    new = processes.find_process(root.pid)
    if old is None or new is None or new.parent != old.pid or old.start_ticks > new.start_ticks:
        return None
    return GroupRoot(old.pid, old.start_ticks, root.namespace)


def _first_process() -> Process | None:
    """The process where the search for the root starts."""
    current = processes.find_process(os.getpid())
    reported = multiprocessing.parent_process()
    if current is None or reported is None or reported.pid is None:
        return current
    parent = processes.find_process(reported.pid)
    return parent if parent is not None and parent.start_ticks <= current.start_ticks else current


def _parent_in_group(process: Process) -> Process | None:
    if not process.runs_its_parents_program:
        return None
    parent = processes.find_process(process.parent)
    if parent is None or parent.session != process.session or parent.start_ticks > process.start_ticks:
        return None
    return parent if processes.same_program(process.pid, parent.pid) else None
