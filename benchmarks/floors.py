"""Floors of requests: the least Python code that does the same arithmetic, and nothing else.

They have no excluded paths, no error handling, no support for fork or for several processes, so they are not
fit for use. Benchmarks report ratios to these floors, measured on the same machine in the same run.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from threading import Lock
from time import perf_counter
from typing import Any, cast

BOUNDS = (5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0)
"""Bucket bounds in milliseconds."""

REQUEST_WIDTH = len(BOUNDS) + 3
"""The cells of a request's row: the counter, the buckets and the sum."""

Row = MutableSequence[float]
App = Callable[..., Any]


class RequestCells:
    """The rows of all series, the number of active requests, and one lock for all of them."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.active = zero_cells(1)
        self.rows: dict[tuple[object, ...], Row] = {}

    def add_row(self, key: tuple[object, ...]) -> Row:
        """The row of a series that is new."""
        return self.rows.setdefault(key, zero_cells(REQUEST_WIDTH))


def asgi_floor(app: App, cells: RequestCells) -> App:
    """One closure around ``send``, two clock readings, a tuple key, a look-up, a bisect, five additions."""
    lock, active, bounds = cells.lock, cells.active, BOUNDS
    find_row, add_row = cells.rows.get, cells.add_row

    async def floor(scope: Any, receive: Any, send: Any) -> None:
        started = perf_counter()
        status = 500

        async def send_and_note(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with lock:
            active[0] += 1.0
        await app(scope, receive, send_and_note)
        key = (scope["method"], scope["endpoint"], status)
        row = find_row(key) or add_row(key)
        milliseconds = (perf_counter() - started) * 1000
        bucket = bisect_left(bounds, milliseconds)
        with lock:
            active[0] -= 1.0
            row[0] += 1.0
            row[bucket + 1] += 1.0
            row[-1] += milliseconds

    return floor


def wsgi_floor_at_start(app: App, cells: RequestCells) -> App:
    """The same for WSGI; the request ends when the app calls ``start_response``."""
    lock, active, bounds = cells.lock, cells.active, BOUNDS
    find_row, add_row = cells.rows.get, cells.add_row

    def floor(environ: Any, start_response: Any) -> Iterable[bytes]:
        started = perf_counter()

        def start_and_note(status: str, headers: Any, error: Any = None) -> Any:
            key = (environ["REQUEST_METHOD"], environ["werkzeug.request"].url_rule.rule, status)
            row = find_row(key) or add_row(key)
            milliseconds = (perf_counter() - started) * 1000
            bucket = bisect_left(bounds, milliseconds)
            with lock:
                active[0] -= 1.0
                row[0] += 1.0
                row[bucket + 1] += 1.0
                row[-1] += milliseconds
            return start_response(status, headers, error)

        with lock:
            active[0] += 1.0
        body: Iterable[bytes] = app(environ, start_and_note)
        return body

    return floor


def wsgi_floor_at_close(app: App, cells: RequestCells) -> App:
    """The same for WSGI; the request ends when the server closes the body, which is the correct moment."""
    lock, active, bounds = cells.lock, cells.active, BOUNDS
    find_row, add_row = cells.rows.get, cells.add_row

    def floor(environ: Any, start_response: Any) -> Iterable[bytes]:
        started = perf_counter()
        key: tuple[object, ...] = ()

        def start_and_note(status: str, headers: Any, error: Any = None) -> Any:
            nonlocal key
            key = (environ["REQUEST_METHOD"], environ["werkzeug.request"].url_rule.rule, status)
            return start_response(status, headers, error)

        def on_close() -> None:
            row = find_row(key) or add_row(key)
            milliseconds = (perf_counter() - started) * 1000
            bucket = bisect_left(bounds, milliseconds)
            with lock:
                active[0] -= 1.0
                row[0] += 1.0
                row[bucket + 1] += 1.0
                row[-1] += milliseconds

        with lock:
            active[0] += 1.0
        return _Body(app(environ, start_and_note), on_close)

    return floor


class _Body:
    """The body of a response that calls a function when it is closed."""

    __slots__ = ("_body", "_on_close")

    def __init__(self, body: Any, on_close: Callable[[], None]) -> None:
        self._body = body
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Called by the server after the last byte."""
        if hasattr(self._body, "close"):
            self._body.close()
        self._on_close()


def zero_cells(count: int) -> Row:
    """This number of cells, all zero."""
    return cast("Row", memoryview(array("d", bytes(8 * count))))
