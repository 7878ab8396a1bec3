"""Servers that a program starts itself, with the app at the top of the same program: one group."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.script_server import SERVERS, WORKERS
from tests.servers.server import run_server, total

pytestmark = pytest.mark.server


@pytest.mark.parametrize("kind", SERVERS)
def test_every_page_shows_what_all_workers_have_counted(kind: str, tmp_path: Path) -> None:
    port = free_port()
    with run_server(["tests.servers.script_server", kind, str(port)], port, tmp_path, {}) as server:
        requests = server.work_until_several_answer(100).total()
        server.wait_for_requests(requests)
        assert server.request_totals() == {requests}
        assert total(server.page(), "dualmetrics_workers") == WORKERS
