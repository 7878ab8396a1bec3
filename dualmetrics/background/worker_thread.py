"""The one background thread of a worker: it observes, stands for election, folds, and pushes if elected."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.threads import start_thread

TICK_SECONDS = 5.0
"""Seconds between two rounds of observing, standing for election and folding."""

_PAUSE = 0.2  # seconds that a fork waits for the thread, which may be in the middle of a push
_JITTER = 0.1
"""Share of the interval by which a push comes early or late, so that servers do not push in step."""


class Tasks(Protocol):
    """What the thread does. Errors are reported, they never end it."""

    def tick(self) -> bool:
        """Observe, stand for election, fold. Returns whether this worker is the elected one."""
        ...

    def push(self) -> bool:
        """Push the group's totals; True unless that failed."""
        ...

    def finish(self) -> bool:
        """Give up this worker's liveness; push if it was the last one. True unless that failed."""
        ...

    def resign(self) -> None:
        """Let another worker be the elected one."""
        ...


class BackgroundWorker:
    """Runs the duties in a daemon thread, and lets others wait for them with a deadline.

    ``interval`` is in seconds. A Collector that hangs holds the thread and nobody else; whoever waits for a
    flush waits until its own deadline.
    """

    def __init__(self, duties: Tasks, interval: float, errors: ErrorReporter) -> None:
        self._tasks = duties
        self._interval = interval
        self._errors = errors
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """The parent's thread does not exist here."""
        self._requests: queue.SimpleQueue[_Request] | None = None
        self._lock = threading.RLock()
        self._random = random.Random()  # noqa: S311  # no secret; the app's own sequence is left alone

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._requests is not None

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if self._requests is None:
            with self._lock:
                if self._requests is None:
                    requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
                    if start_thread("dualmetrics", self._run, requests):
                        self._requests = requests

    def flush(self, timeout: float) -> bool:
        """Push now, if this worker is the elected one.

        False if that failed or took longer than ``timeout``.
        """
        self.start()
        return self._ask("flush", timeout)

    def finish(self, timeout: float) -> bool:
        """End the thread in good order, if it is there.

        False if that failed or took longer than ``timeout`` seconds.
        """
        return self._ask("finish", timeout)

    def finish_in_new_thread(self, timeout: float) -> bool:
        """The same where the thread is not there, in a thread that does nothing else.

        An interpreter that ends may give none (Python 3.12): then here, however long that takes.
        """
        request, requests = _Request("finish"), queue.SimpleQueue[_Request]()
        requests.put(request)
        self._requests = requests  # whoever records meanwhile starts no other
        try:
            if not start_thread("dualmetrics", self._run, requests):
                return self._guarded(self._tasks.finish, "the last push")
            return request.wait(timeout)
        finally:
            self._forget(requests)

    def pause(self) -> None:
        """End the thread until somebody records again: who forks workers is never the elected one."""
        self._ask("pause", _PAUSE)

    def _ask(self, what: str, timeout: float) -> bool:
        request = _Request(what)
        with self._lock:  # so that nothing is asked of a thread that has ended
            requests = self._requests
            if requests is None:
                return what == "finish"  # it is done
            requests.put(request)
        answer = request.wait(timeout)
        if what != "flush":
            self._forget(requests)
        return answer

    def _forget(self, requests: queue.SimpleQueue[_Request]) -> None:
        with self._lock:
            if self._requests is requests:  # and not those of a thread that was started since
                self._requests = None

    def _run(self, requests: queue.SimpleQueue[_Request]) -> None:
        next_push = time.monotonic() + self._wait()
        request = None if requests.empty() else requests.get()
        while request is None or request.what == "flush":
            leading = self._guarded(self._tasks.tick, "the periodic round")
            done = True
            if leading and (request is not None or time.monotonic() >= next_push):
                done = self._guarded(self._tasks.push, "a push")
                next_push = time.monotonic() + self._wait()
            if request is not None:
                request.answer(done)
            request = self._next(requests, next_push if leading else None)
        last = self._tasks.finish if request.what == "finish" else self._pause
        success = self._guarded(last, "the last push")
        self._forget(requests)
        request.answer(success)
        while not requests.empty():  # what others asked meanwhile
            requests.get().answer(success)

    def _wait(self) -> float:
        return self._interval * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def _next(self, requests: queue.SimpleQueue[_Request], next_push: float | None) -> _Request | None:
        pause = (
            TICK_SECONDS if next_push is None else min(TICK_SECONDS, max(0.0, next_push - time.monotonic()))
        )
        try:
            return requests.get(timeout=pause)
        except queue.Empty:
            return None

    def _pause(self) -> bool:
        self._tasks.resign()
        return True

    def _guarded(self, duty: Callable[[], bool], what: str) -> bool:
        try:
            return duty()
        except Exception as error:
            self._errors.error(what, error)
            return False


class _Request:
    """Something asked of the thread, and the place where its answer is waited for."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._done = threading.Event()
        self._success = False

    def answer(self, success: bool) -> None:
        self._success = success
        self._done.set()

    def wait(self, timeout: float) -> bool:
        """The answer; False if there is none in time."""
        return self._done.wait(timeout) and self._success
