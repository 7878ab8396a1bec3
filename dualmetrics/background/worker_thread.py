"""The one background thread of a worker: it observes, stands for election, folds, and pushes as leader."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from dualmetrics.background.thread_requests import Command, Request, RequestQueue, new_queue, next_request
from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.runtime.threads import start_thread

TICK_SECONDS = 5.0
"""The time between two ticks."""

_RETRY_SECONDS = 1.0  # the pause after a push that was due and was not made

_START_SECONDS = 1.0  # a forked worker may change its user before it serves

_FORK_WAIT_SECONDS = 0.2  # a fork waits so long for the thread, which may be in the middle of a push


class Tasks(Protocol):
    """What the thread does. An exception is reported and does not end the thread."""

    def tick(self) -> bool:
        """Observe, stand for election, fold. Return whether this worker is the leader."""
        ...

    def seconds_to_push(self) -> float:
        """The time until the leader has to push; in another process, until that push is late."""
        ...

    def push(self) -> bool:
        """Push the totals of the group. Return False if that failed."""
        ...

    def seconds_to_retry(self) -> float:
        """The time until `retry`; infinite if there is nothing to try again."""
        ...

    def retry(self) -> bool:
        """Try again what could not be done in the last round."""
        ...

    def rest(self) -> None:
        """End a round: the thread waits now, until the next tick or push."""
        ...

    def finish(self) -> bool:
        """Leave the group, and push if this was its last worker. Return False if that failed."""
        ...

    def resign(self) -> None:
        """Let another worker become the leader."""
        ...


class BackgroundWorker:
    """Runs the tasks in a daemon thread, and lets others wait for them with a deadline.

    A Collector that hangs holds up this thread and nothing else. ``on_late`` is called with the timeout if
    the end of the thread did not come in time.
    """

    def __init__(
        self,
        tasks: Tasks,
        errors: ErrorReporter,
        on_late: Callable[[float], None] = lambda timeout: None,
    ) -> None:
        self._tasks = tasks
        self._errors = errors
        self._on_late = on_late
        self.after_fork_in_child()
        forking.register(self)

    def before_fork(self) -> None:
        """End the thread: Python warns of a fork in a process that has other threads."""
        request = Request(Command.SUSPEND)
        if self._put(request) is not None:
            self._suspensions.append(request)
            request.wait(_FORK_WAIT_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Continue. A thread that was busy has not ended yet, and then it need not end."""
        while self._suspensions:
            request = self._suspensions.pop()
            if not request.take():
                request.wait(_FORK_WAIT_SECONDS)
                self.start()

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread and locks."""
        self._requests: RequestQueue | None = None
        self._suspensions: list[Request] = []
        self._lock = ReentrantLock()

    @property
    def running(self) -> bool:
        """Whether the thread runs."""
        return self._requests is not None

    def start(self) -> None:
        """Start the thread if it does not run."""
        if self._requests is None:
            with self._lock:
                if self._requests is None:
                    requests = new_queue()
                    if start_thread("dualmetrics", self._run, requests):
                        self._requests = requests

    def start_later(self, prepare: Callable[[], None]) -> None:
        """Start the thread. It waits for a second, and calls ``prepare`` before it begins."""
        requests = new_queue()
        if start_thread("dualmetrics", self._run, requests, prepare):
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
        """Resign as leader, and end the thread until the next use."""
        self._stop(Command.PAUSE, _FORK_WAIT_SECONDS)

    def finish_in_new_thread(self, timeout: float) -> bool:
        """Leave the group where no thread runs, in a thread that does nothing else.

        Python 3.12 starts no thread while the interpreter exits: then this thread does it, however long it
        takes.
        """
        request, requests = Request(Command.FINISH), new_queue()
        requests.put(request)
        self._requests = requests  # so that recording in the meantime starts no other thread
        try:
            if not start_thread("dualmetrics", self._run, requests):
                return self._guarded(self._tasks.finish, "the last push")
            return self._wait_for_end(request, timeout)
        finally:
            self._forget(requests)

    def _stop(self, command: Command, timeout: float) -> bool:
        request = Request(command)
        requests = self._put(request)
        if requests is None:
            return True
        result = self._wait_for_end(request, timeout)
        self._forget(requests)
        return result

    def _wait_for_end(self, request: Request, timeout: float) -> bool:
        result = request.wait(timeout)
        if request.command is Command.FINISH and not request.is_done:
            self._on_late(timeout)
        return result

    def _put(self, request: Request) -> RequestQueue | None:
        """Send a request to the thread; None if it does not run."""
        with self._lock:  # so that nothing is asked of a thread that has ended
            if self._requests is not None:
                self._requests.put(request)
            return self._requests

    def _forget(self, requests: RequestQueue) -> None:
        with self._lock:
            if self._requests is requests:  # and not those of a thread that was started since
                self._requests = None

    def _run(self, requests: RequestQueue, prepare: Callable[[], None] | None = None) -> None:
        request = next_request(requests, _START_SECONDS) if prepare is not None else None
        if prepare is not None and request is None:
            self._guarded(lambda: prepare() is None, "the start of a forked worker")
        request = self._run_until_stopped(requests, request)
        success = self._guarded(self._last_task(request.command), "the last push")
        self._forget(requests)
        request.set_result(success)
        while not requests.empty():  # requests that came in the meantime
            requests.get().set_result(success)

    def _last_task(self, command: Command) -> Callable[[], bool]:
        if command is Command.FINISH:
            return self._tasks.finish
        return self._resign if command is Command.PAUSE else _do_nothing

    def _run_until_stopped(self, requests: RequestQueue, request: Request | None) -> Request:
        """Tick and push until a request ends that, and return this request."""
        if request is None and not requests.empty():
            request = next_request(requests, 0.0)
        while request is None or request.command is Command.FLUSH:
            is_leader = self._guarded(self._tasks.tick, "a tick of the background thread")
            success = True
            if is_leader and (request is not None or self._tasks.seconds_to_push() <= 0):
                success = self._guarded(self._tasks.push, "a push")
            seconds = self._seconds_to_wait()
            self._tasks.rest()
            if request is not None:
                request.set_result(success)
            request = self._next_request(requests, seconds)
        return request

    def _next_request(self, requests: RequestQueue, seconds: float) -> Request | None:
        """Wait up to ``seconds`` for a request, and meanwhile try again what could not be done."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            pause = min(left, self._tasks.seconds_to_retry())
            request = next_request(requests, max(pause, 0.0))
            if request is not None or pause == left:
                return request
            self._guarded(self._tasks.retry, "opening the port")

    def _seconds_to_wait(self) -> float:
        """The time until the next tick, or push if that comes first.

        A process that does not lead waits likewise, and takes over if the push is late.
        """
        seconds = self._tasks.seconds_to_push()
        return min(seconds, TICK_SECONDS) if seconds > 0 else _RETRY_SECONDS

    def _resign(self) -> bool:
        self._tasks.resign()
        return True

    def _guarded(self, task: Callable[[], bool], what: str) -> bool:
        try:
            return task()
        except Exception as error:
            self._errors.error(what, error)
            return False


def _do_nothing() -> bool:
    return True
