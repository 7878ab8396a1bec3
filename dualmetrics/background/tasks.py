"""What the background thread of a worker does: observe, elect a leader, fold, push."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background.push import PushResult
from dualmetrics.background.push_schedule import PushSchedule
from dualmetrics.background.snapshots import SnapshotTaker
from dualmetrics.instruments.self_metrics import SelfMetrics
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.group_files import IncompleteGroupError
from dualmetrics.workers.leader_election import LeaderElection


class Pusher(Protocol):
    """Sends snapshots to a Collector."""

    wanted: bool

    def announce(self) -> None: ...

    def keep_baseline(self) -> None: ...

    def resign(self) -> None: ...

    def shutdown(self) -> None: ...

    def push(self, snapshot: Snapshot, is_last: bool = False) -> PushResult: ...


class Port(Protocol):
    """The metrics page on a port of its own."""

    @property
    def is_waiting(self) -> bool: ...

    def open(self) -> None: ...

    def close(self) -> None: ...


_PORT_SECONDS = 0.5
"""The time after which a process looks again whether another one still has the port. That costs 0.3 ms."""

_OVERDUE = (
    "dualmetrics: a push is late by two intervals or more. No process of the group could push in time: there "
    "was none for a while, or it was stopped. Nothing is lost. If this comes again, look for what stops the "
    "processes, such as a frozen container or a lack of processor time"
)


@dataclass(frozen=True)
class WorkerTasks:
    """The tasks of one process. They run in its background thread, one at a time.

    A *caretaker* (see `GroupStore.is_caretaker`) observes nothing, and leads only while it acts.
    ``detect_tracer`` looks for a tracer that was set late. ``stop_importing`` ends the import from other
    libraries. ``shutdown_timeout`` is in seconds.
    """

    store: GroupStore
    snapshots: SnapshotTaker
    election: LeaderElection
    schedule: PushSchedule
    pusher: Pusher
    port: Port
    self_metrics: SelfMetrics
    errors: ErrorReporter
    detect_tracer: Callable[[], None]
    stop_importing: Callable[[], None]
    shutdown_timeout: float

    def tick(self) -> bool:
        """Stand for election, observe and fold. Return whether this process is the leader."""
        self.detect_tracer()
        is_leader = self.election.try_acquire()
        self.port.open()
        self.pusher.keep_baseline()
        if is_leader:
            self.pusher.announce()
        else:  # it may have been the leader until somebody deleted the lock
            self.pusher.resign()
        if not self.store.is_caretaker:
            self.self_metrics.show_errors()
            if self.pusher.wanted:
                self.self_metrics.show_pushes()
            self.snapshots.callbacks.run(is_leader)
        self.store.fold()
        return is_leader

    def seconds_to_push(self) -> float:
        """The time until the leader has to push; in another process, until that push is late."""
        return self.schedule.seconds_left() if self.pusher.wanted else math.inf

    def seconds_to_retry(self) -> float:
        """The time until this process tries again to listen on a port that another process has."""
        return _PORT_SECONDS if self.port.is_waiting else math.inf

    def retry(self) -> bool:
        """Take over the port if its owner has ended."""
        self.port.open()
        return True

    def push(self) -> bool:
        """Push the totals of now. Return False if that failed."""
        if not self.pusher.wanted:
            return True
        if self.schedule.is_overdue:
            self.errors.log_once("overdue", _OVERDUE)
            self.self_metrics.overdue()
        try:
            result = self.pusher.push(self.snapshots.of(self.store.read()))
        except IncompleteGroupError:  # it is complete in a moment
            return False
        except Exception:  # the thread counts and logs it; the next push comes after an interval
            self.schedule.pushed()
            self.self_metrics.pushed(0, success=False)
            raise
        self.schedule.pushed()
        self.self_metrics.pushed(result.points, result.success)
        return result.success

    def rest(self) -> None:
        """End a round. A caretaker lets the workers lead, which run the app's callbacks."""
        if self.store.is_caretaker:
            self.pusher.resign()
            self.election.release()

    def finish(self) -> bool:
        """Leave the group, and push if this was its last process. Return False if that failed."""
        if not self.store.is_caretaker:
            self.snapshots.observe()
        # A row that is written after this point would register the worker again, and then no worker of
        # the group would find itself to be the last one.
        self.stop_importing()
        totals = self.store.leave_group(self.shutdown_timeout)
        try:
            if totals is None or not totals.families or not self.pusher.wanted:
                return True
            if not self.election.try_acquire(self.shutdown_timeout):
                return True
            # Not counted in our own metrics, for the same reason.
            success = self.pusher.push(self.snapshots.of(totals), is_last=True).success
            self.schedule.pushed()
            return success
        finally:
            self.resign()
            self.pusher.shutdown()

    def resign(self) -> None:
        """Let another worker become the leader."""
        self.port.close()
        self.pusher.resign()
        self.election.release()
