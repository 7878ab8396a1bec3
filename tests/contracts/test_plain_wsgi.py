"""The contract on plain WSGI: apps that route by hand, with `set_route` and with a `RouteNamer`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, HandlerError, WsgiContract
from dualmetrics.testing.contracts.wsgi import AddMiddleware
from dualmetrics.wsgi import Environ, MetricsMiddleware, note_request, set_route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

NOT_ALLOWED = {"WEBSOCKET": 400}
"""Methods that are refused with another status than 405. Falcon refuses this one so."""


class TestPlainWsgi(WsgiContract):
    """An app that calls `set_route`."""

    def make_app(self, telemetry: Telemetry, actions: Actions) -> WSGIApplication:
        def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            answer = route(environ, actions, set_route)
            if answer.template is not None:
                set_route(environ, answer.template)
            return respond(answer, start_response)

        return MetricsMiddleware(app, telemetry=telemetry)


class Framework:
    """An app with a stack of middleware, whose router leaves the route in the environ."""

    def __init__(self, actions: Actions) -> None:
        self.stack: WSGIApplication = self.match
        self._actions = actions

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self.stack(environ, start_response)

    def match(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The router, and the handlers."""
        note_request(environ, route_of)
        answer = route(environ, self._actions, keep_route)
        environ["framework.route"] = answer.template
        return respond(answer, start_response)


def keep_route(environ: Environ, template: str) -> None:
    """Leave a route in the environ."""
    environ["framework.route"] = template


def route_of(environ: Environ) -> str | None:
    """The `RouteNamer` for all apps of the framework."""
    return environ.get("framework.route")


class TestRouteNamer(WsgiContract):
    """A framework whose integration has a `RouteNamer` and calls `note_request`."""

    def make_app(self, telemetry: Telemetry, actions: Actions) -> WSGIApplication:
        return MetricsMiddleware(Framework(actions), telemetry=telemetry, route_namer=route_of)

    def add_middleware(self, app: Any, middleware: AddMiddleware) -> WSGIApplication:
        app.app.stack = middleware(app.app.stack)
        added: WSGIApplication = app
        return added


class Answer(NamedTuple):
    template: str | None
    status: int
    body: Iterable[bytes] = (b"body",)


def respond(answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    if answer.template == "/boom":
        raise HandlerError
    start_response(f"{answer.status} Status", [("Content-Type", "text/plain")])
    return answer.body


def route(environ: Environ, actions: Actions, name: Callable[[Environ, str], None]) -> Answer:
    """Find the route by the path, or by the path without its last part."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if method != "GET":
        return Answer(None, NOT_ALLOWED.get(method, 405))
    head, _, tail = path.rpartition("/")
    if head in ("/users", "/api/v1/items"):
        name(environ, head + "/{id}")
        actions.note_active()
        return Answer(head + "/{id}", 404 if tail == "missing" else 200)
    if head == "/status":
        return Answer("/status/{code}", int(tail))
    bodies: dict[str, Callable[[], Iterable[bytes]]] = {
        "/stream": actions.parts,
        "/broken": actions.broken_parts,
        "/later": actions.late_body,
    }
    if path in bodies:
        return Answer(path, 200, bodies[path]())
    return Answer(path, 200) if path in ("/boom", "/folder/", "/health") else Answer(None, 404)
