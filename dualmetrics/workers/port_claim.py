"""Which group listens on PROMETHEUS_PORT.

All processes of a group listen on the same port, so that there is one that answers whichever of them ends.
The kernel lets any process of the same user do so, also one of another group, whose numbers would mix with
ours. So the first process of a group has to find the port free, and the others see by a lock that the group
has it.
"""

from __future__ import annotations

import os

from dualmetrics.runtime import file_locks
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import PORT_LOCK

_WAIT_SECONDS = 1.0  # for a process that is about to listen as the first one


class PortClaim:
    """A process that listens on the group's port. Raises OSError.

    ``is_first``: no other process of the group listens, so the port has to be free.
    """

    def __init__(self, directory: Directory) -> None:
        descriptor = directory.open(PORT_LOCK, os.O_RDWR | os.O_CREAT)
        self._descriptor = descriptor
        self.close = file_locks.finalizing_close(self, descriptor)
        """Give up the claim. To be called in a forked child too."""
        self.is_first = file_locks.try_lock(descriptor)
        if not self.is_first:
            self.share()

    def share(self) -> None:
        """Let other processes of the group listen."""
        if not file_locks.share_lock(self._descriptor, _WAIT_SECONDS):
            self.close()
            raise BlockingIOError("another process of the group holds the lock of the port")
