"""Exact totals of each framework's app on a real server with four workers, one of which is killed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.ports import free_port
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import Server, run_server, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

GUNICORN = "gunicorn -w 4 -b 127.0.0.1:{port} tests.servers.frameworks."
UVICORN = "uvicorn --workers 4 --port {port} tests.servers.frameworks."


class Served(NamedTuple):
    """How an app is served, and the template of its route ``/work/<number>``."""

    command: str
    route: str


FRAMEWORKS = {
    "tornado": Served("tests.servers.frameworks.tornado_app {port}", "/work/<number>"),
    "pyramid": Served(GUNICORN + "pyramid_app:app", r"/work/{number:\d+}"),
    "bottle": Served(GUNICORN + "bottle_app:app", "/work/<number:int>"),
    "falcon": Served(GUNICORN + "falcon_wsgi:app", "/work/{number:int}"),
    "falcon-asgi": Served(UVICORN + "falcon_asgi:app", "/work/{number:int}"),
    "litestar-plugin": Served(UVICORN + "litestar_plugin:app", "/work/{number}"),
    "litestar": Served(UVICORN + "litestar_app:app", "/work/{number}"),
    "quart": Served(UVICORN + "quart_app:app", "/work/<int:number>"),
    "aiohttp": Served(GUNICORN + "aiohttp_app:app -k aiohttp.GunicornWebWorker", "/work/{number}"),
    "django": Served(GUNICORN + "django_wsgi:app", "/work/<int:number>"),
    "django-asgi": Served(UVICORN + "django_asgi:app", "/work/<int:number>"),
}
DJANGO_RUNSERVER = "tests.servers.frameworks.django_site runserver --noreload 127.0.0.1:{port}"


def counted(server: Server, requests: float, route: str) -> bool:
    """Whether any worker's page counts so many requests, all of them by the template and with 200."""
    page = server.wait_for_requests(requests)
    labels = {"http_method": "GET", "http_route": route, "http_status_code": "200"}
    return (
        total(page, "http_requests_total", **labels) == requests
        and server.request_totals() == {requests}
        and total(page, "http_connections_active") == 0
        and total(page, "dualmetrics_internal_errors_total") == 0
    )


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_totals_are_exact_after_a_kill_and_the_last_counts_are_pushed(name: str, tmp_path: Path) -> None:
    port, route = free_port(), FRAMEWORKS[name].route
    command = FRAMEWORKS[name].command.format(port=port).split()
    with Receiver() as receiver, run_server(command, port, tmp_path, push_settings(receiver)) as server:
        answered = server.work_until_several_answer(200)
        sent = answered.total()
        assert counted(server, sent, route)
        server.kill_worker(min(answered))
        sent += server.work_until_all_answer(200).total()
        assert counted(server, sent, route)
        wait_until(lambda: pushed_total(receiver, "http.requests") == sent, 20, "the push of the total")
        sent += sum(server.work(10).values())
        server.wait_for_requests(sent)
        server.stop()
        pushed = partial(pushed_total, receiver, "http.requests", **{"http.route": route})
        wait_until(lambda: pushed() == sent, 5, "the last push")


def test_the_development_server_of_django_counts_and_pushes(tmp_path: Path) -> None:
    port = free_port()
    command = DJANGO_RUNSERVER.format(port=port).split()
    with Receiver() as receiver, run_server(command, port, tmp_path, push_settings(receiver)) as server:
        server.work(50)
        assert counted(server, 50, "/work/<int:number>")
        wait_until(lambda: pushed_total(receiver, "http.requests") == 50, 20, "the push of the total")
