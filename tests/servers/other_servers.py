"""Command lines of servers other than gunicorn and uvicorn, with four workers and nothing configured."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.ports import free_port
from tests.servers.server import APPS, Server, run_server

UWSGI = (
    "tests.servers.uwsgi --http-socket 127.0.0.1:{port} --stats {stats} --master --die-on-term --processes 4"
)
STATS = "stats"
"""The socket in the test's directory where uWSGI tells of its workers."""

GRANIAN = "granian --workers 4 --port {port} --respawn-failed-workers"
COMMANDS = {
    "uwsgi": f"{UWSGI} --enable-threads --module {{flask}}",
    "uwsgi-lazy-apps": f"{UWSGI} --enable-threads --lazy-apps --module {{flask}}",
    "uwsgi-no-enable-threads": f"{UWSGI} --module {{flask}}",
    "granian-asgi": f"{GRANIAN} --interface asgi {{asgi}}",
    "granian-wsgi": f"{GRANIAN} --interface wsgi {{flask}}",
    "hypercorn": "hypercorn --workers 4 --bind 127.0.0.1:{port} {asgi}",
    "hypercorn-wsgi": "hypercorn --workers 4 --bind 127.0.0.1:{port} wsgi:{flask}",
    "gunicorn-gevent": "gunicorn -w 4 -k gevent -b 127.0.0.1:{port} {flask}",
    "gunicorn-gevent-preload": "gunicorn -w 4 -k gevent --preload -b 127.0.0.1:{port} {flask}",
}


@contextlib.contextmanager
def other(kind: str, tmp_path: Path, **env: str) -> Iterator[Server]:
    """A server that `COMMANDS` lists, until the end of the block."""
    port = free_port()
    command = COMMANDS[kind].format(port=port, stats=tmp_path / STATS, **APPS).split()
    with run_server(command, port, tmp_path, env) as server:
        yield server


def idle(tmp_path: Path) -> bool:
    """Whether all workers of uWSGI are; a busy one, as for a moment after its answer, runs no atexit."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(tmp_path / STATS))
        with asking.makefile() as answer:
            return all(worker["status"] == "idle" for worker in json.load(answer)["workers"])
