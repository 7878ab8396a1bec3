"""The worker file of this process: how it is created and released.

The file is created under a temporary name, locked, and only then linked to its final name. So other processes
never see a worker file without the lock of its owner. (When 4,000 files were created in place, up to 49 were
taken for dead before their owner had locked them.) Unlike a rename, a link fails if the name exists. The name
contains the slot number of the worker, the smallest one that is free.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator

from dualmetrics.runtime import file_locks, operating_system
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER, Header
from dualmetrics.storage.regions import MappedRegion
from dualmetrics.workers.deletion import DeletionWatch
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import TEMPORARY_PREFIX, worker_file_name

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL


class WorkerFile:
    """The file of this process in the group. Its lock is held until it is released or garbage collected.

    Raises OSError if it cannot be created.
    """

    def __init__(self, directory: Directory, group_id: bytes) -> None:
        self.file_id = uuid.uuid4().bytes
        self.created_at_ns = time.time_ns()
        self._closers: list[Callable[[], None]] = []
        try:
            with _temporary_name(directory) as name:
                self._file = self._keep(directory.open(name, _NEW))
                self._lock = self._keep(_open_locked(directory, name))
                header = Header(group_id, self.file_id, self.created_at_ns, HEADER.size)
                self.region = MappedRegion(self._file, header, operating_system.current.reserve)
                self.slot = _link_to_free_slot(directory, name)
                self.watch = DeletionWatch(self._file)
        except BaseException:
            self.release()
            raise

    def move(self, directory: Directory) -> None:
        """Continue in a new file, because somebody has deleted this one. Rows stay valid. Raises OSError.

        The new file has the same identity and the same contents, and the same slot if that is still free.
        The lock of the deleted file is held until the new file has its name, so that nobody who has the
        deleted one open takes its owner for dead.
        """
        with (
            _temporary_name(directory) as name,
            file_locks.closing(directory.open(name, _NEW)) as file,
            file_locks.closing(_open_locked(directory, name)) as lock,
        ):
            self.region.move(file)
            try:
                self.slot = _link_to_free_slot(directory, name, self.slot)
                file_format.supersede(self._file)
            finally:
                os.dup2(file, self._file, inheritable=False)
                self.watch.restart()
            os.dup2(lock, self._lock, inheritable=False)

    def release(self) -> None:
        """Release the file. From now on it counts as the file of a dead worker, and any process may fold it.

        In a forked child, this closes the inherited descriptors, so that only the parent holds the lock.
        The mapping exists until the last row is garbage collected.
        """
        for close in reversed(self._closers):  # the lock first
            close()

    def _keep(self, descriptor: int) -> int:
        self._closers.append(file_locks.finalizing_close(self, descriptor))
        return descriptor


@contextlib.contextmanager
def _temporary_name(directory: Directory) -> Iterator[str]:
    """A name for a file that gets its own name later. It is removed at the end."""
    name = f"{TEMPORARY_PREFIX}new-{uuid.uuid4().hex}"
    try:
        yield name
    finally:
        directory.unlink(name)


def _open_locked(directory: Directory, name: str) -> int:
    """Open a file once more, and take its lock.

    The lock has a descriptor of its own. mmap duplicates the one that it is given, and a forked child that
    inherits the duplicate would keep the lock after the death of its owner.
    """
    descriptor = directory.open(name, os.O_RDONLY)
    file_locks.try_lock(descriptor)
    return descriptor


def _link_to_free_slot(directory: Directory, temporary: str, preferred: int = 0) -> int:
    """Give the file its final name, and return its slot number: the preferred one, or the smallest."""
    for slot in itertools.chain([preferred], itertools.count()):
        try:
            directory.link(temporary, worker_file_name(slot))
        except FileExistsError:
            continue
        return slot
    raise AssertionError("the numbers are infinite")
