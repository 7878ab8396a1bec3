"""Finding the directory of this process' worker group, and sweeping those of servers that are gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator

from dualmetrics.runtime import file_locks
from dualmetrics.workers import discovery
from dualmetrics.workers.directory import WORKER_PREFIX, Directory
from dualmetrics.workers.discovery import GroupRoot

_DAY = 86400.0
_MOST_ALIASES = 16  # upgrades of one server without a pause; a longer chain is a loop


def open_group_directory(explicit: str | None, root: GroupRoot | None, label: str) -> Directory:
    """Open the directory of the group. Raises OSError that says why none can be had.

    ``explicit`` is DUALMETRICS_DIR, else ``root`` names the group; ``label`` keeps several `Telemetry`
    objects of one process apart.
    """
    if not file_locks.available:
        raise OSError("this system has no file locks")
    if explicit is None and root is None:
        raise OSError("groups are found through /proc, which is missing here; set DUALMETRICS_DIR")
    failures: list[str] = []
    for base in [explicit] if explicit else _bases():
        try:
            return _open(base, root, label)
        except OSError as error:
            failures.append(str(error))
    raise OSError("; ".join(failures))


def sweep_stale_groups() -> None:
    """Remove what ended servers of this user left, wherever it may lie."""
    for base in _bases():
        path = os.path.join(base, f"dualmetrics-{os.geteuid()}")
        with contextlib.suppress(OSError):
            if os.path.isdir(path):
                with _opened(path) as directory:
                    _sweep(directory)
                os.rmdir(path)  # unless somebody is in it


def _bases() -> list[str]:
    return ["/dev/shm", tempfile.gettempdir()]


def _open(base: str, root: GroupRoot | None, label: str) -> Directory:
    """The directory ``base/dualmetrics-UID/[GROUP/]LABEL``; every level of it is ours alone."""
    user = os.path.join(base, f"dualmetrics-{os.geteuid()}")
    with _opened(user) as directory:
        if root is None:
            return Directory(os.path.join(user, label))
        _sweep(directory)
        group = os.path.join(user, _group_name(directory, root))
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
    """The root's name, or after gunicorn's USR2 upgrade the name of the group that it joined."""
    old = discovery.upgraded_from(root)
    if old is not None:
        with contextlib.suppress(FileExistsError):
            os.symlink(_resolve(directory, old.name), root.name, dir_fd=directory.fd)
    return _resolve(directory, root.name)


def _resolve(directory: Directory, name: str) -> str:
    """Follow the aliases that upgrades left. Raises OSError if they lead anywhere but to a group."""
    for _ in range(_MOST_ALIASES):
        try:
            name = os.readlink(name, dir_fd=directory.fd)
        except OSError:  # no link: the group itself, existing or not
            return name
        if discovery.parse_root(name) is None:
            break
    raise OSError(f"the aliases of worker groups in {directory.path} lead astray")


def _sweep(directory: Directory) -> None:
    """Remove the groups whose root is gone and in which nobody lives, and such roots' aliases."""
    roots = {name: root for name in directory.names() if (root := discovery.parse_root(name)) is not None}
    alive = {name for name, root in roots.items() if root.is_alive and not _is_stale(directory, name, root)}
    for name in roots.keys() - alive - {_resolve(directory, name) for name in alive}:
        _remove(directory, name)


def _is_stale(directory: Directory, name: str, root: GroupRoot) -> bool:
    """Whether a group whose root is in another container, out of sight, saw no birth or fold for a day."""
    if root.is_visible:
        return False
    with contextlib.suppress(OSError):
        group = os.path.join(directory.path, name)
        labels = [os.path.join(group, label) for label in os.listdir(group)]
        return all(time.time() - os.lstat(path).st_mtime > _DAY for path in [group, *labels])
    return False


def _remove(directory: Directory, name: str) -> None:
    path = os.path.join(directory.path, name)
    with contextlib.suppress(OSError):  # somebody else sweeps as well, or it is not ours to remove
        if os.path.islink(path):
            directory.unlink(name)
        elif not _has_live_worker(path):
            shutil.rmtree(path)


def remove_own_group(root: GroupRoot | None, directory: Directory) -> None:
    """Remove a group's directory when its root ends, unless somebody lives in it still."""
    group = os.path.dirname(directory.path)
    with contextlib.suppress(OSError):  # gone already: another Telemetry of this process was the last one
        if root is not None and root.pid == os.getpid() and not _has_live_worker(group):
            shutil.rmtree(group)


def _has_live_worker(group: str) -> bool:
    """Whether some process holds the lock of a worker's file in any of the group's directories."""
    labels = [os.path.join(group, name) for name in os.listdir(group)]
    return any(
        _locked(os.path.join(label, name))
        for label in labels
        if os.path.isdir(label) and not os.path.islink(label)
        for name in os.listdir(label)
        if name.startswith(WORKER_PREFIX)
    )


def _locked(path: str) -> bool:
    with file_locks.closing(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)) as descriptor:
        return file_locks.is_locked_by_other(descriptor)
