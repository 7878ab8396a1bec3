"""The WSGI app of the server tests, and a way for a worker to end itself."""

from __future__ import annotations

import os

from tests.servers.flask_app import app


@app.get("/exit")
def leave() -> str:
    """End the worker as a crash does: no handler, no atexit, no answer. (At 3 gunicorn would end itself.)"""
    os._exit(9)


__all__ = ["app"]
