"""Servers other than gunicorn and uvicorn, with four workers and nothing configured for metrics."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

from tests import peers
from tests.ports import free_port
from tests.servers.server import APPS, Server, run_server

_UWSGI = (
    "tests.servers.uwsgi --http-socket 127.0.0.1:{port} --stats {stats} --master --die-on-term --processes 4"
)
_STATS = "stats"
"""The name of uWSGI's statistics socket in the test's directory."""

_GRANIAN = "granian --workers 4 --port {port} --respawn-failed-workers"
COMMANDS = {
    "uwsgi": f"{_UWSGI} --enable-threads --module {{flask}}",
    "uwsgi-lazy-apps": f"{_UWSGI} --enable-threads --lazy-apps --module {{flask}}",
    "uwsgi-no-enable-threads": f"{_UWSGI} --module {{flask}}",
    "granian-asgi": f"{_GRANIAN} --interface asgi {{asgi}}",
    "granian-wsgi": f"{_GRANIAN} --interface wsgi {{flask}}",
    "hypercorn": "hypercorn --workers 4 --bind 127.0.0.1:{port} {asgi}",
    "hypercorn-wsgi": "hypercorn --workers 4 --bind 127.0.0.1:{port} wsgi:{flask}",
    "gunicorn-gevent": "gunicorn -w 4 -k gevent -b 127.0.0.1:{port} {flask}",
    "gunicorn-gevent-preload": "gunicorn -w 4 -k gevent --preload -b 127.0.0.1:{port} {flask}",
}


@contextlib.contextmanager
def other_server(kind: str, tmp_path: Path, **env: str) -> Iterator[Server]:
    """Run a server of `COMMANDS` until the end of the block."""
    if kind.startswith("uwsgi"):
        peers.require_uwsgi()
    port = free_port()
    command = COMMANDS[kind].format(port=port, stats=tmp_path / _STATS, **APPS).split()
    with run_server(command, port, tmp_path, env) as server:
        yield server


def are_uwsgi_workers_idle(tmp_path: Path) -> bool:
    """Whether no worker of uWSGI is busy. A busy one, as each is shortly after an answer, runs no atexit."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / _STATS))
        with connection.makefile() as answer:
            return all(worker["status"] == "idle" for worker in json.load(answer)["workers"])
