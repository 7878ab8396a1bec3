"""This process' share of the group: its own rows, in its own file or in private memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from dualmetrics import records, slots
from dualmetrics.admission import Admission, PrivateAdmission
from dualmetrics.catalog import Catalog
from dualmetrics.cells import MappedRegion, PrivateRegion, Region, Row
from dualmetrics.membership import Membership
from dualmetrics.merge import Series, Source, width
from dualmetrics.rows import Rows
from dualmetrics.slots import Slots
from dualmetrics.snapshot import Attributes, Descriptor, Exemplars, identity
from dualmetrics.trouble import Trouble

OVERFLOW: Attributes = (("otel.metric.overflow", True),)
"""The one series of a metric for what is past the cardinality limit (OpenTelemetry metrics SDK spec)."""


class Share:
    """Rows from a first one on, when the process becomes a worker of the group, to its end.

    Nothing here raises for lack of space: from the moment that the disk is full, new rows are private, which
    is said once. The caller holds a lock.
    """

    def __init__(self, membership: Membership | None, catalog: Catalog, limit: int, trouble: Trouble) -> None:
        self._catalog = catalog
        self._limit = limit
        self._trouble = trouble
        self._cells: dict[tuple[object, ...], Row] = {}
        self._slots: dict[tuple[object, ...], tuple[Series, Slots]] = {}
        self._shared = Rows()
        self._private: list[tuple[Series, Row]] = []
        self._numbers: dict[Descriptor, int] = {}
        self._file: MappedRegion | None = None
        self._region: Region = PrivateRegion()
        self._admission: Admission = membership.admission if membership else PrivateAdmission(limit)
        self._born, self._slot = 0, 0
        self._began = membership.identity.start if membership else time.time_ns()
        self.identity: bytes | None = None

    def be_born(self, membership: Membership) -> None:
        """Become a worker of the group. Counting a failure of this records, in this very share."""
        try:
            file = membership.bear()
        except OSError as error:
            self._space_ran_out(error)
        else:
            self._file = self._region = file.region
            self._born, self._slot = file.born, file.slot
            self.identity = file.identity

    def row(
        self, descriptor: Descriptor, attributes: Attributes, on_overflow: Callable[[Descriptor], None]
    ) -> Row:
        """The cells of a series, or of the overflow series if the metric has reached its limit."""
        key = descriptor, identity(attributes)
        known = self._cells.get(key)
        if known is not None:
            return known
        start = self._start_of(descriptor, attributes)
        if start is None:
            on_overflow(descriptor)
            return self.row(descriptor, OVERFLOW, on_overflow)
        cells = self._cells[key] = self._allocate(descriptor, attributes, start)
        self._keep(self._catalog.series(descriptor, attributes, start, self._slot), cells)
        return cells

    def sources(self) -> list[Source]:
        """The rows as they are now."""
        shared = self._shared.latest(self._file.contents()) if self._file else ()
        private = ((series, tuple(cells)) for series, cells in self._private)
        return [Source(True, shared), Source(True, private)]

    def slots(self, descriptor: Descriptor, attributes: Attributes) -> Slots:
        """The slots of a series that has a row; of the overflow series, if that is where it is counted."""
        key = descriptor, identity(attributes)
        known = self._slots.get(key)
        if known is not None:
            return known[1]
        start = self._start_of(descriptor, attributes)
        if start is None:
            return self.slots(descriptor, OVERFLOW)
        series = self._catalog.series(descriptor, attributes, start, self._slot)
        made = self._allocate_slots(descriptor, [self._number(descriptor), start, attributes])
        self._slots[key] = series, made
        return made

    def exemplars(self) -> list[tuple[Series, Exemplars]]:
        """What the slots hold now."""
        return [(series, slots.decode(found)) for series, found in list(self._slots.values())]

    def declared(self) -> dict[Descriptor, int]:
        """The metrics that this process has rows of, and since when it exists."""
        return dict.fromkeys(list(self._numbers), self._born)

    def _start_of(self, descriptor: Descriptor, attributes: Attributes) -> int | None:
        if attributes == OVERFLOW:  # outside the limit, and with a start on which all workers agree
            return self._began
        try:
            return self._admission.start_of(descriptor, attributes)
        except OSError as error:
            self._admission = PrivateAdmission(self._limit)
            self._space_ran_out(error)
            return self._admission.start_of(descriptor, attributes)

    def _allocate(self, descriptor: Descriptor, attributes: Attributes, start: int) -> Row:
        body = [self._number(descriptor), start, attributes]
        return self._append(records.SERIES, body, width(descriptor))

    def _keep(self, series: Series, cells: Row) -> None:
        if self._file is not None and self._region is self._file:
            self._shared.add(series, self._file.end, len(cells))
        else:
            self._private.append((series, cells))

    def _allocate_slots(self, descriptor: Descriptor, body: object) -> Slots:
        """Private ones where space runs out: a series may not become private for an exemplar's sake."""
        try:
            return self._region.append(records.EXEMPLARS, body, slots.width(descriptor)).cast("B")
        except OSError:
            return slots.private(descriptor)

    def _number(self, descriptor: Descriptor) -> int:
        """The descriptor's number in the file, where it is declared before its first series."""
        number = self._numbers.get(descriptor)
        if number is None:
            number = self._numbers[descriptor] = len(self._numbers)
            body = [self._born, *records.descriptor_body(number, descriptor)]
            self._append(records.DESCRIPTOR, body, 0)
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
        self._trouble.count()
        self._trouble.once("space", message, error)
