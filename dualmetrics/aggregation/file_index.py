"""The interned series of the group, and the index of each file that was read."""

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
    """A descriptor of a file, how many cells its rows have there, and its series that have been met."""

    descriptor: Descriptor
    width: int
    met: dict[bytes, Series]


class FileIndex:
    """What has been parsed of one file. Records are only ever appended, so each is parsed once."""

    def __init__(self, catalog: SeriesCatalog, slot: int | None) -> None:
        self.declared: dict[Descriptor, int] = {}
        self.contains: frozenset[bytes] = frozenset()
        self.upto = HEADER.size
        self._rows: RowReader[Series] = RowReader()
        self._exponentials: ExponentialReader[Series] = ExponentialReader()
        self._located: tuple[Series, int] | None = None
        """The series whose record came last, and the byte where that ends."""
        self._slots: list[tuple[Series, slice, int]] = []
        """Where the slots of a series lie, and their size."""
        self._catalog = catalog
        self._slot = slot
        self._numbers: dict[bytes, DeclaredMetric] = {}

    def extend(self, data: bytes, committed: int) -> None:
        """Parse what was committed since. Raises FormatError; what came before the damage stays."""
        for record in file_format.decode_records(data, self.upto, committed):
            self._take(record)
            self.upto = record.cells_offset + 8 * record.width

    def rows(self, data: bytes) -> Iterable[tuple[Series, Cells]]:
        """The series with their cells, from the bytes of the file."""
        # An archive hardly ever changes. Siblings are many: to keep what each had would cost their memory.
        return self._rows.read_cached(data) if self._slot is None else self._rows.read(data)

    def exponentials(self, data: bytes) -> Iterable[tuple[Series, Callable[[], ExponentialHistogram]]]:
        """The series that have been recorded in exponential buckets too, with what reads these."""
        return self._exponentials.read(data)

    def is_torn(self, data: bytes) -> bool:
        """Whether the bytes are to be read again (see `banks`)."""
        return self._exponentials.is_torn(data)

    def exemplars(self, data: bytes) -> Iterator[tuple[Series, Exemplars]]:
        """The series that have had exemplars, with these."""
        for series, place, size in self._slots:
            yield series, exemplar_slots.decode_slots(data[place], size)

    def _take(self, record: Record) -> None:
        try:
            if record.kind == file_format.SERIES:
                self._locate(record)
            elif record.kind == file_format.DESCRIPTOR:
                self._declare(record.body)
            elif record.kind in (file_format.EXPONENTIAL_CELLS, file_format.EXPONENTIAL_TOTAL):
                self._locate_exponential(record)
            elif record.kind in exemplar_slots.SIZE_BY_RECORD_KIND:
                self._locate_slots(record)
            elif record.kind == file_format.CONTAINS:
                self.contains |= {bytes.fromhex(name) for name in record.body}
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise FormatError("corrupt") from error

    def _declare(self, body: list[object]) -> None:
        declared, *rest = body
        number, descriptor = file_format.decode_descriptor(rest)
        descriptor = self._catalog.descriptor(descriptor)
        self._numbers[b"[%d" % number] = DeclaredMetric(
            descriptor, stored_width(descriptor), self._catalog.written(descriptor)
        )
        self.declared[descriptor] = int(str(declared))

    def _locate(self, record: Record) -> None:
        declared = self._declared_by(record.text)
        if record.width != declared.width:
            raise ValueError("a series whose cells do not fit its metric")
        series = self._series(declared, record.text)
        end = record.cells_offset + 8 * record.width
        self._rows.add(series, end, record.width)
        self._located = series, end

    def _declared_by(self, text: bytes) -> DeclaredMetric:
        """What the text of a series is about: it begins with the number."""
        return self._numbers[text[: text.index(b",")]]

    def _series(self, declared: DeclaredMetric, text: bytes) -> Series:
        return declared.met.get(text) or self._catalog.parse(declared.descriptor, text, self._slot)

    def _locate_exponential(self, record: Record) -> None:
        if self._located is None:
            raise ValueError("cells that belong to no series")
        series, row_end = self._located
        end = record.cells_offset + 8 * record.width
        if record.kind == file_format.EXPONENTIAL_CELLS and record.width == EXPONENTIAL_WIDTH:
            self._exponentials.add_cells(series, row_end, end)
        elif record.kind == file_format.EXPONENTIAL_TOTAL and record.width >= MIN_CELLS:
            self._exponentials.add_total(series, record.width, end)
        else:
            raise ValueError("cells that are no exponential histogram")

    def _locate_slots(self, record: Record) -> None:
        declared, size = self._declared_by(record.text), exemplar_slots.SIZE_BY_RECORD_KIND[record.kind]
        if record.width != exemplar_slots.slots_width(declared.descriptor, size):
            raise ValueError("exemplars that do not fit their metric")
        series = self._series(declared, record.text)
        self._slots.append((series, slice(record.cells_offset, record.cells_offset + 8 * record.width), size))
