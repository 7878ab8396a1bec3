"""The parts of the integration that only FastAPI has: included routers, sub-applications, OpenAPI."""

from __future__ import annotations

from pathlib import Path

import fastapi.routing
import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from starlette.staticfiles import StaticFiles

from dualmetrics import SettingsError, Telemetry
from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics_starlette import DualMetrics
from tests.integrations.test_starlette import names


def router() -> APIRouter:
    """A router that includes another router."""
    inner = APIRouter(prefix="/inner")
    outer = APIRouter(prefix="/items")

    @outer.get("/{id}")
    def item(id: str) -> str:  # noqa: A002 - the template's parameter
        return id

    @outer.post("/{id}")
    def change(id: str) -> str:  # noqa: A002 - the template's parameter
        raise HTTPException(404)

    @inner.get("/{key:path}")
    def deep(key: str) -> str:
        return key

    outer.include_router(inner)
    return outer


def test_nested_routers_included_twice(telemetry: Telemetry, recorded: Recorded) -> None:
    app, items = FastAPI(), router()
    app.include_router(items, prefix="/v1")
    app.include_router(items, prefix="/v2/{tenant}")
    DualMetrics(app, telemetry=telemetry)
    assert names(
        app, recorded, "/v1/items/1", "/v2/acme/items/1", "/v1/items/inner/a/b", "/v2/x/items/inner/c"
    ) == [
        "/v1/items/{id}",
        "/v2/{tenant}/items/{id}",
        "/v1/items/inner/{key}",
        "/v2/{tenant}/items/inner/{key}",
    ]
    assert names(app, recorded, "/v1/items/1", "/v2/x/items/1", method="POST") == [
        "/v1/items/{id}",
        "/v2/{tenant}/items/{id}",
    ]
    assert names(app, recorded, "/v1/items/1", method="PATCH") == ["unmatched"]
    assert names(app, recorded, "/v3/items/1", "/v1/items") == ["unmatched", "unmatched"]


def test_mounted_sub_application(telemetry: Telemetry, recorded: Recorded) -> None:
    sub, app = FastAPI(), FastAPI()
    sub.include_router(router())
    app.mount("/{tenant}/sub", sub)
    DualMetrics(app, telemetry=telemetry)
    assert names(
        app, recorded, "/acme/sub/items/1", "/acme/sub/docs", "/acme/sub/none", "/acme/sub/none/x"
    ) == [
        "/{tenant}/sub/items/{id}",
        "/{tenant}/sub/docs",
        "unmatched",
        "unmatched",
    ]


def test_mount_inside_an_included_router(telemetry: Telemetry, recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    outer = APIRouter()
    outer.mount("/static", StaticFiles(directory=tmp_path))
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.include_router(outer, prefix="/v1")
    DualMetrics(app, telemetry=telemetry)
    assert names(app, recorded, "/static/a.css", "/static/none") == ["/static/{path}", "/static/{path}"]


def test_documentation_pages_and_validation_errors(telemetry: Telemetry, recorded: Recorded) -> None:
    app = FastAPI()

    @app.get("/users/{id}")
    def user(id: int) -> int:  # noqa: A002 - the template's parameter
        return id

    DualMetrics(app, telemetry=telemetry)
    assert names(app, recorded, "/docs", "/openapi.json", "/users/x") == [
        "/docs",
        "/openapi.json",
        "/users/{id}",
    ]
    assert recorded.counts() == {RequestLabels("GET", "/users/{id}", 422): 1}


def test_page_is_not_in_the_openapi_schema(telemetry: Telemetry) -> None:
    app = FastAPI()
    DualMetrics(app, telemetry=telemetry)
    assert app.openapi()["paths"] == {}
    assert fetch(app, "GET", "/metrics").status == 200


def test_page_comes_before_a_catch_all_route(telemetry: Telemetry) -> None:
    app = FastAPI()

    @app.get("/{rest:path}")
    def rest() -> str:
        return "caught"

    DualMetrics(app, telemetry=telemetry)
    assert fetch(app, "GET", "/other").body == b'"caught"'
    assert fetch(app, "GET", "/metrics").body != b'"caught"'


def test_error_names_an_included_route_on_the_metrics_path(telemetry: Telemetry) -> None:
    mine = APIRouter()

    @mine.get("/metrics")
    def my_numbers() -> str:
        return "mine"

    app = FastAPI()
    app.include_router(mine)
    with pytest.raises(SettingsError, match="'/metrics'"):
        DualMetrics(app, telemetry=telemetry)


def test_template_excludes_the_root_path_of_a_proxy(telemetry: Telemetry, recorded: Recorded) -> None:
    app = FastAPI()
    app.include_router(router(), prefix="/a")
    app.include_router(router(), prefix="/b")
    DualMetrics(app, telemetry=telemetry)
    assert names(app, recorded, "/proxy/a/items/1", "/proxy/b/items/1", root_path="/proxy") == [
        "/a/items/{id}",
        "/b/items/{id}",
    ]


@pytest.mark.parametrize("outside", [True, False])
def test_plain_middleware(telemetry: Telemetry, recorded: Recorded, outside: bool) -> None:
    app = FastAPI()
    app.include_router(router(), prefix="/v1")
    if not outside:
        app.add_middleware(MetricsMiddleware, telemetry=telemetry)
    served = MetricsMiddleware(app, telemetry=telemetry) if outside else app
    assert names(served, recorded, "/v1/items/1", "/none") == ["/v1/items/{id}", "unmatched"]


def test_included_routers_are_still_kept_whole_or_copied() -> None:
    """If this fails, FastAPI has a new way to keep included routers: see `expand_included`."""
    app = FastAPI()
    app.include_router(router(), prefix="/v1")
    copied = any(getattr(route, "path", "") == "/v1/items/{id}" for route in app.routes)
    assert copied != hasattr(fastapi.routing, "iter_route_contexts")
