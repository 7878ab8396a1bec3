"""Where the rows of this process live: in its worker file, or in private memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Protocol

from dualmetrics.aggregation.merging import RowSource
from dualmetrics.aggregation.series import Series
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, stored_width
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.runtime.free_threading import while_nobody_records
from dualmetrics.storage import exemplar_slots, file_format
from dualmetrics.storage.exemplar_slots import SlotBytes
from dualmetrics.storage.exponential_cells import EXPONENTIAL_WIDTH, read_own_histogram
from dualmetrics.storage.exponential_reader import ExponentialReader
from dualmetrics.storage.regions import MappedRegion, Row, private_row
from dualmetrics.storage.row_reader import RowReader


class OwnRows(Protocol):
    """Makes rows, and reads them. The methods that make something raise OSError where there is no space."""

    def add_row(self, series: Series, attributes: Attributes, start_time_ns: int) -> Row:
        """The zeroed row of a new series."""
        ...

    def add_exponential(self, series: Series, row: Row) -> Row:
        """The exponential cells of the series whose ``row`` was added last."""
        ...

    def add_slots(self, series: Series, attributes: Attributes, start_time_ns: int, size: int) -> SlotBytes:
        """The exemplar slots of a series, of ``size`` bytes each."""
        ...

    def source(self) -> RowSource:
        """The rows as they are now."""
        ...


class PrivateRows:
    """Rows in the memory of this process, which no other process sees."""

    def __init__(self) -> None:
        self._rows: list[tuple[Series, Row]] = []
        self._exponentials: list[tuple[Series, Row, Row]] = []

    def add_row(self, series: Series, attributes: Attributes, start_time_ns: int) -> Row:
        """See `OwnRows`."""
        row = private_row(stored_width(series.descriptor))
        self._rows.append((series, row))
        return row

    def add_exponential(self, series: Series, row: Row) -> Row:
        """See `OwnRows`."""
        cells = private_row(EXPONENTIAL_WIDTH)
        self._exponentials.append((series, row, cells))
        return cells

    def add_slots(self, series: Series, attributes: Attributes, start_time_ns: int, size: int) -> SlotBytes:
        """See `OwnRows`."""
        return exemplar_slots.private_slots(series.descriptor, size)

    def source(self) -> RowSource:
        """See `OwnRows`."""
        rows = ((series, tuple(cells)) for series, cells in self._rows)
        return RowSource(True, rows, self._exponential_readers())

    def _exponential_readers(self) -> Iterable[tuple[Series, Callable[[], ExponentialHistogram]]]:
        for series, row, cells in self._exponentials:
            read = functools.partial(read_own_histogram, cells, row)
            yield series, functools.partial(while_nobody_records, read)


class SharedRows:
    """Rows in the worker file of this process, which was created at ``created_at_ns``."""

    def __init__(self, region: MappedRegion, created_at_ns: int) -> None:
        self._region = region
        self._created_at_ns = created_at_ns
        self._rows: RowReader[Series] = RowReader()
        self._exponentials: ExponentialReader[Series] = ExponentialReader()
        self._numbers: dict[int, int] = {}
        """The number of each descriptor in the file, by identity. It is written before its first series."""

    def add_row(self, series: Series, attributes: Attributes, start_time_ns: int) -> Row:
        """See `OwnRows`."""
        descriptor = series.descriptor
        body = [self._number(descriptor), start_time_ns, attributes]
        row = self._region.append(file_format.SERIES, body, stored_width(descriptor))
        self._rows.add(series, self._region.end, len(row))
        return row

    def add_exponential(self, series: Series, row: Row) -> Row:
        """See `OwnRows`. In the file the cells follow the row, whose record names the series."""
        row_end = self._region.end
        cells = self._region.append(file_format.EXPONENTIAL_CELLS, None, EXPONENTIAL_WIDTH)
        self._exponentials.add_cells(series, row_end, self._region.end)
        return cells

    def add_slots(self, series: Series, attributes: Attributes, start_time_ns: int, size: int) -> SlotBytes:
        """See `OwnRows`."""
        descriptor = series.descriptor
        body = [self._number(descriptor), start_time_ns, attributes]
        width = exemplar_slots.slots_width(descriptor, size)
        return self._region.append(exemplar_slots.RECORD_KINDS[size], body, width).cast("B")

    def set_role(self, role: str) -> None:
        """Tell the others what this process is in the group. Raises OSError."""
        self._region.append(file_format.ROLE, role, 0)

    def source(self) -> RowSource:
        """See `OwnRows`."""
        data = while_nobody_records(self._region.contents)
        return RowSource(True, self._rows.read_cached(data), self._exponentials.read(data))

    def _number(self, descriptor: Descriptor) -> int:
        number = self._numbers.get(id(descriptor))
        if number is None:
            number = len(self._numbers)
            body = [self._created_at_ns, *file_format.descriptor_body(number, descriptor)]
            self._region.append(file_format.DESCRIPTOR, body, 0)
            self._numbers[id(descriptor)] = number
        return number
