"""The ASGI app of the server tests, with a route that crashes the worker."""

from __future__ import annotations

import os

from starlette.requests import Request
from starlette.responses import Response

from tests.servers.asgi_app import app


async def crash(request: Request) -> Response:
    """End the worker as a crash does: without handlers, shutdown or an answer."""
    os._exit(9)


app.add_route("/exit", crash)

__all__ = ["app"]
