"""Notices that somebody else has deleted a file that this process has open."""

from __future__ import annotations

import os


class DeletionWatch:
    """Watches the file or directory behind a descriptor. Asking costs one system call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.restart()

    def restart(self) -> None:
        """Watch the file that is behind the descriptor now."""
        self._status = os.fstat(self._descriptor)

    def is_same(self, status: os.stat_result) -> bool:
        """Whether this is the status of the file that is watched."""
        return os.path.samestat(status, self._status)

    @property
    def is_deleted(self) -> bool:
        """Whether the file has no name any more.

        False if the descriptor is no longer ours: daemons close all descriptors, and an app may reuse them.
        """
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            return False
        return status.st_nlink == 0 and self.is_same(status)
