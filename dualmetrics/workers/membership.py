"""The membership of this process in a worker group: the open directory and its open files."""

from __future__ import annotations

import logging
import os
import time
import uuid
from typing import ClassVar

from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers import discovery
from dualmetrics.workers.cardinality import GroupLimiter
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.discovery import GroupRoot
from dualmetrics.workers.file_names import ADMITTED_SERIES, GROUP_IDENTITY
from dualmetrics.workers.group_directory import open_group_directory
from dualmetrics.workers.group_files import IncompleteGroupError
from dualmetrics.workers.group_identity import load_or_create_identity, write_identity
from dualmetrics.workers.worker_file import WorkerFile

REPAIR_SECONDS = 6.0
"""After this time all workers have noticed that files were deleted: each one looks every five seconds."""

_DELETED = (
    "dualmetrics: somebody has deleted files of the worker group in %s. Its workers write them again, "
    "and lose nothing that one of them knows. Under systemd, set DUALMETRICS_DIR to a RuntimeDirectory"
)

_NO_GROUP = (
    "dualmetrics: no worker group, so each process reports only its own metrics: %s. If the app has one "
    "worker, nothing need be done; otherwise, set DUALMETRICS_DIR to a directory that only its workers use"
)

_NO_REPAIR = (
    "dualmetrics: cannot repair the worker group: %s. It is tried again every few seconds. Make its "
    "directory writable again, or restart all workers"
)

_HIDDEN_PARENT = (
    "dualmetrics: the process that started this worker cannot be read (hidepid?). The workers are joined by "
    "its pid alone; to be sure that they are one group, set DUALMETRICS_DIR"
)


class GroupAddress:
    """Where to find the group. It is determined once, and a forked child keeps that of its parent.

    ``instance_id`` is the ``service.instance.id`` of a process that is in no group.
    """

    private_root: ClassVar[GroupRoot | None] = None
    """The root of the groups that this process and its children form for a test, whatever is configured."""

    def __init__(self, configured_path: str | None, label: str) -> None:
        self._configured_path = configured_path
        self.label = label
        self._root = None if configured_path else discovery.find_root()
        self.instance_id = str(uuid.uuid4())

    @property
    def configured_path(self) -> str | None:
        """The directory that is configured; None if the group is named after its root."""
        return self._configured_path if self.private_root is None else None

    @property
    def root(self) -> GroupRoot | None:
        """The process that the group is named after; None if it has a directory or cannot be known."""
        return self._root if self.private_root is None else self.private_root

    @property
    def is_root(self) -> bool:
        """Whether this process started the server, or that cannot be known."""
        root = self.root or discovery.find_root()
        return root is None or root.pid == os.getpid()


class Membership:
    """An open group. Raises OSError, or ValueError if the identity of the group is damaged.

    If somebody deletes its files, `repair` writes them again. For some seconds the group is then incomplete:
    other workers have not noticed yet.
    """

    def __init__(self, address: GroupAddress, limit: int) -> None:
        self._address = address
        self._complete_at = 0.0
        self.directory = self._open_directory()
        self.identity = load_or_create_identity(self.directory)
        if time.time() < self.identity.restored_at + REPAIR_SECONDS:
            self._expect_repairs()
        self.limiter = GroupLimiter(self._open_log(), limit)
        self.file: WorkerFile | None = None

    def _open_directory(self) -> Directory:
        address = self._address
        directory = open_group_directory(address.configured_path, address.root, address.label)
        directory.lock_shared()
        return directory

    def _open_log(self) -> int:
        return self.directory.open(ADMITTED_SERIES, os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def create_worker_file(self) -> WorkerFile:
        """Make this process a worker of the group: create its worker file. Raises OSError."""
        self.file = WorkerFile(self.directory, self.identity.group_id)
        return self.file

    def release_worker_file(self) -> None:
        """Release the worker file, if there is one. It is then folded like that of a dead worker."""
        if self.file is not None:
            self.file.release()
            self.file = None

    def _expect_repairs(self) -> None:
        self._complete_at = time.monotonic() + REPAIR_SECONDS

    def check_completeness(self) -> None:
        """Raise IncompleteGroupError until the other workers have repaired their files, too."""
        if time.monotonic() < self._complete_at:
            raise IncompleteGroupError(
                "files of the worker group were deleted; its workers write them again within seconds"
            )

    @property
    def is_intact(self) -> bool:
        """Whether nobody has deleted the directory, or a file in it that this process has to have."""
        watches = [self.directory.watch, self.limiter.watch, *([self.file.watch] if self.file else [])]
        return not any(watch.is_deleted for watch in watches) and self.directory.has(GROUP_IDENTITY)

    def repair(self) -> bool:
        """Write again what was deleted, from what this process still has; see `WorkerFile.move`.

        Return whether this process is the first one to notice.
        Raises OSError, or ValueError if the identity of the group is damaged by now. A call after a failure
        continues where that one has stopped.
        """
        directory_was_deleted = self.directory.watch.is_deleted
        if directory_was_deleted:
            self._expect_repairs()
            self.directory.move_to(self._open_directory())
        restored_at = time.time() if directory_was_deleted else 0.0
        was_first = write_identity(self.directory, self.identity.text(restored_at))
        self.identity = load_or_create_identity(self.directory)
        if self.limiter.watch.is_deleted:
            was_first |= not self.directory.has(ADMITTED_SERIES)
            self.limiter.move_to(self._open_log())
        if self.file is not None and self.file.watch.is_deleted:
            was_first |= not directory_was_deleted
            self._expect_repairs()
            self.file.move(self.directory)
        return was_first

    def close(self) -> None:
        """Close all descriptors. In a forked child, this closes the inherited copies."""
        self.release_worker_file()
        self.limiter.close()
        self.directory.close()


def open_membership(address: GroupAddress, limit: int, errors: ErrorReporter) -> Membership | None:
    """Open the group. If that is impossible, log it once and return None: the process is in no group."""
    if address.root is not None and not address.root.start_time:
        errors.log_once("hidden parent", _HIDDEN_PARENT, level=logging.INFO)
    try:
        return Membership(address, limit)
    except (OSError, ValueError, RecursionError) as error:
        errors.log_once("group", _NO_GROUP, error)
        return None


def repair_membership(membership: Membership | None, errors: ErrorReporter) -> None:
    """Write again what somebody has deleted, if anything. A failure is logged once."""
    if membership is None or membership.is_intact:
        return
    try:
        if membership.repair():
            errors.log_once("deleted", _DELETED, membership.directory.path)
        errors.reset("repair")
    except (OSError, ValueError) as error:
        errors.log_once("repair", _NO_REPAIR, error)
