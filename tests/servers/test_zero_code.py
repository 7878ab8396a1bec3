"""Apps that do not know dualmetrics record under ``dualmetrics run``, with several workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.ports import free_port
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import run_server, total
from tests.servers.test_frameworks import Served, counted
from tests.waiting import wait_until

pytestmark = pytest.mark.server

GUNICORN = "gunicorn -w 4 -b 127.0.0.1:{port} tests.servers.unchanged."
UVICORN = "uvicorn --workers 4 --port {port} tests.servers.unchanged."

UNCHANGED = {
    "aiohttp": Served(GUNICORN + "aiohttp_app:app -k aiohttp.GunicornWebWorker", "/work/{number}"),
    "bottle": Served(GUNICORN + "bottle_app:app", "/work/<number:int>"),
    "django": Served(GUNICORN + "django_wsgi:app", "/work/<int:number>"),
    "django-asgi": Served(UVICORN + "django_asgi:app", "/work/<int:number>"),
    "django-runserver": Served(
        "python -m tests.servers.unchanged.django_site runserver 127.0.0.1:{port}", "/work/<int:number>"
    ),
    "falcon": Served(GUNICORN + "falcon_apps:app", "/work/{number:int}"),
    "falcon-asgi": Served(UVICORN + "falcon_apps:asgi_app", "/work/{number:int}"),
    "fastapi": Served(UVICORN + "fastapi_app:app", "/work/{number}"),
    "fastapi-hypercorn": Served(
        "hypercorn --workers 4 -b 127.0.0.1:{port} tests.servers.unchanged.fastapi_app:app", "/work/{number}"
    ),
    "fastapi-granian": Served(
        "granian --interface asgi --workers 4 --port {port} tests.servers.unchanged.fastapi_app:app",
        "/work/{number}",
    ),
    "flask": Served(GUNICORN + "flask_app:app --preload", "/work/<int:number>"),
    "flask-run": Served(
        "flask --app tests.servers.unchanged.flask_app run --port {port}", "/work/<int:number>"
    ),
    "flask-script": Served("python -m tests.servers.unchanged.flask_app {port}", "/work/<int:number>"),
    "litestar": Served(UVICORN + "litestar_app:app", "/work/{number}"),
    "pyramid": Served(GUNICORN + "pyramid_app:app", r"/work/{number:\d+}"),
    "quart": Served(UVICORN + "quart_app:app", "/work/<int:number>"),
    "tornado": Served("python -m tests.servers.unchanged.tornado_app {port}", "/work/<number>"),
}

QUICK = {"django", "fastapi", "flask"}
LONG = pytest.mark.skipif(
    os.environ.get("TEST_CONFORMANCE") != "long", reason="TEST_CONFORMANCE=long runs it"
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else LONG) for name in UNCHANGED]
)
def test_unchanged_apps_are_counted_exactly_by_their_templates(name: str, tmp_path: Path) -> None:
    port, route = free_port(), UNCHANGED[name].route
    command = ["dualmetrics", "run", *UNCHANGED[name].command.format(port=port).split()]
    with Receiver() as receiver, run_server(command, port, tmp_path, push_settings(receiver)) as server:
        server.work(100)
        assert counted(server, 100, route)
        wait_until(lambda: pushed_total(receiver, "http.requests") == 100, 20, "the push of the total")
        assert server.get("/nowhere")[0] == 404
        page = server.wait_for_requests(101)
        assert total(page, "http_requests_total", http_route="unmatched", http_status_code="404") == 1
