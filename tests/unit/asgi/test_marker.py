"""What an app says about a request."""

from __future__ import annotations

from dualmetrics.asgi import MetricsMiddleware, set_error, set_route
from dualmetrics.asgi.types import Receive, Scope, Send
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import fetch, http_scope
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HandlerError
from tests.unit.asgi.apps import hello


def test_route_is_set_through_a_copy_of_the_scope(telemetry: Telemetry) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        copy = dict(scope)
        set_route(copy, "/users/{id}")
        await hello(copy, receive, send)

    fetch(MetricsMiddleware(app, telemetry=telemetry), "GET", "/users/1")
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/users/{id}", 200): 1}


def test_route_and_error_without_the_middleware_are_ignored() -> None:
    scope = http_scope("GET", "/")
    set_route(scope, "/x")
    set_error(scope, HandlerError())
    assert scope == http_scope("GET", "/")
