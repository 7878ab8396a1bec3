"""Development servers that reload the app when a file changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.server import Server, run_server, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

COMMANDS = {
    "flask": "flask --app {folder}/reloaded.py run --port {port} --reload",
    "uvicorn": "uvicorn --port {port} --reload --reload-dir {folder} --app-dir {folder} reloaded:app",
}


@contextlib.contextmanager
def reloading_server(kind: str, folder: Path) -> Iterator[Server]:
    """Run a development server with an app that is in a file of the folder."""
    app = "flask_app" if kind == "flask" else "asgi_app"
    (folder / "reloaded.py").write_text(f"from tests.servers.{app} import app\n__all__ = ['app']\n")
    port = free_port()
    with run_server(COMMANDS[kind].format(folder=folder, port=port).split(), port, folder, {}) as server:
        yield server


@pytest.mark.parametrize(("kind", "keeps_group"), [("flask", False), ("uvicorn", True)])
def test_totals_go_on_after_a_reload_where_the_reloader_is_the_root_of_the_group(
    kind: str, keeps_group: bool, tmp_path: Path
) -> None:
    """uvicorn's reloader forks the new server. Flask's runs a program, which is a new group each time."""
    with reloading_server(kind, tmp_path) as server:
        before = set(server.work(50))
        server.wait_for_requests(50)
        wait_until(
            lambda: _change_until_detected(server, tmp_path),
            30,
            "the reloader to detect a change",
            details=server.log.read_text,
        )
        wait_until(lambda: _answering_pids(server) - before, 30, "the reload", details=server.log.read_text)
        shown = total(server.page(), "http_requests_total")
        server.work(30)
        assert (shown >= 50) == keeps_group
        server.wait_for_requests(shown + 30)


def _change_until_detected(server: Server, folder: Path) -> bool:
    """Change the file if no change was detected so far: a reloader may look at the folder only later."""
    if "detected change" in server.log.read_text().lower():
        return True
    with (folder / "reloaded.py").open("a") as file:
        file.write("# changed\n")
    return False


def _answering_pids(server: Server) -> set[int]:
    """Send one request. Returns the pid that answered; none while no process listens."""
    try:
        return set(server.work(1))
    except OSError:
        return set()
