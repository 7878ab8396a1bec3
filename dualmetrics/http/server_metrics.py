"""The HTTP metrics of servers, which every protocol and framework records in the same way.

A request costs one lookup when it arrives, of its `RequestRecorder`, and one when it ends, of the function
that writes to the cells of its series. Everything else happens when a series is recorded for the first time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from dualmetrics.config.per_instrument import PerInstrument
from dualmetrics.http.active_by_route import ActiveByRoute
from dualmetrics.http.detailed_recorder import DetailedRecorder
from dualmetrics.http.measures import MeasureSettings, measures_for
from dualmetrics.http.mounts import MountPrefixes
from dualmetrics.http.request_attributes import METHODS, WEBSOCKET, RequestAttributes
from dualmetrics.http.request_details import DetailSettings, Needs
from dualmetrics.http.request_recorder import RequestRecorder, RowStore
from dualmetrics.http.route_options import RouteOptions
from dualmetrics.http.semantic_conventions import AttributeOptions, conventions_for
from dualmetrics.http.websocket_conventions import websocket_conventions
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.free_threading import FIRST_SHARD, NEEDS_LOCKS, SHARDS, Shard, own_shard


class HttpSettings(MeasureSettings, Needs, Protocol):
    """The part of `Settings` that the HTTP metrics use. ``buckets.default`` are bounds in seconds."""

    @property
    def convention(self) -> str: ...

    @property
    def known_methods(self) -> Collection[str] | None: ...

    @property
    def buckets(self) -> PerInstrument[tuple[float, ...]]: ...

    @property
    def root_path(self) -> str | None: ...

    @property
    def exclude_routes(self) -> tuple[str, ...]: ...

    @property
    def route_buckets(self) -> Mapping[str, tuple[float, ...]]: ...

    @property
    def grouped_status(self) -> bool: ...

    @property
    def classic_error_type(self) -> bool: ...

    @property
    def websockets(self) -> bool: ...


def server_metrics(
    store: RowStore, settings: HttpSettings, errors: ErrorReporter, exemplars: ExemplarFilter
) -> ServerMetrics:
    """The HTTP metrics of one `Telemetry`, for all threads."""
    if NEEDS_LOCKS:
        return _ShardedServerMetrics(store, settings, errors, exemplars)
    return ServerMetrics(store, settings, errors, exemplars)


class ServerMetrics:
    """Finds the `RequestRecorder` of a request, which writes to the rows of ``shard``."""

    def __init__(
        self,
        store: RowStore,
        settings: HttpSettings,
        errors: ErrorReporter,
        exemplars: ExemplarFilter,
        shard: Shard = FIRST_SHARD,
    ) -> None:
        self._shard = shard
        self._store = store
        self._errors = errors
        self.exemplars = exemplars
        buckets, options = (
            settings.buckets,
            AttributeOptions(settings.grouped_status, settings.classic_error_type),
        )
        self._conventions = conventions_for(settings.convention, buckets.default, options)
        self._measures = {
            convention: measures_for(convention, settings, buckets.default, buckets.by_name)
            for convention in self._conventions
        }
        self.records_websockets = settings.websockets
        """Whether websockets are counted and timed when they end."""
        self._websocket_conventions = self._conventions
        if settings.websockets:
            self._websocket_conventions = websocket_conventions(self._conventions, options)
        self._routes = RouteOptions(settings.exclude_routes, settings.route_buckets)
        self.active_by_route = ActiveByRoute(errors) if settings.active_by_route else None
        self.details = DetailSettings(settings, errors, self.active_by_route)
        self._methods = settings.known_methods or METHODS
        self.mounts = MountPrefixes(settings.root_path)
        self.saw_requests = False
        """Whether any request has passed a middleware, also one that is not recorded."""
        self._recorders: dict[RequestAttributes, RequestRecorder] = {}
        self.by_method: dict[str, RequestRecorder] = {}
        """The recorders by the method alone, filled if the conventions use nothing else of a request.

        A middleware looks here first, which is faster than `recorder_for`.
        """
        self._only_method_matters = all(convention.only_method_matters for convention in self._conventions)
        store.on_invalidate(self._invalidate)

    def recorder_for(self, method: str, scheme: str, version: str | None) -> RequestRecorder:
        """Return the recorder for a method, URL scheme and HTTP version (``1.1``) as the client sent them."""
        request = RequestAttributes(method, scheme, version)
        recorder = self._recorders.get(request) or self._find(request.normalized(self._methods))
        if self._only_method_matters and method in self._methods:
            self.by_method[method] = recorder
        return recorder

    def websocket_recorder(self, scheme: str) -> RequestRecorder:
        """Return the recorder for websockets. They are counted while they are active, and nothing more."""
        return self._find(RequestAttributes("GET", scheme, None).normalized()._replace(method=WEBSOCKET))

    def _find(self, request: RequestAttributes) -> RequestRecorder:
        """Return the recorder for normalized attributes.

        Only normalized ones are remembered, so that a client cannot fill the memory with what it invents.
        """
        recorder = self._recorders.get(request)
        if recorder is None:
            is_websocket = request.method == WEBSOCKET
            new_recorder = DetailedRecorder(
                request,
                self._websocket_conventions if is_websocket else self._conventions,
                self._store,
                self._errors,
                self.exemplars,
                self._shard,
                self._routes,
                measures=self._measures,
            )
            recorder = self._recorders.setdefault(request, new_recorder)
        return recorder

    def _invalidate(self) -> None:
        invalid, self._recorders = self._recorders, {}
        self.by_method.clear()
        if self.active_by_route is not None:
            self.active_by_route.invalidate()
        for recorder in invalid.values():
            recorder.invalidate()


class _ShardedServerMetrics(ServerMetrics):
    """Finds the recorder for the shard of the calling thread. Its own `by_method` stays empty."""

    def __init__(
        self, store: RowStore, settings: HttpSettings, errors: ErrorReporter, exemplars: ExemplarFilter
    ) -> None:
        super().__init__(store, settings, errors, exemplars)
        self._by_shard = [ServerMetrics(store, settings, errors, exemplars, shard) for shard in SHARDS]

    def recorder_for(self, method: str, scheme: str, version: str | None) -> RequestRecorder:
        metrics = self._by_shard[own_shard().number]
        return metrics.by_method.get(method) or metrics.recorder_for(method, scheme, version)

    def websocket_recorder(self, scheme: str) -> RequestRecorder:
        return self._by_shard[own_shard().number].websocket_recorder(scheme)
