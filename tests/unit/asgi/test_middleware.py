"""The settings of the ASGI middleware."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.config.settings import SettingsError
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.recorded import Recorded, RequestLabels
from tests.unit.asgi.apps import hello


@pytest.mark.parametrize("settings", [{"metrics_exporter": "none"}, {"sdk_disabled": True}])
def test_disabled_telemetry_passes_requests_through(settings: dict[str, Any]) -> None:
    telemetry = Telemetry(**settings)
    app = MetricsMiddleware(hello, telemetry=telemetry)
    for path in ("/", "/metrics"):
        assert fetch(app, "GET", path).body == b"hello"
    assert (Recorded(telemetry).counts(), Recorded(telemetry).active()) == ({}, {})


def test_metrics_path_belongs_to_the_app_without_the_prometheus_exporter() -> None:
    telemetry = Telemetry(metrics_exporter="otlp")
    app = MetricsMiddleware(hello, telemetry=telemetry)
    assert fetch(app, "GET", "/metrics").body == b"hello"
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 1}
    telemetry.shutdown()


def test_metrics_path_can_be_left_to_the_app(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry, serve_metrics=False)
    assert fetch(app, "GET", "/metrics").body == b"hello"
    assert Recorded(telemetry).counts() == {}


def test_bad_setting_raises() -> None:
    with pytest.raises(SettingsError, match="convention"):
        MetricsMiddleware(hello, convention="modern")


def test_servers_recognize_an_asgi_3_app(telemetry: Telemetry) -> None:
    call: Callable[..., Awaitable[None]] = MetricsMiddleware(hello, telemetry=telemetry).__call__
    assert inspect.iscoroutinefunction(call)
