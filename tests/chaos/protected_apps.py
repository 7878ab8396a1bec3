"""One guarded page on four kinds of sites, asked with exactly the path, headers and client that are given."""

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


class Asked(NamedTuple):
    """A request as a server hands it over; header values in the bytes that were sent."""

    path: str = "/metrics"
    headers: Sequence[tuple[str, bytes]] = ()
    method: str = "GET"
    client: str = PEER
    query: str = ""


class Answer(NamedTuple):
    """What the client gets; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


Site = Callable[[Asked], Answer]


def over_wsgi(app: WSGIApplication) -> Site:
    """The way of WSGI servers: a header that is there twice is joined, as gunicorn does."""

    def ask(asked: Asked) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        environ = environ_of(asked)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
            started.append((status, headers))
            return lambda written: None

        parts = app(environ, start)
        body = b"".join(parts)
        getattr(parts, "close", lambda: None)()
        status, headers = started[-1]
        return Answer(int(status[:3]), {name.lower(): value for name, value in headers}, body)

    return ask


def environ_of(asked: Asked) -> dict[str, Any]:
    """The environ of a request (PEP 3333)."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": asked.path.encode().decode("latin-1"),
        "QUERY_STRING": asked.query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": asked.client,
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
    }
    for name, value in asked.headers:
        key, text = "HTTP_" + name.upper().replace("-", "_"), value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def over_asgi(app: ASGIApp) -> Site:
    """The way of ASGI servers: every header on its own."""

    def ask(asked: Asked) -> Answer:
        headers = [(name.lower().encode(), value) for name, value in asked.headers]
        query = asked.query.encode("latin-1")
        done = fetch(
            app, asked.method, asked.path, headers=headers, query_string=query, client=(asked.client, 5000)
        )
        [start] = [message for message in done.sent if message["type"] == "http.response.start"]
        found = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(done.status, found, done.body)

    return ask


def plain_wsgi(telemetry: Telemetry) -> Site:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("404 Not Found", [])
        return [b"nothing"]

    return over_wsgi(wsgi.MetricsMiddleware(app, telemetry=telemetry))


def plain_asgi(telemetry: Telemetry) -> Site:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("nothing", 404)(scope, receive, send)

    return over_asgi(asgi.MetricsMiddleware(app, telemetry=telemetry))


def flask(telemetry: Telemetry) -> Site:
    app = Flask(__name__)
    FlaskMetrics(app, telemetry=telemetry)
    return over_wsgi(app)


def starlette(telemetry: Telemetry) -> Site:
    app = Starlette()
    StarletteMetrics(app, telemetry=telemetry)
    return over_asgi(app)


SITES = [plain_wsgi, flask, plain_asgi, starlette]
