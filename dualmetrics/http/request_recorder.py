"""Records the requests that arrive with the same attributes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

from dualmetrics.http.recorders import (
    ActiveRecorder,
    Recorder,
    active_recorder,
    chain_recorders,
    duration_recorder,
    exponential_duration_recorder,
    with_exemplars,
)
from dualmetrics.http.request_attributes import AnyResponse, RequestAttributes, ResponseAttributes
from dualmetrics.http.route_options import RouteOptions
from dualmetrics.http.semantic_conventions import Convention, RequestMetrics
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.free_threading import FIRST_SHARD, Shard
from dualmetrics.storage.exponential_cells import HistogramRow
from dualmetrics.storage.regions import Row, private_row

MAX_RESPONSES = 4096
"""How many different responses a recorder remembers. If an app keeps inventing routes, it starts over."""

UNUSED_ROW: Row = private_row(1)
"""A row to write to that nobody reads."""

_ROWS = "rows"

ALL_ALIKE = RouteOptions()
"""Options without anything for single routes."""


class RowStore(Protocol):
    """The part of the store that the HTTP metrics use."""

    exponential: bool

    def row(
        self, descriptor: Descriptor, attributes: Attributes, start: int | None = None, shard: int = 0
    ) -> Row: ...

    def histogram_row(
        self, descriptor: Descriptor, attributes: Attributes, start: int | None = None, shard: int = 0
    ) -> HistogramRow: ...

    def on_invalidate(self, listener: Callable[[], None]) -> None: ...


Shortcut: TypeAlias = tuple[Recorder, Callable[[str], object]]
"""Records a request whose route is known without its template, if the second is true of its path.

A plain tuple, because each request unpacks one, and a named tuple is unpacked more slowly.
"""


class RequestRecorder:
    """Counts the active requests with the same `RequestAttributes`, and records those that have ended.

    A recorder has three states:

    - *new*: it has no rows yet. The first `start` opens it.
    - *open*: it writes to the rows that the store gave it.
    - *invalid*: a fork, a reset or a shutdown has made these rows invalid. It only serves the requests that
      were active at that moment; new requests get a new recorder.

    `start` and `cancel` are attributes, and each state sets functions of its own. So a request pays neither
    for a test of the state nor for a second call: the same as methods made a request 2 to 3 % slower.
    """

    __slots__ = (
        "_conventions",
        "_decided",
        "_exemplars",
        "_invalid",
        "_recorders",
        "_request",
        "_routes",
        "_shard",
        "_store",
        "cancel",
        "errors",
        "shortcuts",
        "start",
    )

    def __init__(
        self,
        request: RequestAttributes,
        conventions: tuple[Convention, ...],
        store: RowStore,
        errors: ErrorReporter,
        exemplars: ExemplarFilter,
        shard: Shard = FIRST_SHARD,
        routes: RouteOptions = ALL_ALIKE,
    ) -> None:
        self._request = request
        self._routes = routes
        self._shard = shard
        self._conventions = conventions
        self._store = store
        self._exemplars = exemplars
        self.errors = errors
        self._invalid = False
        self._recorders: dict[tuple[str | None, int, str | None], Recorder] = {}
        self._decided: dict[str, tuple[Row, ...]] = {}
        """The rows of the active requests; the first of `_open` and `invalidate` decides."""
        self.shortcuts: dict[tuple[object, ...], Shortcut] = {}
        """By a key that the caller knows earlier than the response; see `remember_shortcut`."""
        self.start: ActiveRecorder = self._start_when_new
        """Count a request as active. One call of `end` or `cancel` must follow. Never raises."""
        self.cancel: ActiveRecorder = self._cancel_when_new
        """Count a request as no longer active, and do not record it. Never raises."""

    def end(self, route: str | None, status: int, error: str | None, seconds: float) -> None:
        """Record a request that has ended. ``route`` is its template, None if none matched. Never raises."""
        try:
            response = route, status, error
            record = self._recorders.get(response) or self._add_recorder(ResponseAttributes(*response))
            record(seconds)
        except Exception as failure:
            self.errors.error("recording a request", failure)

    def remember_shortcut(
        self, key: tuple[object, ...], response: ResponseAttributes, applies: Callable[[str], object]
    ) -> None:
        """From now on, ``shortcuts[key]`` records what `end` does for this response."""
        record = self._recorders.get(response)
        if record is not None:
            if len(self.shortcuts) >= MAX_RESPONSES:
                self.shortcuts.clear()
            self.shortcuts[key] = record, applies

    def invalidate(self) -> None:
        """Enter the state *invalid*. A recorder that was new counts no active requests."""
        self._invalid = True
        self._decided.setdefault(_ROWS, ())
        self._recorders, self.shortcuts = {}, {}
        self.start = functools.partial(self._change_when_invalid, 1.0)
        self.cancel = functools.partial(self._change_when_invalid, -1.0)

    def _open(self) -> None:
        """Enter the state *open*, unless the recorder has become invalid meanwhile."""
        rows = tuple(self._store_rows())
        if self._decided.setdefault(_ROWS, rows) and not self._invalid:
            self.start = active_recorder(self._active_rows, 1.0, self.errors, self._shard)
            self.cancel = active_recorder(self._active_rows, -1.0, self.errors, self._shard)

    @property
    def _active_rows(self) -> tuple[Row, ...]:
        # They never change, because a request has to end in the rows in which it began, and another thread
        # may begin one while `_open` or `invalidate` runs.
        return self._decided.get(_ROWS, ())

    def _start_when_new(self) -> None:
        try:
            self._open()
        except Exception as error:
            self.errors.error("counting an active request", error)
        else:
            self.start()

    def _cancel_when_new(self) -> None:
        """Do nothing: opening the rows has failed, so the request was not counted as active."""

    def _change_when_invalid(self, change: float) -> None:
        """Change the number of active requests only in rows that the store still uses.

        If they were only asked for again, the store returns the same rows. In the child of a fork and after a
        reset it returns new rows, which have never counted the request; the old rows belong to the parent or
        to nobody.
        """
        for old, new in zip(self._active_rows, self._store_rows(), strict=False):
            if new is old:
                active_recorder((old,), change, self.errors, self._shard)()

    def _store_rows(self) -> Iterator[Row]:
        for convention in self._conventions:
            yield self._row(convention.active_requests, convention.active_attributes(self._request))

    def _row(self, descriptor: Descriptor, attributes: Attributes) -> Row:
        return self._store.row(descriptor, attributes, shard=self._shard.number)

    def _add_recorder(self, response: ResponseAttributes) -> Recorder:
        # Bound here, so that a function for rows that become invalid meanwhile is not kept in the new dict.
        recorders = self._recorders
        record = self._make_recorder(response)
        if len(recorders) >= MAX_RESPONSES:
            recorders.clear()
        recorders[response] = record
        return record

    def _make_recorder(self, response: AnyResponse) -> Recorder:
        if self._routes.is_excluded(response.route):
            return lambda seconds: self.cancel()
        is_open = self._active_rows and not self._invalid
        return self._open_recorder(response) if is_open else self._unbound_recorder(response)

    def _open_recorder(self, response: AnyResponse) -> Recorder:
        pairs = zip(self._conventions, self._active_rows, strict=True)
        return chain_recorders([self._recorder(convention, active, response) for convention, active in pairs])

    def _unbound_recorder(self, response: AnyResponse) -> Recorder:
        """Record a request that was counted as active in other rows, or nowhere."""
        recorders = [self._recorder(convention, UNUSED_ROW, response) for convention in self._conventions]
        return chain_recorders([lambda seconds: self.cancel(), *recorders])

    def _attributes(self, convention: Convention, response: AnyResponse) -> Attributes:
        return convention.attributes(self._request, response)

    def _recorder(self, convention: Convention, active: Row, response: AnyResponse) -> Recorder:
        attributes = self._attributes(convention, response)
        metrics = self._routes.metrics_of(response.route, convention.request_metrics)
        count = self._row(metrics.requests, attributes) if metrics.requests else UNUSED_ROW
        record = self._duration_recorder(metrics, active, count, attributes)
        return self._with_exemplars(record, metrics, attributes) if self._exemplars.active else record

    def _duration_recorder(
        self, metrics: RequestMetrics, active: Row, count: Row, attributes: Attributes
    ) -> Recorder:
        if self._store.exponential:
            histogram = self._store.histogram_row(metrics.duration, attributes, shard=self._shard.number)
            return exponential_duration_recorder(metrics, active, count, histogram, self._shard)
        duration = self._row(metrics.duration, attributes)
        return duration_recorder(metrics, active, count, duration, self._shard)

    def _with_exemplars(self, record: Recorder, metrics: RequestMetrics, attributes: Attributes) -> Recorder:
        duration = self._exemplars.reservoir(metrics.duration, attributes)
        count = self._exemplars.reservoir(metrics.requests, attributes) if metrics.requests else None
        return with_exemplars(record, metrics, duration, count, self._exemplars)
