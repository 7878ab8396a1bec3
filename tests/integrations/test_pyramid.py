"""Pyramid: what is not in the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPServiceUnavailable
from pyramid.response import Response

import dualmetrics_pyramid
from dualmetrics import SettingsError, Telemetry
from dualmetrics.testing import Recorded, RequestLabels
from dualmetrics.testing.wsgi_client import WsgiCall, request_environ
from dualmetrics_pyramid import DualMetrics, set_route

pytestmark = pytest.mark.frameworks


def get(app: Any, path: str) -> int:
    call = WsgiCall(app, **request_environ("GET", path))
    call.send_all()
    call.close()
    return call.status


def add(config: Any, pattern: str, view: Any) -> None:
    config.add_route(pattern, pattern)
    config.add_view(view, route_name=pattern)


def fine(request: Any) -> Any:
    return Response("fine")


def block(handler: Any, registry: Any) -> Any:
    """A tween that answers some requests itself."""
    return lambda request: Response("no", 429) if request.path == "/blocked" else handler(request)


def test_the_include_wraps_tweens_and_execution_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus")
    monkeypatch.setattr(dualmetrics_pyramid, "telemetry_for", lambda given, settings: telemetry)

    def policy(environ: Any, router: Any) -> Any:
        with router.request_context(environ) as request:
            response = router.invoke_request(request)
            return Response("changed", 202) if request.path == "/changed" else response

    def named(request: Any) -> Any:
        set_route(request.environ, "/chosen")
        return Response("named")

    config: Any = Configurator()
    config.include("dualmetrics_pyramid")
    config.set_execution_policy(policy)
    config.add_tween(f"{__name__}.block")
    for pattern, view in (("blocked", fine), ("changed", fine), ("named", named), ("rest/*path", fine)):
        add(config, pattern, view)
    app = config.make_wsgi_app()
    paths = ("/blocked", "/changed", "/named", "/rest/a/b", "/metrics", "/none")
    assert [get(app, path) for path in paths] == [429, 202, 200, 200, 200, 404]
    assert Recorded(telemetry).counts() == {
        RequestLabels("GET", "unmatched", 429): 1,
        RequestLabels("GET", "/changed", 202): 1,
        RequestLabels("GET", "/chosen", 200): 1,
        RequestLabels("GET", "/rest/*path", 200): 1,
        RequestLabels("GET", "unmatched", 404): 1,
    }
    telemetry.shutdown()


def test_only_exceptions_that_nobody_expects_are_recorded_by_type(tmp_path: Path) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))

    def fail(request: Any) -> Any:
        raise ZeroDivisionError

    def refuse(request: Any) -> Any:
        raise KeyError

    def busy(request: Any) -> Any:
        raise HTTPServiceUnavailable

    config: Any = Configurator()
    for pattern, view in (("/fail", fail), ("/busy", busy), ("/refuse", refuse)):
        add(config, pattern, view)
    config.add_exception_view(lambda request: Response("refused", 500), context=KeyError)
    DualMetrics(config, telemetry=telemetry)
    app = config.make_wsgi_app()
    assert [get(app, "/busy"), get(app, "/refuse")] == [503, 500]
    with pytest.raises(ZeroDivisionError):
        get(app, "/fail")
    assert Recorded(telemetry).error_types() == {"ZeroDivisionError", "503", "500"}
    telemetry.shutdown()


def test_a_taken_metrics_path_is_refused(telemetry: Telemetry) -> None:
    config: Any = Configurator()
    add(config, "metrics", fine)
    DualMetrics(config, telemetry=telemetry)
    with pytest.raises(SettingsError, match="already has this path"):
        config.make_wsgi_app()
