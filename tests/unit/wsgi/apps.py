"""A WSGI app for tests, and a client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.test import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

ENVIRON = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
"""The smallest environ of a request."""


def hello(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answer every request."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def fetch_body(app: Any, path: str, **options: Any) -> bytes:
    """Get a path and return the body of the response."""
    body: bytes = Client(app).get(path, buffered=True, **options).data
    return body
