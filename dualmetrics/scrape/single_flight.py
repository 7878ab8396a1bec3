"""One rendering for all scrapes that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from dualmetrics.runtime import forking

_T = TypeVar("_T")


class SingleFlight(Generic[_T]):
    """Runs a function for many callers at once, one call at a time.

    A caller shares only a call that begins after it arrived: it joins the call that waits for its turn, never
    the one in progress. Otherwise a page could show less than a page that was answered before it
    was asked for.
    """

    def __init__(self) -> None:
        self.after_fork_in_child()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """Forget the calls in progress: they are the parent's."""
        self._waiting: dict[Hashable, Future[_T]] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def call(self, key: Hashable, function: Callable[[], _T]) -> _T:
        """Return the result of ``function()`` for this ``key``, or raise its error, for all who share it."""
        with self._lock:
            future = self._waiting.get(key)
            first = future is None
            if future is None:
                future = self._waiting[key] = Future()
        if first:
            self._run(key, function, future)
        return future.result()

    def _run(self, key: Hashable, function: Callable[[], _T], future: Future[_T]) -> None:
        with self._turn:
            with self._lock:
                del self._waiting[key]
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
