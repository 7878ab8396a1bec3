"""What was read of the files of a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dualmetrics.aggregation.file_index import FileIndex
from dualmetrics.aggregation.merging import RowSource
from dualmetrics.aggregation.series import Series
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.storage.file_format import Header
from dualmetrics.workers.file_names import ARCHIVE
from dualmetrics.workers.group_files import OpenFile


class FileContents(NamedTuple):
    """One file as it was read. ``data`` ends at the committed length.

    ``deleted`` is the open file if somebody else has deleted it.
    """

    name: str
    header: Header
    file_index: FileIndex
    data: bytes
    alive: bool
    deleted: OpenFile | None = None

    @property
    def source(self) -> RowSource:
        data = self.data
        return RowSource(self.alive, self.file_index.rows(data), self.file_index.exponentials(data))


@dataclass
class GroupContents:
    """The archive and the worker files at one instant, without those that the archive contains.

    An archive that somebody has deleted is among the files, like that of a dead worker.
    """

    archive: FileContents | None = None
    files: list[FileContents] = field(default_factory=list)
    leftovers: list[FileContents] = field(default_factory=list)
    """The worker files that the archive contains already: the process that folded them died."""
    skipped: dict[str, str] = field(default_factory=dict)
    """The reason by the name of each file that cannot be read."""

    @property
    def all(self) -> list[FileContents]:
        return ([self.archive] if self.archive else []) + self.files

    @property
    def contained(self) -> frozenset[bytes]:
        return self.archive.file_index.contains if self.archive else frozenset()

    def has(self, file: FileContents) -> bool:
        """Whether the numbers of a file are here already, from another file."""
        identity = file.header.file_id
        return (
            identity in self.contained
            or (file.name == ARCHIVE and self._has_archive_of(file.file_index.versions))
            or any(identity == other.header.file_id for other in self.files)
        )

    def _has_archive_of(self, versions: Mapping[str, int]) -> bool:
        """Whether the archive is at least as new as these versions."""
        if self.archive is None:
            return False
        current = self.archive.file_index.versions
        return all(current.get(line, -1) >= number for line, number in versions.items())

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
