"""The contract on connexion: an API of two specifications, and routes besides, in both kinds of apps."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from connexion import AsyncApp, FlaskApp
from connexion.resolver import Resolver
from flask import Response as FlaskResponse
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, AsgiContract, HandlerError
from dualmetrics_connexion import DualMetrics


def operation(name: str, *parameters: str) -> dict[str, Any]:
    described = [
        {"name": each, "in": "path", "required": True, "schema": {"type": "string"}} for each in parameters
    ]
    return {
        "get": {"operationId": name, "parameters": described, "responses": {"200": {"description": "ok"}}}
    }


def specification(**paths: Any) -> dict[str, Any]:
    return {"openapi": "3.0.0", "info": {"title": "site", "version": "1"}, "paths": paths}


pytestmark = [
    pytest.mark.server,  # an app takes long to build
    # connexion makes this coroutine when a stream breaks, and never awaits it.
    pytest.mark.filterwarnings(
        "ignore:coroutine 'ServerErrorMiddleware.error_response' was never awaited:RuntimeWarning"
    ),
]

SITE = specification(
    **{
        "/users/{id}": operation("find", "id"),
        "/boom": operation("boom"),
        "/folder/": operation("fine"),
        "/health": operation("health"),
        "/later": operation("later"),
    }
)
ITEMS = specification(**{"/items/{id}": operation("find", "id")})


@pytest.fixture(autouse=True, scope="module")
def _no_coroutine_is_left() -> Iterator[None]:
    """Collect those coroutines here, and not in a later test, where their warning would be an error."""
    yield
    gc.collect()


class ConnexionContract(AsgiContract):
    status_route = "/status/{code}"

    def add_apis(self, app: AsyncApp | FlaskApp, actions: Actions, **functions: Any) -> None:
        def find(id: str) -> tuple[str, int]:  # noqa: A002 - the parameter of the contract's template
            actions.note_active()
            return ("not found", 404) if id == "missing" else ("found", 200)

        def boom() -> str:
            raise HandlerError

        def fine() -> str:
            return "fine"

        resolver = Resolver(
            {"find": find, "boom": boom, "fine": fine, "health": lambda: "fine", **functions}.__getitem__
        )
        app.add_api(SITE, resolver=resolver)
        app.add_api(ITEMS, base_path="/api/v1", resolver=resolver)


class TestAsyncApp(ConnexionContract):
    slash_redirect = 307

    def make_app(self, telemetry: Telemetry, actions: Actions) -> AsyncApp:
        async def later() -> PlainTextResponse:
            return PlainTextResponse("done", background=BackgroundTask(actions.work))

        async def status(request: Request) -> PlainTextResponse:
            return PlainTextResponse("", int(request.path_params["code"]))

        async def stream(request: Request) -> StreamingResponse:
            return StreamingResponse(actions.async_parts())

        async def broken(request: Request) -> StreamingResponse:
            return StreamingResponse(actions.async_broken_parts())

        app = AsyncApp("site")
        DualMetrics(app, telemetry=telemetry)
        self.add_apis(app, actions, later=later)
        app.add_url_rule("/status/{code}", "status", status)
        app.add_url_rule("/stream", "stream", stream)
        app.add_url_rule("/broken", "broken", broken)
        return app


class TestFlaskApp(ConnexionContract):
    status_route = "/status/<code>"
    slash_redirect = 307

    @pytest.fixture(autouse=True)
    def _end_threads(self) -> Iterator[None]:
        self.executors: list[Any] = []
        yield
        for executor in self.executors:
            executor.shutdown()

    def make_app(self, telemetry: Telemetry, actions: Actions) -> FlaskApp:
        def later() -> FlaskResponse:
            return FlaskResponse(actions.late_body())

        app = FlaskApp("site")
        self.executors.append(app._middleware_app.asgi_app.executor)
        self.add_apis(app, actions, later=later)
        app.add_url_rule("/status/<code>", "status", lambda code: FlaskResponse("", status=int(code)))
        app.add_url_rule("/stream", "stream", lambda: FlaskResponse(actions.parts()))
        app.add_url_rule("/broken", "broken", lambda: FlaskResponse(actions.broken_parts()))
        DualMetrics(app, telemetry=telemetry)
        return app
