"""What Falcon knows of a request when it has made the response."""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import falcon
import falcon.inspect

from dualmetrics.asgi import set_error
from dualmetrics.middleware import note_seen, route_taken_error

if TYPE_CHECKING:
    from dualmetrics import Telemetry

TEMPLATE_KEY = "dualmetrics_falcon.template"


def falcon_carrier(request: Any) -> MutableMapping[str, Any]:
    """The environ or scope of a request. It may be a copy of the one that the middleware has seen."""
    carrier: MutableMapping[str, Any] = getattr(request, "scope", None) or request.env
    note_seen(carrier)
    return carrier


def keep_match(request: Any) -> None:
    """Keep the template of the route that has matched, before its responder runs."""
    falcon_carrier(request)[TEMPLATE_KEY] = request.uri_template


class MatchNoter:
    """Middleware of Falcon that lets the route of a request be known while it is in progress."""

    def process_resource(self, request: Any, response: Any, resource: object, params: dict[str, Any]) -> None:
        """Keep the template of the matched route."""
        keep_match(request)

    async def process_resource_async(self, request: Any, *_: object) -> None:
        """Do the same for an ASGI app."""
        keep_match(request)


def note_template(request: Any, response: Any, succeeded: bool) -> None:
    """Keep the template of the matched route, unless its resource has no responder for the method."""
    refused = not succeeded and falcon.http_status_to_code(response.status) == HTTPStatus.METHOD_NOT_ALLOWED
    falcon_carrier(request)[TEMPLATE_KEY] = None if refused else request.uri_template


def uri_template(carrier: MutableMapping[str, Any], path: str = "") -> str | None:
    """The template of the route that took a request: the `RouteNamer` of both protocols."""
    template: str | None = carrier.get(TEMPLATE_KEY)
    return template


def default_error_handler(app: Any) -> Any:
    """Falcon's own handler of exceptions; None if the app has replaced it."""
    handler = app._error_handlers.get(Exception)
    return handler if getattr(handler, "__self__", None) is app else None


def tell_unexpected(request: Any, error: BaseException) -> None:
    """Tell the middleware about an exception that Falcon answers with a 500."""
    set_error(falcon_carrier(request), error)


def refuse_taken_path(app: Any, telemetry: Telemetry) -> None:
    """Raise SettingsError if a route has the metrics path."""
    path = telemetry.settings.prometheus_path
    if has_route(app, path):
        raise route_taken_error(telemetry, path)


def has_route(app: Any, path: str) -> bool:
    """Whether a route of the app has this template. Falcon shows the routes of its own router only."""
    try:
        return path in [route.path for route in falcon.inspect.inspect_routes(app)]
    except (TypeError, ValueError):
        return False
