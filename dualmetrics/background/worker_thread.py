"""The one background thread of a worker: it observes, stands for election, folds, and pushes as leader."""

from __future__ import annotations

import enum
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.threads import start_thread

TICK_SECONDS = 5.0
"""The time between two ticks."""

_FORK_WAIT_SECONDS = 0.2  # a fork waits so long for the thread, which may be in the middle of a push
_JITTER = 0.1
"""The share of the interval by which a push comes early or late, so that servers do not push in step."""


class Tasks(Protocol):
    """What the thread does. An exception is reported and does not end the thread."""

    def tick(self) -> bool:
        """Observe, stand for election, fold. Return whether this worker is the leader."""
        ...

    def push(self) -> bool:
        """Push the totals of the group. Return False if that failed."""
        ...

    def finish(self) -> bool:
        """Leave the group, and push if this was its last worker. Return False if that failed."""
        ...

    def resign(self) -> None:
        """Let another worker become the leader."""
        ...


class Command(enum.Enum):
    """What the thread can be asked to do."""

    FLUSH = "push now, if this worker is the leader"
    FINISH = "leave the group in good order, and end"
    PAUSE = "resign as leader, and end"


class Request:
    """A command to the thread, and the place where its result is awaited."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._done = threading.Event()
        self._success = False

    def set_result(self, success: bool) -> None:
        """Let those who wait go on."""
        self._success = success
        self._done.set()

    def wait(self, timeout: float) -> bool:
        """The result; False if there is none within ``timeout`` seconds."""
        return self._done.wait(timeout) and self._success


_Requests = queue.SimpleQueue[Request]


class BackgroundWorker:
    """Runs the tasks in a daemon thread, and lets others wait for them with a deadline.

    ``interval`` is the time between two pushes in seconds. A Collector that hangs holds up this thread and
    nothing else.
    """

    def __init__(self, tasks: Tasks, interval: float, errors: ErrorReporter) -> None:
        self._tasks = tasks
        self._interval = interval
        self._errors = errors
        self.after_fork_in_child()
        forking.register(self)

    def before_fork(self) -> None:
        """End the thread, which the child would not have."""
        self.pause()

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread and locks."""
        self._requests: _Requests | None = None
        self._lock = threading.RLock()
        self._random = random.Random()  # noqa: S311  # no secret; the app's own sequence is left alone

    @property
    def running(self) -> bool:
        """Whether the thread runs."""
        return self._requests is not None

    def start(self) -> None:
        """Start the thread if it does not run."""
        if self._requests is None:
            with self._lock:
                if self._requests is None:
                    requests: _Requests = queue.SimpleQueue()
                    if start_thread("dualmetrics", self._run, requests):
                        self._requests = requests

    def flush(self, timeout: float) -> bool:
        """Push now, if this worker is the leader.

        Return False if that failed or took longer than ``timeout`` seconds.
        """
        self.start()
        request = Request(Command.FLUSH)
        return self._put(request) is not None and request.wait(timeout)

    def finish(self, timeout: float) -> bool:
        """Leave the group and end the thread. Return True at once if it does not run.

        Return False if that failed or took longer than ``timeout`` seconds.
        """
        return self._stop(Command.FINISH, timeout)

    def pause(self) -> None:
        """End the thread until the next use; a process that forks workers is then never the leader."""
        self._stop(Command.PAUSE, _FORK_WAIT_SECONDS)

    def finish_in_new_thread(self, timeout: float) -> bool:
        """Leave the group where no thread runs, in a thread that does nothing else.

        Python 3.12 starts no thread while the interpreter exits: then this thread does it, however long it
        takes.
        """
        request, requests = Request(Command.FINISH), _Requests()
        requests.put(request)
        self._requests = requests  # so that recording in the meantime starts no other thread
        try:
            if not start_thread("dualmetrics", self._run, requests):
                return self._guarded(self._tasks.finish, "the last push")
            return request.wait(timeout)
        finally:
            self._forget(requests)

    def _stop(self, command: Command, timeout: float) -> bool:
        request = Request(command)
        requests = self._put(request)
        if requests is None:
            return True
        result = request.wait(timeout)
        self._forget(requests)
        return result

    def _put(self, request: Request) -> _Requests | None:
        """Send a request to the thread; None if it does not run."""
        with self._lock:  # so that nothing is asked of a thread that has ended
            if self._requests is not None:
                self._requests.put(request)
            return self._requests

    def _forget(self, requests: _Requests) -> None:
        with self._lock:
            if self._requests is requests:  # and not those of a thread that was started since
                self._requests = None

    def _run(self, requests: _Requests) -> None:
        request = self._run_until_stopped(requests)
        last = self._tasks.finish if request.command is Command.FINISH else self._resign
        success = self._guarded(last, "the last push")
        self._forget(requests)
        request.set_result(success)
        while not requests.empty():  # requests that came in the meantime
            requests.get().set_result(success)

    def _run_until_stopped(self, requests: _Requests) -> Request:
        """Tick and push until a request ends that, and return this request."""
        next_push = time.monotonic() + self._jittered_interval()
        request = None if requests.empty() else requests.get()
        while request is None or request.command is Command.FLUSH:
            is_leader = self._guarded(self._tasks.tick, "a tick of the background thread")
            success = True
            if is_leader and (request is not None or time.monotonic() >= next_push):
                success = self._guarded(self._tasks.push, "a push")
                next_push = time.monotonic() + self._jittered_interval()
            if request is not None:
                request.set_result(success)
            request = _next_request(requests, next_push if is_leader else None)
        return request

    def _jittered_interval(self) -> float:
        return self._interval * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def _resign(self) -> bool:
        self._tasks.resign()
        return True

    def _guarded(self, task: Callable[[], bool], what: str) -> bool:
        try:
            return task()
        except Exception as error:
            self._errors.error(what, error)
            return False


def _next_request(requests: _Requests, next_push: float | None) -> Request | None:
    """Wait for a request until the next tick or push is due."""
    wait = TICK_SECONDS if next_push is None else min(TICK_SECONDS, max(0.0, next_push - time.monotonic()))
    try:
        return requests.get(timeout=wait)
    except queue.Empty:
        return None
