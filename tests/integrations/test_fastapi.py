"""What is FastAPI's own: included routers, sub-applications, OpenAPI, its own telemetry."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from starlette.staticfiles import StaticFiles

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.config.settings import SettingsError
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics_starlette import DualMetrics
from tests.integrations.test_starlette import names


def router() -> APIRouter:
    """A router with a router inside."""
    inner = APIRouter(prefix="/inner")
    made = APIRouter(prefix="/items")

    @made.get("/{id}")
    def item(id: str) -> str:  # noqa: A002 - the template's parameter
        return id

    @made.post("/{id}")
    def change(id: str) -> str:  # noqa: A002 - the template's parameter
        raise HTTPException(404)

    @inner.get("/{key:path}")
    def deep(key: str) -> str:
        return key

    made.include_router(inner)
    return made


def test_routers_inside_routers_under_several_prefixes(telemetry: Telemetry, recorded: Recorded) -> None:
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


def test_a_sub_application(telemetry: Telemetry, recorded: Recorded) -> None:
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


def test_a_mount_inside_an_included_router(telemetry: Telemetry, recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    outer = APIRouter()
    outer.mount("/static", StaticFiles(directory=tmp_path))
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.include_router(outer, prefix="/v1")
    DualMetrics(app, telemetry=telemetry)
    assert names(app, recorded, "/static/a.css", "/static/none") == ["/static/{path}", "/static/{path}"]


def test_the_apps_own_pages_and_what_fails_to_validate(telemetry: Telemetry, recorded: Recorded) -> None:
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


def test_the_page_is_not_in_the_openapi_schema(telemetry: Telemetry) -> None:
    app = FastAPI()
    DualMetrics(app, telemetry=telemetry)
    assert app.openapi()["paths"] == {}
    assert fetch(app, "GET", "/metrics").status == 200


def test_the_page_wins_over_a_catch_all(telemetry: Telemetry) -> None:
    app = FastAPI()

    @app.get("/{rest:path}")
    def rest() -> str:
        return "caught"

    DualMetrics(app, telemetry=telemetry)
    assert fetch(app, "GET", "/other").body == b'"caught"'
    assert fetch(app, "GET", "/metrics").body != b'"caught"'


def test_a_route_on_the_metrics_path_of_an_included_router_is_named(telemetry: Telemetry) -> None:
    mine = APIRouter()

    @mine.get("/metrics")
    def my_numbers() -> str:
        return "mine"

    app = FastAPI()
    app.include_router(mine)
    with pytest.raises(SettingsError, match="'/metrics'"):
        DualMetrics(app, telemetry=telemetry)


def test_the_root_path_of_a_proxy_is_left_out(telemetry: Telemetry, recorded: Recorded) -> None:
    app = FastAPI()
    app.include_router(router(), prefix="/a")
    app.include_router(router(), prefix="/b")
    DualMetrics(app, telemetry=telemetry)
    assert names(app, recorded, "/proxy/a/items/1", "/proxy/b/items/1", root_path="/proxy") == [
        "/a/items/{id}",
        "/b/items/{id}",
    ]


@pytest.mark.parametrize("outside", [True, False])
def test_the_plain_middleware(telemetry: Telemetry, recorded: Recorded, outside: bool) -> None:
    app = FastAPI()
    app.include_router(router(), prefix="/v1")
    if not outside:
        app.add_middleware(MetricsMiddleware, telemetry=telemetry)
    served = MetricsMiddleware(app, telemetry=telemetry) if outside else app
    assert names(served, recorded, "/v1/items/1", "/none") == ["/v1/items/{id}", "unmatched"]
