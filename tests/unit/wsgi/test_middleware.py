"""The settings of the WSGI middleware, and what it takes from the environ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dualmetrics.config.settings import SettingsError
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded
from dualmetrics.wsgi import MetricsMiddleware
from tests.unit.wsgi.apps import fetch_body, hello


def test_excluded_paths_may_have_any_letters(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)
    for path in ("/gr%C3%BCn", "/%C3%A9cole"):
        assert fetch_body(app, path) == b"hello"
    assert Recorded(telemetry).counts() == {}


@pytest.mark.parametrize("settings", [{"metrics_exporter": "none"}, {"sdk_disabled": True}])
def test_disabled_telemetry_passes_requests_through(settings: dict[str, Any]) -> None:
    telemetry = Telemetry(**settings)
    app = MetricsMiddleware(hello, telemetry=telemetry)
    assert (fetch_body(app, "/"), fetch_body(app, "/metrics")) == (b"hello", b"hello")
    assert (Recorded(telemetry).counts(), Recorded(telemetry).active()) == ({}, {})


def test_metrics_path_can_be_left_to_the_app(telemetry: Telemetry) -> None:
    assert (
        fetch_body(MetricsMiddleware(hello, telemetry=telemetry, serve_metrics=False), "/metrics") == b"hello"
    )
    assert Recorded(telemetry).counts() == {}


def test_bad_setting_raises() -> None:
    with pytest.raises(SettingsError, match="convention"):
        MetricsMiddleware(hello, convention="modern")


@pytest.mark.parametrize(
    ("protocol", "version"), [("HTTP/1.0", "1.0"), ("HTTP/1.1", "1.1"), ("HTTP/2.0", "2"), ("GOPHER", None)]
)
def test_version_comes_from_server_protocol(tmp_path: Path, protocol: str, version: str | None) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))
    app = MetricsMiddleware(hello, telemetry=telemetry)
    fetch_body(app, "/", environ_overrides={"SERVER_PROTOCOL": protocol})
    (point,) = Recorded(telemetry).points("http.server.request.duration")
    assert dict(point.attributes).get("network.protocol.version") == version
    telemetry.shutdown()
