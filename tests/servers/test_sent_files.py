"""Files that real servers send by themselves: they get the very object that their file wrapper has made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.composed_servers import FILE_BYTES, composed_server
from tests.servers.server import total

pytestmark = pytest.mark.server

LOGGED = {
    "gunicorn-gthread": "body of the file: FileWrapper",
    "waitress": "body of the file: ReadOnlyFileBasedBuffer",
    "uwsgi": "via sendfile()",
    "gevent": "",
    "werkzeug": "",
}
"""What the log says of a file that the server sends by itself."""


@pytest.mark.parametrize("kind", LOGGED)
def test_the_server_sends_the_file_and_it_is_counted_once(kind: str, tmp_path: Path) -> None:
    with composed_server(kind, tmp_path) as server:
        for _ in range(3):
            status, body = server.get("/file")
            assert (status, len(body)) == (200, FILE_BYTES)
        page = server.wait_for_requests(3)
        assert total(page, "http_requests_total", http_route="/file", http_status_code="200") == 3
        assert total(page, "http_connections_active") == 0
        assert server.log.read_text().count(LOGGED[kind]) >= 3
