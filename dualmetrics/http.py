"""The HTTP metrics of servers, recorded the same way whatever the protocol and the framework.

A request costs one look-up where it arrives, for its `Requests`, and one where it ends, for the function
that adds to the cells of its series. All else is done when a series is met for the first time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Protocol

from dualmetrics.atomic import atomic
from dualmetrics.cells import Row
from dualmetrics.conventions import WEBSOCKET, Convention, Measure, Origin, Outcome, conventions
from dualmetrics.snapshot import Attributes, Descriptor
from dualmetrics.trouble import Trouble

Record = Callable[[float], None]
"""Adds a request that took so many seconds to the cells of its series."""

REMEMBERED = 4096
"""Outcomes that a `Requests` remembers; an app that names ever new routes makes it begin anew."""


class Rows(Protocol):
    """What of a `Store` is needed here."""

    def row(self, descriptor: Descriptor, attributes: Attributes) -> Row: ...

    def on_rebind(self, listener: Callable[[], None]) -> None: ...


class HttpSettings(Protocol):
    """What of the `Settings` is needed here: the convention's name, and bounds in seconds."""

    @property
    def convention(self) -> str: ...

    @property
    def buckets(self) -> tuple[float, ...]: ...


class ServerMetrics:
    """Gives the `Requests` that a request belongs to."""

    def __init__(self, store: Rows, settings: HttpSettings, trouble: Trouble) -> None:
        self._store = store
        self._trouble = trouble
        self._conventions = conventions(settings.convention, settings.buckets)
        self._known: dict[tuple[str, str, str | None], Requests] = {}
        store.on_rebind(self._forget)

    def requests(self, method: str, scheme: str, version: str | None) -> Requests:
        """Those of this method, URL scheme and version of HTTP (``1.1``), all as the client sent them."""
        return self._known.get((method, scheme, version)) or self._find(
            Origin(method, scheme, version).normalised()
        )

    def websockets(self, scheme: str) -> Requests:
        """The websockets; they are only ever active."""
        return self._find(Origin("GET", scheme, None).normalised()._replace(method=WEBSOCKET))

    def _find(self, origin: Origin) -> Requests:
        """Only normalised origins are remembered: what a client makes up must not fill the memory."""
        found = self._known.get(origin)
        if found is None:
            made = Requests(origin, self._conventions, self._store, self._trouble)
            found = self._known.setdefault(origin, made)
        return found

    def _forget(self) -> None:
        void, self._known = self._known, {}
        for requests in void.values():
            requests.forget()


class Requests:
    """The requests of one origin: how many are active, and how those that ended went."""

    __slots__ = ("_active", "_conventions", "_ended", "_move", "_origin", "_store", "_trouble")

    def __init__(
        self, origin: Origin, conventions: tuple[Convention, ...], store: Rows, trouble: Trouble
    ) -> None:
        self._origin = origin
        self._conventions = conventions
        self._store = store
        self._trouble = trouble
        self._ended: dict[tuple[str | None, int, str | None], Record] = {}
        self._active: tuple[Row, ...] = ()
        self._move: Record = self._open

    def begin(self) -> None:
        """One has arrived. Follow it by one `end` or `leave`, whatever happens. Never raises."""
        try:
            self._move(1.0)
        except Exception as error:
            self._trouble.error("counting an active request", error)

    def end(self, route: str | None, status: int, error: str | None, seconds: float) -> None:
        """One has ended; ``route`` is the template, None for unmatched. Never raises."""
        try:
            self._move(-1.0)
            record = self._ended.get((route, status, error)) or self._meet(Outcome(route, status, error))
            record(seconds)
        except Exception as failure:
            self._trouble.error("recording a request", failure)

    def leave(self) -> None:
        """One is no longer active, and is not counted. Never raises."""
        try:
            self._move(-1.0)
        except Exception as error:
            self._trouble.error("counting an active request", error)

    def forget(self) -> None:
        """All rows are void; requests under way end here all the same."""
        self._ended = {}
        self._move = self._move_if_valid

    def _open(self, by: float) -> None:
        self._active = tuple(self._active_rows())
        self._move = mover(self._active)
        self._move(by)

    def _move_if_valid(self, by: float) -> None:
        """A request that began before a fork or a reset ends in the rows where it began, or nowhere.

        In the parent of a fork the store gives the same rows again. In the child, and after a reset, it gives
        new ones, in which this request never was, while the old ones belong to the parent or to nobody.
        """
        for old, new in zip(self._active, self._active_rows(), strict=False):
            if new is old:
                mover((old,))(by)

    def _active_rows(self) -> Iterator[Row]:
        for convention in self._conventions:
            yield self._store.row(convention.active, convention.active_attributes(self._origin))

    def _meet(self, outcome: Outcome) -> Record:
        ended = self._ended  # that of now: what a fork or a reset voids meanwhile is not kept
        recorders = [self._recorder(convention, outcome) for convention in self._conventions]
        record = recorders[0] if len(recorders) == 1 else chained(*recorders)
        if len(ended) >= REMEMBERED:
            ended.clear()
        ended[outcome] = record
        return record

    def _recorder(self, convention: Convention, outcome: Outcome) -> Record:
        attributes = convention.attributes(self._origin, outcome)
        measure = convention.measure
        duration = self._store.row(measure.duration, attributes)
        count = self._store.row(measure.requests, attributes) if measure.requests else None
        return recorder(measure, count, duration)


def recorder(measure: Measure, count: Row | None, duration: Row) -> Record:
    """A function that adds a request to these rows."""
    bounds, scale = measure.duration.bounds, measure.scale

    @atomic
    def observe(seconds: float) -> None:
        value = seconds * scale
        duration[bisect_left(bounds, value)] += 1.0
        duration[-1] += value

    @atomic
    def count_and_observe(seconds: float) -> None:
        value = seconds * scale
        counter[0] += 1.0
        duration[bisect_left(bounds, value)] += 1.0
        duration[-1] += value

    if count is None:
        return observe
    counter = count
    return count_and_observe


def mover(rows: tuple[Row, ...]) -> Record:
    """A function that adds to the first cell of each row."""

    @atomic
    def move_one(by: float) -> None:
        row[0] += by

    @atomic
    def move_all(by: float) -> None:
        for each in rows:
            each[0] += by

    row = rows[0]
    return move_one if len(rows) == 1 else move_all


def chained(first: Record, second: Record) -> Record:
    """A function that calls both."""

    def both(seconds: float) -> None:
        first(seconds)
        second(seconds)

    return both
