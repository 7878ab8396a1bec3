"""The HTTP metrics of servers, which every protocol and framework records in the same way.

A request costs one lookup when it arrives, of its `RequestRecorder`, and one when it ends, of the function
that writes to the cells of its series. Everything else happens when a series is recorded for the first time.
"""

from __future__ import annotations

from dualmetrics.http.active_by_route import ActiveByRoute
from dualmetrics.http.detailed_recorder import DetailedRecorder
from dualmetrics.http.http_names import HttpNames, HttpSettings
from dualmetrics.http.mounts import MountPrefixes
from dualmetrics.http.request_attributes import METHODS, WEBSOCKET, RequestAttributes
from dualmetrics.http.request_details import DetailSettings
from dualmetrics.http.request_recorder import RequestRecorder, RowStore
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.free_threading import FIRST_SHARD, NEEDS_LOCKS, SHARDS, Shard, own_shard


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
        self._names = HttpNames.of(settings)
        self.records_websockets = settings.websockets
        """Whether websockets are counted and timed when they end."""
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
        self._only_method_matters = all(each.only_method_matters for each in self._names.requests)
        store.on_invalidate(self._invalidate)

    def descriptors(self) -> list[Descriptor]:
        """The metrics that requests are recorded in, whether there were any or not."""
        return self._names.descriptors()

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
            names = self._names
            new_recorder = DetailedRecorder(
                request,
                names.websockets if request.method == WEBSOCKET else names.requests,
                self._store,
                self._errors,
                self.exemplars,
                self._shard,
                names.routes,
                measures=names.measures,
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
