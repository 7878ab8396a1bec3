"""The parts of the integration that only Starlette has: mounts, catch-all routes, apps that have started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from dualmetrics import SettingsError, Telemetry
from dualmetrics.asgi import ASGIApp, MetricsMiddleware, Receive, Scope, Send, metrics_app
from dualmetrics.testing.asgi_client import Connection, fetch, http_scope
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics_starlette import DualMetrics, routes, set_route


async def fine(request: StarletteRequest) -> Response:
    return PlainTextResponse("fine")


async def other(request: StarletteRequest) -> Response:
    return PlainTextResponse("other")


def added(telemetry: Telemetry, *table: BaseRoute) -> Starlette:
    """An app with these routes and the integration."""
    app = Starlette(routes=table)
    DualMetrics(app, telemetry=telemetry)
    return app


def names(app: ASGIApp, recorded: Recorded, *paths: str, method: str = "GET", **scope: Any) -> list[object]:
    """The route under which each path was counted."""
    routes: list[object] = []
    for path in paths:
        recorded.telemetry.reset()
        fetch(app, method, path, **scope)
        routes += [labels.route for labels in recorded.counts()]
    return routes


def test_nested_mounts_with_parameters(telemetry: Telemetry, recorded: Recorded) -> None:
    inner = Mount("/users/{user:int}", routes=[Route("/posts/{id:int}", fine), Route("/{rest:path}", fine)])
    app = added(telemetry, Mount("/{tenant}", routes=[inner]))
    assert names(app, recorded, "/acme/users/7/posts/9", "/acme/users/7/a/b", "/acme/users/x/y") == [
        "/{tenant}/users/{user}/posts/{id}",
        "/{tenant}/users/{user}/{rest}",
        "unmatched",
    ]


def test_mount_and_route_with_the_same_parameter_name(telemetry: Telemetry, recorded: Recorded) -> None:
    router = [Route("/{id}", fine)]
    app = added(telemetry, Mount("/a/{id}", routes=router), Mount("/b/{id}", routes=router))
    assert names(app, recorded, "/a/1/2", "/b/1/2") == ["/a/{id}/{id}", "/b/{id}/{id}"]


def test_router_mounted_twice(telemetry: Telemetry, recorded: Recorded) -> None:
    router = Router([Route("/items/{id}", fine), Route("/items", fine)])
    app = added(telemetry, Mount("/v1", app=router), Mount("/v2/{tenant}", app=router))
    assert names(app, recorded, "/v1/items/1", "/v2/acme/items/1", "/v1/items", "/v2/v1/items", "/v1/x") == [
        "/v1/items/{id}",
        "/v2/{tenant}/items/{id}",
        "/v1/items",
        "/v2/{tenant}/items",
        "unmatched",
    ]


def test_handler_with_several_routes_and_methods(telemetry: Telemetry, recorded: Recorded) -> None:
    app = added(telemetry, Route("/a", fine), Route("/b/{x}", fine, methods=["POST"]), Route("/{x}", fine))
    assert names(app, recorded, "/a", "/other", "/b/1") == ["/a", "/{x}", "unmatched"]
    assert names(app, recorded, "/b/1", "/a", method="POST") == ["/b/{x}", "unmatched"]
    assert names(app, recorded, "/a", method="HEAD") == ["/a"]


def test_mounted_apps_with_middleware(telemetry: Telemetry, recorded: Recorded) -> None:
    sub = Starlette(routes=[Route("/x/{id}", fine)], middleware=[Middleware(GZipMiddleware)])
    wrapped = CORSMiddleware(Starlette(routes=[Route("/y", fine)]), allow_origins=["*"])
    app = added(telemetry, Mount("/sub", app=sub), Mount("/wrapped", app=wrapped), Mount("/", app=Router()))
    assert names(app, recorded, "/sub/x/1", "/sub/none", "/wrapped/y", "/wrapped/none", "/none") == [
        "/sub/x/{id}",
        "unmatched",
        "/wrapped/y",
        "unmatched",
        "unmatched",
    ]


def test_mounted_app_without_visible_routes(telemetry: Telemetry, recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")

    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("opaque", 404)(scope, receive, send)

    static = StaticFiles(directory=tmp_path)
    app = added(telemetry, Mount("/static", static), Mount("/{tenant}/files", static), Mount("/wsgi", opaque))
    assert names(app, recorded, "/static/a.css", "/static/none", "/acme/files/a.css", "/wsgi/x/y") == [
        "/static/{path}",
        "/static/{path}",
        "/{tenant}/files/{path}",
        "/wsgi/{path}",
    ]


def test_routes_inside_a_mounted_app_without_visible_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    hidden = Starlette(routes=[Route("/secret/{id}", fine), Route("/more", other)])

    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await hidden(scope, receive, send)

    app = added(telemetry, Mount("/x", opaque), Mount("/{y}/z", opaque))
    assert names(app, recorded, "/x/secret/1", "/x/more", "/1/z/more", "/x/none") == [
        "/x/{path}",
        "/x/{path}",
        "/{y}/z/{path}",
        "/x/{path}",
    ]


def test_host_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("opaque")(scope, receive, send)

    router = Router([Route("/x/{id}", fine)])
    app = added(
        telemetry, Host("api.{domain}", router), Host("raw.example", opaque), Route("/x/{name}", other)
    )
    hosts = {"api.example": "/x/{id}", "raw.example": "/{path}", "www.example": "/x/{name}"}
    for host, template in hosts.items():
        assert names(app, recorded, "/x/1", headers=[(b"host", host.encode())]) == [template]


def test_http_endpoint_that_answers_405_itself(telemetry: Telemetry, recorded: Recorded) -> None:
    class Users(HTTPEndpoint):
        async def get(self, request: StarletteRequest) -> Response:
            return PlainTextResponse("users")

    app = added(telemetry, Route("/users", Users))
    assert names(app, recorded, "/users") == ["/users"]
    assert names(app, recorded, "/users", method="HEAD") == ["/users"]
    assert names(app, recorded, "/users", method="DELETE") == ["unmatched"]


def test_template_excludes_the_root_path_of_a_proxy(telemetry: Telemetry, recorded: Recorded) -> None:
    app = added(
        telemetry, Mount("/a", routes=[Route("/{x}", fine)]), Mount("/b", routes=[Route("/{y}", fine)])
    )
    assert names(app, recorded, "/proxy/a/1", "/proxy/b/1", root_path="/proxy") == ["/a/{x}", "/b/{y}"]


def test_routes_added_after_the_integration(telemetry: Telemetry, recorded: Recorded) -> None:
    app = added(telemetry, Route("/early", fine))
    assert names(app, recorded, "/early", "/late/1") == ["/early", "unmatched"]
    app.routes.append(Route("/late/{id}", other))
    assert names(app, recorded, "/early", "/late/1") == ["/early", "/late/{id}"]


def test_page_comes_before_catch_all_routes_and_root_mounts(telemetry: Telemetry) -> None:
    for catching in (Route("/{rest:path}", fine), Mount("/", routes=[Route("/{rest:path}", fine)])):
        app = added(telemetry, catching)
        assert fetch(app, "GET", "/anything").body == b"fine"
        assert b"# EOF" in fetch(app, "GET", "/metrics", headers=OPENMETRICS).body


OPENMETRICS = [(b"host", b"testserver"), (b"accept", b"application/openmetrics-text")]


def test_path_that_ends_like_the_page_belongs_to_the_app(telemetry: Telemetry, recorded: Recorded) -> None:
    app = added(telemetry, Route("/{x}/metrics", fine))
    assert fetch(app, "GET", "/a/metrics").body == b"fine"
    assert fetch(app, "GET", "/proxy/metrics", root_path="/proxy").body != b"fine"
    assert recorded.counts() == {RequestLabels("GET", "/{x}/metrics", 200): 1}


@pytest.mark.parametrize(
    "taken", [Route("/metrics", fine), Mount("/metrics", app=StaticFiles(directory="/", check_dir=False))]
)
def test_error_names_a_route_on_the_metrics_path(telemetry: Telemetry, taken: BaseRoute) -> None:
    app = Starlette(routes=[taken])
    with pytest.raises(SettingsError, match=r"prometheus_path='/metrics'.*'/metrics"):
        DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)


def test_added_twice_counts_once(telemetry: Telemetry, recorded: Recorded) -> None:
    app = added(telemetry, Route("/x", fine))
    DualMetrics(app, telemetry=telemetry)
    fetch(app, "GET", "/x")
    assert recorded.counts() == {RequestLabels("GET", "/x", 200): 1}
    assert len([route for route in app.routes if getattr(route, "path", "") == "/metrics"]) == 1


def test_added_to_a_started_app(telemetry: Telemetry, recorded: Recorded) -> None:
    app = Starlette(routes=[Route("/x", fine)])
    fetch(app, "GET", "/x")
    DualMetrics(app, telemetry=telemetry)
    fetch(app, "GET", "/x")
    assert recorded.counts() == {RequestLabels("GET", "/x", 200): 1}
    assert b"http_requests" in fetch(app, "GET", "/metrics").body


def test_started_app_still_rejects_middleware() -> None:
    """If this fails, `DualMetrics` can call ``add_middleware`` and leave ``app.middleware_stack`` alone."""
    app = Starlette(routes=[Route("/x", fine)])
    fetch(app, "GET", "/x")
    with pytest.raises(RuntimeError, match="Cannot add middleware"):
        app.add_middleware(GZipMiddleware)


def outside(app: Starlette, telemetry: Telemetry) -> ASGIApp:
    return MetricsMiddleware(app, telemetry=telemetry)


def outside_of_others(app: Starlette, telemetry: Telemetry) -> ASGIApp:
    return MetricsMiddleware(GZipMiddleware(app), telemetry=telemetry)


def outside_of_a_function(app: Starlette, telemetry: Telemetry) -> ASGIApp:
    async def hides_the_app(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return MetricsMiddleware(hides_the_app, telemetry=telemetry)


def inside(app: Starlette, telemetry: Telemetry) -> ASGIApp:
    app.add_middleware(MetricsMiddleware, telemetry=telemetry)
    app.add_middleware(GZipMiddleware)
    return app


@pytest.mark.parametrize("add", [outside, outside_of_others, outside_of_a_function, inside])
def test_plain_middleware_names_routes_and_serves_the_page(
    telemetry: Telemetry, recorded: Recorded, add: Callable[[Starlette, Telemetry], ASGIApp]
) -> None:
    app = add(Starlette(routes=[Mount("/api", routes=[Route("/x/{id}", fine)])]), telemetry)
    assert names(app, recorded, "/api/x/1", "/api/y") == ["/api/x/{id}", "unmatched"]
    assert b"http_requests" in fetch(app, "GET", "/metrics").body


def test_page_mounted_elsewhere(telemetry: Telemetry, recorded: Recorded) -> None:
    app = Starlette(routes=[Mount("/admin/numbers", app=metrics_app(telemetry)), Route("/x", fine)])
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)
    fetch(app, "GET", "/x")
    assert b"http_requests" in fetch(app, "GET", "/admin/numbers/").body
    assert fetch(app, "GET", "/metrics").status == 404


@pytest.mark.parametrize("exporters", ["otlp", "none"])
def test_no_page_without_the_prometheus_exporter(exporters: str) -> None:
    telemetry = Telemetry(metrics_exporter=exporters)
    app = added(telemetry, Route("/x", fine))
    assert (fetch(app, "GET", "/metrics").status, fetch(app, "GET", "/x").status) == (404, 200)
    telemetry.shutdown()


def test_app_names_its_route_with_set_route(telemetry: Telemetry, recorded: Recorded) -> None:
    async def page(request: StarletteRequest) -> Response:
        set_route(request.scope, "/pages/{article}")
        return PlainTextResponse("page")

    app = added(telemetry, Route("/{path:path}", page))
    assert names(app, recorded, "/pages/a") == ["/pages/{article}"]


def test_websocket(telemetry: Telemetry, recorded: Recorded) -> None:
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        assert recorded.active() == {"WEBSOCKET": 1}
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app = added(telemetry, WebSocketRoute("/echo", echo))
    scope = {**http_scope("GET", "/echo"), "type": "websocket", "scheme": "ws", "subprotocols": []}
    connection = Connection(
        scope, [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hi"}]
    )
    asyncio.run(connection.run(app))
    assert [message["type"] for message in connection.sent][-2:] == ["websocket.send", "websocket.close"]
    assert (recorded.active(), recorded.counts()) == ({}, {})


def test_entry_point_rejects_apps_of_other_frameworks() -> None:
    assert routes(GZipMiddleware(Starlette())) is None
    assert routes(object()) is None
    assert routes(Router()) is not None
