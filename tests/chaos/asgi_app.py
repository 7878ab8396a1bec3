"""The ASGI app of the server tests, and a way for a worker to end itself."""

from __future__ import annotations

import os

from starlette.requests import Request
from starlette.responses import Response

from tests.servers.asgi_app import app


async def leave(request: Request) -> Response:
    """End the worker as a crash does: no handler, no shutdown, no answer."""
    os._exit(9)


app.add_route("/exit", leave)

__all__ = ["app"]
