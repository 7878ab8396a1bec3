"""Runs the callbacks of observable instruments so that a slow one cannot hold up a scrape or a push."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

from opentelemetry.metrics import CallbackOptions

from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.runtime.threads import start_thread

SLOW_CALLBACK_SECONDS = 1.0
"""How long a round waits for a callback before it continues without it."""


class ObservedInstrument(Protocol):
    """An instrument that has callbacks to run."""

    name: str
    once_per_group: bool

    def observe(self, options: CallbackOptions) -> None: ...


class CallbackRunner:
    """Runs the callbacks of all observable instruments, in rounds.

    In a round the callbacks run one after the other in a separate thread. If one takes longer than
    `SLOW_CALLBACK_SECONDS`, the round goes on with the others in a new thread. The slow callback is not
    called again until it has returned.
    """

    def __init__(self, errors: ErrorReporter) -> None:
        self._errors = errors
        self._instruments: list[ObservedInstrument] = []
        self._dynamic_instruments: list[Callable[[], Iterable[ObservedInstrument]]] = []
        self.after_fork_in_child()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """Forget the running callbacks and the current round: the threads of the parent do not exist here."""
        self._running: dict[int, ObservedInstrument] = {}
        self._round_lock = ReentrantLock()

    def add(self, instrument: ObservedInstrument) -> None:
        """Run the callbacks of ``instrument`` from the next round on."""
        if not any(present is instrument for present in self._instruments):
            self._instruments.append(instrument)

    def add_dynamic(self, instruments: Callable[[], Iterable[ObservedInstrument]]) -> None:
        """From the next round on, call ``instruments`` in each round and run what it returns."""
        self._dynamic_instruments.append(instruments)

    def run(self, is_leader: bool, timeout: float = 5.0) -> None:
        """Run a round of all callbacks. It takes at most ``timeout`` seconds.

        Callbacks that run once per group are skipped unless ``is_leader``. Rounds do not overlap: a second
        caller waits for the round of the first one and then runs its own, so that its values are fresh too.
        """
        if self._instruments or self._dynamic_instruments:
            self.run_only(self._due(is_leader), timeout)

    def run_only(self, instruments: Iterable[ObservedInstrument], timeout: float = 5.0) -> None:
        """Run a round as `run` does, but of these instruments instead of those that were added."""
        self._round_lock.call_within(timeout, lambda: self._run_round(deque(instruments), timeout))

    def _due(self, is_leader: bool) -> Iterator[ObservedInstrument]:
        dynamic = chain.from_iterable(instruments() for instruments in self._dynamic_instruments)
        every = chain(self._instruments, dynamic)
        return (instrument for instrument in every if is_leader or not instrument.once_per_group)

    def _run_round(self, waiting: deque[ObservedInstrument], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while waiting and time.monotonic() < deadline:
            finished = threading.Event()
            if not start_thread("dualmetrics-observer", self._observe_all, waiting, finished, deadline):
                return
            remaining = len(waiting)
            while not finished.wait(SLOW_CALLBACK_SECONDS):
                if len(waiting) == remaining:  # the same callback has been running all the time
                    self._report_slow()
                    break
                remaining = len(waiting)

    def _observe_all(
        self, waiting: deque[ObservedInstrument], finished: threading.Event, deadline: float
    ) -> None:
        while waiting:
            instrument = waiting.popleft()
            if id(instrument) in self._running:
                continue
            self._running[id(instrument)] = instrument
            options = CallbackOptions(timeout_millis=max(0.0, deadline - time.monotonic()) * 1000)
            started = time.monotonic()
            try:
                instrument.observe(options)
            finally:
                self._running.pop(id(instrument), None)
            if time.monotonic() - started > SLOW_CALLBACK_SECONDS:
                return  # the round has started another thread for the rest
        finished.set()

    def _report_slow(self) -> None:
        message = (
            "dualmetrics: a callback of %s is slow; the others no longer wait for it. Let it return within a "
            "second, for example with a value that another thread keeps up to date"
        )
        for instrument in list(self._running.values()):
            self._errors.log_once(f"late {instrument.name}", message, instrument.name)
