"""The worker file of this process: how it is created and released.

The file is created under a temporary name, locked, and only then linked to its final name. So other processes
never see a worker file without the lock of its owner. (When 4,000 files were created in place, up to 49 were
taken for dead before their owner had locked them.) Unlike a rename, a link fails if the name exists. The name
contains the slot number of the worker, the smallest one that is free.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable

from dualmetrics.runtime import file_locks, operating_system
from dualmetrics.storage.file_format import HEADER, Header
from dualmetrics.storage.regions import MappedRegion
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import TEMPORARY_PREFIX, worker_file_name


class WorkerFile:
    """The file of this process in the group. Its lock is held until it is released or garbage collected.

    Raises OSError if it cannot be created.
    """

    def __init__(self, directory: Directory, group_id: bytes) -> None:
        self.file_id = uuid.uuid4().bytes
        self.created_at_ns = time.time_ns()
        temporary = f"{TEMPORARY_PREFIX}new-{self.file_id.hex()}"
        self._closers: list[Callable[[], None]] = []
        try:
            file = self._open(directory, temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            # The lock has a descriptor of its own. mmap duplicates the one that it is given, and a forked
            # child that inherits the duplicate would keep the lock after the death of its owner.
            file_locks.try_lock(self._open(directory, temporary, os.O_RDONLY))
            header = Header(group_id, self.file_id, self.created_at_ns, HEADER.size)
            self.region = MappedRegion(file, header, operating_system.current.reserve)
            self.slot = _link_to_free_slot(directory, temporary)
        except BaseException:
            self.release()
            raise
        finally:
            directory.unlink(temporary)

    def release(self) -> None:
        """Release the file. From now on it counts as the file of a dead worker, and any process may fold it.

        In a forked child, this closes the inherited descriptors, so that only the parent holds the lock.
        The mapping exists until the last row is garbage collected.
        """
        for close in reversed(self._closers):  # the lock first
            close()

    def _open(self, directory: Directory, name: str, flags: int) -> int:
        descriptor = directory.open(name, flags)
        self._closers.append(file_locks.finalizing_close(self, descriptor))
        return descriptor


def _link_to_free_slot(directory: Directory, temporary: str) -> int:
    """Give the file its final name, and return its slot number."""
    slot = 0
    while True:
        try:
            directory.link(temporary, worker_file_name(slot))
        except FileExistsError:
            slot += 1
        else:
            return slot
