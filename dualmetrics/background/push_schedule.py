"""When the group pushes.

The schedule belongs to the group, not to a worker: whoever leads pushes when a push is due. So pushes are on
time, however short the workers live.
"""

from __future__ import annotations

import random
import time

from dualmetrics.runtime import forking
from dualmetrics.workers.leader_election import LeaderElection

_JITTER = 0.1
"""The share of the interval by which a push comes early or late, so that servers do not push in step."""

_OVERDUE_INTERVALS = 2


class PushSchedule:
    """Says when the next push is due. ``interval`` is in seconds.

    It uses the clock of the system, because monotonic clocks of two processes cannot be compared. If that
    clock is set back, the next push comes at once.
    """

    def __init__(self, election: LeaderElection, interval: float) -> None:
        self._election = election
        self._interval = interval
        self.after_fork_in_child()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """Draw other random numbers than the parent."""
        self._random = random.Random()  # noqa: S311  # no secret; the app's own sequence is left alone
        self._draw()

    def seconds_left(self) -> float:
        """Return the seconds until the leader has to push; zero or less if the push is due.

        The first leader of a group starts the schedule. Any other process gets the seconds until that push
        is late, so that it can stand for election then.
        """
        now, last, leads = time.time(), self._election.last_push(), self._election.is_leader
        if last is None and leads:
            self._election.record_push(now)
        if last is None:
            return self._next_interval
        interval = self._next_interval if leads else self._interval * (1 + _JITTER)
        return interval - (now - last) if last <= now else 0.0

    @property
    def is_overdue(self) -> bool:
        """Whether the next push is late by two intervals."""
        return self.seconds_left() < -_OVERDUE_INTERVALS * self._interval

    def pushed(self) -> None:
        """Record that the group has pushed, or tried to."""
        self._election.record_push(time.time())
        self._draw()

    def _draw(self) -> None:
        self._next_interval = self._interval * self._random.uniform(1 - _JITTER, 1 + _JITTER)
