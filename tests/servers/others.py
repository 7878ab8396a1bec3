"""Command lines of servers other than gunicorn and uvicorn, with four workers and nothing configured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.servers.running import APPS, Server, running
from tests.waiting import free_port

UWSGI = "tests.servers.uwsgi --http-socket 127.0.0.1:{port} --master --die-on-term --processes 4"
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
    command = COMMANDS[kind].format(port=port, **APPS).split()
    with running(command, port, tmp_path, env) as server:
        yield server
