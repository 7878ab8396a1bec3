"""The files of a group that this process has open, so that it can read them even if somebody deletes them.

The archive and the files of live workers are kept open. The file of a dead worker is read once more, and then
folded.

A file is *missing* if somebody has deleted it and its numbers are in no other file. A file that was folded or
moved has lost its name, too, but it was marked as superseded before.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from dualmetrics.runtime import file_locks
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER, FormatError, Header
from dualmetrics.workers.deletion import DeletionWatch
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import ARCHIVE
from dualmetrics.workers.liveness import is_out_of_descriptors

_MAX_KEPT = 256
"""Of more files, the others are opened for each reading. Many processes may have 1,024 descriptors."""

_ARCHIVE_WAIT_SECONDS = 15.0
"""How long to wait for a worker that restores the archive: three times as long as usual."""


class IncompleteGroupError(OSError):
    """Files were deleted that other workers still have. Without them, totals would be too low."""


class OpenFile:
    """An open file of the group, and the name that it had when it was opened."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.descriptor = descriptor
        self.watch = DeletionWatch(descriptor)
        self._close = file_locks.finalizing_close(self, descriptor)

    def close(self) -> None:
        """Close the file. What is asked for afterwards fails, and reaches no other file with this number."""
        self.descriptor = -1
        self._close()

    def header(self) -> Header:
        """Read the header. Raises OSError or FormatError."""
        return file_format.decode_header(os.pread(self.descriptor, HEADER.size, 0))

    def has_live_owner(self) -> bool:
        """Whether the worker lives that the file belongs to. An archive has no owner, and counts as alive."""
        return self.name == ARCHIVE or file_locks.is_locked_by_other(self.descriptor)

    def supersede(self) -> None:
        """Mark the file for all who have it open. A failure is ignored: only a deletion makes it matter."""
        with contextlib.suppress(OSError):
            file_format.supersede(self.descriptor)


class GroupFiles:
    """Opens the files of one directory, and keeps some of them open.

    ``on_skipped(name, reason)`` is called if a deleted archive is given up.
    """

    def __init__(self, directory: Directory, on_skipped: Callable[[str, str], None]) -> None:
        self._directory = directory
        self._on_skipped = on_skipped
        self._kept: dict[str, OpenFile] = {}
        self._nameless: list[OpenFile] = []
        """Files that were deleted, and whose name another file has by now."""
        self._archive_missing_since: float | None = None

    def open(self, name: str) -> OpenFile:
        """The file that has this name now; to be passed to `keep` or `close`. Raises OSError."""
        kept = self._kept.get(name)
        if kept is not None and kept.watch.is_same(self._directory.status(name)):
            return kept
        return OpenFile(name, self._directory.open(name, os.O_RDWR))

    def keep(self, file: OpenFile) -> None:
        """Keep a file open, unless there are too many. One that had the same name was deleted or replaced."""
        previous = self._kept.get(file.name)
        if previous is file:
            return
        if previous is not None:
            self._nameless.append(previous)
        elif len(self._kept) >= _MAX_KEPT:
            file.close()
            return
        self._kept[file.name] = file

    def close(self, file: OpenFile) -> None:
        """Close a file."""
        if self._kept.get(file.name) is file:
            del self._kept[file.name]
        self._nameless = [other for other in self._nameless if other is not file]
        file.close()

    def close_all(self) -> None:
        """Close all files. In a forked child, this closes the inherited copies."""
        for file in [*self._kept.values(), *self._nameless]:
            self.close(file)

    def missing(self) -> list[OpenFile]:
        """The files that somebody has deleted, and whose numbers are in no other file.

        Raises IncompleteGroupError if another worker may have a later version of one of them.
        """
        deleted = self._nameless + [file for file in self._kept.values() if file.watch.is_deleted]
        for file in deleted:
            if self._is_superseded(file):
                self.close(file)
        return [file for file in deleted if file in self._nameless or self._kept.get(file.name) is file]

    def has_dead_workers(self) -> bool:
        """Whether there is anything to fold. Opens the files that are new. Raises OSError."""
        alive = [self._is_alive(name) for name in [ARCHIVE, *self._directory.worker_files()]]
        return not all(alive) or any(
            file.name == ARCHIVE or not file.has_live_owner() for file in self.missing()
        )

    def archive_replaced(self) -> None:
        """Mark the old archive as superseded, and open the new one."""
        if ARCHIVE in self._kept:
            self.supersede_and_close(self._kept[ARCHIVE])
        self._is_alive(ARCHIVE)

    def remove(self, name: str, file_id: bytes | None = None) -> None:
        """Remove a worker file, unless another one has its name by now. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            file = self.open(name)
            if file_id is None or file.header().file_id == file_id:
                file.supersede()
                self._directory.unlink(name)
            self.close(file)

    def supersede_and_close(self, file: OpenFile) -> None:
        """Mark a file as superseded for all who have it open, and close it."""
        file.supersede()
        self.close(file)

    def _is_superseded(self, file: OpenFile) -> bool:
        """Whether the numbers of a deleted file are in another one."""
        try:
            is_superseded = file.header().is_superseded
        except (OSError, FormatError):
            return True
        if not is_superseded or file.name != ARCHIVE:
            return is_superseded
        if self._directory.has(ARCHIVE):
            self._archive_missing_since = None
            return True
        self._wait_for_archive()
        return False

    def _wait_for_archive(self) -> None:
        """Give the worker that has the latest archive open time to restore it.

        If there is no such worker, the older one that is open here is the best.
        """
        since = self._archive_missing_since = self._archive_missing_since or time.monotonic()
        if time.monotonic() < since + _ARCHIVE_WAIT_SECONDS:
            raise IncompleteGroupError(
                "the archive of the worker group was deleted, and this worker has only an older one; "
                "if no worker restores it within seconds, counting goes on without its last part"
            )
        self._on_skipped(ARCHIVE, "deleted")

    def _is_alive(self, name: str) -> bool:
        """Whether the owner of a file lives. A file that cannot be opened must not be folded either."""
        try:
            file = self.open(name)
        except OSError as error:
            if is_out_of_descriptors(error):
                raise
            return True
        alive = file.has_live_owner()
        (self.keep if alive else self.close)(file)
        return alive
