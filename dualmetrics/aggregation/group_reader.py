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
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import ARCHIVE, FOLD_LOCK, slot_number
from dualmetrics.workers.liveness import is_out_of_descriptors

_ATTEMPTS = 50
_READS_BEFORE_DAMAGE = 5
"""How often a record is read before it counts as damaged."""

_FOLD_WAIT_SECONDS = 1.0  # how long to wait for a process that was folding at each of the attempts


class FileContents(NamedTuple):
    """One file as it was read. ``data`` ends at the committed length."""

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
    """The archive and the worker files at one instant, without those that the archive contains."""

    archive: FileContents | None = None
    files: list[FileContents] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    """Names of worker files that the archive contains already: the process that folded them died."""
    skipped: dict[str, str] = field(default_factory=dict)
    """The reason by the name of each file that cannot be read."""

    @property
    def all(self) -> list[FileContents]:
        return ([self.archive] if self.archive else []) + self.files

    @property
    def contained(self) -> frozenset[bytes]:
        return self.archive.file_index.contains if self.archive else frozenset()

    def exemplars(self) -> list[tuple[Series, Exemplars]]:
        """The exemplars in all files, those of dead workers included."""
        return [found for file in self.all for found in file.file_index.exemplars(file.data)]

    def declared(self) -> dict[Descriptor, int]:
        """Each descriptor, with the time (ns) at which a worker last declared it."""
        found: dict[Descriptor, int] = {}
        for file in self.all:
            for descriptor, when in file.file_index.declared.items():
                found[descriptor] = max(when, found.get(descriptor, 0))
        return found


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
        contents.archive = self._read_file(ARCHIVE, contents)
        for name in self._directory.worker_files():
            file = self._read_file(name, contents, own_file_id)
            if file is None or file.header.file_id == own_file_id:
                continue
            if file.header.file_id in contents.contained:
                contents.leftovers.append(name)
            else:
                contents.files.append(file)
        return contents

    def _read_file(
        self, name: str, contents: GroupContents, own_file_id: bytes | None = None
    ) -> FileContents | None:
        try:
            with file_locks.closing(self._directory.open(name, os.O_RDONLY)) as descriptor:
                return self._parse(name, descriptor, own_file_id)
        except FileNotFoundError:  # folded since the names were listed, or no archive yet
            return None
        except FormatError as error:
            contents.skipped[name] = error.reason
        except OSError as error:
            if is_out_of_descriptors(error):
                raise
            contents.skipped[name] = type(error).__name__
        self._on_skipped(name, contents.skipped[name])
        return None

    def _parse(self, name: str, descriptor: int, own_file_id: bytes | None) -> FileContents:
        header = file_format.decode_header(os.pread(descriptor, HEADER.size, 0))
        index = self._indexes.get(header.file_id) or FileIndex(self._catalog, slot_number(name))
        if header.file_id == own_file_id:
            return FileContents(name, header, index, b"", True)
        alive = name == ARCHIVE or file_locks.is_locked_by_other(descriptor)
        if header.committed > os.fstat(descriptor).st_size:
            raise FormatError("truncated")
        self._indexes[header.file_id] = index
        # The lock is asked for before the bytes are read: those of a dead worker are then its last ones.
        return FileContents(name, header, index, self._copy(name, descriptor, index, header.committed), alive)

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
