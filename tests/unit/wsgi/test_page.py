"""The metrics page as a WSGI app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from dualmetrics.telemetry import Telemetry
from dualmetrics.wsgi import MetricsMiddleware, metrics_app
from tests.unit.wsgi.apps import fetch_body, hello


def test_page_is_an_app(telemetry: Telemetry) -> None:
    fetch_body(MetricsMiddleware(hello, telemetry=telemetry), "/")
    assert b"http_requests" in fetch_body(metrics_app(telemetry), "/whatever")


@pytest.mark.parametrize("settings", [{"metrics_exporter": "none"}, {"sdk_disabled": True}])
def test_page_is_not_found_without_the_exporter(settings: dict[str, Any]) -> None:
    assert Client(metrics_app(Telemetry(**settings))).get("/").status_code == 404


def test_page_uses_headers_query_and_client(tmp_path: Path) -> None:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        metrics_token="secret",
        metrics_allow="10.0.0.0/8",
        directory=str(tmp_path),
    )
    client, token = Client(metrics_app(telemetry)), {"Authorization": "Bearer secret"}
    inside, outside = {"REMOTE_ADDR": "10.0.0.1"}, {"REMOTE_ADDR": "192.0.2.1"}
    assert client.get("/", environ_base=inside).status_code == 401
    assert client.get("/", environ_base=outside, headers=token).status_code == 403
    fetch_body(MetricsMiddleware(hello, telemetry=telemetry), "/")
    page = client.get("/?name[]=http_connections_active", environ_base=inside, headers=token).data
    assert b"http_connections_active" in page
    assert b"http_requests" not in page
    telemetry.shutdown()
