"""Records requests of which more is known than their route, status and duration."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any

from dualmetrics.http.measures import Measure, Measured
from dualmetrics.http.request_attributes import AnyResponse, DetailedResponse, RequestAttributes
from dualmetrics.http.request_recorder import MAX_RESPONSES, RequestRecorder, RowStore
from dualmetrics.http.semantic_conventions import UNMATCHED, Convention, RequestMetrics
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime.free_threading import Shard, locked_if_free_threaded

DetailRecorder = Callable[[float, Measured], None]
"""Records a finished request that took so many seconds, with what was measured of it."""

STATUSES_WITHOUT_BODY = frozenset((*range(100, 200), 204, 304))
"""The server sends no body with these, whatever the app has sent (RFC 9110, 6.4.1)."""


class DetailedRecorder(RequestRecorder):
    """A `RequestRecorder` that can also record in detail. What `end` does is the same.

    ``measures`` are those of each convention.
    """

    __slots__ = ("_in_detail", "_measures")

    def __init__(
        self, *arguments: Any, measures: Mapping[Convention, tuple[Measure, ...]], **others: Any
    ) -> None:
        super().__init__(*arguments, **others)
        self._measures = measures
        self._in_detail: dict[DetailedResponse, DetailRecorder] = {}

    def end_in_detail(self, response: DetailedResponse, seconds: float, measured: Measured) -> None:
        """Record a request that has ended, as `end` does. Never raises."""
        try:
            if self._request.method == "HEAD" or response.status in STATUSES_WITHOUT_BODY:
                measured = measured._replace(sent=0)
            record = self._in_detail.get(response) or self._add_detail_recorder(response)
            record(seconds, measured)
        except Exception as failure:
            self.errors.error("recording a request", failure)

    def at_route(self, route: str) -> RequestRecorder:
        """Return a recorder for the active requests of one route."""
        conventions = tuple(ActiveAt(convention, route) for convention in self._conventions)
        return RequestRecorder(
            self._request, conventions, self._store, self.errors, self._exemplars, self._shard
        )

    def invalidate(self) -> None:
        """Enter the state *invalid*."""
        super().invalidate()
        self._in_detail = {}

    def _attributes(self, convention: Convention, response: AnyResponse) -> Attributes:
        attributes = super()._attributes(convention, response)
        declared = response.declared if isinstance(response, DetailedResponse) else ()
        return tuple(sorted((*attributes, *declared))) if declared else attributes

    def _add_detail_recorder(self, response: DetailedResponse) -> DetailRecorder:
        in_detail = self._in_detail  # bound here, as in `_add_recorder`
        record = detail_recorder(self._make_recorder(response), self._measure_recorders(response))
        if len(in_detail) >= MAX_RESPONSES:
            in_detail.clear()
        in_detail[response] = record
        return record

    def _measure_recorders(self, response: DetailedResponse) -> list[Callable[[Measured], None]]:
        if self._routes.is_excluded(response.route):
            return []
        return [
            measure_recorder(self._store, measure, self._attributes(convention, response), self._shard)
            for convention in self._conventions
            for measure in self._measures.get(convention, ())
        ]


class ActiveAt:
    """A `Convention` whose active requests have a route."""

    only_method_matters = False

    def __init__(self, convention: Convention, route: str) -> None:
        self._convention = convention
        self._route = route
        self.active_requests: Descriptor = convention.active_requests
        self.request_metrics: RequestMetrics = convention.request_metrics

    def active_attributes(self, request: RequestAttributes) -> Attributes:
        """Return those of the convention, and the route."""
        others = self._convention.active_attributes(request)
        return tuple(sorted((*others, ("http.route", self._route or UNMATCHED))))

    def attributes(self, request: RequestAttributes, response: AnyResponse) -> Attributes:
        """Return those of the convention."""
        return self._convention.attributes(request, response)


def detail_recorder(
    record: Callable[[float], None], measures: list[Callable[[Measured], None]]
) -> DetailRecorder:
    """Make a function that calls ``record``, and then all ``measures``."""

    def record_in_detail(seconds: float, measured: Measured) -> None:
        record(seconds)
        for record_measure in measures:
            record_measure(measured)

    return record_in_detail


def measure_recorder(
    store: RowStore, measure: Measure, attributes: Attributes, shard: Shard
) -> Callable[[Measured], None]:
    """Make a function that records one measure into the row of its series."""
    descriptor, scale, value_of = measure
    bounds = descriptor.bounds
    add_exponential: Callable[[float], object] | None = None
    if store.exponential:
        row, exponential_cells = store.histogram_row(descriptor, attributes, shard=shard.number)
        add_exponential = exponential_cells.add
    else:
        row = store.row(descriptor, attributes, shard=shard.number)

    @locked_if_free_threaded(shard)
    def record(measured: Measured) -> None:
        found = value_of(measured)
        if found is not None:
            value = found * scale
            row[bisect_left(bounds, value)] += 1.0
            row[-1] += value
            if add_exponential is not None:
                add_exponential(value)

    return record
