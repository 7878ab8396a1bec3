"""Floors: the least Python code that does the same arithmetic, and nothing else.

No exclusions, no error paths, no fork, no second process: nothing here is fit for use. A figure of a
benchmark is a ratio to these, taken on the same machine in the same run.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from threading import Lock
from time import perf_counter
from typing import Any, cast

BOUNDS = (5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0)
"""Milliseconds."""

WIDTH = len(BOUNDS) + 3
"""Cells of a request's series: the counter, the buckets and the sum."""

Row = MutableSequence[float]
App = Callable[..., Any]


class Cells:
    """The rows of all series, the gauge of the active requests, and the one lock over them."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.active = doubles(1)
        self.rows: dict[tuple[object, ...], Row] = {}

    def meet(self, key: tuple[object, ...]) -> Row:
        """The row of a series that was not met before."""
        return self.rows.setdefault(key, doubles(WIDTH))


def asgi_floor(app: App, cells: Cells) -> App:
    """One closure around ``send``, two clocks, a tuple key, one look-up, one bisect, five additions."""
    lock, active, find, meet, bounds = cells.lock, cells.active, cells.rows.get, cells.meet, BOUNDS

    async def floor(scope: Any, receive: Any, send: Any) -> None:
        started = perf_counter()
        status = 500

        async def note(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with lock:
            active[0] += 1.0
        await app(scope, receive, note)
        key = (scope["method"], scope["endpoint"], status)
        row = find(key) or meet(key)
        took = (perf_counter() - started) * 1000
        bucket = bisect_left(bounds, took)
        with lock:
            active[0] -= 1.0
            row[0] += 1.0
            row[bucket + 1] += 1.0
            row[-1] += took

    return floor


def wsgi_floor_at_start(app: App, cells: Cells) -> App:
    """The same around ``start_response``, where the request is taken to have ended."""
    lock, active, find, meet, bounds = cells.lock, cells.active, cells.rows.get, cells.meet, BOUNDS

    def floor(environ: Any, start_response: Any) -> Iterable[bytes]:
        started = perf_counter()

        def note(status: str, headers: Any, error: Any = None) -> Any:
            key = (environ["REQUEST_METHOD"], environ["werkzeug.request"].url_rule.rule, status)
            row = find(key) or meet(key)
            took = (perf_counter() - started) * 1000
            bucket = bisect_left(bounds, took)
            with lock:
                active[0] -= 1.0
                row[0] += 1.0
                row[bucket + 1] += 1.0
                row[-1] += took
            return start_response(status, headers, error)

        with lock:
            active[0] += 1.0
        body: Iterable[bytes] = app(environ, note)
        return body

    return floor


def wsgi_floor_at_close(app: App, cells: Cells) -> App:
    """The same, with the end where it is: when the server closes the body."""
    lock, active, find, meet, bounds = cells.lock, cells.active, cells.rows.get, cells.meet, BOUNDS

    def floor(environ: Any, start_response: Any) -> Iterable[bytes]:
        started = perf_counter()
        key: tuple[object, ...] = ()

        def note(status: str, headers: Any, error: Any = None) -> Any:
            nonlocal key
            key = (environ["REQUEST_METHOD"], environ["werkzeug.request"].url_rule.rule, status)
            return start_response(status, headers, error)

        def closed() -> None:
            row = find(key) or meet(key)
            took = (perf_counter() - started) * 1000
            bucket = bisect_left(bounds, took)
            with lock:
                active[0] -= 1.0
                row[0] += 1.0
                row[bucket + 1] += 1.0
                row[-1] += took

        with lock:
            active[0] += 1.0
        return _Body(app(environ, note), closed)

    return floor


class _Body:
    """A response's body that tells when it is closed."""

    __slots__ = ("_body", "_closed")

    def __init__(self, body: Any, closed: Callable[[], None]) -> None:
        self._body = body
        self._closed = closed

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """The server has handed over the last byte."""
        if hasattr(self._body, "close"):
            self._body.close()
        self._closed()


def doubles(count: int) -> Row:
    """So many cells of zero."""
    return cast("Row", memoryview(array("d", bytes(8 * count))))
