"""Whether the owner of a worker file is alive. It holds the lock of the file for as long as it lives.

`GroupReader` asks `file_locks.is_locked_by_other` itself, because it has opened the file anyway.
"""

from __future__ import annotations

import errno
import os

from dualmetrics.runtime import file_locks


def has_live_owner(name: str, directory: int | None = None) -> bool:
    """Whether a worker file has a live owner. ``name`` may be relative to an open ``directory``.

    Also True for a file that is gone, because another worker has folded it, or that cannot be opened: such a
    file must not be folded or removed. Raises OSError if too many files are open.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        with file_locks.closing(os.open(name, flags, dir_fd=directory)) as descriptor:
            return file_locks.is_locked_by_other(descriptor)
    except OSError as error:
        if is_out_of_descriptors(error):
            raise
        return True


def is_out_of_descriptors(error: OSError) -> bool:
    """Whether too many files are open. The file is not at fault, and totals without it would be wrong."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
