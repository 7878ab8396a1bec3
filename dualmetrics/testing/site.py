"""The site that an integration builds for the contract, with the means of its framework.

=======================  ============================================================================
``/users/{id}``          GET calls `Actions.note_active` and returns 200, or 404 if the id is ``missing``
``/api/v1/items/{id}``   GET does the same. The prefix comes from a blueprint, router or mount
``/status/{code}``       GET returns this status
``/boom``                GET raises `HandlerError`
``/stream``              GET streams `Actions.parts`
``/broken``              GET streams `Actions.broken_parts`, which raises `HandlerError`
``/later``               GET returns 200. When the response has been sent, `Actions.work` is called
``/folder/``             GET returns 200. ``/folder`` redirects there if the framework has such redirects
``/health``              GET returns 200. The settings exclude it from recording
=======================  ============================================================================

Every other path is a 404 by the framework, and every other known method on these paths a 405. The framework
may answer an unknown method with any status.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from dualmetrics.testing.recorded import Recorded

SECONDS = 0.125
"""How far `Actions.work` moves the clock. Sums of it are exact in binary."""

EXCLUDE = "/health,/internal/*"
"""The paths that the contract's Telemetry does not record."""


class HandlerError(Exception):
    """The exception that handlers of the site raise."""


HANDLER_ERROR_TYPE = "dualmetrics.testing.site.HandlerError"
"""The ``error.type`` of `HandlerError`."""


class Actions:
    """What the handlers of the site call: work that takes time, and a look at the metrics during a request.

    Time is simulated. While a contract runs, the middleware reads `clock`, which only `work` moves.
    """

    def __init__(self, recorded: Recorded) -> None:
        self.now = 1000.0
        self.active_during_request: list[dict[Any, float]] = []
        """What `note_active` saw: the number of active requests by method, at each call."""
        self.active_routes: list[set[Any]] = []
        """The routes of the active requests at each call, without those that are not known by their route."""
        self.in_handler: Callable[[], object] = lambda: None
        """Called by `note_active`: what a case does inside of a request."""
        self.response_sent = asyncio.Event()
        """Set when the client has the whole response. `AsgiContract` makes a new event for each request."""
        self._recorded = recorded

    def clock(self) -> float:
        """The simulated time in seconds. Replaces ``time.perf_counter``."""
        return self.now

    def work(self) -> None:
        """Let `SECONDS` pass."""
        self.now += SECONDS

    async def work_after_response(self) -> None:
        """Wait until the response has been sent, then `work`.

        For a background task of an ASGI framework that may start before the response has been sent.
        """
        await self.response_sent.wait()
        self.work()

    def note_active(self) -> None:
        """Note how many requests are active now, and do what a case wants done in a handler."""
        self.in_handler()
        self.active_during_request.append(self._recorded.active())
        self.active_routes.append(self._recorded.active_routes())

    def parts(self) -> Iterator[bytes]:
        """The body of ``/stream``: three parts, each of which takes `SECONDS`."""
        for part in (b"a", b"b", b"c"):
            self.work()
            yield part

    def broken_parts(self) -> Iterator[bytes]:
        """The body of ``/broken``: one part, then `HandlerError`."""
        yield b"a"
        raise HandlerError

    async def async_parts(self) -> AsyncIterator[bytes]:
        """The same as `parts`, for ASGI frameworks."""
        for part in self.parts():
            yield part

    async def async_broken_parts(self) -> AsyncIterator[bytes]:
        """The same as `broken_parts`, for ASGI frameworks."""
        for part in self.broken_parts():
            yield part

    def late_body(self) -> Iterable[bytes]:
        """A body for ``/later`` in WSGI frameworks, which calls `work` when the server closes it."""
        return _LateBody(self)


class _LateBody:
    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    def __iter__(self) -> Iterator[bytes]:
        yield b"done"

    def close(self) -> None:
        self._actions.work()


class Response(NamedTuple):
    """What the client of a site received."""

    status: int
    body: bytes


class Site(Protocol):
    """The app under test and a client for it."""

    app: Any

    def request(self, method: str, path: str) -> Response:
        """Send one request and read the whole response.

        The status is 500 if the app raises `HandlerError` before a response: a server would send it.
        """
        ...
