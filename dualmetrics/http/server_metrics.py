"""The HTTP metrics of servers, recorded the same way whatever the protocol and the framework.

A request costs one look-up where it arrives, for its `Requests`, and one where it ends, for the function
that adds to the cells of its series. All else is done when a series is met for the first time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from dualmetrics.http.recorders import (
    InFlightRecorder,
    Recorder,
    chain_recorders,
    duration_recorder,
    exponential_duration_recorder,
    in_flight_recorder,
    with_exemplars,
)
from dualmetrics.http.semantic_conventions import (
    METHODS,
    WEBSOCKET,
    Convention,
    RequestAttributes,
    RequestMetrics,
    ResponseAttributes,
    conventions,
)
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Row, private_row

IGNORED_CELL: Row = private_row(1)
"""A cell that nobody reads."""

REMEMBERED = 4096
"""Outcomes that a `Requests` remembers; an app that names ever new routes makes it begin anew."""


class RowStore(Protocol):
    """What of a `Store` is needed here."""

    exponential: bool

    def row(self, descriptor: Descriptor, attributes: Attributes) -> Row: ...

    def histogram_row(self, descriptor: Descriptor, attributes: Attributes) -> HistogramRow: ...

    def on_invalidate(self, listener: Callable[[], None]) -> None: ...


class HttpSettings(Protocol):
    """What of the `Settings` is needed here: the convention's name, other methods, bounds in seconds."""

    @property
    def convention(self) -> str: ...

    @property
    def known_methods(self) -> Collection[str] | None: ...

    @property
    def buckets(self) -> tuple[float, ...]: ...


class ServerMetrics:
    """Gives the `Requests` that a request belongs to."""

    def __init__(
        self, store: RowStore, settings: HttpSettings, errors: ErrorReporter, exemplars: ExemplarFilter
    ) -> None:
        self._store = store
        self._errors = errors
        self.exemplars = exemplars
        self._conventions = conventions(settings.convention, settings.buckets)
        self._methods = settings.known_methods or METHODS
        self._known: dict[tuple[str, str, str | None], RequestRecorder] = {}
        self.by_method: dict[str, RequestRecorder] = {}
        """The same by the method alone, if the convention asks for no more: a shorter way to `requests`."""
        self._method_decides = all(convention.method_decides for convention in self._conventions)
        store.on_invalidate(self._forget)

    def requests(self, method: str, scheme: str, version: str | None) -> RequestRecorder:
        """Those of this method, URL scheme and version of HTTP (``1.1``), all as the client sent them."""
        origin = RequestAttributes(method, scheme, version)
        found = self._known.get(origin) or self._find(origin.normalized(self._methods))
        if self._method_decides and method in self._methods:
            self.by_method[method] = found
        return found

    def websockets(self, scheme: str) -> RequestRecorder:
        """The websockets; they are only ever active."""
        return self._find(RequestAttributes("GET", scheme, None).normalized()._replace(method=WEBSOCKET))

    def _find(self, origin: RequestAttributes) -> RequestRecorder:
        """Only normalised origins are remembered: what a client makes up must not fill the memory."""
        found = self._known.get(origin)
        if found is None:
            made = RequestRecorder(origin, self._conventions, self._store, self._errors, self.exemplars)
            found = self._known.setdefault(origin, made)
        return found

    def _forget(self) -> None:
        void, self._known = self._known, {}
        self.by_method.clear()
        for requests in void.values():
            requests.invalidate()


class RequestRecorder:
    """The requests of one origin: how many are active, and how those that ended went.

    ``begin`` and ``leave`` are functions of their own, bound to the cells when they are met: a call less.
    """

    __slots__ = (
        "_active",
        "_conventions",
        "_ended",
        "_exemplars",
        "_origin",
        "_store",
        "_void",
        "cancel",
        "errors",
        "shortcuts",
        "start",
    )

    def __init__(
        self,
        origin: RequestAttributes,
        conventions: tuple[Convention, ...],
        store: RowStore,
        errors: ErrorReporter,
        exemplars: ExemplarFilter,
    ) -> None:
        self._origin = origin
        self._conventions = conventions
        self._store = store
        self._exemplars = exemplars
        self.errors = errors
        self._void = False
        self._ended: dict[tuple[str | None, int, str | None], Recorder] = {}
        self._active: tuple[Row, ...] = ()
        self.shortcuts: dict[tuple[object, ...], Recorder] = {}
        """Functions as `end` uses them, by whatever tells a caller the outcome sooner; see `shorten`."""
        self.start: InFlightRecorder = self._open
        """One has arrived. Follow it by one `end` or `leave`, whatever happens. Never raises."""
        self.cancel: InFlightRecorder = self._leave_early
        """One is no longer active, and is not counted. Never raises."""

    def end(self, route: str | None, status: int, error: str | None, seconds: float) -> None:
        """One has ended; ``route`` is the template, None for unmatched. Never raises."""
        try:
            (self._ended.get((route, status, error)) or self._meet(ResponseAttributes(route, status, error)))(
                seconds
            )
        except Exception as failure:
            self.errors.error("recording a request", failure)

    def remember_shortcut(self, key: tuple[object, ...], outcome: ResponseAttributes) -> None:
        """From now on ``shortcuts[key]`` records what `end` does with this outcome."""
        record = self._ended.get(outcome)
        if record is not None:
            if len(self.shortcuts) >= REMEMBERED:
                self.shortcuts.clear()
            self.shortcuts[key] = record

    def invalidate(self) -> None:
        """All rows are void; requests under way end here all the same."""
        self._void = True
        self._ended, self.shortcuts = {}, {}
        self.start = functools.partial(self._move_if_valid, 1.0)
        self.cancel = functools.partial(self._move_if_valid, -1.0)

    def _open(self) -> None:
        try:
            self._active = tuple(self._active_rows())
            self.start = in_flight_recorder(self._active, 1.0, self.errors)
            self.cancel = in_flight_recorder(self._active, -1.0, self.errors)
        except Exception as error:
            self.errors.error("counting an active request", error)
        else:
            self.start()

    def _leave_early(self) -> None:
        """Opening the rows had failed."""

    def _move_if_valid(self, by: float) -> None:
        """A request that began before a fork or a reset ends in the rows where it began, or nowhere.

        In the parent of a fork the store gives the same rows again. In the child, and after a reset, it gives
        new ones, in which this request never was, while the old ones belong to the parent or to nobody.
        """
        for old, new in zip(self._active, self._active_rows(), strict=False):
            if new is old:
                in_flight_recorder((old,), by, self.errors)()

    def _active_rows(self) -> Iterator[Row]:
        for convention in self._conventions:
            yield self._store.row(convention.active, convention.active_attributes(self._origin))

    def _meet(self, outcome: ResponseAttributes) -> Recorder:
        ended = self._ended  # that of now: what a fork or a reset voids meanwhile is not kept
        bound = self._active and not self._void
        record = self._recorder(outcome) if bound else self._unbound_recorder(outcome)
        if len(ended) >= REMEMBERED:
            ended.clear()
        ended[outcome] = record
        return record

    def _recorder(self, outcome: ResponseAttributes) -> Recorder:
        pairs = zip(self._conventions, self._active, strict=True)
        return chain_recorders([self._adder(convention, active, outcome) for convention, active in pairs])

    def _unbound_recorder(self, outcome: ResponseAttributes) -> Recorder:
        """For requests that began in other rows than those they end in, or in none."""
        adders = [self._adder(convention, IGNORED_CELL, outcome) for convention in self._conventions]
        return chain_recorders([lambda seconds: self.cancel(), *adders])

    def _adder(self, convention: Convention, active: Row, outcome: ResponseAttributes) -> Recorder:
        attributes = convention.attributes(self._origin, outcome)
        measure = convention.measure
        count = self._store.row(measure.requests, attributes) if measure.requests else IGNORED_CELL
        record = self._counting(measure, active, count, attributes)
        return self._with_exemplars(record, measure, attributes) if self._exemplars.active else record

    def _counting(self, measure: RequestMetrics, active: Row, count: Row, attributes: Attributes) -> Recorder:
        if self._store.exponential:
            both = self._store.histogram_row(measure.duration, attributes)
            return exponential_duration_recorder(measure, active, count, both)
        return duration_recorder(measure, active, count, self._store.row(measure.duration, attributes))

    def _with_exemplars(self, record: Recorder, measure: RequestMetrics, attributes: Attributes) -> Recorder:
        duration = self._exemplars.reservoir(measure.duration, attributes)
        count = self._exemplars.reservoir(measure.requests, attributes) if measure.requests else None
        return with_exemplars(record, measure, duration, count, self._exemplars)
