"""What the integrations and the middleware of both protocols have in common.

`BaseMiddleware` and `PAGE_DISABLED` are for `dualmetrics.asgi` and `dualmetrics.wsgi` alone. The other names
are for integrations too, and documented in ``docs/writing-an-integration.md``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from dualmetrics.config.settings import SettingsError
from dualmetrics.default_telemetry import configure
from dualmetrics.http.marker import Carrier, RequestMarker, markers, note_seen
from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.regex_routes import readable_regex
from dualmetrics.http.request_attributes import METHODS, error_type
from dualmetrics.scrape.messages import ScrapeResponse

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

__all__ = [
    "METHODS",
    "MiddlewareOptions",
    "ScrapeResponse",
    "SettingsError",
    "error_type",
    "note_seen",
    "readable_regex",
    "route_taken_error",
    "serves_page",
    "telemetry_for",
    "warn_if_bypassed",
    "warn_of_hidden_route",
]

_OLD_NAMES = {"route", "answer"}
"""The names in version 0.1 of ``serve_metrics`` and ``route_namer``."""

PAGE_DISABLED = ScrapeResponse(
    404,
    [("content-type", "text/plain; charset=utf-8")],
    [b"OTEL_SDK_DISABLED is true, or OTEL_METRICS_EXPORTER does not name prometheus\n"],
)
"""The answer to a scrape while `serves_page` is false."""


class Additions:
    """Who has added middleware in this process."""

    by_code = False
    """Whether code of the process has: an app, or whatever serves it."""
    failed = False
    """Whether zero code could not, because a setting is wrong."""
    zero_code: Telemetry | None = None
    """The Telemetry of apps that are recorded unchanged."""


ADDITIONS = Additions()

_App = TypeVar("_App")
_Request = TypeVar("_Request")


class BaseMiddleware(Generic[_App, _Request]):
    """What the ASGI middleware and the WSGI middleware have in common.

    ``app`` is the wrapped app, and ``page`` the metrics page as an app, or None. ``request_types`` are the
    class that records a request and the one that does so as part of a span. The second one replaces the first
    when a tracer is detected. ``detailed_types`` replace both when details are wanted. What each request
    needs is an attribute of the middleware, to save a lookup.
    """

    def __init__(
        self,
        app: _App,
        telemetry: Telemetry,
        paths: PathFilter,
        page: _App | None,
        request_types: tuple[type[_Request], type[_Request]],
        detailed_types: tuple[type[_Request], type[_Request]],
    ) -> None:
        self.app = app
        self._telemetry = telemetry
        self._metrics = telemetry.server_metrics
        self._by_method = telemetry.server_metrics.by_method
        self._enabled = telemetry.enabled
        self._paths = paths
        self._excluded = paths.excluded
        self._page = page
        self._own_route: Callable[[], str | None] | None = None
        self._request_type, self._traced_request_type = request_types
        self._detailed_types = detailed_types
        telemetry.server_metrics.details.on_wanted(self._record_in_detail)
        telemetry.server_metrics.exemplars.on_active(self._record_in_spans)

    def yield_page(self, own_route: Callable[[], str | None]) -> None:
        """Answer the metrics path as little as possible, for an app that does not know dualmetrics.

        A route of its own, which ``own_route`` returns, is served and named once in the log. An app that is
        mounted in another recorded app has no page: the one outside has it.
        """
        self._own_route = own_route

    def _page_for(self, carrier: Carrier, path: str) -> _App | None:
        """The page, if it answers this request."""
        if self._page is None or path != self._paths.page:
            return None
        if self._own_route is not None:
            if next(iter(markers(carrier)), None) is not None:
                return None
            route = self._own_route()
            if route is not None:
                self._telemetry.errors.log_once(
                    "own route",
                    "dualmetrics: the app has a route %r of its own at the metrics path, which it serves "
                    "unchanged. To have the metrics page, set PROMETHEUS_PATH to another path than %r",
                    route,
                    self._telemetry.settings.prometheus_path,
                )
                return None
        return self._page

    def _marker_of(self, carrier: Carrier) -> RequestMarker | None:
        """The marker of an outer middleware that records this request with the same Telemetry."""
        return next((marker for marker in markers(carrier) if marker.telemetry is self._telemetry), None)

    def _exclude_outside(self, carrier: Carrier, path: str) -> None:
        """Have middleware outside not record a request that this one excludes.

        The page of an app inside is no request to the app outside, either.
        """
        for marker in markers(carrier):
            if marker.telemetry is self._telemetry or path == self._paths.page:
                marker.exclude()

    def _record_in_detail(self) -> None:
        is_traced = self._request_type is self._traced_request_type
        detailed, self._traced_request_type = self._detailed_types
        self._request_type = self._traced_request_type if is_traced else detailed

    def _record_in_spans(self) -> None:
        self._request_type = self._traced_request_type


class MiddlewareOptions(NamedTuple):
    """The arguments that all middleware and integrations have, but for the settings."""

    serve_metrics: bool
    route_namer: Any

    @classmethod
    def of(
        cls, settings: dict[str, Any], serve_metrics: object, route_namer: object = None
    ) -> MiddlewareOptions:
        """Check the arguments. Removes those from ``settings`` that had another name in version 0.1.

        Raises TypeError for a wrong type.
        """
        for old in _OLD_NAMES & settings.keys():
            value = settings.pop(old)
            if callable(value):
                route_namer, name = value, "route_namer"
            else:
                serve_metrics, name = value, "serve_metrics"
            message = f"dualmetrics: {old}={value!r} is now {name}={value!r}"
            warnings.warn(message, DeprecationWarning, stacklevel=3)
        if not isinstance(serve_metrics, bool):
            raise TypeError(f"serve_metrics={serve_metrics!r}: allowed are True and False")
        if route_namer is not None and not callable(route_namer):
            raise TypeError(f"route_namer={route_namer!r}: allowed is a function that names the route")
        return cls(serve_metrics, route_namer)


def telemetry_for(telemetry: Telemetry | None, settings: dict[str, Any]) -> Telemetry:
    """The `Telemetry` to record with: the given one, or the default of the process.

    The default one is configured with ``settings``, as by `dualmetrics.configure`. Raises SettingsError for a
    bad setting, and TypeError if both are given, since a Telemetry has its settings already.
    """
    if telemetry is None or telemetry is not ADDITIONS.zero_code:
        ADDITIONS.by_code = True
    if telemetry is None:
        return configure(**settings)
    if settings:
        names = ", ".join(settings)
        raise TypeError(f"telemetry= already has its settings; not allowed beside it: {names}")
    return telemetry


def serves_page(telemetry: Telemetry) -> bool:
    """Whether there is a page: the Telemetry is enabled, and ``prometheus`` is among its exporters."""
    return telemetry.enabled and "prometheus" in telemetry.settings.metrics_exporter


def warn_of_hidden_route(telemetry: Telemetry, route: str) -> None:
    """Log once that ``route``, a route of the app that was added later, is hidden by the metrics page.

    A route that is there already is refused by `route_taken_error`.
    """
    telemetry.errors.log_once(
        "hidden route",
        "dualmetrics: the metrics page at prometheus_path=%r hides the app's own route %r. Choose another "
        "path, or pass serve_metrics=False and mount the page elsewhere",
        telemetry.settings.prometheus_path,
        route,
    )


def warn_if_bypassed(telemetry: Telemetry, reason: str) -> None:
    """Log once that requests are not recorded, if not even this request for the page passed a middleware.

    For the route of the page. ``reason`` says why that may be, and what to do.
    """
    if not telemetry.server_metrics.saw_requests:
        telemetry.errors.log_once(
            "bypassed middleware",
            "dualmetrics: the metrics page was read, but no request has passed the middleware, so none is "
            "recorded. Let the server call the app that was passed to DualMetrics: %s",
            reason,
        )


def route_taken_error(telemetry: Telemetry, route: str) -> SettingsError:
    """The error to raise if ``route``, a route of the app, already has the metrics path.

    It names the path and the route, and says what the user can do: choose another path, or mount no route.
    """
    path = telemetry.settings.prometheus_path
    return SettingsError(
        f"prometheus_path={path!r}: the app's route {route!r} already has this path; "
        "choose a path that no other route has, or pass serve_metrics=False and mount the page elsewhere"
    )
