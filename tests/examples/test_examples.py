"""Each example, run as the README describes."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.server import run_server, total

pytestmark = pytest.mark.server

FOLDER = Path(__file__).parent.parent.parent / "examples"
SERVED = {
    "flask": (
        ["gunicorn", "-w", "2", "--chdir", str(FOLDER), "-b", "127.0.0.1:{port}", "flask_app:app"],
        "/users/1",
    ),
    "fastapi": (
        ["uvicorn", "--workers", "2", "--app-dir", str(FOLDER), "--port", "{port}", "fastapi_app:app"],
        "/users/1",
    ),
    "asgi": (
        ["uvicorn", "--workers", "2", "--app-dir", str(FOLDER), "--port", "{port}", "asgi_app:app"],
        "/hello/you",
    ),
}
ROUTES = {"flask": "/users/<int:user>", "fastapi": "/users/{user}", "asgi": "/hello/{name}"}


@pytest.mark.parametrize("name", SERVED)
def test_the_app_serves_and_counts(name: str, tmp_path: Path) -> None:
    arguments, path = SERVED[name]
    port = free_port()
    with run_server([text.format(port=port) for text in arguments], port, tmp_path, {}) as server:
        for _ in range(10):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
                assert response.status == 200
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/no/such/page")
        missing.value.close()
        page = server.wait_for_requests(11)
        assert total(page, "http_requests_total", http_route=ROUTES[name], http_status_code="200") == 10
        assert total(page, "http_requests_total", http_route="unmatched", http_status_code="404") == 1


def test_the_workload_shows_all_four_types() -> None:
    arguments = [sys.executable, str(FOLDER / "workload.py")]
    environment = {**os.environ, "OTEL_METRICS_EXPORTER": "prometheus"}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=environment, check=True)
    for line in (
        "# TYPE http_requests_total counter",
        "# TYPE http_request_duration_milliseconds histogram",
        "# TYPE http_connections_active gauge",
        "# TYPE system_memory_usage_bytes gauge",
    ):
        assert line in done.stdout
    assert (
        'http_requests_total{http_method="GET",http_route="/work/<int:number>",http_status_code="200"} 100'
        in done.stdout
    )
    assert 'system_memory_usage_bytes{state="used"}' in done.stdout
