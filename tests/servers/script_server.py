"""A program with the app at its top that starts a server with two workers, as FastAPI's documentation does.

``python -m tests.servers.script_server uvicorn 8000``
"""

from __future__ import annotations

import sys

from tests.servers.asgi_app import app

APP = "tests.servers.asgi_app:app"
WORKERS = 2


def run_uvicorn(port: int) -> None:
    import uvicorn

    uvicorn.run(APP, port=port, workers=WORKERS)


def run_granian(port: int) -> None:
    from granian.constants import Interfaces
    from granian.server import Server

    Server(APP, port=port, workers=WORKERS, interface=Interfaces.ASGI, respawn_failed_workers=True).serve()


def run_hypercorn(port: int) -> None:
    from hypercorn.config import Config
    from hypercorn.run import run

    config = Config()
    config.application_path, config.bind, config.workers = APP, [f"127.0.0.1:{port}"], WORKERS
    run(config)


SERVERS = {"uvicorn": run_uvicorn, "granian": run_granian, "hypercorn": run_hypercorn}

if __name__ == "__main__":
    assert app is not None
    SERVERS[sys.argv[1]](int(sys.argv[2]))
