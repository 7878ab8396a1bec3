"""Development servers that begin anew when a file changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.server import Server, run_server
from tests.waiting import wait_until

pytestmark = pytest.mark.server

COMMANDS = {
    "flask": "flask --app {folder}/reloaded.py run --port {port} --reload",
    "uvicorn": "uvicorn --port {port} --reload --reload-dir {folder} --app-dir {folder} reloaded:app",
}


@contextlib.contextmanager
def reloading(kind: str, folder: Path) -> Iterator[Server]:
    """The development server, with the app in a file of the folder."""
    app = "flask_app" if kind == "flask" else "asgi_app"
    (folder / "reloaded.py").write_text(f"from tests.servers.{app} import app\n__all__ = ['app']\n")
    port = free_port()
    with run_server(COMMANDS[kind].format(folder=folder, port=port).split(), port, folder, {}) as server:
        yield server


@pytest.mark.parametrize(("kind", "goes_on"), [("flask", False), ("uvicorn", True)])
def test_a_reload_goes_on_counting_where_the_same_process_starts_the_new_one(
    kind: str, goes_on: bool, tmp_path: Path
) -> None:
    """Flask's executes a program each time, which is a server of its own; uvicorn's is the root of both."""
    with reloading(kind, tmp_path) as server:
        before = set(server.work(50))
        server.wait_for_requests(50)
        wait_until(lambda: _noticed(server, tmp_path), 30, "it to notice", details=server.log.read_text)
        wait_until(lambda: _answering(server) - before, 30, "the reload", details=server.log.read_text)
        counted = server.page()
        server.work(30)
        last = sum(value for (name, _), value in counted.items() if name == "http_requests_total")
        assert (last >= 50) == goes_on
        server.wait_for_requests(last + 30)


def _noticed(server: Server, folder: Path) -> bool:
    """Change the file until the reloader says so: its first look at the folder may come after a change."""
    if "detected change" in server.log.read_text().lower():
        return True
    with (folder / "reloaded.py").open("a") as file:
        file.write("# changed\n")
    return False


def _answering(server: Server) -> set[int]:
    """Who answers now; nobody for the moment between the two."""
    try:
        return set(server.work(1))
    except OSError:
        return set()
