"""What a worker of the group does besides recording: the duties of its background thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from dualmetrics.aggregation.group_store import Store, Totals
from dualmetrics.background.push import Delivered
from dualmetrics.instruments.callback_runner import Observers
from dualmetrics.instruments.self_metrics import Health, derived
from dualmetrics.model.snapshot import Attributes, Family, Snapshot
from dualmetrics.scrape.dedicated_port import PagePort
from dualmetrics.workers.leader_election import Election


class Delivery(Protocol):
    """Where pushes go."""

    wanted: bool

    def announce(self) -> None: ...

    def resign(self) -> None: ...

    def deliver(self, snapshot: Snapshot) -> Delivered: ...


class Joined(Protocol):
    """What others measure, in our rows."""

    def refresh(self) -> None: ...

    def arbitrate(self, families: tuple[Family, ...]) -> tuple[Family, ...]: ...

    def end(self) -> None: ...


class WorkerDuties:
    """Takes snapshots of the group, and pushes them while this worker is the elected one."""

    def __init__(
        self,
        store: Store,
        observers: Observers,
        election: Election,
        delivery: Delivery,
        port: PagePort,
        health: Health,
        joined: Joined,
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
        leading = self._election.stand()
        self._observers.run(leading)
        if not leading:
            self._joined.refresh()
        totals = self._store.read(exponential)
        if totals.dead:
            self._store.fold()
        return self._snapshot(totals)

    def beat(self) -> bool:
        """Stand for election, observe, fold (see `push.Duties`)."""
        self._look()
        leading = self._election.stand()
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
        delivered = self._delivery.deliver(self._snapshot(self._store.read()))
        self._health.pushed(delivered.points, delivered.success)
        return delivered.success

    def finish(self) -> bool:
        """Give up this worker's liveness, and push if it was the last one of the group."""
        self._observers.run(self._election.stand())
        self._joined.end()  # a row that comes in late would begin a new life, and nobody were the last one
        last = self._store.retire(self._shutdown_timeout)
        try:
            if last is None or not self._delivery.wanted or not self._election.stand(self._shutdown_timeout):
                return True
            # Not counted: nobody is left to show it, and recording would begin a new life.
            return self._delivery.deliver(self._snapshot(last)).success
        finally:
            self.resign()

    def resign(self) -> None:
        """Let another worker be the elected one."""
        self._port.close()
        self._delivery.resign()
        self._election.resign()

    def _snapshot(self, totals: Totals) -> Snapshot:
        now = time.time_ns()
        families = (*totals.families, *derived(totals, now / 1e9))
        return Snapshot(now, self._resource(), self._joined.arbitrate(families))
