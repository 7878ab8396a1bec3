"""The setting ``root_path`` on ASGI: what mounts have added beyond it belongs to the route."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from dualmetrics import Telemetry
from dualmetrics.asgi import ASGIApp, MetricsMiddleware, Receive, Scope, Send, set_route
from dualmetrics.http.mounts import MAX_PREFIXES
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.recorded import Recorded
from dualmetrics_starlette import DualMetrics

KINDS = [Starlette, FastAPI]


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", root_path="/proxy", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)


async def fine(request: Request) -> Response:
    return PlainTextResponse("fine")


def instrumented(kind: type[Starlette], telemetry: Telemetry) -> Starlette:
    app = kind(routes=[Route("/users/{id}", fine), Mount("/in/{x}", routes=[Route("/{id}", fine)])])
    DualMetrics(app, telemetry=telemetry)
    return app


def route(app: ASGIApp, recorded: Recorded, path: str, root: str) -> Any:
    """The route by which a request, sent twice, was counted."""
    recorded.telemetry.reset()
    for _ in range(2):
        fetch(app, "GET", root + path, root_path=root)
    [(labels, times)] = recorded.counts().items()
    assert (times, recorded.active()) == (2, {})
    return labels.route


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_root_path_has_beyond_the_setting_belongs_to_the_route(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    app = instrumented(kind, telemetry)
    for root, prefix in (("", ""), ("/proxy", ""), ("/proxy/a", "/a"), ("/b", "/b"), ("/proxy", "")):
        assert route(app, recorded, "/users/1", root) == prefix + "/users/{id}"
        assert route(app, recorded, "/in/1/2", root) == prefix + "/in/{x}/{id}"
        assert route(app, recorded, "/nowhere", root) == "unmatched"


@pytest.mark.parametrize("kind", KINDS)
def test_mounts_of_starlette_are_named_by_their_templates(
    kind: type[Starlette], telemetry: Telemetry, recorded: Recorded
) -> None:
    app = kind(routes=[Mount("/t/{tenant}", app=instrumented(kind, telemetry))])
    for root, prefix in (("", ""), ("/proxy", ""), ("/proxy/a", "/a")):
        assert route(app, recorded, "/t/acme/users/1", root) == prefix + "/t/{tenant}/users/{id}"
        assert route(app, recorded, "/t/acme/in/1/2", root) == prefix + "/t/{tenant}/in/{x}/{id}"


def test_mounts_of_an_app_that_names_its_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        set_route(scope, "/users/{id}")
        await PlainTextResponse("fine")(scope, receive, send)

    inside = MetricsMiddleware(plain, telemetry=telemetry)
    app = Starlette(routes=[Mount("/a", app=inside), Mount("/b", app=inside)])
    for mount in ("/a", "/b"):
        for root in ("", "/proxy"):
            assert route(app, recorded, mount + "/users/1", root) == mount + "/users/{id}"


def test_values_in_the_root_path_make_no_series_for_each(telemetry: Telemetry, recorded: Recorded) -> None:
    app = instrumented(Starlette, telemetry)
    for user in range(2 * MAX_PREFIXES):
        fetch(app, "GET", f"/user{user}/users/1", root_path=f"/user{user}")
    assert len({labels.route for labels in recorded.counts()}) == MAX_PREFIXES + 1


def test_without_the_setting_the_root_path_is_that_of_a_proxy(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    assert route(instrumented(Starlette, telemetry), Recorded(telemetry), "/users/1", "/any") == "/users/{id}"
    telemetry.shutdown()
