"""Finds the root of the worker group that this process belongs to.

The root is the process that started the server, and the group is named after it. To find it, start at this
process, or at the parent that `multiprocessing` reports. Climb to the parent as long as the process was
forked and has not called exec since, or was started by `multiprocessing`, and the parent is older, in the
same session, and runs the same program. (Tested with gunicorn, uvicorn, granian, hypercorn and
multiprocessing, and with processes that must not be in one group.)

`multiprocessing` tells a child of its parent only after the child has imported the main module, which may
have configured this library by then. So such a child is recognised by its command line.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
from typing import NamedTuple

from dualmetrics.runtime import operating_system
from dualmetrics.runtime.operating_system.base import Process

_FORK_SERVER = "from multiprocessing.forkserver import main; main("
"""In the program of a fork server. Python 3.14 has another import before it."""


class GroupRoot(NamedTuple):
    """The process that a group is named after.

    Pids are reused. The pid together with the start time and the pid namespace is unique. The start time is 0
    if the process cannot be read.
    """

    pid: int
    start_time: int
    namespace: str

    @property
    def name(self) -> str:
        """The name of the group's directory."""
        return f"{self.pid}-{self.start_time}-{self.namespace}"

    @property
    def is_visible(self) -> bool:
        """Whether the root is in the pid namespace of this process."""
        return self.namespace == operating_system.current.pid_namespace()

    @property
    def is_alive(self) -> bool:
        """Whether the root is still running. A root in another pid namespace is assumed to be."""
        if not self.is_visible:
            return True
        process = operating_system.current.find_process(self.pid)
        if process is None:
            return not self.start_time and operating_system.current.session(self.pid) is not None
        return process.start_time == self.start_time


def parse_root(name: str) -> GroupRoot | None:
    """Return the root in the name of a group's directory, or None for any other name."""
    pid, _, rest = name.partition("-")
    start_time, _, namespace = rest.partition("-")
    if not (pid.isdigit() and start_time.isdigit() and namespace.isdigit()):
        return None
    return GroupRoot(int(pid), int(start_time), namespace)


def own_root() -> GroupRoot | None:
    """Return this process as the root of a group, or None if it cannot be read."""
    process = operating_system.current.find_process(os.getpid())
    if process is None:
        return None
    return GroupRoot(process.pid, process.start_time, operating_system.current.pid_namespace())


def find_root() -> GroupRoot | None:
    """Return the root of the group of this process, or None if its processes cannot be read."""
    process, namespace = _first_process(), operating_system.current.pid_namespace()
    while process is not None:
        parent = _parent_in_group(process)
        if parent is None and _has_hidden_parent(process):
            return GroupRoot(process.parent, 0, namespace)
        if parent is None:
            return GroupRoot(process.pid, process.start_time, namespace)
        process = parent
    return None


def upgraded_from(root: GroupRoot) -> GroupRoot | None:
    """Return the root that ``root`` replaces in an upgrade of gunicorn (USR2), if the old one still runs.

    gunicorn passes the pid of the old master to the new one in GUNICORN_PID. Programs that a worker starts
    inherit the variable, too, but the old master is not their parent.
    """
    old = operating_system.current.find_process(int(os.environ.get("GUNICORN_PID", "0") or 0))
    new = operating_system.current.find_process(root.pid)
    if old is None or new is None or new.parent != old.pid or old.start_time > new.start_time:
        return None
    return GroupRoot(old.pid, old.start_time, root.namespace)


def _first_process() -> Process | None:
    """The process where the search for the root starts."""
    current = operating_system.current.find_process(os.getpid())
    reported = multiprocessing.parent_process()
    if current is None or reported is None or reported.pid is None:
        return current
    parent = operating_system.current.find_process(reported.pid)
    return parent if parent is not None and parent.start_time <= current.start_time else current


def _parent_in_group(process: Process) -> Process | None:
    if not (process.runs_its_parents_program or _was_started_by_multiprocessing(process)):
        return None
    parent = operating_system.current.find_process(process.parent)
    if parent is None or parent.session != process.session or parent.start_time > process.start_time:
        return None
    return parent if operating_system.current.same_program(process.pid, parent.pid) else None


def _has_hidden_parent(process: Process) -> bool:
    """Whether it was forked by a process that cannot be read, as under ``hidepid`` by one of another user."""
    if not process.runs_its_parents_program:
        return False
    if operating_system.current.find_process(process.parent) is not None:
        return False
    return operating_system.current.session(process.parent) == process.session


def _was_started_by_multiprocessing(process: Process) -> bool:
    """Whether it is a child started by the method ``spawn``, or the server of the method ``forkserver``."""
    arguments = operating_system.current.command_line(process.pid)
    programs = [code for option, code in itertools.pairwise(arguments) if option == "-c"]
    return "--multiprocessing-fork" in arguments or any(_FORK_SERVER in code for code in programs)
