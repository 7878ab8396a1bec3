"""The contract's site on plain ASGI, Starlette and FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from fastapi import APIRouter, FastAPI
from fastapi import Response as FastAPIResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from dualmetrics.asgi import MetricsMiddleware, set_route
from dualmetrics.asgi.types import ASGIApp, Receive, Scope, Send
from dualmetrics.http.semantic_conventions import error_type
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.site import BOOM, HandlerError, World
from dualmetrics_starlette import DualMetrics


class AsgiSite:
    """Any of the three, driven by hand."""

    users = "/users/{id}"
    items = "/api/v1/items/{id}"
    status = "/status/{code}"

    def __init__(self, world: World, app: ASGIApp, redirect: int | None) -> None:
        self.world = world
        self.app = app
        self.redirect = redirect

    def request(self, method: str, path: str) -> int:
        try:
            return fetch(self.app, method, path).status
        except Exception as error:
            if error_type(error) != BOOM:  # older versions of Starlette raise it in a group
                raise
            return 500

    def body(self, method: str, path: str) -> bytes:
        return fetch(self.app, method, path).body


async def slowly(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def found(key: str) -> Response:
    return PlainTextResponse("found" if key != "missing" else "not found", 404 if key == "missing" else 200)


def plain_asgi(telemetry: Telemetry) -> AsgiSite:
    """An app that names its routes itself."""
    world = World(telemetry)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan, no websockets")
        response = answer(scope, world)
        await response(scope, receive, send)

    return AsgiSite(world, MetricsMiddleware(app, telemetry=telemetry), redirect=None)


def answer(scope: Scope, world: World) -> Response:
    """A router of the least kind: by the path without its last part."""
    head, _, tail = scope["path"].rpartition("/")
    if scope["method"] != "GET":
        return PlainTextResponse("", 405)
    if head in ("/users", "/api/v1/items"):
        world.look()
        set_route(scope, head + "/{id}")
        return found(tail)
    if head == "/status":
        set_route(scope, "/status/{code}")
        return Response(status_code=int(tail))
    return special(scope, world)


def special(scope: Scope, world: World) -> Response:
    """The routes without parameters."""
    paths = {"/boom", "/stream", "/broken", "/later", "/health", "/folder/"}
    path = scope["path"]
    if path not in paths:
        return PlainTextResponse("", 404)
    set_route(scope, path)
    if path == "/boom":
        raise HandlerError
    if path in ("/stream", "/broken"):
        return StreamingResponse(slowly(world.parts() if path == "/stream" else world.broken_parts()))
    return PlainTextResponse("", background=BackgroundTask(world.work) if path == "/later" else None)


class Handlers:
    """Starlette's handlers of the site."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def find(self, request: Request) -> Response:
        self.world.look()
        return found(request.path_params["id"])

    async def boom(self, request: Request) -> Response:
        raise HandlerError

    async def stream(self, request: Request) -> Response:
        return StreamingResponse(slowly(self.world.parts()))

    async def broken(self, request: Request) -> Response:
        return StreamingResponse(slowly(self.world.broken_parts()))

    async def later(self, request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(self.world.work))

    async def status(self, request: Request) -> Response:
        return Response(status_code=request.path_params["code"])

    async def fine(self, request: Request) -> Response:
        return PlainTextResponse("fine")


def starlette(telemetry: Telemetry) -> AsgiSite:
    """Routes with converters, and a mount."""
    world = World(telemetry)
    handlers = Handlers(world)
    simple = {"/boom": handlers.boom, "/stream": handlers.stream, "/broken": handlers.broken}
    simple |= {"/later": handlers.later, "/folder/": handlers.fine, "/health": handlers.fine}
    app = Starlette(
        routes=[
            Route("/users/{id:str}", handlers.find),
            Mount("/api/v1", routes=[Route("/items/{id}", handlers.find)]),
            Route("/status/{code:int}", handlers.status),
            *(Route(path, handler) for path, handler in simple.items()),
        ]
    )
    DualMetrics(app, telemetry=telemetry)
    return AsgiSite(world, app, redirect=307)


def fastapi(telemetry: Telemetry) -> AsgiSite:
    """Path operations, and an included router with a prefix."""
    world = World(telemetry)
    handlers = Handlers(world)
    app = FastAPI(openapi_url=None)
    router = APIRouter(prefix="/v1")

    @app.get("/users/{id}")
    @router.get("/items/{id}")
    async def find(id: str) -> FastAPIResponse:  # noqa: A002 - the parameter of the contract's template
        world.look()
        return found(id)

    @app.get("/status/{code}")
    def status(code: int) -> FastAPIResponse:
        return FastAPIResponse(status_code=code)

    for path, handler in (
        ("/boom", handlers.boom),
        ("/stream", handlers.stream),
        ("/broken", handlers.broken),
        ("/later", handlers.later),
        ("/folder/", handlers.fine),
        ("/health", handlers.fine),
    ):
        app.get(path)(handler)
    app.include_router(router, prefix="/api")
    DualMetrics(app, telemetry=telemetry)
    return AsgiSite(world, app, redirect=307)
