"""Falcon: what is not in the contract. Error handlers, middleware, sinks and custom routers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import falcon.asgi
import pytest

from dualmetrics import SettingsError, Telemetry
from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.testing import Recorded, RequestLabels, fetch
from dualmetrics.testing.wsgi_client import WsgiCall, request_environ
from dualmetrics_falcon.asgi import DualMetrics as AsgiDualMetrics
from dualmetrics_falcon.wsgi import DualMetrics, set_route

pytestmark = pytest.mark.frameworks


class Resource:
    """A resource whose GET is a function."""

    def __init__(self, on_get: Any) -> None:
        self.on_get = on_get


def get(app: Any, path: str, method: str = "GET") -> int:
    call = WsgiCall(app, **request_environ(method, path))
    call.send_all()
    call.close()
    return call.status


def fail(request: Any, response: Any) -> None:
    raise ZeroDivisionError


def busy(request: Any, response: Any) -> None:
    raise falcon.HTTPServiceUnavailable


@pytest.mark.parametrize("replaced", [False, True])
def test_only_exceptions_that_nobody_expects_are_recorded_by_type(tmp_path: Path, replaced: bool) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))

    def answer(request: Any, response: Any, error: Exception, params: Any) -> None:
        response.status = 500

    app = falcon.App()
    app.add_route("/fail", Resource(fail))
    app.add_route("/busy", Resource(busy))
    if replaced:
        app.add_error_handler(Exception, answer)
    wrapped = DualMetrics(app, telemetry=telemetry)
    assert [get(wrapped, "/fail"), get(wrapped, "/busy")] == [500, 503]
    assert Recorded(telemetry).error_types() == {"500" if replaced else "ZeroDivisionError", "503"}
    telemetry.shutdown()


def test_middleware_sinks_and_routes_that_are_added_later(telemetry: Telemetry, recorded: Recorded) -> None:
    class Guard:
        def process_request(self, request: Any, response: Any) -> None:
            if request.path == "/blocked":
                raise falcon.HTTPForbidden

        def process_response(self, request: Any, response: Any, resource: Any, succeeded: bool) -> None:
            if request.path == "/changed":
                response.status = 202

    def named(request: Any, response: Any) -> None:
        set_route(request.env, "/chosen")

    app: Any = falcon.App(middleware=[Guard()], independent_middleware=False)
    wrapped = DualMetrics(app, telemetry=telemetry)
    app.add_route("/changed", Resource(lambda request, response: None))
    app.add_route("/blocked", Resource(lambda request, response: None))
    app.add_route("/named", Resource(named))
    app.add_sink(lambda request, response: None, "/sink")
    paths = ("/changed", "/blocked", "/named", "/sink/a", "/none")
    assert [get(wrapped, path) for path in paths] == [202, 403, 200, 200, 404]
    assert recorded.counts() == {
        RequestLabels("GET", "/changed", 202): 1,
        RequestLabels("GET", "unmatched", 403): 1,
        RequestLabels("GET", "/chosen", 200): 1,
        RequestLabels("GET", "unmatched", 200): 1,
        RequestLabels("GET", "unmatched", 404): 1,
    }


def test_the_plain_middleware_finds_the_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    async def user(request: Any, response: Any, user: str) -> None:
        response.text = user

    app: Any = falcon.asgi.App()
    app.add_route("/users/{user}", Resource(user))
    assert fetch(MetricsMiddleware(app, telemetry=telemetry), "GET", "/users/7").status == 200
    assert recorded.counts() == {RequestLabels("GET", "/users/{user}", 200): 1}


@pytest.mark.parametrize(("make", "wrap"), [(falcon.App, DualMetrics), (falcon.asgi.App, AsgiDualMetrics)])
def test_a_taken_metrics_path_is_refused(make: Any, wrap: Any, telemetry: Telemetry) -> None:
    async def mine(request: Any, response: Any) -> None:
        """Answer."""

    app = make()
    app.add_route("/metrics", Resource(mine if make is falcon.asgi.App else fail))
    with pytest.raises(SettingsError, match="already has this path"):
        wrap(app, telemetry=telemetry)
    wrap(app, telemetry=telemetry, serve_metrics=False)
