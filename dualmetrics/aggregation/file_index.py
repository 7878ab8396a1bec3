"""The index of a file: which series it has, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dualmetrics.aggregation.series import Series, SeriesCatalog
from dualmetrics.model.descriptor import Descriptor, stored_width
from dualmetrics.model.exponential_histogram import MIN_CELLS, ExponentialHistogram
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.storage import exemplar_slots, file_format
from dualmetrics.storage.exponential_cells import EXPONENTIAL_WIDTH
from dualmetrics.storage.exponential_reader import ExponentialReader
from dualmetrics.storage.file_format import HEADER, FormatError, Record
from dualmetrics.storage.regions import Cells
from dualmetrics.storage.row_reader import RowReader


class DeclaredMetric(NamedTuple):
    """A descriptor in a file, the width of its rows, and its known series by the text of their records."""

    descriptor: Descriptor
    width: int
    series: dict[bytes, Series]


class FileIndex:
    """What has been parsed of one file. Records are only ever appended, so each is parsed once.

    ``slot`` is the number of the worker, None for an archive or a baseline.
    """

    def __init__(self, catalog: SeriesCatalog, slot: int | None) -> None:
        self.declared: dict[Descriptor, int] = {}
        """When (ns since the epoch) each descriptor was declared."""
        self.contains: frozenset[bytes] = frozenset()
        """The identities of the worker files that an archive contains."""
        self.versions: dict[str, int] = {}
        """The version vector of an archive (see `archive`)."""
        self.role = file_format.WORKER
        """What the process is in the group."""
        self.parsed_length = HEADER.size
        self._rows: RowReader[Series] = RowReader()
        self._exponentials: ExponentialReader[Series] = ExponentialReader()
        self._last_series: tuple[Series, int] | None = None
        """The series whose record came last, and the offset at which its row ends."""
        self._slots: list[tuple[Series, slice, int]] = []
        """Where the exemplar slots of a series are, and their size."""
        self._catalog = catalog
        self._slot = slot
        self._numbers: dict[bytes, DeclaredMetric] = {}

    def extend(self, data: bytes, committed: int) -> None:
        """Parse the records that are new. Raises FormatError; the records before the damage are kept."""
        for record in file_format.decode_records(data, self.parsed_length, committed):
            self._parse(record)
            self.parsed_length = record.cells_offset + 8 * record.width

    def rows(self, data: bytes) -> Iterable[tuple[Series, Cells]]:
        """The series and their cells, from the bytes of the file."""
        # An archive seldom changes. Of the many siblings, a copy of all cells would cost too much memory.
        return self._rows.read_cached(data) if self._slot is None else self._rows.read(data)

    def exponentials(self, data: bytes) -> Iterable[tuple[Series, Callable[[], ExponentialHistogram]]]:
        """The series with exponential buckets, each with a function that reads them."""
        return self._exponentials.read(data)

    def is_torn(self, data: bytes) -> bool:
        """Whether the bytes have to be read again (see `storage.exponential_cells`)."""
        return self._exponentials.is_torn(data)

    def exemplars(self, data: bytes) -> Iterator[tuple[Series, Exemplars]]:
        """The series that have exemplar slots, with their exemplars."""
        for series, place, size in self._slots:
            yield series, exemplar_slots.decode_slots(data[place], size)

    def _parse(self, record: Record) -> None:
        parse = _PARSERS.get(record.kind)
        try:
            if parse is not None:
                parse(self, record)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise FormatError("corrupt") from error

    def _set_contains(self, record: Record) -> None:
        self.contains |= {bytes.fromhex(name) for name in record.body}

    def _set_versions(self, record: Record) -> None:
        self.versions = {str(line): int(version) for line, version in record.body.items()}

    def _set_role(self, record: Record) -> None:
        self.role = str(record.body)

    def _declare(self, record: Record) -> None:
        declared, *rest = record.body
        number, descriptor = file_format.decode_descriptor(rest)
        descriptor = self._catalog.descriptor(descriptor)
        self._numbers[b"[%d" % number] = DeclaredMetric(
            descriptor, stored_width(descriptor), self._catalog.series_by_text(descriptor)
        )
        self.declared[descriptor] = int(str(declared))

    def _locate(self, record: Record) -> None:
        declared = self._declared_by(record.text)
        if record.width != declared.width:
            raise ValueError("the width of a series does not fit its metric")
        series = self._series(declared, record.text)
        end = record.cells_offset + 8 * record.width
        self._rows.add(series, end, record.width)
        self._last_series = series, end

    def _declared_by(self, text: bytes) -> DeclaredMetric:
        """The metric of a series: the text of its record begins with the number of the descriptor."""
        return self._numbers[text[: text.index(b",")]]

    def _series(self, declared: DeclaredMetric, text: bytes) -> Series:
        return declared.series.get(text) or self._catalog.parse(declared.descriptor, text, self._slot)

    def _locate_exponential(self, record: Record) -> None:
        if self._last_series is None:
            raise ValueError("exponential cells without a series")
        series, row_end = self._last_series
        end = record.cells_offset + 8 * record.width
        if record.kind == file_format.EXPONENTIAL_CELLS and record.width == EXPONENTIAL_WIDTH:
            self._exponentials.add_cells(series, row_end, end)
        elif record.kind == file_format.EXPONENTIAL_TOTAL and record.width >= MIN_CELLS:
            self._exponentials.add_total(series, record.width, end)
        else:
            raise ValueError("cells that are not an exponential histogram")

    def _locate_slots(self, record: Record) -> None:
        declared, size = self._declared_by(record.text), exemplar_slots.SIZE_BY_RECORD_KIND[record.kind]
        if record.width != exemplar_slots.slots_width(declared.descriptor, size):
            raise ValueError("the exemplar slots do not fit their metric")
        series = self._series(declared, record.text)
        self._slots.append((series, slice(record.cells_offset, record.cells_offset + 8 * record.width), size))


_PARSERS: dict[int, Callable[[FileIndex, Record], None]] = {
    file_format.SERIES: FileIndex._locate,
    file_format.DESCRIPTOR: FileIndex._declare,
    file_format.EXPONENTIAL_CELLS: FileIndex._locate_exponential,
    file_format.EXPONENTIAL_TOTAL: FileIndex._locate_exponential,
    **dict.fromkeys(exemplar_slots.SIZE_BY_RECORD_KIND, FileIndex._locate_slots),
    file_format.CONTAINS: FileIndex._set_contains,
    file_format.ARCHIVE_VERSIONS: FileIndex._set_versions,
    file_format.ROLE: FileIndex._set_role,
}
"""By the kind of the record; others are skipped."""
