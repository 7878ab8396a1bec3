"""The built wheel with its core dependencies alone: recording, the page and both OTLP protocols work."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from dualmetrics import Telemetry, asgi, wsgi
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.wsgi_client import WsgiCall

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


def get_wsgi(app: Any, path: str) -> str:
    call = WsgiCall(app, PATH_INFO=path)
    call.send_all()
    call.close()
    return b"".join(call.written).decode()


def get_asgi(app: Any, path: str) -> str:
    return fetch(app, "GET", path).body.decode()


@pytest.fixture
def telemetry() -> Iterable[Telemetry]:
    telemetry = Telemetry(service_name="bare")
    yield telemetry
    telemetry.shutdown(1)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_no_extra_is_installed(name: str) -> None:
    assert importlib.util.find_spec(name) is None


def test_requests_of_a_wsgi_app_are_on_its_page(telemetry: Telemetry) -> None:
    app = wsgi.MetricsMiddleware(wsgi_app, telemetry=telemetry)
    assert get_wsgi(app, "/items/7") == "made"
    labels = 'http_method="GET",http_route="/items/<id>",http_status_code="201"'
    assert f"http_requests_total{{{labels}}} 1\n" in get_wsgi(app, "/metrics")


def test_requests_of_an_asgi_app_are_on_its_page(telemetry: Telemetry) -> None:
    app = asgi.MetricsMiddleware(asgi_app, telemetry=telemetry)
    assert get_asgi(app, "/items/7") == "made"
    labels = 'http_method="GET",http_route="/items/{id}",http_status_code="201"'
    assert f"http_requests_total{{{labels}}} 1\n" in get_asgi(app, "/metrics")


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_push_needs_no_extra(protocol: str, port: int) -> None:
    telemetry = Telemetry(endpoint=f"http://127.0.0.1:{port}", protocol=protocol)
    telemetry.meter("bare").create_counter("jobs").add(1)
    assert telemetry.force_flush(10) is False, "nobody listens on the port"
    families = {family.descriptor.name for family in telemetry.snapshot().families}
    assert {"jobs", "dualmetrics.exports"} <= families
    telemetry.shutdown(1)


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["-c", "import dualmetrics_flask"], "dualmetrics[flask]"),
        (["-c", "import dualmetrics_starlette"], "dualmetrics[starlette]"),
        (["-c", "from dualmetrics.cli import main; main()"], "dualmetrics[cli]"),
    ],
)
def test_without_its_extra_a_module_says_how_to_install_it(command: list[str], extra: str) -> None:
    finished = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode != 0
    assert f'pip install "{extra}"' in finished.stderr
