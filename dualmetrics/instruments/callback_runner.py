"""Running the callbacks of observable instruments, so that none can hold up another, a scrape or a push."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

from opentelemetry.metrics import CallbackOptions

from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.threads import start_thread

PATIENCE = 1.0
"""Seconds that a round of callbacks waits for one of them before it goes on without it."""


class ObservedInstrument(Protocol):
    """What has callbacks to run."""

    name: str
    once_per_group: bool

    def observe(self, options: CallbackOptions) -> None: ...


class CallbackRunner:
    """All observable instruments of a provider.

    Callbacks run one after the other in a thread of their own. Whoever waits for a round waits for each
    callback `PATIENCE` seconds; the rest goes on in another thread, and the late one is left out until it has
    returned.
    """

    def __init__(self, errors: ErrorReporter) -> None:
        self._errors = errors
        self._observed: list[ObservedInstrument] = []
        self._included: list[Callable[[], Iterable[ObservedInstrument]]] = []
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Threads of the parent do not exist here: nobody is late, no round is under way."""
        self._late: dict[int, ObservedInstrument] = {}
        self._turn = threading.Lock()

    def add(self, observed: ObservedInstrument) -> None:
        """Run the callbacks of ``observed`` from the next round on."""
        if not any(one is observed for one in self._observed):
            self._observed.append(observed)

    def add_dynamic(self, observed: Callable[[], Iterable[ObservedInstrument]]) -> None:
        """Run from the next round on what ``observed`` gives then."""
        self._included.append(observed)

    def run(self, leading: bool, timeout: float = 5.0) -> None:
        """Run all callbacks, those once per group only where ``leading``; takes ``timeout`` seconds at most.

        Rounds do not overlap; a second caller waits for the first one's, so that its values are fresh too.
        """
        if self._observed or self._included:
            self.run_only(self._due(leading), timeout)

    def run_only(self, callbacks: Iterable[ObservedInstrument], timeout: float = 5.0) -> None:
        """Run these callbacks instead of those that were added, in a round as `run` does."""
        if not self._turn.acquire(timeout=timeout):
            return
        try:
            self._round(deque(callbacks), timeout)
        finally:
            self._turn.release()

    def _due(self, leading: bool) -> Iterator[ObservedInstrument]:
        added = chain.from_iterable(observed() for observed in self._included)
        return (one for one in chain(self._observed, added) if leading or not one.once_per_group)

    def _round(self, waiting: deque[ObservedInstrument], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while waiting and time.monotonic() < deadline:
            finished = threading.Event()
            if not start_thread("dualmetrics-observer", self._work, waiting, finished, deadline):
                return
            left = len(waiting)
            while not finished.wait(PATIENCE):
                if len(waiting) == left:  # the same callback as a second ago: go on without it
                    self._tell_of_late()
                    break
                left = len(waiting)

    def _work(self, waiting: deque[ObservedInstrument], finished: threading.Event, deadline: float) -> None:
        while waiting:
            one = waiting.popleft()
            if id(one) in self._late:
                continue
            self._late[id(one)] = one
            options = CallbackOptions(timeout_millis=max(0.0, deadline - time.monotonic()) * 1000)
            started = time.monotonic()
            try:
                one.observe(options)
            finally:
                self._late.pop(id(one), None)
            if time.monotonic() - started > PATIENCE:
                return  # another thread does the rest
        finished.set()

    def _tell_of_late(self) -> None:
        for one in list(self._late.values()):
            message = "dualmetrics: a callback of %s takes long; it is not waited for"
            self._errors.log_once(f"late {one.name}", message, one.name)
