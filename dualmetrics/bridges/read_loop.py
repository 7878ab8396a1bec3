"""Reads cheap collectors in a background thread, so that a worker that is killed loses little."""

from __future__ import annotations

import queue
import threading

from dualmetrics.bridges.collector_readers import CollectorReaders
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.runtime.threads import start_thread

TICK = 0.25
"""The shortest pause between two reads, in seconds."""

MAX_WAIT = 0.5
"""How long a fork or a shutdown waits for a read that is running, in seconds."""

# The pause is a multiple of what the last read cost: _PAUSE_PER_COST takes a twentieth of a processor.
# It is at most _MAX_PAUSE seconds, so that a worker that is killed loses about one second of counts,
# but never less than _MIN_PAUSE_PER_COST, which takes a tenth of a processor.
_PAUSE_PER_COST = 20
_MAX_PAUSE = 0.9
_MIN_PAUSE_PER_COST = 10


class ReadLoop:
    """The thread that reads the cheap collectors. It can be paused and started again."""

    def __init__(self, readers: CollectorReaders, errors: ErrorReporter) -> None:
        self._readers = readers
        self._rounds = CallbackRunner(errors)
        self.after_fork_in_child()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """The child has neither the thread nor the threads that may hold the locks."""
        self._stop: queue.SimpleQueue[None] | None = None
        self._reading = threading.Lock()
        self._lock = ReentrantLock()

    @property
    def running(self) -> bool:
        """Whether the thread was started and not paused since."""
        return self._stop is not None

    def start(self) -> None:
        """Start the thread, if it does not run."""
        with self._lock:
            if self._stop is None:
                stop: queue.SimpleQueue[None] = queue.SimpleQueue()
                if start_thread("dualmetrics-bridge", self._run, stop):
                    self._stop = stop

    def pause(self) -> None:
        """Stop the thread, and wait for a running read, but no longer than `MAX_WAIT`.

        A read that ends after a shutdown would start the recording again.
        """
        with self._lock:
            stop, self._stop = self._stop, None
        if stop is not None:
            stop.put(None)
            if self._reading.acquire(timeout=MAX_WAIT):
                self._reading.release()

    def _run(self, stop: queue.SimpleQueue[None]) -> None:
        pause = TICK
        while not _is_stopped(stop, pause):
            with self._reading:
                if stop.empty():
                    self._rounds.run_only(self._readers.cheap(), MAX_WAIT)
            pause = pause_after(self._readers.cost_of_cheap())


def pause_after(cost: float) -> float:
    """The pause after a read that took ``cost`` seconds of processor time, in seconds."""
    return max(TICK, min(_PAUSE_PER_COST * cost, _MAX_PAUSE), _MIN_PAUSE_PER_COST * cost)


def _is_stopped(stop: queue.SimpleQueue[None], timeout: float) -> bool:
    try:
        stop.get(timeout=timeout)
    except queue.Empty:
        return False
    return True
