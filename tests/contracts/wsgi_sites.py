"""The contract's site on plain WSGI and Flask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Blueprint, Flask, Response
from werkzeug.test import Client

from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.site import HandlerError, World
from dualmetrics.wsgi import MetricsMiddleware, set_route
from dualmetrics_flask import DualMetrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


class Templates(NamedTuple):
    """The routes as they are recorded."""

    users: str
    items: str
    status: str


class WsgiSite:
    """Either of the two, driven by werkzeug's client."""

    def __init__(
        self, world: World, app: WSGIApplication, templates: Templates, redirect: int | None
    ) -> None:
        self.world = world
        self.app = app
        self.users, self.items, self.status = templates
        self.redirect = redirect

    def request(self, method: str, path: str) -> int:
        try:
            with Client(self.app).open(path, method=method, buffered=True) as response:
                return response.status_code
        except HandlerError:
            return 500

    def body(self, method: str, path: str) -> bytes:
        with Client(self.app).open(path, method=method, buffered=True) as response:
            data: bytes = response.data
            return data


class LateBody:
    """A body that works on while it is closed."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __iter__(self) -> Iterator[bytes]:
        yield b"done"

    def close(self) -> None:
        self._world.work()


class Answer(NamedTuple):
    template: str | None
    status: int
    body: Iterable[bytes] = (b"body",)


def plain_wsgi(telemetry: Telemetry) -> WsgiSite:
    """An app that names its routes itself."""
    world = World(telemetry)

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer = (
            route(environ["PATH_INFO"], world) if environ["REQUEST_METHOD"] == "GET" else Answer(None, 405)
        )
        if answer.template is not None:
            set_route(environ, answer.template)
        if answer.template == "/boom":
            raise HandlerError
        start_response(f"{answer.status} Status", [("Content-Type", "text/plain")])
        return answer.body

    templates = Templates("/users/{id}", "/api/v1/items/{id}", "/status/{code}")
    return WsgiSite(world, MetricsMiddleware(app, telemetry=telemetry), templates, redirect=None)


def route(path: str, world: World) -> Answer:
    """A router of the least kind."""
    head, _, tail = path.rpartition("/")
    if head in ("/users", "/api/v1/items"):
        world.look()
        return Answer(head + "/{id}", 404 if tail == "missing" else 200)
    if head == "/status":
        return Answer("/status/{code}", int(tail))
    bodies: dict[str, Callable[[], Iterable[bytes]]] = {
        "/stream": world.parts,
        "/broken": world.broken_parts,
        "/later": lambda: LateBody(world),
    }
    if path in bodies:
        return Answer(path, 200, bodies[path]())
    return Answer(path, 200) if path in ("/boom", "/folder/", "/health") else Answer(None, 404)


def flask(telemetry: Telemetry) -> WsgiSite:
    """Rules with converters, and a blueprint with a prefix."""
    world = World(telemetry)
    app = Flask("site")
    items = Blueprint("items", "site")

    @app.get("/users/<id>")
    @items.get("/items/<id>")
    def find(id: str) -> tuple[str, int]:  # noqa: A002 - the parameter of the contract's template
        world.look()
        return "found", 404 if id == "missing" else 200

    @app.get("/boom")
    def boom() -> str:
        raise HandlerError

    @app.get("/status/<int:code>")
    def status(code: int) -> Response:
        return Response(status=code)

    @app.get("/later")
    def later() -> Response:
        return Response(LateBody(world))

    app.add_url_rule("/stream", "stream", lambda: Response(world.parts()))
    app.add_url_rule("/broken", "broken", lambda: Response(world.broken_parts()))
    app.add_url_rule("/folder/", "folder", lambda: "fine")
    app.add_url_rule("/health", "health", lambda: "fine")
    app.register_blueprint(items, url_prefix="/api/v1")
    DualMetrics(app, telemetry=telemetry)
    templates = Templates("/users/<id>", "/api/v1/items/<id>", "/status/<int:code>")
    return WsgiSite(world, app, templates, redirect=308)
