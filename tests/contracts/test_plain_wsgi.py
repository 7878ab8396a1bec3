"""The contract on plain WSGI: an app that routes by hand and names its routes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, HandlerError, WsgiContract
from dualmetrics.wsgi import Environ, MetricsMiddleware, set_route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

NOT_ALLOWED = {"WEBSOCKET": 400}
"""Methods that are refused with another status than 405. Falcon refuses this one so."""


class TestPlainWsgi(WsgiContract):
    def make_app(self, telemetry: Telemetry, actions: Actions) -> WSGIApplication:
        def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            method = environ["REQUEST_METHOD"]
            answer = Answer(None, NOT_ALLOWED.get(method, 405))
            if method == "GET":
                answer = route(environ["PATH_INFO"], actions)
            if answer.template is not None:
                set_route(environ, answer.template)
            if answer.template == "/boom":
                raise HandlerError
            start_response(f"{answer.status} Status", [("Content-Type", "text/plain")])
            return answer.body

        return MetricsMiddleware(app, telemetry=telemetry)


class Answer(NamedTuple):
    template: str | None
    status: int
    body: Iterable[bytes] = (b"body",)


def route(path: str, actions: Actions) -> Answer:
    """Find the route by the path, or by the path without its last part."""
    head, _, tail = path.rpartition("/")
    if head in ("/users", "/api/v1/items"):
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
