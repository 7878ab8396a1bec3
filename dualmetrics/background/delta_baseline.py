"""The baseline of delta temporality: the last acknowledged snapshot, kept for the next leader.

The snapshot is written before it is pushed, and becomes the baseline when the Collector has accepted it. If
the leader dies between the two, the push is in doubt: the next leader cannot know whether it has arrived.
The setting ``delta_in_doubt`` says whether its interval is sent again, which may count it twice, or skipped,
which may lose it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

from dualmetrics.aggregation.file_index import FileIndex
from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.merging import ExponentialTotals, RowSource, to_families
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.series import SeriesCatalog
from dualmetrics.aggregation.totals_file import SeriesTotal, encode_totals
from dualmetrics.model.descriptor import Kind, stored_width
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER, FormatError, Header
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import DELTA_BASELINE, DELTA_IN_DOUBT

_IN_DOUBT = (
    "dualmetrics: a process of the group has ended while it pushed with delta temporality. Whether the push "
    "has arrived is not known; its interval is %s. Nothing need be done; if you prefer the "
    "other choice, set DUALMETRICS_DELTA_IN_DOUBT"
)


class DeltaBaseline:
    """The baseline in memory, and in the group's directory for the next leader.

    ``resends``: whether a push in doubt is sent again. ``on_doubt`` is called for each of them.
    """

    def __init__(
        self,
        store: GroupStore,
        errors: ErrorReporter,
        resends: bool = True,
        on_doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._errors = errors
        self._resends = resends
        self._on_doubt = on_doubt
        self.forget()

    def forget(self) -> None:
        """Begin without a baseline, as a forked child does."""
        self._snapshot: Snapshot | None = None
        self._is_current = False

    def expire(self) -> None:
        """Read the directory before the next push: another leader may push meanwhile.

        A process that counts alone has no directory, and keeps what it has.
        """
        self._is_current = False

    def load(self) -> Snapshot | None:
        """The last acknowledged snapshot of the group; None if there is none. Raises OSError."""
        if not self._is_current:
            membership = self._store.membership()
            if membership is not None:
                self._resolve_doubt(membership.directory)
                self._snapshot = load_baseline(membership.directory)
            self._is_current = True
        return self._snapshot

    def _resolve_doubt(self, directory: Directory) -> None:
        if directory.has(DELTA_IN_DOUBT):
            self._errors.log_once("doubt", _IN_DOUBT, "sent again" if self._resends else "skipped")
            self._on_doubt()
            if self._resends:
                directory.unlink(DELTA_IN_DOUBT)
            else:
                directory.rename(DELTA_IN_DOUBT, DELTA_BASELINE)

    def prepare(self, snapshot: Snapshot) -> None:
        """Write down that this snapshot is about to be pushed."""
        self._write(snapshot, DELTA_IN_DOUBT)

    def discard(self) -> None:
        """The push has failed: its interval is sent again in any case."""
        membership = self._store.membership()
        if membership is not None:
            membership.directory.unlink(DELTA_IN_DOUBT)

    def commit(self, snapshot: Snapshot) -> None:
        """The snapshot was acknowledged: it is the new baseline."""
        self._snapshot = snapshot
        membership = self._store.membership()
        try:
            if membership is not None:
                membership.directory.rename(DELTA_IN_DOUBT, DELTA_BASELINE)
        except OSError:  # it could not be prepared, or somebody has deleted it
            self._write(snapshot, DELTA_BASELINE)

    def keep(self) -> None:
        """Write the baseline again if somebody has deleted it."""
        if self._snapshot is None or not self._is_current:
            return
        membership = self._store.membership()
        if membership is not None and not membership.directory.has(DELTA_BASELINE):
            self._write(self._snapshot, DELTA_BASELINE)

    def _write(self, snapshot: Snapshot, name: str) -> None:
        membership = self._store.membership()
        if membership is not None:
            try:
                save_baseline(membership.directory, membership.identity.group_id, snapshot, name)
            except OSError as error:
                self._errors.error("saving the baseline of delta temporality", error)


def save_baseline(
    directory: Directory, group_id: bytes, snapshot: Snapshot, name: str = DELTA_BASELINE
) -> None:
    """Keep the sums of ``snapshot``. Raises OSError, and has then changed nothing."""
    body = b"".join(encode_totals(_sums(snapshot), lambda descriptor: snapshot.time_ns))
    header = Header(group_id, uuid.uuid4().bytes, snapshot.time_ns, HEADER.size + len(body))
    directory.replace(name, file_format.encode_header(header) + body)


def load_baseline(directory: Directory) -> Snapshot | None:
    """The baseline of the group; None if there is none, or it is damaged. Raises OSError."""
    try:
        data = directory.read(DELTA_BASELINE)
        header = file_format.decode_header(data)
        index = FileIndex(SeriesCatalog(AggregationPolicies()), slot=None)
        index.extend(data, header.committed)
    except (FileNotFoundError, FormatError):
        return None
    source = RowSource(False, index.rows(data), index.exponentials(data))
    families = to_families(dict(source.rows), ExponentialTotals([source]).of)
    return Snapshot(header.created_at_ns, (), tuple(families))


def _sums(snapshot: Snapshot) -> Iterator[SeriesTotal]:
    for family in snapshot.families:
        descriptor = family.descriptor
        if descriptor.kind is Kind.GAUGE:
            continue
        time_cell = [0.0] * (stored_width(descriptor) - descriptor.width)
        for point in family.points:
            cells = [*point.cells, *time_cell]
            yield SeriesTotal(descriptor, point.attributes, point.start_time_ns, cells, point.exponential)
