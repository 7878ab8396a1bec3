"""Gives rows to those that record, and the totals of the group to those that export."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from dualmetrics.aggregation import archive
from dualmetrics.aggregation.deferred_rows import DeferredRows, WantedRow
from dualmetrics.aggregation.group_access import GroupAccess
from dualmetrics.aggregation.group_totals import GroupTotals
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.series import SeriesCatalog
from dualmetrics.aggregation.worker_store import WorkerStore
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime import forking
from dualmetrics.runtime.callbacks import Callback, WeakCallbacks
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.storage import exemplar_slots
from dualmetrics.storage.exemplar_slots import SlotBytes
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.file_format import CARETAKER, WORKER
from dualmetrics.storage.regions import Row
from dualmetrics.workers.file_names import FOLD_LOCK
from dualmetrics.workers.membership import GroupAddress, Membership

_RowT = TypeVar("_RowT", Row, HistogramRow)


class GroupStore:
    """The rows of this process, and the totals of its worker group.

    It joins the group when the first row is asked for. ``limit`` is the cardinality limit of a metric over
    the group. ``exponential`` says whether histograms are recorded in exponential buckets too.
    """

    def __init__(
        self,
        address: GroupAddress,
        policies: AggregationPolicies,
        limit: int,
        errors: ErrorReporter,
        exponential: bool = False,
    ) -> None:
        self.limit = limit
        self.exponential = exponential
        # A strong reference: an app that keeps only an instrument needs the background work too.
        self.on_use: Callback = lambda: None
        """Called when a row is given or the totals are read: the background work may start."""
        self.on_overflow: Callable[[Descriptor], None] = lambda descriptor: None
        """Called for each attribute set past the cardinality limit, while the store holds no lock."""
        self.on_skipped: Callable[[str], None] = lambda reason: None
        """Called for each file of the group that cannot be read."""
        self.is_caretaker = False
        """Whether this process only folds and pushes for the group's workers, and is none itself."""
        self._address = address
        self._policies = policies
        self._errors = errors
        self.invalidate_rows = WeakCallbacks()
        """Has every row asked for again, so that `on_use` hears of the next recording."""
        self._reset()
        forking.register(self)

    def _reset(self) -> None:
        """Begin as if nothing had been opened or recorded, with fresh locks."""
        self._lock = ReentrantLock()
        self._allocating = False
        self._totals_lock = ReentrantLock()
        self._catalog = SeriesCatalog(self._policies)
        self._access = GroupAccess(
            self._address,
            self.limit,
            self._errors,
            self._lock,
            self._catalog,
            self._report_skipped,
        )
        self._own: WorkerStore | None = None
        self._deferred = DeferredRows()

    def row(
        self, descriptor: Descriptor, attributes: Attributes, start: int | None = None, shard: int = 0
    ) -> Row:
        """The row of a series in this process; past the cardinality limit, that of the overflow series.

        ``start`` (ns since the epoch; default now) is when a series began that is new to the group. Keep the
        row until `on_invalidate` calls. This is the slow path of recording: it locks, and calls `on_use`.
        The row is written under the lock of ``shard`` (see `runtime.free_threading`).
        """
        wanted = WantedRow(descriptor, attributes, start, shard)
        return self._allocate(WorkerStore.row, DeferredRows.row, wanted)

    def histogram_row(
        self, descriptor: Descriptor, attributes: Attributes, start: int | None = None, shard: int = 0
    ) -> HistogramRow:
        """The same for a histogram that is recorded in exponential buckets too."""
        wanted = WantedRow(descriptor, attributes, start, shard)
        return self._allocate(WorkerStore.histogram_row, DeferredRows.histogram_row, wanted)

    def _allocate(
        self,
        allocate: Callable[[WorkerStore, WantedRow], _RowT],
        defer: Callable[[DeferredRows, WantedRow], _RowT],
        wanted: WantedRow,
    ) -> _RowT:
        # A context manager written in Python would leave the lock held if a signal handler raised in it.
        with self._lock:
            if self._allocating:  # a signal handler or a finalizer has interrupted this thread in here
                return defer(self._deferred, wanted)
            self._allocating = True
            try:
                own = self._own or self._create_own()
                row = allocate(own, wanted)
                self._apply_deferred(own)
            finally:
                self._allocating = False
            overflowed = own.take_overflowed()
        for metric in overflowed:
            self.on_overflow(metric)
        self.on_use()
        return row

    def slots(
        self, descriptor: Descriptor, attributes: Attributes, size: int = exemplar_slots.PLAIN
    ) -> SlotBytes:
        """The exemplar slots of a series in this process. Keep them as long as its row."""
        with self._lock:
            if self._allocating or self._own is None:  # the row is deferred, or no longer valid
                return exemplar_slots.private_slots(descriptor, size)
            self._allocating = True
            try:
                slots = self._own.slots(descriptor, attributes, size)
                self._apply_deferred(self._own)
            finally:
                self._allocating = False
        return slots

    def admitted_crcs(self, descriptor: Descriptor) -> Collection[int] | None:
        """See `WorkerStore.admitted_crcs`."""
        own = self._own
        return own.admitted_crcs(descriptor) if own else None

    def _apply_deferred(self, own: WorkerStore) -> None:
        """Add what a signal handler or finalizer recorded while it interrupted this thread in here."""
        self._deferred.apply(own.row, own.histogram_row, self.invalidate_rows)

    def _create_own(self) -> WorkerStore:
        membership = self.membership()
        own = self._own = WorkerStore(membership, self._catalog, self.limit, self._errors)
        if membership is not None:
            own.join_group(membership)
        own.set_role(CARETAKER if self.is_caretaker else WORKER)
        return own

    def become_worker(self) -> None:
        """Join the group, if this process has not joined yet, as one of the workers."""
        with self._lock:
            self.is_caretaker = False
            if not self._allocating:
                (self._own or self._create_own()).set_role(WORKER)

    @property
    def is_recording(self) -> bool:
        """Whether this process has joined or recorded anything since it started, left or was reset."""
        return self._own is not None

    def worker_slot(self) -> int:
        """The number of this worker, the smallest that was free; 0 before its first row."""
        own = self._own
        return own.slot if own else 0

    def on_invalidate(self, callback: Callback) -> None:
        """Call ``callback`` whenever the rows that were given are no longer valid.

        A bound method does not keep its object alive.
        """
        self.invalidate_rows.add(callback)

    def membership(self) -> Membership | None:
        """This process' membership of the group, opened when first needed; None if it counts alone."""
        return self._access.open()[0]

    def _report_skipped(self, reason: str) -> None:
        self.on_skipped(reason)  # which is set after this object was made

    def instance_id(self) -> str:
        """The ``service.instance.id`` of the group, or of this process if it counts alone."""
        return self._access.instance_id()

    def read(self, exponential: bool = True, *, even_if_incomplete: bool = False) -> GroupTotals:
        """The totals of the group; histograms with exponential buckets if recorded and wanted.

        Raises OSError if the files cannot be read, or are incomplete (see `Membership`).
        """
        membership, totals = self._access.open()
        if membership is not None and not even_if_incomplete:
            membership.check_completeness()
        with self._totals_lock:
            return totals.read(self._own, exponential=exponential and self.exponential)

    def fold(self) -> None:
        """Move what dead workers counted into the archive, unless another process is doing so."""
        _, totals = self._access.open()
        with self._totals_lock:
            totals.fold(self._own)

    def leave_group(self, timeout: float) -> GroupTotals | None:
        """Give up the worker file. Return the totals if this was the last worker of the group.

        Workers leave one after the other, so exactly one finds itself to be the last. Its rows are no longer
        valid; their numbers stay in the file, which any worker may fold. Recording may go on, in a new file.
        A process that counts alone keeps its rows. Raises OSError.
        """
        membership = self.membership()
        if membership is None:
            return self.read()
        with membership.directory.locked(FOLD_LOCK, timeout):
            totals = self.read(even_if_incomplete=True)
            with self._totals_lock, self._lock:
                self._own = None
                membership.release_worker_file()
        self.invalidate_rows()
        return None if totals.others else totals

    def remove_own_group(self) -> None:
        """Remove the group's directory if this process is the group's root and no worker lives."""
        with self._totals_lock, self._lock:
            if self._own is None:
                self._access.remove_own_group()

    def reset(self, forget: bool = True) -> None:
        """Begin anew, and ``forget`` everything that was counted, by dead workers too. For tests."""
        with self._totals_lock, self._lock:
            membership = self.membership() if forget else None
            if membership is not None:
                membership.release_worker_file()
                archive.clear(membership.directory, membership.identity.group_id)
            self._access.close()
            self._reset()
        self.invalidate_rows()

    def after_fork_in_child(self) -> None:
        """Begin anew, in a file of its own: what was counted before the fork belongs to the parent."""
        inherited = self._access
        self.is_caretaker = False
        self._reset()
        inherited.close()
        self.invalidate_rows()
