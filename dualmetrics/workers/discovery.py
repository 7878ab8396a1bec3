"""Which processes are one worker group.

The group is named by its root, the process that started the server. How it is found (tried on gunicorn,
uvicorn, granian, hypercorn and multiprocessing, and on what must stay apart): begin at this process, or
at the parent that `multiprocessing` knows of. Climb to the parent while the process was forked and has
not exec'ed since, and the parent is older, in the same session, and runs the same program.
"""

from __future__ import annotations

import multiprocessing
import os
from typing import NamedTuple

from dualmetrics.runtime import processes
from dualmetrics.runtime.processes import Process


class GroupRoot(NamedTuple):
    """The process that names a group. Pids are used again; with the start time and namespace they are not."""

    pid: int
    start_ticks: int
    namespace: str

    @property
    def name(self) -> str:
        """The name of the group's directory."""
        return f"{self.pid}-{self.start_ticks}-{self.namespace}"

    @property
    def is_visible(self) -> bool:
        """Whether the root is of this process' pid namespace."""
        return self.namespace == processes.pid_namespace()

    @property
    def is_alive(self) -> bool:
        """Whether the root still runs. One that cannot be seen is assumed to."""
        if not self.is_visible:
            return True
        process = processes.find_process(self.pid)
        return process is not None and process.start_ticks == self.start_ticks


def parse_root(name: str) -> GroupRoot | None:
    """The root that named a directory; None if the name is not one of ours."""
    pid, _, rest = name.partition("-")
    start, _, namespace = rest.partition("-")
    if not (pid.isdigit() and start.isdigit() and namespace.isdigit()):
        return None
    return GroupRoot(int(pid), int(start), namespace)


def find_root() -> GroupRoot | None:
    """The root of this process' group; None where there is no ``/proc`` to ask."""
    process = _first()
    while process is not None:
        parent = _parent_in_group(process)
        if parent is None:
            return GroupRoot(process.pid, process.start_ticks, processes.pid_namespace())
        process = parent
    return None


def upgraded_from(root: GroupRoot) -> GroupRoot | None:
    """The root that gunicorn's USR2 upgrade replaces by ``root``, while that one still runs.

    gunicorn tells the new master the old one's pid in GUNICORN_PID. Programs that a worker starts inherit
    the variable, but their parent is not that process.
    """
    old = processes.find_process(int(os.environ.get("GUNICORN_PID", "0") or 0))
    new = processes.find_process(root.pid)
    if old is None or new is None or new.parent != old.pid or old.start_ticks > new.start_ticks:
        return None
    return GroupRoot(old.pid, old.start_ticks, root.namespace)


def _first() -> Process | None:
    me = processes.find_process(os.getpid())
    starter = multiprocessing.parent_process()
    if me is None or starter is None or starter.pid is None:
        return me
    parent = processes.find_process(starter.pid)
    return parent if parent is not None and parent.start_ticks <= me.start_ticks else me


def _parent_in_group(process: Process) -> Process | None:
    if not process.runs_its_parents_program:
        return None
    parent = processes.find_process(process.parent)
    if parent is None or parent.session != process.session or parent.start_ticks > process.start_ticks:
        return None
    return parent if processes.same_program(process.pid, parent.pid) else None
