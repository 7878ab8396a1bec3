"""The series that this process records, in its worker file or in private memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from dualmetrics.aggregation.merging import RowSource
from dualmetrics.aggregation.own_rows import OwnRows, OwnSeries, PrivateRows, SharedRows
from dualmetrics.aggregation.series import Series, SeriesCatalog
from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import exemplar_slots
from dualmetrics.storage.exemplar_slots import SlotBytes
from dualmetrics.storage.exponential_cells import EXPONENTIAL_WIDTH, ExponentialCells, HistogramRow
from dualmetrics.storage.regions import Row, private_row
from dualmetrics.workers.cardinality import CardinalityLimiter, ProcessLimiter
from dualmetrics.workers.membership import Membership

OVERFLOW_ATTRIBUTES: Attributes = (("otel.metric.overflow", True),)
"""The attributes of the one series that takes what is past the cardinality limit (metrics SDK spec)."""

_SeriesKey = tuple[Descriptor, tuple[object, ...]]
_Report = Callable[[Descriptor], None]


class WorkerStore:
    """The rows of one worker, from its first row until it leaves the group. The caller holds a lock.

    A full disk raises nothing here: from then on new rows are private, which is logged once.
    """

    def __init__(
        self, membership: Membership | None, catalog: SeriesCatalog, limit: int, errors: ErrorReporter
    ) -> None:
        self._catalog = catalog
        self._limit = limit
        self._errors = errors
        self._series: dict[_SeriesKey, OwnSeries] = {}
        self._slots: list[tuple[Series, SlotBytes, int]] = []
        self._descriptors: dict[Descriptor, None] = {}
        self._private = PrivateRows()
        self._shared: SharedRows | None = None
        self._rows: OwnRows = self._private
        """Where new rows go."""
        self._limiter: CardinalityLimiter = membership.limiter if membership else ProcessLimiter(limit)
        self._group_start_ns = membership.identity.start_time_ns if membership else time.time_ns()
        self._created_at_ns = 0
        self.slot = 0
        self.file_id: bytes | None = None

    def join_group(self, membership: Membership) -> None:
        """Create the worker file. Counting a failure of this records, in this very store."""
        try:
            file = membership.create_worker_file()
        except OSError as error:
            self._out_of_space(error)
        else:
            self._created_at_ns, self.slot, self.file_id = file.created_at_ns, file.slot, file.file_id
            self._rows = self._shared = SharedRows(file.region, file.created_at_ns)

    def row(
        self, descriptor: Descriptor, attributes: Attributes, on_overflow: _Report, start: int | None = None
    ) -> Row:
        """The row of a series, or of the overflow series if the metric has reached its limit.

        ``start`` (ns since the epoch) is when a series began that is new to the group; by default now.
        """
        return self._find(descriptor, attributes, on_overflow, start, exponential=False).row

    def histogram_row(
        self, descriptor: Descriptor, attributes: Attributes, on_overflow: _Report, start: int | None = None
    ) -> HistogramRow:
        """The row and the exponential cells of a histogram's series.

        A series whose row was made without such cells, as a bridge does it, gets some that nobody reads.
        """
        own = self._find(descriptor, attributes, on_overflow, start, exponential=True)
        return HistogramRow(own.row, own.exponential or ExponentialCells(private_row(EXPONENTIAL_WIDTH)))

    def slots(self, descriptor: Descriptor, attributes: Attributes, size: int) -> SlotBytes:
        """The exemplar slots of a series that has a row here, or of the overflow series in its place."""
        own = self._series.get((descriptor, attributes_key(attributes)))
        if own is None and self._admit(descriptor, attributes, None) is None:
            own = self._series.get((descriptor, attributes_key(OVERFLOW_ATTRIBUTES)))
        if own is None:
            return exemplar_slots.private_slots(descriptor, size)
        if own.slots is None:
            own.slots = {}
        if size not in own.slots:
            own.slots[size] = self._add_slots(own, size)
            self._slots.append((own.series, own.slots[size], size))
        return own.slots[size]

    def sources(self) -> list[RowSource]:
        """The rows as they are now."""
        private = self._private.source()
        return [self._shared.source(), private] if self._shared else [private]

    def exemplars(self) -> list[tuple[Series, Exemplars]]:
        """What the exemplar slots hold now."""
        return [
            (series, exemplar_slots.decode_slots(slots, size)) for series, slots, size in list(self._slots)
        ]

    def declared(self) -> dict[Descriptor, int]:
        """The descriptors of all rows here, with the time (ns) at which this worker declared them."""
        return dict.fromkeys(list(self._descriptors), self._created_at_ns)

    def _find(
        self,
        descriptor: Descriptor,
        attributes: Attributes,
        on_overflow: _Report,
        start: int | None,
        *,
        exponential: bool,
    ) -> OwnSeries:
        own = self._series.get((descriptor, attributes_key(attributes)))
        if own is not None:
            return own
        admitted = self._admit(descriptor, attributes, start)
        if admitted is None:
            on_overflow(descriptor)
            attributes, admitted = OVERFLOW_ATTRIBUTES, self._group_start_ns
            own = self._series.get((descriptor, attributes_key(attributes)))
        return own or self._add(descriptor, attributes, admitted, exponential)

    def _add(
        self, descriptor: Descriptor, attributes: Attributes, start: int, exponential: bool
    ) -> OwnSeries:
        series = self._catalog.series(descriptor, attributes, start, self.slot)
        row = self._or_private(lambda rows: rows.add_row(series, attributes, start))
        own = OwnSeries(series, attributes, start, row)
        if exponential:
            own.exponential = ExponentialCells(self._or_private(lambda rows: rows.add_exponential(own)))
        self._descriptors[descriptor] = None
        self._series[descriptor, attributes_key(attributes)] = own
        return own

    def _admit(self, descriptor: Descriptor, attributes: Attributes, start: int | None) -> int | None:
        """When the series began, in ns since the epoch; None if it is past the cardinality limit."""
        if attributes == OVERFLOW_ATTRIBUTES:  # outside the limit, with a start on which all workers agree
            return self._group_start_ns
        try:
            return self._limiter.admit(descriptor, attributes, start)
        except OSError as error:
            self._limiter = ProcessLimiter(self._limit)
            self._out_of_space(error)
            return self._limiter.admit(descriptor, attributes, start)

    def _or_private(self, add: Callable[[OwnRows], Row]) -> Row:
        """What ``add`` makes; in private memory if there is no space for it in the worker file."""
        try:
            return add(self._rows)
        except OSError as error:
            self._rows = self._private
            self._out_of_space(error)
            return add(self._private)

    def _add_slots(self, own: OwnSeries, size: int) -> SlotBytes:
        """Private slots if there is no space: new rows must not become private for an exemplar's sake."""
        try:
            return self._rows.add_slots(own, size)
        except OSError:
            return self._private.add_slots(own, size)

    def _out_of_space(self, error: OSError) -> None:
        message = (
            "dualmetrics: no space left in the group's directory (%s); "
            "the other workers do not see new series of this worker"
        )
        self._errors.count()
        self._errors.log_once("space", message, error)
