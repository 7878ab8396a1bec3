"""Bottle: what is not in the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bottle import Bottle, abort, request

from dualmetrics import SettingsError, Telemetry
from dualmetrics.testing import Recorded, RequestLabels
from dualmetrics.testing.wsgi_client import WsgiCall, request_environ
from dualmetrics.wsgi import MetricsMiddleware
from dualmetrics_bottle import DualMetrics, set_route

pytestmark = pytest.mark.frameworks


def get(app: Any, path: str) -> int:
    call = WsgiCall(app, **request_environ("GET", path))
    call.send_all()
    call.close()
    return call.status


def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    set_route(environ, "/inside/<id>")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"plain"]


def test_mounted_apps_filters_and_handlers_that_name_themselves(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    def named() -> str:
        set_route(request.environ, "/chosen")
        return "named"

    app: Any = Bottle()
    app.mount("/static/", lambda environ, start_response: (start_response("200 OK", []), [b"x"])[1])
    app.mount("/shop/", MetricsMiddleware(plain, telemetry=telemetry))
    app.get("/named", callback=named)
    app.get("/re/<name:re:[a-z]+>", callback=lambda name: name)
    DualMetrics(app, telemetry=telemetry)
    paths = ("/static/a/b", "/shop/inside/7", "/named", "/re/abc", "/re/7")
    assert [get(app, path) for path in paths] == [200, 200, 200, 200, 404]
    assert recorded.counts() == {
        RequestLabels("GET", "/static/{path}", 200): 1,
        RequestLabels("GET", "/shop/inside/<id>", 200): 1,
        RequestLabels("GET", "/chosen", 200): 1,
        RequestLabels("GET", "/re/<name:re:[a-z]+>", 200): 1,
        RequestLabels("GET", "unmatched", 404): 1,
    }


def test_only_exceptions_that_nobody_expects_are_recorded_by_type(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))

    def fail() -> None:
        raise ZeroDivisionError

    app: Any = Bottle()
    app.get("/fail", callback=fail)
    app.get("/busy", callback=lambda: abort(503))
    DualMetrics(app, telemetry=telemetry)
    assert [get(app, "/fail"), get(app, "/busy")] == [500, 503]
    assert Recorded(telemetry).error_types() == {"ZeroDivisionError", "503"}
    telemetry.shutdown()


def test_two_telemetries_both_count_and_a_taken_path_is_refused(telemetry: Telemetry) -> None:
    app: Any = Bottle()
    app.get("/users/<id>", callback=lambda id: id)  # noqa: A006 - as in the rule
    other = Telemetry(metrics_exporter="prometheus", prometheus_path="/other")
    DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=other)
    assert get(app, "/users/7") == 200
    counts = {RequestLabels("GET", "/users/<id>", 200): 1}
    assert (Recorded(telemetry).counts(), Recorded(other).counts()) == (counts, counts)
    with pytest.raises(SettingsError, match="already has this path"):
        DualMetrics(app, telemetry=telemetry)
    other.shutdown()
