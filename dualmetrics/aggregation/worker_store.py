"""This process' share of the group: its own rows, in its own file or in private memory."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from dualmetrics.aggregation.merging import RowSource
from dualmetrics.aggregation.series import Series, SeriesCatalog
from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor, stored_width
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.free_threading import is_free_threaded
from dualmetrics.storage import exemplar_slots, file_format
from dualmetrics.storage.exemplar_slots import SlotBytes
from dualmetrics.storage.exponential_cells import (
    EXPONENTIAL_WIDTH,
    ExponentialCells,
    HistogramRow,
    read_own_histogram,
)
from dualmetrics.storage.exponential_reader import ExponentialReader
from dualmetrics.storage.regions import MappedRegion, PrivateRegion, Region, Row, private_row
from dualmetrics.storage.row_reader import RowReader
from dualmetrics.workers.cardinality import CardinalityLimiter, ProcessLimiter
from dualmetrics.workers.membership import Membership

OVERFLOW_ATTRIBUTES: Attributes = (("otel.metric.overflow", True),)
"""The one series of a metric for what is past the cardinality limit (OpenTelemetry metrics SDK spec)."""


class WorkerStore:
    """Rows from a first one on, when the process becomes a worker of the group, to its end.

    Nothing here raises for lack of space: from the moment that the disk is full, new rows are private, which
    is said once. The caller holds a lock.
    """

    def __init__(
        self, membership: Membership | None, catalog: SeriesCatalog, limit: int, errors: ErrorReporter
    ) -> None:
        self._catalog = catalog
        self._limit = limit
        self._errors = errors
        self._cells: dict[tuple[object, ...], Row] = {}
        self._slots: dict[tuple[object, ...], tuple[Series, SlotBytes, int]] = {}
        self._shared: RowReader[Series] = RowReader()
        self._private: list[tuple[Series, Row]] = []
        self._banks: dict[tuple[object, ...], ExponentialCells] = {}
        self._exponentials: ExponentialReader[Series] = ExponentialReader()
        self._private_banks: list[tuple[Series, Row, Row]] = []
        self._numbers: dict[Descriptor, int] = {}
        self._file: MappedRegion | None = None
        self._region: Region = PrivateRegion()
        self._admission: CardinalityLimiter = membership.limiter if membership else ProcessLimiter(limit)
        self._born, self.slot = 0, 0
        self._began = membership.identity.start_time_ns if membership else time.time_ns()
        self.identity: bytes | None = None

    def join_group(self, membership: Membership) -> None:
        """Become a worker of the group. Counting a failure of this records, in this very share."""
        try:
            file = membership.create_worker_file()
        except OSError as error:
            self._space_ran_out(error)
        else:
            self._file = self._region = file.region
            self._born, self.slot = file.created_at_ns, file.slot
            self.identity = file.file_id

    def row(
        self,
        descriptor: Descriptor,
        attributes: Attributes,
        on_overflow: Callable[[Descriptor], None],
        began: int | None = None,
        exponential: bool = False,
    ) -> Row:
        """The cells of a series, or of the overflow series if the metric has reached its limit.

        ``exponential``: a new one gets `banks` too.
        """
        key = descriptor, attributes_key(attributes)
        known = self._cells.get(key)
        if known is not None:
            return known
        start = self._start_of(descriptor, attributes, began)
        if start is None:
            on_overflow(descriptor)
            return self.row(descriptor, OVERFLOW_ATTRIBUTES, on_overflow, exponential=exponential)
        cells = self._cells[key] = self._allocate(descriptor, attributes, start)
        series = self._catalog.series(descriptor, attributes, start, self.slot)
        self._keep(series, cells)
        if exponential:
            self._banks[key] = self._allocate_banks(series, cells)
        return cells

    def histogram_row(
        self,
        descriptor: Descriptor,
        attributes: Attributes,
        on_overflow: Callable[[Descriptor], None],
        began: int | None = None,
    ) -> HistogramRow:
        """The cells of a histogram's series, and its exponential buckets.

        A series that had a row without them, as what is bridged has, gets such as nobody reads.
        """
        row = self.row(descriptor, attributes, on_overflow, began, exponential=True)
        known = attributes if (descriptor, attributes_key(attributes)) in self._cells else OVERFLOW_ATTRIBUTES
        banks = self._banks.get((descriptor, attributes_key(known)))
        return HistogramRow(row, banks or ExponentialCells(private_row(EXPONENTIAL_WIDTH)))

    def sources(self) -> list[RowSource]:
        """The rows as they are now."""
        data = self._contents()
        shared = RowSource(True, self._shared.read_cached(data), self._exponentials.read(data))
        rows = ((series, tuple(cells)) for series, cells in self._private)
        exponentials = (
            (series, functools.partial(read_own_histogram, banks, row))
            for series, row, banks in self._private_banks
        )
        return [shared, RowSource(True, rows, exponentials)]

    def _contents(self) -> bytes:
        data = self._file.contents() if self._file else b""
        while self._file and is_free_threaded() and self._exponentials.is_torn(data):
            data = self._file.contents()  # where no other thread can write meanwhile, no copy is torn
        return data

    def slots(
        self, descriptor: Descriptor, attributes: Attributes, size: int = exemplar_slots.PLAIN
    ) -> SlotBytes:
        """The slots of a series that has a row; of the overflow series, if that is where it is counted."""
        key = descriptor, attributes_key(attributes), size
        known = self._slots.get(key)
        if known is not None:
            return known[1]
        start = self._start_of(descriptor, attributes, None)
        if start is None:
            return self.slots(descriptor, OVERFLOW_ATTRIBUTES, size)
        series = self._catalog.series(descriptor, attributes, start, self.slot)
        made = self._allocate_slots(descriptor, [self._number(descriptor), start, attributes], size)
        self._slots[key] = series, made, size
        return made

    def exemplars(self) -> list[tuple[Series, Exemplars]]:
        """What the slots hold now."""
        return [
            (series, exemplar_slots.decode_slots(found, size))
            for series, found, size in list(self._slots.values())
        ]

    def declared(self) -> dict[Descriptor, int]:
        """The metrics that this process has rows of, and since when it exists."""
        return dict.fromkeys(list(self._numbers), self._born)

    def _start_of(self, descriptor: Descriptor, attributes: Attributes, began: int | None) -> int | None:
        if (
            attributes == OVERFLOW_ATTRIBUTES
        ):  # outside the limit, and with a start on which all workers agree
            return self._began
        try:
            return self._admission.admit(descriptor, attributes, began)
        except OSError as error:
            self._admission = ProcessLimiter(self._limit)
            self._space_ran_out(error)
            return self._admission.admit(descriptor, attributes, began)

    def _allocate(self, descriptor: Descriptor, attributes: Attributes, start: int) -> Row:
        body = [self._number(descriptor), start, attributes]
        return self._append(file_format.SERIES, body, stored_width(descriptor))

    def _keep(self, series: Series, cells: Row) -> None:
        if self._file is not None and self._region is self._file:
            self._shared.add(series, self._file.end, len(cells))
        else:
            self._private.append((series, cells))

    def _allocate_banks(self, series: Series, row: Row) -> ExponentialCells:
        row_end = self._file.end if self._file else 0
        cells = self._append(file_format.EXPONENTIAL_CELLS, None, EXPONENTIAL_WIDTH)
        if self._file is not None and self._region is self._file:
            self._exponentials.add_cells(series, row_end, self._file.end)
        else:
            self._private_banks.append((series, row, cells))
        return ExponentialCells(cells)

    def _allocate_slots(self, descriptor: Descriptor, body: object, size: int) -> SlotBytes:
        """Private ones where space runs out: a series may not become private for an exemplar's sake."""
        try:
            return self._region.append(
                exemplar_slots.RECORD_KINDS[size], body, exemplar_slots.slots_width(descriptor, size)
            ).cast("B")
        except OSError:
            return exemplar_slots.private_slots(descriptor, size)

    def _number(self, descriptor: Descriptor) -> int:
        """The descriptor's number in the file, where it is declared before its first series."""
        number = self._numbers.get(descriptor)
        if number is None:
            number = self._numbers[descriptor] = len(self._numbers)
            body = [self._born, *file_format.descriptor_body(number, descriptor)]
            self._append(file_format.DESCRIPTOR, body, 0)
        return number

    def _append(self, kind: int, body: object, cells: int) -> Row:
        try:
            return self._region.append(kind, body, cells)
        except OSError as error:
            self._region = PrivateRegion()
            self._space_ran_out(error)
            return self._region.append(kind, body, cells)

    def _space_ran_out(self, error: OSError) -> None:
        message = (
            "dualmetrics: the group's directory takes no more (%s); new series of this worker stay private"
        )
        self._errors.count()
        self._errors.log_once("space", message, error)
