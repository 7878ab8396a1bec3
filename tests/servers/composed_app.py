"""A Flask app with a websocket and a large file. The server logs what it gets as the body of the file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, abort, request, send_file
from flask_sock import Sock  # type: ignore[import-untyped]  # it has no types
from simple_websocket import Server  # type: ignore[import-untyped]  # it has no types

from dualmetrics.wsgi import Environ
from dualmetrics_flask import DualMetrics
from tests.servers.composed_servers import FILE_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

site = Flask(__name__)
DualMetrics(site)
sock = Sock(site)
big_file = tempfile.NamedTemporaryFile(prefix="dualmetrics-test-")  # noqa: SIM115 - it lives as long as the app
big_file.write(b"x" * FILE_BYTES)
big_file.flush()


@sock.route("/echo/<name>")  # type: ignore[untyped-decorator]  # the same
def echo(socket: Server, name: str) -> None:
    """Send everything back until the client or the app closes the websocket."""
    while (message := socket.receive()) != "end":
        socket.send(name + message)


@site.before_request
def refuse() -> None:
    """Refuse a websocket before its handshake."""
    if request.path == "/echo/nobody":
        abort(403)


@site.get("/file")
def file() -> Response:
    """A file that the server may send by itself."""
    return send_file(big_file.name, mimetype="text/plain")


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The app, called by the server."""
    body = site(environ, start_response)
    if environ["PATH_INFO"] == "/file":
        print(f"body of the file: {type(body).__name__}", flush=True)  # noqa: T201 - into the server's log
    return body
