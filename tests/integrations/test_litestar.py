"""Litestar: what is not in the contract. Mounts, hooks, exception handlers, and the plain middleware."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from litestar import Controller, Litestar, Request, Response, asgi, get
from litestar.exceptions import HTTPException
from litestar.types import Message as LitestarMessage
from litestar.types import Receive, Scope, Send

from dualmetrics import SettingsError, Telemetry
from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.testing import Recorded, RequestLabels, fetch
from dualmetrics.testing.asgi_client import Connection
from dualmetrics_litestar import DualMetrics, set_route

pytestmark = pytest.mark.frameworks


def app_with(telemetry: Telemetry, *handlers: Any, **others: Any) -> Any:
    app = Litestar(handlers, logging_config=None, openapi_config=None, **others)
    DualMetrics(app, telemetry=telemetry)
    return app


def test_mounts_controllers_and_paths_have_one_template_each(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    @asgi("/mounted", is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    class Items(Controller):
        path = "/items"

        @get("/{item_id:uuid}/parts/{part:path}")
        async def part(self, request: Request[Any, Any, Any]) -> str:
            return "part"

    @get("/")
    async def root() -> str:
        return "root"

    app = app_with(telemetry, mounted, Items, root)
    for path in ("/mounted", "/mounted/a", "/mounted/a/b.txt", "/mounted/c/"):
        assert fetch(app, "GET", path).status == 200
    uuid = "6a1b0e2a-0000-4000-8000-000000000000"
    assert fetch(app, "GET", f"/items/{uuid}/parts/a/b").status == 200
    assert fetch(app, "GET", "/items/7/parts/a").status == 404
    assert fetch(app, "GET", "/").status == 200
    assert recorded.counts() == {
        RequestLabels("GET", "/mounted/{path}", 200): 4,
        RequestLabels("GET", "/items/{item_id}/parts/{part}", 200): 1,
        RequestLabels("GET", "unmatched", 404): 1,
        RequestLabels("GET", "/", 200): 1,
    }


class RefusedError(Exception):
    """An exception for which the app has a handler."""


@pytest.fixture
def semconv(tmp_path: Path) -> Any:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()


def test_only_exceptions_that_nobody_expects_are_recorded_by_type(semconv: Telemetry) -> None:
    @get("/refused")
    async def refused() -> None:
        raise RefusedError

    @get("/http")
    async def http() -> None:
        raise HTTPException(status_code=503)

    @get("/unexpected")
    async def unexpected() -> None:
        raise ZeroDivisionError

    def refuse(request: Request[Any, Any, Any], error: RefusedError) -> Response[str]:
        return Response("busy", status_code=503)

    app = app_with(semconv, refused, http, unexpected, exception_handlers={RefusedError: refuse})
    assert [fetch(app, "GET", path).status for path in ("/refused", "/http", "/unexpected")] == [
        503,
        503,
        500,
    ]
    assert Recorded(semconv).error_types() == {"503", "ZeroDivisionError"}


def test_the_status_is_the_one_that_leaves_the_hooks(telemetry: Telemetry, recorded: Recorded) -> None:
    async def change(message: LitestarMessage, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            message["status"] = 202

    @get("/named")
    async def named(request: Request[Any, Any, Any]) -> str:
        scope: Any = request.scope
        set_route(scope, "/chosen")
        return "named"

    assert fetch(app_with(telemetry, named, before_send=[change]), "GET", "/named").status == 202
    assert recorded.counts() == {RequestLabels("GET", "/chosen", 202): 1}


def test_the_plain_middleware_finds_the_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    @get("/users/{user:int}")
    async def user(request: Request[Any, Any, Any]) -> str:
        return "user"

    app: Any = Litestar([user], openapi_config=None)
    assert fetch(MetricsMiddleware(app, telemetry=telemetry), "GET", "/users/7").status == 200
    assert recorded.counts() == {RequestLabels("GET", "/users/{user}", 200): 1}


def test_the_export_ends_with_the_app(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    app: Any = Litestar([], plugins=[DualMetrics(telemetry=telemetry)], openapi_config=None)
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    connection = Connection({"type": "lifespan", "app": app}, messages)
    asyncio.run(connection.run(app))
    sent = [message["type"] for message in connection.sent]
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert fetch(app, "GET", "/metrics").status == 200


def test_a_taken_metrics_path_is_refused(telemetry: Telemetry) -> None:
    @get("/metrics")
    async def mine() -> str:
        return "mine"

    with pytest.raises(SettingsError, match="already has this path"):
        app_with(telemetry, mine)
