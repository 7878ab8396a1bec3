"""The contract on Litestar: path parameters with types, and a router with a prefix."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from litestar import Litestar, Request, Response, Router, get
from litestar.background_tasks import BackgroundTask
from litestar.response import Stream

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, AsgiContract, HandlerError, Recorded, RequestLabels, Site
from dualmetrics_litestar import DualMetrics

pytestmark = pytest.mark.frameworks


def handlers(actions: Actions) -> tuple[list[Any], Router]:
    """The handlers of the site, and the router with the prefix."""

    @get(["/users/{id:str}", "/items/{id:str}"])
    async def find(request: Request[Any, Any, Any]) -> Response[str]:
        actions.note_active()
        return Response("found", status_code=404 if request.path_params["id"] == "missing" else 200)

    @get("/status/{code:int}")
    async def status(request: Request[Any, Any, Any]) -> Response[None]:
        return Response(None, status_code=request.path_params["code"])

    @get("/boom")
    async def boom() -> None:
        raise HandlerError

    @get("/stream")
    async def stream() -> Stream:
        return Stream(actions.async_parts())

    @get("/broken")
    async def broken() -> Stream:
        return Stream(actions.async_broken_parts())

    @get("/later")
    async def later() -> Response[str]:
        return Response("done", background=BackgroundTask(actions.work))

    @get(["/folder/", "/health"])
    async def fine() -> str:
        return "fine"

    return [find, status, boom, stream, broken, later, fine], Router("/api/v1", route_handlers=[find])


class LitestarContract(AsgiContract):
    """The contract of an app that ignores slashes at the end of a path."""

    def test_slash_redirect_has_no_route(self, site: Site, recorded: Recorded) -> None:
        """Litestar has no redirects of slashes: both paths lead to the same route."""
        assert site.request("GET", "/folder").status == 200
        assert recorded.counts() == {RequestLabels("GET", "/folder", 200): 1}


class TestLitestar(LitestarContract):
    def make_app(self, telemetry: Telemetry, actions: Actions) -> Litestar:
        plain, router = handlers(actions)
        app = Litestar([*plain, router], logging_config=None, openapi_config=None)
        DualMetrics(app, telemetry=telemetry)
        return app


class TestLitestarPlugin(LitestarContract):
    """The same as a plugin, which needs the startup of the app."""

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Litestar:
        plain, router = handlers(actions)
        plugin = DualMetrics(telemetry=telemetry)
        app = Litestar([*plain, router], plugins=[plugin], logging_config=None, openapi_config=None)

        async def start() -> None:
            async with app.lifespan():
                app.on_shutdown.clear()  # the telemetry is needed after this loop

        asyncio.run(start())
        return app
