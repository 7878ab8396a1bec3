"""The series that this process records, in its worker file or in private memory."""

from __future__ import annotations

import time
from collections.abc import Collection

from dualmetrics.aggregation.deferred_rows import WantedRow
from dualmetrics.aggregation.merging import RowSource
from dualmetrics.aggregation.own_rows import OwnRows, PrivateRows, SharedRows
from dualmetrics.aggregation.series import Series, SeriesCatalog
from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import exemplar_slots, file_format
from dualmetrics.storage.exemplar_slots import SlotBytes
from dualmetrics.storage.exponential_cells import EXPONENTIAL_WIDTH, ExponentialCells, HistogramRow
from dualmetrics.storage.regions import Row, private_row
from dualmetrics.workers.cardinality import CardinalityLimiter, ProcessLimiter
from dualmetrics.workers.membership import Membership

OVERFLOW_ATTRIBUTES: Attributes = (("otel.metric.overflow", True),)
"""The attributes of the one series that takes what is past the cardinality limit (metrics SDK spec)."""

_Key = tuple[object, ...]


class WorkerStore:
    """The rows of one worker, from its first row until it leaves the group. The caller holds a lock.

    Descriptors are told apart by identity: ``catalog`` has one for each metric. A full disk raises nothing
    here: from then on new rows are private, which is logged once.
    """

    def __init__(
        self, membership: Membership | None, catalog: SeriesCatalog, limit: int, errors: ErrorReporter
    ) -> None:
        self._catalog = catalog
        self._limit = limit
        self._errors = errors
        self._rows: dict[_Key, Row] = {}
        self._exponentials: dict[_Key, ExponentialCells] = {}
        self._slots: dict[_Key, tuple[Series, SlotBytes, int]] = {}
        self._descriptors: dict[int, Descriptor] = {}
        self._full: set[int] = set()
        self._overflowed: list[Descriptor] = []
        self._private = PrivateRows()
        self._shared: SharedRows | None = None
        self._target: OwnRows = self._private
        """Where new rows go."""
        self._limiter: CardinalityLimiter = membership.limiter if membership else ProcessLimiter(limit)
        self._group_start_ns = membership.identity.start_time_ns if membership else time.time_ns()
        self._created_at_ns = 0
        self.slot = 0
        self.file_id: bytes | None = None
        self.role = file_format.WORKER

    def join_group(self, membership: Membership) -> None:
        """Create the file of this process. Counting a failure of this records, in this very store."""
        try:
            file = membership.create_worker_file()
        except OSError as error:
            self._out_of_space(error)
        else:
            self._created_at_ns, self.slot, self.file_id = file.created_at_ns, file.slot, file.file_id
            self._target = self._shared = SharedRows(file.region, file.created_at_ns)

    def set_role(self, role: str) -> None:
        """Say what this process is in the group."""
        if role != self.role:
            self.role = role
            try:
                if self._shared is not None:
                    self._shared.set_role(role)
            except OSError as error:
                self._go_private(error)

    def row(self, wanted: WantedRow) -> Row:
        """The row of a series, or of the overflow series if the metric has reached its limit."""
        return self._rows[self._key_of_row(wanted)]

    def histogram_row(self, wanted: WantedRow) -> HistogramRow:
        """The row and the exponential cells of a histogram's series.

        A series whose row was made without such cells, as a bridge does it, gets some that nobody reads.
        """
        key = self._key_of_row(wanted, exponential=True)
        exponential = self._exponentials.get(key) or ExponentialCells(private_row(EXPONENTIAL_WIDTH))
        return HistogramRow(self._rows[key], exponential)

    def take_overflowed(self) -> list[Descriptor]:
        """The metrics of the sets past the cardinality limit, since the last call."""
        overflowed, self._overflowed = self._overflowed, []
        return overflowed

    def admitted_crcs(self, descriptor: Descriptor) -> Collection[int] | None:
        """The CRCs of the admitted sets (see `PastLimit`) of a metric that has overflowed here; else None."""
        return self._limiter.admitted_crcs(descriptor) if id(descriptor) in self._full else None

    def slots(self, descriptor: Descriptor, attributes: Attributes, size: int) -> SlotBytes:
        """The exemplar slots of a series that has a row here, or of the overflow series in its place."""
        descriptor = self._catalog.descriptor(descriptor)
        key = (*_key(descriptor, attributes), size)
        if key in self._slots:
            return self._slots[key][1]
        start = self._admit(descriptor, attributes, None)
        if start is None:
            return self.slots(descriptor, OVERFLOW_ATTRIBUTES, size)
        series = self._catalog.series(descriptor, attributes, start, self.slot)
        try:
            slots = self._target.add_slots(series, attributes, start, size)
        except OSError:  # private slots, but new rows must not become private for an exemplar's sake
            slots = self._private.add_slots(series, attributes, start, size)
        self._slots[key] = series, slots, size
        return slots

    def sources(self) -> list[RowSource]:
        """The rows as they are now."""
        private = self._private.source()
        return [self._shared.source(), private] if self._shared else [private]

    def exemplars(self) -> list[tuple[Series, Exemplars]]:
        """What the exemplar slots hold now."""
        return [
            (series, exemplar_slots.decode_slots(slots, size))
            for series, slots, size in list(self._slots.values())
        ]

    def declared(self) -> dict[Descriptor, int]:
        """The descriptors of all rows here, with the time (ns) at which this worker declared them."""
        return dict.fromkeys(list(self._descriptors.values()), self._created_at_ns)

    def _key_of_row(self, wanted: WantedRow, exponential: bool = False) -> _Key:
        """The key of the row that takes a series, which is added if it is new."""
        _, attributes, _, shard = wanted
        descriptor = self._catalog.descriptor(wanted.descriptor)
        key = _key(descriptor, attributes, shard)
        if key in self._rows:
            return key
        start = self._admit(descriptor, attributes, wanted.start)
        if start is None:
            self._overflowed.append(descriptor)
            self._full.add(id(wanted.descriptor))
            attributes, start = OVERFLOW_ATTRIBUTES, self._group_start_ns
            key = _key(descriptor, attributes, shard)
        if key not in self._rows:
            self._add_row(key, descriptor, attributes, start, exponential)
        return key

    def _add_row(
        self, key: _Key, descriptor: Descriptor, attributes: Attributes, start: int, exponential: bool
    ) -> None:
        series = self._catalog.series(descriptor, attributes, start, self.slot)
        try:
            row = self._target.add_row(series, attributes, start)
        except OSError as error:
            row = self._go_private(error).add_row(series, attributes, start)
        if exponential:
            self._exponentials[key] = ExponentialCells(self._add_exponential(series, row))
        self._descriptors.setdefault(id(descriptor), descriptor)
        self._rows[key] = row

    def _add_exponential(self, series: Series, row: Row) -> Row:
        try:
            return self._target.add_exponential(series, row)
        except OSError as error:
            return self._go_private(error).add_exponential(series, row)

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

    def _go_private(self, error: OSError) -> OwnRows:
        """Put new rows in private memory from now on."""
        self._target = self._private
        self._out_of_space(error)
        return self._private

    def _out_of_space(self, error: OSError) -> None:
        message = (
            "dualmetrics: no space left in the group's directory (%s); the other workers do not see new "
            "series of this worker. Make room there, or set DUALMETRICS_DIR to a larger file system, and "
            "restart"
        )
        self._errors.count()
        self._errors.log_once("space", message, error)


def _key(descriptor: Descriptor, attributes: Attributes, shard: int = 0) -> _Key:
    return id(descriptor), attributes_key(attributes), shard
