"""Servers on a Unix socket, where no client has an address: the page can be protected there, too."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until

pytestmark = pytest.mark.server

COMMANDS = {
    "gunicorn": ["gunicorn", "-b", "unix:{path}", "tests.servers.flask_app:app"],
    "gunicorn-asgi": ["gunicorn", "-k", "asgi", "-b", "unix:{path}", "tests.servers.asgi_app:app"],
    "uvicorn": ["uvicorn", "--uds", "{path}", "tests.servers.asgi_app:app"],
    "hypercorn": ["hypercorn", "-b", "unix:{path}", "tests.servers.asgi_app:app"],
}


class Connection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(self.host)


def status(path: Path, forwarded: str = "") -> int:
    connection = Connection("localhost")
    connection.host = str(path)
    try:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        connection.request("GET", "/metrics", headers={"Host": "localhost", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def server(kind: str, folder: Path, **env: str) -> Iterator[Path]:
    path, log = folder / "socket", folder / "log"
    command = [part.format(path=path) for part in COMMANDS[kind]]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, "OTEL_METRICS_EXPORTER": "prometheus", **env},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: answers(path), 20, "the server", details=log.read_text)
        yield path
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def answers(path: Path) -> bool:
    try:
        return status(path) in (200, 403)
    except OSError:
        return False


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_word_unix_allows_clients_of_the_socket(kind: str, tmp_path: Path) -> None:
    with server(kind, tmp_path, DUALMETRICS_METRICS_ALLOW="10.0.0.0/8,unix") as path:
        assert status(path) == 200


@pytest.mark.parametrize("kind", COMMANDS)
def test_without_it_they_are_refused_and_the_log_names_it(kind: str, tmp_path: Path) -> None:
    with server(kind, tmp_path, DUALMETRICS_METRICS_ALLOW="private") as path:
        assert status(path) == 403
    log = (tmp_path / "log").read_text()
    assert "add unix to DUALMETRICS_METRICS_ALLOW" in log


@pytest.mark.parametrize("kind", COMMANDS)
def test_behind_a_proxy_on_the_socket_the_forwarded_address_counts(kind: str, tmp_path: Path) -> None:
    allow = {"DUALMETRICS_METRICS_ALLOW": "10.0.0.0/8", "DUALMETRICS_TRUSTED_PROXIES": "unix"}
    with server(kind, tmp_path, **allow) as path:
        assert status(path, forwarded="10.1.2.3") == 200
        assert status(path, forwarded="8.8.8.8") == 403
