"""Finds the directory of this process' worker group, and removes the directories of servers that have ended.

The directory is ``BASE/dualmetrics-UID/GROUP/LABEL``, or ``DUALMETRICS_DIR/dualmetrics-UID/LABEL``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

from dualmetrics.runtime import file_locks, operating_system
from dualmetrics.workers import discovery
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.discovery import GroupRoot
from dualmetrics.workers.file_names import WORKER_PREFIX
from dualmetrics.workers.liveness import has_live_owner

_STALE_SECONDS = 86400.0
"""A group whose root is in another container is stale if nothing in it has changed for this long."""

_MAX_ALIASES = 16
"""The most upgrades of one server without a pause. A longer chain of aliases is a loop."""


def open_group_directory(configured_path: str | None, root: GroupRoot | None, label: str) -> Directory:
    """Open the directory of the group, creating it if it is missing. Raises OSError with the reason.

    ``configured_path`` is DUALMETRICS_DIR. If it is None, the group is named after ``root``. ``label``
    separates several `Telemetry` objects of one process.
    """
    if not file_locks.available:
        raise OSError("worker groups need file locks, which this system lacks (Linux and macOS have them)")
    if configured_path is None and root is None:
        raise OSError("the processes of this system cannot be read; set DUALMETRICS_DIR")
    failures: list[str] = []
    for base in [configured_path] if configured_path else operating_system.current.base_directories():
        try:
            return _open(base, root, label)
        except OSError as error:
            failures.append(str(error))
    raise OSError("; ".join(failures) or "no directory for temporary files is writable")


def sweep_stale_groups() -> None:
    """Remove what servers of this user that have ended left behind."""
    for base in operating_system.current.base_directories():
        path = _user_directory(base)
        with contextlib.suppress(OSError):
            if os.path.isdir(path):
                with _opened(path) as directory:
                    _sweep(directory)
                os.rmdir(path)  # fails if it has a group


def _user_directory(base: str) -> str:
    return os.path.join(base, f"dualmetrics-{os.geteuid()}")


def _open(base: str, root: GroupRoot | None, label: str) -> Directory:
    """Open ``base/dualmetrics-UID/[GROUP/]LABEL``. Checks every level: only this user may write to it."""
    user = _user_directory(base)
    with _opened(user) as directory:
        if root is None:
            return Directory(os.path.join(user, label))
        name = _group_name(directory, root)
        _sweep(directory, name)
        group = os.path.join(user, name)
    Directory(group).close()
    return Directory(os.path.join(group, label))


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Directory]:
    directory = Directory(path)
    try:
        yield directory
    finally:
        directory.close()


def _group_name(directory: Directory, root: GroupRoot) -> str:
    """The name of the group. After gunicorn's USR2 upgrade, that is the name of the old master's group."""
    old = discovery.upgraded_from(root)
    if old is not None:
        with contextlib.suppress(FileExistsError):
            os.symlink(_resolve(directory, old.name), root.name, dir_fd=directory.fd)
    return _resolve(directory, root.name)


def _resolve(directory: Directory, name: str) -> str:
    """Follow the aliases that upgrades have created. Raises OSError if they do not lead to a group."""
    for _ in range(_MAX_ALIASES):
        try:
            name = os.readlink(name, dir_fd=directory.fd)
        except OSError:  # not a link, so it is the name of a group, which may not exist yet
            return name
        if discovery.parse_root(name) is None:
            break
    raise OSError(f"the links between worker groups in {directory.path} do not lead to a group")


def _sweep(directory: Directory, own: str | None = None) -> None:
    """Remove the groups whose root has ended and that nobody has open, and the aliases of such roots.

    The group ``own`` stays: after a daemon has replaced its root, it may be without a worker for a moment.
    """
    roots = {name: root for name in directory.names() if (root := discovery.parse_root(name)) is not None}
    alive = {name for name, root in roots.items() if root.is_alive and not _is_stale(directory, name, root)}
    for name in roots.keys() - alive - {_resolve(directory, name) for name in alive} - {own}:
        _remove(directory, name)


def _is_stale(directory: Directory, name: str, root: GroupRoot) -> bool:
    """Whether a group whose root is in another container had no new worker and no fold for a day."""
    if root.is_visible:
        return False
    with contextlib.suppress(OSError):
        group = os.path.join(directory.path, name)
        labels = [os.path.join(group, label) for label in os.listdir(group)]
        return all(time.time() - os.lstat(path).st_mtime > _STALE_SECONDS for path in [group, *labels])
    return False


def _remove(directory: Directory, name: str) -> None:
    path = os.path.join(directory.path, name)
    with contextlib.suppress(OSError):  # another process is sweeping, too, or we may not remove it
        if os.path.islink(path):
            directory.unlink(name)
        elif not _is_open(path):
            shutil.rmtree(path)


def remove_own_group(root: GroupRoot | None, path: str) -> None:
    """Remove the group of the directory ``path`` if this process is its root and nobody has it open."""
    group = os.path.dirname(path)
    with contextlib.suppress(OSError):  # another Telemetry of this process has removed it
        if root is not None and root.pid == os.getpid() and not _is_open(group):
            shutil.rmtree(group)


def _is_open(group: str) -> bool:
    """Whether a process has any of the group's directories open, or a worker of it lives."""
    labels = [os.path.join(group, name) for name in os.listdir(group)]
    return any(
        _is_locked(label) or _has_live_worker(label)
        for label in labels
        if os.path.isdir(label) and not os.path.islink(label)
    )


def _is_locked(label: str) -> bool:
    with file_locks.closing(os.open(label, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)) as descriptor:
        return not file_locks.try_lock(descriptor)


def _has_live_worker(label: str) -> bool:
    names = [name for name in os.listdir(label) if name.startswith(WORKER_PREFIX)]
    return any(has_live_owner(os.path.join(label, name)) for name in names)
