"""The built wheel with nothing but its core dependencies: recording and both protocols work."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from dualmetrics import Telemetry, asgi, wsgi

pytestmark = pytest.mark.bare

FRAMEWORKS = ("flask", "starlette", "fastapi", "click", "rich", "prometheus_client", "psutil")


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    wsgi.set_route(environ, "/items/<id>")
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [b"made"]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    asgi.set_route(scope, "/items/{id}")
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"made"})


def ask_wsgi(app: Any, path: str) -> str:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = path
    body = app(environ, lambda status, headers, error=None: None)
    try:
        return b"".join(body).decode()
    finally:
        if hasattr(body, "close"):
            body.close()


def ask_asgi(app: Any, path: str) -> str:
    sent: list[dict[str, Any]] = []
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return b"".join(message.get("body", b"") for message in sent).decode()


@pytest.fixture
def telemetry() -> Iterable[Telemetry]:
    made = Telemetry(service_name="bare")
    yield made
    made.shutdown(1)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_environment_has_no_extra(name: str) -> None:
    assert importlib.util.find_spec(name) is None


def test_a_wsgi_app_is_recorded_and_shown(telemetry: Telemetry) -> None:
    app = wsgi.MetricsMiddleware(wsgi_app, telemetry=telemetry)
    assert ask_wsgi(app, "/items/7") == "made"
    labels = 'http_method="GET",http_route="/items/<id>",http_status_code="201"'
    assert f"http_requests_total{{{labels}}} 1\n" in ask_wsgi(app, "/metrics")


def test_an_asgi_app_is_recorded_and_shown(telemetry: Telemetry) -> None:
    app = asgi.MetricsMiddleware(asgi_app, telemetry=telemetry)
    assert ask_asgi(app, "/items/7") == "made"
    labels = 'http_method="GET",http_route="/items/{id}",http_status_code="201"'
    assert f"http_requests_total{{{labels}}} 1\n" in ask_asgi(app, "/metrics")


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_push_needs_no_extra(protocol: str, port: int) -> None:
    made = Telemetry(endpoint=f"http://127.0.0.1:{port}", protocol=protocol)
    made.meter("bare").create_counter("jobs").add(1)
    assert made.force_flush(10) is False, "nobody listens there"
    families = {family.descriptor.name for family in made.snapshot().families}
    assert {"jobs", "dualmetrics.exports"} <= families
    made.shutdown(1)


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["-c", "import dualmetrics_flask"], "dualmetrics[flask]"),
        (["-c", "import dualmetrics_starlette"], "dualmetrics[starlette]"),
        (["-c", "from dualmetrics.cli import main; main()"], "dualmetrics[cli]"),
    ],
)
def test_what_is_missing_is_said_with_the_line_that_installs_it(command: list[str], extra: str) -> None:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f'pip install "{extra}"' in done.stderr
