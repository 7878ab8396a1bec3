"""Notices that files of the group were deleted by somebody else, so that no total ever goes back.

Each worker remembers which files it has seen. A worker file that is gone was either folded into an archive
that is newer, or deleted. A deleted archive is written back by a worker that remembers it.
"""

from __future__ import annotations

from dualmetrics.aggregation.group_reader import FileContents, GroupContents
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import ARCHIVE, FOLD_LOCK, slot_number, worker_file_name

_LOCK_SECONDS = 1.0


class GroupLostError(OSError):
    """Files of other workers were deleted: the totals of the group are not known any more."""


class LossDetector:
    """Remembers the files that this process has seen in the group's directory. The caller holds a lock."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._archive: FileContents | None = None
        self._files: dict[str, bytes] = {}
        """The identity of each worker file by its name."""
        self._is_shared = False

    def look(self, own_slot: int) -> None:
        """Remember whether anything is there that this process did not count itself."""
        if not self._is_shared:
            others = set(self._directory.names()) - {worker_file_name(own_slot)}
            self._is_shared = any(name == ARCHIVE or slot_number(name) is not None for name in others)

    def check_directory(self) -> None:
        """Raise GroupLostError if the directory was deleted with what others had counted.

        If other workers have begun a new directory in its place, this process cannot know what they count.
        """
        if self._directory.is_gone and (self._is_shared or self._directory.was_replaced):
            raise self._lost("the directory")

    def restore_archive(self, contents: GroupContents) -> bool:
        """Write the archive back if it was deleted. Return whether to read again. Raises OSError."""
        if self._archive is None or contents.archive is not None or ARCHIVE in contents.skipped:
            return False
        with self._directory.locked(FOLD_LOCK, _LOCK_SECONDS):
            if ARCHIVE not in self._directory.names():
                self._directory.replace(ARCHIVE, self._archive.data)
        return True

    def check(self, contents: GroupContents) -> None:
        """Remember the files. Raise GroupLostError if one is gone and no archive can contain it."""
        if ARCHIVE in contents.skipped:
            return  # a damaged archive does not say what it contains
        if _identity(self._archive) == _identity(contents.archive):
            self._check_files(contents)
        self._files = {file.name: file.header.file_id for file in contents.files}
        self._archive = contents.archive
        self._is_shared = self._is_shared or bool(contents.all)

    def _check_files(self, contents: GroupContents) -> None:
        present = {file.header.file_id for file in contents.files} | contents.contained
        # The file of a dead worker with another identity is damaged. One of a live worker took the name.
        in_place = contents.skipped.keys() | {file.name for file in contents.files if not file.alive}
        for name, identity in self._files.items():
            if identity not in present and name not in in_place:
                raise self._lost(name)

    def _lost(self, what: str) -> GroupLostError:
        return GroupLostError(
            f"{what} of the worker group was deleted ({self._directory.path}), so the totals of all workers "
            "are not known; restart the workers to count anew"
        )


def _identity(archive: FileContents | None) -> bytes | None:
    return archive.header.file_id if archive else None
