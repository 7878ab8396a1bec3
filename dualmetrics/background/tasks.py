"""What the background thread of a worker does: observe, elect a leader, fold, push."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background.push import PushResult
from dualmetrics.background.snapshots import SnapshotTaker
from dualmetrics.instruments.self_metrics import SelfMetrics
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.workers.group_files import IncompleteGroupError
from dualmetrics.workers.leader_election import LeaderElection


class Pusher(Protocol):
    """Sends snapshots to a Collector."""

    wanted: bool

    def announce(self) -> None: ...

    def keep_baseline(self) -> None: ...

    def resign(self) -> None: ...

    def shutdown(self) -> None: ...

    def push(self, snapshot: Snapshot) -> PushResult: ...


class Port(Protocol):
    """The metrics page on a port of its own."""

    def open(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class WorkerTasks:
    """The tasks of one worker. They run in its background thread, one at a time.

    ``detect_tracer`` looks for a tracer that was set late. ``stop_importing`` ends the import from other
    libraries. ``shutdown_timeout`` is in seconds.
    """

    store: GroupStore
    snapshots: SnapshotTaker
    election: LeaderElection
    pusher: Pusher
    port: Port
    self_metrics: SelfMetrics
    detect_tracer: Callable[[], None]
    stop_importing: Callable[[], None]
    shutdown_timeout: float

    def tick(self) -> bool:
        """Stand for election, observe and fold. Return whether this worker is the leader."""
        self.detect_tracer()
        is_leader = self.election.try_acquire()
        self.pusher.keep_baseline()
        if is_leader:
            self.port.open()
            self.pusher.announce()
        else:  # it may have been the leader until somebody deleted the lock
            self.resign()
        self.self_metrics.show_errors()
        self.snapshots.callbacks.run(is_leader)
        self.store.fold()
        return is_leader

    def push(self) -> bool:
        """Push the totals of now. Return False if that failed."""
        if not self.pusher.wanted:
            return True
        try:
            totals = self.store.read()
        except IncompleteGroupError:
            return False
        result = self.pusher.push(self.snapshots.of(totals))
        self.self_metrics.pushed(result.points, result.success)
        return result.success

    def finish(self) -> bool:
        """Leave the group, and push if this was its last worker. Return False if that failed."""
        self.snapshots.observe()
        # A row that is written after this point would register the worker again, and then no worker of
        # the group would find itself to be the last one.
        self.stop_importing()
        totals = self.store.leave_group(self.shutdown_timeout)
        try:
            if totals is None or not self.pusher.wanted:
                return True
            if not self.election.try_acquire(self.shutdown_timeout):
                return True
            # Not counted in our own metrics, for the same reason.
            return self.pusher.push(self.snapshots.of(totals)).success
        finally:
            self.resign()
            self.pusher.shutdown()

    def resign(self) -> None:
        """Let another worker become the leader."""
        self.port.close()
        self.pusher.resign()
        self.election.release()
