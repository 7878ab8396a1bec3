"""Servers for `composed_app`: one process, threads or greenlets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests import peers
from tests.ports import free_port
from tests.servers.server import Server, run_server

FILE_BYTES = 20_000_000
"""The size of the file at ``/file``."""

_APP = "tests.servers.composed_app:app"
_UWSGI = "tests.servers.uwsgi --http-socket 127.0.0.1:{port} --die-on-term --enable-threads"
COMPOSED = {
    "gunicorn-gthread": f"gunicorn -w 1 -k gthread --threads 4 -b 127.0.0.1:{{port}} {_APP}",
    "gunicorn-gevent": f"gunicorn -w 1 -k gevent -b 127.0.0.1:{{port}} {_APP}",
    "gevent": "tests.servers.composed_main gevent {port}",
    "werkzeug": "tests.servers.composed_main werkzeug {port}",
    "waitress": f"waitress --listen 127.0.0.1:{{port}} {_APP}",
    "uwsgi": f"{_UWSGI} --module {_APP}",
}


@contextlib.contextmanager
def composed_server(kind: str, tmp_path: Path) -> Iterator[Server]:
    """Run a server of `COMPOSED` until the end of the block."""
    if kind == "uwsgi":
        peers.require_uwsgi()
    port = free_port()
    with run_server(COMPOSED[kind].format(port=port).split(), port, tmp_path, {}) as server:
        yield server
