"""What is known in detail about one request. It takes the place of the recorder, and tells it at the end."""

from __future__ import annotations

from typing import Any, Protocol

from dualmetrics.http.active_by_route import ActiveByRoute
from dualmetrics.http.current_request import DETAILED_REQUESTS, DetailedRequest, enter
from dualmetrics.http.declared_values import DeclaredValues, HeaderReader
from dualmetrics.http.detailed_recorder import DetailedRecorder
from dualmetrics.http.marker import RequestMarker
from dualmetrics.http.measures import Measured
from dualmetrics.http.request_attributes import DetailedResponse
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.runtime.callbacks import Callback, WeakCallbacks
from dualmetrics.runtime.errors import ErrorReporter


class RequestDetails:
    """Stands between a request and its recorder, whose methods it has.

    ``source`` is what functions and headers of declared attributes are read from; None for what the router
    has seen of the request.
    """

    __slots__ = (
        "_declared",
        "_is_left_out",
        "_read_header",
        "_told",
        "active",
        "errors",
        "first_byte",
        "in_progress",
        "outer",
        "received",
        "recorder",
        "request",
        "route_recorder",
        "sent",
        "shortcuts",
        "source",
    )

    def __init__(
        self,
        settings: DetailSettings,
        recorder: DetailedRecorder,
        request: RequestMarker,
        read_header: HeaderReader,
        source: Any = None,
    ) -> None:
        self.recorder = recorder
        self.request: RequestMarker | None = request
        self.source = source
        self.errors: ErrorReporter = recorder.errors
        self.shortcuts: dict[object, Any] = {}
        self.in_progress = True
        self.outer: DetailedRequest | None = None
        self.received = 0
        self.sent: int | None = 0
        self.first_byte: float | None = None
        self.route_recorder: RequestRecorder | None = None
        """Where the request is counted as active by its route."""
        self.active = settings.active
        self._declared = settings.declared
        self._read_header = read_header
        self._told: dict[str, str | None] = {}
        self._is_left_out = False

    def start(self) -> None:
        """Count the request as active, and make it the current one."""
        self.recorder.start()
        enter(self)
        if self.active is not None:
            self.active.enter(self)

    def cancel(self) -> None:
        """Count the request as no longer active, and do not record it."""
        self._leave()
        self.recorder.cancel()

    def end(self, route: str | None, status: int, error: str | None, seconds: float) -> None:
        """Record the request. Never raises."""
        if self._is_left_out:
            return self.cancel()
        source = self.source if self.source is not None or self.request is None else self.request.seen
        declared = self._declared.of(self._told, source, self._read_header)
        self._leave()
        measured = Measured(self.received, self.sent, self.first_byte)
        self.recorder.end_in_detail(DetailedResponse(route, status, error, declared), seconds, measured)

    def remember_shortcut(self, *_: object) -> None:
        """Do nothing: the route is not all that matters."""

    def set_attribute(self, name: str, value: object, *, report: bool) -> bool:
        """Set a declared attribute. Return whether it is declared, and with ``report`` log if not."""
        try:
            if self._declared.knows(name):
                self._told[name] = self._declared.bounded(name, value)
                return True
            if report:
                self._declared.report_undeclared(name)
        except Exception as error:
            self.errors.error("setting an attribute", error)
        return False

    def is_inside(self, other: DetailedRequest) -> bool:
        """Whether ``other`` is the same request, recorded further out."""
        marker = self.request.outer if self.request is not None else None
        while marker is not None:
            if marker is getattr(other, "request", None):
                return True
            marker = marker.outer
        return False

    def leave_out(self) -> None:
        """Do not record the request when it ends."""
        self._is_left_out = True

    def _leave(self) -> None:
        self.in_progress = False
        if self.active is not None:
            self.active.leave(self)
        self.request = self.source = None  # else it and the request would be a cycle


class Needs(Protocol):
    """The part of `Settings` that needs details of requests."""

    @property
    def attributes(self) -> tuple[Any, ...]: ...

    @property
    def body_size(self) -> bool: ...

    @property
    def time_to_first_byte(self) -> bool: ...

    @property
    def active_by_route(self) -> bool: ...


class DetailSettings:
    """What the details of all requests of a Telemetry have in common."""

    def __init__(self, needs: Needs, errors: ErrorReporter, active: ActiveByRoute | None) -> None:
        self.declared = DeclaredValues(needs.attributes, errors)
        self.active = active
        self.counts_bytes = needs.body_size
        self._are_needed = bool(
            needs.attributes or needs.body_size or needs.time_to_first_byte or needs.active_by_route
        )
        DETAILED_REQUESTS.are_in_use |= bool(needs.attributes)
        self._listeners = WeakCallbacks()
        DETAILED_REQUESTS.on_wanted(self._want)

    def on_wanted(self, listener: Callback) -> None:
        """Call ``listener`` when details are wanted, or now. A bound method is held weakly."""
        self._listeners.add(listener)
        if self._are_needed:
            listener()

    def _want(self) -> None:
        if not self._are_needed:
            self._are_needed = True
            self._listeners()
