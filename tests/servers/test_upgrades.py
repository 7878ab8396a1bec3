"""Websockets of WSGI apps, through flask-sock on real servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.servers.composed_servers import composed_server
from tests.servers.server import Server, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

KINDS = ["gunicorn-gthread", "gunicorn-gevent", "gevent", "werkzeug"]


def open_echo(server: Server, name: str = "a") -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/echo/{name}", open_timeout=10, close_timeout=10)


def active(server: Server, method: str) -> float:
    return total(server.page(), "http_connections_active", http_method=method)


@pytest.mark.parametrize("kind", KINDS)
def test_a_websocket_is_active_while_it_is_open_and_not_counted(kind: str, tmp_path: Path) -> None:
    with composed_server(kind, tmp_path) as server:
        for end in ("client", "app"):
            with open_echo(server) as websocket:
                websocket.send("b")
                assert websocket.recv(timeout=10) == "ab"
                assert (active(server, "WEBSOCKET"), active(server, "GET")) == (1, 0)
                if end == "app":
                    websocket.send("end")
            wait_until(lambda: active(server, "WEBSOCKET") == 0, 10, "the end of the websocket")
        page = server.page()
        assert total(page, "http_requests_total") == 0, page
        assert total(page, "dualmetrics_internal_errors_total") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_websocket_is_counted_as_what_was_answered(kind: str, tmp_path: Path) -> None:
    with composed_server(kind, tmp_path) as server:
        with pytest.raises(InvalidStatus, match="403"):
            open_echo(server, "nobody")
        page = server.wait_for_requests(1)
        assert total(page, "http_requests_total", http_status_code="403", http_method="GET") == 1
        assert active(server, "WEBSOCKET") == 0
