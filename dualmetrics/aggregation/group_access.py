"""The worker group as one process has it open."""

from __future__ import annotations

from collections.abc import Callable

from dualmetrics.aggregation.group_totals import TotalsReader
from dualmetrics.aggregation.series import SeriesCatalog
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.workers import group_directory
from dualmetrics.workers.membership import GroupAddress, Membership, open_membership, repair_membership


class GroupAccess:
    """Opens the group when it is first needed, and repairs it if somebody has deleted its files.

    ``lock`` is that of `GroupStore`, and ``catalog`` its series. ``on_skipped`` is called with the reason for
    which a file could not be read.
    """

    def __init__(
        self,
        address: GroupAddress,
        limit: int,
        errors: ErrorReporter,
        lock: ReentrantLock,
        catalog: SeriesCatalog,
        on_skipped: Callable[[str], None],
    ) -> None:
        self._address = address
        self._limit = limit
        self._errors = errors
        self._lock = lock
        self._catalog = catalog
        self._on_skipped = on_skipped
        self._membership: Membership | None = None
        self._totals: TotalsReader | None = None

    def open(self) -> tuple[Membership | None, TotalsReader]:
        """The membership, None if this process counts alone, and the reader of the totals."""
        with self._lock:
            if self._totals is None:
                self._membership = open_membership(self._address, self._limit, self._errors)
                directory = self._membership.directory if self._membership else None
                self._totals = TotalsReader(directory, self._catalog, self._errors, self._on_skipped)
            repair_membership(self._membership, self._errors)
            return self._membership, self._totals

    def instance_id(self) -> str:
        """The ``service.instance.id`` of the group, or of this process if it counts alone."""
        membership, _ = self.open()
        return membership.identity.instance_id if membership else self._address.instance_id

    def remove_own_group(self) -> None:
        """Remove the group's directory if this process is the group's root and no worker lives."""
        if self._membership is not None:
            path = self._membership.directory.path
            self.close()
            group_directory.remove_own_group(self._address.root, path)

    def close(self) -> None:
        """Close what is open. In a forked child, this closes the inherited copies."""
        if self._totals is not None:
            self._totals.close()
        if self._membership is not None:
            self._membership.close()
        self._membership = self._totals = None
