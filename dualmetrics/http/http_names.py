"""The metrics that the settings ask for, and how they are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from dualmetrics.config.per_instrument import PerInstrument
from dualmetrics.http.measures import Measure, MeasureSettings, measures_for
from dualmetrics.http.request_details import Needs
from dualmetrics.http.route_options import RouteOptions
from dualmetrics.http.semantic_conventions import AttributeOptions, Convention, conventions_for
from dualmetrics.http.websocket_conventions import websocket_conventions
from dualmetrics.model.descriptor import Descriptor


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


class HttpNames(NamedTuple):
    """The conventions for requests and for websockets, the measures of each, and the options of routes."""

    requests: tuple[Convention, ...]
    websockets: tuple[Convention, ...]
    measures: Mapping[Convention, tuple[Measure, ...]]
    routes: RouteOptions

    @classmethod
    def of(cls, settings: HttpSettings) -> HttpNames:
        """Choose them by the settings."""
        buckets, by_name = settings.buckets.default, settings.buckets.by_name
        options = AttributeOptions(settings.grouped_status, settings.classic_error_type)
        requests = conventions_for(settings.convention, buckets, options)
        return cls(
            requests,
            websocket_conventions(requests, options) if settings.websockets else requests,
            {each: measures_for(each, settings, buckets, by_name) for each in requests},
            RouteOptions(settings.exclude_routes, settings.route_buckets),
        )

    def descriptors(self) -> list[Descriptor]:
        """All metrics, whether anything was recorded in them or not."""
        found = [measure.descriptor for measures in self.measures.values() for measure in measures]
        for convention in (*self.requests, *self.websockets):
            count, duration, _ = convention.request_metrics
            found += [convention.active_requests, duration, *([count] if count else [])]
        return found
