"""Counts active requests by their route, from the moment on in which the route is known.

Nobody tells the route of a request when the router has found it. So the requests in progress are looked at
when a worker answers a scrape or pushes, and at each tick of its background thread. Until then a request is
active without a route, so the sum of all series is always the number of active requests.
"""

from __future__ import annotations

from typing import Any, Protocol

from dualmetrics.http.marker import RequestMarker
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock

MAX_ROUTES = 4096
"""How many routes are counted. Requests of further ones, which an app has invented, stay without a route."""


class ActiveRequest(Protocol):
    """A request in progress. ``route_recorder`` is the recorder that counts it as active by its route."""

    recorder: Any
    request: RequestMarker | None
    route_recorder: RequestRecorder | None


class ActiveByRoute:
    """The requests in progress. It is run like the callbacks of observable instruments."""

    name = "the routes of active requests"
    once_per_group = False

    def __init__(self, errors: ErrorReporter) -> None:
        self._errors = errors
        self._recorders: dict[tuple[int, str], tuple[Any, RequestRecorder]] = {}
        self.after_fork_in_child()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """Forget the requests of the parent, and a lock that another thread of it may have held."""
        self._requests: dict[int, ActiveRequest] = {}
        self._lock = ReentrantLock()

    def invalidate(self) -> None:
        """Forget the recorders: their rows are no longer valid."""
        invalid, self._recorders = self._recorders, {}
        for _, recorder in invalid.values():
            recorder.invalidate()

    def enter(self, request: ActiveRequest) -> None:
        """Note a request that begins."""
        self._requests[id(request)] = request

    def leave(self, request: ActiveRequest) -> None:
        """Count a request that ends as active without a route again, as its recorder expects it."""
        with self._lock:
            self._requests.pop(id(request), None)
            recorder, request.route_recorder = request.route_recorder, None
            if recorder is not None:
                request.recorder.start()
                recorder.cancel()

    def observe(self, options: object) -> None:
        """Count all requests by their routes whose routes are known by now."""
        for request in list(self._requests.values()):
            try:
                self._find_route(request)
            except Exception as error:
                self._errors.error("finding the route of an active request", error)

    def _find_route(self, request: ActiveRequest) -> None:
        marker = request.request
        route = marker.template_now() if marker is not None and request.route_recorder is None else None
        if route is None:
            return
        with self._lock:
            if id(request) not in self._requests or request.route_recorder is not None:
                return
            request.route_recorder = self._recorder_for(request.recorder, route)
            if request.route_recorder is not None:
                request.route_recorder.start()
                request.recorder.cancel()

    def _recorder_for(self, recorder: Any, route: str) -> RequestRecorder | None:
        recorders = self._recorders
        known = recorders.get((id(recorder), route))
        if known is None:
            if len(recorders) >= MAX_ROUTES:
                return None
            known = recorders[id(recorder), route] = recorder, recorder.at_route(route)
        return known[1]
