"""Takes snapshots: the totals of the group at one instant, as the page and the push both get them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.group_totals import GroupTotals
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.self_metrics import group_metrics
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.snapshot import Family, Snapshot
from dualmetrics.workers.leader_election import LeaderElection


@dataclass(frozen=True)
class SnapshotTaker:
    """Takes snapshots of one group. ``resolve_conflicts`` leaves out families whose names are taken.

    ``last_export``: see `group_metrics`.
    """

    store: GroupStore
    callbacks: CallbackRunner
    election: LeaderElection
    refresh_bridges: Callable[[], None]
    resolve_conflicts: Callable[[tuple[Family, ...]], tuple[Family, ...]]
    resource: Callable[[], Attributes]
    last_export: Callable[[], float | None]

    def take(self, exponential: bool = True) -> Snapshot:
        """The totals of the group now, with fresh values of what is observed in this process.

        It has exponential histograms if they are recorded and ``exponential`` asks for them. Raises OSError
        if the group cannot be read.
        """
        self.store.on_use()
        if not self.observe():
            self.refresh_bridges()
        totals = self.store.read(exponential)
        if totals.has_dead_workers:
            self.store.fold()
        return self.of(totals)

    def observe(self) -> bool:
        """Run the callbacks of the observable instruments. Return whether this worker is the leader."""
        is_leader = self.election.try_acquire()
        self.callbacks.run(is_leader)
        return is_leader

    def of(self, totals: GroupTotals) -> Snapshot:
        """The snapshot of these totals, with the metrics that the library reports of itself."""
        now = time.time_ns()
        families = (*totals.families, *group_metrics(totals, now / 1e9, self.last_export()))
        return Snapshot(now, self.resource(), self.resolve_conflicts(families))
