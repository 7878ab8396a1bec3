"""One rendering for all scrapes that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs a function for many callers at once, one call at a time.

    A caller shares a call only if that one begins after the caller arrived: it joins the one that waits for
    its turn, never the one under way. Otherwise a page could show less than one that was answered before it
    was asked for.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def call(self, key: Hashable, function: Callable[[], T]) -> T:
        """What ``function()`` gives for this ``key``; raises what it raises, for all who share the call."""
        with self._lock:
            future = self._waiting.get(key)
            first = future is None
            if future is None:
                future = self._waiting[key] = Future()
        if first:
            self._run(key, function, future)
        return future.result()

    def _run(self, key: Hashable, function: Callable[[], T], future: Future[T]) -> None:
        with self._turn:
            with self._lock:
                del self._waiting[key]
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
