"""The membership of this process in a worker group: the open directory and its open files."""

from __future__ import annotations

import os
import uuid

from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers import discovery
from dualmetrics.workers.cardinality import GroupLimiter
from dualmetrics.workers.file_names import ADMITTED_SERIES
from dualmetrics.workers.group_directory import open_group_directory
from dualmetrics.workers.group_identity import load_or_create_identity
from dualmetrics.workers.worker_file import WorkerFile


class GroupAddress:
    """Where to find the group. It is determined once, and a forked child keeps that of its parent.

    ``instance_id`` is the ``service.instance.id`` of a process that is in no group.
    """

    def __init__(self, configured_path: str | None, label: str) -> None:
        self.configured_path = configured_path
        self.label = label
        self.root = None if configured_path else discovery.find_root()
        self.instance_id = str(uuid.uuid4())


class Membership:
    """An open group. Raises OSError, or ValueError if the identity of the group is damaged."""

    def __init__(self, address: GroupAddress, limit: int) -> None:
        self.directory = open_group_directory(address.configured_path, address.root, address.label)
        self.identity = load_or_create_identity(self.directory)
        log = self.directory.open(ADMITTED_SERIES, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.limiter = GroupLimiter(log, limit)
        self.file: WorkerFile | None = None

    def create_worker_file(self) -> WorkerFile:
        """Make this process a worker of the group: create its worker file. Raises OSError."""
        self.file = WorkerFile(self.directory, self.identity.group_id)
        return self.file

    def release_worker_file(self) -> None:
        """Release the worker file, if there is one. It is then folded like that of a dead worker."""
        if self.file is not None:
            self.file.release()
            self.file = None

    def close(self) -> None:
        """Close all descriptors. In a forked child, this closes the inherited copies."""
        self.release_worker_file()
        self.limiter.close()
        self.directory.close()


def open_membership(address: GroupAddress, limit: int, errors: ErrorReporter) -> Membership | None:
    """Open the group. If that is impossible, log it once and return None: the process is in no group."""
    try:
        return Membership(address, limit)
    except (OSError, ValueError, RecursionError) as error:
        errors.log_once(
            "group", "dualmetrics: no worker group, so each process reports only its own metrics: %s", error
        )
        return None
