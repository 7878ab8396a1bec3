"""This process' place in its worker group: the open directory, and what is kept open in it."""

from __future__ import annotations

import os
import uuid

from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers import discovery, group_directory
from dualmetrics.workers.cardinality import GroupLimiter
from dualmetrics.workers.group_identity import load_or_create_identity
from dualmetrics.workers.worker_file import WorkerFile


class GroupAddress:
    """How to find the group, settled when the process is young: a forked child keeps its parent's."""

    def __init__(self, explicit: str | None, label: str) -> None:
        self.configured_path = explicit
        self.label = label
        self.root = None if explicit else discovery.find_root()
        self.instance_id = str(uuid.uuid4())  # of a process that counts alone


class Membership:
    """An open group. Raises OSError, or ValueError where the group's identity is damaged."""

    def __init__(self, address: GroupAddress, limit: int) -> None:
        self.directory = group_directory.open_group_directory(address.configured_path, address.root, address.label)
        self.identity = load_or_create_identity(self.directory)
        log = self.directory.open("admitted", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.limiter = GroupLimiter(log, limit)
        self.file: WorkerFile | None = None

    def create_worker_file(self) -> WorkerFile:
        """Come to life as a worker. Raises OSError."""
        self.file = WorkerFile(self.directory, self.identity.group_id)
        return self.file

    def release_worker_file(self) -> None:
        """Give up the own file, if there is one; it is then folded like any dead worker's."""
        if self.file is not None:
            self.file.release()
            self.file = None

    def close(self) -> None:
        """Close everything; in a forked child, the copies of what belongs to the parent."""
        self.release_worker_file()
        self.limiter.close()
        self.directory.close()


def open_membership(address: GroupAddress, limit: int, errors: ErrorReporter) -> Membership | None:
    """Open the group; None where that is impossible, which is said once: the process counts alone."""
    try:
        return Membership(address, limit)
    except (OSError, ValueError, RecursionError) as error:
        errors.log_once("group", "dualmetrics: every process counts alone, no worker group: %s", error)
        return None
