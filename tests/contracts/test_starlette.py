"""The contract on Starlette and FastAPI."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, AsgiContract, HandlerError
from dualmetrics_starlette import DualMetrics


def find(key: str) -> Response:
    return PlainTextResponse("not found", 404) if key == "missing" else PlainTextResponse("found")


class Handlers:
    """The handlers of the site, as Starlette and FastAPI both take them."""

    def __init__(self, actions: Actions) -> None:
        self.actions = actions

    async def find(self, request: Request) -> Response:
        self.actions.note_active()
        return find(request.path_params["id"])

    async def boom(self, request: Request) -> Response:
        raise HandlerError

    async def stream(self, request: Request) -> Response:
        return StreamingResponse(self.actions.async_parts())

    async def broken(self, request: Request) -> Response:
        return StreamingResponse(self.actions.async_broken_parts())

    async def later(self, request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(self.actions.work))

    async def status(self, request: Request) -> Response:
        return Response(status_code=request.path_params["code"])

    async def fine(self, request: Request) -> Response:
        return PlainTextResponse("fine")

    def routes(self) -> list[Route]:
        """The routes without parameters."""
        return [
            Route("/boom", self.boom),
            Route("/stream", self.stream),
            Route("/broken", self.broken),
            Route("/later", self.later),
            Route("/folder/", self.fine),
            Route("/health", self.fine),
        ]


class TestStarlette(AsgiContract):
    """Routes with converters, and a mount."""

    slash_redirect = 307

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Starlette:
        handlers = Handlers(actions)
        app = Starlette(
            routes=[
                Route("/users/{id:str}", handlers.find),
                Mount("/api/v1", routes=[Route("/items/{id}", handlers.find)]),
                Route("/status/{code:int}", handlers.status),
                *handlers.routes(),
            ]
        )
        DualMetrics(app, telemetry=telemetry)
        return app


class TestFastAPI(AsgiContract):
    """Path operations, and an included router with a prefix."""

    slash_redirect = 307

    def make_app(self, telemetry: Telemetry, actions: Actions) -> FastAPI:
        app = FastAPI(openapi_url=None)
        router = APIRouter(prefix="/v1")

        @app.get("/users/{id}")
        @router.get("/items/{id}")
        async def show(id: str) -> Response:  # noqa: A002 - the parameter of the contract's template
            actions.note_active()
            return find(id)

        @app.get("/status/{code}")
        def status(code: int) -> Response:
            return Response(status_code=code)

        for route in Handlers(actions).routes():
            app.get(route.path)(route.endpoint)
        app.include_router(router, prefix="/api")
        DualMetrics(app, telemetry=telemetry)
        return app
