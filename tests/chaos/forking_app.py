"""The WSGI app of the server tests, with a route whose handler forks children that count."""

from __future__ import annotations

import os

from tests.servers.flask_app import app, jobs


@app.get("/fork")
def fork() -> str:
    """Fork as a task queue does: the child counts and ends without handlers."""
    pid = os.fork()
    if pid == 0:
        jobs.add(1, {"where": "child"})
        os._exit(0)
    os.waitpid(pid, 0)
    return str(os.getpid())


__all__ = ["app"]
