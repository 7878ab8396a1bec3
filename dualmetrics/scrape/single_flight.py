"""One rendering for all scrapes that wait for it."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeAlias, TypeVar

from dualmetrics.runtime import forking
from dualmetrics.runtime.locks import ReentrantLock

_T = TypeVar("_T")

Start: TypeAlias = Callable[[Callable[[], None]], object]
"""Has a function called once, in a thread where it may block. It does not block itself."""

Wishes: TypeAlias = Collection[Hashable]
"""What those who share a call want from it."""


class Caller(Generic[_T]):
    """Somebody who waits for a call. ``wake`` is called, in any thread, when the result or error is there.

    ``start`` is used if this caller has to run the call. ``wish`` is passed on to its function.
    """

    result: _T | None = None
    error: Exception | None = None
    is_done = False

    def __init__(self, start: Start, wake: Callable[[], object], wish: Hashable = None) -> None:
        self.start = start
        self.wish = wish
        self.key: Hashable = None
        self._wake = wake

    def succeed(self, result: _T) -> None:
        """End the wait with a result."""
        self.result, self.is_done = result, True
        self._wake()

    def fail(self, error: Exception) -> None:
        """End the wait with an error, unless there is a result."""
        if not self.is_done:
            self.error, self.is_done = error, True
            self._wake()


class SingleFlight(Generic[_T]):
    """Runs functions for many callers at once, one call at a time, in the order in which they were wanted.

    A caller shares only a call that begins after it arrived: it joins the call that waits for its turn, never
    the one in progress. Otherwise a page could show less than a page that was answered before it
    was asked for.
    """

    def __init__(self) -> None:
        self.after_fork_in_child()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """Forget the calls in progress: they are the parent's."""
        self._waiting: dict[Hashable, _Call[_T]] = {}
        self._find_turn: Callable[[], _Turn[_T] | None] = _find_none
        self._lock = ReentrantLock()

    def join(self, caller: Caller[_T], key: Hashable, function: Callable[[Wishes], _T]) -> None:
        """Give the caller the result, or the error, of one call for all who join with the same ``key``.

        The function is called with the wishes of all of them. The first of them starts it.
        """
        caller.key = key
        with self._lock:
            self._waiting.setdefault(key, _Call(key, function)).callers[caller] = None
        self._start_next()

    def leave(self, caller: Caller[_T]) -> bool:
        """Wait no longer. A call for which nobody waits is left out. Return False if the call has begun."""
        with self._lock:
            call = self._waiting.get(caller.key)
            if call is None or caller not in call.callers:
                return False
            del call.callers[caller]
            if not call.callers:
                del self._waiting[caller.key]
        self._start_next()
        return True

    def run(self, turn: _Turn[_T]) -> None:
        """Run the call that has this turn."""
        try:
            if self._begin(turn):
                result = turn.call.function({caller.wish for caller in turn.callers})
                for caller in turn.callers:
                    caller.succeed(result)
        except Exception as error:
            turn.fail(error)
        finally:
            turn.fail(RuntimeError("interrupted"))  # for those who have neither a result nor an error
            self._end(turn)
            self._start_next()

    def _start_next(self) -> None:
        """Start the next call, unless one is in progress. One that cannot be started fails."""
        while (turn := self._next_turn()) is not None:
            try:
                turn.start()
                return
            except Exception as error:  # an interpreter that exits starts no threads
                self._begin(turn)
                turn.fail(error)
                self._end(turn)

    def _next_turn(self) -> _Turn[_T] | None:
        with self._lock:
            if self._find_turn() is not None or not self._waiting:
                return None
            turn = _Turn(self, next(iter(self._waiting.values())))
            self._find_turn = weakref.ref(turn)
            return turn

    def _begin(self, turn: _Turn[_T]) -> bool:
        """Close the call to others. Return whether anybody waits for it."""
        call = turn.call
        with self._lock:
            if self._waiting.get(call.key) is not call or self._find_turn() is not turn:
                return False
            turn.callers = [*call.callers]
            del self._waiting[call.key]
            return True

    def _end(self, turn: _Turn[_T]) -> None:
        with self._lock:
            if self._find_turn() is turn:
                self._find_turn = _find_none


class CallingThread:
    """Starts and wakes a caller that blocks: it runs the call in its own thread."""

    def __init__(self) -> None:
        # Not an event: a signal handler that raises may leave the lock inside of one held.
        self._asleep = threading.Lock()
        self._asleep.acquire()
        self._run: Callable[[], None] | None = None
        self._has_left = False

    def start(self, run: Callable[[], None]) -> None:
        """Have the function called by the thread that waits, or drop it if that has left."""
        self._run = run
        self.wake()
        if self._has_left:
            self._run = None

    def wake(self) -> None:
        """End the wait."""
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._asleep.release()

    def wait(self) -> None:
        """Block until there is a result, and run the call if its turn comes."""
        run = None
        try:
            self._asleep.acquire()
            run, self._run = self._run, None
            if run is not None:
                run()
        finally:
            self._has_left = True
            run = self._run = None  # if this thread was interrupted, others who wait may run the call


class _Call(Generic[_T]):
    """A function that is wanted, and those who wait for its result, the first one first."""

    def __init__(self, key: Hashable, function: Callable[[Wishes], _T]) -> None:
        self.key = key
        self.function = function
        self.callers: dict[Caller[_T], None] = {}


class _Turn(Generic[_T]):
    """The turn of a call: a function that runs it.

    It has ended when the call has been run, or when nobody has this object any more. A signal handler may
    have interrupted the thread that had it, at any moment.
    """

    def __init__(self, flight: SingleFlight[_T], call: _Call[_T]) -> None:
        self._flight = flight
        self.call = call
        self.callers: list[Caller[_T]] = []
        """Who shares the call, once it has begun."""

    def start(self) -> None:
        """Have the call run by the first who waits for it. Raises what its `Start` raises."""
        for caller in [*self.call.callers][:1]:
            caller.start(self)

    def fail(self, error: Exception) -> None:
        """Give the error to all who share the call and still wait for a result."""
        for caller in self.callers:
            caller.fail(error)

    def __call__(self) -> None:
        self._flight.run(self)


def _find_none() -> None:
    """Find no turn: no call is in progress."""
