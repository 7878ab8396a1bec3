"""The WSGI app of the server tests, with a route that crashes the worker."""

from __future__ import annotations

import os

from tests.servers.flask_app import app


@app.get("/exit")
def crash() -> str:
    """End the worker as a crash does: without handlers, atexit or an answer."""
    os._exit(9)  # gunicorn itself would end at status 3


__all__ = ["app"]
