"""Reading the whole group: the archive and the files of the sibling workers.

Files are read with ``pread``, never mapped: nothing is torn (each double is stored whole), and a file that
somebody truncates is a short read. The archive is read first and its identity is looked at again in the
end; if it has changed, a worker was folded in between, its rows were met twice or not at all, and the
reading starts over. Reading the archive only first, or only last, was seen to let totals go backwards.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from dualmetrics.aggregation.file_index import FileIndex
from dualmetrics.aggregation.merging import RowSource
from dualmetrics.aggregation.series import Series, SeriesCatalog
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.runtime import file_locks
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER, FormatError, Header
from dualmetrics.workers.directory import Directory, slot_number

ARCHIVE, FOLD = "archive", "fold"
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)  # no fault of the file: totals without it would be wrong
_ATTEMPTS = 50
_PATIENCE = 1.0  # seconds to wait for a folder, when it folded at each of the attempts


class FileContents(NamedTuple):
    """One file as it was read; ``data`` reaches up to the committed length."""

    name: str
    header: Header
    file_index: FileIndex
    data: bytes
    alive: bool

    @property
    def source(self) -> RowSource:
        data = self.data
        return RowSource(self.alive, self.file_index.rows(data), self.file_index.exponentials(data))


@dataclass
class GroupContents:
    """The archive and the workers' files at one instant, without those that the archive contains."""

    archive: FileContents | None = None
    files: list[FileContents] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    """Names of files that the archive contains already: whoever folded them died before removing them."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Names of files that cannot be read, with the reason."""

    @property
    def all(self) -> list[FileContents]:
        return ([self.archive] if self.archive else []) + self.files

    @property
    def contained(self) -> frozenset[bytes]:
        return self.archive.file_index.contains if self.archive else frozenset()

    def exemplars(self) -> list[tuple[Series, Exemplars]]:
        """The exemplars in all files. Those of dead workers tell as much as others."""
        return [found for file in self.all for found in file.file_index.exemplars(file.data)]

    def declared(self) -> dict[Descriptor, int]:
        """Each descriptor, with the time of the newest worker that declared it."""
        found: dict[Descriptor, int] = {}
        for file in self.all:
            for descriptor, when in file.file_index.declared.items():
                found[descriptor] = max(when, found.get(descriptor, 0))
        return found


class GroupReader:
    """Reads the group, keeping what it has parsed of each file. The caller holds a lock.

    ``skipped(name, reason)`` is told of files that cannot be read.
    """

    def __init__(
        self, directory: Directory, catalog: SeriesCatalog, skipped: Callable[[str, str], None]
    ) -> None:
        self._directory = directory
        self._catalog = catalog
        self._skipped = skipped
        self._indexes: dict[bytes, FileIndex] = {}

    def read(self, own: bytes | None) -> GroupContents:
        """All files but the one whose identity is ``own``. Raises OSError."""
        for _ in range(_ATTEMPTS):
            before = self._archive_identity()
            reading = self.read_once(own)
            if self._archive_identity() == before:
                break
        else:
            with self._directory.locked(FOLD, _PATIENCE):
                reading = self.read_once(own)
        self._forget({file.header.file_id for file in reading.all})
        return reading

    def read_once(self, own: bytes | None) -> GroupContents:
        """Read without looking at the archive again: for who holds the fold lock."""
        reading = GroupContents()
        reading.archive = self._file(ARCHIVE, reading)
        for name in self._directory.worker_files():
            file = self._file(name, reading, own)
            if file is None or file.header.file_id == own:
                continue
            if file.header.file_id in reading.contained:
                reading.leftovers.append(name)
            else:
                reading.files.append(file)
        return reading

    def _file(self, name: str, reading: GroupContents, own: bytes | None = None) -> FileContents | None:
        try:
            with file_locks.closing(self._directory.open(name, os.O_RDONLY)) as descriptor:
                return self._parse(name, descriptor, own)
        except FileNotFoundError:  # folded since the names were listed, or no archive yet
            return None
        except FormatError as error:
            reading.skipped[name] = error.reason
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:
                raise
            reading.skipped[name] = type(error).__name__
        self._skipped(name, reading.skipped[name])
        return None

    def _parse(self, name: str, descriptor: int, own: bytes | None) -> FileContents:
        header = file_format.decode_header(os.pread(descriptor, HEADER.size, 0))
        index = self._indexes.get(header.file_id) or FileIndex(self._catalog, slot_number(name))
        if header.file_id == own:
            return FileContents(name, header, index, b"", True)
        alive = name == ARCHIVE or file_locks.is_locked_by_other(descriptor)
        if header.committed > os.fstat(descriptor).st_size:  # nor is memory for it to be had
            raise FormatError("truncated")
        self._indexes[header.file_id] = index
        # After the liveness: the bytes of one that is dead are then its last ones.
        return FileContents(name, header, index, self._copy(name, descriptor, index, header.committed), alive)

    def _copy(self, name: str, descriptor: int, index: FileIndex, committed: int) -> bytes:
        data = b""
        for _ in range(_ATTEMPTS):
            data = os.pread(descriptor, committed, 0)
            self._extend(name, index, data, committed)
            if not index.is_torn(data):
                break
        return data

    def _extend(self, name: str, index: FileIndex, data: bytes, committed: int) -> None:
        """Parse what is new. A damaged tail costs what lies behind the damage, not what lies before."""
        if len(data) < max(committed, index.upto):
            raise FormatError("truncated")
        try:
            index.extend(data, committed)
        except FormatError as error:
            self._skipped(name, error.reason)

    def _archive_identity(self) -> bytes | None:
        with (
            contextlib.suppress(OSError, FormatError),
            file_locks.closing(self._directory.open(ARCHIVE, os.O_RDONLY)) as descriptor,
        ):
            return file_format.decode_header(os.pread(descriptor, HEADER.size, 0)).file_id
        return None

    def _forget(self, seen: set[bytes]) -> None:
        self._indexes = {file: index for file, index in self._indexes.items() if file in seen}
