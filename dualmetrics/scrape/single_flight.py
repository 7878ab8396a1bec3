"""One rendering for all scrapes that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from dualmetrics.runtime import forking

_T = TypeVar("_T")

Start: TypeAlias = Callable[[Callable[[], None]], object]
"""Has a function called once, in a thread where it may block. It does not block itself."""


class Caller(Generic[_T]):
    """Somebody who waits for the ``result`` of a call, and ``start``, with which this caller would run it.

    ``wish`` is passed on to the function. To cancel the result is to wait no longer.
    """

    def __init__(self, start: Start, wish: Hashable = None) -> None:
        self.start = start
        self.wish = wish
        self.result: Future[_T] = Future()


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
        self._turn: _Turn[_T] | None = None
        self._lock = threading.Lock()

    def join(self, caller: Caller[_T], key: Hashable, function: Callable[[Collection[Hashable]], _T]) -> None:
        """Give the caller the result, or the error, of one call for all who join with the same ``key``.

        The function is called with the wishes of all of them. The first of them who has not cancelled starts
        it. A call for which nobody waits is left out.
        """
        caller.result.add_done_callback(partial(self._leave, key))
        with self._lock:
            self._waiting.setdefault(key, _Call(key, function)).callers[caller.result] = caller
        self._start_next()

    def _start_next(self) -> None:
        """Start the next call, unless one is in progress. One that cannot be started fails."""
        while (turn := self._next_turn()) is not None:
            try:
                turn.caller.start(partial(self._run, turn))
                return
            except Exception as error:  # an interpreter that exits starts no threads
                _fail(self._begin(turn), error)
                self._end(turn)

    def _next_turn(self) -> _Turn[_T] | None:
        with self._lock:
            if self._turn is not None or not self._waiting:
                return None
            call = next(iter(self._waiting.values()))
            self._turn = _Turn(call, next(iter(call.callers.values())))
            return self._turn

    def _run(self, turn: _Turn[_T]) -> None:
        callers: list[Caller[_T]] = []
        try:
            callers = self._begin(turn)
            if callers:
                result = turn.call.function({caller.wish for caller in callers})
                for caller in callers:
                    caller.result.set_result(result)
        except Exception as error:
            _fail(callers, error)
        except BaseException as error:
            _fail(callers, RuntimeError(f"interrupted by {type(error).__name__}"))
            raise
        finally:
            self._end(turn)
            self._start_next()

    def _begin(self, turn: _Turn[_T]) -> list[Caller[_T]]:
        """Return who shares the call from now on: nobody if the turn was given to another caller."""
        with self._lock:
            if self._turn is not turn:
                return []
            del self._waiting[turn.call.key]
            callers = turn.call.callers.values()
            return [caller for caller in callers if caller.result.set_running_or_notify_cancel()]

    def _end(self, turn: _Turn[_T]) -> None:
        with self._lock:
            if self._turn is turn:
                self._turn = None

    def _leave(self, key: Hashable, result: Future[_T]) -> None:
        """Forget the caller that has cancelled this result before its call began."""
        with self._lock:
            call = self._waiting.get(key)
            caller = call and call.callers.pop(result, None)
            if not call or not caller:
                return
            if not call.callers:
                del self._waiting[key]
            if self._turn is not None and self._turn.caller is caller:
                self._turn = None
        self._start_next()


class CallingThread:
    """The `Start` of a caller that blocks: the call is run in the thread of the caller."""

    def __init__(self) -> None:
        self._awake = threading.Event()
        self._run: Callable[[], None] | None = None

    def __call__(self, run: Callable[[], None]) -> None:
        """Have the function called by the thread that waits."""
        self._run = run
        self._awake.set()

    def wait(self, result: Future[_T]) -> None:
        """Block until there is a result, and run the call if its turn comes."""
        result.add_done_callback(lambda _: self._awake.set())
        self._awake.wait()
        run, self._run = self._run, None  # it leads to the result, which leads here
        if run is not None:
            run()


class _Call(Generic[_T]):
    """A call that waits for its turn."""

    def __init__(self, key: Hashable, function: Callable[[Collection[Hashable]], _T]) -> None:
        self.key = key
        self.function = function
        self.callers: dict[Future[_T], Caller[_T]] = {}


class _Turn(Generic[_T]):
    """The turn of a call, given to the caller that runs it."""

    def __init__(self, call: _Call[_T], caller: Caller[_T]) -> None:
        self.call = call
        self.caller = caller


def _fail(callers: list[Caller[_T]], error: Exception) -> None:
    for caller in callers:
        if not caller.result.done():
            caller.result.set_exception(error)
