"""Apps of Starlette and FastAPI as people compose them: middleware, handlers, mounts, routes that change."""

from __future__ import annotations

import asyncio
import enum
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route, Router, WebSocketRoute
from starlette.websockets import WebSocket

from dualmetrics import Telemetry
from dualmetrics.asgi import ASGIApp, Message, MetricsMiddleware, Receive, Scope, Send
from dualmetrics.testing.asgi_client import Connection, fetch, http_scope
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics_starlette import DualMetrics
from tests.unit.asgi.apps import COMPLETE_LIFESPAN, SHUTDOWN, STARTUP, run_lifespan

KINDS = [Starlette, FastAPI]


async def fine(request: Request) -> Response:
    return PlainTextResponse("fine")


async def boom(request: Request) -> Response:
    raise KeyError("boom")


class Refusing:
    """Middleware that answers itself: 401 without a header, 429 for a path."""

    def __init__(self, app: ASGIApp, status: int = 401, path: str = "/denied") -> None:
        self.app, self.status, self.path = app, status, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self.path:
            return await Response(status_code=self.status)(scope, receive, send)
        await self.app(scope, receive, send)


class Copying:
    """Middleware that hands on a copy of the scope, as the specification allows."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


class CopyingWithoutTrace(Copying):
    """The same, but it does not show the app inside."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(self)
        self._inside = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._inside(dict(scope), receive, send)


class Rewriting:
    """Middleware that takes a prefix off the path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].removeprefix("/old")}
        await self.app(scope, receive, send)


class ToldOfProxy(Rewriting):
    """Middleware that tells the prefix that a proxy has taken off the path, as FastAPI(root_path=...) did."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "root_path": "/api"}, receive, send)


def count(route: str, status: int, method: str = "GET") -> dict[RequestLabels, int]:
    return {RequestLabels(method, route, status): 1}


def one(app: ASGIApp, recorded: Recorded, path: str, method: str = "GET", **scope: Any) -> Any:
    """What one request was counted as: route and status."""
    recorded.telemetry.reset()
    fetch(app, method, path, **scope)
    [labels] = recorded.counts()
    assert recorded.active() == {}
    return labels.route, labels.status


@pytest.mark.parametrize("kind", KINDS)
def test_what_middleware_added_later_answers_is_counted(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    app = kind(routes=[Route("/users/{id}", fine), Route("/boom", boom)])
    DualMetrics(app, telemetry=telemetry)
    app.add_middleware(Refusing)
    app.add_middleware(Refusing, status=429, path="/limited")
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])
    preflight = [(b"origin", b"http://a"), (b"access-control-request-method", b"GET")]
    seen = [one(app, recorded, path) for path in ("/users/1", "/denied", "/limited")]
    seen.append(one(app, recorded, "/users/1", "OPTIONS", headers=preflight))
    with pytest.raises(KeyError):
        fetch(app, "GET", "/boom")
    assert seen == [("/users/{id}", 200), ("unmatched", 401), ("unmatched", 429), ("unmatched", 200)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 502, 503])
@pytest.mark.parametrize("key", [500, Exception])
def test_the_status_is_that_of_the_error_handler(
    kind: type[Starlette], key: Any, status: int, telemetry: Telemetry, recorded: Recorded
) -> None:
    async def handle(request: Request, error: Exception) -> Response:
        return JSONResponse({}, status)

    app = kind(routes=[Route("/boom", boom)], exception_handlers={key: handle})
    DualMetrics(app, telemetry=telemetry)
    with pytest.raises(KeyError):
        fetch(app, "GET", "/boom")
    assert recorded.counts() == count("/boom", status)


@pytest.mark.parametrize("kind", KINDS)
def test_the_type_of_an_error_is_known_outside_of_the_error_handler(
    kind: type[Starlette], recorded: Recorded
) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv")
    app = kind(routes=[Route("/boom", boom), Route("/users", fine)])
    DualMetrics(app, telemetry=telemetry)
    with pytest.raises(KeyError):
        fetch(app, "GET", "/boom")
    assert Recorded(telemetry).error_types() == {"KeyError"}
    assert app.user_middleware == []
    telemetry.shutdown()


def test_a_handled_http_exception_is_its_status(telemetry: Telemetry, recorded: Recorded) -> None:
    app = FastAPI()

    @app.get("/users/{id}")
    def show(id: str) -> None:  # noqa: A002
        raise HTTPException(404)

    DualMetrics(app, telemetry=telemetry)
    assert one(app, recorded, "/users/1") == ("/users/{id}", 404)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("middleware", [Copying, CopyingWithoutTrace])
def test_a_copied_scope_keeps_its_route(
    kind: type[Starlette], before: bool, middleware: Any, telemetry: Telemetry, recorded: Recorded
) -> None:
    app = kind(routes=[Route("/users/{id}", fine), Mount("/v1", routes=[Route("/items/{id}", fine)])])
    if before:
        app.add_middleware(middleware)
    DualMetrics(app, telemetry=telemetry)
    if not before:
        app.add_middleware(middleware)
    assert one(app, recorded, "/users/1") == ("/users/{id}", 200)
    assert one(app, recorded, "/v1/items/1") == ("/v1/items/{id}", 200)
    assert one(app, recorded, "/users/1", "DELETE") == ("unmatched", 405)
    assert one(app, recorded, "/v1/nowhere") == ("unmatched", 404)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scope_copied_in_a_mount_keeps_its_route(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    inner = kind(routes=[Route("/items/{id}", fine)])
    inner.add_middleware(Copying)
    app = kind(routes=[Mount("/v1/{tenant}", app=Copying(inner)), Route("/users/{id}", fine)])
    DualMetrics(app, telemetry=telemetry)
    app.router.routes.append(Mount("/late", app=Copying(kind(routes=[Route("/items/{id}", fine)]))))
    assert one(app, recorded, "/v1/acme/items/1") == ("/v1/{tenant}/items/{id}", 200)
    assert one(app, recorded, "/v1/acme/nowhere") == ("unmatched", 404)
    assert one(app, recorded, "/late/items/1") == ("/late/items/{id}", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_middleware_around_a_copying_app_finds_the_route(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    inside = kind(routes=[Route("/users/{id}", fine)])
    inside.add_middleware(Refusing)
    app = MetricsMiddleware(Copying(inside), telemetry=telemetry)
    assert one(app, recorded, "/users/1") == ("/users/{id}", 200)
    assert one(app, recorded, "/denied") == ("unmatched", 401)
    assert one(app, recorded, "/nowhere") == ("unmatched", 404)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["inside", "outside"])
def test_a_rewritten_path_has_the_route_that_it_leads_to(
    kind: type[Starlette], place: str, telemetry: Telemetry, recorded: Recorded
) -> None:
    app: Any = kind(routes=[Route("/users/{id}", fine), Route("/items", fine)])
    if place == "inside":
        app.add_middleware(Rewriting)
        DualMetrics(app, telemetry=telemetry)
    else:
        app = MetricsMiddleware(Rewriting(app), telemetry=telemetry)
    for path in ("/old/users/1", "/users/1"):
        assert one(app, recorded, path) == ("/users/{id}", 200)
    assert one(app, recorded, "/old/items") == ("/items", 200)
    assert one(app, recorded, "/old/nowhere") == ("unmatched", 404)


def move(app: Starlette, how: str) -> None:
    """Give the handler another route."""
    routes, new = app.router.routes, Route("/new/{id}", fine)
    index = next(i for i, route in enumerate(routes) if getattr(route, "path", "").startswith("/old"))
    if how == "replace":
        routes[index] = new
    elif how == "remove and add":
        del routes[index]
        routes.append(new)
    else:
        routes[index] = Mount("/new", routes=[Route("/{id}", fine)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["replace", "remove and add", "mount"])
@pytest.mark.parametrize("old", ["/old/{id}", "/old"])
def test_a_handler_that_gets_another_route_gets_another_label(
    kind: type[Starlette], how: str, old: str, telemetry: Telemetry, recorded: Recorded
) -> None:
    app = kind(routes=[Route(old, fine)])
    DualMetrics(app, telemetry=telemetry)
    for _ in range(3):
        assert one(app, recorded, old.replace("{id}", "1")) == (old, 200)
    move(app, how)
    for _ in range(3):
        assert one(app, recorded, "/new/1") == ("/new/{id}", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_routes_under_another_mount_get_another_label(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    inside = Router([Route("/items/{id}", fine)])
    app = kind(routes=[Mount("/v1", app=inside)])
    DualMetrics(app, telemetry=telemetry)
    assert one(app, recorded, "/v1/items/1") == ("/v1/items/{id}", 200)
    app.router.routes[-1] = Mount("/v2", app=inside)
    assert one(app, recorded, "/v2/items/1") == ("/v2/items/{id}", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_behind_a_wrapped_mount_is_not_counted_under_its_other_route(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    hidden = CopyingWithoutTrace(Router([Route("/b", fine)]))
    app = kind(routes=[Route("/a/{id}", fine), Mount("/hidden", app=hidden)])
    DualMetrics(app, telemetry=telemetry)
    for _ in range(2):
        assert one(app, recorded, "/a/1") == ("/a/{id}", 200)
        assert one(app, recorded, "/hidden/b") == ("/hidden/{path}", 200)


class OwnRoute(BaseRoute):
    """A route of an app's own, which matches by a header and has no path."""

    def __init__(self, name: str, target: Any) -> None:
        setattr(self, name, target)
        self._target = target
        self._is_endpoint = name == "endpoint"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        asked = scope["type"] == "http" and (b"x-own", b"1") in scope["headers"]
        return (Match.FULL, {"endpoint": self._target}) if asked else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_endpoint:
            response = await self._target(Request(scope))
            await response(scope, receive, send)
        else:
            await self._target(scope, receive, send)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "target"), [("endpoint", fine), ("app", PlainTextResponse("own")), ("other", fine)]
)
def test_a_route_class_without_a_path_hides_no_other_route(
    kind: type[Starlette], name: str, target: Any, telemetry: Telemetry, recorded: Recorded
) -> None:
    app = kind(routes=[OwnRoute(name, target), Route("/users/{id}", boom), Route("/items/{id}", other)])
    DualMetrics(app, telemetry=telemetry)
    assert one(app, recorded, "/items/1") == ("/items/{id}", 200)
    if name != "other":
        assert one(app, recorded, "/anything", headers=[(b"x-own", b"1")]) == ("/{path}", 200)


async def other(request: Request) -> Response:
    return PlainTextResponse("other")


@pytest.mark.parametrize("kind", KINDS)
def test_an_endpoint_class_with_its_own_dispatch_has_a_route(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    class Own(HTTPEndpoint):
        async def dispatch(self) -> None:
            await PlainTextResponse("own")(self.scope, self.receive, self.send)

    app = kind(routes=[Route("/own/{id}", Own)])
    DualMetrics(app, telemetry=telemetry)
    for method in ("GET", "POST"):
        assert one(app, recorded, "/own/1", method) == ("/own/{id}", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_instrumented_apps_in_a_bare_parent_have_the_prefix_of_their_mount(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    def instrumented() -> Starlette:
        app = kind(routes=[Route("/users/{id}", fine), Mount("/in", routes=[Route("/{id}", fine)])])
        DualMetrics(app, telemetry=telemetry)
        return app

    parent = kind(
        routes=[
            Mount("/a", app=instrumented()),
            Mount("/b/{tenant}", app=instrumented()),
            Mount("/c", app=CopyingWithoutTrace(instrumented())),
        ]
    )
    for root in ("", "/proxy"):
        for prefix, template in (("/a", "/a"), ("/b/acme", "/b/{tenant}"), ("/c", "/c")):
            path = root + prefix
            assert one(parent, recorded, path + "/users/1", root_path=root) == (
                template + "/users/{id}",
                200,
            )
            assert one(parent, recorded, path + "/in/1", root_path=root) == (template + "/in/{id}", 200)
            assert one(parent, recorded, path + "/nowhere", root_path=root) == ("unmatched", 404)


@pytest.mark.parametrize("kind", KINDS)
def test_an_instrumented_app_in_an_instrumented_app_is_counted_once(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    inner = kind(routes=[Route("/users/{id}", fine)])
    DualMetrics(inner, telemetry=telemetry)
    app = kind(routes=[Mount("/v1/{tenant}", app=inner), Mount("/v2", app=CopyingWithoutTrace(inner))])
    DualMetrics(app, telemetry=telemetry)
    assert one(app, recorded, "/v1/acme/users/1") == ("/v1/{tenant}/users/{id}", 200)
    assert one(app, recorded, "/v2/users/1") == ("/v2/users/{id}", 200)
    recorded.telemetry.reset()
    assert fetch(app, "GET", "/v2/metrics").status == 200
    assert recorded.counts() == {}, "a page is counted by nobody"


@pytest.mark.parametrize(
    ("wrapper", "integrated"),
    [(Copying, True), (Copying, False), (CopyingWithoutTrace, True), (lambda app: app, True)],
)
def test_the_prefix_of_a_proxy_that_the_app_tells_stays_out(
    wrapper: Any, integrated: bool, telemetry: Telemetry, recorded: Recorded
) -> None:
    inside = Starlette(routes=[Route("/users/{id}", fine)])
    if integrated:
        DualMetrics(inside, telemetry=telemetry)
    app = MetricsMiddleware(wrapper(ToldOfProxy(inside)), telemetry=telemetry)
    for _ in range(2):
        assert one(app, recorded, "/users/1") == ("/users/{id}", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_router_that_is_replaced_is_watched(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    app = kind(routes=[Route("/old", fine)])
    app.add_middleware(Copying)
    DualMetrics(app, telemetry=telemetry)
    app.router = Router([Route("/users/{id}", other)])
    assert one(app, recorded, "/users/1") == ("/users/{id}", 200)


def test_paths_that_no_route_explains_keep_their_label_however_many_there_are(
    telemetry: Telemetry, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["dualmetrics_starlette.routes"], "MAX_WALKS", 3)
    inside = Router([Route("/users/{id}", fine)], middleware=[])
    app = Starlette(routes=[Mount("/v1", app=Rewriting(inside))])
    DualMetrics(app, telemetry=telemetry)
    for _ in range(6):
        assert one(app, recorded, "/v1/users/1") == ("/v1/users/{id}", 200)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("middleware", [None, Copying])
def test_the_lifespan_and_websockets_pass(
    kind: type[Starlette], middleware: Any, telemetry: Telemetry
) -> None:
    events = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        events.append("start")
        yield
        events.append("end")

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app = kind(lifespan=lifespan, routes=[WebSocketRoute("/echo", echo), Route("/users", fine)])
    DualMetrics(app, telemetry=telemetry)
    if middleware:
        app.add_middleware(middleware)
    assert run_lifespan(app, STARTUP, SHUTDOWN) == COMPLETE_LIFESPAN
    assert events == ["start", "end"]
    incoming: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
    connection = Connection({**http_scope("GET", "/echo"), "type": "websocket", "scheme": "ws"}, incoming)
    asyncio.run(connection.run(app))
    assert connection.sent[1] == {"type": "websocket.send", "text": "hello"}
    assert not telemetry.errors.error_count


class Status(int, enum.Enum):
    TEAPOT = 418


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_that_is_an_enum_is_its_number(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    async def teapot(request: Request) -> Response:
        return Response(status_code=Status.TEAPOT)

    app = kind(routes=[Route("/tea", teapot)])
    DualMetrics(app, telemetry=telemetry)
    fetch(app, "GET", "/tea")
    assert b'http_status_code="418"' in telemetry.render()[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("late", [Route("/metrics", fine), Mount("/metrics", app=PlainTextResponse("own"))])
def test_a_later_route_on_the_metrics_path_is_named_in_the_log(
    kind: type[Starlette], late: BaseRoute, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    app = kind(routes=[Route("/users", fine)])
    DualMetrics(app, telemetry=telemetry)
    assert fetch(app, "GET", "/metrics").status == 200
    assert caplog.messages == []
    app.router.routes.append(late)
    for _ in range(3):
        assert fetch(app, "GET", "/metrics").status == 200
    [message] = caplog.messages
    assert "prometheus_path='/metrics' hides the app's own route '/metrics" in message


@pytest.mark.parametrize(
    ("app", "advice"),
    [
        (
            CORSMiddleware(Starlette(), allow_origins=["*"]),
            "not CORSMiddleware: pass the Starlette app",
        ),
        (fine, "not function: for another ASGI app, use dualmetrics.asgi.MetricsMiddleware; for Flask"),
    ],
)
def test_another_kind_of_app_is_named_with_what_to_use(telemetry: Telemetry, app: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        DualMetrics(app, telemetry=telemetry)
