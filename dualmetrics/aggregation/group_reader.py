"""Reads the whole group: the archive and the files of the sibling workers.

Files are read with ``pread``, never mapped: no double is torn, because each is stored in one piece, and a
file that is truncated meanwhile is a short read. The archive is read first, and its identity is compared
at the end. If it has changed, a worker was folded in between, its rows were read twice or not at all, and the
reading starts over. (Reading the archive only first, or only last, was seen to let totals go backwards.)
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from dualmetrics.aggregation.file_index import FileIndex
from dualmetrics.aggregation.group_contents import FileContents, GroupContents
from dualmetrics.aggregation.series import SeriesCatalog
from dualmetrics.runtime import file_locks
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER, FormatError
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import ARCHIVE, FOLD_LOCK, slot_number
from dualmetrics.workers.group_files import GroupFiles, OpenFile
from dualmetrics.workers.liveness import is_out_of_descriptors

_ATTEMPTS = 50
_READS_BEFORE_DAMAGE = 5
"""How often a record is read before it counts as damaged."""

_FOLD_WAIT_SECONDS = 1.0  # how long to wait for a process that was folding at each of the attempts


class GroupReader:
    """Reads the group, and remembers what it has parsed of each file. The caller holds a lock.

    ``on_skipped(name, reason)`` is called for each file that cannot be read.
    """

    def __init__(
        self, directory: Directory, catalog: SeriesCatalog, on_skipped: Callable[[str, str], None]
    ) -> None:
        self._directory = directory
        self._catalog = catalog
        self._on_skipped = on_skipped
        self.files = GroupFiles(directory, on_skipped)
        self._indexes: dict[bytes, FileIndex] = {}

    def read(self, own_file_id: bytes | None) -> GroupContents:
        """All files but the one of this process. Raises OSError."""
        for _ in range(_ATTEMPTS):
            before = self._archive_identity()
            contents = self.read_once(own_file_id)
            if self._archive_identity() == before:
                break
        else:
            with self._directory.locked(FOLD_LOCK, _FOLD_WAIT_SECONDS):
                contents = self.read_once(own_file_id)
        self._forget({file.header.file_id for file in contents.all})
        return contents

    def read_once(self, own_file_id: bytes | None) -> GroupContents:
        """Read without comparing the archive at the end. The caller holds the fold lock. Raises OSError."""
        contents = GroupContents()
        # The deleted files come first: one that is moved has its new name before it is superseded.
        deleted = [(file, self._read(file, contents, own_file_id)) for file in self.files.missing()]
        contents.archive = self._read_name(ARCHIVE, contents, None)
        for name in self._directory.worker_files():
            found = self._read_name(name, contents, own_file_id)
            if found is not None and found.header.file_id != own_file_id:
                (contents.leftovers if contents.has(found) else contents.files).append(found)
        for file, read in deleted:
            if read is not None and contents.has(read):
                self.files.close(file)
            elif read is not None and read.header.file_id != own_file_id:
                contents.files.append(read._replace(alive=read.alive and file.name != ARCHIVE, deleted=file))
        return contents

    def _read_name(
        self, name: str, contents: GroupContents, own_file_id: bytes | None
    ) -> FileContents | None:
        try:
            file = self.files.open(name)
        except FileNotFoundError:  # folded since the names were listed, or no archive yet
            return None
        except OSError as error:
            self._skip(name, error, contents)
            return None
        found = self._read(file, contents, own_file_id)
        if found is not None and found.alive:
            self.files.keep(file)
        else:
            self.files.close(file)
        return found

    def _read(
        self, file: OpenFile, contents: GroupContents, own_file_id: bytes | None
    ) -> FileContents | None:
        try:
            return self._parse(file, own_file_id)
        except (FormatError, OSError) as error:
            self._skip(file.name, error, contents)
            return None

    def _skip(self, name: str, error: FormatError | OSError, contents: GroupContents) -> None:
        if isinstance(error, OSError) and is_out_of_descriptors(error):
            raise error
        reason = error.reason if isinstance(error, FormatError) else type(error).__name__
        contents.skipped[name] = reason
        self._on_skipped(name, reason)

    def _parse(self, file: OpenFile, own_file_id: bytes | None) -> FileContents:
        # The lock is asked for before anything is read: what is read of a dead worker is then its last state.
        alive = file.has_live_owner()
        header = file.header()
        index = self._indexes.get(header.file_id) or FileIndex(self._catalog, slot_number(file.name))
        if header.file_id == own_file_id:  # this process has these rows in its memory
            return FileContents(file.name, header, index, b"", alive)
        if header.committed > os.fstat(file.descriptor).st_size:
            raise FormatError("truncated")
        self._indexes[header.file_id] = index
        data = self._copy(file.name, file.descriptor, index, header.committed)
        return FileContents(file.name, header, index, data, alive)

    def _copy(self, name: str, descriptor: int, index: FileIndex, committed: int) -> bytes:
        """The bytes of a file, read again while a histogram in them is torn.

        They are also read again if a record seems damaged: on some machines a record may become visible
        after the length that commits it.
        """
        data, damage = b"", None
        for attempt in range(_ATTEMPTS):
            data = os.pread(descriptor, committed, 0)
            damage = _extend(index, data, committed)
            if not index.is_torn(data) and (damage is None or attempt >= _READS_BEFORE_DAMAGE - 1):
                break
        else:
            damage = "corrupt"
        if damage is not None:
            self._on_skipped(name, damage)
        return data

    def _archive_identity(self) -> bytes | None:
        with (
            contextlib.suppress(OSError, FormatError),
            file_locks.closing(self._directory.open(ARCHIVE, os.O_RDONLY)) as descriptor,
        ):
            return file_format.decode_header(os.pread(descriptor, HEADER.size, 0)).file_id
        return None

    def _forget(self, seen: set[bytes]) -> None:
        self._indexes = {file: index for file, index in self._indexes.items() if file in seen}


def _extend(index: FileIndex, data: bytes, committed: int) -> str | None:
    """Parse what is new. Return the reason if a record is damaged, which costs all records from there on."""
    if len(data) < max(committed, index.parsed_length):
        raise FormatError("truncated")
    try:
        index.extend(data, committed)
    except FormatError as error:
        return error.reason
    return None
