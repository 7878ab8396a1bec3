"""Apps of one protocol inside apps of the other, both instrumented: one request is counted once.

It is named by the innermost app that knows a route, and timed by the outermost.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import a2wsgi
import pytest
from asgiref.sync import ThreadSensitiveContext
from asgiref.wsgi import WsgiToAsgi
from fastapi import FastAPI
from flask import Flask, Response
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import dualmetrics_flask
import dualmetrics_starlette
from dualmetrics import Telemetry
from dualmetrics.asgi import ASGIApp, Receive, Scope, Send
from dualmetrics.testing.asgi_client import BODY_END, DISCONNECT, Connection, fetch, http_scope
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, HandlerError
from dualmetrics.wsgi import Environ, set_route
from dualmetrics.wsgi import MetricsMiddleware as WsgiMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Bridge = Callable[["WSGIApplication"], ASGIApp]
"""Makes an ASGI app of a WSGI app."""


def with_starlette(app: WSGIApplication) -> ASGIApp:
    """By Starlette's own class, whose import warns that it is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bridge: Bridge = importlib.import_module("starlette.middleware.wsgi").WSGIMiddleware
    return bridge(app)


def with_asgiref(app: WSGIApplication) -> ASGIApp:
    """By asgiref, in a thread that ends with the request."""
    to_asgi: Any = WsgiToAsgi  # it has no types
    bridged = to_asgi(app)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async with ThreadSensitiveContext():
            await bridged(scope, receive, send)

    return call


@pytest.fixture(params=["a2wsgi", "starlette", "asgiref"])
def bridge(request: pytest.FixtureRequest) -> Iterator[Bridge]:
    made: list[Any] = []
    to_asgi: Any = a2wsgi.WSGIMiddleware  # it has types of its own for both protocols

    def with_a2wsgi(app: WSGIApplication) -> ASGIApp:
        bridged: ASGIApp = to_asgi(app)
        made.append(bridged)
        return bridged

    yield {"a2wsgi": with_a2wsgi, "starlette": with_starlette, "asgiref": with_asgiref}[request.param]
    for each in made:
        each.executor.shutdown()


@pytest.fixture
def in_wsgi() -> Iterator[Callable[[ASGIApp], WSGIApplication]]:
    """Makes a WSGI app of an ASGI app, which runs in a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    to_wsgi: Any = a2wsgi.ASGIMiddleware  # it has types of its own for both protocols
    yield lambda app: to_wsgi(app, loop=loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def flask_app(telemetry: Telemetry | None) -> Flask:
    app = Flask("inside")
    app.add_url_rule("/users/<int:id>", "user", lambda id: f"user {id}")  # noqa: A006 - the rule's parameter
    app.add_url_rule("/é/<word>", "word", lambda word: word)
    app.add_url_rule("/stream", "stream", lambda: Response(iter([b"a", b"b"])))
    app.add_url_rule("/boom", "boom", fail)
    if telemetry is not None:
        dualmetrics_flask.DualMetrics(app, telemetry=telemetry)
    return app


def fail() -> str:
    raise HandlerError


def outside(routes: list[BaseRoute], telemetry: Telemetry) -> FastAPI:
    app = FastAPI(routes=routes)
    dualmetrics_starlette.DualMetrics(app, telemetry=telemetry)
    return app


def one(app: ASGIApp, recorded: Recorded, path: str, **scope: Any) -> tuple[Any, Any]:
    """What one request was counted as: route and status."""
    recorded.telemetry.reset()
    fetch(app, "GET", path, **scope)
    return label(recorded)


def label(recorded: Recorded) -> tuple[Any, Any]:
    [(labels, times)] = recorded.counts().items()
    assert (times, recorded.active()) == (1, {})
    return labels.route, labels.status


@pytest.mark.parametrize("root", ["", "/proxy"])
def test_flask_in_fastapi_is_counted_once_by_its_rule(
    bridge: Bridge, telemetry: Telemetry, recorded: Recorded, root: str
) -> None:
    inside = bridge(flask_app(telemetry))
    app = outside([Mount("/shop", app=inside), Mount("/t/{tenant}", app=inside)], telemetry)
    shop, tenant = root + "/shop", root + "/t/acme"
    assert one(app, recorded, shop + "/users/1", root_path=root) == ("/shop/users/<int:id>", 200)
    assert one(app, recorded, tenant + "/users/1", root_path=root) == ("/t/{tenant}/users/<int:id>", 200)
    assert one(app, recorded, shop + "/stream", root_path=root) == ("/shop/stream", 200)
    assert one(app, recorded, shop + "/é/x", root_path=root) == ("/shop/é/<word>", 200)
    assert one(app, recorded, shop + "/nowhere", root_path=root) == ("/shop/{path}", 404)
    assert one(app, recorded, root + "/nowhere", root_path=root) == ("unmatched", 404)


def test_two_telemetries_name_a_request_alike(
    bridge: Bridge, telemetry: Telemetry, recorded: Recorded
) -> None:
    other = Telemetry(metrics_exporter="prometheus")
    inside = bridge(flask_app(telemetry))
    app = outside([Mount("/t/{tenant}", app=inside)], other)
    for _ in range(2):
        fetch(app, "GET", "/t/acme/users/1")
    assert recorded.counts() == {RequestLabels("GET", "/t/{tenant}/users/<int:id>", 200): 2}
    assert Recorded(other).counts() == recorded.counts()
    other.shutdown()


def test_an_app_whose_earlier_wsgi_app_is_called_names_its_routes(
    bridge: Bridge, telemetry: Telemetry, recorded: Recorded
) -> None:
    """As connexion's ``FlaskApp`` does."""
    inside = flask_app(None)
    inside.config["PROPAGATE_EXCEPTIONS"] = False
    app = outside([Mount("/t/{tenant}", app=bridge(inside.wsgi_app))], telemetry)
    dualmetrics_flask.DualMetrics(inside, telemetry=telemetry)
    assert one(app, recorded, "/t/acme/users/1") == ("/t/{tenant}/users/<int:id>", 200)
    assert one(app, recorded, "/t/acme/boom") == ("/t/{tenant}/boom", 500)
    assert one(app, recorded, "/t/acme/nowhere") == ("/t/{tenant}/{path}", 404)


def test_only_the_app_inside_is_instrumented(
    bridge: Bridge, telemetry: Telemetry, recorded: Recorded
) -> None:
    app = FastAPI(routes=[Mount("/shop", app=bridge(flask_app(telemetry)))])
    assert one(app, recorded, "/shop/users/1") == ("/shop/users/<int:id>", 200)


def test_a_plain_wsgi_app_inside_names_its_route(
    bridge: Bridge, telemetry: Telemetry, recorded: Recorded
) -> None:
    def plain(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        set_route(environ, "/items/<id>")
        start_response("200 OK", [])
        return [b"item"]

    app = outside([Mount("/{shop}", app=bridge(WsgiMiddleware(plain, telemetry=telemetry)))], telemetry)
    assert one(app, recorded, "/acme/items/1") == ("/{shop}/items/<id>", 200)


def test_an_error_inside_is_recorded_by_its_type(bridge: Bridge, tmp_path: object) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))
    recorded = Recorded(telemetry)
    for propagate in (False, True):
        inside = flask_app(telemetry)
        inside.config["PROPAGATE_EXCEPTIONS"] = propagate
        app = outside([Mount("/", app=bridge(inside))], telemetry)
        telemetry.reset()
        connection = Connection(http_scope("GET", "/boom"), [BODY_END])
        with pytest.raises(BaseException) if propagate else nullcontext():  # noqa: PT011 - or in a group
            asyncio.run(connection.run(app))
        assert label(recorded) == ("/boom", 500)
        assert recorded.error_types() == {HANDLER_ERROR_TYPE}
    telemetry.shutdown()


def test_pages_inside_are_counted_by_nobody(bridge: Bridge, telemetry: Telemetry, recorded: Recorded) -> None:
    other = Telemetry(metrics_exporter="prometheus")
    app = outside([Mount("/shop", app=bridge(flask_app(telemetry)))], other)
    dualmetrics_starlette.DualMetrics(app, telemetry=telemetry, serve_metrics=False)
    assert fetch(app, "GET", "/shop/metrics").status == 200
    assert (recorded.counts(), Recorded(other).counts()) == ({}, {})
    assert (recorded.active(), Recorded(other).active()) == ({}, {})
    other.shutdown()


def test_a_client_that_leaves_an_app_inside_is_counted_once(
    bridge: Bridge, telemetry: Telemetry, recorded: Recorded
) -> None:
    class Gone(Connection):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if message["type"] == "http.response.body":
                raise OSError("the client is gone")

    app = outside([Mount("/", app=bridge(flask_app(telemetry)))], telemetry)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - each bridge raises what it likes
        asyncio.run(Gone(http_scope("GET", "/stream"), [BODY_END, DISCONNECT]).run(app))
    assert label(recorded) == ("/stream", 200)


def test_another_request_to_an_app_of_the_process_is_counted_too(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    inside = flask_app(telemetry)

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        body = Client(inside).get("/users/1").text
        await PlainTextResponse(body)(scope, receive, send)

    fetch(outside([Route("/forward", forward_endpoint(forward))], telemetry), "GET", "/forward")
    assert recorded.counts() == {
        RequestLabels("GET", "/forward", 200): 1,
        RequestLabels("GET", "/users/<int:id>", 200): 1,
    }


def forward_endpoint(app: ASGIApp) -> Any:
    """An app as an endpoint: an object that is no function."""

    class Endpoint:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

    return Endpoint()


def starlette_app(telemetry: Telemetry | None) -> Starlette:
    async def user(request: Any) -> PlainTextResponse:
        return PlainTextResponse("user")

    async def boom(request: Any) -> PlainTextResponse:
        raise HandlerError

    app = Starlette(routes=[Route("/users/{id}", user), Route("/boom", boom)])
    if telemetry is not None:
        dualmetrics_starlette.DualMetrics(app, telemetry=telemetry)
    return app


@pytest.mark.parametrize("same", [True, False])
def test_starlette_in_flask_is_counted_once_by_its_template(
    in_wsgi: Callable[[ASGIApp], WSGIApplication], telemetry: Telemetry, recorded: Recorded, same: bool
) -> None:
    inside = in_wsgi(
        starlette_app(telemetry if same else (other := Telemetry(metrics_exporter="prometheus")))
    )
    app = flask_app(telemetry)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/api": inside})  # type: ignore[method-assign]
    for path in ("/api/users/1", "/users/1", "/api/nowhere", "/api/boom"):
        Client(app).get(path, buffered=True)
    assert recorded.counts() == {
        RequestLabels("GET", "/api/users/{id}", 200): 1,
        RequestLabels("GET", "/users/<int:id>", 200): 1,
        RequestLabels("GET", "unmatched", 404): 1,
        RequestLabels("GET", "/api/boom", 500): 1,
    }
    assert recorded.active() == {}
    if not same:
        assert sum(Recorded(other).counts().values()) == 3
        other.shutdown()


def test_the_page_of_starlette_in_flask_is_counted_by_nobody(
    in_wsgi: Callable[[ASGIApp], WSGIApplication], telemetry: Telemetry, recorded: Recorded
) -> None:
    app = flask_app(telemetry)
    api = in_wsgi(starlette_app(telemetry))
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/api": api})  # type: ignore[method-assign]
    assert Client(app).get("/api/metrics", buffered=True).status_code == 200
    assert recorded.counts() == {}


def test_what_is_excluded_outside_is_recorded_nowhere_inside(bridge: Bridge, tmp_path: object) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", exclude="/internal/*", directory=str(tmp_path))
    routes: list[BaseRoute] = [
        Mount("/internal/flask", app=bridge(flask_app(telemetry))),
        Mount("/internal", app=starlette_app(telemetry)),
    ]
    app = outside(routes, telemetry)
    for path in ("/internal/flask/users/1", "/internal/users/1"):
        assert fetch(app, "GET", path).status == 200
    assert Recorded(telemetry).counts() == {}
    telemetry.shutdown()


def test_what_wsgi_excludes_is_recorded_nowhere_in_asgi_inside(
    in_wsgi: Callable[[ASGIApp], WSGIApplication], tmp_path: object
) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", exclude="/api/*", directory=str(tmp_path))
    app = flask_app(telemetry)
    api = in_wsgi(starlette_app(telemetry))
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/api": api})  # type: ignore[method-assign]
    response = Client(app).get("/api/users/1", buffered=True)
    assert (response.status_code, response.text) == (200, "user")
    assert Recorded(telemetry).counts() == {}
    telemetry.shutdown()
