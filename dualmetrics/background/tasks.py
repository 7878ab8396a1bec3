"""What a worker of the group does besides recording: the duties of its background thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from dualmetrics.aggregation.group_store import GroupStore, GroupTotals
from dualmetrics.background.push import PushResult
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.self_metrics import SelfMetrics, group_metrics
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.snapshot import Family, Snapshot
from dualmetrics.workers.leader_election import LeaderElection


class Pusher(Protocol):
    """Where pushes go."""

    wanted: bool

    def announce(self) -> None: ...

    def resign(self) -> None: ...

    def push(self, snapshot: Snapshot) -> PushResult: ...


class Port(Protocol):
    """The metrics page on a port of its own."""

    def open(self) -> None: ...

    def close(self) -> None: ...


class Bridges(Protocol):
    """What others measure, in our rows."""

    def refresh(self) -> None: ...

    def arbitrate(self, families: tuple[Family, ...]) -> tuple[Family, ...]: ...

    def end(self) -> None: ...


class WorkerTasks:
    """Takes snapshots of the group, and pushes them while this worker is the elected one."""

    def __init__(
        self,
        store: GroupStore,
        observers: CallbackRunner,
        election: LeaderElection,
        delivery: Pusher,
        port: Port,
        health: SelfMetrics,
        joined: Bridges,
        resource: Callable[[], Attributes],
        look: Callable[[], None],
        shutdown_timeout: float,
    ) -> None:
        self._store = store
        self._observers = observers
        self._election = election
        self._delivery = delivery
        self._port = port
        self._health = health
        self._joined = joined
        self._resource = resource
        self._look = look
        self._shutdown_timeout = shutdown_timeout

    def snapshot(self, exponential: bool = True) -> Snapshot:
        """The totals of the group now, with what is observed in this process. Raises OSError.

        With exponential histograms if they are recorded and wanted.
        """
        leading = self._election.try_acquire()
        self._observers.run(leading)
        if not leading:
            self._joined.refresh()
        totals = self._store.read(exponential)
        if totals.dead:
            self._store.fold()
        return self._snapshot(totals)

    def tick(self) -> bool:
        """Stand for election, observe, fold (see `push.Duties`)."""
        self._look()
        leading = self._election.try_acquire()
        if leading:
            self._port.open()
            self._delivery.announce()
        self._health.begin()
        self._observers.run(leading)
        self._store.fold()
        return leading

    def push(self) -> bool:
        """Push the totals of now."""
        if not self._delivery.wanted:
            return True
        delivered = self._delivery.push(self._snapshot(self._store.read()))
        self._health.pushed(delivered.points, delivered.success)
        return delivered.success

    def finish(self) -> bool:
        """Give up this worker's liveness, and push if it was the last one of the group."""
        self._observers.run(self._election.try_acquire())
        self._joined.end()  # a row that comes in late would begin a new life, and nobody were the last one
        last = self._store.leave_group(self._shutdown_timeout)
        try:
            if (
                last is None
                or not self._delivery.wanted
                or not self._election.try_acquire(self._shutdown_timeout)
            ):
                return True
            # Not counted: nobody is left to show it, and recording would begin a new life.
            return self._delivery.push(self._snapshot(last)).success
        finally:
            self.resign()

    def resign(self) -> None:
        """Let another worker be the elected one."""
        self._port.close()
        self._delivery.resign()
        self._election.release()

    def _snapshot(self, totals: GroupTotals) -> Snapshot:
        now = time.time_ns()
        families = (*totals.families, *group_metrics(totals, now / 1e9))
        return Snapshot(now, self._resource(), self._joined.arbitrate(families))
