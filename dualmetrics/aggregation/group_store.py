"""Rows of cells for whoever records, and the totals of the group for whoever exports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from dualmetrics.aggregation import archive
from dualmetrics.aggregation.deferred_rows import DeferredRows
from dualmetrics.aggregation.group_reader import FOLD, GroupContents, GroupReader
from dualmetrics.aggregation.merging import ExponentialTotals, merge_sources, to_families
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.series import Series, SeriesCatalog
from dualmetrics.aggregation.worker_store import WorkerStore
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.callbacks import Callback, WeakCallbacks
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import exemplar_slots
from dualmetrics.storage.exemplar_slots import SlotBytes
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Cells, Row
from dualmetrics.workers import group_directory
from dualmetrics.workers.membership import GroupAddress, Membership, open_membership

T = TypeVar("T")
Began = int | None
Own = Callable[[Descriptor, Attributes, Began], T]
Ask = Callable[[Descriptor, Attributes], T]


class GroupTotals(NamedTuple):
    """What the group has counted, how many workers of it live, and whether any died unfolded."""

    families: list[Family]
    workers: int
    dead: bool


class GroupStore:
    """This process' share of its worker group, and the way to the others'."""

    def __init__(
        self,
        address: GroupAddress,
        rules: AggregationPolicies,
        limit: int,
        errors: ErrorReporter,
        exponential: bool = False,
    ) -> None:
        self._address = address
        self._rules = rules
        self.limit = limit
        self.exponential = exponential
        """Whether histograms are recorded in exponential buckets too."""
        self._errors = errors
        self._void = WeakCallbacks()
        self.on_use: Callback = lambda: None
        self.on_overflow: Callable[[Descriptor], None] = lambda descriptor: None
        self.on_skipped: Callable[[str], None] = lambda reason: None
        self._begin()

    def _begin(self) -> None:
        """A new life: nothing opened, no rows, fresh locks."""
        self._lock = threading.RLock()
        self._reading = threading.RLock()
        self._catalog = SeriesCatalog(self._rules)
        self._membership: Membership | None = None
        self._reader: GroupReader | None = None
        self._entered = False
        self._share: WorkerStore | None = None
        self._busy = False
        self._late = DeferredRows()
        self._skipped: set[tuple[str, str]] = set()

    def row(self, descriptor: Descriptor, attributes: Attributes, began: int | None = None) -> Row:
        """The cells of a series in this process' share; past the limit, those of the overflow series.

        ``began`` (ns since the epoch; default now) is the start of a series that is new to the group. Keep
        the row until a listener of `on_rebind` is called. This is the slow path of recording: it locks, and
        tells ``on_use``.
        """
        return self._ask(self._own_row, self._late.row, descriptor, attributes, began)

    def histogram_row(
        self, descriptor: Descriptor, attributes: Attributes, began: Began = None
    ) -> HistogramRow:
        """Likewise of a histogram, if it is recorded in exponential buckets too."""
        return self._ask(self._own_distribution, self._late.histogram_row, descriptor, attributes, began)

    def _ask(self, own: Own[T], late: Ask[T], descriptor: Descriptor, attributes: Attributes, at: Began) -> T:
        with self._lock:
            if self._busy:  # a signal handler or finalizer has interrupted this very thread in here
                return late(descriptor, attributes)
            self._busy = True
            try:
                found = own(descriptor, attributes, at)
                self._settle()
            finally:
                self._busy = False
        self.on_use()
        return found

    def _own_row(self, descriptor: Descriptor, attributes: Attributes, began: Began) -> Row:
        share = self._share or self._begin_share()
        return share.row(self._catalog.descriptor(descriptor), attributes, self.on_overflow, began)

    def _own_distribution(self, descriptor: Descriptor, attributes: Attributes, began: Began) -> HistogramRow:
        share = self._share or self._begin_share()
        return share.histogram_row(self._catalog.descriptor(descriptor), attributes, self.on_overflow, began)

    def slots(
        self, descriptor: Descriptor, attributes: Attributes, size: int = exemplar_slots.PLAIN
    ) -> SlotBytes:
        """Where the exemplars of a series in this process' share lie. Keep it as long as its row."""
        with self._lock:
            if self._busy or self._share is None:  # in the way of somebody, or of a row that is void
                return exemplar_slots.private_slots(descriptor, size)
            self._busy = True
            try:
                found = self._share.slots(self._catalog.descriptor(descriptor), attributes, size)
                self._settle()
            finally:
                self._busy = False
        return found

    def _settle(self) -> None:
        """Count in the share what interrupted it."""
        self._late.apply(self._own_row, self._own_distribution, self._void)

    def _begin_share(self) -> WorkerStore:
        membership = self.membership()
        share = self._share = WorkerStore(membership, self._catalog, self.limit, self._errors)
        if membership is not None:
            share.join_group(membership)
        return share

    @property
    def is_recording(self) -> bool:
        """Whether this process is a worker of the group, or counts by itself."""
        return self._share is not None

    def worker_slot(self) -> int:
        """The number of this worker, the smallest that was free; 0 before its first row."""
        share = self._share
        return share.slot if share else 0

    def on_invalidate(self, listener: Callback) -> None:
        """Call ``listener`` (a bound method is held weakly) whenever the rows given so far are void."""
        self._void.add(listener)

    def membership(self) -> Membership | None:
        """This process' place in the group, taken at need; None where it counts alone."""
        with self._lock:
            if not self._entered:
                self._membership = open_membership(self._address, self.limit, self._errors)
                self._entered = True
                if self._membership is not None:
                    self._reader = GroupReader(self._membership.directory, self._catalog, self._skip)
            return self._membership

    def read(self, exponential: bool = True) -> GroupTotals:
        """The totals of the whole group, with exponential histograms if they are recorded and wanted.

        Raises OSError where its directory cannot be read.
        """
        self.membership()
        with self._reading:
            share = self._share
            reading = (
                self._reader.read(share.identity if share else None) if self._reader else GroupContents()
            )
            sources = [file.source for file in reading.all] + (share.sources() if share else [])
            exemplars = exemplar_slots.latest_exemplars(
                reading.exemplars() + (share.exemplars() if share else [])
            )
            for series, found in exemplars.items():
                series.set_exemplars(found)
            totals = self._in_force(merge_sources(sources), reading, share.declared() if share else {})
            together, recorded = ExponentialTotals(sources).of, exponential and self.exponential
        alive = [file.alive for file in reading.files]
        return GroupTotals(
            to_families(totals, together, recorded), sum(alive) + (share is not None), not all(alive)
        )

    def fold(self) -> None:
        """Move what dead workers counted into the archive; nothing happens if somebody else is at it."""
        membership = self.membership()
        with self._reading:
            share = self._share
            if membership is None or self._reader is None:
                return
            own, declared = (share.identity, share.declared()) if share else (None, {})
            try:
                if archive.has_dead_workers(membership.directory):
                    archive.fold(membership.directory, self._reader, own, declared, self._tell_replaced)
            except OSError as error:
                self._errors.error("folding the dead workers' files", error)

    def leave_group(self, timeout: float) -> GroupTotals | None:
        """Give up this process' liveness; give the totals if it was the group's last worker.

        Workers retire one after the other, so that of several just one finds itself the last. The rows given
        so far are void; what they hold stays in the file, which anyone may fold. Recording goes on in a new
        file. Private rows stay, since nobody else could ever show them. Raises OSError.
        """
        membership = self.membership()
        if membership is None:
            return self.read()
        with membership.directory.locked(FOLD, timeout):
            totals = self.read()
            with self._reading, self._lock:
                alone = totals.workers == (self._share is not None)
                self._share = None
                membership.release_worker_file()
        self._void()
        return totals if alone else None

    def remove_own_group(self) -> None:
        """Remove the group's directory, if this process is the group's root and nobody lives in it."""
        with self._reading, self._lock:
            if self._membership is not None and self._share is None:
                group_directory.remove_own_group(self._address.root, self._membership.directory)

    def reset(self) -> None:
        """Forget everything counted so far, by workers that are gone as well; for tests."""
        with self._reading, self._lock:
            if self.membership() is not None and self._membership is not None:
                self._membership.release_worker_file()
                archive.clear(self._membership.directory)
                self._membership.close()
            self._begin()
        self._void()

    def after_fork_in_child(self) -> None:
        """Begin anew: own file, zeroed rows, fresh locks. What was counted before belongs to the parent."""
        inherited = self._membership
        self._begin()
        if inherited is not None:
            inherited.close()
        self._void()

    def invalidate_rows(self) -> None:
        """Have every row asked for again, so that `on_use` learns of the next recording."""
        self._void()

    def _in_force(
        self, totals: dict[Series, Cells], reading: GroupContents, own: Mapping[Descriptor, int]
    ) -> dict[Series, Cells]:
        """Leave out the rows of metrics that a newer worker declares differently."""
        declared = reading.declared()
        keep = archive.newest_descriptors(declared, own)
        stale = (declared.keys() | own.keys()) - keep.keys()
        for descriptor in stale:
            self._tell_replaced(descriptor)
        if not stale:
            return totals
        return {series: cells for series, cells in totals.items() if series.descriptor in keep}

    def _tell_replaced(self, descriptor: Descriptor) -> None:
        message = "dualmetrics: %s is now declared differently; what was counted before starts anew"
        self._errors.log_once(f"declared {descriptor.name}", message, descriptor.name)

    def _skip(self, name: str, reason: str) -> None:
        if (name, reason) not in self._skipped:
            self._skipped.add((name, reason))
            self.on_skipped(reason)
            self._errors.log_once(f"skipped {name}", "dualmetrics: left out %s: %s", name, reason)
