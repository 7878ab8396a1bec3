"""The totals of the whole group: this worker's rows, its siblings' files and the archive, added up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from dualmetrics.aggregation import archive
from dualmetrics.aggregation.group_contents import GroupContents
from dualmetrics.aggregation.group_reader import GroupReader
from dualmetrics.aggregation.merging import ExponentialTotals, merge_sources, to_families
from dualmetrics.aggregation.series import Series, SeriesCatalog
from dualmetrics.aggregation.worker_store import WorkerStore
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplars, Family
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import exemplar_slots, file_format
from dualmetrics.storage.regions import Cells
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.group_files import IncompleteGroupError


class GroupTotals(NamedTuple):
    """What the group has counted.

    ``workers`` is how many of its workers live. ``others`` counts the live processes besides this one,
    caretakers included. ``has_dead_workers`` says whether there are files of dead workers, which wait to be
    folded.
    """

    families: list[Family]
    workers: int
    others: int
    has_dead_workers: bool


_REPLACED = (
    "dualmetrics: a newer worker declares %s with another kind, unit or bounds; what was counted before is "
    "dropped and counting starts anew. After a new version of the app, nothing need be done; otherwise, "
    "restart all workers, so that they run the same code"
)
_SKIPPED = (
    "dualmetrics: skipped the file %s: %s. What it had counted is missing from the totals. It cannot be "
    "recovered, and nothing need be done unless this comes again; then give the workers a DUALMETRICS_DIR "
    "that nobody else writes to"
)


class TotalsReader:
    """Reads and folds the files of a group. The caller holds a lock.

    ``directory`` is None where this process counts alone. ``on_skipped`` is called with the reason for which
    a file was skipped.
    """

    def __init__(
        self,
        directory: Directory | None,
        catalog: SeriesCatalog,
        errors: ErrorReporter,
        on_skipped: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._reader = GroupReader(directory, catalog, self._skip) if directory else None
        self._errors = errors
        self._on_skipped = on_skipped
        self._skipped: set[tuple[str, str]] = set()

    def read(self, own: WorkerStore | None, *, exponential: bool) -> GroupTotals:
        """The totals now; ``own`` are the rows of this process.

        Histograms get their exponential buckets if ``exponential``. Raises OSError if the files cannot be
        read.
        """
        contents = self._reader.read(own.file_id if own else None) if self._reader else GroupContents()
        sources = [file.source for file in contents.all] + (own.sources() if own else [])
        _set_exemplars([*contents.exemplars(), *(own.exemplars() if own else [])])
        totals = self._without_replaced(merge_sources(sources), contents, own)
        families = to_families(totals, ExponentialTotals(sources).of, exponential)
        others = [file for file in contents.files if file.alive]
        roles = [file.file_index.role for file in others] + ([own.role] if own else [])
        has_dead_workers = len(others) < len(contents.files)
        return GroupTotals(families, roles.count(file_format.WORKER), len(others), has_dead_workers)

    def close(self) -> None:
        """Close the files that are kept open."""
        if self._reader is not None:
            self._reader.files.close_all()

    def fold(self, own: WorkerStore | None) -> None:
        """Move what dead workers counted into the archive, unless another process is doing so."""
        if self._directory is None or self._reader is None:
            return
        file_id, declared = (own.file_id, own.declared()) if own else (None, {})
        try:
            if self._reader.files.has_dead_workers():
                archive.fold(self._directory, self._reader, file_id, declared, self._log_replaced)
        except IncompleteGroupError:
            return  # the page says so, and this is tried again
        except OSError as error:
            self._errors.error("folding the files of dead workers", error)

    def _without_replaced(
        self, totals: dict[Series, Cells], contents: GroupContents, own: WorkerStore | None
    ) -> Mapping[Series, Cells]:
        """Leave out the rows of metrics that a newer worker declares differently."""
        declarations = [contents.declared(), own.declared() if own else {}]
        current = archive.newest_descriptors(*declarations)
        replaced = {descriptor for declared in declarations for descriptor in declared} - current.keys()
        for descriptor in replaced:
            self._log_replaced(descriptor)
        if not replaced:
            return totals
        return {series: cells for series, cells in totals.items() if series.descriptor in current}

    def _log_replaced(self, descriptor: Descriptor) -> None:
        self._errors.log_once(f"declared {descriptor.name}", _REPLACED, descriptor.name)

    def _skip(self, name: str, reason: str) -> None:
        if (name, reason) not in self._skipped:
            self._skipped.add((name, reason))
            self._on_skipped(reason)
            self._errors.log_once(f"skipped {name}", _SKIPPED, name, reason)


def _set_exemplars(found: Iterable[tuple[Series, Exemplars]]) -> None:
    for series, exemplars in exemplar_slots.latest_exemplars(found).items():
        series.set_exemplars(exemplars)
