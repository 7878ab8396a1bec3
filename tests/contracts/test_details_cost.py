"""What is not used costs nothing: a request then runs the very code that it runs without it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import dualmetrics_flask
import dualmetrics_starlette
from dualmetrics import Telemetry, asgi, wsgi
from dualmetrics.testing import Recorded, fetch
from dualmetrics.testing.wsgi_client import WsgiCall

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

FREE: dict[str, Any] = {
    "exclude_routes": ["/other/*"],
    "route_buckets": {"/": [1, 2]},
    "grouped_status": True,
    "websockets": True,
}
"""Settings that cost nothing, even if they are used: they are asked for when a series is new."""

DETAILS: dict[str, Any] = {
    "body_size": True,
    "time_to_first_byte": True,
    "active_by_route": True,
    "attributes": {"tenant": ["a"]},
}

Call = Callable[[], object]


def plain_asgi(telemetry: Telemetry) -> Call:
    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        asgi.set_route(scope, "/")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"body"})

    wrapped = asgi.MetricsMiddleware(app, telemetry=telemetry)
    return lambda: fetch(wrapped, "GET", "/")


def plain_wsgi(telemetry: Telemetry) -> Call:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        wsgi.set_route(environ, "/")
        start_response("200 OK", [("Content-Length", "4")])
        return [b"body"]

    wrapped = wsgi.MetricsMiddleware(app, telemetry=telemetry)
    return lambda: WsgiCall(wrapped).send_all()


def starlette(telemetry: Telemetry) -> Call:
    async def show(request: Request) -> PlainTextResponse:
        return PlainTextResponse("body")

    app = Starlette(routes=[Route("/", show)])
    dualmetrics_starlette.DualMetrics(app, telemetry=telemetry)
    return lambda: fetch(app, "GET", "/")


def flask(telemetry: Telemetry) -> Call:
    app = Flask("site")
    app.add_url_rule("/", "show", lambda: "body")
    dualmetrics_flask.DualMetrics(app, telemetry=telemetry)
    return lambda: WsgiCall(app, PATH_INFO="/").send_all()


APPS = {"asgi": plain_asgi, "wsgi": plain_wsgi, "starlette": starlette, "flask": flask}


def own_code(call: Call) -> list[CodeType]:
    """The functions of dualmetrics that a call runs, in their order."""
    found: list[CodeType] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and "dualmetrics" in frame.f_globals.get("__name__", "").partition(".")[0]:
            found.append(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return [code for code in found if "testing" not in Path(code.co_filename).parts]


def code_of_a_request(
    make_app: Callable[[Telemetry], Call], directory: Path, **settings: Any
) -> list[CodeType]:
    """The same for a request to a route that is known."""
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(directory), **settings)
    call = make_app(telemetry)
    for _ in range(2):
        call()
    found = own_code(call)
    assert sum(Recorded(telemetry).counts().values()) == 3
    telemetry.shutdown()
    return found


def names(code: Iterable[CodeType]) -> list[str]:
    return [f"{Path(each.co_filename).name} {each.co_name}" for each in code]


@pytest.mark.parametrize("app", APPS)
def test_settings_for_series_are_free(app: str, tmp_path: Path) -> None:
    plain = code_of_a_request(APPS[app], tmp_path)
    assert names(code_of_a_request(APPS[app], tmp_path, **FREE)) == names(plain)


@pytest.mark.parametrize("app", APPS)
def test_details_that_are_not_wanted_run_no_code(app: str, tmp_path: Path) -> None:
    plain = {Path(code.co_filename).stem for code in code_of_a_request(APPS[app], tmp_path)}
    detailed = {Path(code.co_filename).stem for code in code_of_a_request(APPS[app], tmp_path, **DETAILS)}
    modules = {"detailed_request", "request_details", "current_request", "declared_values", "active_by_route"}
    assert modules <= detailed
    assert not plain & (modules | {"detailed_recorder", "measures", "route_options"})


def test_the_profile_sees_what_runs() -> None:
    async def nothing() -> None:
        pass

    assert own_code(lambda: asyncio.run(nothing())) == []
