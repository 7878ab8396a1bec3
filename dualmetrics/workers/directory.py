"""The directory of a worker group: where it lies, whose it is, and what is in it.

``group`` identity, start and service.instance.id of the group; ``worker-N`` a worker's rows, N its slot
number; ``archive`` what dead workers left; ``admitted`` the attribute sets admitted; ``fold`` and
``push`` locks; ``delta`` the last acknowledged baseline of delta temporality. Everything is reached through
one open descriptor of the directory, so that a path that is swapped later leads nowhere.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import uuid
from collections.abc import Iterator

from dualmetrics.runtime import file_locks

WORKER_PREFIX = "worker-"


class Directory:
    """An open directory of ours, mode 0700. Raises OSError (PermissionError if it is not safe to use)."""

    def __init__(self, path: str) -> None:
        os.makedirs(path, 0o700, exist_ok=True)
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.close = file_locks.finalizing_close(self, self.fd)
        """Close it, if it is not closed yet."""
        status = os.fstat(self.fd)
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            self.close()
            raise PermissionError(f"{path} belongs to another user, or others may write to it")

    def open(self, name: str, flags: int = os.O_RDWR | os.O_CREAT) -> int:
        """Open a file of the directory, never what a link points to, and wait for nobody, as on a pipe."""
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(name, flags, 0o600, dir_fd=self.fd)

    def names(self) -> list[str]:
        """What is in it; nothing if the directory itself was removed."""
        try:
            return os.listdir(self.fd)
        except FileNotFoundError:
            return []

    def worker_files(self) -> list[str]:
        """The names of the workers' files, by slot number."""
        found = {name: number for name in self.names() if (number := slot_number(name)) is not None}
        return sorted(found, key=lambda name: found[name])

    def link(self, source: str, target: str) -> None:
        """Give a file a second name. Raises FileExistsError: unlike rename it never replaces."""
        os.link(source, target, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def age(self, name: str) -> float:
        """Seconds since the file was written; 0 if it is gone."""
        with contextlib.suppress(FileNotFoundError):
            return time.time() - os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mtime
        return 0.0

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises FileNotFoundError."""
        with file_locks.closing(self.open(name, os.O_RDONLY)) as descriptor:
            return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def replace(self, name: str, data: bytes) -> None:
        """Write a file whole: under another name first, then renamed into place."""
        temporary = f".{name}-{uuid.uuid4().hex}"
        try:
            with file_locks.closing(self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)) as descriptor:
                write_all(descriptor, data)
            self.rename(temporary, name)
        except BaseException:
            self.unlink(temporary)
            raise

    @contextlib.contextmanager
    def locked(self, name: str, timeout: float = 0) -> Iterator[bool]:
        """Hold the lock file ``name`` for the block; gives False if it was not to be had in time."""
        with file_locks.closing(self.open(name)) as descriptor:
            taken = file_locks.lock(descriptor, timeout)
            try:
                yield taken
            finally:
                file_locks.unlock(descriptor)  # closing does not where a forked child has a copy


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``. Raises OSError when the disk is full."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def slot_number(name: str) -> int | None:
    """The slot number in a worker file's name; None for names that are not ours."""
    prefix, digits = name[: len(WORKER_PREFIX)], name[len(WORKER_PREFIX) :]
    return int(digits) if prefix == WORKER_PREFIX and digits.isascii() and digits.isdigit() else None
