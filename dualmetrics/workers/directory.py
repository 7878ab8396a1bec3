"""An open directory that only this user may write to. `file_names` lists what it contains.

All files are opened through one open descriptor of the directory. If somebody replaces the path later, that
has no effect.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import uuid
from collections.abc import Iterator

from dualmetrics.runtime import file_locks
from dualmetrics.workers.deletion import DeletionWatch
from dualmetrics.workers.file_names import TEMPORARY_PREFIX, slot_number

_LOCK_SECONDS = 1.0  # for a process that looks whether anybody holds the lock


class Directory:
    """An open directory of this user, created with mode 0700 if it is missing.

    Raises OSError if it cannot be opened, PermissionError if other users own it or may write to it.
    """

    def __init__(self, path: str) -> None:
        os.makedirs(path, 0o700, exist_ok=True)
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.close = file_locks.finalizing_close(self, self.fd)
        """Close the directory if it is open."""
        status = os.fstat(self.fd)
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            self.close()
            raise PermissionError(f"{path} belongs to another user, or other users may write to it")
        self.watch = DeletionWatch(self.fd)

    def lock_shared(self) -> None:
        """Show others that a process has this directory open, until it is closed, by a shared lock."""
        file_locks.share_lock(self.fd, _LOCK_SECONDS)

    def move_to(self, other: Directory) -> None:
        """Become another directory, because this one was deleted. Closes ``other``."""
        os.dup2(other.fd, self.fd, inheritable=False)
        self.path = other.path
        self.watch.restart()
        other.close()

    def open(self, name: str, flags: int = os.O_RDWR | os.O_CREAT) -> int:
        """Open a file of the directory. Never follows a link, and never waits for the writer of a pipe."""
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(name, flags, 0o600, dir_fd=self.fd)

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        with contextlib.suppress(FileNotFoundError):
            return self.status(name) is not None
        return False

    def status(self, name: str) -> os.stat_result:
        """Return the status of a file. Raises OSError, FileNotFoundError if there is no such file."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def names(self) -> list[str]:
        """Return the names of all files. The list is empty if the directory itself was removed."""
        try:
            return os.listdir(self.fd)
        except FileNotFoundError:
            return []

    def worker_files(self) -> list[str]:
        """Return the names of the worker files, sorted by slot number."""
        slots = {name: slot for name in self.names() if (slot := slot_number(name)) is not None}
        return sorted(slots, key=lambda name: slots[name])

    def link(self, source: str, target: str) -> None:
        """Give a file a second name. Unlike `rename`, never replaces a file: raises FileExistsError."""
        os.link(source, target, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)

    def rename(self, source: str, target: str) -> None:
        """Rename a file, replacing ``target``."""
        os.rename(source, target, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        """Remove a file if it exists."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def age(self, name: str) -> float:
        """Return the seconds since the file was last written, or 0 if it is gone."""
        with contextlib.suppress(FileNotFoundError):
            return time.time() - self.status(name).st_mtime
        return 0.0

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises OSError, FileNotFoundError if there is no such file."""
        with file_locks.closing(self.open(name, os.O_RDONLY)) as descriptor:
            return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def replace(self, name: str, data: bytes) -> None:
        """Replace a file as a whole: write a temporary file and rename it."""
        temporary = f"{TEMPORARY_PREFIX}{name}-{uuid.uuid4().hex}"
        try:
            with file_locks.closing(self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)) as descriptor:
                write_all(descriptor, data)
            self.rename(temporary, name)
        except BaseException:
            self.unlink(temporary)
            raise

    @contextlib.contextmanager
    def locked(self, name: str, timeout: float = 0) -> Iterator[bool]:
        """Hold the lock of the file ``name`` in the block. Yields False if that failed within ``timeout``."""
        with file_locks.closing(self.open(name)) as descriptor:
            was_locked = file_locks.lock(descriptor, timeout)
            try:
                yield was_locked
            finally:
                file_locks.unlock(descriptor)  # closing alone does not, if a forked child has a copy


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``. Raises OSError if the disk is full."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
