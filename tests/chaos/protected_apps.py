"""Four kinds of apps with a protected page, and clients that send exactly the given path and headers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from dualmetrics import asgi, wsgi
from dualmetrics.asgi.types import ASGIApp, Receive, Scope, Send
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import fetch
from dualmetrics_flask import DualMetrics as FlaskMetrics
from dualmetrics_starlette import DualMetrics as StarletteMetrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

PEER = "192.0.2.1"


class PageRequest(NamedTuple):
    """A request as a server passes it on; the header values are the bytes that were sent."""

    path: str = "/metrics"
    headers: Sequence[tuple[str, bytes]] = ()
    method: str = "GET"
    client: str = PEER
    query: str = ""


class PageResponse(NamedTuple):
    """The response that the client gets; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


Client = Callable[[PageRequest], PageResponse]
"""Sends a request to one app."""


def wsgi_client(app: WSGIApplication) -> Client:
    """Return a client of a WSGI app. It joins headers of the same name, as gunicorn does."""

    def send(request: PageRequest) -> PageResponse:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        environ = environ_of(request)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
            started.append((status, headers))
            return lambda written: None

        parts = app(environ, start)
        body = b"".join(parts)
        getattr(parts, "close", lambda: None)()
        status, headers = started[-1]
        return PageResponse(int(status[:3]), {name.lower(): value for name, value in headers}, body)

    return send


def environ_of(request: PageRequest) -> dict[str, Any]:
    """Return the environ of a request (PEP 3333)."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path.encode().decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": request.client,
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
    }
    for name, value in request.headers:
        key, text = "HTTP_" + name.upper().replace("-", "_"), value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def asgi_client(app: ASGIApp) -> Client:
    """Return a client of an ASGI app. It passes on each header, as ASGI servers do."""

    def send(request: PageRequest) -> PageResponse:
        headers = [(name.lower().encode(), value) for name, value in request.headers]
        query = request.query.encode("latin-1")
        client = request.client, 5000
        done = fetch(app, request.method, request.path, headers=headers, query_string=query, client=client)
        [start] = [message for message in done.sent if message["type"] == "http.response.start"]
        received = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        return PageResponse(done.status, received, done.body)

    return send


def plain_wsgi(telemetry: Telemetry) -> Client:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("404 Not Found", [])
        return [b"nothing"]

    return wsgi_client(wsgi.MetricsMiddleware(app, telemetry=telemetry))


def plain_asgi(telemetry: Telemetry) -> Client:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("nothing", 404)(scope, receive, send)

    return asgi_client(asgi.MetricsMiddleware(app, telemetry=telemetry))


def flask(telemetry: Telemetry) -> Client:
    app = Flask(__name__)
    FlaskMetrics(app, telemetry=telemetry)
    return wsgi_client(app)


def starlette(telemetry: Telemetry) -> Client:
    app = Starlette()
    StarletteMetrics(app, telemetry=telemetry)
    return asgi_client(app)


APPS = [plain_wsgi, flask, plain_asgi, starlette]
